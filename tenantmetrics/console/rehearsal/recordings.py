"""Recordings as a `Store`: a ledger, EMF documents, or a scenario described in a TOML file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tenantmetrics import ledger
from tenantmetrics.console.rehearsal import scenario
from tenantmetrics.console.rehearsal.store import Store
from tenantmetrics.cost.files import find
from tenantmetrics.errors import ConsoleError, LedgerError, MissingExtraError
from tenantmetrics.records import Series, SeriesKey, Source, Window

__all__ = ["load", "windows"]


def load(path: Path) -> Store:
    """Read a recording: a folder is a ledger, `*.toml` a scenario, any other file EMF documents.

    A ledger knows no tenant conflicts, no export failures and nothing of the cluster; EMF documents
    know all but the cluster.

    Raises:
        ConsoleError: The file cannot be read, or is none of these.
        LedgerError: The ledger is missing, empty or broken.
    """
    store = Store()
    if path.is_dir():
        store.add_windows(windows(path))
        # Whether there were conflicts is not in a ledger: no zero may say that there were none.
        for name in ("TenantConflicts", "ExportFailures"):
            store.drop(name)
    elif path.suffix.lower() == ".toml":
        scenario.play(path, store)
    else:
        _add_documents(path, store)
    if not store.series:
        raise ConsoleError(f"recording {str(path)!r} holds no metric of ours")
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
    for broken in files.broken:
        raise LedgerError(f"ledger file {str(broken.path)!r}: {broken.reason}")
    columns = [one.name for one in ledger.COLUMNS]
    for name, file in files.good.items():
        try:
            # One file after the other: its folders are partitions, which must not become columns.
            rows = parquet.ParquetFile(file).read(columns=columns).to_pylist()
        except (pa.ArrowException, OSError, KeyError) as error:
            text = " ".join(str(error).split())
            raise LedgerError(f"ledger file {str(file)!r} cannot be read: {text}") from None
        yield _window(name, rows)


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


def _add_documents(path: Path, store: Store) -> None:
    """EMF documents, one a line, as CloudWatch Logs exports them; repeated ones count once."""
    seen: set[str] = set()
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                _add_document(f"{path}:{number}", text, store, seen)
    except OSError as error:
        raise ConsoleError(f"recording {str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConsoleError(f"recording {str(path)!r} cannot be read: it is no text") from None


def _add_document(where: str, text: str, store: Store, seen: set[str]) -> None:
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
                    (float(one), int(count)) for one, count in zip(values, counts, strict=True)
                )
                store.add(metric["Name"], dimensions, at_s, pairs)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ConsoleError(f"{where}: no EMF document ({type(error).__name__}: {error})") from None
