"""The fourth check: whether the bill's compute went to the tenants that PostgreSQL worked for.

Three shares of each tenant: of the time that PostgreSQL itself reports (`localapi.servertime`), of
the bill's compute, and of the wall time that its calls took. The part of the bill that lands on the
wrong tenant is half the sum of the absolute differences of the shares. How large it may be by
chance follows from the estimate's own intervals: the fewer the calls, the wider.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tenantmetrics.cost.server_time.model import Method, ServerTime
from tenantmetrics.cost.statement import LineKind, Statement

__all__ = ["PROMISED", "Shares", "TenantShares", "compare_shares", "moved"]

PROMISED = 0.06
"""What may land on the wrong tenant where nothing but our own record of enough calls is known."""
_BELOW_WALL = 0.75
"""Of 34 runs of `benchmarks.shares`, the worst estimate moved a third of what wall time did."""
_ENOUGH_CALLS = 200
"""With fewer, the intervals themselves rest on a handful of calls."""
_THREE_DEVIATIONS = 3 / 1.96
"""From a 95 % interval to three standard deviations, which chance leaves once in 370 runs."""
_COMPUTE = "compute"
_WITH_CALLS = {LineKind.TENANT, LineKind.UNATTRIBUTED}


class TenantShares(NamedTuple):
    """One tenant's shares, each from 0 to 1.

    Attributes:
        tenant: Its id.
        server: Of PostgreSQL's own time.
        billed: Of the bill's compute.
        wall: Of the wall time of all calls.
    """

    tenant: str
    server: float
    billed: float
    wall: float

    @property
    def largest(self) -> float:
        """What makes it worth a row of a short table."""
        return max(self.server, self.billed, self.wall)


@dataclass(frozen=True, slots=True)
class Shares:
    """All tenants' shares.

    Attributes:
        tenants: One entry each, those with the largest share of anything first.
        by_chance: What chance can move in a run of so few calls, 0 to 1; None where the calls were
            too few for a verdict.
    """

    tenants: tuple[TenantShares, ...]
    by_chance: float | None

    @property
    def holds(self) -> bool:
        """Whether the bill is as right as it is said to be; true where nothing is said."""
        return self.allowed is None or self.moved_by_bill <= self.allowed

    @property
    def allowed(self) -> float | None:
        """What may land on the wrong tenant, 0 to 1; None where the calls were too few to say.

        What chance can move, but never so much that a division by wall time would pass: the less
        sure the intervals are, the more that would be.
        """
        if self.by_chance is None:
            return None
        return max(PROMISED, min(self.by_chance, _BELOW_WALL * self.moved_by_wall))

    @property
    def moved_by_bill(self) -> float:
        """The part of the compute that is billed to the wrong tenant, 0 to 1."""
        return moved([(shares.billed, shares.server) for shares in self.tenants])

    @property
    def moved_by_wall(self) -> float:
        """The part that would be, if compute were divided by wall time."""
        return moved([(shares.wall, shares.server) for shares in self.tenants])


def compare_shares(statement: Statement, server_ns: Mapping[str, int]) -> Shares:
    """Put the shares side by side.

    Args:
        statement: The demo's bill.
        server_ns: Tenant → PostgreSQL's own time, ns.
    """
    index = [pool.name for pool in statement.pools].index(_COMPUTE)
    lines = {line.tenant: line for line in statement.lines if line.kind in _WITH_CALLS}
    tenants = sorted(lines.keys() | server_ns.keys())
    columns = [
        _shares([float(server_ns.get(tenant, 0)) for tenant in tenants]),
        _shares([float(lines[name].amounts[index]) if name in lines else 0.0 for name in tenants]),
        _shares(
            [float(lines[name].usage.duration_ns) if name in lines else 0.0 for name in tenants]
        ),
    ]
    rows = [
        TenantShares(tenant, *shares) for tenant, *shares in zip(tenants, *columns, strict=True)
    ]
    rows.sort(key=lambda shares: -shares.largest)
    return Shares(tuple(rows), _by_chance(statement.server_time))


def _by_chance(estimate: ServerTime | None) -> float | None:
    """Half the sum of the intervals' half widths, widened to three standard deviations."""
    if estimate is None:
        return None
    estimated = [used for used in estimate.methods if used.method is not Method.WALL]
    if sum(used.calls for used in estimated) < _ENOUGH_CALLS:
        return None
    tenants = estimate.tenants.values()
    whole = sum(tenant.weight for tenant in tenants)
    widths = sum(tenant.weight_high - tenant.weight_low for tenant in tenants)
    return _THREE_DEVIATIONS * widths / 4 / whole if whole else None


def moved(pairs: list[tuple[float, float]]) -> float:
    """Half the sum of the absolute differences of two sets of shares.

    Args:
        pairs: A tenant's share in the one and in the other.
    """
    return sum(abs(one - other) for one, other in pairs) / 2


def _shares(amounts: list[float]) -> list[float]:
    total = sum(amounts)
    return [amount / total if total else 0.0 for amount in amounts]
