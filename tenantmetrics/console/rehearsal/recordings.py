"""Recordings as a `MetricStore`: a ledger, EMF documents, or a scenario in a TOML file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tenantmetrics import ledger
from tenantmetrics.aggregate.load import Load
from tenantmetrics.console.rehearsal import scenario
from tenantmetrics.console.rehearsal.store import MetricStore
from tenantmetrics.cost.files import find, find_statements
from tenantmetrics.errors import ConsoleError, LedgerError, MissingExtraError, why_unreadable
from tenantmetrics.measures import BY_STATEMENT
from tenantmetrics.records import Series, SeriesKey, Source, Window
from tenantmetrics.statement_table import StatementTable

__all__ = ["load", "windows"]


def load(path: Path) -> MetricStore:
    """Read a recording: a folder is a ledger, `*.toml` a scenario, any other file EMF documents.

    A ledger knows no tenant conflicts, no export failures and nothing of the cluster; EMF documents
    know all but the cluster. The load is estimated from a ledger's statements anew; files without
    any, of version 1, have the clients' time in its place.

    Raises:
        ConsoleError: The file cannot be read, or is none of these.
        LedgerError: The ledger is missing, empty or broken.
    """
    store = MetricStore()
    if path.is_dir():
        store.add_windows(windows(path))
        # Whether there were conflicts is not in a ledger: no zero may say that there were none.
        for name in ("TenantConflicts", "ExportFailures"):
            store.drop(name)
    elif path.suffix.lower() == ".toml":
        scenario.play(path, store)
    else:
        _add_documents(path, store)
        if not store.select("DatabaseLoad", ()):
            # Earlier releases did not publish the load; nothing may say that there was none.
            store.drop("DatabaseLoad")
    if not store.series:
        raise ConsoleError(f"recording {str(path)!r} has no metrics of tenantmetrics")
    return store


def windows(path: Path) -> Iterator[Window]:
    """The windows of a ledger, histograms included, in order of time.

    Raises:
        LedgerError: The ledger is missing, empty, or a file in it is broken.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("reading a ledger", "ledger") from None
    files = find(path)
    tables = find_statements(files)
    for broken in (*files.broken, *tables.broken):
        raise LedgerError(f"ledger file {str(broken.path)!r}: {broken.reason}")

    def rows(file: Path, columns: Iterable[ledger.Column]) -> list[dict[str, Any]]:
        try:
            # One file after the other: its folders are partitions, which must not become columns.
            there = parquet.ParquetFile(file)
            wanted = [column.name for column in columns if column.name in there.schema_arrow.names]
            found: list[dict[str, Any]] = there.read(columns=wanted).to_pylist()
        except (pa.ArrowException, OSError, KeyError) as error:
            text = " ".join(str(error).split())
            raise LedgerError(f"ledger file {str(file)!r} cannot be read: {text}") from None
        return found

    loads: dict[str, Load] = {}
    for name, file in files.good.items():
        window = _window(name, rows(file, ledger.COLUMNS))
        if name in tables.good:
            table = _table(rows(tables.good[name], ledger.STATEMENT_COLUMNS))
            load = loads.setdefault(name.writer, Load())
            yield replace(window, load_ns=load.close(window.series, table))
        else:
            yield replace(window, load_ns=_wall_time(window))


def _table(rows: list[dict[str, Any]]) -> StatementTable:
    table = StatementTable()
    for row in rows:
        key = (
            row["resource_arn"], row["database"], row["fingerprint"], row["summary"], row["kind"],
        )  # fmt: skip
        table.add(row["tenant"], key, *(row[measure.name] for measure in BY_STATEMENT))
    return table


def _wall_time(window: Window) -> dict[str, int]:
    """The clients' time by tenant, which is all that files of version 1 tell of the load."""
    found: dict[str, int] = {}
    for key, series in window.series.items():
        found[key.tenant] = found.get(key.tenant, 0) + series.duration_ns
    return found


def _window(name: ledger.FileName, rows: list[dict[str, Any]]) -> Window:
    series: dict[SeriesKey, Series] = {}
    losses: dict[str, int] = {}
    length_s = 60
    for row in rows:
        length_s = row["window_s"]
        if row["lost"]:
            losses[row["outcome"]] = losses.get(row["outcome"], 0) + row["lost"]
            continue
        key = SeriesKey(
            row["tenant"],
            row["operation"],
            row["outcome"],
            Source(row["source"]),
            row["resource_arn"],
            row["database"],
        )
        buckets = dict(zip(row["bucket_index"], row["bucket_count"], strict=True))
        numbers = {field: row[field] for field in _FIELDS}
        series[key] = Series(**numbers, buckets=buckets)
    return Window(name.start_s, length_s, name.writer, name.sequence, series, losses)


_FIELDS = (
    "calls",
    "duration_ns",
    "duration_min_ns",
    "duration_max_ns",
    "attempts",
    "request_bytes",
    "response_bytes",
    "billed_requests",
    "rows_returned",
    "rows_written",
    "scale",
)


def _add_documents(path: Path, store: MetricStore) -> None:
    """EMF documents, one a line, as CloudWatch Logs exports them; repeated ones count once."""
    seen: set[str] = set()
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                _add_document(f"{path}:{number}", text, store, seen)
    except (OSError, UnicodeDecodeError) as error:
        why = why_unreadable(error)
        raise ConsoleError(f"recording {str(path)!r} cannot be read: {why}") from None


def _add_document(where: str, text: str, store: MetricStore, seen: set[str]) -> None:
    start = text.find("{")  # an export writes the time before the document
    if start < 0 or text in seen:
        return
    seen.add(text)
    try:
        document = json.loads(text[start:])
        at_s = int(document["_aws"]["Timestamp"]) // 1000
        directives = document["_aws"]["CloudWatchMetrics"]
        for directive in directives:
            dimensions = {name: document[name] for name in directive["Dimensions"][0]}
            for metric in directive["Metrics"]:
                value = document[metric["Name"]]
                values, counts = (
                    (value["Values"], value["Counts"])
                    if isinstance(value, dict)
                    else ([value], [1])
                )
                pairs = tuple(
                    (float(value), int(count)) for value, count in zip(values, counts, strict=True)
                )
                store.add(metric["Name"], dimensions, at_s, pairs)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ConsoleError(
            f"{where}: not an EMF document ({type(error).__name__}: {error})"
        ) from None
