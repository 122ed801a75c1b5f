"""The server's tables: their columns, and how they are written and read.

They lie below the ledger, one file a source and stretch of time:

    _server/<table>/date=2026-11-28/20261128T201500Z-<source>.v1.parquet

The underscore hides them from whoever reads the ledger's own table with Athena, Spark or DuckDB.
`date` and the name's time are UTC, of the stretch's start. Start and source make the name, so
writing a stretch again replaces it with itself. A file appears whole or not at all; what begins
with a dot is under construction and passed over. Nothing else in these folders is: a file of
another name or version, or one that cannot be read, is an error that names it.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from tenantmetrics.errors import LedgerError, MissingExtraError
from tenantmetrics.serverside.columns import (
    ACTIVITY,
    DB_LOAD,
    PERFORMANCE_INSIGHTS,
    STATEMENTS,
    TABLES,
    Column,
    Gap,
    Kind,
    Table,
)
from tenantmetrics.serverside.store import store_of
from tenantmetrics.serverside.stretches import joined, refuse_impossible, refuse_twice, uncovered

__all__ = [
    "ACTIVITY",
    "DB_LOAD",
    "FOLDER",
    "LONGEST_S",
    "PERFORMANCE_INSIGHTS",
    "STATEMENTS",
    "TABLES",
    "VERSION",
    "Column",
    "Gap",
    "Kind",
    "Table",
    "arrow_schema",
    "file_path",
    "files",
    "read",
    "source_id",
    "uncovered",
    "write",
]

FOLDER = "_server"
VERSION = 1
"""Part of every file's name; raised when a reader of the old files would go wrong on the new."""
LONGEST_S = 24 * 3600
"""No file holds a longer stretch: a reader of a period begins so much before it."""


_NAME = re.compile(r"(\d{8}T\d{6}Z)-(.+)\.v(\d+)\.parquet")
_READABLE_CHARS = 60
_AT_ONCE = 16
"""Files fetched at once: on S3 they wait on the network, not on a core."""
_KEPT = 256
_TIME = "%Y%m%dT%H%M%SZ"


def arrow_schema(table: Table) -> Any:
    """The table's `pyarrow.Schema`.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    pa = _arrow()
    types = {Kind.STRING: pa.string(), Kind.INT64: pa.int64(), Kind.DOUBLE: pa.float64()}
    return pa.schema([pa.field(c.name, types[c.kind], nullable=False) for c in table.columns])


def source_id(resource_arn: str, *more: str) -> str:
    """A name for a source, short and safe in a file's name.

    Args:
        resource_arn: The cluster.
        *more: What else tells the source apart from others of the cluster.
    """
    whole = "\n".join((resource_arn, *more)).encode("utf-8", "backslashreplace")
    words = "-".join((re.split(r"[:/]", resource_arn)[-1], *more))
    # The words are for people; what keeps two sources apart is the digest.
    readable = re.sub(r"[^A-Za-z0-9_-]", "_", words)[:_READABLE_CHARS]
    return f"{readable}-{hashlib.sha256(whole).hexdigest()[:8]}"


def file_path(table: Table, start_s: int, source: str) -> PurePosixPath:
    """Where the source's rows from a start on lie, relative to the ledger.

    Args:
        table: Which table.
        start_s: Start of the stretch, seconds since the epoch.
        source: As `source_id` makes it.
    """
    start = datetime.fromtimestamp(start_s, UTC)
    name = f"{start.strftime(_TIME)}-{source}.v{VERSION}.parquet"
    return PurePosixPath(FOLDER, table.name, f"date={start:%Y-%m-%d}", name)


def write(
    ledger: str | os.PathLike[str],
    table: Table,
    start_s: int,
    source: str,
    rows: Sequence[Mapping[str, Any]],
) -> str:
    """Write one file, whole or not at all, in the place of an earlier one of the same stretch.

    Args:
        ledger: The ledger's folder or `s3://bucket/prefix`.
        table: Which table.
        start_s: Start of the stretch, seconds since the epoch.
        source: As `source_id` makes it.
        rows: Every column of each.

    Returns:
        The file's address.

    Raises:
        LedgerError: It cannot be written.
        MissingExtraError: pyarrow is not installed.
    """
    pa = _arrow()
    from pyarrow import parquet  # noqa: PLC0415 - an extra

    schema = arrow_schema(table)
    # In the columns' order and sorted: the same rows are the same bytes.
    ordered = sorted([row[column.name] for column in table.columns] for row in rows)
    columns = [[row[number] for row in ordered] for number in range(len(table.columns))]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), file, compression="zstd")
    return store_of(ledger).put(file_path(table, start_s, source), file.getvalue())


def files(
    ledger: str | os.PathLike[str], table: Table, start_s: int, end_s: int
) -> list[PurePosixPath]:
    """The files that may hold rows of a period, relative to the ledger, in order of time.

    Args:
        ledger: The ledger's folder or `s3://bucket/prefix`.
        table: Which table.
        start_s: Start of the period, seconds since the epoch.
        end_s: Its end, exclusive.

    Raises:
        LedgerError: The ledger cannot be listed, or holds a file of another name or version there.
    """
    first = datetime.fromtimestamp(start_s - LONGEST_S, UTC).date()
    last = datetime.fromtimestamp(max(start_s, end_s - 1), UTC).date()
    names = store_of(ledger).names(PurePosixPath(FOLDER, table.name), first, last)
    there = [path for path in names if not path.name.startswith(".")]
    found = [path for path in there if _start_of(path) < end_s]
    return sorted(found, key=lambda path: (path.name, str(path)))


def read(
    ledger: str | os.PathLike[str],
    table: Table,
    start_s: int,
    end_s: int,
    *,
    resource_arn: str | None = None,
    as_written: bool = False,
) -> Any:
    """The rows whose stretch overlaps a period, those that its borders cut among them.

    A month of statements is thousands of files. Those that follow each other within an hour and say
    nothing in `gap` are summed up to one stretch: an eighth of the memory.

    Args:
        ledger: The ledger's folder or `s3://bucket/prefix`.
        table: Which table.
        start_s: Start of the period, seconds since the epoch.
        end_s: Its end, exclusive.
        resource_arn: Only of this cluster.
        as_written: Sum nothing up.

    Returns:
        A `pyarrow.Table` of the table's columns, in order of time; empty where there is nothing.

    Raises:
        LedgerError: A file cannot be read, is of another version, or has other columns; or two
            files hold statements of one cluster for the same seconds, which would count twice; or
            an amount is below 0 or no number.
        MissingExtraError: pyarrow is not installed.
    """
    pa = _arrow()
    schema = arrow_schema(table)
    paths = files(ledger, table, start_s, end_s)
    if not paths:
        return schema.empty_table()
    import pyarrow.compute as pc  # noqa: PLC0415 - 60 ms that a ledger without such need not wait

    def wanted(rows: Any) -> Any:
        if table is STATEMENTS and rows.num_rows:
            # A file is one stretch of one cluster: its first row tells.
            first_s, last_s, arn = (
                rows[name][0].as_py() for name in ("start_s", "end_s", "resource_arn")
            )
            inside = first_s < end_s and last_s > start_s and resource_arn in {None, arn}
            return rows if inside else rows.slice(0, 0)
        end = rows[table.end] if table.end else pc.add(rows["start_s"], rows["period_s"])
        found = pc.and_(pc.less(rows["start_s"], end_s), pc.greater(end, start_s))
        if resource_arn is not None:
            found = pc.and_(found, pc.equal(rows["resource_arn"], resource_arn))
        return rows.filter(found)

    parts: Iterator[Any] = (wanted(rows) for rows in _decoded_files(ledger, table, paths))
    if table is STATEMENTS and not as_written:
        parts = joined(parts)
    every = [part for part in parts if part.num_rows]
    found = pa.concat_tables(every) if every else schema.empty_table()
    if table is STATEMENTS:
        refuse_twice(found, f"{FOLDER}/{STATEMENTS.name}")
    refuse_impossible(found, f"{FOLDER}/{table.name}")
    return found.sort_by("start_s")


def _decoded_files(
    ledger: str | os.PathLike[str], table: Table, paths: Sequence[PurePosixPath]
) -> Iterator[Any]:
    """The files' rows in order of time, many fetched at once and few kept."""
    store = store_of(ledger)
    schema = arrow_schema(table)

    def rows_of(path: PurePosixPath) -> Any:
        content = store.get(path)
        # None: removed since it was listed.
        return schema.empty_table() if content is None else _decoded(content, schema, path)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for first in range(0, len(paths), _KEPT):
            yield from pool.map(rows_of, paths[first : first + _KEPT])


def _start_of(path: PurePosixPath) -> int:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise LedgerError(
            f"file {str(path)!r} is not a table of the server's load: move it elsewhere"
        )
    if int(match[3]) > VERSION:
        raise LedgerError(
            f"file {str(path)!r} was written by a newer tenantmetrics: upgrade this one"
        )
    try:
        return int(datetime.strptime(match[1], _TIME).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise LedgerError(f"file {str(path)!r} names no time: move it elsewhere") from None


def _decoded(content: bytes, schema: Any, path: PurePosixPath) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import parquet  # noqa: PLC0415

    try:
        # Of the bytes, not of a path: the folder's name must not become a column.
        rows = parquet.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).split("\n", 1)[0]
        raise LedgerError(f"file {str(path)!r} cannot be read: {reason}") from None
    if not rows.schema.equals(schema):
        raise LedgerError(f"file {str(path)!r} has other columns than {', '.join(schema.names)}")
    return rows


def _arrow() -> Any:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, and 100 ms
    except ImportError:
        raise MissingExtraError("the server's tables", "ledger") from None
    return pa
