"""A bill's files as one table, whatever case and separators they write their columns in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenantmetrics.cost.as_named import as_named
from tenantmetrics.cost.bill.csvfile import explain, open_csv
from tenantmetrics.cost.progress import step
from tenantmetrics.cost.row_counts import rows_of_csv, rows_of_parquet
from tenantmetrics.errors import MissingExtraError, ReportError

__all__ = ["Check", "Table", "is_parquet", "key_of"]


def key_of(name: str) -> str:
    """What a column is called in any form: `BilledCost`, `billed_cost` and `BILLEDCOST` are one.

    Legacy CUR's `lineItem/UnblendedCost`, CUR 2.0's `line_item_unblended_cost` and Athena's lower
    case differ in nothing else.
    """
    return re.sub(r"[\W_]+", "", name).casefold()


def is_parquet(path: Path) -> bool:
    """Whether a file's name says Parquet; it says CSV otherwise."""
    return path.name.lower().endswith(".parquet")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Check:
    """What is wrong with a value of a column, as SQL, and what it should be in words."""

    column: str
    wrong: str
    wanted: str


class Table:
    """The files of a bill, under one DuckDB view `bill` with columns named by `key_of`.

    `_file` and `_row` in it say where a row stands.

    Args:
        paths: CSV (plain or .gz) or Parquet files, all of one kind.

    Raises:
        ReportError: A file cannot be read.
        MissingExtraError: DuckDB is not installed.
    """

    def __init__(self, paths: list[Path]) -> None:
        try:
            import duckdb  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtraError("reading a bill", "report") from None
        self._duckdb = duckdb
        self.paths = paths
        self.is_parquet = is_parquet(paths[0])
        self.database = duckdb.connect()
        self.database.execute("SET TimeZone = 'UTC'").fetchall()
        # After two seconds it would write into the report's own output.
        self.database.execute("SET enable_progress_bar = false").fetchall()
        self._rows: int | None = None
        self.columns: dict[str, str] = {}
        """Columns as a file names them, by key."""
        self.types: dict[str, str] = {}
        """Their types, by key: VARCHAR in CSV."""
        self.per_file: list[frozenset[str]] = []
        self.checks: list[Check] = []
        """What must hold of the values that were asked for; whoever sums them up looks."""
        views = [self._view(number, path) for number, path in enumerate(paths)]
        # A column that an older file lacks is empty there.
        self.database.execute("CREATE VIEW bill AS " + " UNION ALL BY NAME ".join(views)).fetchall()

    def close(self) -> None:
        """Let go of the files."""
        self.database.close()

    def has(self, column: str) -> bool:
        """Whether a file has the column, in any form of its name."""
        return key_of(column) in self.columns

    def require(self, *columns: str) -> None:
        """Make sure that every file has columns.

        Raises:
            ReportError: One is missing; names file and column.
        """
        for column in columns:
            for path, keys in zip(self.paths, self.per_file, strict=True):
                if key_of(column) not in keys:
                    raise ReportError(f"{str(path)!r}: column {column!r} is missing")

    def name(self, column: str) -> str:
        """The column in SQL."""
        return _quoted(key_of(column))

    def text(self, column: str) -> str:
        """SQL of a column as text, "" where it is missing or empty."""
        if not self.has(column):
            return "''"
        return f"coalesce(CAST({self.name(column)} AS VARCHAR), '')"

    def month(self, column: str) -> str:
        """SQL of the month a date column begins with, "2026-11"; notes a check that all are dates.

        Raises:
            ReportError: The column is missing.
        """
        self.require(column)
        text = self.text(column)
        wrong = f"NOT regexp_matches({text}, '^\\d{{4}}-\\d\\d')"
        self.checks.append(Check(column, wrong, "a date: 2026-11-01"))
        return f"left({text}, 7)"

    def moment(self, column: str) -> str:
        """SQL of a column of moments as text, "" where there is none; notes a check of their form.

        A spreadsheet's 11/20/2026 or 20.11.2026 is of no hour that could be told.
        """
        text = self.text(column)
        if self.has(column):
            wrong = f"{text} <> '' AND {text} NOT LIKE '____-__-__%'"
            self.checks.append(Check(column, wrong, "a time: 2026-11-20T21:00:00Z"))
        return text

    def amount(self, column: str, *, optional: bool = False) -> str:
        """SQL of a column as an exact number, 0 where it is none; notes a check that all are.

        Args:
            column: Its name, in any form.
            optional: Whether an empty value, or no such column at all, counts as 0.

        Raises:
            ReportError: The column is missing.
        """
        if optional and not self.has(column):
            return "CAST(0 AS DECIMAL(38, 18))"
        if not optional:
            self.require(column)
        name = self.name(column)
        if not self.types[key_of(column)].startswith("DECIMAL"):
            # Of a binary number its shortest text is what was meant. DuckDB would read 1_000, too.
            name = f"replace(CAST({name} AS VARCHAR), '_', '?')"
        value = f"TRY_CAST({name} AS DECIMAL(38, 18))"
        wrong = f"{value} IS NULL" + (f" AND {self.text(column)} <> ''" if optional else "")
        self.checks.append(Check(column, wrong, "a number such as 1234.56"))
        return f"coalesce({value}, 0)"

    def query(self, sql: str, values: dict[str, object] | None = None) -> list[Any]:
        """Rows of a query.

        Raises:
            ReportError: A file turns out to be corrupt.
        """
        try:
            if "FROM bill" not in sql:
                return self.database.execute(sql, values or {}).fetchall()
            with step("reading the bill", self._size, self.database):
                return self.database.execute(sql, values or {}).fetchall()
        except self._duckdb.Error as error:
            raise explain(error, self.paths) from None

    def refuse(self, check: Check) -> None:
        """Name the first value that a check fails for.

        Numbering the rows takes a pass of its own, which only a file with a wrong value needs.

        Raises:
            ReportError: Names file, row and column.
        """
        column = check.column
        rows = self.query(
            f"SELECT _file, _row, {self.text(column)} FROM bill WHERE {check.wrong} LIMIT 1"  # noqa: S608
        )
        for file, row, text in rows:
            raise ReportError(
                f"{str(self.paths[file])!r} row {row}, column {self.columns[key_of(column)]!r}: "
                f"{text!r} is not {check.wanted}"
            )

    def _size(self) -> int:
        """About how many rows the files have."""
        if self._rows is None:
            parquet = rows_of_parquet(self.paths, self.database) if self.is_parquet else 0
            self._rows = parquet if self.is_parquet else rows_of_csv(self.paths)
        return self._rows

    def _view(self, number: int, path: Path) -> str:
        """One file as a SELECT; its columns are noted."""
        relation = self._open(path, f"file{number}")
        names: dict[str, str] = {}
        for name, kind in zip(relation.columns, relation.types, strict=True):
            # Two tags may differ in nothing but a separator: the first one is kept.
            if (key := key_of(name)) and key not in names:
                names[key] = name
                self.types.setdefault(key, str(kind))
        self.columns = {**names, **self.columns}
        self.per_file.append(frozenset(names))
        chosen = ", ".join(f"{_quoted(name)} AS {_quoted(key)}" for key, name in names.items())
        # Rows of a CSV are counted from its header on, as an editor shows them.
        first = 0 if self.is_parquet else 1
        return (
            f"SELECT {number} AS _file, row_number() OVER () + {first} AS _row, {chosen} "  # noqa: S608
            f"FROM file{number}"
        )

    def _open(self, path: Path, view: str) -> Any:
        try:
            relation = (
                self.database.read_parquet(as_named(path))
                if self.is_parquet
                else open_csv(self.database, path)
            )
            relation.create_view(view, replace=True)
        except ReportError:
            self.close()
            raise
        except self._duckdb.Error as error:
            self.close()
            raise explain(error, [path]) from None
        return relation
