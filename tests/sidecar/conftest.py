"""A sidecar in a thread of its own, with a pipeline of its own; and endpoints to put behind it."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import boto3
import pytest
from botocore.config import Config as BotoConfig
from botocore.credentials import Credentials

from tenantmetrics.capture.recorder import Recorder
from tenantmetrics.config import load
from tenantmetrics.export.prometheus import PrometheusExporter
from tenantmetrics.pipeline import Pipeline
from tenantmetrics.records import Window
from tenantmetrics.sidecar.credentials import Keeper
from tenantmetrics.sidecar.operations import Operations
from tenantmetrics.sidecar.server import Sidecar, event_loop, listening
from tenantmetrics.sidecar.settings import Settings

CLUSTER = "arn:aws:rds:eu-west-1:123456789012:cluster:local"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:local"
OWN = Credentials("SIDECAR", "its own secret", "its token")


class Kept:
    """An exporter that keeps what it is given."""

    name = "kept"

    def __init__(self):
        self.windows: list[Window] = []

    def export(self, windows, deadline_s):
        del deadline_s
        self.windows.extend(windows)

    def close(self):
        pass

    def total(self, field, **wanted):
        """A sum over the series whose key has what is wanted."""
        return sum(
            getattr(series, field)
            for window in self.windows
            for key, series in window.series.items()
            if all(getattr(key, name) == value for name, value in wanted.items())
        )

    def calls(self, **wanted):
        return self.total("calls", **wanted)

    def tenants(self):
        return {key.tenant for window in self.windows for key in window.series}


class Running:
    """A sidecar that runs."""

    def __init__(self, settings, find, configuration):
        self.kept = Kept()
        self.exporter = PrometheusExporter(tenants=settings.tenant_labels)
        self.pipeline = Pipeline(
            load({}, exporters=[self.kept, self.exporter], sigterm="off", **configuration),
            Recorder(),
        )
        self.operations = Operations(settings, self.exporter)
        self.operations.failures = self.pipeline.health.export_failures
        self.settings = settings
        self._find = find
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        with listening(self.settings) as listener:
            bound = listener.getsockname()
            self.address = bound
            with asyncio.Runner(loop_factory=event_loop) as runner:
                runner.run(self._serve(listener))

    async def _serve(self, listener):
        self.loop = asyncio.get_running_loop()
        self.keeper = Keeper(self._find)
        self.sidecar = Sidecar(
            self.settings,
            recorder=self.pipeline.recorder,
            operations=self.operations,
            keeper=self.keeper,
        )
        await self.keeper.look()
        await self.sidecar.run(listener, self._started.set)

    def start(self):
        self._thread.start()
        assert self._started.wait(30)
        return self

    @property
    def url(self):
        token = f"/{self.settings.token}" if self.settings.token else ""
        return f"http://127.0.0.1:{self.address[1]}{token}"

    def stop(self):
        """Ask for the end, as a signal does."""
        self.loop.call_soon_threadsafe(self.sidecar.stop)

    def wait(self, timeout_s=30):
        """Wait for the end; what was recorded is in `kept` then."""
        self._thread.join(timeout_s)
        assert not self._thread.is_alive()
        assert self.pipeline.shutdown(10)

    def end(self):
        """End now."""
        if self._thread.is_alive():
            for _ in range(2):
                self.stop()
        self.wait()

    def recorded(self):
        """What was recorded until now, calls that wait for another attempt included."""
        self._on_loop(self.sidecar.application.calls.settle)
        assert self.pipeline.flush(10)
        return self.kept

    def waiting(self):
        """How many calls wait for another attempt, once the last answer's call is in the books.

        That is done after the answer is on its way, in the loop's next round.
        """
        return self._on_loop(self.operations.waiting)

    def _on_loop(self, ask):
        answer = Future()
        self.loop.call_soon_threadsafe(lambda: answer.set_result(ask()))
        return answer.result(10)

    def client(self, **config):
        """boto3's own, not instrumented."""
        return boto3.client(
            "rds-data",
            region_name="eu-west-1",
            endpoint_url=self.url,
            aws_access_key_id="APPLICATION",
            aws_secret_access_key="the application's secret",
            config=BotoConfig(**{"retries": {"total_max_attempts": 1}, **config}),
        )

    def raw(self, data, *, until_closed=True, timeout_s=20):
        """Bytes to the socket as they are; the bytes that come back."""
        with socket.create_connection(self.address[:2], timeout=timeout_s) as connection:
            connection.sendall(data)
            if until_closed:
                connection.shutdown(socket.SHUT_WR)
            parts = []
            with contextlib.suppress(ConnectionError):
                while part := connection.recv(65536):
                    parts.append(part)
            return b"".join(parts)

    def post(self, path="/Execute", body=b"{}", *, method="POST", **headers):
        """A request by hand; status, headers in lower case, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.address[1], timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(
                method, path, body or None, {"content-type": "application/json", **named}
            )
            response = connection.getresponse()
            content = response.read()
            return SimpleNamespace(
                status=response.status,
                headers={name.lower(): value for name, value in response.getheaders()},
                body=content,
                json=lambda: json.loads(content),
            )
        finally:
            connection.close()


@contextlib.contextmanager
def starting():
    """Start sidecars with settings; `find` looks their credentials up, the rest is pipeline's."""
    with contextlib.ExitStack() as stack:

        def start(upstream="", find=lambda: OWN, configuration=None, **settings):
            made = Settings(port=0, upstream=upstream, **settings)
            made.check()
            running = Running(made, find, configuration or {}).start()
            stack.callback(running.end)
            return running

        yield start


@pytest.fixture
def sidecar():
    """Start a sidecar for one test."""
    with starting() as start:
        yield start


class Scripted(BaseHTTPRequestHandler):
    """Answers as the test says, and remembers what it was asked."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        server = self.server
        seen = SimpleNamespace(
            path=self.path,
            body=body,
            headers=[(name.lower(), value) for name, value in self.headers.items()],
        )
        with server.lock:
            server.seen.append(seen)
        answer = server.answer(seen)
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, headers, content = answer
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() in {"content-length", "transfer-encoding"} for name, _ in headers):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Endpoint(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


@contextlib.contextmanager
def scripting(port=0, answer=lambda _: (200, [("Content-Type", "application/json")], b"{}")):
    """An endpoint whose `answer(request)` gives (status, headers, body), or None to cut."""
    server = Endpoint(("127.0.0.1", port), Scripted)
    server.lock = threading.Lock()

    def begin():
        server.seen = []
        server.answer = answer

    server.begin = begin
    begin()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    # What `shutdown` waits for at most.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def _scripted():
    with scripting() as server:
        yield server


@pytest.fixture
def scripted(_scripted):
    """The scripted endpoint, which has seen nothing yet and answers as at first."""
    _scripted.begin()
    return _scripted


@pytest.fixture(scope="module")
def both():
    """A scripted endpoint and a sidecar before it, for all tests of a module."""
    with scripting() as server, starting() as start:
        yield start(server.url, read_timeout_s=0.5), server


@pytest.fixture
def body():
    """A request's body."""

    def body(sql="SELECT 1", **more):
        return json.dumps(
            {"resourceArn": CLUSTER, "secretArn": SECRET, "sql": sql, **more}
        ).encode()

    return body
