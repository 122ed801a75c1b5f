"""Usage of a period, summed by DuckDB over the ledger's Parquet files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tenantmetrics.cost import queries
from tenantmetrics.cost.files import Broken, find, named
from tenantmetrics.errors import LedgerError, MissingExtraError, ReportError
from tenantmetrics.statement import Period, Usage

if TYPE_CHECKING:
    import duckdb

__all__ = ["HourUsage", "LedgerUsage", "TenantUsage", "first_and_last"]


@dataclass(frozen=True, slots=True)
class HourUsage:
    """One hour of all tenants; `first_s` and `last_s` are the starts of its outermost windows."""

    calls: int
    duration_ns: int
    first_s: int
    last_s: int


@dataclass(frozen=True, slots=True)
class TenantUsage:
    """One tenant's sums; `time_weight` is its database time weighted hour by hour."""

    tenant: str
    usage: Usage
    time_weight: int


def first_and_last(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Starts of the first and the last window in a ledger, by the names of its files.

    Raises:
        LedgerError: As `LedgerUsage`.
    """
    names = list(find(path).good)
    if not names:
        raise LedgerError(f"ledger {os.fspath(path)!r} holds no file named as the exporter names")
    return names[0].start_s, names[-1].start_s


class LedgerUsage:
    """A ledger's usage in one period. Close it, or use it in a `with` statement.

    Args:
        path: The ledger's folder.
        period: What to sum.
        skip_corrupt: Go on without files that cannot be read; `left_out` then names them.

    Raises:
        LedgerError: The ledger is missing or empty, or a file cannot be read; names all of those.
        ReportError: There is nothing in the period.
        MissingExtraError: DuckDB is not installed.
    """

    def __init__(
        self, path: str | os.PathLike[str], period: Period, *, skip_corrupt: bool = False
    ) -> None:
        try:
            import duckdb  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtraError("the report", "report") from None
        self._files = find(path)
        self._period = period
        self._skip_corrupt = skip_corrupt
        self._refuse(self._files.broken)
        self.left_out = list(self._files.broken)
        self._paths = self._files.within(period.start_s, period.end_s)
        self._error = duckdb.Error
        self._database = duckdb.connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    @property
    def copies(self) -> int:
        """Files that were byte for byte another one's copy, and were counted once."""
        return len(self._files.copies)

    def describe_left_out(self) -> str:
        """The files that were left out, in words; empty when there are none."""
        return named(self.left_out, self._files.root)

    def hours(self) -> dict[int, HourUsage]:
        """Usage by hour (hours since the epoch, UTC)."""
        rows = self._query(queries.HOURS)
        if not rows:
            raise ReportError(self._nothing())
        return {hour: HourUsage(*(int(n) for n in numbers)) for hour, *numbers in rows}

    def losses(self) -> dict[str, int]:
        """What the writers lost, by reason."""
        return {reason: int(amount) for reason, amount in self._query(queries.LOSSES)}

    def clusters(self) -> list[str]:
        """ARNs of the clusters that were called."""
        return [arn for (arn,) in self._query(queries.CLUSTERS)]

    def tenants(self, factors: Mapping[int, float]) -> list[TenantUsage]:
        """Usage by tenant, in order of their names.

        Args:
            factors: What a nanosecond of each hour weighs.
        """
        return [
            TenantUsage(tenant, Usage(*(int(n) for n in numbers)), int(weight))
            for tenant, *numbers, weight in self._query(queries.TENANTS, factors)
        ]

    def _query(self, sql: str, factors: Mapping[int, float] | None = None) -> list[Any]:
        """Rows of a query; if files turn out to be broken, of the query without them."""
        try:
            return self._run(sql, factors)
        except self._error as error:
            broken = [bad for path in self._paths if (bad := self._broken(path))]
            if not broken:
                raise LedgerError(f"the ledger cannot be read: {_first_line(error)}") from None
        self._refuse(broken)
        self.left_out += broken
        self._paths = [path for path in self._paths if path not in {bad.path for bad in broken}]
        return self._query(sql, factors)

    def _run(self, sql: str, factors: Mapping[int, float] | None) -> list[Any]:
        if not self._paths:
            raise ReportError(self._nothing())
        database = self._database
        _view(database, self._paths)
        if factors is not None:
            import pyarrow as pa  # noqa: PLC0415 - an extra

            hours = pa.array(list(factors), pa.int64())
            table = pa.table({"hour": hours, "factor": pa.array(list(factors.values()))})
            database.register("factors", table)
        within = {
            "start_us": self._period.start_s * 1_000_000,
            "end_us": self._period.end_s * 1_000_000,
        }
        return database.execute(sql, within).fetchall()

    def _broken(self, path: Path) -> Broken | None:
        """Read all of one file; why it cannot be read, or None."""
        name = next((key for key, value in self._files.good.items() if value == path), None)
        try:
            if path.stat().st_size == 0:
                return Broken(path, "0 bytes", name)
            _view(self._database, [path])
            # Not max() or count(): those are answered from the statistics, without the data.
            sums = ", ".join(f"bit_xor(hash({column}))" for column in queries.COLUMNS_READ)
            self._database.execute(f"SELECT {sums} FROM usage").fetchall()  # noqa: S608 - our own columns
        except OSError as error:
            return Broken(path, error.strerror or "cannot be opened", name)
        except self._error as error:
            missing = "Binder" in type(error).__name__
            reason = "columns are missing" if missing else "truncated, corrupt or no Parquet file"
            return Broken(path, reason, name)
        return None

    def _refuse(self, broken: list[Broken]) -> None:
        if broken and not self._skip_corrupt:
            raise LedgerError(
                f"{len(broken)} ledger file{'s' * (len(broken) > 1)} cannot be read: "
                f"{named(broken, self._files.root)}; "
                "--skip-corrupt makes the report without what they hold"
            )

    def _nothing(self) -> str:
        text = f"the ledger {str(self._files.root)!r} holds nothing for {self._period.label}"
        if self._files.good:
            names = list(self._files.good)
            text += f" ({_day(names[0].start_s)} to {_day(names[-1].start_s)} is there)"
        if self.left_out:
            text += f"; left out: {self.describe_left_out()}"
        return text


def _view(database: duckdb.DuckDBPyConnection, paths: list[Path]) -> None:
    # Hive partitioning would make DuckDB read types out of folder names for every file.
    relation = database.read_parquet([str(path) for path in paths], hive_partitioning=False)
    relation.create_view("usage", replace=True)


def _day(moment_s: int) -> str:
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
