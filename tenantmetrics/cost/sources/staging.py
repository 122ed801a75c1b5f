"""From documents of windows to one Parquet file with the ledger's columns.

A document is what one line of an exported log says, or one hour of a tenant's metrics. They may
come in any order and more than once, and wait in a database on disk, not in memory, because a month
of logs may hold tens of millions.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Self, get_type_hints

from tenantmetrics import ledger
from tenantmetrics.errors import MissingExtraError, ReportError
from tenantmetrics.health import Loss
from tenantmetrics.ledger import COLUMNS, Kind
from tenantmetrics.records import OK, UNATTRIBUTED, Window

__all__ = ["Document", "Staged", "Staging", "Whose"]

_BATCH = 50_000
_MEMORY = "512MB"
"""Of the database: what is beyond goes to disk."""


class Whose(StrEnum):
    """What a document speaks of."""

    FLEET = "fleet"
    TENANT = "tenant"
    REASON = "reason"


class Document(NamedTuple):
    """Sums of one window for one tenant or for the fleet, or one reason's losses.

    Attributes:
        namespace: CloudWatch namespace.
        writer: The process that made the window.
        start_s: Its start, seconds since the epoch.
        sequence: The writer's number of it.
        whose: What it speaks of.
        name: The tenant, or the reason of a loss; empty for the fleet.
        metrics: Names of the metrics in it: a second document of the same window and tenant with
            other metrics is no duplicate.
        calls: API calls.
        failed_calls: Those that failed.
        duration_ns: Client-side wall time.
        billed_requests: Data API requests as AWS meters them.
        request_bytes: Bytes of the request bodies.
        response_bytes: Bytes of the response bodies.
        rows_returned: Rows returned.
        rows_written: Rows written.
        lost: What was lost; of the fleet, calls past the cap of series.
        detailed: It says something of bytes and rows.
        place: Where it stands: any number that its source can read.
    """

    namespace: str
    writer: str
    start_s: int
    sequence: int
    whose: Whose
    name: str
    metrics: str = ""
    calls: int = 0
    failed_calls: int = 0
    duration_ns: int = 0
    billed_requests: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    rows_returned: int = 0
    rows_written: int = 0
    lost: int = 0
    detailed: bool = False
    place: int = 0


_SUMS = (
    "calls", "failed_calls", "duration_ns", "billed_requests", "request_bytes", "response_bytes",
    "rows_returned", "rows_written", "lost",
)  # fmt: skip
_FIRST_SUM = Document._fields.index(_SUMS[0])
_AFTER_SUMS = _FIRST_SUM + len(_SUMS)
_WINDOW = "namespace, writer, start_s, sequence"
_KEY = f"{_WINDOW}, whose, name, metrics"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What became of the documents.

    Attributes:
        documents: Different ones that have a number other than 0.
        copies: Repetitions that were left out.
        namespaces: CloudWatch namespaces they are of.
        calls: Calls of all tenants.
        plain_calls: Those of which bytes and rows are not known.
        short_windows: Windows whose tenants have less than the fleet.
        short_calls: The calls that are missing there; they are now nobody's.
        absent_windows: Numbers that writers must have given to windows that are not there.
    """

    documents: int
    copies: int
    namespaces: tuple[str, ...]
    calls: int
    plain_calls: int
    short_windows: int
    short_calls: int
    absent_windows: int

    def notes(self) -> list[str]:
        """What logs and metrics alike may lack."""
        notes = []
        if len(self.namespaces) > 1:
            notes.append(f"Usage of several namespaces is added up: {', '.join(self.namespaces)}.")
        if self.plain_calls and self.plain_calls == self.calls:
            notes.append(
                "The usage came at the essential metric level, without bytes and rows: what is "
                "divided by them is shared."
            )
        elif self.plain_calls:
            notes.append(
                f"{self.plain_calls:,} of {self.calls:,} calls came at the essential metric level, "
                "without bytes and rows: they weigh nothing where those divide."
            )
        return notes


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
        some = " OR ".join(f"{name} > 0" for name in _SUMS)
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
            self._write()
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
        sums = ", ".join(f"any_value({name}) AS {name}" for name in _SUMS)
        content = ", ".join(_SUMS)
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

    def _write(self) -> None:
        tenants = {
            "tenant": "name", "calls": "calls - failed_calls",
            **{name: name for name in _SUMS if name not in {"calls", "failed_calls", "lost"}},
        }  # fmt: skip
        failed = {"calls": "failed_calls", "outcome": "'error'"}
        nobody = {
            "tenant": f"'{UNATTRIBUTED}'", "calls": "calls - failed_calls",
            "duration_ns": "duration_ns", "billed_requests": "billed_requests",
        }  # fmt: skip
        lost = {"tenant": f"'{UNATTRIBUTED}'", "operation": "''", "lost": "lost"}
        parts = [
            _select(tenants, f"documents WHERE whose = '{Whose.TENANT}'"),
            _select(
                {"tenant": "name", **failed},
                f"documents WHERE whose = '{Whose.TENANT}' AND failed_calls > 0",
            ),
            _select(nobody, "short"),
            _select({"tenant": f"'{UNATTRIBUTED}'", **failed}, "short WHERE failed_calls > 0"),
            _select(
                {**lost, "outcome": "name"},
                f"documents WHERE whose = '{Whose.REASON}' AND lost > 0",
            ),
            _select(
                {**lost, "outcome": f"'{Loss.SERIES_CAP}'"},
                f"documents WHERE whose = '{Whose.FLEET}' AND lost > 0",
            ),
        ]
        (first_s,) = self._row("SELECT min(start_s) FROM documents")
        target = self._folder / ledger.file_path(Window(first_s, 0, "staged", 0, {}, {}))
        target.parent.mkdir(parents=True)
        rows = " UNION ALL ".join(parts)
        self._database.execute(
            f"COPY ({rows}) TO $target (FORMAT parquet, COMPRESSION zstd)", {"target": str(target)}
        )


class DifferError(ReportError):
    """Two documents claim to be the same and differ; `places` says where they stand."""

    def __init__(self, *places: int) -> None:
        super().__init__("two documents claim to be the same window and differ")
        self.places = places


_SQL_TYPES = {
    Kind.TIMESTAMP: "TIMESTAMPTZ",
    Kind.STRING: "VARCHAR",
    Kind.INT32: "INTEGER",
    Kind.INT64: "BIGINT",
    Kind.INT32_LIST: "INTEGER[]",
    Kind.INT64_LIST: "BIGINT[]",
}
_NOTHING = {Kind.STRING: "''", Kind.INT32_LIST: "[]", Kind.INT64_LIST: "[]"}


def _select(given: dict[str, str], source: str) -> str:
    """Rows with the ledger's columns; what no document says is 0 or empty."""
    known: dict[str, Any] = {
        "window_start": "make_timestamptz(start_s * 1000000)",
        "writer": "writer",
        "sequence": "sequence",
        "operation": "'unknown'",
        "outcome": f"'{OK}'",
        "source": "'unknown'",
        **given,
    }
    columns = ", ".join(
        f"CAST({known.get(c.name, _NOTHING.get(c.kind, '0'))} AS {_SQL_TYPES[c.kind]}) AS {c.name}"
        for c in COLUMNS
    )
    return f"SELECT {columns} FROM {source}"  # noqa: S608 - names of our own
