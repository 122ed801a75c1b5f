"""aiobotocore's clients: the same handlers, the same facts, many calls at once on one loop.

aiobotocore pins a botocore of its own, so these tests run where requirements/aio.txt is installed:
they are passed over in an environment without it (`pytest --noconftest tests/aio`: the common
fixtures need what is not installed there).
"""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import tenantmetrics
from tenantmetrics import process

session = pytest.importorskip("aiobotocore.session", reason="needs requirements/aio.txt")

BODY = json.dumps({"records": [[{"longValue": 1}]], "numberOfRecordsUpdated": 0}).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
        failed = sent["sql"] == "SELECT bad"
        body = b'{"message": "SQLState: 42601", "code": "x"}' if failed else BODY
        self.send_response(400 if failed else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if failed:
            self.send_header("x-amzn-errortype", "BadRequestException")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def client(endpoint):
    return session.get_session().create_client(
        "rds-data",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )


CALL = {
    "resourceArn": "arn:aws:rds:us-east-1:123456789012:cluster:c",
    "secretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:s",
}


@pytest.fixture
def windows(monkeypatch):
    """What the pipeline would export."""
    tenantmetrics.configure(exporters=[])
    found = []
    monkeypatch.setattr(
        process.current()._fanout, "offer", lambda given, *_, **__: found.extend(given)
    )
    return found


def by_tenant(windows):
    sums = {}
    for window in windows:
        for key, one in window.series.items():
            row = sums.setdefault((key.tenant, key.outcome), [0, 0, 0])
            row[0] += one.calls
            row[1] += one.response_bytes
            row[2] += one.rows_returned
    return sums


def test_calls_of_many_tasks_go_to_their_own_tenants(endpoint, windows):
    """Contexts are per task; bytes and rows are counted although the body is a coroutine."""

    async def one(aio, tenant, times):
        with tenantmetrics.tenant(tenant):
            for _ in range(times):
                answer = await aio.execute_statement(**CALL, sql="SELECT 1")
                assert answer["records"] == [[{"longValue": 1}]]

    async def main():
        async with client(endpoint) as aio:
            assert tenantmetrics.instrument(aio) is aio
            tenantmetrics.instrument(aio)
            await asyncio.gather(*(one(aio, f"tenant-{n}", n + 1) for n in range(8)))

    asyncio.run(main())
    assert tenantmetrics.flush(10)
    assert by_tenant(windows) == {
        (f"tenant-{n}", "ok"): [n + 1, (n + 1) * len(BODY), n + 1] for n in range(8)
    }
    assert tenantmetrics.stats()["losses"] == {}


def test_errors_reach_the_caller_and_are_counted(endpoint, windows):
    """The same exception as without us."""

    async def main():
        async with client(endpoint) as aio:
            tenantmetrics.instrument(aio)
            with (
                tenantmetrics.tenant("acme"),
                pytest.raises(aio.exceptions.BadRequestException),
            ):
                await aio.execute_statement(**CALL, sql="SELECT bad")

    asyncio.run(main())
    assert tenantmetrics.flush(10)
    assert by_tenant(windows)["acme", "BadRequestException"][0] == 1


def test_an_aio_session_instruments_its_clients(endpoint, windows):
    """Every client it makes, without touching each."""

    async def main():
        made = session.get_session()
        tenantmetrics.instrument(made)
        async with made.create_client(
            "rds-data",
            region_name="us-east-1",
            endpoint_url=endpoint,
            aws_access_key_id="x",
            aws_secret_access_key="x",
        ) as aio:
            with tenantmetrics.tenant("acme"):
                await aio.execute_statement(**CALL, sql="SELECT 1")

    asyncio.run(main())
    assert tenantmetrics.flush(10)
    assert by_tenant(windows)["acme", "ok"][0] == 1


@pytest.fixture
def silent():
    """An endpoint that takes requests and never answers."""
    got = []

    class Silent(Handler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            got.append(self.path)
            if len(got) == 6:
                sixth.set()
            release.wait(30)

    release, sixth = threading.Event(), threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", got, sixth
    release.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_call_that_is_cancelled_is_a_call(silent, windows):
    """Botocore has no event for it; `wait_for` is the usual way to give up a slow query."""
    url, got, sixth = silent

    async def main():
        async with client(url) as rds:
            tenantmetrics.instrument(rds)
            for _ in range(5):
                with tenantmetrics.tenant("acme"), pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(rds.execute_statement(**CALL, sql="SELECT 1"), 0.1)
            task = asyncio.ensure_future(rds.execute_statement(**CALL, sql="SELECT 1"))
            assert await asyncio.to_thread(sixth.wait, 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert tenantmetrics.flush(20)
    series = {key: one for window in windows for key, one in window.series.items()}
    assert {key.outcome for key in series} == {"cancelled"}
    assert sum(one.calls for one in series.values()) == len(got) == 6
    (acme,) = [one for key, one in series.items() if key.tenant == "acme"]
    assert acme.calls == 5
    assert acme.duration_min_ns > 90_000_000
    assert acme.billed_requests == 0


def test_every_session_is_metered_where_nobody_handed_one_over(endpoint, windows):
    """`instrument()` without an argument reaches aiobotocore's sessions, old and new, once."""
    old = session.get_session()
    keys = {
        "region_name": "us-east-1",
        "endpoint_url": endpoint,
        "aws_access_key_id": "x",
        "aws_secret_access_key": "x",
    }

    async def main():
        tenantmetrics.instrument()
        try:
            for made in (old.create_client("rds-data", **keys), client(endpoint)):
                async with made as rds:
                    await rds.execute_statement(**CALL, sql="SELECT 1")
        finally:
            tenantmetrics.uninstrument()
        async with client(endpoint) as rds:
            await rds.execute_statement(**CALL, sql="SELECT 1")

    asyncio.run(main())
    assert tenantmetrics.flush(20)
    assert sum(one.calls for window in windows for one in window.series.values()) == 2
