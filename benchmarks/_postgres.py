"""A PostgreSQL with pg_stat_statements for a benchmark: Debian's, in a folder that goes away."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_DEBIAN = Path("/usr/lib/postgresql")


def binaries() -> Path:
    """The folder of the programs: POSTGRES_BIN, or the newest that Debian's packages installed."""
    if named := os.environ.get("POSTGRES_BIN"):
        return Path(named)
    found = sorted(_DEBIAN.glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    if not found:
        sys.exit(
            "this benchmark needs a PostgreSQL with pg_stat_statements: apt-get install -y "
            "postgresql, or POSTGRES_BIN=/folder/of/pg_ctl"
        )
    return found[-1].parent


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Run one.

    Yields:
        The URL of its database `postgres` and its superuser; any role may connect.
    """
    programs = binaries()
    # Root may not run PostgreSQL.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="tenantmetrics-pg-"))
    if user is not None:
        shutil.chown(folder, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(program: str, *arguments: object) -> None:
        done = subprocess.run(
            [str(programs / program), *map(str, arguments)],
            user=user,
            group=user,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        if done.returncode:
            log = folder / "log"
            sys.exit(f"{program} fails: {log.read_text()[-1000:] if log.exists() else done.args}")

    data = folder / "data"
    run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
    settings = data / "postgresql.conf"
    lines = [
        "shared_preload_libraries = 'pg_stat_statements'",
        "listen_addresses = '127.0.0.1'",
        f"port = {port}",
        f"unix_socket_directories = '{folder}'",
        "fsync = off",
        "max_connections = 200",
        "autovacuum = off",
        "max_parallel_workers_per_gather = 0",
    ]
    settings.write_text(settings.read_text() + "\n".join(lines) + "\n")
    run("pg_ctl", "-D", data, "-l", folder / "log", "-w", "-s", "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "-w", "-s", "stop")
        shutil.rmtree(folder, ignore_errors=True)
