"""No fork meets an import of ours: a child that needs the module too would wait for it for ever."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

SCRIPT = textwrap.dedent("""
    import json, sys, threading
    import boto3, tenantmetrics
    from botocore.awsrequest import AWSResponse
    from tenantmetrics.life import unforked

    class Raw:
        def stream(self, **_):
            yield b'{"numberOfRecordsUpdated": 0}'

    def answer(request, **_):
        return AWSResponse(request.url, 200, {"content-type": "application/json"}, Raw())

    tenantmetrics.configure(exporters=sys.argv[1:], flush_interval_s=3600, export_spread_s=0)
    client = tenantmetrics.instrument(boto3.client("rds-data"))
    client.meta.events.register("before-send.rds-data", answer)
    met = []

    def watch(event, arguments):
        if event != "import" or unforked.is_held:
            return
        frame = sys._getframe()
        while "importlib" in frame.f_code.co_filename or frame.f_code is watch.__code__:
            frame = frame.f_back
        ours = threading.current_thread().name.startswith("tenantmetrics")
        if ours or "/tenantmetrics/" in frame.f_code.co_filename:
            met.append((arguments[0], frame.f_code.co_filename))

    def work():
        sql = "SELECT * FROM t WHERE tenant_id = 'acme'"
        client.execute_statement(
            resourceArn="arn:aws:rds:us-east-1:1:cluster:c", secretArn="arn:aws:sm:s", sql=sql,
        )
        tenantmetrics.stats()

    sys.addaudithook(watch)
    first = threading.Thread(target=work)
    first.start(); first.join()
    delivered = tenantmetrics.flush(20)
    print(json.dumps({"met": met, "delivered": delivered, "calls": tenantmetrics.stats()["calls"]}))
    tenantmetrics.shutdown(0.5)
""")


def imports(exporter, url):
    """What is imported while a fork may come, and whether the window arrived."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, exporter],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={
            **os.environ,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": url,
            "AWS_EMF_AGENT_ENDPOINT": url.replace("http", "tcp"),
        },
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["calls"] == 1
    return told["met"], told["delivered"]


@pytest.mark.parametrize(
    "exporter",
    [
        "otlp:{url}",
        *(
            pytest.param(exporter, marks=pytest.mark.long)
            for exporter in ("cloudwatch", "emf", "otlp:grpc://{host}", "ledger:s3://bucket/prefix")
        ),
    ],
)
def test_a_failing_export_and_its_log_line_import_while_nobody_forks(exporter):
    """Nobody listens at the port."""
    host = "127.0.0.1:9"
    url = f"http://{host}"
    assert imports(exporter.format(url=url, host=host), url) == ([], False)


@pytest.mark.long
@pytest.mark.parametrize("exporter", ["cloudwatch", "ledger:{folder}", "prometheus:0"])
def test_a_first_export_imports_while_nobody_forks(tmp_path, moto_url, exporter):
    """CloudWatch stands for all of AWS; what comes after the answer is loaded too."""
    assert imports(exporter.format(folder=tmp_path), moto_url) == ([], True)
