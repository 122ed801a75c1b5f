"""Processes of their own that make metered calls into a ledger, and what arrived there."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pyarrow.parquet as pq

__all__ = ["PRELUDE", "calls", "run"]

PRELUDE = textwrap.dedent("""
    import faulthandler, os, signal, sys, threading, time
    faulthandler.dump_traceback_later(60, exit=True)
    import tenantmetrics
    import boto3
    from botocore.awsrequest import AWSResponse
    from botocore.config import Config

    class Raw:
        def stream(self, **_):
            yield b'{"records": [[{"longValue": 1}]], "numberOfRecordsUpdated": 0}'

    def make_client():
        made = boto3.client(
            "rds-data", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x",
            # Standard mode has a lock of botocore's own that a fork may find held.
            config=Config(retries={"mode": "legacy"}),
        )
        made.meta.events.register(
            "before-send.rds-data",
            lambda request, **_: AWSResponse(
                request.url, 200, {"content-type": "application/json"}, Raw()
            ),
        )
        return tenantmetrics.instrument(made)

    ledger = sys.argv[1]

    def configure(*more, **settings):
        tenantmetrics.configure(exporters=[f"ledger:{ledger}", *more], **settings)

    def call(times, tenant="acme"):
        for _ in range(times):
            with tenantmetrics.tenant(tenant):
                rds.execute_statement(
                    resourceArn="arn:aws:rds:us-east-1:1:cluster:c",
                    secretArn="arn:aws:secretsmanager:us-east-1:1:secret:s", sql="SELECT 1",
                )

    rds = make_client()
""")


def run(tmp_path, script, *, timeout_s=60.0, **environ):
    """A process of its own; what it did, in how many seconds."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script), str(tmp_path / "ledger")],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env={**os.environ, **environ},
    )
    return done, time.monotonic() - started


def calls(tmp_path):
    """Calls in the ledger by tenant."""
    found = {}
    for file in Path(tmp_path / "ledger").glob("date=*/*/*.parquet"):
        for row in pq.read_table(file, partitioning=None).to_pylist():
            if row["calls"]:
                found[row["tenant"]] = found.get(row["tenant"], 0) + row["calls"]
    return found
