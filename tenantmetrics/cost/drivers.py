"""Drivers: what a pool of cost is divided by, and who bears it where the driver says nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tenantmetrics.catalog import OTHER
from tenantmetrics.cost.statement import LineKind, Usage
from tenantmetrics.errors import ReportError
from tenantmetrics.records import IDLE, OVERFLOW, SHARED, UNATTRIBUTED, UNMETERED

__all__ = [
    "DEFAULT_DRIVERS",
    "NOBODY",
    "WORDS",
    "Consumer",
    "Driver",
    "consumer",
    "driver_of",
    "weight_of",
]


class Driver(StrEnum):
    """What a pool is divided by."""

    SERVER_TIME = "server_time"
    WALL_TIME = "wall_time"
    BILLED_REQUESTS = "billed_requests"
    ROWS = "rows"
    BYTES = "bytes"
    CALLS = "calls"
    STORAGE = "storage"
    SERIES = "series"
    EVEN = "even"
    PROPORTIONAL = "proportional"
    FIXED = "fixed"
    SHARED = "shared"
    UNCLASSIFIED = "unclassified"


WORDS = {
    Driver.SERVER_TIME: "share of server time",
    Driver.WALL_TIME: "share of wall time",
    Driver.BILLED_REQUESTS: "billed requests",
    Driver.ROWS: "rows returned and written",
    Driver.BYTES: "bytes sent and received",
    Driver.CALLS: "calls",
    Driver.STORAGE: "measured bytes of storage",
    Driver.SERIES: "tenants with metrics of their own, equally",
    Driver.EVEN: "tenants, equally",
    Driver.PROPORTIONAL: "what each line costs in the other pools",
    Driver.FIXED: "fixed shares",
    Driver.SHARED: "nothing: it belongs to all",
    Driver.UNCLASSIFIED: "nothing: no pool takes it",
}

DEFAULT_DRIVERS = {
    "compute": Driver.SERVER_TIME,
    "data_api": Driver.BILLED_REQUESTS,
    "io": Driver.ROWS,
    "storage": Driver.STORAGE,
    "backup": Driver.STORAGE,
    "extended_support": Driver.SERVER_TIME,
    "proxy": Driver.SERVER_TIME,
    "insights": Driver.SERVER_TIME,
    "export": Driver.STORAGE,
    "backtrack": Driver.ROWS,
    "observability": Driver.SERIES,
    "secrets": Driver.EVEN,
    "fixed": Driver.SHARED,
    "credits": Driver.PROPORTIONAL,
    "taxes": Driver.PROPORTIONAL,
    "unclassified": Driver.UNCLASSIFIED,
}
"""By pool. Taxes, support and the like are `fixed`, and nobody's unless told otherwise."""

NOBODY = {
    # Capacity that ran while no call was made is idle; requests that no writer recorded are
    # unattributed; the rest belongs to all.
    Driver.SERVER_TIME: (LineKind.IDLE, IDLE),
    Driver.WALL_TIME: (LineKind.IDLE, IDLE),
    Driver.BILLED_REQUESTS: (LineKind.UNATTRIBUTED, UNATTRIBUTED),
    Driver.UNCLASSIFIED: (LineKind.UNCLASSIFIED, "unclassified"),
}
"""The line that takes a pool whose driver weighs nothing; `__shared__` where none is named."""

_SPECIAL = {
    UNATTRIBUTED: LineKind.UNATTRIBUTED,
    OVERFLOW: LineKind.OVERFLOW,
    OTHER: LineKind.OVERFLOW,
    UNMETERED: LineKind.UNMETERED,
    IDLE: LineKind.IDLE,
    SHARED: LineKind.SHARED,
}


@dataclass(frozen=True, slots=True)
class Consumer:
    """Someone a bill is divided among.

    Attributes:
        tenant: Its id.
        kind: Whether it is a tenant at all.
        usage: What its calls did.
        server_weight: Its server time, weighted hour by hour.
        wall_weight: The wall time of its calls, weighted hour by hour.
        storage_bytes: What it stores, measured.
        fixed: Its share in pools with fixed shares, by pool; any unit.
    """

    tenant: str
    kind: LineKind
    usage: Usage
    server_weight: int = 0
    wall_weight: int = 0
    storage_bytes: int = 0
    fixed: Mapping[str, int] = field(default_factory=dict)


def consumer(
    tenant: str,
    usage: Usage,
    server_weight: int = 0,
    *,
    wall_weight: int = 0,
    storage_bytes: int = 0,
    fixed: Mapping[str, int] | None = None,
) -> Consumer:
    """A tenant as a consumer; names such as `__unattributed__` become what they stand for."""
    kind = _SPECIAL.get(tenant, LineKind.TENANT)
    return Consumer(tenant, kind, usage, server_weight, wall_weight, storage_bytes, fixed or {})


def driver_of(pool: str, given: Mapping[str, Driver]) -> Driver:
    """The driver of a pool: the one that was asked for, else the default."""
    return given.get(pool) or DEFAULT_DRIVERS.get(pool, Driver.SHARED)


_MEASURES: dict[Driver, Callable[[Consumer], int]] = {
    Driver.SERVER_TIME: lambda one: one.server_weight,
    Driver.WALL_TIME: lambda one: one.wall_weight,
    Driver.BILLED_REQUESTS: lambda one: one.usage.billed_requests,
    Driver.ROWS: lambda one: one.usage.rows_returned + one.usage.rows_written,
    Driver.BYTES: lambda one: one.usage.request_bytes + one.usage.response_bytes,
    Driver.CALLS: lambda one: one.usage.calls,
    Driver.STORAGE: lambda one: one.storage_bytes,
    # Calls of nobody and of the overflow have series of their own, like every tenant.
    Driver.SERIES: lambda one: int(one.usage.calls > 0),
    Driver.EVEN: lambda one: int(one.kind is LineKind.TENANT),
}


def weight_of(driver: Driver, pool: str, one: Consumer) -> int:
    """A consumer's weight in a pool; not for `PROPORTIONAL`, which needs the other pools.

    Raises:
        ReportError: A fixed share is negative.
    """
    if driver is Driver.FIXED:
        share = one.fixed.get(pool, 0)
        if share < 0:
            raise ReportError(f"fixed share of {one.tenant!r} in {pool} is negative: {share}")
        return share
    measure = _MEASURES.get(driver)
    return measure(one) if measure else 0
