"""Started, stopped, cut off, killed: what was recorded is what the endpoint saw."""

import asyncio
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import psutil
import pyarrow.parquet as pq
import pytest
import structlog
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from tenantmetrics.localapi import serve
from tenantmetrics.sidecar import credentials, server
from tenantmetrics.sidecar.credentials import Keeper

from .conftest import CLUSTER

CLIENTS = 64


@pytest.fixture
def start(tmp_path):
    """`tenantmetrics sidecar` in a process of its own, before an endpoint; its ledger's folder."""
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    running = []

    def start(endpoint, *arguments, **environment):
        process = subprocess.Popen(
            [sys.executable, "-m", "tenantmetrics", "sidecar", "--port", "0",
             "--upstream", endpoint.url, *arguments],
            env={**os.environ, **endpoint.environment,
                 "TENANTMETRICS_EXPORTERS": f"ledger:{ledger}", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip
        running.append(process)
        for line in process.stdout:
            if found := re.search(r"RDS_DATA=(http\S+)", line):
                return process, found.group(1), ledger
        raise AssertionError("it ended before it was ready")

    yield start
    for process in running:
        process.kill()
        process.wait(30)
        process.stdout.close()


def recorded(ledger):
    """Sums over the ledger's main table."""
    sums = dict.fromkeys(("calls", "attempts"), 0)
    for file in ledger.glob("date=*/**/*.parquet"):
        table = pq.read_table(file)
        for name in sums:
            sums[name] += sum(table.column(name).to_pylist())
    return sums


def client_of(endpoint, url, **more):
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    retries = {"mode": "standard", "total_max_attempts": 2}
    config = Config(retries=retries, max_pool_connections=CLIENTS, **more)
    return boto3.client(
        "rds-data", endpoint_url=url, region_name="us-east-1", config=config,
        aws_access_key_id="any", aws_secret_access_key="any",
    )  # fmt: skip


@pytest.mark.long
def test_the_ledger_counts_what_the_endpoint_counts_until_the_process_ends(start):
    """Failures of every kind, SIGTERM in the middle: every request is in the ledger."""
    faults = ["ThrottlingException:rate=0.1", "cut:rate=0.05", "slow:delay=0.02:rate=0.2"]
    with serve(faults=faults, fault_seed=1) as endpoint:
        process, url, ledger = start(endpoint, "--grace", "20")
        client = client_of(endpoint, url)
        stopped = threading.Event()
        target = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}

        def calls(number):
            good = 0
            for turn in range(6):
                if number == 0 and turn == 2:
                    process.send_signal(signal.SIGTERM)
                    stopped.set()
                try:
                    client.execute_statement(**target, sql="SELECT 1")
                    good += 1
                except (ClientError, BotoCoreError):
                    pass
            return good

        with ThreadPoolExecutor(CLIENTS) as pool:
            good = sum(pool.map(calls, range(CLIENTS)))
        assert stopped.is_set()
        assert good > 0.6 * 6 * CLIENTS
        client.close()
        assert process.wait(60) == 0
        found = recorded(ledger)
        assert found["attempts"] == endpoint.requests.total
        assert found["calls"] == 6 * CLIENTS


@pytest.mark.long
def test_a_kill_loses_no_window_that_was_over(start, eventually):
    """What was exported stays, and nothing is counted twice."""
    with serve() as endpoint:
        process, url, ledger = start(
            endpoint,
            TENANTMETRICS_WINDOW_S="1",
            TENANTMETRICS_FLUSH_INTERVAL_S="1",
            TENANTMETRICS_EXPORT_SPREAD_S="0",
        )
        client = client_of(endpoint, url)
        target = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}
        for _ in range(20):
            client.execute_statement(**target, sql="SELECT 1")
        eventually(lambda: recorded(ledger)["calls"] == 20)
        for _ in range(3):
            client.execute_statement(**target, sql="SELECT 1")
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        assert 20 <= recorded(ledger)["calls"] <= 23 == endpoint.requests.total


@pytest.mark.long
def test_large_answers_do_not_stay_in_memory(start, scripted):
    """A thousand answers of 1 MB from eight clients at a time, each byte for byte what was sent."""
    large = b'{"formattedRecords": "' + bytes(range(32, 34)) * 500_000 + b'"}'
    scripted.answer = lambda _: (200, [("Content-Type", "application/json")], large)
    scripted.environment = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    process, url, _ = start(scripted)
    port = int(url.rsplit(":", 1)[1])

    def ask(count):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(count):
            connection.request("POST", "/Execute", json.dumps({"resourceArn": CLUSTER}))
            assert connection.getresponse().read() == large
        connection.close()

    def resident_after(count):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, [count] * 8))
        return psutil.Process(process.pid).memory_info().rss

    before = resident_after(5)
    assert resident_after(125) < before + 32 * 1024 * 1024


def test_it_serves_new_clients_until_the_last_one_has_gone(sidecar, scripted, body, monkeypatch):
    """An application that is told to stop at the same moment still has its database."""
    monkeypatch.setattr(server, "QUIET_S", 0.2)
    running = sidecar(scripted.url, grace_s=60)
    first = running.client()
    arguments = json.loads(body())
    first.execute_statement(**arguments)
    running.stop()
    second = running.client()
    second.execute_statement(**arguments)
    first.execute_statement(**arguments)
    assert running.post("/readyz", b"", method="GET").status == 503
    assert running.post("/healthz", b"", method="GET").status == 200
    first.close()
    second.close()
    running.wait()
    assert running.kept.calls() == len(scripted.seen) == 3


def test_the_grace_period_ends_whoever_stays(sidecar, scripted, body):
    """What they did is recorded."""
    running = sidecar(scripted.url, grace_s=0.1)
    client = running.client()
    client.execute_statement(**json.loads(body()))
    running.stop()
    running.wait()
    assert running.kept.calls() == 1
    client.close()


def test_an_endpoint_out_of_reach_is_told_and_counted(sidecar, unused_port, body):
    """As boto3 would have counted it; not ready until it is back."""
    running = sidecar(f"http://127.0.0.1:{unused_port}")
    got = running.post(body=body())
    assert (got.status, got.headers["x-amzn-errortype"]) == (503, "ServiceUnavailableError")
    assert got.json() == {"message": f"The sidecar cannot reach 127.0.0.1:{unused_port}"}
    ready = running.post("/readyz", b"", method="GET")
    assert (ready.status, ready.json()) == (503, {"not_ready": ["upstream"]})
    assert running.recorded().calls(outcome="EndpointConnectionError") == 1


def test_an_endpoint_that_gives_no_answer_ends_in_time(sidecar, scripted, body):
    """504; nobody knows whether the call ran, so it is not billed."""
    free = threading.Event()
    scripted.answer = lambda _: free.wait(20) and (200, [], b"{}")
    running = sidecar(scripted.url, upstream_timeout_s=0.3)
    assert running.post(body=body()).status == 504
    free.set()
    kept = running.recorded()
    assert kept.calls(outcome="ReadTimeoutError") == 1
    assert kept.total("billed_requests") == 0


def test_metrics_are_there_and_closed_to_web_pages(sidecar, scripted, body):
    """The sidecar's own of now, tenants' only where they are asked for."""
    running = sidecar(scripted.url, tenant_labels=True, tenant_header="x-tenant-id")
    running.post(body=body(), x_tenant_id="acme")
    running.post("/nothing")
    running.recorded()
    page = running.post("/metrics", b"", method="GET")
    text = page.body.decode()
    assert (
        'tenantmetrics_sidecar_requests_total{operation="ExecuteStatement",status="200"} 1' in text
    )
    assert 'tenantmetrics_sidecar_refused_total{code="UnknownOperationException"} 1.0' in text
    assert 'db_client_operation_duration_seconds_count{tenant_id="acme"} 1.0' in text
    assert running.post("/metrics", b"", method="GET", host="evil.example").status == 403
    assert running.post("/metrics", b"", method="GET", origin="http://x").status == 403


def test_no_credentials_forward_nothing(sidecar, scripted, body):
    """AWS would blame the request for what the sidecar lacks."""
    running = sidecar(scripted.url, find=lambda: None)
    assert running.post(body=body()).status == 503
    assert running.post("/readyz", b"", method="GET").json()["not_ready"] == ["credentials"]
    assert not scripted.seen


def test_credentials_that_aws_refuses_are_looked_up_anew(sidecar, scripted, body, monkeypatch):
    """No restart, no cache for ever; the refused call itself goes back as it is."""
    monkeypatch.setattr(credentials, "_AGAIN_S", 0.05)
    found = [Credentials("OLD", "s")]

    def answer(seen):
        if "Credential=OLD/" in dict(seen.headers)["authorization"]:
            return 403, [("x-amzn-ErrorType", "ExpiredTokenException")], b'{"message": "old"}'
        return 200, [], b"{}"

    scripted.answer = answer
    running = sidecar(scripted.url, find=lambda: found[0])
    found[0] = Credentials("NEW", "s")
    assert running.post(body=body()).status == 403
    calls = 1
    while running.post(body=body()).status == 403:
        calls += 1
    assert running.recorded().calls() == calls + 1 == len(scripted.seen)


def test_a_look_up_that_fails_leaves_what_there_was():
    """A metadata service that is away for a moment stops nobody."""
    answers = [Credentials("A", "s"), RuntimeError(), None, Credentials("B", "s")]
    now = [0.0]

    def find():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def look():
        keeper = Keeper(find, clock=lambda: now[0])
        seen = []
        for _ in range(4):
            await keeper.look()
            seen.append(keeper.key.access_key)
            now[0] += 61
        return seen

    with structlog.testing.capture_logs() as logs:
        assert asyncio.run(look()) == ["A", "A", "A", "B"]
    assert [(line["event"], line.get("reason")) for line in logs] == [
        ("sidecar.no_credentials", "RuntimeError"),
        ("sidecar.credentials_found", None),
    ]


def test_credentials_that_are_missing_are_told_once():
    """Not every five seconds for as long as somebody logs in."""

    async def look():
        keeper = Keeper(lambda: None)
        for _ in range(3):
            await keeper.look()

    with structlog.testing.capture_logs() as logs:
        asyncio.run(look())
    (line,) = logs
    assert line["reason"] == "no provider of botocore's chain has credentials"
    assert line["meanwhile"] == "calls are refused"


def test_it_loads_nothing_for_a_terminal():
    """Its log is JSON, and rich is 6 MB; who wants rich after it can still have it."""
    program = (
        "import tenantmetrics.sidecar.main, structlog, sys\n"
        "assert not {'rich', 'pygments'} & sys.modules.keys()\n"
        "import rich\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
