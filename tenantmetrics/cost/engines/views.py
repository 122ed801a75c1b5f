"""A ledger's files as DuckDB's relations: `usage`, `statements`, and the sums of both.

Each is made when it is first asked for, and again when its files have changed. Thousands of small
files are copied into a few first: opening a file takes a third of a millisecond, whatever is in it,
and a report asks several times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tenantmetrics import ledger
from tenantmetrics.cost import queries
from tenantmetrics.cost.as_named import as_named
from tenantmetrics.cost.engines.footers import Footers
from tenantmetrics.ledger_totals import OF_STATEMENTS, OF_USAGE

if TYPE_CHECKING:
    import duckdb

__all__ = ["FILE_HOUR", "Views"]

_TYPES = {
    ledger.Kind.TIMESTAMP: "TIMESTAMPTZ",
    ledger.Kind.STRING: "VARCHAR",
    ledger.Kind.INT32: "INTEGER",
    ledger.Kind.INT64: "BIGINT",
}

FILE_HOUR = "file_hour"
"""Column with the hour since the epoch, by the name of a row's file: one value for all its rows."""

_HOUR_OF_FILE = (
    "CAST(epoch(strptime(regexp_extract(filename, "
    r"'([0-9]{8}T[0-9]{2})[0-9]{4}Z-[^/\\]*$', 1), '%Y%m%dT%H')) // 3600 AS BIGINT)"
)

_MANY, _SMALL_BYTES = 500, 64 * 1024
"""Files, and the bytes that they have on average, from which and up to which they are copied."""

_AT_ONCE = 5_000
"""Files that are copied in one query: DuckDB keeps 14 KB of each until it is over."""

_SUMMED = {
    queries.STATEMENT_TOTALS: (OF_STATEMENTS, queries.STATEMENTS, queries.totals_of),
    queries.USAGE_TOTALS: (OF_USAGE, queries.RELATION, queries.usage_totals_of),
}
"""Of each relation of sums: what they are, the relation of the rows, and the query of these."""


class Views:
    """The relations of one connection.

    Args:
        database: The connection.
    """

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database
        self._made: dict[str, list[Path]] = {}
        self._footers = Footers()
        self._with_hours: set[str] = set()
        self._copies: TemporaryDirectory[str] | None = None

    def close(self) -> None:
        """Remove copies; the connection is closed by then."""
        if self._copies is not None:
            self._copies.cleanup()
            self._copies = None

    def say_hours(self, name: str) -> bool:
        """Whether a relation has `FILE_HOUR`, since each of its files is of one hour."""
        return name in self._with_hours

    def usage(self, paths: list[Path]) -> None:
        """Make `usage` the rows of these files; columns that those of version 1 lack are 0.

        Args:
            paths: One or more.
        """
        self._make(queries.RELATION, paths, self._usage)

    def statements(self, paths: list[Path]) -> None:
        """Make `statements` the rows of these files, which may be none."""
        self._make(queries.STATEMENTS, paths, self._statements)

    def totals(self, paths: list[Path]) -> None:
        """Make `statement_totals` the sums of these files, which `statements` has too.

        They are from the files' footers, and from the rows where those do not say them.
        """
        self._make(queries.STATEMENT_TOTALS, paths, self._totals)

    def usage_totals(self, paths: list[Path]) -> None:
        """Make `usage_totals` the sums of these files, which `usage` has too; as `totals`."""
        self._make(queries.USAGE_TOTALS, paths, self._totals)

    def _make(self, name: str, paths: list[Path], make: Callable[[str, list[Path]], None]) -> None:
        if self._made.get(name) != paths:
            self._made.pop(name, None)
            self._with_hours.discard(name)
            make(name, paths)
            self._made[name] = list(paths)

    def _usage(self, name: str, paths: list[Path]) -> None:
        if _many_and_small(paths):
            columns = (*queries.COLUMNS_READ, *queries.COLUMNS_SINCE_2)
            relation = self._copied(name, paths, self._usage_of, columns)
        else:
            relation = self._usage_of(paths, of_hours=self._are_of_hours(name, paths))
        relation.create_view(name, replace=True)

    def _usage_of(self, paths: list[Path], *, of_hours: bool = False) -> duckdb.DuckDBPyRelation:
        columns = ", ".join(column.name for column in ledger.COLUMNS)
        if of_hours:
            columns += f", {_HOUR_OF_FILE} AS {FILE_HOUR}"
        by_version: dict[int, list[str]] = {}
        for path in paths:
            said = ledger.parse(path.name)
            by_version.setdefault(said.version if said else ledger.VERSION, []).append(
                as_named(path)
            )
        relations = []
        for version, names in by_version.items():
            # Hive partitioning would make DuckDB read types out of folder names for every file.
            relation = self._database.read_parquet(
                names, hive_partitioning=False, filename=of_hours
            )
            added = ", ".join(f"0::BIGINT AS {column}" for column in ledger.columns_added(version))
            relation = relation.project(f"*, {added}" if added else "*")
            relations.append(relation.project(columns))
        union = relations[0]
        for relation in relations[1:]:
            union = union.union(relation)
        return union

    def _statements(self, name: str, paths: list[Path]) -> None:
        columns = [column.name for column in ledger.STATEMENT_COLUMNS]
        if _many_and_small(paths):
            relation = self._copied(name, paths, self._statements_of, columns)
        elif paths:
            relation = self._statements_of(paths, of_hours=self._are_of_hours(name, paths))
        else:
            nulls = ", ".join(
                f"NULL::{_TYPES[column.kind]} AS {column.name}"
                for column in ledger.STATEMENT_COLUMNS
            )
            relation = self._database.sql(f"SELECT {nulls} WHERE false")
        relation.create_view(name, replace=True)

    def _statements_of(
        self, paths: list[Path], *, of_hours: bool = False
    ) -> duckdb.DuckDBPyRelation:
        names = [as_named(path) for path in paths]
        columns = ", ".join(column.name for column in ledger.STATEMENT_COLUMNS)
        if of_hours:
            columns += f", {_HOUR_OF_FILE} AS {FILE_HOUR}"
        rows = self._database.read_parquet(names, hive_partitioning=False, filename=of_hours)
        return rows.project(columns)

    def _are_of_hours(self, name: str, paths: Sequence[Path]) -> bool:
        """Whether the files' names say the hours of all their rows; kept for `say_hours`."""
        if not self._footers.say_windows(paths):
            return False
        self._with_hours.add(name)
        return True

    def _copied(
        self,
        name: str,
        paths: list[Path],
        of: Callable[[list[Path]], duckdb.DuckDBPyRelation],
        columns: Sequence[str],
    ) -> duckdb.DuckDBPyRelation:
        """The files' rows in a few larger ones, which are gone when the relations are closed."""
        if self._copies is None:
            self._copies = TemporaryDirectory(prefix="tenantmetrics-")
        # In any order: else the rows would wait in memory for those before them.
        self._database.execute("SET preserve_insertion_order = false").fetchall()
        parts = []
        for first in range(0, len(paths), _AT_ONCE):
            parts.append(str(Path(self._copies.name) / f"{name}-{first}.parquet"))
            rows = of(paths[first : first + _AT_ONCE]).project(", ".join(columns))
            rows.write_parquet(parts[-1], compression="zstd")
        return self._database.read_parquet(parts, hive_partitioning=False)

    def _totals(self, name: str, paths: list[Path]) -> None:
        table, relation, of_rows = _SUMMED[name]
        create = f"CREATE OR REPLACE TEMP VIEW {name} AS"
        said, others = None, paths
        # The rows of many small files are copied anyway.
        if not _many_and_small(paths):
            said, others = self._footers.totals(table, paths)
        if said is None:
            self._database.execute(f"{create} {of_rows(relation)}").fetchall()
            return
        from_footers, from_rows = f"{name}_from_footers", f"{relation}_without_totals"
        columns = ", ".join((*table.names, *(f"{sum_}::HUGEINT AS {sum_}" for sum_ in table.sums)))
        self._database.register("said", said)
        self._database.execute(
            f"CREATE OR REPLACE TEMP TABLE {from_footers} AS "  # noqa: S608 - names of our own
            "SELECT to_timestamp(start_s) AS window_start, window_s::INTEGER AS window_s, writer, "
            f"resource_arn, {columns} FROM said"
        ).fetchall()
        self._database.unregister("said")
        more = ""
        if others:
            make = self._usage if relation == queries.RELATION else self._statements
            make(from_rows, others)
            more = f"UNION ALL BY NAME {of_rows(from_rows)}"
        self._database.execute(
            f"{create} SELECT * FROM {from_footers} {more}"  # noqa: S608 - names of our own
        ).fetchall()


def _many_and_small(paths: Sequence[Path]) -> bool:
    if len(paths) < _MANY:
        return False
    try:
        return sum(path.stat().st_size for path in paths) < _SMALL_BYTES * len(paths)
    except OSError:
        return False  # whoever reads the files says what is wrong
