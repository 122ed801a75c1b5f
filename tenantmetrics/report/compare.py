"""Two statements side by side: what changed, by price and by volume, and for whom."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tenantmetrics.cost.statement import Line, LineKind, Pool, Statement
from tenantmetrics.errors import ReportError

__all__ = ["Anomaly", "Comparison", "PoolChange", "compare"]

MOST_ANOMALIES = 10
_UNUSUAL = Decimal("0.5")
"""A tenant stands out when its cost moved by half of what it was, or more ..."""
_MATTERS = Decimal("0.01")
"""... and by a hundredth of the whole bill, or more."""


@dataclass(frozen=True, slots=True)
class PoolChange:
    """One pool, before and after; price and volume where the quantities are known.

    `by_volume` is the change in quantity at the old price, `by_price` the change in price at the
    new quantity: they sum to the change.
    """

    title: str
    before: Decimal
    after: Decimal
    by_price: Decimal | None
    by_volume: Decimal | None

    @property
    def change(self) -> Decimal:
        """After less before."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A tenant whose cost moved unusually, the pool that moved it most, and that pool's driver."""

    tenant: str
    before: Decimal
    after: Decimal
    pool: str
    driver: str

    @property
    def change(self) -> Decimal:
        """After less before."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Comparison:
    """A statement against an earlier one."""

    label: str
    before: Decimal
    after: Decimal
    pools: tuple[PoolChange, ...]
    anomalies: tuple[Anomaly, ...]

    @property
    def change(self) -> Decimal:
        """After less before."""
        return self.after - self.before


def compare(now: Statement, before: Statement) -> Comparison:
    """Compare two statements.

    Raises:
        ReportError: They are in different currencies.
    """
    if now.currency != before.currency:
        raise ReportError(
            f"{now.period.label} is in {now.currency} and {before.period.label} in "
            f"{before.currency}: they cannot be compared"
        )
    quantum = max(now.quantum, before.quantum)
    old = {pool.name: pool for pool in before.pools}
    new = {pool.name: pool for pool in now.pools}
    pools = tuple(_pool_change(old.get(name), new.get(name), quantum) for name in {**new, **old})
    return Comparison(before.period.label, before.total, now.total, pools, _anomalies(now, before))


def _pool_change(old: Pool | None, new: Pool | None, quantum: Decimal) -> PoolChange:
    before = old.amount if old else Decimal(0)
    after = new.amount if new else Decimal(0)
    by_price = by_volume = None
    if old and new and old.quantity and new.quantity is not None:
        ratio = new.quantity / old.quantity
        by_volume = (before * ratio - before).quantize(quantum)
        by_price = after - before - by_volume
        # Both amounts are less than a quantum from the exact ones: what that explains is no change
        # of the price.
        if abs(by_price) < quantum * (1 + abs(ratio)):
            by_volume, by_price = after - before, Decimal(0).quantize(quantum)
    title = new.title if new else old.title if old else ""
    return PoolChange(title, before, after, by_price, by_volume)


def _anomalies(now: Statement, before: Statement) -> tuple[Anomaly, ...]:
    old = {line.tenant: line for line in before.lines if line.kind is LineKind.TENANT}
    new = {line.tenant: line for line in now.lines if line.kind is LineKind.TENANT}
    least = abs(now.total) * _MATTERS
    found = []
    for tenant in {**new, **old}:
        was, is_ = old.get(tenant), new.get(tenant)
        a = was.total if was else Decimal(0)
        b = is_.total if is_ else Decimal(0)
        if abs(b - a) >= least and abs(b - a) >= abs(a) * _UNUSUAL and a != b:
            found.append(Anomaly(tenant, a, b, *_moved_most(was, is_, now, before)))
    found.sort(key=lambda one: (-abs(one.change), one.tenant))
    return tuple(found[:MOST_ANOMALIES])


def _moved_most(
    was: Line | None, is_: Line | None, now: Statement, before: Statement
) -> tuple[str, str]:
    """Title and driver of the pool in which a tenant's cost moved most."""
    moved: dict[str, Decimal] = {}
    pools: dict[str, tuple[str, str]] = {}
    for line, statement, sign in ((was, before, -1), (is_, now, 1)):
        amounts = line.amounts if line else (Decimal(0),) * len(statement.pools)
        for pool, amount in zip(statement.pools, amounts, strict=True):
            moved[pool.name] = moved.get(pool.name, Decimal(0)) + sign * amount
            pools[pool.name] = (pool.title, pool.driver)
    if not moved:
        return "", ""
    return pools[max(sorted(moved), key=lambda name: abs(moved[name]))]
