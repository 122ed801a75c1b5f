"""Small CSV inputs: facts of tenants, measured storage, a cluster's hours.

Strict: a value that does not parse is an error with file, row and column, never a guess.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from tenantmetrics.cost.period import part_of
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import ReportError

__all__ = [
    "BUDGET",
    "CUSTOMER_COLUMNS",
    "POOL",
    "Cell",
    "HourlyCapacity",
    "TenantFacts",
    "is_blank",
    "read_capacity",
    "read_rows",
    "read_storage",
    "read_tenants",
]

Path_ = str | os.PathLike[str]

CUSTOMER_COLUMNS = (
    "stripe_customer",
    "chargebee_subscription",
    "lago_subscription",
    "openmeter_subject",
)
"""Columns of the tenants' file that hold an id at a billing provider, and are no groups."""

BUDGET, POOL = "budget", "pool"
"""Columns of the tenants' file on budgets; `pool` is one only where `budget` is there."""

SHARE_UNITS = 10**9
"""A fixed share of 1 in whole units: shares in files may have nine decimals."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a file, which knows where it stands."""

    path: str
    row: int
    column: str
    text: str

    def wrong(self, wanted: str) -> ReportError:
        """The error that names file, row and column."""
        return ReportError(
            f"{self.path!r} row {self.row}, column {self.column!r}: {self.text!r} is not {wanted}"
        )

    def duplicate(self, what: str) -> ReportError:
        """The error of a value that an earlier row has, too."""
        return ReportError(
            f"{self.path!r} row {self.row}, column {self.column!r}: duplicate {what} {self.text!r}"
        )

    def number(self, wanted: str = "a number such as 1234.5") -> Decimal:
        """The value as a number. Thousands separators are refused: 1,234 may mean two things.

        Raises:
            ReportError: It is none.
        """
        try:
            value = Decimal(self.text.strip())
        except InvalidOperation:
            raise self.wrong(wanted) from None
        if not value.is_finite() or "_" in self.text:
            raise self.wrong(wanted)
        return value

    def amount(self, wanted: str = "a number, 0 or more") -> Decimal:
        """The value as a number that is not negative.

        Raises:
            ReportError: It is none.
        """
        value = self.number(wanted)
        if value < 0:
            raise self.wrong(wanted)
        return value

    def moment(self) -> datetime:
        """The value as a moment; UTC where it names no zone.

        Raises:
            ReportError: It is none.
        """
        try:
            value = datetime.fromisoformat(self.text.strip())
        except ValueError:
            raise self.wrong("a time such as 2026-11-20T21:00:00Z") from None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


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


def read_rows(path: Path_, required: tuple[str, ...]) -> Iterator[dict[str, Cell]]:
    """The rows of a CSV file, by column; row numbers count the header as 1.

    Raises:
        ReportError: The file cannot be read, has another delimiter, lacks a column, or a row has
            more or fewer cells than the header.
    """
    name = os.fspath(path)
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ReportError(f"{name!r} cannot be read: {reason}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if missing := [column for column in required if column not in header]:
            raise ReportError(_missing(name, header, missing))
        if len(set(header)) < len(header):
            raise ReportError(f"{name!r} row 1: duplicate column")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise ReportError(
                    f"{name!r} row {reader.line_num}: {len(cells)} cells and {len(header)} columns"
                )
            row = reader.line_num
            yield {c: Cell(name, row, c, v) for c, v in zip(header, cells, strict=True)}
    except csv.Error as error:
        raise ReportError(f"{name!r} row {reader.line_num}: {error}") from None


def _missing(name: str, header: list[str], missing: list[str]) -> str:
    text = f"{name!r} row 1: column {missing[0]!r} is missing"
    if len(header) == 1 and (other := [mark for mark in ";\t|" if mark in header[0]]):
        return f"{text}: unexpected delimiter {other[0]!r}; it must be a comma"
    return f"{text}; the columns are {', '.join(map(repr, header)) or 'none'}"


def is_blank(row: Mapping[str, Cell]) -> bool:
    """Whether a row is empty, as spreadsheets leave them at the end."""
    return not any(cell.text.strip() for cell in row.values())


def read_tenants(path: Path_) -> dict[str, TenantFacts]:
    """Facts of tenants: column `tenant`; `revenue`, `share` and `CUSTOMER_COLUMNS` where wanted.

    The rest are groups. In a file with a column `budget`, rows that name no tenant, or a pool, are
    budgets only.

    Raises:
        ReportError: The file or a value does not parse, or a tenant has two rows.
    """
    facts: dict[str, TenantFacts] = {}
    for row in read_rows(path, ("tenant",)):
        if BUDGET in row:
            pool = row.pop(POOL, None)
            if not row["tenant"].text.strip() or (pool and pool.text.strip()):
                continue
            del row[BUDGET]
        tenant = row.pop("tenant")
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
        tenant = row["tenant"]
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
    for row in read_rows(path, ("hour", "acu")):
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
