"""What `report` writes: every file of one run, or none of them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import typer

from tenantmetrics.errors import ReportError

__all__ = ["Contents", "keep_inputs", "merged", "say", "write"]

Contents = Mapping[Path, Callable[[], str | bytes]]
"""What makes a file's content, by file."""


def merged(*parts: Contents) -> dict[Path, Callable[[], str | bytes]]:
    """All of the files.

    Raises:
        ReportError: Two have the same name.
    """
    files: dict[Path, Callable[[], str | bytes]] = {}
    places = set()
    for part in parts:
        for path, make in part.items():
            if path.resolve() in places:
                raise ReportError(f"{str(path)!r} is to be written twice")
            places.add(path.resolve())
            files[path] = make
    return files


def keep_inputs(
    inputs: Iterable[str | Path | None], bills: Iterable[str], files: Iterable[Path]
) -> None:
    """Make sure that nothing is written over that the report reads.

    Args:
        inputs: What it reads.
        bills: Bills among it: of a folder every CSV file is read, the next time as well.
        files: What it is to write.

    Raises:
        ReportError: A file is both.
    """
    read = {Path(name).resolve() for name in (*inputs, *bills) if name}
    folders = {Path(name).resolve() for name in bills if name and Path(name).is_dir()}
    for path in files:
        place = path.resolve()
        if place in read:
            raise ReportError(
                f"{str(path)!r} is read by this report and would be written over: name another file"
            )
        if place.suffix.lower() == ".csv" and folders & set(place.parents):
            raise ReportError(
                f"{str(path)!r} lies in the folder of the bill, and would be read as a part of it: "
                "name a file elsewhere"
            )


def say(left_out: str, *notes: str) -> None:
    """Say on standard error what whoever uses the files must know, a line each.

    Args:
        left_out: Input that could not be read, in words; empty if nothing was.
        notes: The rest.
    """
    if left_out:
        typer.echo(f"tenantmetrics: warning: left out {left_out}", err=True)
    for note in notes:
        typer.echo(f"tenantmetrics: {note}", err=True)


def write(files: Contents, folder: Path | None) -> None:
    """Write the files, each made as it is written and moved into place when all are complete.

    Says on standard error which; of the folder's files, how many.

    Args:
        files: By name.
        folder: One that is made if it is not there, and taken away again if nothing comes of it.

    Raises:
        ReportError: One cannot be written; then none of them was changed.
    """
    from tenantmetrics.report.text import write_files

    made: list[Path] = []
    try:
        if folder is not None:
            made = [path for path in (folder, *folder.parents) if not path.exists()]
            folder.mkdir(parents=True, exist_ok=True)
        write_files(_Made(files))
    except OSError as error:
        _take_away(made)
        raise ReportError(f"{str(folder)!r} cannot be written to: {error.strerror}") from None
    except BaseException:
        _take_away(made)
        raise
    others = [path for path in files if path.parent != folder]
    for path in others:
        typer.echo(f"wrote {path}", err=True)
    if folder is not None:
        count = len(files) - len(others)
        typer.echo(f"wrote {count:,} file{'s' * (count != 1)} to {folder}", err=True)


def _take_away(folders: list[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


class _Made(Mapping[str | os.PathLike[str], str | bytes]):
    """The contents, each made when it is asked for."""

    def __init__(self, files: Contents) -> None:
        self._files = files

    def __getitem__(self, path: str | os.PathLike[str]) -> str | bytes:
        return self._files[Path(path)]()

    def __iter__(self) -> Iterator[str | os.PathLike[str]]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)
