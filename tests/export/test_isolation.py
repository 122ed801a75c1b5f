"""Several exporters at once: what one of them meets, the others and the caller do not notice."""

import threading
import time

import pyarrow.parquet as pq
import pytest

from tenantmetrics.catalog import Level
from tenantmetrics.export.cloudwatch import CloudWatchExporter
from tenantmetrics.export.fanout import Fanout
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.export.ledger_s3 import S3LedgerExporter
from tenantmetrics.export.otlp import OtlpExporter
from tenantmetrics.export.otlp_target import target
from tenantmetrics.health import Health
from tenantmetrics.records import Window


def cloudwatch(_url, _path):
    return CloudWatchExporter(namespace="Shop", level=Level.ESSENTIAL, max_tenants=500)


def otlp(url, _path):
    return OtlpExporter(target(url, {}), max_series=1_000)


def otlp_grpc(url, _path):
    return OtlpExporter(target(url.replace("http", "grpc"), {}), max_series=1_000)


def s3(_url, path):
    return S3LedgerExporter("s3://bucket", spool_path=str(path / "spool"), spool_bytes=0)


TROUBLE = {
    "500": {"status": 500},
    "503": {"status": 503},
    "throttled": {"status": 400, "body": b'{"__type":"ThrottlingException"}'},
    "400": {"status": 400},
    "expired credentials": {"status": 403, "body": b'{"__type":"ExpiredTokenException"}'},
    "reset in mid-response": {"trouble": "reset"},
    "a response that never comes": {"trouble": "hang"},
    "connection refused": None,
}


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize("make", [cloudwatch, otlp, otlp_grpc, s3])
def test_an_exporter_in_trouble_delays_no_other(
    aws, server, answer, real_window, tmp_path, make, trouble
):
    """The ledger has the window at once, offering it takes no time, losses are counted."""
    what = TROUBLE[trouble]
    if what is None:
        server.close()
    else:
        server.standing = answer(**what)
    written = threading.Event()

    class Watched(LedgerExporter):
        def export(self, windows, deadline_s):
            super().export(windows, deadline_s)
            written.set()

    health = Health()
    fanout = Fanout([make(server.url, tmp_path), Watched(tmp_path / "ledger")], health)
    window = real_window(20)
    deadline_s = time.monotonic() + 3
    started = time.monotonic()
    fanout.offer([window], deadline_s)
    offered_s = time.monotonic() - started
    assert written.wait(2.9)  # a disk may be busy
    assert offered_s < 0.5
    assert not fanout.wait(deadline_s)
    fanout.close(time.monotonic() + 0.5)
    (file,) = (tmp_path / "ledger").rglob("*.parquet")
    found = pq.read_table(file, partitioning=None).column("calls").to_pylist()
    assert sum(found) == sum(one.calls for one in window.series.values())
    counts = health.counts()
    assert counts.keys() & {"export_failed", "export_uncertain", "export_dropped"}
    assert time.monotonic() - started < 6


def test_a_scheduled_export_waits_for_its_moment_and_a_flush_does_not(tmp_path, make_window):
    """Spread over a fleet; whoever asks gets it now, the window put off included."""
    exported = []

    class Watched(LedgerExporter):
        def export(self, windows, deadline_s):
            exported.append([window.sequence for window in windows])

    fanout = Fanout([Watched(tmp_path)], Health(), spread_s=3_600)
    fanout._delay_s = 3_600.0
    far = time.monotonic() + 7_200
    fanout.offer([make_window("acme", sequence=1)], far, scheduled=True)
    assert not fanout.wait(time.monotonic() + 0.05)
    assert exported == []
    assert fanout.export([make_window("acme", sequence=2)], time.monotonic() + 5)
    assert exported == [[1, 2]]
    assert fanout.close(time.monotonic() + 5)


def test_an_export_that_waits_is_not_put_off_by_the_next(tmp_path, make_window):
    """An interval shorter than the spread must not put the same windows off for ever."""
    now = [0.0]
    fanout = Fanout([LedgerExporter(tmp_path)], Health(), spread_s=10, clock=lambda: now[0])
    fanout._delay_s = 10.0
    (lane,) = fanout._lanes
    lane._start = threading.Thread  # nothing is sent: the clock stands still
    fanout.offer([make_window("acme", sequence=1)], 100, scheduled=True)
    now[0] = 6.0
    fanout.offer([make_window("acme", sequence=2)], 106, scheduled=True)
    assert lane._send_at_s == 10.0


def test_processes_spread_over_the_whole_interval(tmp_path):
    """A thousand containers do not send in the same second."""
    delays = [Fanout([], Health(), spread_s=10.0)._delay_s for _ in range(1_000)]
    assert min(delays) < 1
    assert max(delays) > 9
    assert max(sum(int(d) == second for d in delays) for second in range(10)) < 160
    assert tmp_path


def test_what_a_destination_refuses_for_good_is_counted_and_let_go(
    aws, server, answer, make_window
):
    """One poisoned window must not hold up those after it."""
    server.answers = [answer(400)]
    health = Health()
    fanout = Fanout([cloudwatch("", "")], health)
    now_s = int(time.time()) // 60 * 60
    first, second = (
        Window(now_s, 60, "w", number, make_window("acme", calls=5).series, {}) for number in (1, 2)
    )
    assert not fanout.export([first], time.monotonic() + 5)
    assert fanout.export([second], time.monotonic() + 5)
    assert health.counts() == {"export_failed": 1, "export_dropped": 5}
    assert fanout.close(time.monotonic() + 5)
