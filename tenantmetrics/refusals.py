"""Calls that `strict` refused, or would refuse where it only warns: counted by reason, and logged.

A refused call was not sent, so it is no call of the statistics: it has no duration and costs
nothing. It is counted here on the caller's thread, under a lock that is held for no longer than a
dictionary takes, and goes out with the next window. The log has its summary and the tenants that
were found, never a value; at most `logs.LINES_PER_MINUTE` lines a minute.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from tenantmetrics.logs import LineBudget, logger
from tenantmetrics.records import OVERFLOW, UNATTRIBUTED, Claim, Misuse, SeriesKey, Source

__all__ = ["NO_TENANT", "REFUSED", "UNDECIDED", "WARNED", "Noted", "Refusal", "Refusals"]

NO_TENANT = "no_tenant"
"""Nothing names a tenant."""
UNDECIDED = "undecided"
"""The statement speaks of tenants, but of which cannot be known from its text."""
REFUSED = "refused_"
"""In front of the reason, where the call was not sent: the ledger's `outcome`."""
WARNED = "warned_"
"""In front of the reason, where `strict = "warn"` let the call go."""
_MAX_KEYS = 1_024
"""Keys between two exports; past it tenants fold into `__overflow__` and clusters into one."""


class Refusal(NamedTuple):
    """Why a call must not be sent.

    Attributes:
        reason: `NO_TENANT`, `UNDECIDED`, or the first of the conflicts.
        conflicts: Kinds of conflict, each once.
        found: What named which tenants, the source that is believed first.
        message: What the caller is told.
    """

    reason: str
    conflicts: tuple[Misuse, ...]
    found: tuple[Claim, ...]
    message: str


class Noted(NamedTuple):
    """What was refused since the last time.

    Attributes:
        calls: Calls by what a series is kept apart by; `outcome` is the reason with its prefix.
        conflicts: Conflicts of calls that were not sent, by kind.
    """

    calls: dict[SeriesKey, int]
    conflicts: dict[Misuse, int]


class Refusals:
    """Counters, safe to use from any thread; a forked child makes its own.

    Args:
        clock: Monotonic seconds; injected by tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._budget = LineBudget(clock)
        self._calls: dict[SeriesKey, int] = {}
        self._conflicts: dict[Misuse, int] = {}
        self._totals: dict[str, int] = {}

    def note(
        self,
        refusal: Refusal,
        *,
        operation: str,
        summary: str,
        target: str,
        database: str,
        sent: bool,
    ) -> None:
        """Count a call and log it.

        Args:
            refusal: Why it is refused.
            operation: What was called ("ExecuteStatement").
            summary: The statement's `db.query.summary`, "" where there is no statement.
            target: The cluster.
            database: The database that the call names.
            sent: Whether the call went out all the same.
        """
        outcome = (WARNED if sent else REFUSED) + refusal.reason
        believed = refusal.found[0] if refusal.found else None
        tenant = believed.shares[0][0] if believed else UNATTRIBUTED
        source = believed.source if believed else Source.UNATTRIBUTED
        key = SeriesKey(tenant, operation, outcome, source, target, database)
        with self._lock:
            if key not in self._calls and len(self._calls) >= _MAX_KEYS:
                key = SeriesKey(OVERFLOW, operation, outcome, Source.UNATTRIBUTED, "", "")
            self._calls[key] = self._calls.get(key, 0) + 1
            self._totals[outcome] = self._totals.get(outcome, 0) + 1
            if not sent:  # what was sent is attributed, and its conflicts are counted there
                for kind in refusal.conflicts:
                    self._conflicts[kind] = self._conflicts.get(kind, 0) + 1
            left_out = self._budget.take()
        if left_out is None:
            return
        # The application's own structlog processors run here, inside its query; theirs may fail.
        with contextlib.suppress(Exception):
            logger().warning(
                "tenantmetrics.would_refuse_call" if sent else "tenantmetrics.call_refused",
                reason=refusal.reason,
                statement=summary or None,
                operation=operation,
                found={
                    str(claim.source): [name for name, _ in claim.shares[:10]]
                    for claim in refusal.found
                },
                lines_left_out=left_out or None,
            )

    def take(self) -> Noted:
        """What was noted since the last `take`."""
        with self._lock:
            noted = Noted(self._calls, self._conflicts)
            self._calls, self._conflicts = {}, {}
        return noted

    def totals(self, prefix: str) -> dict[str, int]:
        """Calls by reason since the start of the process.

        Args:
            prefix: `REFUSED` or `WARNED`.
        """
        with self._lock:
            return {
                outcome.removeprefix(prefix): count
                for outcome, count in self._totals.items()
                if outcome.startswith(prefix)
            }
