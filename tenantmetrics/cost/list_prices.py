"""A bill at list prices: what the period's usage costs before discounts, credits and taxes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from tenantmetrics.cost.allocate import Charge
from tenantmetrics.cost.capacity import (
    Load,
    Weights,
    acu_sessions,
    cost_weights,
    even_weights,
    flat,
    used_parts,
)
from tenantmetrics.cost.drivers import Driver, driver_of
from tenantmetrics.cost.inputs import HourlyCapacity
from tenantmetrics.cost.period import part_of
from tenantmetrics.cost.prices import PriceList
from tenantmetrics.cost.sources.cluster import cluster_hours
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import ReportError

__all__ = [
    "SMALLEST_ACU",
    "TITLES",
    "Capacity",
    "compute_charge",
    "compute_weights",
    "data_api_charge",
    "io_charge",
    "storage_charge",
    "volume_bytes",
]

SMALLEST_ACU = Decimal("0.5")
"""What an Aurora Serverless v2 cluster runs at the least unless it may pause (user guide)."""

GB = 2**30
"""A gigabyte as AWS bills storage."""

TITLES = {
    "data_api": "Data API",
    "compute": "Compute",
    "io": "I/O",
    "storage": "Storage",
    "backup": "Backup",
    "extended_support": "Extended support",
    "proxy": "RDS Proxy",
    "insights": "Performance Insights",
    "export": "Snapshot export",
    "backtrack": "Backtrack",
    "observability": "Observability",
    "secrets": "Secrets",
    "fixed": "Fixed",
    "credits": "Credits",
    "taxes": "Taxes",
    "unclassified": "Unclassified",
}
"""Pools for people, in the order of the statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What is known of the cluster's capacity; at most one of the first four.

    Attributes:
        acu: Aurora capacity units in every hour from the first to the last call.
        acu_hours: Capacity unit hours of the whole period, as on the bill.
        hourly: Capacity hour by hour, as CloudWatch has it.
        cluster: The DB cluster identifier whose hours are to be asked of CloudWatch.
        io_optimized: The cluster's storage is I/O-Optimized, with its own price of an ACU.
    """

    acu: Decimal | None = None
    acu_hours: Decimal | None = None
    hourly: HourlyCapacity | None = None
    cluster: str | None = None
    io_optimized: bool = False

    def __post_init__(self) -> None:
        for name, value in (("acu", self.acu), ("acu_hours", self.acu_hours)):
            if value is not None and not (value.is_finite() and value >= 0):
                raise ReportError(f"capacity of {value} must be a number, 0 or more").about(name)
        if sum(known is not None for known in self._given) > 1:
            raise ReportError(
                "capacity is given more than once: give ACU, ACU-hours, hours or a cluster"
            ).about("acu", "acu_hours", "hourly", "cluster")

    @property
    def _given(self) -> tuple[object, ...]:
        return self.acu, self.acu_hours, self.hourly, self.cluster

    @property
    def is_unknown(self) -> bool:
        """Whether nothing is known, so that the smallest capacity is assumed."""
        return all(known is None for known in self._given)

    def of(self, period: Period, now_s: float) -> Capacity:
        """The same for one period: its hours, asked of CloudWatch where a cluster is named.

        Args:
            period: Which.
            now_s: Seconds since the epoch.

        Raises:
            ReportError: As `cluster_hours`.
        """
        hourly = self.hourly
        if self.cluster is not None:
            hourly = cluster_hours(self.cluster, period, now_s)
        if hourly is None:
            return self
        return replace(self, cluster=None, hourly=hourly.within(period))

    def missing_hours(self, used: Iterable[int]) -> int:
        """How many of the hours with calls have no measured capacity."""
        if self.hourly is None:
            return 0
        return sum(hour not in self.hourly.acu for hour in used)


def compute_weights(capacity: Capacity, load: Load, period: Period) -> tuple[Weights, Decimal, str]:
    """How time is weighed.

    Args:
        capacity: What is known of the period.
        load: What was worked: in every hour with calls.
        period: Which.

    Returns:
        The weights, the ACU-hours, and how they came about in words.

    Raises:
        ReportError: The capacity file has no hour of the period.
    """
    spent_ns = load.spent_ns
    if capacity.acu_hours is not None:
        return even_weights(spent_ns), capacity.acu_hours, f"{capacity.acu_hours} ACU-hours"
    if capacity.hourly is not None:
        by_hour = capacity.hourly.acu
        if not by_hour:
            raise ReportError("the capacity file has no hour of the period")
        total = sum(by_hour.values(), Decimal(0))
        hours = "hour" if len(by_hour) == 1 else "hours"
        words = f"{total.normalize():f} ACU-hours in {len(by_hour)} measured {hours}"
        used = used_parts(load, acu_sessions(by_hour), capacity.hourly.used)
        return cost_weights(by_hour, spent_ns, used), total, words
    acu = SMALLEST_ACU if capacity.acu is None else capacity.acu
    called = spent_ns.keys() - load.quiet
    by_hour = {
        hour: amount * part_of(period, hour)
        for hour, amount in flat(acu, min(called), max(called)).items()
    }
    total = sum(by_hour.values(), Decimal(0))
    span = sum((part_of(period, hour) for hour in by_hour), Decimal(0))
    used = used_parts(load, acu_sessions(by_hour), {})
    return cost_weights(by_hour, spent_ns, used), total, f"{acu} ACU for {span.normalize():f} h"


def compute_charge(  # noqa: PLR0917 - facts of one charge
    capacity: Capacity,
    prices: PriceList,
    acu_hours: Decimal,
    words: str,
    drivers: Mapping[str, Driver],
    idle_weights: Mapping[Driver, int],
) -> Charge:
    """What compute cost.

    Args:
        capacity: What is known of the period.
        prices: The price list.
        acu_hours: As `compute_weights` gives it.
        words: As `compute_weights` gives them.
        drivers: What pools are divided by, where it is not their default.
        idle_weights: Weight of the capacity that nobody used, by the drivers that weigh time.
    """
    price = prices.flat["acu_hour_io_optimized" if capacity.io_optimized else "acu_hour"]
    driver = driver_of("compute", drivers)
    each = ", each hour divided among those who called in it"
    hourly = "" if capacity.acu_hours is not None else each
    return Charge(
        "compute",
        TITLES["compute"],
        acu_hours * price,
        driver,
        f"{words} at {price} an ACU-hour{hourly}",
        idle_weight=idle_weights.get(driver, 0),
        quantity=acu_hours,
    )


def data_api_charge(requests: int, prices: PriceList, drivers: Mapping[str, Driver]) -> Charge:
    """What the period's Data API requests cost, with the price tiers over their total."""
    steps = " then ".join(str(tier.price) for tier in prices.tiers["data_api_million"])
    return Charge(
        "data_api",
        TITLES["data_api"],
        prices.tiered_cost("data_api_million", requests),
        driver_of("data_api", drivers),
        f"{requests:,} requests of 32 KB at {steps} a million",
        quantity=Decimal(requests),
    )


def io_charge(hourly: HourlyCapacity, prices: PriceList, drivers: Mapping[str, Driver]) -> Charge:
    """What the cluster's I/O cost; clusters of I/O-Optimized storage pay none."""
    requests = sum(hourly.io_requests.values(), Decimal(0))
    price = prices.flat["io_million"]
    return Charge(
        "io",
        TITLES["io"],
        requests * price / 1_000_000,
        driver_of("io", drivers),
        f"{requests:,.0f} I/O requests at {price} a million",
        quantity=requests,
    )


def volume_bytes(hourly: HourlyCapacity, period: Period) -> Decimal:
    """The volume's average size over the period; an hour that is not known yet adds nothing."""
    hours = Decimal(period.end_s - period.start_s) / 3600
    return sum(hourly.volume_bytes.values(), Decimal(0)) / hours


def storage_charge(
    stored_bytes: int | Decimal,
    prices: PriceList,
    drivers: Mapping[str, Driver],
    *,
    io_optimized: bool,
    where: str = "measured",
) -> Charge:
    """What storage of that size cost in a month; `where` says in words what was measured."""
    name = "storage_gb_month_io_optimized" if io_optimized else "storage_gb_month"
    price = prices.flat[name]
    return Charge(
        "storage",
        TITLES["storage"],
        Decimal(stored_bytes) * price / GB,
        driver_of("storage", drivers),
        f"{Decimal(stored_bytes) / GB:,.3f} GB {where} at {price} a GB-month",
        quantity=Decimal(stored_bytes) / GB,
    )
