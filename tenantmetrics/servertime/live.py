"""Server time from one window to the next, for the metric of load by tenant.

Kept between windows: the overhead of each cluster, as means over recent windows that fade, and what
a tenant's estimate was below 0. A window's estimate is noisy, and a metric cannot be negative: what
is cut off at 0 is taken off the tenant's next windows, so that its sum over time is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tenantmetrics.servertime.moments import ENOUGH_CALLS, Moments
from tenantmetrics.servertime.overhead import overhead

__all__ = ["FADING", "MAX_DEBTS", "Cell", "LiveLoad"]

FADING = 0.9
"""What a window's calls count for in the next: half after 7 windows. Long enough for 30 calls
without work to come together, short enough to follow the day."""
MAX_DEBTS = 10_000
"""Tenants whose estimates below 0 are remembered."""
_FORGET_NS = 1_000_000
"""A debt below a millisecond is forgotten."""
MAX_STATEMENTS = 200
"""Statements a cluster whose means are kept, for where nobody makes calls without work."""


class Cell(NamedTuple):
    """Calls of one tenant, statement and kind in one window.

    Attributes:
        tenant: The tenant.
        cluster: The cluster's ARN.
        statement: The statement's fingerprint.
        workless: They do no work.
        cold: They opened a connection.
        moments: Their sums, without waits between attempts.
    """

    tenant: str
    cluster: str
    statement: int
    workless: bool
    cold: bool
    moments: Moments


class _Cluster:
    """What is known of one cluster's overhead."""

    def __init__(self) -> None:
        self.workless = Moments()
        self.cold_workless = Moments()
        self.statements: dict[int, Moments] = {}

    def fade(self) -> bool:
        """Let older windows count for less; whether anything is left."""
        self.workless = self.workless.times(FADING)
        self.cold_workless = self.cold_workless.times(FADING)
        faded = {key: moments.times(FADING) for key, moments in self.statements.items()}
        self.statements = {key: moments for key, moments in faded.items() if moments.calls >= 1}
        return self.workless.calls >= 1 or self.cold_workless.calls >= 1 or bool(self.statements)

    def take(self, cell: Cell) -> None:
        """Learn from a window's calls."""
        if cell.workless and cell.cold:
            self.cold_workless = self.cold_workless.plus(cell.moments)
        elif cell.workless:
            self.workless = self.workless.plus(cell.moments)
        elif not cell.cold:
            known = self.statements.get(cell.statement)
            if known is not None or len(self.statements) < MAX_STATEMENTS:
                self.statements[cell.statement] = (known or Moments()).plus(cell.moments)

    def means_ns(self) -> tuple[float, float | None]:
        """Overhead of a call, and of one that opens a connection; None where that is not known."""
        usual = overhead(self.workless, self.statements.values()).mean_ns
        enough = self.cold_workless.calls >= ENOUGH_CALLS / 3
        return usual, self.cold_workless.mean_ns if enough else None


class LiveLoad:
    """An estimate that a background thread keeps from its own windows; not for several threads."""

    def __init__(self) -> None:
        self._clusters: dict[str, _Cluster] = {}
        self._debts: dict[str, float] = {}

    def window(
        self, cells: Iterable[Cell], learn_from: Iterable[Cell] | None = None
    ) -> dict[str, int]:
        """Take a window and estimate it.

        Args:
            cells: All calls of the window that reached the database; one cell may stand for several
                statements of a tenant if `learn_from` is given.
            learn_from: The same calls by statement, of whichever tenants, for the overhead's means;
                the cells themselves if None.

        Returns:
            Server time by tenant, nanoseconds, 0 or more; every tenant of the window is in it.
        """
        known = list(cells)
        self._clusters = {arn: cluster for arn, cluster in self._clusters.items() if cluster.fade()}
        for cell in known if learn_from is None else learn_from:
            self._clusters.setdefault(cell.cluster, _Cluster()).take(cell)
        means = {arn: cluster.means_ns() for arn, cluster in self._clusters.items()}
        found: dict[str, float] = {}
        # What calls took whose overhead is known, by tenant, for those whose overhead is not.
        usual: dict[str, tuple[float, float]] = {}
        unknown: dict[str, float] = {}
        for cell in known:
            found.setdefault(cell.tenant, 0.0)
            if cell.workless:
                continue
            warm_ns, cold_ns = means[cell.cluster]
            calls = cell.moments.calls
            mean = cold_ns if cell.cold else warm_ns
            if mean is None:
                unknown[cell.tenant] = unknown.get(cell.tenant, 0.0) + calls
                continue
            rest = cell.moments.wall_ns - calls * mean
            found[cell.tenant] += rest
            so_far, rests = usual.get(cell.tenant, (0.0, 0.0))
            usual[cell.tenant] = so_far + calls, rests + rest
        all_calls = sum(calls for calls, _ in usual.values())
        all_rest = sum(rest for _, rest in usual.values())
        for tenant, calls in unknown.items():
            own_calls, own_rest = usual.get(tenant, (all_calls, all_rest))
            found[tenant] += calls * own_rest / own_calls if own_calls else 0.0
        return self._settled(found)

    def _settled(self, found: dict[str, float]) -> dict[str, int]:
        """Each estimate less the tenant's debt, at least 0; what is below is the new debt."""
        settled: dict[str, int] = {}
        debts = {tenant: debt * FADING for tenant, debt in self._debts.items()}
        for tenant, rest in found.items():
            amount = rest - self._debts.get(tenant, 0.0)
            settled[tenant] = max(0, round(amount))
            debts[tenant] = max(0.0, -amount)
        kept = {tenant: debt for tenant, debt in debts.items() if debt >= _FORGET_NS}
        if len(kept) > MAX_DEBTS:
            largest = sorted(kept.items(), key=lambda item: -item[1])[:MAX_DEBTS]
            kept = dict(largest)
        self._debts = kept
        return settled
