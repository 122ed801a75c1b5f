"""CSV files of bills: their header, and what is wrong with them in one line."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tenantmetrics.cost.as_named import as_named, is_gzip
from tenantmetrics.errors import ReportError

__all__ = ["explain", "open_csv"]

# What exports write where a value is missing, besides nothing: SQL's, Python's and Hive's.
_NULLS = ["", "NULL", "null", "None", "\\N"]

_BUFFER_BYTES = 16 * 2**20
"""What is read of a file at once. DuckDB's own 32 MiB, several of them a file, take a third more
memory of a bill in parts, and no less time."""

_REASONS = (
    (r"Expected Number of Columns: (\d+) Found: (\d+)", r"\2 values for \1 columns"),
    (r"unterminated quote", "a quote is not closed"),
    (r"[Ii]nvalid unicode", "it is not UTF-8 text"),
    (r"Maximum line size of (\d+)", r"it is longer than \1 bytes"),
)


def open_csv(database: Any, path: Path) -> Any:
    """A DuckDB relation of texts. Nothing about the file is guessed: it is RFC 4180, with commas.

    Raises:
        ReportError: There is no header, or its delimiter is another.
        duckdb.Error: The file cannot be read.
    """
    header, is_packed = _header(path)
    if len(header) == 1 and re.search(r"[;\t|]", header[0]):
        raise ReportError(f"{str(path)!r} row 1: unexpected delimiter: it must be a comma")
    # Two columns of one name: DuckDB wants them told apart.
    names = [f"{name}#{place}" if name in header[:place] else name
             for place, name in enumerate(header)]  # fmt: skip
    return database.read_csv(
        as_named(path),
        compression="gzip" if is_packed else "none",
        header=True,
        auto_detect=False,
        columns=dict.fromkeys(names, "VARCHAR"),
        delimiter=",",
        quotechar='"',
        escapechar='"',
        na_values=_NULLS,
        strict_mode=True,
        buffer_size=_BUFFER_BYTES,
    )


def _header(path: Path) -> tuple[list[str], bool]:
    """The names of the columns, and whether the file is packed."""
    try:
        is_packed = is_gzip(path)
        opened = gzip.open if is_packed else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file, strict=True), [])
    except UnicodeDecodeError:
        raise ReportError(f"{str(path)!r} cannot be read: it is not UTF-8 text") from None
    except (OSError, EOFError, csv.Error) as error:
        raise ReportError(f"{str(path)!r} row 1 cannot be read: {error}") from None
    if not any(name.strip() for name in header):
        raise ReportError(f"{str(path)!r} row 1: there is no header")
    return header, is_packed


def explain(error: Exception, paths: Sequence[Path]) -> ReportError:
    """DuckDB's error in one line: the row and what is wrong with it, where it says so.

    Args:
        error: What DuckDB raised.
        paths: The files that it was reading.
    """
    text = str(error)
    names = ", ".join(repr(str(path)) for path in paths)
    row = re.search(r"CSV Error on Line: (\d+)", text)
    for pattern, words in _REASONS:
        if row and (found := re.search(pattern, text)):
            file = re.search(r"^\s*file\s*=\s*(.+)$", text, re.MULTILINE)
            where = repr(file[1].strip()) if file else names
            return ReportError(f"{where} row {row[1]}: {found.expand(words)}")
    return ReportError(f"{names} cannot be read: {' '.join(text.split())[:300]}")
