"""One connection to PostgreSQL on the event loop: libpq's asynchronous interface by `psycopg.pq`.

One level below psycopg's cursors because the endpoint needs what they decide by themselves: the
type of every parameter, the raw text of every value, rows as they arrive.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable

from psycopg import OperationalError, pq
from psycopg.pq.abc import PGconn, PGresult

from tenantmetrics.dataapi import guesses
from tenantmetrics.localapi.binding import Value
from tenantmetrics.localapi.outcome import Failure, Outcome, read_failure
from tenantmetrics.localapi.servertime import METER

__all__ = ["Connection", "ConnectionLostError", "Sink"]

_CHUNK_ROWS = 128
_ROWS = {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.TUPLES_CHUNK, pq.ExecStatus.SINGLE_TUPLE}
_COPIES = {pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT}
_DONE = {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.EMPTY_QUERY, *_ROWS}
_CHUNKED = pq.version() >= 170_000  # noqa: PLR2004 - PQsetChunkedRowsMode is new in libpq 17

_DURATION = re.compile(rb"duration: (\d+)\.(\d{3}) ms")
"""What `log_duration` makes of an execution; it writes microseconds with a dot in any locale."""

Sink = Callable[[PGresult], bool]
"""Takes each part of a result's rows as it arrives; the first part tells the columns too. False
ends the statement: it is cancelled, and what still comes is thrown away."""


class ConnectionLostError(Exception):
    """The server or the network ended the connection; the text is libpq's."""


class Connection:
    """An open connection; one statement at a time. Made by `open`."""

    def __init__(
        self,
        raw: PGconn,
        loop: asyncio.AbstractEventLoop,
        *,
        timed: bool = False,
        on_left: Callable[[], None] | None = None,
    ) -> None:
        self._raw = raw
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None
        self._socket = raw.socket
        self.lost = False
        self._timed = timed
        self._on_left = on_left
        self._reported_ns = 0
        if timed:
            raw.notice_handler = self._on_notice
        raw.nonblocking = 1
        loop.add_reader(self._socket, self._on_readable)

    @classmethod
    async def open(
        cls,
        conninfo: str,
        *,
        timed: bool = False,
        on_left: Callable[[], None] | None = None,
    ) -> Connection:
        """Connect.

        Args:
            conninfo: libpq's connection string.
            timed: Whether `run` counts time on the `METER` of the call.
            on_left: Called once, when the connection is closed or found lost; its backend may
                still hold its slot then.

        Raises:
            ConnectionLostError: It failed; the text is libpq's, without line breaks.
        """
        loop = asyncio.get_running_loop()
        raw = pq.PGconn.connect_start(conninfo.encode())
        try:
            polled = pq.PollingStatus.WRITING
            while raw.status != pq.ConnStatus.BAD:
                if polled == pq.PollingStatus.OK:
                    return cls(raw, loop, timed=timed, on_left=on_left)
                if polled == pq.PollingStatus.FAILED:
                    break
                await _ready(loop, raw.socket, write=polled == pq.PollingStatus.WRITING)
                polled = pq.PollingStatus(raw.connect_poll())
            raise ConnectionLostError(_one_line(raw))  # noqa: TRY301 - closed just below
        except BaseException:
            raw.finish()
            raise

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction block is open, failed or not."""
        return self._raw.transaction_status in (
            pq.TransactionStatus.INTRANS,
            pq.TransactionStatus.INERROR,
        )

    async def run(
        self,
        sql: bytes,
        values: list[Value] | None = None,
        sink: Sink | None = None,
    ) -> Outcome:
        """Run one statement by the extended protocol.

        Args:
            sql: The statement with $1, $2, ….
            values: What they stand for.
            sink: Where rows go; None throws them away.

        Raises:
            ConnectionLostError: The connection ended before the statement did.
        """
        if self._timed:
            return await self._run_timed(sql, values, sink)
        self.send(sql, values)
        return await self.finish(sink)

    async def _run_timed(
        self, sql: bytes, values: list[Value] | None, sink: Sink | None
    ) -> Outcome:
        """`run`, its time counted; what PostgreSQL reports arrives with the results."""
        outcome: Outcome | None = None
        self._reported_ns = 0
        started_ns = time.perf_counter_ns()
        try:
            self.send(sql, values)
            outcome = await self.finish(sink)
        finally:
            socket_ns = time.perf_counter_ns() - started_ns
            meter = METER.get()
            if meter is not None:
                # The part that failed is in no report, so that the rest would say too little.
                complete = outcome is not None and outcome.failure is None and self._reported_ns
                meter.add(self._reported_ns if complete else None, socket_ns)
        return outcome

    def _on_notice(self, notice: PGresult) -> None:
        """Take the durations of parse, bind and execute; anything else is nobody's business."""
        found = _DURATION.match(notice.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"")
        if found is not None:
            self._reported_ns += int(found[1]) * 1_000_000 + int(found[2]) * 1_000

    def send(self, sql: bytes, values: list[Value] | None = None) -> None:
        """Send a statement; `finish` must follow. Arguments as those of `run`."""
        values = values or []
        try:
            self._raw.send_query_params(
                sql,
                [value.data for value in values],
                [value.oid for value in values],
                [value.format for value in values],
            )
            if _CHUNKED:
                self._raw.set_chunked_rows_mode(_CHUNK_ROWS)
            else:
                self._raw.set_single_row_mode()
            self._raw.flush()
        except OperationalError as error:
            self._lose()
            raise ConnectionLostError(str(error)) from None

    async def finish(self, sink: Sink | None = None) -> Outcome:
        """Take the results of what was sent. Argument and errors as those of `run`."""
        try:
            return await self._finish(sink)
        except OperationalError as error:
            # Closed by somebody else in the meantime.
            self._lose()
            raise ConnectionLostError(str(error)) from None

    async def _finish(self, sink: Sink | None) -> Outcome:
        failure: Failure | None = None
        command, affected, has_rows, wanted = "", 0, False, True
        await self._flushed()
        while True:
            while self._raw.is_busy():
                await self._readable()
            result = self._raw.get_result()
            if result is None:
                break
            status = result.status
            if status in _ROWS:
                has_rows = True
                if sink is not None and wanted and not (wanted := sink(result)):
                    await self.cancel()
            elif status in _COPIES:
                failure = await self._refuse_copy(status)
            if status in _DONE:
                command = (result.command_status or b"").decode()
                affected = result.command_tuples or 0
            elif status == pq.ExecStatus.FATAL_ERROR:
                failure = failure or read_failure(result)
        self._check_alive(failure)
        return Outcome(failure, command, affected, has_rows)

    def _check_alive(self, failure: Failure | None) -> None:
        """Raise if the connection ended without PostgreSQL saying why."""
        if self._raw.status == pq.ConnStatus.BAD:
            self._lose()
            if failure is None or not failure.sqlstate:
                raise ConnectionLostError(_one_line(self._raw))

    async def cancel(self) -> None:
        """Ask PostgreSQL to end the running statement; it ends with 57014, or has just ended."""
        with contextlib.suppress(OperationalError):
            await asyncio.to_thread(self._raw.get_cancel().cancel)

    def close(self) -> None:
        """Close at once; PostgreSQL rolls back what is open."""
        self._lose()
        self._raw.finish()

    def _on_readable(self) -> None:
        try:
            self._raw.consume_input()
        except OperationalError:
            self._lose()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _lose(self) -> None:
        if not self.lost:
            self.lost = True
            self._loop.remove_reader(self._socket)
            if self._on_left is not None:
                self._on_left()
        self._wake()

    async def _readable(self) -> None:
        if self.lost:
            raise ConnectionLostError(_one_line(self._raw))
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def _flushed(self) -> None:
        while self._raw.flush():
            await _ready(self._loop, self._socket, write=True)

    async def _refuse_copy(self, direction: int) -> Failure:
        """Fail COPY FROM STDIN, and read COPY TO STDOUT to its end: there is nowhere to put it."""
        if direction == pq.ExecStatus.COPY_IN:
            text = guesses.COPY_TEXT.format(direction="In")
            self._raw.put_copy_end(text.encode())
            await self._flushed()
        else:
            text = guesses.COPY_TEXT.format(direction="Out")
            length = 1
            while length >= 0:
                length, _ = self._raw.get_copy_data(1)
                if length == 0:
                    await self._readable()
        return Failure("ERROR", text, "", "", "", "0A000")


async def _ready(loop: asyncio.AbstractEventLoop, socket: int, *, write: bool) -> None:
    """Wait until a socket can be written to, or read from."""
    waiter = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    (loop.add_writer if write else loop.add_reader)(socket, wake)
    try:
        await waiter
    finally:
        (loop.remove_writer if write else loop.remove_reader)(socket)


def _one_line(raw: PGconn) -> str:
    """The latest error that libpq reports."""
    return " ".join(raw.get_error_message().split())
