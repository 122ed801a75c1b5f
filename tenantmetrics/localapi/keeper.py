"""Keeps one PostgreSQL alive exactly as long as whoever started it. Run as a script.

A process of its own, because only that survives every way in which its owner can end: an exception
halfway through the start, Ctrl-C, SIGTERM, SIGKILL. It holds the reading end of a pipe; when the
pipe closes, for whatever reason, it stops the server and removes what was only temporary. It needs
nothing but the standard library, so that it is up in hundredths of a second.

The argument is where to make the temporary folder, whose path is its first line on standard
output. It makes the folder because it removes it: an owner that is killed at any moment leaves
none. It then reads its orders, a JSON object on one line, see `Orders` in `postgres.py`, and
answers with one line: `ready`, or `failed: ` and why. A server that dies later is started again
on the same data: `died: ` and its last words, then `ready` or `failed: ` as at first.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_POLL_S = 0.01
_START_S = 60.0
_STOP_S = 10.0
_RESTARTS = 3
"""A server that dies more often than this is not worth another start."""
_ORPHANS_S = 10.0
"""Backends of a server that was killed hold its shared memory until they have noticed."""
_PR_SET_PDEATHSIG = 1
_STOP = b"stop"
"""What `postgres._stop` says."""


def main() -> None:
    """Start, report, wait for the owner to go, stop, clean up."""
    # Ctrl-C and a closed terminal are the owner's business; the pipe tells when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    work: Path | None = None
    server: subprocess.Popen[bytes] | None = None
    try:
        try:
            work = Path(tempfile.mkdtemp(prefix="tenantmetrics-", dir=sys.argv[1]))
            if os.geteuid() == 0:
                # The server's user passes through it.
                work.chmod(0o711)
            print(work, flush=True)  # noqa: T201 - the protocol
            orders = _read_orders()
            _initialize(orders)
            server = _start(orders)
            _await_ready(orders, server)
            _say("ready")
            for _ in range(_RESTARTS):
                _say(f"died: {_await_death(server)}")
                server = _restart(orders)
                _say("ready")
            _say(f"failed: {_await_death(server)}, for the {_RESTARTS + 1}th time")
        except _OwnerLeftError:
            return
        except (OSError, RuntimeError) as error:
            _say(f"failed: {error}")
            return
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if server is not None:
            _stop(server)
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)


def _read_orders() -> dict[str, Any]:
    """One line, unbuffered: what follows it is looked for by `_owner_left`."""
    line, end = b"", b""
    while not end:
        part = os.read(sys.stdin.fileno(), 65_536)
        if not part:
            raise _OwnerLeftError
        line, end, more = (line + part).partition(b"\n")
        if more or line == _STOP:  # an owner that cannot give orders says so before it leaves
            raise _OwnerLeftError
    orders: dict[str, Any] = json.loads(line)
    return orders


class _OwnerLeftError(Exception):
    """The owner closed the pipe or died."""


def _owner_left(wait_s: float) -> bool:
    """Wait at most `wait_s` for the owner to say or do anything; that can only be to leave."""
    return bool(select.select([sys.stdin], [], [], wait_s)[0])


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        print(" ".join(line.split()), flush=True)  # noqa: T201 - the protocol


def _initialize(orders: dict[str, Any]) -> None:
    """Make the cluster's files, unless they are there."""
    if Path(orders["data"], "PG_VERSION").exists():
        return
    process = _run(orders, [orders["initdb"], "-D", orders["data"], *orders["initdb_options"]])
    try:
        while process.poll() is None:
            if _owner_left(_POLL_S):
                raise _OwnerLeftError
    finally:
        if process.poll() is None:
            # It runs postgres itself; SIGTERM lets it end that and remove its half-made files.
            process.terminate()
            process.wait()
    if process.returncode:
        raise RuntimeError(f"initdb: {_last_words(orders)}")


def _start(orders: dict[str, Any]) -> subprocess.Popen[bytes]:
    return _run(orders, [orders["postgres"], "-D", orders["data"], *orders["options"]])


def _await_death(server: subprocess.Popen[bytes]) -> str:
    """Wait until the server ends by itself; returns how it ended."""
    while (status := server.poll()) is None:
        if _owner_left(0.2):
            raise _OwnerLeftError
    return f"it was ended by signal {-status}" if status < 0 else f"it ended with status {status}"


def _restart(orders: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start on the data of a server that died, as soon as its backends have gone."""
    waited_s = 0.0
    while True:
        server = _start(orders)
        try:
            _await_ready(orders, server)
        except RuntimeError:
            if waited_s >= _ORPHANS_S:
                raise
        except BaseException:
            _stop(server)
            raise
        else:
            return server
        if _owner_left(0.2):
            raise _OwnerLeftError
        waited_s += 0.2


def _await_ready(orders: dict[str, Any], server: subprocess.Popen[bytes]) -> None:
    """Wait until the server's own pid file says that it accepts connections."""
    pid_file = Path(orders["data"], "postmaster.pid")
    waited_s = 0.0
    while waited_s < _START_S:
        if server.poll() is not None:
            raise RuntimeError(f"postgres: {_last_words(orders)}")
        with contextlib.suppress(OSError):
            lines = pid_file.read_text().split("\n")
            if lines[0] == str(server.pid) and lines[7:8] and lines[7].strip() == "ready":
                return
        if _owner_left(_POLL_S):
            raise _OwnerLeftError
        waited_s += _POLL_S
    raise RuntimeError(f"postgres is not ready after {_START_S:g} s: {_last_words(orders)}")


def _run(orders: dict[str, Any], command: list[str]) -> subprocess.Popen[bytes]:
    """Start a command as the server's user, its output in the log."""
    uid, gid = orders["uid"], orders["gid"]
    identity: dict[str, Any] = (
        {} if uid is None else {"user": uid, "group": gid, "extra_groups": []}
    )
    with Path(orders["log"]).open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own command line
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=orders["directory"],
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one thread only in this process
            **identity,
        )


def _die_with_parent() -> None:
    """Even when this keeper is killed outright, Linux takes the server down with it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Fast shutdown, then immediate shutdown, then no mercy."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if server.poll() is None:
            server.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(_STOP_S)


def _last_words(orders: dict[str, Any]) -> str:
    """The end of the log, where the reason stands."""
    text = Path(orders["log"]).read_text(errors="replace").strip()
    fatal = [line for line in text.splitlines() if "FATAL" in line or "error" in line.lower()]
    return " ".join((fatal or text.splitlines() or ["no output"])[-3:])


if __name__ == "__main__":
    main()
