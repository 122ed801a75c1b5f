"""Sums of statements that files have in their footers: what they say need not be added up again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tenantmetrics import ledger, ledger_totals
from tenantmetrics.ledger_totals import SUMS, Totals

__all__ = ["COLUMNS", "read_totals"]

_SMALLEST = 64 * 1024
"""Bytes of a file whose footer is looked at: the rows of a smaller one are read as soon."""

COLUMNS = ("start_s", "window_s", "writer", "resource_arn", "fingerprint", "kind", *SUMS)
"""Of the table that `read_totals` gives."""


def read_totals(paths: Sequence[Path]) -> tuple[Any, list[Path]]:
    """The sums by file and statement, and the files that do not say them.

    Args:
        paths: Files of the statement table.

    Returns:
        A `pyarrow.Table` of `COLUMNS`, None where no footer has sums; and the files whose rows
        have to be read.
    """
    rows: list[tuple[Any, ...]] = []
    others = []
    for path in paths:
        found = _said(path)
        if found is None:
            others.append(path)
            continue
        of_window = found.window_start, found.window_s, found.writer
        rows += [(*of_window, *total[:3], *total.sums) for total in found.totals]
    if not rows:
        return None, list(paths)
    import pyarrow as pa  # noqa: PLC0415 - an extra

    text = {"writer", "resource_arn", "kind"}
    types = [pa.string() if name in text else pa.int64() for name in COLUMNS]
    columns = zip(zip(*rows, strict=True), types, strict=True)
    return pa.table([pa.array(column, kind) for column, kind in columns], list(COLUMNS)), others


def _said(path: Path) -> Totals | None:
    """What a file's footer says; None where it says nothing, or what is not of these rows."""
    from pyarrow import ArrowException, parquet  # noqa: PLC0415 - an extra

    try:
        size = path.stat().st_size
        if size < _SMALLEST:
            return None
        metadata = parquet.read_metadata(path)
        text = (metadata.metadata or {}).get(ledger_totals.KEY.encode())
    except (OSError, ArrowException):
        return None  # whoever reads the rows says what is wrong with it
    found = None if text is None else ledger_totals.decode(text)
    name = ledger.parse(path.name)
    if found is None or name is None:
        return None
    # Eight bytes at the end: the footer's length, and the mark of a Parquet file.
    data_bytes = size - metadata.serialized_size - 8
    is_whole = (found.rows, found.data_bytes) == (metadata.num_rows, data_bytes)
    is_its_own = (found.window_start, found.writer) == (name.start_s, name.writer)
    return found if is_whole and is_its_own else None
