"""What a report is asked for: one object for the command line, the scheduled job and Python."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tenantmetrics.cost.allocate import Idle
from tenantmetrics.cost.bill import BillFilter
from tenantmetrics.cost.drivers import Driver, driver_of
from tenantmetrics.cost.engines import Engine
from tenantmetrics.cost.list_prices import Capacity
from tenantmetrics.cost.prices import PriceList
from tenantmetrics.cost.server_time.model import ServerTimeSource
from tenantmetrics.errors import ReportError

__all__ = ["AllocationRequest"]

_PathLike = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class AllocationRequest:
    """One month's costs to be allocated to tenants.

    Attributes:
        usage: The folder that the ledger exporter writes to, or `s3://bucket/prefix`; or a file
            or folder of exported logs with the EMF exporter's documents; or `cloudwatch:NAMESPACE`.
        month: "2026-11"; the last one in the ledger if None.
        timezone: IANA name of the time zone whose midnights are the month's borders.
        prices: A price list, or the path of a price file; the region's list prices if None.
        region: Chooses the built-in prices.
        capacity: What is known of the cluster's capacity; the smallest is assumed if None.
        storage: CSV of measured bytes by tenant (`tenant,bytes`); without it, no storage is billed.
        tenants: CSV of facts by tenant: `revenue`, `share` (for pools divided by `fixed`), groups.
        drivers: What pools are divided by, where it is not their default.
        bill: Files of a bill (CUR, FOCUS, Cost Explorer's JSON), or folders of them; list prices
            if None.
        bill_filter: Which of the bill's charges count.
        clusters: What else clusters are called on bills: a CSV of `cluster,resource`, or the JSON
            of `aws rds describe-db-clusters`.
        amortized: Whether the bill's commitments count when they are used, not when paid.
        idle: Who pays for capacity that nobody used.
        server_time: How the server time is found that compute is divided by.
        skip_corrupt: Go on without ledger files that cannot be read, and say so in the notes.
        engine: What sums the ledger up; DuckDB, in this process, if None.
        top_statements: How many of each tenant's statements are looked up; each costs a scan of the
            ledger's table of statements.
        top_statements_of: The tenants that they are looked up for; all if empty.
        forecast: Whether a month that is not over gets a forecast without budgets, too.
        currency: ISO 4217 code of the currency to convert to; the bill's own if None.
        rates: File of dated exchange rates (CSV or TOML), where one is needed.
        now_s: Seconds since the epoch, to tell whether the month is over; the clock's if None.

    Raises:
        ReportError: A driver, `idle` or `server_time` is none of those there are.
    """

    usage: _PathLike
    month: str | None = None
    timezone: str = "UTC"
    prices: PriceList | _PathLike | None = None
    region: str = "us-east-1"
    capacity: Capacity | None = None
    storage: _PathLike | None = None
    tenants: _PathLike | None = None
    drivers: Mapping[str, Driver | str] | None = None
    bill: _PathLike | Sequence[_PathLike] | None = None
    bill_filter: BillFilter | None = None
    clusters: _PathLike | None = None
    amortized: bool = False
    idle: Idle | str = Idle.SEPARATE
    server_time: ServerTimeSource | str = ServerTimeSource.AUTO
    skip_corrupt: bool = False
    engine: Engine | None = None
    top_statements: int = 0
    top_statements_of: Collection[str] = ()
    forecast: bool = False
    currency: str | None = None
    rates: _PathLike | None = None
    now_s: float | None = None

    def __post_init__(self) -> None:
        for name, text, kind in (
            *(("driver", driver, Driver) for driver in (self.drivers or {}).values()),
            ("idle", self.idle, Idle),
            ("server_time", self.server_time, ServerTimeSource),
        ):
            if text not in list(kind):
                raise ReportError(f"{name} {str(text)!r} is none of {', '.join(kind)}")

    @property
    def chosen(self) -> dict[str, Driver]:
        """The drivers that are not their pool's default."""
        return {pool: Driver(driver) for pool, driver in (self.drivers or {}).items()}

    @property
    def source(self) -> ServerTimeSource:
        """How server time is found."""
        return ServerTimeSource(self.server_time)

    def divides_by(self, driver: Driver) -> bool:
        """Whether a pool is divided by it; of the pools that have another default, if chosen."""
        return driver_of("compute", self.chosen) is driver or driver in self.chosen.values()
