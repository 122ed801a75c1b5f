"""The Data API goes away while a program runs."""

import contextlib
import subprocess
import sys
import textwrap
import time

from tenantmetrics.localapi import serve
from tests.ledgers import calls_by, ledger_rows


def test_with_the_endpoint_gone_halfway_the_caller_sees_botocores_errors(tmp_path):
    """Failures are counted by type, and the process still exits in time with its ledger written."""
    running = contextlib.ExitStack()
    endpoint = running.enter_context(serve())
    program = textwrap.dedent(
        """
        import sys, tenantmetrics
        from botocore.config import Config
        from botocore.exceptions import EndpointConnectionError

        ledger, url, arn, secret = sys.argv[1:]
        tenantmetrics.configure(exporters=[f"ledger:{ledger}"])
        client = tenantmetrics.client(
            "rds-data", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a",
            aws_secret_access_key="b", config=Config(retries={"total_max_attempts": 2}),
        )
        call = dict(resourceArn=arn, secretArn=secret, database="postgres", sql="SELECT 1")
        with tenantmetrics.tenant("acme"):
            for _ in range(5):
                client.execute_statement(**call)
            input("stop the endpoint now")
            for _ in range(3):
                try:
                    client.execute_statement(**call)
                except EndpointConnectionError:
                    pass
                else:
                    sys.exit("no error")
        """
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            program,
            tmp_path,
            endpoint.url,
            endpoint.resource_arn,
            endpoint.secret_arn,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.read(len("stop the endpoint now")) == "stop the endpoint now"
    running.close()
    process.stdin.write("\n")
    process.stdin.flush()
    started = time.monotonic()
    process.communicate(timeout=30)

    assert process.returncode == 0
    assert time.monotonic() - started < 20
    assert calls_by(tmp_path, "tenant", "outcome") == {
        ("acme", "ok"): 5,
        ("acme", "EndpointConnectionError"): 3,
    }
    unanswered = [row for row in ledger_rows(tmp_path) if row["outcome"] != "ok"]
    assert sum(row["attempts"] for row in unanswered) == 6
    assert sum(row["billed_requests"] for row in unanswered) == 0
