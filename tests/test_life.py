"""The life of a process: nothing lost, doubled or hung at a fork, a signal or the end."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import tenantmetrics
from tenantmetrics import life, process

PRELUDE = textwrap.dedent("""
    import faulthandler, os, signal, sys, threading, time
    faulthandler.dump_traceback_later(60, exit=True)
    import tenantmetrics
    import boto3
    from botocore.awsrequest import AWSResponse
    from botocore.config import Config

    class Raw:
        def stream(self, **_):
            yield b'{"records": [[{"longValue": 1}]], "numberOfRecordsUpdated": 0}'

    def make_client():
        made = boto3.client(
            "rds-data", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x",
            # Standard mode has a lock of botocore's own that a fork may find held.
            config=Config(retries={"mode": "legacy"}),
        )
        made.meta.events.register(
            "before-send.rds-data",
            lambda request, **_: AWSResponse(
                request.url, 200, {"content-type": "application/json"}, Raw()
            ),
        )
        return tenantmetrics.instrument(made)

    ledger = sys.argv[1]

    def configure(*more, **settings):
        tenantmetrics.configure(exporters=[f"ledger:{ledger}", *more], **settings)

    def call(times, tenant="acme"):
        for _ in range(times):
            with tenantmetrics.tenant(tenant):
                rds.execute_statement(
                    resourceArn="arn:aws:rds:us-east-1:1:cluster:c",
                    secretArn="arn:aws:secretsmanager:us-east-1:1:secret:s", sql="SELECT 1",
                )

    rds = make_client()
""")


def run(tmp_path, script, *, timeout_s=60.0, **environ):
    """A process of its own; what it did, in how many seconds."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script), str(tmp_path / "ledger")],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env={**os.environ, **environ},
    )
    return done, time.monotonic() - started


def calls(tmp_path):
    """Calls in the ledger by tenant."""
    found = {}
    for file in Path(tmp_path / "ledger").glob("date=*/*/*.parquet"):
        for row in pq.read_table(file, partitioning=None).to_pylist():
            if row["calls"]:
                found[row["tenant"]] = found.get(row["tenant"], 0) + row["calls"]
    return found


def test_a_normal_exit_delivers_everything(tmp_path):
    """Nobody called flush."""
    done, _ = run(tmp_path, "configure(); call(100)")
    assert done.returncode == 0, done.stderr
    assert calls(tmp_path) == {"acme": 100}


def test_sys_exit_in_a_thread_delivers_everything(tmp_path):
    """The thread ends, the interpreter waits for it and then exits."""
    script = """
        configure()
        def work():
            call(50)
            sys.exit(3)
        threading.Thread(target=work).start()
        call(50)
    """
    done, _ = run(tmp_path, script)
    assert done.returncode == 0, done.stderr
    assert calls(tmp_path) == {"acme": 100}


def test_sys_exit_in_the_main_thread_keeps_its_code(tmp_path):
    """Delivered, and the code is the application's."""
    done, _ = run(tmp_path, "configure(); call(10); sys.exit(7)")
    assert done.returncode == 7
    assert calls(tmp_path) == {"acme": 10}


def test_a_flush_may_wait_for_ever(tmp_path):
    """Infinity is a time to wait, not an error."""
    done, _ = run(
        tmp_path,
        """
        configure(); call(3)
        assert tenantmetrics.flush(float("inf"))
        call(2)
        assert tenantmetrics.shutdown(float("inf"))
        """,
    )
    assert done.returncode == 0, done.stderr
    assert calls(tmp_path) == {"acme": 5}


def test_an_unhandled_exception_delivers_everything(tmp_path):
    """The traceback is the application's own and the last thing on stderr."""
    done, _ = run(tmp_path, "configure(); call(40); raise RuntimeError('mine')")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("RuntimeError: mine")
    assert calls(tmp_path) == {"acme": 40}


def test_sigterm_delivers_and_then_kills_by_the_same_signal(tmp_path):
    """Whoever waits for the process sees that SIGTERM ended it."""
    script = "configure(); call(30); os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)"
    done, took_s = run(tmp_path, script)
    assert done.returncode == -signal.SIGTERM
    assert calls(tmp_path) == {"acme": 30}
    assert took_s < 20


def test_sigterm_while_every_thread_is_busy_recording_still_delivers(tmp_path):
    """The handler runs wherever the main thread was, locks held or not."""
    script = """
        configure(exit_timeout_s=20)
        for _ in range(3):
            threading.Thread(target=call, args=(10**9,), daemon=True).start()
        killer = None
        while True:
            call(1)
            if tenantmetrics.stats()["calls"] > 200 and killer is None:
                killer = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM))
                killer.start()
    """
    done, _ = run(tmp_path, script)
    assert done.returncode == -signal.SIGTERM
    assert calls(tmp_path)["acme"] > 100


@pytest.mark.parametrize("ends", ["sys.exit()", "os.kill(os.getpid(), signal.SIGTERM)"])
def test_a_delivery_at_the_end_gets_its_turn_within_a_millisecond(tmp_path, ends):
    """Threads that go on would each keep the interpreter for 5 ms, hundreds of times."""
    script = f"""
        from tenantmetrics import life
        def deliver():
            print("turn", sys.getswitchinterval(), flush=True)
        life.at_exit(deliver)
        life.on_sigterm("default", deliver, 20)
        {ends}
    """
    done, _ = run(tmp_path, script)
    turns_s = [float(turn) for turn in re.findall(r"turn (\S+)", done.stdout)]
    assert turns_s, done.stderr
    assert max(turns_s) < 1e-3


def test_only_a_delivery_at_the_end_shortens_the_threads_turns(tmp_path):
    """Nothing of the interpreter's settings stays changed where the application goes on."""
    script = """
        seen = []
        def mine(signum, frame):
            seen.append(sys.getswitchinterval())
        signal.signal(signal.SIGTERM, mine)
        sys.setswitchinterval(0.25)
        configure(sigterm="chain"); call(20)
        os.kill(os.getpid(), signal.SIGTERM)
        assert seen == [0.25] and sys.getswitchinterval() == 0.25, seen
    """
    done, _ = run(tmp_path, script)
    assert done.returncode == 0, done.stderr
    assert calls(tmp_path) == {"acme": 20}


def test_the_applications_own_sigterm_handler_is_not_replaced(tmp_path):
    """It was there first: it alone says what happens, and exit delivers as ever."""
    script = """
        def mine(signum, frame):
            print("mine"); sys.exit(5)
        signal.signal(signal.SIGTERM, mine)
        configure(); call(20)
        assert signal.getsignal(signal.SIGTERM) is mine
        os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)
    """
    done, _ = run(tmp_path, script)
    assert (done.returncode, done.stdout) == (5, "mine\n"), done.stderr
    assert calls(tmp_path) == {"acme": 20}


def test_chained_the_delivery_comes_first_and_the_process_may_live_on(tmp_path):
    """Asked for by `sigterm="chain"`: flushed, then the application's handler, then more calls."""
    script = """
        told = []
        signal.signal(signal.SIGTERM, lambda *_: told.append(sum(
            1 for _ in __import__("pathlib").Path(ledger).rglob("*.parquet"))))
        configure(sigterm="chain"); call(20)
        os.kill(os.getpid(), signal.SIGTERM)
        assert told and told[0] >= 1, told
        call(5)
    """
    done, _ = run(tmp_path, script)
    assert done.returncode == 0, done.stderr
    assert calls(tmp_path) == {"acme": 25}


def test_switched_off_sigterm_kills_at_once(tmp_path):
    """The default disposition stays."""
    script = """
        configure(sigterm="off")
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        call(1); os.kill(os.getpid(), signal.SIGTERM)
    """
    done, _ = run(tmp_path, script)
    assert done.returncode == -signal.SIGTERM


@pytest.mark.parametrize("exporter", ["otlp:{url}", "otlp:{grpc}", "cloudwatch", "emf"])
def test_a_process_shorter_than_a_minute_delivers_over_the_network(tmp_path, exporter):
    """Its only export comes as the interpreter exits, when much cannot be loaded any more."""
    from concurrent import futures  # noqa: PLC0415 - this test's own server

    import grpc  # noqa: PLC0415
    from opentelemetry.proto.collector.metrics.v1 import (  # noqa: PLC0415
        metrics_service_pb2 as service,
    )

    heard = []

    class Everything(grpc.GenericRpcHandler):
        def service(self, _call):
            def answer(request, _context):
                heard.append(request)
                return service.ExportMetricsServiceResponse().SerializeToString()

            return grpc.unary_unary_rpc_method_handler(answer)

    receiver = grpc.server(futures.ThreadPoolExecutor(2))
    receiver.add_generic_rpc_handlers([Everything()])
    grpc_port = receiver.add_insecure_port("127.0.0.1:0")
    receiver.start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_all, args=(listener, heard))
        thread.start()
        port = listener.getsockname()[1]
        spec = exporter.format(url=f"http://127.0.0.1:{port}", grpc=f"grpc://127.0.0.1:{grpc_port}")
        done, _ = run(
            tmp_path,
            f"configure({spec!r}, exit_timeout_s=20); call(3)",
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
            AWS_EMF_AGENT_ENDPOINT=f"tcp://127.0.0.1:{port}",
            AWS_ACCESS_KEY_ID="x",
            AWS_SECRET_ACCESS_KEY="x",
            AWS_DEFAULT_REGION="us-east-1",
            AWS_DISABLE_REQUEST_COMPRESSION="true",
        )
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    receiver.stop(0).wait()
    assert done.returncode == 0
    assert done.stderr == ""
    assert any(b"acme" in one for one in heard)


def answer_all(listener, heard):
    """An HTTP server that says 200 to everything, an agent that reads to the end."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(10)
            got = b""
            while more := connection.recv(65_536):
                got += more
                head, _, body = got.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                if length and len(body) >= int(length[1]):
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    break
            heard.append(got)


@pytest.mark.parametrize("how", ["exit", "sigterm"])
def test_with_every_endpoint_dead_the_process_ends_within_its_deadline(tmp_path, how):
    """Ports that take connections and never answer: two seconds, and the ledger has it all."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        script = f"""
            configure("cloudwatch", "otlp:{url}", "otlp:{url.replace("http", "grpc")}")
            call(10)
            print(time.time(), flush=True)
            {"os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)" if how == "sigterm" else ""}
        """
        done, _ = run(
            tmp_path,
            script,
            AWS_ENDPOINT_URL=url,
            AWS_ACCESS_KEY_ID="x",
            AWS_SECRET_ACCESS_KEY="x",
            AWS_DEFAULT_REGION="us-east-1",
        )
        ended = time.time()
    assert done.returncode == (0 if how == "exit" else -signal.SIGTERM), done.stderr
    assert ended - float(done.stdout) < 2 + 1.5  # the rest is the interpreter's own end
    assert calls(tmp_path) == {"acme": 10}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_deliver_their_own(tmp_path, method):
    """They skip atexit; each still delivers its calls, once, and the parent its own."""
    module = tmp_path / "work.py"
    module.write_text(
        PRELUDE.replace("ledger = sys.argv[1]", f"ledger = {str(tmp_path / 'ledger')!r}")
        + textwrap.dedent("""
            configure()
            if __name__ == "__main__":
                import multiprocessing
                context = multiprocessing.get_context(sys.argv[2])
                call(10, "parent")
                children = [
                    context.Process(target=call, args=(5, f"child-{n}")) for n in range(3)
                ]
                for child in children: child.start()
                for child in children: child.join()
                assert [child.exitcode for child in children] == [0, 0, 0]
                with context.Pool(2) as pool:
                    pool.starmap(call, [(2, "pool")] * 6)
                    pool.close(); pool.join()
                call(1, "parent")
        """)
    )
    done = subprocess.run(
        [sys.executable, str(module), "ledger", method],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = calls(tmp_path)
    assert found == {"parent": 11, "child-0": 5, "child-1": 5, "child-2": 5, "pool": 12}


def test_a_forked_worker_as_gunicorn_makes_it_delivers_when_told_to_stop(tmp_path):
    """Preloaded application, forked workers with a handler of their own, SIGTERM, sys.exit."""
    script = """
        # Its thread is not there in a child, which would wait for it at exit.
        faulthandler.cancel_dump_traceback_later()
        configure(); call(10, "master")
        ready, told = os.pipe()
        workers = []
        for n in range(3):
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
                call(7, f"worker-{n}")
                os.write(told, b".")
                while True: time.sleep(0.05)
            workers.append(pid)
        for _ in workers: assert os.read(ready, 1) == b"."
        for pid in workers: os.kill(pid, signal.SIGTERM)
        codes = [os.waitpid(pid, 0)[1] for pid in workers]
        assert codes == [0, 0, 0], codes
        call(1, "master")
    """
    done, _ = run(tmp_path, script)
    assert done.returncode == 0, done.stderr
    assert calls(tmp_path) == {"master": 11, "worker-0": 7, "worker-1": 7, "worker-2": 7}


FORKS = """
    import json
    forks = int(sys.argv[2])
    configure(flush_interval_s=0.05, export_spread_s=0)
    stop = threading.Event()
    done = [0] * 4

    def record(n):
        while not stop.is_set():
            call(1, f"parent-{n}")
            done[n] += 1

    def flush():
        while not stop.is_set():
            tenantmetrics.flush(5); tenantmetrics.stats()

    threads = [threading.Thread(target=record, args=(n,)) for n in range(4)]
    threads.append(threading.Thread(target=flush))
    for thread in threads: thread.start()
    hung, bad = 0, []
    for n in range(forks):
        pid = os.fork()
        if pid == 0:
            try:
                call(3, f"child-{n}")
                ok = tenantmetrics.flush(20) and tenantmetrics.stats()["calls"] == 3
                os._exit(0 if ok else 1)
            except BaseException:
                os._exit(2)
        deadline = time.monotonic() + 30
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended: break
            if time.monotonic() > deadline:
                hung += 1; os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0); break
            time.sleep(0.002)
        if ended and status: bad.append(status)
    stop.set()
    for thread in threads: thread.join()
    # A slow disk may have hundreds of windows to write by now: more than exit's two seconds allow.
    tenantmetrics.shutdown(120)
    print(json.dumps({"hung": hung, "bad": bad, "done": done}))
    faulthandler.cancel_dump_traceback_later()
"""


@pytest.mark.parametrize("forks", [12, pytest.param(300, marks=pytest.mark.long)])
def test_forks_under_load_hang_no_child_and_double_no_count(tmp_path, forks):
    """Four threads record and one flushes, so locks are held: both sides' counts are exact."""
    script = PRELUDE.replace("dump_traceback_later(60", "dump_traceback_later(900")
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            script + textwrap.dedent(FORKS),
            str(tmp_path / "ledger"),
            str(forks),
        ],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["hung"], told["bad"]) == (0, [])
    expected = {f"child-{n}": 3 for n in range(forks)}
    expected |= {f"parent-{n}": count for n, count in enumerate(told["done"])}
    assert calls(tmp_path) == expected


MANY = """
    from tenantmetrics.capture.request import Request
    from tenantmetrics.records import OK, Claim, Claims, Source
    # No answer, no connection: a port that is bound and not listening.
    import socket
    dead = socket.socket(); dead.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{dead.getsockname()[1]}"
    os.environ["AWS_ENDPOINT_URL"] = url
    tenantmetrics.configure(
        exporters=["cloudwatch", f"otlp:{url}"], flush_interval_s=3600, exit_timeout_s=0.2,
    )
    from tenantmetrics import process
    current = process.current()
    tenants = int(sys.argv[2])
    peaks = []
    now = time.time_ns()

    def peak_mb():
        # Not `ru_maxrss`: on Linux a process inherits it from whoever started it.
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) // 1024 for line in status if "VmHWM" in line)

    for window in range(10):
        for start in range(0, tenants, 20_000):
            for n in range(start, min(start + 20_000, tenants)):
                request = Request(
                    "ExecuteStatement", target="arn:aws:rds:us-east-1:1:cluster:c", database="app"
                )
                request.claims = Claims(named=(Claim(Source.CONTEXT, ((f"tenant-{n}", 1),)),))
                request.attempts = 1
                request.request_bytes = 100
                request.end = (5_000_000, now, 200, OK, 100, 1, 0, "", True)
                current._worker.put(request)
            tenantmetrics.stats()
        tenantmetrics.flush(3)
        peaks.append(peak_mb())
    stats = tenantmetrics.stats()
    print(json.dumps({"peaks_mb": peaks, "calls": stats["calls"], "losses": stats["losses"]}))
    tenantmetrics.shutdown(0.5)
"""


@pytest.mark.long
def test_100000_tenants_against_dead_endpoints_stay_within_bounds(tmp_path):
    """Ten windows: memory stops growing, totals are kept, every loss is counted."""
    script = PRELUDE.replace("dump_traceback_later(60", "dump_traceback_later(600")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script + "import json\n" + textwrap.dedent(MANY),
            str(tmp_path / "ledger"),
            "100000",
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={
            **os.environ,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
        },
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    told = json.loads(done.stdout)
    assert told["calls"] == 1_000_000
    assert told["losses"]["series_cap"] == 10 * (100_000 - 65_536)
    assert told["losses"]["export_failed"] >= 10
    assert told["losses"]["export_dropped"] > 0
    assert "queue_full" not in told["losses"]
    # The backlog holds 262,144 series for each exporter, full after four windows.
    assert told["peaks_mb"][-1] < told["peaks_mb"][5] * 1.25
    assert told["peaks_mb"][-1] < 800


class Context:
    def __init__(self, left_ms):
        self._left_ms = left_ms

    def get_remaining_time_in_millis(self):
        return self._left_ms


@pytest.fixture
def flushes(monkeypatch):
    """The budgets that the current pipeline was asked to flush within."""
    asked = []
    monkeypatch.setattr(process.current(), "flush", asked.append)
    return asked


def test_a_lambda_handler_flushes_before_it_returns_or_raises(flushes):
    """And hands on what the handler returned or raised."""

    @tenantmetrics.lambda_handler
    def handler(event, context):
        assert flushes == []
        if event == "bad":
            raise KeyError(event)
        return event

    assert handler("good", None) == "good"
    assert flushes == [1.0]
    flushes.clear()
    with pytest.raises(KeyError):
        handler("bad", None)
    assert flushes == [1.0]
    assert handler.__name__ == "handler"


def test_a_handler_without_calls_makes_no_pipeline(tmp_path):
    """Nothing was recorded; even a setting that is wrong does not fail the invocation."""
    script = """
        @tenantmetrics.lambda_handler
        def handler(event, context):
            return event
        from tenantmetrics import process
        tenantmetrics.uninstrument(rds)
        process._current = None
        os.environ["TENANTMETRICS_WINDOW_S"] = "7"
        assert handler("fine", None) == "fine"
        assert process._current is None
    """
    done, _ = run(tmp_path, script, TENANTMETRICS_EXPORTERS="none")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("left_ms", "budgets"), [(60_000, [0.25]), (300, [0.2]), (100, []), (0, [])]
)
def test_a_lambda_flush_stays_within_the_invocations_time(flushes, left_ms, budgets):
    """A flush is never what times an invocation out."""

    @tenantmetrics.lambda_handler(timeout_s=0.25)
    def handler(_event, _context):
        return None

    handler({}, Context(left_ms))
    assert flushes == pytest.approx(budgets)


def test_outside_the_main_thread_no_handler_is_installed():
    """Python allows none there; nothing breaks."""
    found = signal.getsignal(signal.SIGTERM)
    answers = []
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        thread = threading.Thread(
            target=lambda: answers.append(life.on_sigterm("default", print, 1))
        )
        thread.start()
        thread.join()
    finally:
        signal.signal(signal.SIGTERM, found)
    assert answers == [False]
