"""A month's workload, from the ledger, the bill and what else is known of the cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from decimal import Decimal

from tenantmetrics.cost.alternatives import Workload
from tenantmetrics.cost.bill import Bill, BillFilter
from tenantmetrics.cost.bill import load as load_bill
from tenantmetrics.cost.inputs import HourlyCapacity, read_storage
from tenantmetrics.cost.list_prices import GB, SMALLEST_ACU, Capacity
from tenantmetrics.cost.monthly import monthly
from tenantmetrics.cost.prices import PriceList
from tenantmetrics.cost.statement import Statement
from tenantmetrics.errors import ReportError

__all__ = ["measure"]

_PathLike = str | os.PathLike[str]


def measure(
    ledger: _PathLike,
    prices: PriceList,
    *,
    month: str | None = None,
    timezone: str = "UTC",
    capacity: Capacity | None = None,
    storage: _PathLike | None = None,
    storage_gb: Decimal | None = None,
    io_requests: Decimal | None = None,
    bill: Sequence[_PathLike] | None = None,
    bill_filter: BillFilter | None = None,
    now_s: float | None = None,
) -> Workload:
    """What a month asked for: given figures first, then the bill's quantities, then assumptions.

    Args:
        ledger: As `monthly`.
        prices: Any price list; the month's statement is made with it.
        month: "2026-11"; the last one in the ledger if None.
        timezone: IANA name of the zone whose midnight are the month's borders.
        capacity: What is known of the cluster's capacity.
        storage: CSV of measured bytes by tenant.
        storage_gb: GB stored, instead of that file.
        io_requests: Storage I/O requests of the month.
        bill: Files of the month's bill.
        bill_filter: Which of its charges count.
        now_s: Seconds since the epoch; the clock's if None.

    Raises:
        ReportError: The month has no data, or an input file is wrong.
        LedgerError: The ledger cannot be read.
    """
    now_s = time.time() if now_s is None else now_s
    # Only the calls are taken from it: whatever the capacity, they are the same.
    statement = monthly(ledger, month=month, timezone=timezone, prices=prices, now_s=now_s)
    known = (capacity or Capacity()).of(statement.period, now_s)
    hourly = known.hourly or HourlyCapacity()
    paid = None if bill is None else load_bill(bill, statement.period, only=bill_filter)
    assumed: list[str] = []
    acu_hours, peak = _compute(known, paid, statement, assumed)
    if storage_gb is None and storage is not None:
        storage_gb = Decimal(sum(read_storage(storage).values())) / GB
    if storage_gb is None and hourly.volume_bytes:
        storage_gb = sum(hourly.volume_bytes.values(), Decimal(0)) / len(hourly.volume_bytes) / GB
    if storage_gb is None:
        storage_gb = _billed(paid, "storage")
    if storage_gb is None:
        assumed.append("Storage is not known and counts as 0 GB")
    if io_requests is None and hourly.io_requests:
        io_requests = sum(hourly.io_requests.values(), Decimal(0))
    if io_requests is None:
        io_requests = _billed(paid, "io")
    if io_requests is None:
        assumed.append("I/O is not known and counts as 0, which flatters standard storage")
    billed = paid.pools["compute"].usage_types if paid and "compute" in paid.pools else set()
    return Workload(
        period=statement.period,
        requests=sum(line.usage.billed_requests for line in statement.lines),
        acu_hours=acu_hours,
        peak_acu=peak,
        storage_gb=storage_gb or Decimal(0),
        io_requests=io_requests or Decimal(0),
        io_optimized=known.io_optimized or any("IOOptimized" in kind for kind in billed),
        assumptions=(*(f"The month is a draft: {why}" for why in statement.draft), *assumed),
    )


def _compute(
    known: Capacity, paid: Bill | None, statement: Statement, assumed: list[str]
) -> tuple[Decimal, Decimal]:
    """ACU-hours of the whole month, and the busiest hour's ACU."""
    hours = len(statement.period.hours)
    if known.hourly is not None:
        within = list(known.hourly.acu.values())
        if not within:
            raise ReportError("the capacity file has no hour of the period")
        if len(within) < hours:
            assumed.append(
                f"{hours - len(within)} of the month's {hours} hours have no measured capacity and "
                "count with the mean of the others"
            )
        return sum(within, Decimal(0)) * hours / len(within), max(within)
    acu_hours = known.acu_hours
    if acu_hours is None and known.acu is None:
        acu_hours = _billed(paid, "compute")
    if acu_hours is not None:
        mean = acu_hours / hours
        assumed.append(
            f"The busiest hour is not known: the instance has the memory of the mean, "
            f"{mean:.2f} ACU"
        )
        return acu_hours, mean
    if known.acu is None:
        assumed.append(
            f"Capacity is not known and counts as {SMALLEST_ACU} ACU in every hour, the smallest "
            "that does not pause"
        )
    acu = SMALLEST_ACU if known.acu is None else known.acu
    return acu * hours, acu


def _billed(paid: Bill | None, pool: str) -> Decimal | None:
    """A pool's billed quantity; None without one, or where it counts another thing than asked."""
    charge = paid.pools.get(pool) if paid else None
    if charge is None:
        return None
    serverless = all("ServerlessV2" in usage_type for usage_type in charge.usage_types)
    return charge.quantity if pool != "compute" or serverless else None
