"""What a process pays once: `import tenantmetrics`, and its first client, beside boto3's own.

Every figure is processor time of a process of its own, at the median; the variants run in turns, so
that a busy machine is busy for all of them. boto3's client comes first in the same process: what
the first client of tenantmetrics takes beyond a second one of boto3's is ours alone.

Budget: 30 ms for the import.
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
import json, sys, time
clock = time.process_time
started = clock()
import boto3
boto3_imported = clock()
import tenantmetrics
imported = clock()
credentials = {"aws_access_key_id": "bench", "aws_secret_access_key": "bench"}
where = {"region_name": "us-east-1", **credentials}
before = clock()
boto3.client("rds-data", **where)
first = clock()
boto3.client("rds-data", **where)
second = clock()
tenantmetrics.client("rds-data", **where)
ours = clock()
figures = [boto3_imported - started, imported - boto3_imported, first - before]
figures.append((ours - second) - (second - first))
print(json.dumps([1e3 * figure for figure in figures]))
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
    """Milliseconds: import of boto3, ours over it, boto3's first client, ours over a client."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**os.environ, "TENANTMETRICS_EXPORTERS": exporters},
        capture_output=True,
        text=True,
        check=True,
    )
    figures: list[float] = json.loads(done.stdout)
    return figures


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
    print(f"import boto3                 {boto3_import:6.0f} ms of CPU")
    print(f"import tenantmetrics         {our_import:+6.0f} ms (budget 30 ms)")
    print(f"boto3.client, the first      {boto3_client:6.0f} ms")
    print("tenantmetrics.client, the first, over boto3's own:")
    for spec, found in runs.items():
        added = median(run[3] for run in found)
        print(f"  exporters={spec.partition(':')[0]:<18} {added:+6.0f} ms")
