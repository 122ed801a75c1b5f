"""CSV files of providers, by the names of their columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["rows_of", "written"]


def written(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """The text of a file.

    Args:
        columns: Their names, in order.
        rows: A value for each column.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, columns)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def rows_of(columns: Sequence[str], text: str) -> Iterator[dict[str, str]]:
    """The rows of such a text.

    Raises:
        ValueError: It has other columns.
    """
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    if tuple(rows.fieldnames or ()) != tuple(columns):
        raise ValueError("its columns are others")
    yield from rows
