"""Children that are forked or spawned: nothing lost, doubled or hung."""

import json
import subprocess
import sys
import textwrap

import pytest

from tests.processes import PRELUDE, calls, run


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
