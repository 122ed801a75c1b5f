"""Which files of a ledger belong to a period, and which cannot be trusted.

Every `*.parquet` of the main table is accounted for: read, outside the period, a copy of one that
is read, or named as broken. The ledger's other tables are in folders whose names begin with `_`.
"""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tenantmetrics import ledger
from tenantmetrics.errors import LedgerError
from tenantmetrics.ledger import FileName

__all__ = ["Broken", "LedgerFiles", "find", "find_statements", "named"]

_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that cannot be read, and what is missing without it."""

    path: Path
    reason: str
    name: FileName | None = None


@dataclass(slots=True)
class LedgerFiles:
    """The files of a ledger.

    Attributes:
        root: The ledger's folder.
        good: Files by what their name says, in order of time; not opened yet.
        broken: Files that cannot be read.
        copies: Files that are byte for byte another one's copy, left out without loss.
        statements: Folders of the table of statements: one, or that of each ledger below `root`.
    """

    root: Path
    good: dict[FileName, Path] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    copies: list[Path] = field(default_factory=list)
    statements: list[Path] = field(default_factory=list)

    def within(self, start_s: int, end_s: int) -> list[Path]:
        """The good files whose window starts in [start_s, end_s)."""
        return [path for name, path in self.good.items() if start_s <= name.start_s < end_s]


def find(path: str | os.PathLike[str]) -> LedgerFiles:
    """List a ledger.

    Raises:
        LedgerError: The folder is missing or holds no ledger file, a file was written by a newer
            version, or two different files claim to be the same window.
    """
    root = Path(path)
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise LedgerError(f"ledger {str(path)!r} {what}: give the folder the exporter writes to")
    found = LedgerFiles(root)
    every = sorted(_parquet_files(root, found.statements))
    if not every:
        raise LedgerError(
            f"ledger {str(path)!r} is empty: no Parquet file in it; the exporter ledger:{path} "
            "writes one a minute and at exit"
        )
    for file in every:
        _sort_in(found, file)
    found.good = dict(sorted(found.good.items()))
    return found


def find_statements(files: LedgerFiles) -> LedgerFiles:
    """List the table of statements of a ledger: nothing, where its writers wrote none.

    Raises:
        LedgerError: As `find`.
    """
    found = LedgerFiles(files.root)
    for folder in sorted(files.statements):
        for file in sorted(_parquet_files(folder)):
            _sort_in(found, file)
    # A window counts whole or not at all.
    found.good = {name: path for name, path in sorted(found.good.items()) if name in files.good}
    return found


def _parquet_files(root: Path, statements: list[Path] | None = None) -> Iterator[Path]:
    """All below the folder but a ledger's other tables, whose folders begin with `_`.

    Args:
        root: The folder.
        statements: Gets the folders of tables of statements that are passed.
    """
    for folder, below, names in os.walk(root, onerror=_refuse):
        if statements is not None and ledger.STATEMENTS in below:
            statements.append(Path(folder, ledger.STATEMENTS))
        below[:] = [name for name in below if not name.startswith("_")]
        for name in names:
            if name.endswith(".parquet") and not name.startswith("."):
                yield Path(folder, name)


def _refuse(error: OSError) -> None:
    raise LedgerError(f"ledger folder {str(error.filename)!r} cannot be read: {error.strerror}")


def _sort_in(found: LedgerFiles, file: Path) -> None:
    name = ledger.parse(file.name)
    if name is None:
        found.broken.append(Broken(file, "not named as the ledger exporter names its files"))
    elif name.version > ledger.VERSION:
        raise LedgerError(
            f"ledger file {str(file)!r} was written by a newer tenantmetrics: upgrade this one"
        )
    elif name not in found.good:
        found.good[name] = file
    elif filecmp.cmp(found.good[name], file, shallow=False):
        found.copies.append(file)
    else:
        raise LedgerError(
            f"ledger files {str(found.good[name])!r} and {str(file)!r} claim to be the same "
            "window and differ: delete or move the wrong one"
        )


def named(broken: Sequence[Broken], root: Path) -> str:
    """Broken files in words: which, why, and what is missing without them."""
    words = []
    for file in broken[:_NAMES_SHOWN]:
        text = f"{file.path.relative_to(root)} ({file.reason}"
        if file.name is not None:
            start = datetime.fromtimestamp(file.name.start_s, UTC)
            text += f"; the window {start:%Y-%m-%d %H:%M:%S} UTC of writer {file.name.writer}"
        words.append(text + ")")
    more = len(broken) - len(words)
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")
