"""Small CSV inputs: facts of tenants, measured storage, a cluster's hours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tenantmetrics.cost.cells import Cell, Path_, is_blank, read_rows
from tenantmetrics.cost.period import part_of
from tenantmetrics.cost.statement import Period

__all__ = [
    "BUDGET",
    "CUSTOMER_COLUMNS",
    "POOL",
    "TENANT_COLUMNS",
    "HourlyCapacity",
    "TenantFacts",
    "read_capacity",
    "read_storage",
    "read_tenants",
    "tenant_rows",
]

CUSTOMER_COLUMNS = (
    "stripe_customer",
    "chargebee_subscription",
    "lago_subscription",
    "openmeter_subject",
)
"""Columns of the tenants' file that hold an id at a billing provider, and are no groups."""

BUDGET, POOL = "budget", "pool"
"""Columns of the tenants' file on budgets; `pool` is one only where `budget` is there."""

TENANT_COLUMNS = ("revenue", "share", BUDGET, POOL, *CUSTOMER_COLUMNS)
"""Columns of the tenants' file, beside `tenant`, that are no groups."""

SHARE_UNITS = 10**9
"""A fixed share of 1 in whole units: shares in files may have nine decimals."""


_HOURLY = ("utilization_percent", "io_requests", "volume_bytes")


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """What a file says of a tenant.

    Attributes:
        groups: Its groups, by the file's column: {"plan": "pro", "region": "eu"}.
        revenue: What it pays in the period, None where the file does not say.
        share: Its fixed share, in units of `SHARE_UNITS`.
        customers: Its ids at billing providers, by `CUSTOMER_COLUMNS`.
    """

    groups: dict[str, str]
    revenue: Decimal | None
    share: int
    customers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HourlyCapacity:
    """What a cluster had and did, by hour since the epoch.

    Attributes:
        acu: Average capacity units.
        used: The used part of them, 0 to 1, where it is known.
        io_requests: Billed I/O requests, where they are known.
        volume_bytes: Average size of the cluster's volume, where it is known.
        notes: What a reader must know of where the hours come from.
    """

    acu: dict[int, Decimal] = field(default_factory=dict)
    used: dict[int, Decimal] = field(default_factory=dict)
    io_requests: dict[int, Decimal] = field(default_factory=dict)
    volume_bytes: dict[int, Decimal] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def within(self, period: Period) -> HourlyCapacity:
        """The period's hours; of one that its borders cut, the amounts of its part."""

        def part(amounts: Mapping[int, Decimal]) -> dict[int, Decimal]:
            parts = ((hour, amount * part_of(period, hour)) for hour, amount in amounts.items())
            return {hour: amount for hour, amount in parts if hour in period.hours}

        return replace(
            self,
            acu=part(self.acu),
            io_requests=part(self.io_requests),
            volume_bytes=part(self.volume_bytes),
        )

    def lacks(self, *, capacity_only: bool) -> tuple[str, ...]:
        """Which hours between the first and the last are missing, in words.

        Args:
            capacity_only: I/O and storage do not matter.
        """
        if not self.acu:
            return ()
        span = range(min(self.acu), max(self.acu) + 1)
        known = [("capacity", self.acu)]
        if not capacity_only:
            known += [("I/O", self.io_requests), ("volume", self.volume_bytes)]
        missing = (
            (what, sum(hour not in amounts for hour in span)) for what, amounts in known if amounts
        )
        return tuple(
            f"the cluster's {what} lacks {count:,} hour{'s' * (count != 1)} between the first and "
            "the last"
            for what, count in missing
            if count
        )


def tenant_rows(path: Path_) -> Iterator[dict[str, Cell]]:
    """The rows of a tenants' file, by column; blank ones too.

    Raises:
        ReportError: The file cannot be read, or its header or a row is wrong.
    """
    return read_rows(path, ("tenant",), TENANT_COLUMNS, {POOL: BUDGET})


def read_tenants(path: Path_) -> dict[str, TenantFacts]:
    """Facts of tenants: column `tenant`; `revenue`, `share` and `CUSTOMER_COLUMNS` where wanted.

    The rest are groups. In a file with a column `budget`, rows that name no tenant, or a pool, are
    budgets only.

    Raises:
        ReportError: The file or a value does not parse, or a tenant has two rows.
    """
    facts: dict[str, TenantFacts] = {}
    for row in tenant_rows(path):
        if is_blank(row):
            continue
        if BUDGET in row:
            pool, budget = row.pop(POOL, None), row.pop(BUDGET)
            of_nobody = not row["tenant"].text.strip() and budget.text.strip()
            if of_nobody or (pool and pool.text.strip()):
                continue
        tenant = row.pop("tenant").named("a tenant's name")
        if tenant.text in facts:
            raise tenant.duplicate("tenant")
        revenue = row.pop("revenue", None)
        share = row.pop("share", None)
        ids = {name: row.pop(name).text.strip() for name in CUSTOMER_COLUMNS if name in row}
        facts[tenant.text] = TenantFacts(
            groups={column: cell.text for column, cell in row.items()},
            revenue=revenue.number() if revenue and revenue.text.strip() else None,
            share=int(share.amount() * SHARE_UNITS) if share and share.text.strip() else 0,
            customers={name: text for name, text in ids.items() if text},
        )
    return facts


def read_storage(path: Path_) -> dict[str, int]:
    """Measured bytes by tenant: columns `tenant` and `bytes`.

    Raises:
        ReportError: The file or a value does not parse, or a tenant has two rows.
    """
    measured: dict[str, int] = {}
    for row in read_rows(path, ("tenant", "bytes")):
        if is_blank(row):
            continue
        tenant = row["tenant"].named("a tenant's name")
        if tenant.text in measured:
            raise tenant.duplicate("tenant")
        measured[tenant.text] = round(row["bytes"].amount("a number of bytes, 0 or more"))
    return measured


def read_capacity(path: Path_) -> HourlyCapacity:
    """A cluster by hour: columns `hour`, `acu`, and as far as they are known the others.

    They are `utilization_percent` (the part of `acu` that was used; CloudWatch's `ACUUtilization`
    is something else, `acu` as a part of the maximum), `io_requests` (the sum of `VolumeReadIOPs`
    and `VolumeWriteIOPs`) and `volume_bytes` (`VolumeBytesUsed`).

    Raises:
        ReportError: The file or a value does not parse, or an hour has two rows.
    """
    capacity = HourlyCapacity()
    for row in read_rows(path, ("hour", "acu"), _HOURLY):
        moment = row["hour"].moment()
        hour, rest = divmod(int(moment.timestamp()), 3600)
        if rest or moment.microsecond:
            raise row["hour"].wrong("the start of an hour")
        if hour in capacity.acu:
            raise row["hour"].duplicate("hour")
        capacity.acu[hour] = row["acu"].amount()
        percent = row.get("utilization_percent")
        if percent is not None and percent.text.strip():
            used = percent.amount("a percentage, 0 to 100") / 100
            if used > 1:
                raise percent.wrong("a percentage, 0 to 100")
            capacity.used[hour] = used
        for column, amounts in (
            ("io_requests", capacity.io_requests),
            ("volume_bytes", capacity.volume_bytes),
        ):
            cell = row.get(column)
            if cell is not None and cell.text.strip():
                amounts[hour] = cell.amount()
    return capacity
