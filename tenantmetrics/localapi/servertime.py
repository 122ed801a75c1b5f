"""PostgreSQL's own account of the time that each call took it, for demos, tests and benchmarks.

AWS's Data API has no such thing. Here it is the truth that an estimate of server time is compared
with: under `serve(time_statements=True)`, PostgreSQL reports the duration of every parse, plan and
execution (`log_duration`) on the connection that the statement runs on, and the endpoint adds them
up by call. Neither the network nor this process's threads are in these times.

A server that does not report (one by URL, where `log_duration` needs a superuser) is timed on the
socket instead: from handing the statement to libpq to its last byte of answer. So are statements
that fail, whose duration PostgreSQL does not report.

A client says on whose behalf a call is in the header `x-local-label` (`label_calls` sends it);
without it, the role tells.
Not in the account: opening a connection, and the DISCARD ALL between two calls.

    with serve(time_statements=True) as endpoint:
        ...
        for row in endpoint.server_time.rows():
            print(row.label or row.role, row.fingerprint, row.server_ns)
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, NamedTuple

from tenantmetrics.sqltext.fingerprint import fingerprint

__all__ = ["LABEL_HEADER", "METER", "Meter", "ServerTime", "ServerTimeRow", "label_calls"]

LABEL_HEADER = b"x-local-label"
"""A request's header, in lower case: on whose behalf the call is. Any string."""

MAX_ROWS = 100_000
"""Past this many different calls, new ones are added up without label and statement: an endpoint
may run for days under a suite that writes literals into its SQL."""
_MAX_LABEL_CHARS = 1024


class Meter:
    """What the statements of one call took.

    Attributes:
        statements: How many ran.
        server_ns: PostgreSQL's own durations; the socket's where there is none.
        socket_ns: From handing each statement to libpq to the end of its answer.
    """

    __slots__ = ("server_ns", "socket_ns", "statements")

    def __init__(self) -> None:
        self.statements = self.server_ns = self.socket_ns = 0

    def add(self, reported_ns: int | None, socket_ns: int) -> None:
        """Count one statement.

        Args:
            reported_ns: PostgreSQL's own duration; None where it reported none, or not all.
            socket_ns: The time on the socket.
        """
        self.statements += 1
        self.server_ns += socket_ns if reported_ns is None else reported_ns
        self.socket_ns += socket_ns


METER: ContextVar[Meter | None] = ContextVar("meter", default=None)
"""The meter of the call that is being carried out."""


class ServerTimeRow(NamedTuple):
    """The calls of one kind.

    Attributes:
        label: What `LABEL_HEADER` said; empty without it.
        role: The role that they ran as; empty for that of the cluster's URL.
        database: The database that they named; empty for the default.
        operation: "ExecuteStatement", …
        fingerprint: Of the statement, as the ledger has it; 0 for an operation without SQL.
        calls: How many.
        statements: How many statements PostgreSQL ran for them.
        server_ns: PostgreSQL's own durations of them, ns.
        socket_ns: The same as seen on the socket, ns.
    """

    label: str
    role: str
    database: str
    operation: str
    fingerprint: int
    calls: int
    statements: int
    server_ns: int
    socket_ns: int


class _Call(NamedTuple):
    """What calls are grouped by; `sql` becomes a fingerprint only when rows are asked for."""

    label: str
    role: str
    database: str
    operation: str
    sql: str


class ServerTime:
    """The account since the start or the last `clear`; may be read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: defaultdict[_Call, list[int]] = defaultdict(lambda: [0, 0, 0, 0])

    def add(
        self, meter: Meter, *, label: str, role: str, database: str, operation: str, sql: str
    ) -> None:
        """Count a call that has ended, whatever its answer; arguments as the fields of a row."""
        call = _Call(label[:_MAX_LABEL_CHARS], role, database, operation, sql)
        with self._lock:
            if call not in self._sums and len(self._sums) >= MAX_ROWS:
                call = _Call("", role, database, operation, "")
            sums = self._sums[call]
            sums[0] += 1
            sums[1] += meter.statements
            sums[2] += meter.server_ns
            sums[3] += meter.socket_ns

    def clear(self) -> None:
        """Start anew."""
        with self._lock:
            self._sums.clear()

    def rows(self) -> list[ServerTimeRow]:
        """The account, one row a kind of call; those whose statements are alike are one."""
        folded: defaultdict[tuple[str, str, str, str, int], list[int]]
        folded = defaultdict(lambda: [0, 0, 0, 0])
        with self._lock:
            account = [(call, [*sums]) for call, sums in self._sums.items()]
        for call, sums in account:
            total = folded[(*call[:4], _fingerprint(call.sql))]
            for index, amount in enumerate(sums):
                total[index] += amount
        return [ServerTimeRow(*key, *total) for key, total in sorted(folded.items())]

    def by_label(self) -> dict[str, int]:
        """Label → server time in ns; the role stands in for a label that was not given."""
        times: defaultdict[str, int] = defaultdict(int)
        for row in self.rows():
            times[row.label or row.role] += row.server_ns
        return dict(times)

    def as_json(self) -> dict[str, Any]:
        """The rows for another process: `{"rows": [{…}]}`."""
        return {"rows": [row._asdict() for row in self.rows()]}


def label_calls(client: Any, label: Callable[[], str]) -> None:
    """Have a client send `LABEL_HEADER` with each of its calls.

    Args:
        client: A boto3 `rds-data` client.
        label: Asked on the caller's thread, once a call; an empty string sends none.
    """

    def add_header(params: dict[str, Any], **_: Any) -> None:
        if text := label():
            params["headers"][LABEL_HEADER.decode()] = text

    client.meta.events.register("before-call.rds-data", add_header)


@lru_cache(maxsize=4096)
def _fingerprint(sql: str) -> int:
    return fingerprint(sql) if sql else 0
