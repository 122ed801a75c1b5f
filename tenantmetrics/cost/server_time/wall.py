"""Server time where nothing better is known: wall time less the waits between attempts.

Back-off, and attempts that were throttled or got no answer, are never server time. What is left
still holds the overhead of every call, so tenants that call often are charged too much. A ledger of
version 1 does not tell the waits: there it is the whole wall time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tenantmetrics.cost.server_time.model import (
    HourServerTime,
    Method,
    MethodCoverage,
    TenantServerTime,
)
from tenantmetrics.cost.usage import HourUsage, TenantUsage

__all__ = ["WallEstimate", "of_usage"]


@dataclass(frozen=True)
class WallEstimate:
    """An estimate of wall time alone.

    Attributes:
        usage: Usage by hour since the epoch.
        notes: What a reader must know.
    """

    usage: Mapping[int, HourUsage]
    notes: tuple[str, ...] = ()
    hours: Mapping[int, HourServerTime] = field(init=False)

    def __post_init__(self) -> None:
        hours = {hour: HourServerTime(used.net_ns) for hour, used in self.usage.items()}
        object.__setattr__(self, "hours", hours)

    @property
    def usage_hours(self) -> frozenset[int]:
        """All of them."""
        return frozenset(self.usage)

    @property
    def told_hours(self) -> frozenset[int]:
        """None: what clients waited is no load."""
        return frozenset()

    @property
    def methods(self) -> tuple[MethodCoverage, ...]:
        """Wall time, in all hours."""
        if not self.usage:
            return ()
        return (
            MethodCoverage(
                method=Method.WALL,
                hours=len(self.usage),
                calls=sum(hour.calls for hour in self.usage.values()),
                wall_ns=sum(hour.duration_ns for hour in self.usage.values()),
                metered_ns=sum(hour.net_ns for hour in self.usage.values()),
            ),
        )

    def tenants(
        self, factors: Mapping[int, float], usage: Sequence[TenantUsage]
    ) -> Mapping[str, TenantServerTime]:
        """As `Estimate.tenants`: what the scan of the usage gave."""
        del factors
        return of_usage(usage)


def of_usage(usage: Sequence[TenantUsage]) -> dict[str, TenantServerTime]:
    """Server time of `usage_hours`; a tenant without any is not in it.

    It has no interval: how much of the wall time is overhead is what is not known here.
    """
    return {
        tenant.tenant: TenantServerTime(
            tenant.tenant, tenant.net_ns, tenant.net_weight, tenant.net_weight, tenant.net_weight
        )
        for tenant in usage
        if tenant.net_ns
    }
