"""Several exporters behind one: each fails alone, nothing is lost in silence."""

from __future__ import annotations

import threading
import time

import pytest

from tenantmetrics.export.base import ExportError
from tenantmetrics.export.fanout import Fanout
from tenantmetrics.health import Health, Loss


class Destination:
    """A real exporter of the test's own: remembers what arrived and fails on demand."""

    def __init__(self, name="dest"):
        self.name = name
        self.arrived = []
        self.raises = None
        self.hold = None
        self.holding = threading.Event()
        self.got = threading.Event()
        self.closed = 0
        self.deadlines = []

    def export(self, windows, deadline_s):
        self.deadlines.append(deadline_s)
        if self.hold is not None:
            self.holding.set()
            assert self.hold.wait(30)
        if self.raises is not None:
            raise self.raises(windows)
        self.arrived += windows
        self.got.set()

    def close(self):
        self.closed += 1


def soon():
    return time.monotonic() + 30


@pytest.fixture
def health():
    return Health()


def test_every_exporter_gets_every_window_in_order(health, make_window):
    """Two destinations, two exports: both have all four windows, oldest first."""
    one, two = Destination(), Destination()
    fanout = Fanout([one, two], health)
    windows = [make_window("acme", sequence=n) for n in range(4)]
    assert fanout.export(windows[:2], soon())
    assert fanout.export(windows[2:], soon())
    assert fanout.close(soon())
    assert one.arrived == two.arrived == windows
    assert (one.closed, two.closed) == (1, 1)
    assert not health.counts()


def test_a_failing_exporter_stops_no_other_and_is_counted(health, make_window):
    """The bug of one destination is its own; nothing reaches the caller."""
    bad, good = Destination("bad"), Destination("good")
    bad.raises = lambda _: ZeroDivisionError()
    fanout = Fanout([bad, good], health)
    window = make_window("acme")
    assert not fanout.export([window], soon())
    assert good.arrived == [window]
    assert health.counts() == {Loss.EXPORT_FAILED: 1}
    fanout.close(soon())


def test_what_surely_failed_is_tried_again_in_order(health, make_window):
    """After an outage the destination has every window once, oldest first."""
    dest = Destination()
    fanout = Fanout([dest], health)
    windows = [make_window("acme", sequence=n) for n in range(3)]
    dest.raises = lambda w: ExportError("down", failed=w)
    assert not fanout.export(windows[:1], soon())
    assert not fanout.export(windows[1:2], soon())
    dest.raises = None
    assert fanout.export(windows[2:], soon())
    assert dest.arrived == windows
    fanout.close(soon())


def test_what_may_have_arrived_is_counted_and_never_sent_twice(health, make_window):
    """An outcome nobody knows is not repeated: a bill would count it double."""
    dest = Destination()
    fanout = Fanout([dest], health)
    first, second = make_window("acme"), make_window("acme", sequence=1)
    dest.raises = lambda w: ExportError("no answer", uncertain=w)
    assert not fanout.export([first], soon())
    dest.raises = None
    fanout.export([second], soon())
    assert dest.arrived == [second]
    assert health.counts() == {Loss.EXPORT_UNCERTAIN: 1}
    fanout.close(soon())


def test_a_full_backlog_drops_the_oldest_and_counts_its_calls(health, make_window):
    """Memory is bounded while a destination is down, and every call given up is counted."""
    dest = Destination()
    fanout = Fanout([dest], health, max_backlog_series=4)
    dest.raises = lambda w: ExportError("down", failed=w)
    windows = [make_window("acme", sequence=n, calls=10**n) for n in range(4)]
    for window in windows:
        fanout.export([window], soon())
    dest.raises = None
    assert fanout.export([], soon())
    assert dest.arrived == windows[2:]
    assert health.counts()[Loss.EXPORT_DROPPED] == 1 + 10
    fanout.close(soon())


def test_the_newest_window_is_kept_even_when_it_alone_is_over_the_bound(health, make_window):
    """A bound smaller than one window must not mean that nothing is ever exported."""
    dest = Destination()
    fanout = Fanout([dest], health, max_backlog_series=1)
    window = make_window("acme", "bee", "cat")
    assert fanout.export([window], soon())
    assert dest.arrived == [window]
    fanout.close(soon())


def test_a_hanging_exporter_delays_the_others_and_the_caller_only_to_the_deadline(
    health, make_window
):
    """One destination never answers: the other delivers, export and close return, it is counted."""
    stuck, good = Destination("stuck"), Destination("good")
    stuck.hold = threading.Event()
    fanout = Fanout([stuck, good], health)
    window = make_window("acme")
    assert not fanout.export([window], time.monotonic() + 0.05)
    assert good.got.wait(30)
    assert good.arrived == [window]
    assert stuck.holding.wait(30)
    assert not fanout.close(time.monotonic() + 0.5)
    assert (stuck.closed, good.closed) == (0, 1)
    assert health.counts() == {Loss.EXPORT_UNCERTAIN: 1}
    stuck.hold.set()


def test_a_slow_exporter_gets_what_came_meanwhile_in_its_next_round(health, make_window):
    """Windows queue up behind a slow destination and arrive once it is done."""
    dest = Destination()
    dest.hold = threading.Event()
    fanout = Fanout([dest], health)
    windows = [make_window("acme", sequence=n) for n in range(3)]
    assert not fanout.export(windows[:1], time.monotonic())
    assert dest.holding.wait(30)
    assert not fanout.export(windows[1:], time.monotonic())
    dest.hold.set()
    assert fanout.close(soon())
    assert dest.arrived == windows


def test_who_asks_during_a_failing_round_gets_a_try_of_their_own(health, make_window):
    """A flush that meets an export out of time is not told "failed" while it could still send."""
    dest = Destination()
    dest.hold = threading.Event()
    dest.raises = lambda w: ExportError("out of time", failed=w)
    fanout = Fanout([dest], health)
    window = make_window("acme")
    fanout.offer([window], soon(), scheduled=True)
    assert dest.holding.wait(30)
    fanout.offer([], soon())
    given_up = dest.raises

    def first_time_only(windows):
        dest.raises = None
        return given_up(windows)

    dest.raises = first_time_only
    dest.hold.set()
    assert fanout.wait(soon())
    assert dest.arrived == [window]
    fanout.close(soon())


def test_a_scheduled_export_cuts_no_flush_short(health, make_window):
    """The flush's deadline holds for its windows, whatever is put on the schedule after it."""
    dest = Destination()
    dest.hold = threading.Event()
    fanout = Fanout([dest], health)
    first, second = make_window("acme"), make_window("acme", sequence=1)
    fanout.offer([first], 1.0, scheduled=True)
    assert dest.holding.wait(30)
    patient_s = soon()
    fanout.offer([second], patient_s)
    fanout.offer([], 2.0, scheduled=True)
    dest.hold.set()
    assert fanout.wait(patient_s)
    assert dest.deadlines == [1.0, patient_s]
    fanout.close(soon())


def test_windows_that_come_on_schedule_while_somebody_waits_have_the_waiters_time(
    health, make_window
):
    """An interval of some milliseconds would end the round that the flush waits for."""
    dest = Destination()
    dest.hold = threading.Event()
    fanout = Fanout([dest], health)
    fanout.offer([make_window("acme")], 1.0)
    assert dest.holding.wait(30)
    patient_s = soon()
    outcome = []
    waiter = threading.Thread(target=lambda: outcome.append(fanout.wait(patient_s)))
    waiter.start()
    (lane,) = fanout._lanes
    while not lane._waits:
        pass
    fanout.offer([make_window("acme", sequence=1)], 2.0, scheduled=True)
    dest.hold.set()
    waiter.join(30)
    assert outcome == [True]
    assert dest.deadlines == [1.0, patient_s]
    assert fanout.close(time.monotonic())
    assert lane._waits == []


def test_what_was_lost_in_flight_is_told_to_who_asked_meanwhile(health, make_window):
    """The second try goes well, and still not everything arrived."""
    dest = Destination()
    dest.hold = threading.Event()
    fanout = Fanout([dest], health)
    lost, late = make_window("acme"), make_window("acme", sequence=1)

    def half(windows):
        dest.raises = None
        return ExportError("half", failed=windows[1:], uncertain=windows[:1])

    dest.raises = half
    fanout.offer([lost, late], soon())
    assert dest.holding.wait(30)
    fanout.offer([], soon())
    dest.hold.set()
    assert not fanout.wait(soon())
    assert dest.arrived == [late]
    fanout.close(soon())


def test_at_close_what_never_arrived_is_counted_by_calls(health, make_window):
    """The process ends with the destination down: the calls that are gone are told."""
    dest = Destination()
    dest.raises = lambda w: ExportError("down", failed=w)
    fanout = Fanout([dest], health)
    fanout.export([make_window("acme", "bee")], soon())
    assert not fanout.close(soon())
    assert health.counts()[Loss.EXPORT_DROPPED] == 6
    assert dest.closed == 1


def test_after_close_nothing_is_exported(health, make_window):
    """A late window does not start a thread again."""
    dest = Destination()
    fanout = Fanout([dest], health)
    fanout.close(soon())
    fanout.export([make_window("acme")], soon())
    assert not dest.arrived


def test_where_no_thread_can_be_started_the_export_runs_on_the_callers(
    health, make_window, monkeypatch
):
    """At interpreter exit Python starts no thread any more, and the last window still arrives."""

    def refuse(_):
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    dest = Destination()
    fanout = Fanout([dest], health)
    window = make_window("acme")
    assert fanout.export([window], soon())
    assert dest.arrived == [window]
    assert fanout.close(soon())


def test_an_exporter_that_fails_to_close_stops_no_other(health):
    """Each is closed, and the failure is counted."""
    bad, good = Destination("bad"), Destination("good")
    bad.close = lambda: 1 / 0
    Fanout([bad, good], health).close(soon())
    assert good.closed == 1
    assert health.counts() == {Loss.EXPORT_FAILED: 1}
