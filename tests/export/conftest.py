"""Windows to export, and real servers to export them to."""

from __future__ import annotations

import gzip
import http.client
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from tenantmetrics.export import aws as aws_clients
from tenantmetrics.histogram import record
from tenantmetrics.records import Series, SeriesKey, Source, Window
from tenantmetrics.statement_table import StatementTable


@pytest.fixture
def make_window() -> Callable[..., Window]:
    """Make a window of some tenants; `calls` each."""

    def make(
        *tenants: str, sequence: int = 0, calls: int = 3, losses: dict[str, int] | None = None
    ) -> Window:
        series = {
            SeriesKey(tenant, "ExecuteStatement", "ok", Source.SESSION, "arn:x", "app"): Series(
                calls=calls,
                duration_ns=calls * 5_000_001,
                duration_min_ns=4_000_000,
                duration_max_ns=6_000_000,
                duration_us2=77_000_000,
                waited_ns=3,
                attempts=calls + 1,
                request_bytes=900,
                response_bytes=2**53 + 1,
                billed_requests=calls,
                rows_returned=7,
                rows_written=2,
                scale=4,
                buckets={357: calls - 1, 356: 1},
            )
            for tenant in tenants
        }
        return Window(1_795_209_300, 60, "host-1", sequence, series, losses or {})

    return make


@pytest.fixture
def make_statements() -> Callable[..., StatementTable]:
    """Make a statement table of some tenants: one statement that works, one that does not."""

    def make(*tenants: str) -> StatementTable:
        table = StatementTable()
        for tenant in reversed(tenants):
            for number, kind in ((7, "workless"), (2**62 + 1, "work")):
                key = ("arn:x", "app", number, f"SELECT t{number}", kind)
                table.add(tenant, key, 3, 15_000_003, 77_000_000, 3, 900, 2**40 + 1, 7, 2)
        return table

    return make


@pytest.fixture
def real_window() -> Callable[..., Window]:
    """Make a window as the aggregator does: many durations, errors, operations."""

    def make(
        tenants: int, *, seed: int = 1, sequence: int = 0, start_s: int | None = None, **more: Any
    ) -> Window:
        rng = random.Random(seed)
        series: dict[SeriesKey, Series] = {}
        for number in range(tenants):
            for operation, outcome in rng.sample(_KINDS, rng.randint(1, len(_KINDS))):
                key = SeriesKey(
                    f"tenant-{number:05d}", operation, outcome, Source.SESSION, _ARN, "app"
                )
                one = series[key] = Series()
                for _ in range(rng.randint(1, 12)):
                    duration_ns = int(rng.lognormvariate(16.5, 1.2))
                    record(one, duration_ns)
                    one.calls += 1
                    one.duration_ns += duration_ns
                    one.attempts += 1
                    one.request_bytes += rng.randint(100, 900)
                    one.response_bytes += rng.randint(100, 90_000)
                    one.billed_requests += rng.randint(1, 3)
                    one.rows_returned += rng.randint(0, 50)
                    one.rows_written += rng.randint(0, 2)
        loads = {key.tenant: rng.randint(0, one.duration_ns) for key, one in series.items()}
        more.setdefault("load_ns", loads)
        start = int(time.time()) // 60 * 60 - 120 if start_s is None else start_s
        return Window(start, 60, f"writer-{seed}", sequence, series, more.pop("losses", {}), **more)

    return make


_ARN = "arn:aws:rds:us-east-1:123456789012:cluster:shared"
_KINDS = [
    ("ExecuteStatement", "ok"),
    ("ExecuteStatement", "BadRequestException"),
    ("BatchExecuteStatement", "ok"),
    ("CommitTransaction", "ok"),
]


class Answer(NamedTuple):
    """How a server answers one request: a status and a body, or trouble instead."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    trouble: str = ""
    """`reset` breaks the connection in mid-response, `hang` never answers."""


class Seen(NamedTuple):
    """A request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> bytes:
        """The body without its compression."""
        if self.headers.get("content-encoding") == "gzip":
            return gzip.decompress(self.body)
        return self.body


class Server:
    """A real HTTP server on a loopback port that records requests and answers as told."""

    def __init__(self, upstream: str = "") -> None:
        self.seen: list[Seen] = []
        self.answers: list[Answer] = []
        """Used up one a request; then `standing`."""
        self.standing: Answer | None = Answer()
        self.upstream = upstream
        """Where requests go on to when `standing` is None."""
        self.reroute: Callable[[dict[str, str]], None] = lambda _: None
        """Changes the headers of what goes on."""
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.seen.append(Seen(self.command, self.path, headers, body))
                answer = outer.answers.pop(0) if outer.answers else outer.standing
                if answer is None:
                    answer = outer.forward(self.command, self.path, dict(self.headers), body)
                if answer.trouble == "hang":
                    outer.released.wait(30)
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                self.send_header("content-type", answer.content_type)
                self.send_header("content-length", str(len(answer.body)))
                if answer.trouble == "reset":
                    self.wfile.flush()
                    # Linger 0: closing sends RST in the middle of the headers.
                    self.connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
                    self.close_connection = True
                    self.connection.close()
                    return
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # a connection that we broke ourselves

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        self.reroute(headers)
        upstream = http.client.HTTPConnection(self.upstream.removeprefix("http://"), timeout=300)
        try:
            upstream.request(method, path, body, headers)
            answer = upstream.getresponse()
            kind = answer.headers.get("content-type", "application/json")
            return Answer(answer.status, answer.read(), kind)
        finally:
            upstream.close()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that answers 200 and nothing until told otherwise."""
    made = Server()
    yield made
    made.close()


@pytest.fixture
def answer() -> type[Answer]:
    """How to tell the server what to answer."""
    return Answer


@pytest.fixture
def moto(
    moto_url: str,
    moto_post: Callable[..., None],
    server: Server,
    aws: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Server:
    """A fresh moto behind a server that records what goes over the wire."""
    # On a busy machine moto takes longer over a thousand metrics than AWS ever may.
    monkeypatch.setattr(aws_clients, "_STEPS_S", (30.0, *aws_clients._STEPS_S))
    monkeypatch.setattr(aws_clients, "_READ_TIMEOUT_S", 30.0)
    server.upstream = moto_url
    server.standing = None
    return server


@pytest.fixture
def aws(aws_at: Callable[[str], None], server: Server) -> None:
    """boto3's environment points at the server and at nobody's own credentials."""
    aws_at(server.url)
