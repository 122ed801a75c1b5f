"""Application servers that fork: each process delivers its own calls, once, and no other's."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

APP = """
    import os
    import tenantmetrics
    from benchmarks._stub import CLUSTER, SECRET, client

    tenantmetrics.configure(exporters=["ledger:" + os.environ["LEDGER"]], exit_timeout_s=20)
    rds = tenantmetrics.instrument(client())

    def call(tenant):
        with tenantmetrics.tenant(tenant):
            rds.execute_statement(resourceArn=CLUSTER, secretArn=SECRET, sql="SELECT 1")

    call("preload")
    assert tenantmetrics.flush(20)
    call("preload, not flushed")

    def application(environ, start_response):
        call(str(os.getpid()))
        start_response("200 OK", [("content-type", "text/plain")])
        return [str(os.getpid()).encode()]
"""
_BIN = Path(sys.executable).parent
# Told to stop in any other way, uWSGI runs no exit hooks in a worker that is in a request.
_GRACEFULLY = ("--hook-master-start", "unix_signal:15 gracefully_kill_them_all")
SERVERS = {
    "gunicorn, sync": ["gunicorn", "--preload", "-w", "2", "-b", "{address}", "work:application"],
    "gunicorn, threads": [
        *("gunicorn", "--preload", "-w", "2", "-k", "gthread", "--threads", "4"),
        *("-b", "{address}", "work:application"),
    ],
    "uWSGI": [
        *("pyuwsgi", "--master", *_GRACEFULLY, "--processes", "2", "--enable-threads"),
        *("--http-socket", "{address}", "--wsgi", "work", "-H", sys.prefix),
    ],
    "uWSGI, without threads": [
        *("pyuwsgi", "--master", *_GRACEFULLY, "--processes", "2"),
        *("--http-socket", "{address}", "--wsgi", "work", "-H", sys.prefix),
    ],
}


def ask(address, deadline_s):
    """What the server answers; it may still be starting."""
    while True:
        connection = http.client.HTTPConnection(address, timeout=20)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        except ConnectionError:
            assert time.monotonic() < deadline_s, "the server does not start"
            threading.Event().wait(0.05)
        finally:
            connection.close()


@pytest.mark.parametrize("server", SERVERS)
def test_forked_workers_deliver_what_they_answered(server, tmp_path, unused_port):
    """Preloaded, so every worker inherits locks, a thread that is gone and numbers not its own."""
    (tmp_path / "work.py").write_text(textwrap.dedent(APP))
    address = f"127.0.0.1:{unused_port}"
    binary, *arguments = SERVERS[server]
    running = subprocess.Popen(
        [_BIN / binary, *(one.format(address=address) for one in arguments)],
        cwd=tmp_path,
        env={
            **os.environ,
            "LEDGER": str(tmp_path / "ledger"),
            "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[1]}",
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        answered = Counter(ask(address, time.monotonic() + 30) for _ in range(60))
    finally:
        running.send_signal(signal.SIGTERM)
        _, log = running.communicate(timeout=60)
    found = Counter()
    for file in (tmp_path / "ledger").glob("date=*/*/*.parquet"):
        for row in pq.read_table(file, partitioning=None).to_pylist():
            found[row["tenant"]] += row["calls"]
    assert found.pop("preload") == 1, log
    # uWSGI's master ends without running Python's exit: what it recorded after a flush is lost.
    assert found.pop("preload, not flushed", 0) == (1 if "gunicorn" in server else 0)
    assert found == answered, log


def test_sandboxes_from_one_snapshot_are_writers_of_their_own(tmp_path):
    """Lambda's SnapStart: under one name the second sandbox would replace the first one's files."""
    script = """
        import json
        from snapshot_restore_py import get_after_restore, get_before_snapshot
        import work, tenantmetrics
        def run(hooks):
            for function, args, kwargs in hooks():
                function(*args, **kwargs)
        run(get_before_snapshot)
        for sandbox in "ab":
            run(get_after_restore)
            work.call(sandbox)
        print(json.dumps(tenantmetrics.stats()["losses"]))
    """
    (tmp_path / "work.py").write_text(textwrap.dedent(APP))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        env={
            **os.environ,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
            "LEDGER": str(tmp_path / "ledger"),
            "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[1]}",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == {}
    writers = {}
    for file in (tmp_path / "ledger").glob("date=*/*/*.parquet"):
        for row in pq.read_table(file, partitioning=None).to_pylist():
            writers.setdefault(row["tenant"], set()).add(row["writer"])
    assert writers.keys() == {"preload", "preload, not flushed", "a", "b"}
    assert writers["a"].isdisjoint(writers["b"] | writers["preload"])
    assert writers["b"].isdisjoint(writers["preload"])
