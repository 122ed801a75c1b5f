"""What a process pays once: the import, the first client and the first call, beside boto3's own.

Every figure is processor time of a process of its own on one core, at the median; the variants run
in turns, so that a busy machine is busy for all of them. boto3's client and its first two calls
come first in the same process: what tenantmetrics takes beyond a second one of boto3's is ours
alone. Calls are answered inside the process, so that nothing is waited for.

Budgets: 30 ms for the import, 120 ms for the first client. sqlglot is loaded with the first
statement, or by `lambda_handler` while Lambda loads the function.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from statistics import median

ROUNDS = 15

_PROGRAM = """
import json, os, sys, time
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
clock = time.process_time
started = clock()
import boto3
boto3_imported = clock()
import tenantmetrics
imported = clock()
from botocore.awsrequest import AWSResponse

class Raw:
    def stream(self, **_):
        yield b'{"records": [[{"longValue": 1}]], "numberOfRecordsUpdated": 0}'

def answer(request, **_):
    return AWSResponse(request.url, 200, {"content-type": "application/json"}, Raw())

def call(client):
    client.meta.events.register("before-send.rds-data", answer)
    before = clock()
    client.execute_statement(
        resourceArn="arn:aws:rds:us-east-1:1:cluster:c",
        secretArn="arn:aws:secretsmanager:us-east-1:1:secret:s",
        sql="SELECT id, total FROM orders WHERE tenant_id = :t ORDER BY id LIMIT 20",
        parameters=[{"name": "t", "value": {"stringValue": "acme"}}],
    )
    return clock() - before

credentials = {"aws_access_key_id": "bench", "aws_secret_access_key": "bench"}
where = {"region_name": "us-east-1", **credentials}
before = clock()
plain = boto3.client("rds-data", **where)
first = clock()
boto3.client("rds-data", **where)
second = clock()
metered = tenantmetrics.client("rds-data", **where)
ours = clock()
call(plain)
their_call, our_call = call(plain), call(metered)
before_flush = clock()
tenantmetrics.shutdown(20)
flushed = clock()
figures = [boto3_imported - started, imported - boto3_imported, first - before]
figures += [(ours - second) - (second - first), our_call - their_call, flushed - before_flush]
sys.stderr.write(json.dumps([1e3 * figure for figure in figures]))
"""


def _exporters(folder: str) -> dict[str, str]:
    """Specification by what has to be installed for it; those that are not are left out."""
    wanted = {
        "none": "tenantmetrics",
        "cloudwatch": "boto3",
        "emf": "aws_embedded_metrics",
        "otlp": "opentelemetry",
        f"ledger:{folder}": "pyarrow",
    }
    return {spec: package for spec, package in wanted.items() if importlib.util.find_spec(package)}


def _run(exporters: str) -> list[float]:
    """Milliseconds, in the order of `_PROGRAM`'s `figures`."""
    # An installed package has its compiled files; a shell that forbids them is not to be measured.
    environ = {name: value for name, value in os.environ.items() if name != _NO_COMPILED_FILES}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**environ, **_OFFLINE, "TENANTMETRICS_EXPORTERS": exporters},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: list[float] = json.loads(done.stderr.splitlines()[-1])
    return figures


_NO_COMPILED_FILES = "PYTHONDONTWRITEBYTECODE"
_NOBODY = "http://127.0.0.1:9"
_OFFLINE = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ENDPOINT_URL_CLOUDWATCH": _NOBODY,
    "AWS_EMF_ENVIRONMENT": "Lambda",
}


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        specs = list(_exporters(folder))
        runs: dict[str, list[list[float]]] = {spec: [] for spec in specs}
        for spec in specs:
            _run(spec)  # compiles what was never imported before
        for _ in range(ROUNDS):
            for spec in specs:
                runs[spec].append(_run(spec))
    columns = list(zip(*(run for found in runs.values() for run in found), strict=True))
    boto3_import, our_import, boto3_client = (median(column) for column in columns[:3])
    print(f"import boto3                 {boto3_import:6.0f} ms of CPU on one core")
    print(f"import tenantmetrics         {our_import:+6.0f} ms (budget 30 ms)")
    print(f"boto3.client, the first      {boto3_client:6.0f} ms")
    print("over boto3's own:             first client   first call   flush at the end")
    for spec, found in runs.items():
        client, call, flush = (median(run[place] for run in found) for place in (3, 4, 5))
        name = f"exporters={spec.partition(':')[0]}"
        print(f"  {name:<28}{client:+9.0f} ms{call:+10.0f} ms{flush:+16.0f} ms")
    print("budget of the first client: 120 ms")


if __name__ == "__main__":
    main()
