"""Two estimates of different hours as one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tenantmetrics.cost.server_time.model import (
    Estimate,
    HourServerTime,
    Method,
    MethodCoverage,
    TenantServerTime,
)
from tenantmetrics.cost.usage import TenantUsage

__all__ = ["Both"]


class Both:
    """As `model.Estimate`.

    Args:
        first: Of some hours; all that are divided by wall time are among them.
        second: Of others, of which the first's notes tell; none is divided by wall time.
    """

    def __init__(self, first: Estimate, second: Estimate) -> None:
        self._first, self._second = first, second

    @property
    def hours(self) -> Mapping[int, HourServerTime]:
        """Server time by hour since the epoch."""
        return dict(sorted({**self._first.hours, **self._second.hours}.items()))

    @property
    def usage_hours(self) -> frozenset[int]:
        """Hours whose server time is wall time less waits."""
        return self._first.usage_hours

    @property
    def told_hours(self) -> frozenset[int]:
        """Hours whose load is known."""
        return self._first.told_hours | self._second.told_hours

    @property
    def methods(self) -> tuple[MethodCoverage, ...]:
        """What each method was used for, the best first."""
        found: dict[Method, MethodCoverage] = {}
        for used in (*self._first.methods, *self._second.methods):
            known = found.get(used.method)
            found[used.method] = used if known is None else _added(known, used)
        return tuple(found[method] for method in Method if method in found)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        return tuple(self._first.notes)

    def tenants(
        self, factors: Mapping[int, float], usage: Sequence[TenantUsage]
    ) -> Mapping[str, TenantServerTime]:
        """As `Estimate.tenants`."""
        found = dict(self._first.tenants(factors, usage))
        for tenant, more in self._second.tenants(factors, usage).items():
            known = found.get(tenant)
            found[tenant] = more if known is None else _sum(known, more)
        return found


def _sum(one: TenantServerTime, other: TenantServerTime) -> TenantServerTime:
    """Hours err apart, so half widths add up as squares do."""
    weight = one.weight + other.weight
    low = math.hypot(one.weight - one.weight_low, other.weight - other.weight_low)
    high = math.hypot(one.weight_high - one.weight, other.weight_high - other.weight)
    return TenantServerTime(
        one.tenant,
        one.server_ns + other.server_ns,
        weight,
        max(0, weight - round(low)),
        weight + round(high),
    )


def _added(one: MethodCoverage, other: MethodCoverage) -> MethodCoverage:
    matched = [part.matched_ns for part in (one, other) if part.matched_ns is not None]
    loads = [part.load_ns for part in (one, other) if part.load_ns is not None]
    return MethodCoverage(
        method=one.method,
        hours=one.hours + other.hours,
        calls=one.calls + other.calls,
        wall_ns=one.wall_ns + other.wall_ns,
        metered_ns=one.metered_ns + other.metered_ns,
        load_ns=sum(loads) if loads else None,
        matched_ns=sum(matched) if matched else None,
    )
