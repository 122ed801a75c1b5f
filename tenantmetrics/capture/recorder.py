"""The door: a `Request` in, the same out, finished. The one boundary inside somebody's query.

There is one recorder for the life of the process. `configure` points it at another pipeline, so
hundreds of adapters can hold it and never notice. Nothing that goes wrong behind it reaches the
caller, `TenantRefusedError` of `strict` apart: it is counted as `tenant_error` or `hook_error`.

    started = recorder.start(request)      # before the call is sent
    recorder.finish(request, ...)          # when it came back, with or without an answer

A call that one adapter makes through another's client (an ORM over a driver) is counted once:
`with recorder.covering():` keeps everything below it out.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic_ns, time_ns
from typing import Protocol
from weakref import WeakSet

from tenantmetrics.capture.entries import (
    ClaimsOf,
    Entries,
    Examine,
    NoQueue,
    Queue,
    Record,
    Trace,
)
from tenantmetrics.capture.request import NO_IDENTITY, Request, Underway, kinds_of_requests
from tenantmetrics.errors import TenantRefusedError
from tenantmetrics.health import Health, Loss
from tenantmetrics.life import in_children
from tenantmetrics.records import CANCELLED, OK

__all__ = ["ClaimsOf", "Entries", "Record", "Recorder", "recorder"]


class Adapter(Protocol):
    """An adapter for a library that does not tell of each call's end."""

    def close_abandoned(self) -> None:
        """Give `Recorder.abandon` what was given up."""

    def start_anew(self) -> None:
        """Forget the calls under way: this is a forked child, and they are its parent's."""


class Recorder:
    """Takes calls from adapters; see the module."""

    __slots__ = (
        "_claims",
        "_covered",
        "_forget",
        "_health",
        "_leave",
        "_watched",
        "bound",
        "examine",
        "queue",
        "record",
        "trace",
    )

    def __init__(self) -> None:
        self.bound = False
        """Whether it points at a pipeline."""
        self.examine: Examine | None = None
        """The short way for usual calls, which `start` need not see; None where there is none."""
        self.queue: Queue = NoQueue()
        """Where `record` puts a finished request, if there is room."""
        self.trace: Trace | None = None
        """Ids of the current trace and span; None where traces are not linked."""
        self._covered: ContextVar[bool] | None = None
        self._health = Health()
        self._forget: Callable[[str], None] | None = None
        self._leave: Record | None = None
        self._watched: WeakSet[Adapter] = WeakSet()

    @property
    def health(self) -> Health:
        """Where failures are counted: the pipeline's that it points at."""
        return self._health

    def bind(self, entries: Entries) -> None:
        """Point it, and so every adapter, at a pipeline."""
        # Attributes of their own: one look-up less a call than through the tuple.
        self._claims = entries.claims
        self.record = entries.record
        self._health = entries.health
        self.queue = entries.queue or NoQueue()
        self.trace = entries.trace
        self.examine = entries.examine if self._covered is None else None
        self._forget = entries.forget
        self._leave = entries.leave
        self.bound = True

    def start(self, request: Request) -> bool:
        """Have the tenant found and start the clock.

        The parameters are evaluated now: the caller may change them afterwards.

        Args:
            request: The call that is about to be sent.

        Returns:
            Whether the call is to be finished; False for one that `covering` keeps out.

        Raises:
            TenantRefusedError: `strict` is on, and the call has no tenant or two that disagree.
        """
        if self._covered is not None and self._covered.get():
            return False
        try:
            request.claims = self._claims(request)
        except TenantRefusedError:
            raise
        except Exception as error:  # noqa: BLE001 - a resolver's bug must not fail their query
            self._health.count(Loss.TENANT_ERROR, error=error, where="claims")
        if self.trace is not None:
            try:
                request.trace = self.trace(request)
            except Exception as error:  # noqa: BLE001 - a tracer's bug must not fail their query
                self.failed(error, "trace")
        # Nobody reads them any more, they may be megabytes, and no text goes further than here.
        request.sql = ""
        request.parameters = None
        request.identity = NO_IDENTITY
        request.started_ns = request.first_sent_ns = monotonic_ns()
        return True

    def finish(  # noqa: PLR0917 - in this order on the path of every call
        self,
        request: Request,
        ended_ns: int,
        http_status: int = 0,
        outcome: str = OK,
        response_bytes: int = 0,
        rows_returned: int = 0,
        rows_written: int = 0,
        sqlstate: str = "",
        answered: bool = True,
    ) -> None:
        """Close a call.

        Args:
            request: What `start` was given, with the adapter's facts filled in.
            ended_ns: Monotonic clock at its end.
            http_status: The last HTTP status, 0 where there is none.
            outcome: `OK`, or the error's code.
            response_bytes: Length of the answer's body.
            rows_returned: Rows in the answer.
            rows_written: Rows that it says were written.
            sqlstate: PostgreSQL's SQLSTATE of an error, else "".
            answered: False where no answer came: nobody can say whether the server ran the call.
        """
        request.end(
            ended_ns, time_ns(), http_status, outcome, response_bytes, rows_returned, rows_written,
            sqlstate, answered,
        )  # fmt: skip
        try:
            self.record(request)
        except Exception as error:  # noqa: BLE001 - our bug must not fail their query
            self.failed(error, "finish")

    def abandon(self, request: Request) -> None:
        """Close a call that was sent and never came back, as `CANCELLED`. Raises nothing.

        Called by the garbage collector too, in whatever thread and under whatever lock of ours.

        Args:
            request: The call.
        """
        with contextlib.suppress(Exception):
            request.end(monotonic_ns(), time_ns(), outcome=CANCELLED, answered=False)
            if request.under_way:
                request.under_way.pop()
            # A call of the parent's is the parent's to count.
            if self._leave is not None and request.first_sent_ns >= _state.forked_ns:
                self._leave(request)

    def watch(self, adapter: Adapter) -> None:
        """Have an adapter asked for calls that were given up, weakly known."""
        self._watched.add(adapter)

    def start_anew(self) -> None:
        """Have the adapters forget the calls under way, in a forked child."""
        for adapter in list(self._watched):
            adapter.start_anew()

    def close_abandoned(self) -> None:
        """Close the calls that were given up and left no trace of that. Raises nothing."""
        try:
            for adapter in list(self._watched):
                adapter.close_abandoned()
        except Exception as error:  # noqa: BLE001 - our bug must not fail their call
            self.failed(error, "close_abandoned")

    def abandon_all(self) -> None:
        """Close every call that is under way: the process ends, and none of them will come back.

        An exception that nobody caught keeps the frames of its calls until after the end.
        """
        kinds = kinds_of_requests()
        for found in gc.get_objects():
            # `type`, not `__class__`, for which a lazy object of the application's would load.
            if type(found) in kinds and found.attempts and found.ended_ns is None:
                self.abandon(found)

    def end_session(self, session: str) -> None:
        """A session is over, as a connection that is closed. Raises nothing.

        Args:
            session: Its key.
        """
        try:
            if self._forget is not None:
                self._forget(session)
        except Exception as error:  # noqa: BLE001 - our bug must not fail their close
            self.failed(error, "end_session")

    def failed(self, error: Exception, where: str) -> None:
        """Count what went wrong inside an adapter or here; raises nothing."""
        self._health.count(Loss.HOOK_ERROR, error=error, where=where)

    @contextmanager
    def covering(self) -> Iterator[None]:
        """Keep out the calls that this thread or task makes inside the block.

        For an adapter whose own call goes through another client that may be metered too.
        """
        if self._covered is None:
            self._covered = ContextVar("tenantmetrics_covered", default=False)
            self.examine = None  # from now on `start` asks every time
        token = self._covered.set(True)
        try:
            yield
        finally:
            self._covered.reset(token)


class _State:
    """When this process was forked, on the monotonic clock; 0 for one that was not."""

    forked_ns = 0


def _after_fork() -> None:
    _state.forked_ns = monotonic_ns()
    recorder.start_anew()


_state = _State()
recorder = Recorder()
"""The process's own."""

Underway.on_abandoned = recorder.abandon
in_children(_after_fork)
