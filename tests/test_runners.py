"""Task runners and servers as their users start them: all that their processes recorded arrives.

Each ends its processes in a way of its own, most of them in `os._exit`, which runs nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.parts import lacking

_BIN = Path(sys.executable).parent
_ROOT = Path(__file__).parents[1]

WORK = """
    import os
    import tenantmetrics
    from benchmarks._stub import CLUSTER, SECRET, client

    tenantmetrics.configure(exporters=["ledger:" + os.environ["LEDGER"]], exit_timeout_s=20)
    rds = tenantmetrics.instrument(client())

    def call(n=0, tenant="acme"):
        with tenantmetrics.tenant(tenant):
            rds.execute_statement(resourceArn=CLUSTER, secretArn=SECRET, sql="SELECT 1")
        done(n)
        return n

    def done(n):
        with open(os.environ["DONE"], "a") as file:
            file.write(f"{n}\\n")
"""


class Project:
    """A folder with an application in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done = folder / "done"
        self.environ = {
            **os.environ,
            "LEDGER": str(folder / "ledger"),
            "DONE": str(self.done),
            "PYTHONPATH": f"{folder}:{_ROOT}",
        }
        self.write("work", WORK)

    def write(self, module, text):
        (self.folder / f"{module}.py").write_text(textwrap.dedent(text))

    def python(self, *arguments, **more):
        subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder, env=self.environ, check=True, timeout=60, **more,
        )  # fmt: skip

    def start(self, binary, *arguments):
        return subprocess.Popen(
            [_BIN / binary, *arguments],
            cwd=self.folder, env=self.environ, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def wait_for(self, lines, running):
        deadline_s = time.monotonic() + 40
        while not self.done.exists() or len(self.done.read_text().split()) < lines:
            assert time.monotonic() < deadline_s, "it does not get done"
            assert running.poll() is None, running.communicate()[0]
            threading.Event().wait(0.05)

    def stop(self, running, number=signal.SIGTERM):
        running.send_signal(number)
        return running.communicate(timeout=60)[0]

    @property
    def calls(self):
        found = Counter()
        for file in (self.folder / "ledger").glob("date=*/*/*.parquet"):
            for row in pq.read_table(file, partitioning=None).to_pylist():
                found[row["tenant"]] += row["calls"]
        return dict(found)


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


CELERY = """
    import os
    from celery import Celery
    import work

    app = Celery("tasks", broker="filesystem://")
    for folder in ("queue", "control"):
        os.makedirs(folder, exist_ok=True)
    app.conf.update(
        broker_transport_options={
            "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control",
        },
        task_ignore_result=True,
        worker_hijack_root_logger=False,
    )

    @app.task
    def run(n):
        work.call(n)
"""


@pytest.mark.parametrize(
    ("tasks", "options"),
    [
        (7, ()),
        pytest.param(12, ("--max-tasks-per-child", "3"), marks=pytest.mark.long),
        pytest.param(7, ("-P", "threads"), marks=pytest.mark.long),
        pytest.param(7, ("-P", "solo"), marks=pytest.mark.long),
    ],
    ids=["prefork", "max tasks", "threads", "solo"],
)
def test_celery_delivers_every_task(project, tasks, options):
    """Stopped by TERM to the main process, as systemd and Kubernetes do."""
    project.write("tasks", CELERY)
    project.python("-c", f"import tasks; [tasks.run.delay(n) for n in range({tasks})]")
    running = project.start(
        "celery", "-A", "tasks", "worker", "-c", "2", "--without-gossip", "--without-mingle",
        "--without-heartbeat", *options,
    )  # fmt: skip
    project.wait_for(tasks, running)
    log = project.stop(running)
    assert project.calls == {"acme": tasks}, log


BILLIARD = """
    import sys
    import billiard, work
    work.call(tenant="parent")
    pool = billiard.Pool(2, maxtasksperchild=3)
    assert sorted(pool.map(work.call, range(12))) == list(range(12))
    pool.close()
    pool.join()
"""


@pytest.mark.long
def test_billiards_pool_delivers_every_task(project):
    """Without Celery there is no signal: its processes end in `os._exit`."""
    project.python("-c", textwrap.dedent(BILLIARD))
    assert project.calls == {"parent": 1, "acme": 12}


EXECUTOR = """
    import sys, multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    import work
    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            assert sorted(pool.map(work.call, range(12))) == list(range(12))
"""


@pytest.mark.long
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_process_pool_delivers_every_task(project, method):
    """`concurrent.futures`, with each start method."""
    project.write("pool", EXECUTOR)
    project.python("pool.py", method)
    assert project.calls == {"acme": 12}


FORKS = """
    import os, work
    def job(n):
        pid = os.fork()
        if pid == 0:
            work.call(n)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    work.call(tenant="parent")
    for n in range(7):
        job(n)
    # A child that recorded nothing has nothing to wait for, and keeps its exit code.
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
"""


def test_a_process_a_job_that_ends_in_exit_delivers_every_job(project):
    """RQ's way: fork, work, `os._exit`."""
    project.python("-c", textwrap.dedent(FORKS))
    assert project.calls == {"parent": 1, "acme": 7}


HUEY = """
    from huey import SqliteHuey
    import work
    huey = SqliteHuey("huey", filename="huey.db")

    @huey.task()
    def run(n):
        work.call(n)
"""


@pytest.mark.long
@pytest.mark.parametrize("kind", ["process", "thread"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_huey_delivers_every_task(project, kind, number):
    """Its consumer with processes and with threads, told to stop in both ways."""
    project.write("jobs", HUEY)
    project.python("-c", "import jobs; [jobs.run(n) for n in range(7)]")
    running = project.start("huey_consumer", "jobs.huey", "-w", "2", "-k", kind)
    project.wait_for(7, running)
    log = project.stop(running, number)
    assert project.calls == {"acme": 7}, log


ASGI = """
    import work

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    work.call(tenant="lifespan")
                    return
        work.call()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
"""


def ask(port, times, deadline_s):
    for _ in range(times):
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                    assert answer.read() == b"ok"
                break
            except OSError:
                assert time.monotonic() < deadline_s, "the server does not start"
                threading.Event().wait(0.05)


SERVERS = {
    "uvicorn": (["uvicorn", "web:app", "--port", "{port}", "--lifespan", "on"], 1),
    "uvicorn, workers": (["uvicorn", "web:app", "--port", "{port}", "--workers", "2"], 2),
    "uvicorn, recycled": (
        ["uvicorn", "web:app", "--port", "{port}", "--workers", "1", "--limit-max-requests", "4"],
        None,
    ),
    "granian": (
        ["granian", "--interface", "asgi", "web:app", "--port", "{port}", "--workers", "2"], 2,
    ),
    "gunicorn, recycled": (
        ["gunicorn", "wsgi:app", "-b", "127.0.0.1:{port}", "-w", "2", "--max-requests", "3"], 0,
    ),
}  # fmt: skip

WSGI = """
    import work
    def app(environ, start_response):
        work.call()
        start_response("200 OK", [("content-type", "text/plain")])
        return [b"ok"]
"""


@pytest.mark.long
@pytest.mark.parametrize("server", SERVERS)
def test_servers_deliver_what_they_answered(project, unused_port, server):
    """TERM to the main process; some replace their workers after so many requests."""
    project.write("web", ASGI)
    project.write("wsgi", WSGI)
    (binary, *arguments), lifespans = SERVERS[server]
    running = project.start(binary, *(part.format(port=unused_port) for part in arguments))
    try:
        ask(unused_port, 12, time.monotonic() + 40)
    finally:
        log = project.stop(running)
    found = project.calls
    # A worker that ends may answer a request and close before it was read: that one came again.
    answered = [line for line in project.done.read_text().split() if line == "0"]
    assert len(answered) >= 12
    assert sum(found.values()) == len(answered), log
    if lifespans is not None:
        assert found.pop("lifespan", 0) == lifespans, log


@pytest.fixture
def redis_url(tmp_path, unused_port):
    """A Redis of the test's own; nothing of it stays."""
    if shutil.which("redis-server") is None:
        lacking("no redis-server here: apt-get install redis-server")
    server = subprocess.Popen(
        ["redis-server", "--port", str(unused_port), "--bind", "127.0.0.1", "--save", ""],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert any("Ready to accept connections" in line for line in server.stdout)
    yield f"redis://127.0.0.1:{unused_port}"
    server.terminate()
    server.communicate(timeout=30)


RQ = """
    import sys
    from redis import Redis
    from rq import Queue
    queue = Queue(connection=Redis.from_url(sys.argv[1]))
    for n in range(7):
        queue.enqueue("work.call", n)
"""


@pytest.mark.long
@pytest.mark.parametrize(
    "arguments", [("worker",), ("worker-pool", "-n", "2")], ids=["worker", "pool"]
)
def test_rq_delivers_every_job(project, redis_url, arguments):
    """A process a job, forked before the job's module is loaded, and this library with it."""
    project.python("-c", textwrap.dedent(RQ), redis_url)
    running = project.start("rq", arguments[0], "-u", redis_url, *arguments[1:])
    project.wait_for(7, running)
    log = project.stop(running)
    assert project.calls == {"acme": 7}, log


DRAMATIQ = """
    import os
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker
    import work

    dramatiq.set_broker(RedisBroker(url=os.environ["REDIS"]))

    @dramatiq.actor
    def run(n):
        work.call(n)
"""


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_dramatiq_delivers_every_message(project, redis_url, number):
    """Its processes end by `sys.exit`, in a child of multiprocessing."""
    project.environ["REDIS"] = redis_url
    project.write("actors", DRAMATIQ)
    project.python("-c", "import actors; [actors.run.send(n) for n in range(7)]")
    running = project.start("dramatiq", "actors", "--processes", "2", "--threads", "2")
    project.wait_for(7, running)
    log = project.stop(running, number)
    assert project.calls == {"acme": 7}, log


ARQ = """
    import os
    from arq.connections import RedisSettings
    import work

    async def run(context, n):
        work.call(n)

    class WorkerSettings:
        functions = [run]
        redis_settings = RedisSettings.from_dsn(os.environ["REDIS"])
"""

ARQ_JOBS = """
    import asyncio, jobs
    from arq import create_pool
    async def main():
        pool = await create_pool(jobs.WorkerSettings.redis_settings)
        for n in range(7):
            await pool.enqueue_job("run", n)
    asyncio.run(main())
"""


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_arq_delivers_every_job(project, redis_url, number):
    """One process, which handles the signals by its event loop."""
    project.environ["REDIS"] = redis_url
    project.write("jobs", ARQ)
    project.python("-c", textwrap.dedent(ARQ_JOBS))
    running = project.start("arq", "jobs.WorkerSettings")
    project.wait_for(7, running)
    log = project.stop(running, number)
    assert project.calls == {"acme": 7}, log
