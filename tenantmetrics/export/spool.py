"""Windows kept on local disk for a destination that is out of reach: bounded, in order, once.

    SPOOL/<destination>/<keeper>/date=.../hour=.../<window>.parquet
    SPOOL/<destination>/<keeper>/_statements/date=.../hour=.../<window>.parquet

Files of one name are one window's: the statements are sent first, and both are given up together.
Each process keeps its windows in a folder of its own and holds a lock on it. The folder of one that
died is adopted by the next that looks. A file is removed only after its upload; a crash in between
uploads it again under the same name, which changes nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from tenantmetrics.errors import ConfigError
from tenantmetrics.export.ledger import write

__all__ = ["Spool"]

_LOCK = ".lock"


class Spool:
    """This process's part of the spool, and what dead processes left in it.

    Args:
        path: Folder of the spool; empty is one for this user in the system's temporary folder.
        destination: Where the windows are to go; each has a folder of its own.
        max_bytes: Bytes that all windows for the destination may take.
        calls: How many calls a file (its name, its content) counts for where it is given up.

    Raises:
        ConfigError: The folder cannot be made, or is somebody else's.
    """

    def __init__(
        self,
        path: str,
        destination: str,
        max_bytes: int,
        calls: Callable[[PurePosixPath, bytes], int],
    ) -> None:
        user = os.getuid()
        root = Path(path or Path(tempfile.gettempdir()) / f"tenantmetrics-spool-{user}").absolute()
        _private(root, user)
        # A digest: a bucket and prefix may be longer than a file's name, and hold slashes.
        self._root = root / hashlib.sha256(destination.encode()).hexdigest()[:16]
        self._max_bytes = max_bytes
        self._calls = calls
        self._own = self._root / secrets.token_hex(8)
        self._lock: int | None = None

    def keep(self, name: PurePosixPath, content: bytes) -> Path:
        """Write a window's file.

        Args:
            name: Relative, as it will be called at its destination.
            content: The file.

        Raises:
            OSError: The disk is full or gone.
        """
        if self._lock is None:
            self._own.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _lock(self._own)
        target = self._own / name
        write(target, content)
        return target

    def waiting(self) -> list[tuple[PurePosixPath, Path]]:
        """Everything that is to be sent, oldest first: own windows and those of the dead."""
        folders = [self._own, *self._orphans()]
        found = [
            (PurePosixPath(file.relative_to(folder)), file)
            for folder in folders
            for file in folder.rglob("hour=*/[!.]*.parquet")
        ]
        # The name begins with the window's time; the writer and its sequence follow.
        return sorted(found, key=lambda pair: (pair[0].name, -len(pair[0].parts), pair[1]))

    def trim(self) -> int:
        """Give up the oldest windows until the rest fits.

        Returns:
            The calls that they held.
        """
        windows: dict[str, list[tuple[PurePosixPath, Path, int]]] = {}
        for name, file in self.waiting():
            windows.setdefault(name.name, []).append((name, file, _size(file)))
        total = sum(size for files in windows.values() for _, _, size in files)
        lost = 0
        for files in windows.values():
            if total <= self._max_bytes:
                break
            for name, file, size in files:
                with contextlib.suppress(OSError):
                    content = file.read_bytes()
                    file.unlink()
                    lost += self._calls(name, content)
                total -= size
        return lost

    def close(self) -> None:
        """Let go of the lock: what is left is for the next process."""
        for folder in (self._own, *self._orphans()):
            _remove_empty(folder)
        self.abandon()

    def abandon(self) -> None:
        """Close the lock's file; after a fork this leaves the parent's lock as it is."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _orphans(self) -> Iterator[Path]:
        """Folders whose process is gone."""
        try:
            folders = sorted(self._root.iterdir())
        except OSError:
            return
        for folder in folders:
            if folder == self._own or not folder.is_dir():
                continue
            lock = _lock(folder)
            if lock is not None:
                # Held only while looking: two that adopt at once upload the same under one name.
                os.close(lock)
                yield folder


def _lock(folder: Path) -> int | None:
    """An exclusive lock on a folder; None if a living process has it."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _private(root: Path, user: int) -> None:
    """A folder that only this user can read and write; the temporary folder is everybody's."""
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = root.lstat()
    except OSError as error:
        raise ConfigError(
            f"spool_path {str(root)!r} cannot be made: {error.strerror}; set it to another folder"
        ) from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != user:
        raise ConfigError(
            f"spool_path {str(root)!r} belongs to another user: set it to another folder"
        )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # another process has just sent it


def _remove_empty(folder: Path) -> None:
    """Remove a folder that holds nothing but its lock."""
    for below in sorted(folder.rglob("hour=*"), reverse=True):
        with contextlib.suppress(OSError):
            below.rmdir()
            below.parent.rmdir()
            if below.parent.parent != folder:
                below.parent.parent.rmdir()
    with contextlib.suppress(OSError):
        if [file.name for file in folder.iterdir()] == [_LOCK]:
            (folder / _LOCK).unlink()
            folder.rmdir()
