"""The life of a process: nothing lost or hung at a signal or the end; `test_forks` has children."""

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

import pytest

from tenantmetrics import life
from tests.processes import PRELUDE, calls, run


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
    """Ports that take connections and never answer: two seconds, and the ledger has it all.

    A busy machine takes longer, but not the ten seconds of OTLP or the sixty of boto3.
    """
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
    assert ended - float(done.stdout) < 9
    assert calls(tmp_path) == {"acme": 10}


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
                request.end(5_000_000, now, 200, OK, 100, 1)
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
