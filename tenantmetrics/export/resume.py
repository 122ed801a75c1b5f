"""Windows that take several requests, sent at most once each: what is done is not sent again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from tenantmetrics.export.base import ExportError
from tenantmetrics.records import Window

__all__ = ["Fate", "Resumable", "Undelivered"]


class Fate(Enum):
    """What became of a request that did not succeed."""

    THROTTLED = "throttled"
    """Refused for now: trying again is safe and may help at once."""
    FAILED = "failed"
    """Surely not taken: trying again later is safe."""
    UNCERTAIN = "uncertain"
    """May have been taken: not sent again."""
    REJECTED = "rejected"
    """Never will be taken."""


class Undelivered(Exception):  # noqa: N818 - an outcome, told to `Resumable`
    """One request did not succeed.

    Args:
        fate: What became of it.
        error: Why; its type is logged.
    """

    def __init__(self, fate: Fate, error: BaseException) -> None:
        super().__init__(fate.value)
        self.fate = fate
        self.error = error


@dataclass(slots=True)
class _Progress:
    done: set[int] = field(default_factory=set)
    uncertain: bool = False
    rejected: bool = False


_Batch = TypeVar("_Batch")


class Resumable(Generic[_Batch]):
    """Sends windows request by request and remembers, while a window is tried again, what is done.

    Args:
        batches: A window's requests: the same in the same order every time.
        send: Delivers one before a deadline (monotonic seconds); raises `Undelivered`.
    """

    def __init__(
        self,
        batches: Callable[[Window], Iterable[_Batch]],
        send: Callable[[_Batch, float], None],
    ) -> None:
        self._batches = batches
        self._send = send
        self._progress: dict[tuple[str, int], _Progress] = {}

    def export(self, windows: Sequence[Window], deadline_s: float) -> None:
        """Send all windows.

        Args:
            windows: Closed windows; those not among them are forgotten.
            deadline_s: On `time.monotonic()`.

        Raises:
            ExportError: With each window under what became of it, and the first error as cause.
        """
        known, self._progress = self._progress, {}
        failed: list[Window] = []
        uncertain: list[Window] = []
        rejected: list[Window] = []
        first: BaseException | None = None
        for window in windows:
            key = (window.writer, window.sequence)
            progress = known.get(key) or _Progress()
            unfinished, error = self._window(window, progress, deadline_s)
            first = first or error
            if unfinished:
                self._progress[key] = progress
                failed.append(window)
            elif progress.rejected:
                rejected.append(window)
            elif progress.uncertain:
                uncertain.append(window)
        if failed or uncertain or rejected:
            raise ExportError(
                f"{len(failed)} windows not sent, {len(uncertain)} uncertain,"
                f" {len(rejected)} refused",
                failed=failed,
                uncertain=uncertain,
                rejected=rejected,
            ) from first

    def _window(
        self, window: Window, progress: _Progress, deadline_s: float
    ) -> tuple[bool, BaseException | None]:
        """Send what is left of a window: (whether something still is, the first error)."""
        first: BaseException | None = None
        for number, batch in enumerate(self._batches(window)):
            if number in progress.done:
                continue
            try:
                self._send(batch, deadline_s)
            except Undelivered as undelivered:
                first = first or undelivered.error
                if undelivered.fate in {Fate.FAILED, Fate.THROTTLED}:
                    return True, first  # the next request would fare no better
                progress.rejected |= undelivered.fate is Fate.REJECTED
                progress.uncertain |= undelivered.fate is Fate.UNCERTAIN
            progress.done.add(number)
        return False, first
