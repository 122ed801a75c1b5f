"""The background thread: nothing lost uncounted, nobody waits without end."""

import os
import threading
import time

import pytest

from tenantmetrics.aggregate.worker import Worker
from tenantmetrics.health import Health

HOUR_S = 3600.0


class Recorder:
    """Collects what a worker consumes and exports, as the pipeline would."""

    def __init__(self):
        self.consumed = []
        self.exported = []
        self.lock = threading.Lock()

    def consume(self, calls):
        with self.lock:
            self.consumed.extend(calls)

    def export(self, _deadline_s):
        with self.lock:
            self.exported.extend(self.consumed)
            self.consumed.clear()
        return True


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def health():
    return Health()


@pytest.fixture
def worker(recorder, health):
    made = Worker(
        consume=recorder.consume,
        export=recorder.export,
        interval_s=HOUR_S,
        queue_size=50_000,
        health=health,
    )
    yield made
    made.close(5)


def test_no_thread_before_the_first_call(worker):
    """Importing and configuring start nothing."""
    before = threading.active_count()
    assert worker.flush(1)
    assert threading.active_count() == before
    worker.put(1)
    assert threading.active_count() == before + 1


def test_flush_exports_all_that_was_put_before_it(worker, recorder):
    """Order included."""
    for n in range(3_000):
        worker.put(n)

    assert worker.flush(5)
    assert recorder.exported == list(range(3_000))


def test_calls_put_by_many_threads_all_arrive(worker, recorder):
    """Each thread's calls in its own order, none twice."""

    def put(name):
        for n in range(2_000):
            worker.put((name, n))

    threads = [threading.Thread(target=put, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert worker.flush(5)
    for name in range(8):
        assert [n for who, n in recorder.exported if who == name] == list(range(2_000))


def test_a_full_queue_drops_and_counts(recorder, health):
    """The bound holds, the caller is not held up, every dropped call is counted."""
    gate = threading.Event()

    def consume(calls):
        gate.wait(10)
        recorder.consume(calls)

    worker = Worker(
        consume=consume, export=recorder.export, interval_s=HOUR_S, queue_size=10, health=health
    )
    for n in range(100):
        worker.put(n)
    gate.set()

    assert worker.flush(5)
    worker.close(5)
    assert len(recorder.exported) + health.counts()["queue_full"] == 100
    assert len(recorder.exported) >= 10


def test_the_thread_wakes_by_itself_when_much_is_queued(worker, recorder):
    """A queue does not fill up while the thread sleeps through a long interval."""
    done = threading.Event()
    consume = recorder.consume

    def watching(calls):
        consume(calls)
        done.set()

    worker._consume = watching
    for n in range(2_000):
        worker.put(n)

    assert done.wait(10)


def test_a_thread_that_is_busy_holds_no_caller(recorder, health):
    """A caller gives the thread the chance to start, and goes on where it does not."""
    gate, inside = threading.Event(), threading.Event()

    def consume(calls):
        inside.set()
        assert gate.wait(30)
        recorder.consume(calls)

    worker = Worker(
        consume=consume,
        export=recorder.export,
        interval_s=HOUR_S,
        queue_size=50_000,
        health=health,
    )
    put = 0
    while not inside.is_set():
        worker.put(put)
        put += 1
    for n in range(5_000):
        worker.put(put + n)
    gate.set()
    assert worker.flush(30)
    assert len(recorder.exported) == put + 5_000
    worker.close(5)


def test_a_call_after_close_is_counted(worker, health):
    """Work goes on after shutdown; its numbers are lost, and that is said."""
    worker.put(1)
    assert worker.close(5)
    worker.put(2)
    assert health.counts() == {"closed": 1}


def test_flush_gives_up_at_its_deadline_when_an_export_hangs(recorder, health):
    """The caller of flush waits no longer than it said."""
    gate = threading.Event()
    worker = Worker(
        consume=recorder.consume,
        export=lambda _: gate.wait(30),
        interval_s=HOUR_S,
        queue_size=10,
        health=health,
    )
    worker.put(1)
    started = time.monotonic()

    assert not worker.flush(0.05)
    assert time.monotonic() - started < 10
    gate.set()
    assert worker.close(5)


def test_an_export_that_raises_is_counted_and_the_thread_lives_on(recorder, health):
    """The next flush works."""
    outcomes = iter([RuntimeError("no"), True])

    def export(_):
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    worker = Worker(
        consume=recorder.consume, export=export, interval_s=HOUR_S, queue_size=10, health=health
    )
    worker.put(1)
    assert not worker.flush(5)
    worker.put(2)
    assert worker.flush(5)
    assert health.counts() == {"export_failed": 1}
    outcomes = iter([True, True])
    worker.close(5)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # forking is the point
def test_a_reset_child_starts_empty_with_a_thread_of_its_own(worker, recorder):
    """What the parent had queued is the parent's: the child sends only its own."""
    worker.put("parent")
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            worker.reset()
            recorder.__init__()
            worker.put("child")
            delivered = worker.flush(5)
            os.write(write_end, repr((delivered, recorder.exported)).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        assert pipe.read() == "(True, ['child'])"
    os.waitpid(child, 0)
    assert worker.flush(5)
    assert recorder.exported == ["parent"]
