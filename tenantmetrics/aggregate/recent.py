"""The last windows, for whoever looks at what is going on; in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from tenantmetrics.records import Window
from tenantmetrics.statement_table import StatementTable

__all__ = ["Recent", "Snapshot"]

_WINDOWS = 5
"""Closed windows that are remembered: five minutes, unless they hold more series than may be."""
_MAX_SERIES = 4_096
"""Series of all of them together, 1 to 3 KB each: a process with more tenants is to hold its open
windows and no others."""


class Snapshot(NamedTuple):
    """Windows without their statements, each part oldest first; not to be changed.

    Attributes:
        recent: Windows that were closed a short while ago.
        open: Windows that are still being filled.
    """

    recent: tuple[Window, ...]
    open: tuple[Window, ...]


class Recent:
    """The last closed windows.

    Args:
        max_series: Series that all of them may hold, no more than `_MAX_SERIES`.
    """

    def __init__(self, max_series: int) -> None:
        self._max_series = min(max_series, _MAX_SERIES)
        self._windows: deque[Window] = deque(maxlen=_WINDOWS)

    def add(self, windows: Sequence[Window]) -> None:
        """Remember windows that were just closed."""
        # Statements are many, and nobody looks at them live.
        self._windows.extend(
            replace(window, statements=_NONE) for window in windows if window.series
        )
        size = sum(len(window.series) for window in self._windows)
        while size > self._max_series:
            size -= len(self._windows.popleft().series)

    def windows(self) -> tuple[Window, ...]:
        """The windows, oldest first."""
        return tuple(self._windows)


_NONE = StatementTable()
