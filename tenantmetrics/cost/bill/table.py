"""A bill's files as one table of text, and amounts read out of it strictly."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tenantmetrics.errors import MissingExtraError, ReportError

__all__ = ["Table", "snake"]


def snake(name: str) -> str:
    """A column's name as CUR 2.0 writes it: lineItem/UnblendedCost is line_item_unblended_cost."""
    parts = re.sub(r"[^0-9A-Za-z]+", "_", name)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", parts).lower()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Table:
    """The files of a bill, under one DuckDB view `bill` with a `file` and a `row` column.

    Args:
        paths: CSV (plain or .gz) or Parquet files, all of one kind.

    Raises:
        ReportError: A file cannot be read, or the files have different columns.
        MissingExtraError: DuckDB is not installed.
    """

    def __init__(self, paths: list[Path]) -> None:
        try:
            import duckdb  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtraError("reading a bill", "report") from None
        self._duckdb = duckdb
        self.paths = paths
        self.is_parquet = paths[0].suffix == ".parquet"
        self.database = duckdb.connect()
        self.database.execute("SET TimeZone = 'UTC'").fetchall()
        # After two seconds it would write into the report's own output.
        self.database.execute("SET enable_progress_bar = false").fetchall()
        self.columns: dict[str, str] = {}
        """Columns as the file names them, by their name in snake case."""
        self.types: dict[str, str] = {}
        views = []
        for number, path in enumerate(paths):
            columns = self._open(path, f"file{number}")
            if self.columns and {snake(c) for c in columns} != set(self.columns):
                self.close()
                raise ReportError(f"{str(path)!r} has other columns than {str(paths[0])!r}")
            self.columns = {snake(column): column for column in columns}
            views.append(
                f"SELECT {number} AS file, row_number() OVER () + {0 if self.is_parquet else 1}"  # noqa: S608
                f' AS "row", * FROM file{number}'
            )
        self.database.execute("CREATE VIEW bill AS " + " UNION ALL BY NAME ".join(views)).fetchall()

    def close(self) -> None:
        """Let go of the files."""
        self.database.close()

    def text(self, column: str) -> str:
        """SQL of a column as text, "" where it is missing or empty."""
        if column not in self.columns:
            return "''"
        return f"coalesce(CAST({_quoted(self.columns[column])} AS VARCHAR), '')"

    def has(self, column: str) -> bool:
        """Whether the files have the column, by its name in snake case."""
        return column in self.columns

    def require(self, *columns: str) -> None:
        """Make sure of columns.

        Raises:
            ReportError: One is missing; names file and column.
        """
        for column in columns:
            if column not in self.columns:
                raise ReportError(f"{str(self.paths[0])!r}: column {column!r} is missing")

    def amount(self, column: str, *, optional: bool = False) -> str:
        """SQL of a column as an exact number, after a check that every value is one.

        Args:
            column: Its name in snake case.
            optional: Whether an empty value, or no such column at all, counts as 0.

        Raises:
            ReportError: A value is none; names file, row and column.
        """
        if optional and column not in self.columns:
            return "CAST(0 AS DECIMAL(38, 12))"
        self.require(column)
        name = _quoted(self.columns[column])
        value = f"TRY_CAST({name} AS DECIMAL(38, 12))"
        empty = f"({name} IS NULL OR CAST({name} AS VARCHAR) = '')"
        wrong = f"{value} IS NULL" + (f" AND NOT {empty}" if optional else "")
        rows = self.query(
            f'SELECT file, "row", CAST({name} AS VARCHAR) FROM bill WHERE {wrong} LIMIT 1'  # noqa: S608
        )
        if rows:
            file, row, text = rows[0]
            raise ReportError(
                f"{str(self.paths[file])!r} row {row}, column {self.columns[column]!r}: "
                f"{text!r} is not a number such as 1234.56"
            )
        return f"coalesce({value}, 0)"

    def query(self, sql: str, values: dict[str, object] | None = None) -> list[Any]:
        """Rows of a query.

        Raises:
            ReportError: A file turns out to be corrupt.
        """
        try:
            return self.database.execute(sql, values or {}).fetchall()
        except self._duckdb.Error as error:
            names = ", ".join(map(str, self.paths))
            raise ReportError(f"the bill {names!r} cannot be read: {_line(error)}") from None

    def _open(self, path: Path, view: str) -> list[str]:
        try:
            if self.is_parquet:
                relation = self.database.read_parquet(str(path))
            else:
                relation = self.database.read_csv(
                    str(path), header=True, sep=",", quotechar='"', all_varchar=True
                )
            relation.create_view(view, replace=True)
        except self._duckdb.Error as error:
            self.close()
            raise ReportError(f"{str(path)!r} cannot be read: {_line(error)}") from None
        self.types |= dict(zip(map(snake, relation.columns), map(str, relation.types), strict=True))
        columns: list[str] = relation.columns
        if len(columns) == 1 and re.search(r"[;\t|]", columns[0]):
            self.close()
            raise ReportError(
                f"{str(path)!r} row 1: the delimiter seems to be another; it must be a comma"
            )
        return columns


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
