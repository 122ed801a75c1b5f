"""The ledger's schema and file naming: what `export` writes and `cost` reads.

A ledger is a folder of Parquet files, one a writer and window:

    date=2026-11-20/hour=21/20261120T214500Z-<writer>-00000007.v1.parquet

The name says all that makes a window unique, so writing one again replaces it with itself, and a
copy of a file in another folder is recognised as a copy. Date and hour are UTC and are partitions
that DuckDB, Athena and Spark read from the path. Files under construction begin with a dot, which
all three pass over.

Every number is an integer, so sums of sums are exact. A window's losses stand in rows of their own:
`operation` empty, `outcome` the reason, `lost` the amount and every other number 0, so that they
change no sum and any engine can add them up.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from tenantmetrics.records import Window

__all__ = ["COLUMNS", "VERSION", "Column", "FileName", "Kind", "arrow_schema", "file_path", "parse"]

VERSION = 1
"""Part of every file's name; raised when a reader of the old files would go wrong on the new."""


class Kind(StrEnum):
    """Column types that Parquet, DuckDB, Athena and Spark all have."""

    TIMESTAMP = "timestamp"
    STRING = "string"
    INT32 = "int32"
    INT64 = "int64"
    INT32_LIST = "list<int32>"
    INT64_LIST = "list<int64>"


class Column(NamedTuple):
    """One column: its name, type and meaning."""

    name: str
    kind: Kind
    about: str


COLUMNS = (
    Column("window_start", Kind.TIMESTAMP, "start of the window, UTC"),
    Column("window_s", Kind.INT32, "length of the window, seconds"),
    Column("writer", Kind.STRING, "the process that wrote it"),
    Column("sequence", Kind.INT64, "the writer's windows, counted from 0"),
    Column("tenant", Kind.STRING, "tenant id, or __unattributed__ or __overflow__"),
    Column("operation", Kind.STRING, "API operation; empty in a row of losses"),
    Column("outcome", Kind.STRING, "'ok', the error code, or the reason of a loss"),
    Column("source", Kind.STRING, "what named the tenant"),
    Column("resource_arn", Kind.STRING, "the cluster"),
    Column("database", Kind.STRING, "the database named in the call"),
    Column("calls", Kind.INT64, "API calls"),
    Column("duration_ns", Kind.INT64, "client-side wall time of the calls, nanoseconds"),
    Column("duration_min_ns", Kind.INT64, "shortest call, nanoseconds"),
    Column("duration_max_ns", Kind.INT64, "longest call, nanoseconds"),
    Column("attempts", Kind.INT64, "HTTP attempts"),
    Column("request_bytes", Kind.INT64, "bytes of the request bodies"),
    Column("response_bytes", Kind.INT64, "bytes of the response bodies"),
    Column("billed_requests", Kind.INT64, "Data API requests as AWS meters them"),
    Column("rows_returned", Kind.INT64, "rows returned"),
    Column("rows_written", Kind.INT64, "rows written"),
    Column("scale", Kind.INT32, "scale of the duration histogram"),
    Column("bucket_index", Kind.INT32_LIST, "indexes of its buckets, rising"),
    Column("bucket_count", Kind.INT64_LIST, "calls in each of those buckets"),
    Column("lost", Kind.INT64, "what was lost for the reason in `outcome`; 0 in all other rows"),
)


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


def parse(name: str) -> FileName | None:
    """Read a ledger file's name (without folders); None for a name that is not of this form."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    time, writer, sequence, version = match.groups()
    try:
        start = datetime.strptime(time, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return FileName(int(start.timestamp()), unquote(writer), int(sequence), int(version))


def arrow_schema() -> Any:
    """The schema as a `pyarrow.Schema`; pyarrow is loaded here and not before."""
    import pyarrow as pa  # noqa: PLC0415 - an extra, and 100 ms: only for those who ask for it

    types = {
        Kind.TIMESTAMP: pa.timestamp("us", tz="UTC"),
        Kind.STRING: pa.string(),
        Kind.INT32: pa.int32(),
        Kind.INT64: pa.int64(),
        Kind.INT32_LIST: pa.list_(pa.int32()),
        Kind.INT64_LIST: pa.list_(pa.int64()),
    }
    return pa.schema([pa.field(c.name, types[c.kind], nullable=False) for c in COLUMNS])
