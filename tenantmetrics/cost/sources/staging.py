"""From documents of windows to one Parquet file with the ledger's columns.

A document is what one line of an exported log says, or one hour of a tenant's metrics. They may
come in any order and more than once, and wait in a database on disk, not in memory, because a month
of logs may hold tens of millions.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Self, get_type_hints

from tenantmetrics.cost.sources.documents import SUMS, Document, Staged, Whose
from tenantmetrics.cost.sources.staged_file import write
from tenantmetrics.errors import MissingExtraError, ReportError

__all__ = ["DifferError", "Staging"]

_BATCH = 50_000
_MEMORY = "512MB"
"""Of the database: what is beyond goes to disk."""

_FIRST_SUM = Document._fields.index(SUMS[0])
_AFTER_SUMS = _FIRST_SUM + len(SUMS)
_WINDOW = "namespace, writer, start_s, sequence"
_KEY = f"{_WINDOW}, whose, name, metrics"


class Staging:
    """Documents on their way. Use it in a `with` statement.

    Args:
        folder: Where the database and then the ledger's file are written.

    Raises:
        MissingExtraError: DuckDB is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import duckdb  # noqa: PLC0415 - an extra
            import pyarrow as pa  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtraError("the report", "report") from None
        self._folder = folder
        self._work = folder / ".staging"
        self._work.mkdir()
        self._database = duckdb.connect(
            str(self._work / "documents.duckdb"),
            config={"memory_limit": _MEMORY, "temp_directory": str(self._work / "spilled")},
        )
        # After two seconds it would write into the report's own output.
        self._database.execute("SET enable_progress_bar = false")
        types = {int: ("BIGINT", pa.int64()), bool: ("BOOLEAN", pa.bool_())}
        text = ("VARCHAR", pa.string())
        of = {name: types.get(kind, text) for name, kind in get_type_hints(Document).items()}
        columns = ", ".join(f"{name} {sql}" for name, (sql, _) in of.items())
        self._database.execute(f"CREATE TABLE staged ({columns})")
        self._schema = pa.schema([(name, arrow) for name, (_, arrow) in of.items()])
        self._batch: list[Document] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
        shutil.rmtree(self._work, ignore_errors=True)

    def add(self, document: Document) -> None:
        """Take one document; of one with nothing but zeros only the fleet's says something."""
        if document.whose is not Whose.FLEET and not any(document[_FIRST_SUM:_AFTER_SUMS]):
            return
        self._batch.append(document)
        if len(self._batch) == _BATCH:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa  # noqa: PLC0415 - loaded by the constructor

        if not self._batch:
            return
        columns = [list(values) for values in zip(*self._batch, strict=True)]
        arrays = [pa.array(c, f.type) for c, f in zip(columns, self._schema, strict=True)]
        self._database.register("batch", pa.Table.from_arrays(arrays, schema=self._schema))
        self._database.execute("INSERT INTO staged SELECT * FROM batch")
        self._database.unregister("batch")
        self._batch = []

    def finish(self) -> Staged:
        """Take out the copies, give what the tenants lack to nobody, write the ledger's file.

        Raises:
            DifferError: Two documents claim to be the same and differ.
        """
        self._flush()
        self._merge()
        some = " OR ".join(f"{name} > 0" for name in SUMS)
        documents, copies = self._row(
            f"SELECT count(*) FILTER (WHERE {some}), sum(copies - 1) FROM documents"  # noqa: S608
        )
        (absent,) = self._row(
            "SELECT sum(absent) FROM (SELECT max(sequence) - min(sequence) + 1"
            " - count(DISTINCT sequence) AS absent FROM documents GROUP BY namespace, writer)"
        )
        short_windows, short_calls = self._row("SELECT count(*), sum(calls) FROM short")
        calls, plain = self._row(
            "SELECT sum(calls), sum(CASE WHEN detailed THEN 0 ELSE calls END)"
            " FROM documents WHERE whose = 'tenant'"
        )
        spaces = self._database.execute(
            "SELECT DISTINCT namespace FROM documents ORDER BY 1"
        ).fetchall()
        if documents:
            (first_s,) = self._row("SELECT min(start_s) FROM documents")
            write(self._database, self._folder, first_s)
        return Staged(
            documents=documents,
            copies=copies,
            namespaces=tuple(space for (space,) in spaces),
            calls=calls,
            plain_calls=plain,
            short_windows=short_windows,
            short_calls=short_calls,
            absent_windows=absent,
        )

    def _row(self, sql: str) -> list[int]:
        row = self._database.execute(sql).fetchone()
        return [int(value or 0) for value in row or ()]

    def _merge(self) -> None:
        sums = ", ".join(f"any_value({name}) AS {name}" for name in SUMS)
        content = ", ".join(SUMS)
        self._database.execute(f"""
            CREATE TABLE documents AS
            SELECT {_KEY}, {sums}, any_value(detailed) AS detailed, count(*) AS copies,
                   min(content) <> max(content) AS differ,
                   arg_min(place, content) AS here, arg_max(place, content) AS there
            FROM (SELECT *, hash({content}) AS content FROM staged) GROUP BY {_KEY}
        """)  # noqa: S608 - names of our own
        places = self._database.execute(
            "SELECT here, there FROM documents WHERE differ ORDER BY here, there LIMIT 1"
        ).fetchone()
        if places:
            raise DifferError(*places)
        # The fleet has what every tenant has: a document that is missing shows in the difference.
        measured = ("calls", "failed_calls", "duration_ns", "billed_requests")
        of = ", ".join(f"sum({name}) AS {name}" for name in measured)
        lack = ", ".join(
            f"greatest(f.{name} - coalesce(t.{name}, 0), 0) AS {name}" for name in measured
        )
        per_window = f"SELECT {_WINDOW}, {of} FROM documents WHERE whose = '{{}}' GROUP BY ALL"  # noqa: S608
        self._database.execute(f"""
            CREATE TABLE short AS SELECT {_WINDOW}, {lack}
            FROM ({per_window.format(Whose.FLEET)}) AS f
            LEFT JOIN ({per_window.format(Whose.TENANT)}) AS t USING ({_WINDOW})
            WHERE f.calls > coalesce(t.calls, 0)
               OR f.billed_requests > coalesce(t.billed_requests, 0)
        """)  # noqa: S608 - names of our own


class DifferError(ReportError):
    """Two documents claim to be the same and differ; `places` says where they stand."""

    def __init__(self, *places: int) -> None:
        super().__init__("two documents claim to be the same window and differ")
        self.places = places
