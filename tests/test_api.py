"""The public API: locked by name, light to import."""

import subprocess
import sys

import tenantmetrics


def test_the_public_names_are_these():
    """What is added here is promised to users; what goes is a breaking change."""
    assert sorted(tenantmetrics.__all__) == [
        "ConfigError",
        "TenantMetricsError",
        "TenantRefusedError",
        "client",
        "configure",
        "flush",
        "instrument",
        "lambda_handler",
        "shutdown",
        "stats",
        "tenant",
        "uninstrument",
    ]
    for name in tenantmetrics.__all__:
        assert getattr(tenantmetrics, name).__doc__


EXTRAS = {
    "pyarrow", "duckdb", "jinja2", "xlsxwriter", "babel", "psycopg", "uvicorn", "starlette",
    "typer", "rich", "grpc", "opentelemetry",
}  # fmt: skip

LIGHT = {
    "tenantmetrics", "tenantmetrics.awslambda", "tenantmetrics.capture",
    "tenantmetrics.capture.recorder", "tenantmetrics.capture.request", "tenantmetrics.capture.size",
    "tenantmetrics.client", "tenantmetrics.dataapi", "tenantmetrics.dataapi.capture",
    "tenantmetrics.errors", "tenantmetrics.health", "tenantmetrics.instrumentation",
    "tenantmetrics.instrumentation.botocore", "tenantmetrics.life", "tenantmetrics.limits",
    "tenantmetrics.logs", "tenantmetrics.process", "tenantmetrics.records", "tenantmetrics.tenant",
    "tenantmetrics.tenant.identity", "tenantmetrics.tenant.identity.context",
    "tenantmetrics.tenant.identity.tenant_ids",
}  # fmt: skip
"""All of our own that `import tenantmetrics` loads. What else a process needs, its first pipeline
loads; a name that is added here is paid for by every application that starts."""


def loaded_by(program):
    """What a program in a process of its own prints of its threads, and what it has loaded."""
    done = subprocess.run(
        [sys.executable, "-c", program + "\nprint(threading.active_count(), *sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    threads, *modules = done.stdout.split()
    return int(threads), set(modules)


def test_importing_loads_no_extra_and_starts_no_thread():
    """Light enough for a Lambda zip; nothing happens before the first call."""
    threads, modules = loaded_by("import sys, threading, tenantmetrics")

    assert threads == 1
    assert modules.isdisjoint(EXTRAS | {"sqlglot"})
    ours = {name for name in modules if name.partition(".")[0] == "tenantmetrics"}
    assert ours == LIGHT


def test_an_instrumented_call_loads_no_extra_and_nothing_of_the_local_endpoint():
    """From the import to the answer, and the statement's tenant is found on the way."""
    _, modules = loaded_by("""
import sys, threading, boto3, tenantmetrics
from botocore.stub import Stubber
tenantmetrics.configure(exporters=["none"])
client = tenantmetrics.client(
    "rds-data", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
)
with Stubber(client) as stub:
    stub.add_response("execute_statement", {"records": []})
    client.execute_statement(
        resourceArn="arn:aws:rds:eu-west-1:123456789012:cluster:c",
        secretArn="arn:aws:secretsmanager:eu-west-1:123456789012:secret:s",
        sql="SELECT 1 FROM bookings WHERE tenant_id = 'acme'",
    )
assert tenantmetrics.stats()["calls"] == 1
assert tenantmetrics.stats()["unattributed_calls"] == 0
""")

    assert "sqlglot" in modules  # it did parse
    assert modules.isdisjoint(EXTRAS)
    assert not [name for name in modules if name.startswith("tenantmetrics.localapi")]
