"""What an estimate of server time says, whatever it was made from.

An estimate comes in two steps, because an hour's capacity is divided by the server time of that
hour, and that must be known before a nanosecond of it has a weight:

1. `estimate(...)` looks at the period and gives the server time of each hour (`Estimate.hours`);
2. `Estimate.tenants(factors)` gives each tenant's server time, weighted hour by hour.

All sums are whole numbers, so that every engine gives the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tenantmetrics.cost.usage import TenantUsage

__all__ = [
    "VERSIONS",
    "Estimate",
    "HourServerTime",
    "Method",
    "MethodCoverage",
    "ServerTime",
    "ServerTimeSource",
    "TenantServerTime",
]


class Method(StrEnum):
    """How server time was found, the best first."""

    STATEMENTS = "statements"
    """By `pg_stat_statements`, statement by statement."""
    PERFORMANCE_INSIGHTS = "performance-insights"
    """By Performance Insights, where `application_name` is the tenant."""
    DB_LOAD = "db-load"
    """By CloudWatch's `DBLoad` of the cluster."""
    ACTIVITY = "activity"
    """By samples of `pg_stat_activity`, which name tenants."""
    RECORD = "record"
    """By our own calls that do no work: what they take is overhead."""
    WALL = "wall"
    """Wall time less the waits between attempts: nothing better is known."""


VERSIONS = dict.fromkeys(Method, 1)
"""Raised when a method would divide the same data in another way."""


class ServerTimeSource(StrEnum):
    """What a report is asked to divide compute by."""

    AUTO = "auto"
    """The best method that each hour and cluster have."""
    STATEMENTS = "statements"
    PERFORMANCE_INSIGHTS = "performance-insights"
    DB_LOAD = "db-load"
    ACTIVITY = "activity"
    RECORD = "record"
    WALL = "wall"


@dataclass(frozen=True, slots=True)
class HourServerTime:
    """One hour of all clusters.

    Attributes:
        metered_ns: Server time that metered calls caused, of all tenants.
        unmetered_ns: Load of the server that no metered call caused; 0 where no method tells.
    """

    metered_ns: int
    unmetered_ns: int = 0

    @property
    def total_ns(self) -> int:
        """All of the hour's server time."""
        return self.metered_ns + self.unmetered_ns


@dataclass(frozen=True, slots=True)
class TenantServerTime:
    """One tenant's server time in the period.

    Attributes:
        tenant: Its id, or a name such as `__unattributed__`.
        server_ns: The estimate.
        weight: The same, each hour's nanoseconds times that hour's factor.
        weight_low: Lower end of the weight's 95 % interval; 0 or more. The weight itself where the
            method does not tell how wrong it may be.
        weight_high: Upper end of it.
    """

    tenant: str
    server_ns: int
    weight: int
    weight_low: int
    weight_high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodCoverage:
    """What one method was used for.

    Attributes:
        method: Which.
        hours: Hours with calls in which it was used, on one cluster or more.
        calls: Metered calls in those.
        wall_ns: Their wall time.
        metered_ns: Their server time, as estimated.
        load_ns: All server time there by the server's own account; None where the method has none.
        matched_ns: The part of `load_ns` that the method could join with metered calls; None where
            nothing is joined.
    """

    method: Method
    hours: int
    calls: int
    wall_ns: int
    metered_ns: int
    load_ns: int | None = None
    matched_ns: int | None = None

    @property
    def explained(self) -> float | None:
        """The part of the server's load that metered calls explain, 0 to 1; None if unknown."""
        if not self.load_ns:
            return None
        joined = self.metered_ns if self.matched_ns is None else self.matched_ns
        return min(1.0, joined / self.load_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTime:
    """The estimate of a whole period, as a statement shows it.

    Attributes:
        asked: What the report was asked for.
        metered_hours: Hours with calls.
        tenants: By tenant, names such as `__unattributed__` among them.
        methods: Those that were used, the best first.
        unmetered_ns: Load that no metered call caused.
        unmetered_weight: The same, weighted hour by hour.
        notes: What a reader must know, a sentence each.
    """

    asked: ServerTimeSource
    metered_hours: int
    tenants: Mapping[str, TenantServerTime]
    methods: tuple[MethodCoverage, ...]
    unmetered_ns: int = 0
    unmetered_weight: int = 0
    notes: tuple[str, ...] = ()

    @property
    def total_weight(self) -> int:
        """Weight of all server time, the unmetered among it."""
        return sum(tenant.weight for tenant in self.tenants.values()) + self.unmetered_weight


class Estimate(Protocol):
    """A period's estimate before hours have their factors.

    Attributes:
        hours: Server time by hour since the epoch: every hour with calls or with unmetered load.
        usage_hours: Hours whose server time is wall time less waits for every cluster. What the
            scan of the usage gives for them is handed to `tenants`: they need no query of their
            own.
        told_hours: Hours whose load is known: those of the others hold what clients waited.
        methods: Those that were used, the best first.
        notes: What a reader must know, a sentence each.
    """

    @property
    def hours(self) -> Mapping[int, HourServerTime]:
        """Server time by hour since the epoch."""

    @property
    def usage_hours(self) -> frozenset[int]:
        """Hours whose server time is wall time less waits for every cluster."""

    @property
    def told_hours(self) -> frozenset[int]:
        """Hours whose load is known."""

    @property
    def methods(self) -> tuple[MethodCoverage, ...]:
        """Those that were used, the best first."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, a sentence each."""

    def tenants(
        self, factors: Mapping[int, float], usage: Sequence[TenantUsage]
    ) -> Mapping[str, TenantServerTime]:
        """Server time by tenant.

        Args:
            factors: What a nanosecond of each hour weighs.
            usage: The period's usage by tenant, with `net_ns` and `net_weight` of `usage_hours`.

        Raises:
            LedgerError: The ledger cannot be read.
        """
