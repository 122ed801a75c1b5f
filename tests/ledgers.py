"""What a ledger's files say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyarrow import dataset

__all__ = ["calls_by", "ledger_rows"]


def ledger_rows(folder: Path) -> list[dict[str, Any]]:
    """All rows of a ledger's table of calls."""
    return dataset.dataset(folder, format="parquet").to_table().to_pylist()


def calls_by(folder: Path, *columns: str) -> dict[tuple[Any, ...], int]:
    """Calls by the values of columns, summed over the ledger."""
    sums: dict[tuple[Any, ...], int] = {}
    for row in ledger_rows(folder):
        key = tuple(row[column] for column in columns)
        sums[key] = sums.get(key, 0) + row["calls"]
    return sums
