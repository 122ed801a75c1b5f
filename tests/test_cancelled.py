"""A call that was sent is a call, however it ends: given up, killed, interrupted."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow.parquet as pq
import pytest

PRELUDE = """
    import os, signal, sys
    if "gevent" in sys.argv:
        import gevent.monkey
        gevent.monkey.patch_all()
        import gevent
    import socket, threading, time
    import boto3, tenantmetrics
    from botocore.config import Config

    # Takes every request whole and never answers.
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    taken, held = threading.Semaphore(0), []
    def serve():
        while True:
            connection, _ = server.accept()
            held.append(connection)
            connection.recv(65536)
            taken.release()
    threading.Thread(target=serve, daemon=True).start()
    rds = tenantmetrics.instrument(boto3.client(
        "rds-data", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x",
        endpoint_url=f"http://127.0.0.1:{server.getsockname()[1]}",
        config=Config(retries={"total_max_attempts": 1}),
    ))
    def call(tenant="acme"):
        with tenantmetrics.tenant(tenant):
            rds.execute_statement(
                resourceArn="arn:aws:rds:us-east-1:1:cluster:c",
                secretArn="arn:aws:secretsmanager:us-east-1:1:secret:s", sql="SELECT 1",
            )
    def call_interrupted_by(number):
        over = threading.Event()
        def interrupt():
            taken.acquire()
            os.kill(os.getpid(), number)
            # One that comes just before CPython enters the system call does not end the waiting.
            while not over.wait(5):
                os.kill(os.getpid(), number)
        threading.Thread(target=interrupt, daemon=True).start()
        try:
            call()
        finally:
            over.set()
"""


def run(tmp_path, script, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PRELUDE) + textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={
            **os.environ,
            "TENANTMETRICS_EXPORTERS": f"ledger:{tmp_path}",
            "TENANTMETRICS_EXIT_TIMEOUT_S": "20",
        },
    )
    found = {}
    for file in Path(tmp_path).glob("date=*/*/*.parquet"):
        for row in pq.read_table(file, partitioning=None).to_pylist():
            key = (row["tenant"], row["outcome"])
            found[key] = found.get(key, 0) + row["calls"]
    return done, found


def test_a_call_that_a_signal_interrupts_is_counted(tmp_path):
    """KeyboardInterrupt that is caught, and any other BaseException, in the middle of a call."""
    script = """
        class Stop(BaseException): pass
        def stop(*_): raise Stop
        signal.signal(signal.SIGALRM, stop)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, error in ((signal.SIGALRM, Stop), (signal.SIGINT, KeyboardInterrupt)):
            try:
                call_interrupted_by(number)
            except error:
                pass
        stats = tenantmetrics.stats()
        assert (stats["calls"], stats["errors"], stats["losses"]) == (2, 2, {}), stats
    """
    done, found = run(tmp_path, script)
    assert done.returncode == 0, done.stderr
    assert found == {("acme", "cancelled"): 2}


def test_ctrl_c_that_ends_the_process_counts_the_call_it_interrupted(tmp_path):
    """The exception that nobody caught holds the call's frames until after the end."""
    script = """
        signal.signal(signal.SIGINT, signal.default_int_handler)
        call_interrupted_by(signal.SIGINT)
    """
    done, found = run(tmp_path, script)
    assert done.returncode == -signal.SIGINT, done.stderr
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    assert found == {("acme", "cancelled"): 1}


def test_a_forked_child_does_not_count_the_calls_under_way_in_its_parent(tmp_path):
    """They are in its memory, and the parent's to count."""
    script = """
        threading.Thread(target=call, daemon=True).start()
        taken.acquire()
        pid = os.fork()
        if pid == 0:
            sys.exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    """
    done, found = run(tmp_path, script)
    assert done.returncode == 0, done.stderr
    assert found == {("acme", "cancelled"): 1}


@pytest.mark.parametrize("how", ["killed", "timeout"])
def test_a_greenlet_that_is_given_up_counts_its_call(tmp_path, how):
    """`gevent.Timeout` and `Greenlet.kill`, the greenlet still held by whoever started it."""
    pytest.importorskip("gevent", reason="needs gevent: pip install gevent")
    script = (
        (
            """
        greenlets = [gevent.spawn(call) for _ in range(5)]
        for _ in greenlets: taken.acquire()
        gevent.killall(greenlets)
        """
            if how == "killed"
            else """
        for _ in range(5):
            try:
                with gevent.Timeout(0.1):
                    call()
            except gevent.Timeout:
                pass
        """
        )
        + """
        stats = tenantmetrics.stats()
        assert (stats["calls"], stats["errors"], stats["losses"]) == (5, 5, {}), stats
    """
    )
    done, found = run(tmp_path, script, "gevent")
    assert done.returncode == 0, done.stderr
    assert found == {("acme", "cancelled"): 5}
