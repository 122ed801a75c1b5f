"""The one background thread: a bounded queue in, exports on the interval, on `flush` and at exit.

Delivery into the thread is at most once and counted: a call that finds the queue full is counted
as `queue_full`, one that comes after `close` as `closed`, one still queued when `close` runs out of
time as `closed` too. The caller's thread appends to a deque and waits for no lock; once in some
hundreds of calls it gives the thread a moment to take over (see `_HANDOVER_S`).

The thread starts with the first call, not on import. After a fork the child must call `reset`,
which replaces every lock (a lock may have been held in the parent at that moment) and drops what
is queued: it is the parent's to deliver.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from tenantmetrics.health import Health, Loss

__all__ = ["Worker"]

_Item = TypeVar("_Item")
"""A finished call, in whatever form the pipeline has it."""

_WAKE_AT = 512
"""Queued calls that wake the thread before its interval: enough to make waking cheap a call."""

_HANDOVER_S = 0.001
"""How long the caller that woke the thread waits for it to start, once in `_WAKE_AT` calls.

CPython's lock is no queue: a caller that never waits for I/O gives it up for a microsecond a call
and has it back before the other thread is awake. Measured without this: the thread waited a second
for its turn, and each of the 2,500 calls of that second paid 35 µs for waking it in vain.
"""


class _Flush:
    """Somebody waits for everything recorded so far to be exported."""

    __slots__ = ("deadline_s", "delivered", "done")

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self.done = threading.Event()
        self.delivered = False


class Worker(Generic[_Item]):
    """Takes calls from any thread, consumes and exports them on its own.

    Args:
        consume: Takes calls in the order they were put, under a lock of its own, since any thread
            may drain; raises nothing.
        export: Sends what was aggregated before a deadline (monotonic seconds), True if that went
            well; called on the worker's thread only, which takes no calls meanwhile: it should
            hand over and return.
        interval_s: Seconds between exports, aligned to multiples of it on the wall clock so that
            an export follows the end of a window.
        queue_size: Calls that may wait.
        health: Where losses are counted.
        scheduled: Takes the place of `export` where the interval is over and nobody waits.
        drain_every_s: Seconds after which a call is consumed at the latest; None for the interval.
    """

    def __init__(
        self,
        *,
        consume: Callable[[Iterator[_Item]], None],
        export: Callable[[float], bool],
        interval_s: float,
        queue_size: int,
        health: Health,
        scheduled: Callable[[float], bool] | None = None,
        drain_every_s: float | None = None,
    ) -> None:
        self._consume = consume
        self._export = export
        self._scheduled = scheduled or export
        self._drain_every_s = drain_every_s
        self._interval_s = interval_s
        self._queue_size = queue_size
        self._wake_at = min(_WAKE_AT, queue_size // 2)
        self._health = health
        self.reset()

    def reset(self) -> None:
        """Start from nothing, with fresh locks and no thread; what a forked child calls."""
        self.queue: deque[_Item] = deque()
        self._flushes: deque[_Flush] = deque()
        self._wake = threading.Event()
        self._awake = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.open_until = 0

    @property
    def has_started(self) -> bool:
        """Whether anything was ever put here."""
        return self._thread is not None or bool(self.queue)

    def put(self, call: _Item) -> None:
        """Queue a call, within `_HANDOVER_S`. Never raises; runs inside the caller's query."""
        queue = self.queue
        # One comparison decides the usual case: `open_until` is 0 while there is no thread or
        # after `close`, the waking mark while the thread may sleep, the bound once it was woken.
        if len(queue) < self.open_until:
            queue.append(call)
        else:
            self._put_slowly(call)

    def leave(self, call: _Item) -> None:
        """Queue a call under no lock, to be taken when the thread wakes next. Never raises.

        For calls that the garbage collector closes: it runs anywhere, in `put` itself too.
        """
        if not self._closed and len(self.queue) < self._queue_size:
            self.queue.append(call)
        else:
            self._health.count(Loss.CLOSED if self._closed else Loss.QUEUE_FULL, where="leave")

    def _put_slowly(self, call: _Item) -> None:
        if self._closed:
            self._health.count(Loss.CLOSED, where="worker")
        elif len(self.queue) >= self._queue_size:
            self._health.count(Loss.QUEUE_FULL, where="worker")
        else:
            self.queue.append(call)
            if self._thread is None:
                self._start()
            elif len(self.queue) > self._wake_at:
                self.open_until = self._queue_size
                self._awake.clear()
                self._wake.set()
                self._awake.wait(_HANDOVER_S)

    def drain(self) -> None:
        """Consume what is queued now, on the calling thread."""
        if self.queue:
            self.start()  # `leave` starts none, and what is consumed is to be exported
            self._consume(self._take())

    def _take(self) -> Iterator[_Item]:
        # No more than are queued on entry, so that a busy process cannot hold a reader here.
        for _ in range(len(self.queue)):
            try:
                yield self.queue.popleft()
            except IndexError:
                return  # another thread drained meanwhile

    def flush(self, timeout_s: float) -> bool:
        """Export everything recorded so far.

        Args:
            timeout_s: Seconds to wait at most.

        Returns:
            True if all of it arrived in time.
        """
        if self._thread is None:
            if not self.queue:
                return True
            self._start()
        request = _Flush(time.monotonic() + timeout_s)
        self._flushes.append(request)
        self._wake.set()
        return request.done.wait(timeout_s) and request.delivered

    def close(self, timeout_s: float) -> bool:
        """Export everything within a deadline and end the thread; later calls are counted lost.

        Args:
            timeout_s: Seconds for all exporters together.

        Returns:
            True if all of it arrived in time.
        """
        if self._closed:
            return True
        deadline_s = time.monotonic() + timeout_s
        self._closed = True
        self.open_until = 0
        delivered = self.flush(timeout_s)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            self._wake.set()
            thread.join(max(0.0, deadline_s - time.monotonic()))
        if self.queue:
            self._health.count(Loss.CLOSED, len(self.queue), where="worker")
        return delivered

    def start(self) -> None:
        """Start the thread where there is none: something is to be exported. Raises nothing."""
        if self._thread is None and not self._closed:
            self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._run, name="tenantmetrics", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                # No thread can be had (interpreter exit, or the system's limit): calls stay
                # queued up to the bound, and the next put tries again.
                self._health.count("no_thread", error=error, where="worker")
                return
            self._thread = thread
            self.open_until = self._wake_at

    def _run(self) -> None:
        while True:
            wait_s = self._interval_s - time.time() % self._interval_s
            every_s = self._drain_every_s
            between = every_s is not None and wait_s > every_s
            if every_s is not None and between:
                # Never to the very end: a thread that wakes late must not miss the interval's end.
                wait_s = min(every_s, wait_s / 2)
            self._wake.wait(wait_s)
            due = not between and not self._wake.is_set()
            self._wake.clear()
            self._awake.set()
            # Read before draining: a flush asked for later than this may miss calls put before it.
            closing = self._closed
            flushes = [self._flushes.popleft() for _ in range(len(self._flushes))]
            self.drain()
            if not self._closed:
                self.open_until = self._wake_at
            if due or flushes:
                self._deliver(flushes)
            if closing and not self._flushes:
                self.open_until = 0
                return

    def _deliver(self, flushes: list[_Flush]) -> None:
        """Export once for all who wait, before the earliest deadline."""
        deadline_s = min(
            (flush.deadline_s for flush in flushes), default=time.monotonic() + self._interval_s
        )
        try:
            delivered = (self._export if flushes else self._scheduled)(deadline_s)
        except Exception as error:  # noqa: BLE001 - the thread must live on
            self._health.count(Loss.EXPORT_FAILED, error=error, where="worker")
            delivered = False
        for flush in flushes:
            flush.delivered = delivered
            flush.done.set()
