"""The ledger's schema and file naming: what `export` writes and `cost` reads.

A ledger is a folder of Parquet files, two a writer and window:

    date=2026-11-20/hour=21/20261120T214500Z-<writer>-00000007.v2.parquet
    _statements/date=2026-11-20/hour=21/20261120T214500Z-<writer>-00000007.v2.parquet

The first has the window's numbers by tenant, operation and outcome. The second has those of the
calls that reached the database by tenant and statement; it is written before the first, so whoever
finds the first finds the second. A window without such calls has no second file. DuckDB, Athena and
Spark pass over folders that begin with an underscore where they read the main table.

The name says all that makes a window unique, so writing one again replaces it with itself, and a
copy of a file in another folder is recognised as a copy. Date and hour are UTC and are partitions
that DuckDB, Athena and Spark read from the path. Files under construction begin with a dot, which
all three pass over.

Files of version 1 are read as well. They lack the columns that came later (`Column.since`), which
count as 0 there, and have no statements.

Every number is an integer, so sums of sums are exact. A window's losses stand in rows of their own:
`operation` empty, `outcome` the reason, `lost` the amount and every other number 0, so that they
change no sum and any engine can add them up. So do the calls that `strict` refused: `operation` and
tenant are theirs, `outcome` is `refused_` and the reason, `lost` how many were not sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from tenantmetrics.measures import BY_STATEMENT, MEASURES
from tenantmetrics.records import Window

__all__ = [
    "COLUMNS",
    "STATEMENTS",
    "STATEMENT_COLUMNS",
    "VERSION",
    "Column",
    "FileName",
    "Kind",
    "arrow_schema",
    "columns_added",
    "file_path",
    "of_days",
    "parse",
    "statements_path",
]

VERSION = 2
"""Part of every file's name; raised when a reader of the old files would go wrong on the new."""

STATEMENTS = "_statements"
"""Folder of the statement table, below the ledger."""


class Kind(StrEnum):
    """Column types that Parquet, DuckDB, Athena and Spark all have."""

    TIMESTAMP = "timestamp"
    STRING = "string"
    INT32 = "int32"
    INT64 = "int64"
    INT32_LIST = "list<int32>"
    INT64_LIST = "list<int64>"


class Column(NamedTuple):
    """One column: its name, type and meaning, and the version that has it first."""

    name: str
    kind: Kind
    about: str
    since: int = 1


_WINDOW = (
    Column("window_start", Kind.TIMESTAMP, "start of the window, UTC"),
    Column("window_s", Kind.INT32, "length of the window, seconds"),
    Column("writer", Kind.STRING, "the process that wrote it"),
    Column("sequence", Kind.INT64, "the writer's windows, counted from 0"),
)

COLUMNS = (
    *_WINDOW,
    Column("tenant", Kind.STRING, "tenant id, or __unattributed__ or __overflow__"),
    Column("operation", Kind.STRING, "API operation; empty in a row of losses"),
    Column("outcome", Kind.STRING, "'ok', the error code, or the reason of a loss or a refusal"),
    Column("source", Kind.STRING, "what named the tenant"),
    Column("resource_arn", Kind.STRING, "the cluster"),
    Column("database", Kind.STRING, "the database named in the call"),
    *(Column(measure.name, Kind.INT64, measure.about, measure.since) for measure in MEASURES),
    Column("scale", Kind.INT32, "scale of the duration histogram"),
    Column("bucket_index", Kind.INT32_LIST, "indexes of its buckets, rising"),
    Column("bucket_count", Kind.INT64_LIST, "calls in each of those buckets"),
    Column("lost", Kind.INT64, "what was lost, or not sent, for the reason in `outcome`; else 0"),
)
"""The main table."""

STATEMENT_COLUMNS = (
    *_WINDOW,
    Column("tenant", Kind.STRING, "tenant id, or __unattributed__ or __overflow__"),
    Column("resource_arn", Kind.STRING, "the cluster"),
    Column("database", Kind.STRING, "the database named in the call"),
    Column("fingerprint", Kind.INT64, "the statement's fingerprint; 0 for none, or for several"),
    Column("summary", Kind.STRING, "what the statement does; `__other__` past the limit"),
    Column(
        "kind",
        Kind.STRING,
        "`work`, `workless` or `failed`; `cold_work`, `cold_workless` or `cold_failed`",
    ),
    *(Column(measure.name, Kind.INT64, measure.about) for measure in BY_STATEMENT),
)
"""The statement table. `workless` calls do no work in PostgreSQL (BEGIN, SET, SELECT 1); `cold_`
calls had to open a connection first; `failed` ones got an error, and count as work in files that
writers before that kind wrote. Calls that were throttled or got no answer are not in it."""


def columns_added(version: int) -> tuple[str, ...]:
    """The main table's columns that files of a version lack: they count as 0 there."""
    return tuple(column.name for column in COLUMNS if column.since > version)


class FileName(NamedTuple):
    """What a ledger file's name says."""

    start_s: int
    writer: str
    sequence: int
    version: int


_NAME = re.compile(r"(\d{8}T\d{6}Z)-(.+)-(\d{8,})\.v(\d+)\.parquet")
_TIME = "%Y%m%dT%H%M%SZ"


def file_path(window: Window) -> PurePosixPath:
    """The window's file, relative to the ledger."""
    start = datetime.fromtimestamp(window.start_s, UTC)
    # Percent-encoding keeps the name unique; a writer's slash must not become a folder.
    writer = quote(window.writer, safe="")
    return PurePosixPath(
        f"date={start:%Y-%m-%d}",
        f"hour={start:%H}",
        f"{start.strftime(_TIME)}-{writer}-{window.sequence:08d}.v{VERSION}.parquet",
    )


def statements_path(window: Window) -> PurePosixPath:
    """The file of the window's statements, relative to the ledger."""
    return PurePosixPath(STATEMENTS) / file_path(window)


def parse(name: str) -> FileName | None:
    """Read a ledger file's name (without folders); None for a name that is not of this form."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    time, writer, sequence, version = match.groups()
    # Not `strptime`, which takes ten times as long: there may be tens of thousands of files.
    parts = time[0:4], time[4:6], time[6:8], time[9:11], time[11:13], time[13:15]
    year, month, day, hour, minute, second = map(int, parts)
    try:
        start = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return FileName(int(start.timestamp()), unquote(writer), int(sequence), int(version))


def arrow_schema(columns: Sequence[Column] = COLUMNS) -> Any:
    """Columns as a `pyarrow.Schema`; pyarrow is loaded here and not before."""
    import pyarrow as pa  # noqa: PLC0415 - an extra, and 100 ms: only for those who ask for it

    types = {
        Kind.TIMESTAMP: pa.timestamp("us", tz="UTC"),
        Kind.STRING: pa.string(),
        Kind.INT32: pa.int32(),
        Kind.INT64: pa.int64(),
        Kind.INT32_LIST: pa.list_(pa.int32()),
        Kind.INT64_LIST: pa.list_(pa.int64()),
    }
    return pa.schema([pa.field(c.name, types[c.kind], nullable=False) for c in columns])


def of_days(
    listing: Iterable[Mapping[str, Any]], before: str, first: date, last: date
) -> Iterator[Mapping[str, Any]]:
    """What an S3 listing holds in the partitions of some days.

    One listing from the first day on serves them all: a request for each day of a month, of each
    table, would take seconds. It is read no further than it needs to be.

    Args:
        listing: Objects as ListObjectsV2 gives them, in order of their `Key`.
        before: What keys begin with before the day, such as `prod/date=`.
        first: The first day.
        last: The last day.
    """
    for found in listing:
        day = str(found["Key"]).removeprefix(before).partition("/")[0]
        # By its first letters: `date=2026-11-30-copy/` stands before `date=2026-11-30/`.
        if day[: len(str(last))] > str(last):
            return
        if len(day) == len(str(last)) and day >= str(first):
            yield found
