"""The public API: locked by name, light to import."""

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

PUBLIC = {
    "tenantmetrics": "ConfigError TenantMetricsError TenantRefusedError client configure flush"
    " instrument lambda_handler rls shutdown stats tenant uninstrument",
    "tenantmetrics.errors": "ConfigError ConsoleError LedgerError LocalApiError MissingExtraError"
    " PriceError ReportError RlsError ServerLoadError TenantMetricsError TenantRefusedError"
    " TransactionTimedOutError UnbalancedError redacted",
    "tenantmetrics.config": "BILLED_BYTES Config METRIC_LEVELS SETTINGS SIGTERM load misspelt",
    "tenantmetrics.records": "Attribution Call Claim Claims Exemplar IDLE Misuse OK OVERFLOW"
    " CANCELLED SHARED Series SeriesKey SessionKind SessionStep SessionVerb Source Transition"
    " UNATTRIBUTED UNMETERED Window",
    "tenantmetrics.capture.request": "NO_IDENTITY PythonValues Request TenantSource",
    "tenantmetrics.capture.recorder": "ClaimsOf Entries Record Recorder recorder",
    "tenantmetrics.export.base": "ExportError Exporter",
    "tenantmetrics.export.destination": "Destination Estimate Sample no_argument",
    "tenantmetrics.export.checks": "Finding State TIMEOUT_S aws_call aws_client connect short",
    "tenantmetrics.dataapi": "ApiError Transaction TransactionRolledBackError",
    "tenantmetrics.rls": "Context RlsTransaction Rules batch execute execute_async stats"
    " transactional",
    "tenantmetrics.integrations.identity": "FromAuthorizer FromFunction FromHeader FromHost FromJwt"
    " FromPath FromSession Identity RefusedRequestError WebRequest current_tenant",
    "tenantmetrics.integrations.scope": "apart carried inside",
    "tenantmetrics.integrations.asgi": "TenantMiddleware request_of",
    "tenantmetrics.integrations.wsgi": "TenantMiddleware folds_underscores request_of",
    "tenantmetrics.integrations.fastapi": "TenantDependency",
    "tenantmetrics.integrations.flask": "init_app",
    "tenantmetrics.integrations.django": "TenantMiddleware request_of",
    "tenantmetrics.integrations.awslambda": "http_handler request_of sqs_handler",
    "tenantmetrics.integrations.celery": "HEADER TenantTask carry_tenants",
    "tenantmetrics.integrations.sqlalchemy": "set_tenant_at_begin",
    "tenantmetrics.cost": "AllocationRequest BillFilter Capacity Idle ServerTimeSource monthly"
    " read_capacity",
    "tenantmetrics.cost.engines.athena": "Athena STATEMENTS_SUFFIX",
    "tenantmetrics.cost.engines.spark": "Spark",
    "tenantmetrics.cost.invoicing": "Invoice InvoiceLine Rules invoices read_rules",
    "tenantmetrics.report.csv": "as_csv write",
    "tenantmetrics.report.html": "TOP_ROWS as_html write",
    "tenantmetrics.report.terminal": "as_text show",
    "tenantmetrics.report.tenant_statement": "Statements TenantStatement",
    "tenantmetrics.report.tenant_statement.html": "as_html",
    "tenantmetrics.measures": "BY_STATEMENT Fold MEASURES Measure REPORTED SUMS",
    "tenantmetrics.localapi": "Cluster Endpoint Fault Secret ServerTime ServerTimeRow label_calls"
    " load serve",
    "tenantmetrics.testing": "DataApi assert_isolated data_api data_api_endpoint",
}
"""What is added here is promised to users; what goes is a breaking change."""

ROOT = Path(__file__).parents[1]
ARCHITECTURE = ROOT / "docs" / "architecture.md"


@pytest.mark.parametrize("module", PUBLIC)
def test_the_public_names_of_a_module_are_these(module):
    """Each is there, and a function or a class says what it does."""
    public = import_module(module)
    assert set(public.__all__) == set(PUBLIC[module].split())
    for name in public.__all__:
        found = getattr(public, name)
        assert not (inspect.isclass(found) or inspect.isroutine(found)) or found.__doc__, name


def test_the_documentation_names_the_public_modules():
    """The list in `docs/architecture.md` is the one that is locked."""
    _, _, section = ARCHITECTURE.read_text("utf-8").partition("\n## Public API\n")
    assert set(re.findall(r"`(tenantmetrics[\w.]*)`", section)) == set(PUBLIC)


def test_what_the_pages_import_is_public():
    """Every import of an example, in the README and in the documentation."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "\n".join(page.read_text("utf-8") for page in pages)
    imports = re.findall(r"from (tenantmetrics[\w.]*) import ([\w, ]+)", text)
    assert len(imports) > 5
    for module, names in imports:
        for name in re.findall(r"\w+", names):
            assert name in PUBLIC.get(module, "").split() or f"{module}.{name}" in PUBLIC, module


EXTRAS = {
    "pyarrow", "duckdb", "jinja2", "xlsxwriter", "babel", "psycopg", "uvicorn", "starlette",
    "typer", "rich", "grpc", "opentelemetry", "jwt", "flask", "django", "fastapi", "celery",
    "lark",
}  # fmt: skip

LIGHT = {
    "tenantmetrics", "tenantmetrics.awslambda", "tenantmetrics.capture",
    "tenantmetrics.capture.entries", "tenantmetrics.capture.recorder",
    "tenantmetrics.capture.request", "tenantmetrics.capture.size", "tenantmetrics.client",
    "tenantmetrics.dataapi", "tenantmetrics.dataapi.capture", "tenantmetrics.errors",
    "tenantmetrics.health", "tenantmetrics.instrumentation",
    "tenantmetrics.instrumentation.answers", "tenantmetrics.instrumentation.botocore",
    "tenantmetrics.life", "tenantmetrics.limits", "tenantmetrics.logs", "tenantmetrics.process",
    "tenantmetrics.records", "tenantmetrics.records.call", "tenantmetrics.tenant",
    "tenantmetrics.tenant.identity",
    "tenantmetrics.tenant.identity.tenant_context", "tenantmetrics.tenant.identity.tenant_ids",
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
    assert modules.isdisjoint(EXTRAS | {"sqlglot", "boto3"})
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
