"""One exporter's lane: its thread, and what waits for it. `fanout` has the delivery contract."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from tenantmetrics.export.base import Exporter, ExportError
from tenantmetrics.health import Health, Loss
from tenantmetrics.life import unforked
from tenantmetrics.records import Window

__all__ = ["Lane"]


class Lane:
    """One exporter: its thread, its backlog. The lock is never held while it exports."""

    def __init__(
        self, exporter: Exporter, health: Health, max_series: int, clock: Callable[[], float]
    ) -> None:
        self._exporter = exporter
        self._health = health
        self._max_series = max_series
        self._clock = clock
        self._changed = threading.Condition()
        self._backlog: deque[Window] = deque()
        self._deadline_s = 0.0
        self._waits: list[float] = []
        self._send_at_s = 0.0
        self._wanted = False
        self._busy = False
        self._again = False
        self._behind = False
        self._complete = True
        self._in_flight = 0
        self._stopped = False
        self._thread: threading.Thread | None = None

    def offer(self, windows: Sequence[Window], deadline_s: float, send_at_s: float = 0.0) -> None:
        """Add windows to the backlog and have it exported, not before `send_at_s`."""
        with self._changed:
            if self._stopped:
                return
            self._backlog.extend(windows)
            self._trim()
            # A scheduled export must not cut short what somebody waits for.
            asked = self._wanted or self._again
            self._deadline_s = max(self._deadline_s, deadline_s) if asked else deadline_s
            # What waits already is not put off again: an interval shorter than the spread would
            # never send.
            self._send_at_s = min(self._send_at_s, send_at_s) if self._wanted else send_at_s
            self._wanted = bool(self._backlog) or self._behind
            if not self._busy:
                self._complete = True
            elif not send_at_s:
                self._again = True
            if self._wanted and self._thread is None:
                self._thread = self._start()
            inline = self._thread is None
            self._changed.notify_all()
        if inline:
            self._round()

    def wait(self, deadline_s: float) -> bool:
        """Wait until a round is over; True if it left nothing behind."""
        with self._changed:
            self._waits.append(deadline_s)
            try:
                while self._wanted or self._busy:
                    remaining = deadline_s - self._clock()
                    if remaining <= 0:
                        return False
                    self._changed.wait(remaining)
                return self._complete and not (self._backlog or self._behind)
            finally:
                self._waits.remove(deadline_s)

    def abandon(self) -> None:
        """Release what the exporter holds open; its lock may be held by a thread that is gone."""
        release = getattr(self._exporter, "abandon", None)
        if release is not None:
            release()

    def stop(self, deadline_s: float) -> None:
        """Give up what is left, count it and close the exporter, unless it hangs."""
        with self._changed:
            self._stopped = True
            self._wanted = False
            left = list(self._backlog)
            self._backlog.clear()
            busy = self._busy
            self._changed.notify_all()
        self._drop(left)
        if self._thread is not None:
            self._thread.join(max(0.0, deadline_s - self._clock()) if busy else None)
            if self._thread.is_alive():
                self._count(Loss.EXPORT_UNCERTAIN, self._in_flight, None)
                return  # closing what another thread is still using would only add an error
        try:
            self._exporter.close()
        except Exception as error:  # noqa: BLE001 - the other exporters must be closed too
            self._health.count(Loss.EXPORT_FAILED, error=error, where=self._exporter.name)

    def _start(self) -> threading.Thread | None:
        """The exporter's thread; None where the interpreter, about to exit, starts no more."""
        thread = threading.Thread(
            target=self._run, name=f"tenantmetrics-{self._exporter.name}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            return None
        return thread

    def _run(self) -> None:
        with unforked:
            # A socket's first look-up of a host imports it: a child's too, on any thread.
            import encodings.idna  # noqa: F401, PLC0415
        while True:
            with self._changed:
                while not self._wanted:
                    if self._stopped:
                        return
                    self._changed.wait()
                while self._wanted and (left_s := self._send_at_s - self._clock()) > 0:
                    self._changed.wait(left_s)
            self._round()

    def _round(self) -> None:
        """Export the backlog once; what surely failed goes back to its head."""
        with self._changed:
            if not self._wanted:
                return
            self._wanted = False
            self._busy = True
            batch = list(self._backlog)
            self._in_flight = len(batch)
            self._backlog.clear()
            # A scheduled export's interval may be shorter than the patience of whoever waits.
            deadline_s = max([self._deadline_s, *self._waits])
        failed: Sequence[Window] = ()
        behind, complete = False, True
        try:
            self._exporter.export(batch, deadline_s)
        except ExportError as error:
            failed = error.failed
            behind = error.behind
            complete = not (error.uncertain or error.rejected or error.dropped_calls)
            self._count(Loss.EXPORT_FAILED, len(failed) + len(error.kept), error)
            self._count(Loss.EXPORT_UNCERTAIN, len(error.uncertain), error)
            self._count(Loss.EXPORT_FAILED, len(error.rejected), error)
            self._drop(error.rejected)
            self._count(Loss.EXPORT_DROPPED, error.dropped_calls, error)
        except Exception as error:  # noqa: BLE001 - whatever an exporter does, the others go on
            failed = batch
            self._count(Loss.EXPORT_FAILED, len(failed), error)
        finally:
            with self._changed:
                if self._stopped:
                    self._drop(failed)
                else:
                    self._backlog.extendleft(reversed(failed))
                    self._trim()
                    # Who asked meanwhile waits for these too, by a deadline of their own: what was
                    # in flight ran under an earlier one.
                    if self._again and (failed or behind):
                        self._wanted = True
                        self._send_at_s = 0.0
                self._again = False
                self._behind = behind
                self._complete = self._complete and complete
                self._busy = False
                self._changed.notify_all()

    def _trim(self) -> None:
        """Drop the oldest windows of a backlog that is too long; the lock is held."""
        size = sum(_size(window) for window in self._backlog)
        dropped = []
        while size > self._max_series and len(self._backlog) > 1:
            window = self._backlog.popleft()
            size -= _size(window)
            dropped.append(window)
        self._drop(dropped)

    def _drop(self, windows: Sequence[Window]) -> None:
        calls = sum(series.calls for window in windows for series in window.series.values())
        self._count(Loss.EXPORT_DROPPED, calls, None)

    def _count(self, reason: Loss, amount: int, error: BaseException | None) -> None:
        if amount:
            self._health.count(
                reason,
                amount,
                error=error.__cause__ or error if error else None,
                where=self._exporter.name,
            )


def _size(window: Window) -> int:
    """What a window takes of the backlog's bound: a statement's row is a sixteenth of a series."""
    return len(window.series) + len(window.statements) // 16 + 1
