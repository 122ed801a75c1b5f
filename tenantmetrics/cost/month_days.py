"""A month by its days: what was used and what each pool cost, as far as the sources say so.

Costs are in a unit of their own, proportional within a pool: a bill's amounts by the hour, or at
list prices the quantities that are multiplied by a price. `outlook` scales them to the statement's.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tenantmetrics.cost.bill import BillFilter
from tenantmetrics.cost.bill import load as load_bill
from tenantmetrics.cost.cluster_names import ClusterNames, read_clusters
from tenantmetrics.cost.inputs import read_tenants
from tenantmetrics.cost.list_prices import SMALLEST_ACU, Capacity
from tenantmetrics.cost.of_clusters import clusters_of_bill, clusters_of_capacity
from tenantmetrics.cost.period import part_of, zone
from tenantmetrics.cost.request import AllocationRequest
from tenantmetrics.cost.sources.dispatch import opened
from tenantmetrics.cost.statement import Period
from tenantmetrics.cost.usage import DayUsage, HourUsage, LedgerUsage

__all__ = ["DayCosts", "borders_of", "days_of", "first_weekday"]

_HOUR_S = 3600


@dataclass(slots=True)
class DayCosts:
    """A month by its days, which are numbered from 0.

    Attributes:
        period: The month.
        borders: Where its days begin, in seconds since the epoch.
        usage: By tenant and day.
        pools: What each pool cost by day, of those that are known by day.
        once: What of each pool is of no day, such as a month's fee.
        complete: Days that are over and of which everything is there, from the first on.
        billed: The same of the bill alone; as `complete` where there is none.
        gaps: Days without any usage, before the last one with some.
        is_billed: A bill says what the days cost.
    """

    period: Period
    borders: list[int]
    usage: Mapping[tuple[str, int], DayUsage] = field(default_factory=dict)
    pools: dict[str, dict[int, float]] = field(default_factory=dict)
    once: dict[str, float] = field(default_factory=dict)
    complete: int = 0
    billed: int = 0
    gaps: frozenset[int] = frozenset()
    is_billed: bool = False

    def day_of(self, moment_s: float) -> int:
        """The day that a moment is in; -1 before the month."""
        return sum(border <= moment_s for border in self.borders) - 1


def borders_of(period: Period) -> list[int]:
    """Where a month's days begin, in its own zone, in seconds since the epoch."""
    where = zone(period.timezone)
    day = datetime.fromtimestamp(period.start_s, UTC).astimezone(where).replace(tzinfo=None)
    borders = []
    while (start_s := int(day.replace(tzinfo=where).timestamp())) < period.end_s:
        borders.append(start_s)
        day += timedelta(days=1)
    return borders


def first_weekday(period: Period) -> int:
    """The weekday of a month's first day, 0 for Monday."""
    return datetime.fromtimestamp(period.start_s, UTC).astimezone(zone(period.timezone)).weekday()


def days_of(request: AllocationRequest, period: Period, now_s: float) -> DayCosts:
    """Read a month by its days.

    Args:
        request: What is asked for.
        period: The month.
        now_s: Seconds since the epoch; no day that is not over is complete.

    Raises:
        LedgerError: The ledger cannot be read.
        ReportError: There is nothing in the month, or the bill has none of it or is not by the day.
    """
    days = DayCosts(period, borders_of(period))
    names = ClusterNames() if request.clusters is None else read_clusters(request.clusters)
    only = names.widened(request.bill_filter)
    facts = read_tenants(request.tenants) if request.tenants is not None else {}
    with (
        opened(
            request.usage, period, tenants=facts, skip_corrupt=request.skip_corrupt,
            reads_s3=request.engine is not None and request.engine.reads_s3, now_s=now_s,
        ) as folder,
        LedgerUsage(
            folder.folder, period, skip_corrupt=request.skip_corrupt, engine=request.engine
        ) as source,
    ):  # fmt: skip
        hours = source.hours()
        clusters = source.clusters()
        kept = clusters_of_capacity(clusters, request.capacity)
        if request.bill is not None:
            kept = clusters_of_bill(kept, only)
        if len(kept) < len(clusters):
            source.keep(kept)
            hours = source.hours()
        days.usage = source.days(days.borders)
    last_s = max(hour.last_s for hour in hours.values())
    last = days.day_of(last_s)
    used = {day for _, day in days.usage}
    days.gaps = frozenset(range(last + 1)) - used
    # A day whose last hour has usage is whole, though the last call of all may be hours before it.
    end_s = days.borders[last + 1] if last + 1 < len(days.borders) else period.end_s
    days.complete = min(last + (last_s >= end_s - _HOUR_S), days.day_of(now_s))
    days.billed = days.complete
    if request.bill is not None:
        _bill(days, request, only, now_s)
    else:
        _listed(days, request, hours, now_s)
    return days


def _bill(
    days: DayCosts, request: AllocationRequest, only: BillFilter | None, now_s: float
) -> None:
    """What the bill says of the days."""
    assert request.bill is not None  # noqa: S101 - for the type checker
    days.is_billed = True
    one = isinstance(request.bill, str | os.PathLike)
    paths: Sequence[str | os.PathLike[str]] = [request.bill] if one else request.bill  # type: ignore[list-item, assignment]
    bill = load_bill(paths, days.period, only=only, amortized=request.amortized, by_hour=True)
    last = -1
    for hour, pools in bill.by_hour.items():
        for pool, amount in pools.items():
            if hour is None:
                days.once[pool] = days.once.get(pool, 0.0) + float(amount)
                continue
            if not days.period.start_s <= hour * _HOUR_S < days.period.end_s:
                continue
            day = days.day_of(hour * _HOUR_S)
            by_day = days.pools.setdefault(pool, defaultdict(float))
            by_day[day] += float(amount)
            last = max(last, day)
    # AWS adds to the last day that it has until some hours after it.
    over = days.day_of(now_s) if now_s < days.period.end_s else len(days.borders)
    days.billed = min(last, over) if now_s < days.period.end_s else len(days.borders)
    days.complete = min(days.complete, max(days.billed, 0))


def _listed(
    days: DayCosts, request: AllocationRequest, hours: Mapping[int, HourUsage], now_s: float
) -> None:
    """The quantities that list prices are of."""
    known = (request.capacity or Capacity()).of(days.period, now_s)
    requests: dict[int, float] = defaultdict(float)
    for (_, day), used in days.usage.items():
        requests[day] += used.billed_requests
    days.pools["data_api"] = requests
    hourly = known.hourly
    if known.acu_hours is not None:
        days.once["compute"] = 1.0
    elif hourly is not None:
        days.pools["compute"] = _by_day(days, hourly.acu.items())
    else:
        acu = SMALLEST_ACU if known.acu is None else known.acu
        span = range(min(hours), max(hours) + 1)
        days.pools["compute"] = _by_day(days, ((h, acu * part_of(days.period, h)) for h in span))
    if hourly is not None and hourly.io_requests:
        days.pools["io"] = _by_day(days, hourly.io_requests.items())
    if hourly is not None and hourly.volume_bytes:
        days.pools["storage"] = _by_day(days, hourly.volume_bytes.items())
    else:
        # A price a month, for all of it.
        days.once["storage"] = 1.0


def _by_day(days: DayCosts, amounts: Iterable[tuple[int, object]]) -> dict[int, float]:
    found: dict[int, float] = defaultdict(float)
    for hour, amount in amounts:
        found[max(0, days.day_of(hour * _HOUR_S))] += float(amount)  # type: ignore[arg-type]
    return found
