"""Sums over the life of the process, and what came on top since they were reported last."""

from __future__ import annotations

from typing import NamedTuple

from tenantmetrics.catalog import OTHER
from tenantmetrics.health import Health
from tenantmetrics.records import Misuse

__all__ = ["News", "Reported", "Totals"]

_MAX_SUMMARIES = 256
"""Statements that `stats()` tells apart among those undecided under their session."""


class Totals:
    """Sums over the life of the process, for `stats()`."""

    __slots__ = ("calls", "duration_ns", "errors", "misuses", "unattributed", "undecided")

    def __init__(self) -> None:
        self.calls = 0
        self.errors = 0
        self.duration_ns = 0
        self.unattributed = 0
        self.misuses: dict[str, int] = {}
        self.undecided: dict[str, int] = {}
        """Calls by summary that were undecided under their session."""

    def add(self, calls: int, duration_ns: int, failed: bool, unattributed: bool) -> None:
        """Add calls that are alike.

        Args:
            calls: How many.
            duration_ns: Their whole time.
            failed: Whether their outcome is an error.
            unattributed: Whether nobody knows whose they are.
        """
        self.calls += calls
        self.duration_ns += duration_ns
        if failed:
            self.errors += calls
        if unattributed:
            self.unattributed += calls

    def note(self, misuses: tuple[Misuse, ...], summary: str) -> None:
        """Count a call's misuses."""
        for misuse in misuses:
            self.misuses[misuse] = self.misuses.get(misuse, 0) + 1
        if Misuse.UNDECIDED_UNDER_SESSION in misuses:
            if summary not in self.undecided and len(self.undecided) >= _MAX_SUMMARIES:
                summary = OTHER
            self.undecided[summary] = self.undecided.get(summary, 0) + 1


class News(NamedTuple):
    """What rides on the first window that is closed.

    Attributes:
        losses: By reason.
        export_failures: By exporter.
        misuses: By kind.
    """

    losses: dict[str, int]
    export_failures: dict[str, int]
    misuses: dict[str, int]


class Reported:
    """How far losses, failures and misuses were reported."""

    def __init__(self) -> None:
        self._reported = News({}, {}, {})

    def news(self, health: Health, totals: Totals) -> News:
        """What came on top since the last time; reported with that."""
        now = News(health.counts(), health.export_failures(), dict(totals.misuses))
        before, self._reported = self._reported, now
        return News(*map(_increase, now, before))


def _increase(counts: dict[str, int], reported: dict[str, int]) -> dict[str, int]:
    """What came on top since it was reported last."""
    return {
        name: count - reported.get(name, 0)
        for name, count in counts.items()
        if count != reported.get(name, 0)
    }
