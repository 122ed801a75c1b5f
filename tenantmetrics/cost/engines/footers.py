"""What files say in their footers: sums over tenants, and that all of their rows are of one hour.

What they say need not be worked out of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from tenantmetrics import ledger
from tenantmetrics.ledger_totals import OF_STATEMENTS, OF_USAGE, Totals, TotalsOf, decode

__all__ = ["Footers"]

_SMALLEST = 64 * 1024
"""Bytes of a file whose footer is looked at: the rows of a smaller one are read as soon."""

_START = "window_start"


class _Footer(NamedTuple):
    """What one file's says.

    Attributes:
        totals: Its sums, by what they are of; None where it does not say them.
        one_window: Whether its rows are of the window that the file's name says.
    """

    totals: tuple[TotalsOf, Totals] | None
    one_window: bool


class Footers:
    """The footers of files, each read once."""

    def __init__(self) -> None:
        self._known: dict[Path, _Footer] = {}

    def totals(self, table: TotalsOf, paths: Sequence[Path]) -> tuple[Any, list[Path]]:
        """The sums by file and what they are of, and the files that do not say them.

        Args:
            table: Whose sums to look for.
            paths: Files of that table.

        Returns:
            A `pyarrow.Table` of `start_s`, `window_s`, `writer`, `resource_arn`, and the names and
            sums of `table`, None where no footer has sums; and the files whose rows have to be
            read.
        """
        rows: list[tuple[Any, ...]] = []
        others = []
        for path in paths:
            found = self._of(path).totals if _size(path) >= _SMALLEST else None
            if found is None or found[0] is not table:
                others.append(path)
                continue
            said = found[1]
            of_window = said.window_start, said.window_s, said.writer
            rows += [(*of_window, arn, *of, *sums) for arn, of, sums in said.totals]
        if not rows:
            return None, list(paths)
        import pyarrow as pa  # noqa: PLC0415 - an extra

        names: dict[str, type] = {"start_s": int, "window_s": int, "writer": str}
        names |= {"resource_arn": str, **table.names, **dict.fromkeys(table.sums, int)}
        types = [pa.string() if kind is str else pa.int64() for kind in names.values()]
        columns = zip(zip(*rows, strict=True), types, strict=True)
        return pa.table([pa.array(column, kind) for column, kind in columns], list(names)), others

    def say_windows(self, paths: Sequence[Path]) -> bool:
        """Whether all rows of each file are of the window that the file's name says."""
        return all(self._of(path).one_window for path in paths)

    def _of(self, path: Path) -> _Footer:
        if path not in self._known:
            self._known[path] = _read(path)
        return self._known[path]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # whoever reads the rows says what is wrong with it


def _read(path: Path) -> _Footer:
    """A file's footer; what is not of the file's own rows counts as not said."""
    from pyarrow import ArrowException, parquet  # noqa: PLC0415 - an extra

    name = ledger.parse(path.name)
    try:
        size = path.stat().st_size
        metadata = parquet.read_metadata(path)
    except (OSError, ArrowException):
        return _Footer(None, one_window=False)
    if name is None:
        return _Footer(None, one_window=False)
    totals = None
    for table in (OF_STATEMENTS, OF_USAGE):
        text = (metadata.metadata or {}).get(table.key.encode())
        found = None if text is None else decode(text, table)
        if found is None:
            continue
        # Eight bytes at the end: the footer's length, and the mark of a Parquet file.
        data_bytes = size - metadata.serialized_size - 8
        is_whole = (found.rows, found.data_bytes) == (metadata.num_rows, data_bytes)
        is_its_own = (found.window_start, found.writer) == (name.start_s, name.writer)
        totals = (table, found) if is_whole and is_its_own else None
    return _Footer(totals, _is_of_window(metadata, name.start_s))


def _is_of_window(metadata: Any, start_s: int) -> bool:
    """Whether the statistics of `window_start` know of no other moment."""
    names = [metadata.schema.column(place).path for place in range(metadata.num_columns)]
    if _START not in names:
        return False
    place = names.index(_START)
    start = datetime.fromtimestamp(start_s, UTC)
    for number in range(metadata.num_row_groups):
        found = metadata.row_group(number).column(place).statistics
        if found is None or not found.has_min_max or found.null_count:
            return False
        # A moment without a time zone equals none that has one.
        if not found.min == start == found.max:
            return False
    return True
