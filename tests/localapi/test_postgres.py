"""The embedded PostgreSQL: starts, keeps or throws away its data, and never outlives its owner."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import psutil
import psycopg
import pytest

from tenantmetrics.errors import LocalApiError
from tenantmetrics.localapi import serve
from tenantmetrics.localapi.postgres import embedded

OWNER = """
import sys
from tenantmetrics.localapi.postgres import embedded
with embedded() as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def family(process):
    """A process's descendants; the keeper is one, the server and its backends are the keeper's."""
    return psutil.Process(process.pid).children(recursive=True)


def all_gone(processes):
    _, alive = psutil.wait_procs(processes, timeout=20)
    return not alive


def test_two_servers_do_not_know_of_each_other():
    """Each has its own folder, socket and data."""
    with embedded() as one, embedded() as other:
        with psycopg.connect(one, autocommit=True) as connection:
            connection.execute("CREATE TABLE only_here ()")
        with psycopg.connect(other) as connection:
            assert connection.execute("SELECT to_regclass('only_here')").fetchone() == (None,)


def test_stopping_leaves_neither_process_nor_folder():
    """The backend of a client that is still connected goes too."""
    before = set(psutil.Process().children())
    with embedded() as url:
        work = Path(psycopg.conninfo.conninfo_to_dict(url)["host"]).parent
        assert work.is_dir()
        mine = [c for c in psutil.Process().children() if c not in before]
        descendants = [p for child in mine for p in [child, *child.children(recursive=True)]]
        connection = psycopg.connect(url)
    assert all_gone(descendants)
    assert not work.exists()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_owner_that_is_killed_takes_the_server_with_it(number):
    """However it ends, no process and no folder stay behind."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as owner:
        url = owner.stdout.readline().strip()
        work = Path(psycopg.conninfo.conninfo_to_dict(url)["host"]).parent
        descendants = family(owner)
        assert len(descendants) > 2
        owner.send_signal(number)
        owner.wait(20)
    assert all_gone(descendants)
    assert not work.exists()


def test_a_program_that_ends_inside_the_block_ends_well():
    """An interpreter that finalises runs no other thread, and waits for none."""
    program = "from tenantmetrics.localapi.postgres import embedded\nkept = embedded()\n"
    program += "print(kept.__enter__())"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    folder = psycopg.conninfo.conninfo_to_dict(done.stdout.strip())["host"]
    assert not Path(folder).parent.exists()


@pytest.mark.parametrize(
    "delay_s",
    [0.05, 0.3, *(pytest.param(n / 20, marks=pytest.mark.long) for n in range(20))],
)
def test_an_owner_that_dies_while_starting_leaves_nothing(delay_s, eventually):
    """At any point: as soon as there is a folder, during initdb, before the server is ready."""
    # A temporary folder of its own tells what is left behind; short, for the socket's sake.
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as temporary:
        Path(temporary).chmod(0o755)
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": temporary},
        )
        waiter = threading.Event()
        # The import takes its time first: wait for the folder, then for the moment to be tried.
        # Python's own trial file comes before it, and an owner that is killed meanwhile leaves it.
        while not any(path.is_dir() for path in Path(temporary).iterdir()):
            assert owner.poll() is None
            waiter.wait(0.001)
        waiter.wait(delay_s)
        owner.kill()
        owner.wait()
        owner.stdin.close()
        eventually(lambda: not _running_in(temporary))
        assert [*Path(temporary).iterdir()] == []


def _running_in(folder):
    """Processes that have a folder in their arguments."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(folder in argument for argument in process.info["cmdline"] or ())
    ]


def test_ctrl_c_while_a_folder_is_looked_for_leaves_nothing(tmp_path, monkeypatch):
    """Python tries the folder for temporary files with a file of its own, once a process."""
    tried = tmp_path / "tried"

    def ask():
        tried.touch()
        signal.raise_signal(signal.SIGINT)
        tried.unlink()
        return str(tmp_path)

    monkeypatch.setattr(tempfile, "gettempdir", ask)
    with pytest.raises(KeyboardInterrupt), embedded():
        pass

    assert not tried.exists()


def test_data_in_a_folder_is_kept(folder):
    """A second start finds what the first one wrote, and the role again."""
    data = folder / "data"
    with serve(data=data, roles=["app"], database="shop") as endpoint:
        assert endpoint.database == "shop"
        with psycopg.connect(endpoint.psycopg_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (id int)")
    assert (data / "PG_VERSION").exists()
    with (
        serve(data=data, roles=["app"], database="shop") as endpoint,
        psycopg.connect(endpoint.psycopg_url) as connection,
    ):
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_a_folder_in_use_is_one_clear_line(folder):
    """PostgreSQL's own lock is what refuses."""
    with embedded(folder / "data"):
        with (
            pytest.raises(LocalApiError, match=r"postmaster\.pid") as caught,
            embedded(folder / "data"),
        ):
            pass
        assert "\n" not in str(caught.value)


def test_a_folder_of_something_else_is_left_alone(folder, capfd):
    """Nothing is written into it, and the keeper, which was started already, says nothing."""
    (folder / "file").write_text("mine")
    with pytest.raises(LocalApiError, match="neither empty nor"), embedded(folder):
        pass
    assert [path.name for path in folder.iterdir()] == ["file"]
    assert capfd.readouterr().err == ""


def test_data_of_another_version_is_left_alone_and_both_are_named(folder):
    """PostgreSQL's own message comes only after the start."""
    (folder / "PG_VERSION").write_text("15\n")
    complaint = "holds data of PostgreSQL 15, and this is PostgreSQL 18"
    with pytest.raises(LocalApiError, match=complaint), embedded(folder):
        pass
    assert [path.name for path in folder.iterdir()] == ["PG_VERSION"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")
def test_a_folder_that_the_server_cannot_enter_is_not_made(tmp_path):
    """As root, the server runs as nobody, who cannot look into root's folders."""
    tmp_path.chmod(0o700)
    with pytest.raises(LocalApiError, match="cannot enter"), embedded(tmp_path / "pg" / "data"):
        pass
    assert not any(tmp_path.iterdir())


def test_the_installed_postgresql_brings_its_extensions(require_postgres):
    """The newest one of the machine runs as the embedded one does, and is thrown away."""
    with serve(postgres="installed", roles=["app"]) as endpoint:
        client = endpoint.client()
        same = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}
        for extension in ("hstore", "citext", "pg_trgm", "uuid-ossp", "pg_stat_statements"):
            client.execute_statement(sql=f'CREATE EXTENSION "{extension}"', **same)
        found = client.execute_statement(sql="SELECT 'A'::citext = 'a'::citext", **same)
    assert found["records"] == [[{"booleanValue": True}]]


def test_a_folder_without_programs_is_one_clear_line(folder):
    """It is named."""
    with pytest.raises(LocalApiError, match="no programs postgres"), embedded(programs=folder):
        pass


def test_a_forked_child_that_ends_leaves_the_parents_server_alone():
    """The child unwinds the same frames; only the parent may stop what the parent started."""
    code = """
import os, sys, urllib.request
from tenantmetrics.localapi import serve
parent = os.getpid()
with serve() as endpoint:
    child = os.fork()
    if not child:
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    client = endpoint.client()
    arns = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}
    assert client.execute_statement(**arns, sql="SELECT 1")["records"]
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_uuid_ossp_agrees_with_python(data_api_endpoint):
    """The extension that most migrations ask for; names hash as the RFC says, at any length."""
    with psycopg.connect(data_api_endpoint.psycopg_url) as connection:
        connection.execute('CREATE EXTENSION IF NOT EXISTS "uuid-ossp"')
        for name in ("", "a", "é" * 10, "x" * 39, "x" * 40, "x" * 47, "x" * 48, "x" * 200):
            got = connection.execute(
                "SELECT uuid_generate_v3(uuid_ns_dns(), %(n)s),"
                " uuid_generate_v5(uuid_ns_url(), %(n)s)",
                {"n": name},
            ).fetchone()
            expected = uuid.uuid3(uuid.NAMESPACE_DNS, name), uuid.uuid5(uuid.NAMESPACE_URL, name)
            assert got == expected
        first, second, random = connection.execute(
            "SELECT uuid_generate_v1(), uuid_generate_v1mc(), uuid_generate_v4()",
        ).fetchone()
        connection.rollback()
    assert (first.version, second.version, random.version) == (1, 1, 4)
    assert {first.variant, second.variant} == {uuid.RFC_4122}
    # Ticks of 100 ns since 1582; within a day of the clock that Python sees.
    ticks = time.time_ns() // 100 + 0x01B21DD213814000
    assert abs(first.time - ticks) < 24 * 3600 * 10**7
    assert first.node >> 40 & 1
