"""A file by its name, whatever letters are in it: DuckDB takes `*`, `?` and `[` for patterns."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["GZIP", "as_named", "is_gzip"]

GZIP = b"\x1f\x8b"
"""How a gzip file begins (RFC 1952)."""


def as_named(path: Path) -> str:
    """A pattern for DuckDB that only this path fits: `export [1].csv` is no `export 1.csv`."""
    return re.sub(r"[*?\[]", r"[\g<0>]", str(path))


def is_gzip(path: Path) -> bool:
    """Whether a file is packed with gzip, whatever its name says.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP
