"""What ran between two snapshots: a server of numbers, whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantmetrics.errors import ServerLoadError
from tenantmetrics.serverside.columns import Gap
from tenantmetrics.serverside.statements.delta import NewSeries, Stretch, between
from tenantmetrics.serverside.statements.snapshot import Counters, Entry, Server, Snapshot

ENTRIES = [Entry(5, 10, number) for number in range(3)]
DAY = 86_400


class Model:
    """A server that counts, forgets and restarts; a minute passes with each snapshot.

    Args:
        has_info: It says when it was reset and how often it evicted, as PostgreSQL 14 does.
        has_since: It says when each entry was made, as PostgreSQL 17 does.
    """

    def __init__(self, *, has_info, has_since):
        self.has_info, self.has_since = has_info, has_since
        self.at_s = 1_000_000.0
        self.started_s = self.reset_s = self.at_s - 500
        self.evictions = 0
        self.calls = {}
        self.since = {}
        self.truth = 0

    def act(self, action, entry, amount):
        self.at_s += 1
        if action == "run":
            self.since.setdefault(entry, self.at_s)
            self.calls[entry] = self.calls.get(entry, 0) + amount
            self.truth += amount
        elif action == "evict" and entry in self.calls:
            del self.calls[entry], self.since[entry]
            self.evictions += 1
        elif action == "reset one" and entry in self.calls:
            del self.calls[entry], self.since[entry]
        elif action in {"reset", "crash"}:
            self.calls.clear()
            self.since.clear()
            self.reset_s = self.at_s
            self.evictions = 0
            if action == "crash":
                self.started_s = self.at_s
        elif action == "restart":
            self.started_s = self.at_s

    def snapshot(self):
        self.at_s += 60
        info = (self.reset_s, self.evictions) if self.has_info else (None, None)
        return Snapshot(
            self.at_s,
            Server("7", "", self.started_s, *info),
            {
                entry: Counters(
                    calls, calls * 1.5, calls, 0, 0, self.since[entry] if self.has_since else 0.0
                )
                for entry, calls in self.calls.items()
            },
            {5: "app"},
        )


ACTIONS = st.tuples(
    st.sampled_from(["run", "run", "run", "evict", "reset one", "reset", "crash", "restart"]),
    st.sampled_from(ENTRIES),
    st.integers(1, 5),
)


@settings(max_examples=500)
@given(st.lists(st.lists(ACTIONS, max_size=8), max_size=6), st.booleans(), st.booleans())
def test_never_more_is_counted_than_ran_and_all_of_it_where_there_is_no_gap(
    stretches, has_info, has_since
):
    """Whatever happens between snapshots, nothing is invented; and what is lost is said."""
    model = Model(has_info=has_info, has_since=has_since)
    before = model.snapshot()
    for actions in stretches:
        model.truth = 0
        for action in actions:
            model.act(*action)
        now = model.snapshot()
        found = between(before, now, every_s=300, longest_s=DAY)
        assert isinstance(found, Stretch)
        assert int(before.taken_s) <= found.start_s < found.end_s == int(now.taken_s)
        counted = sum(counters.calls for counters in found.progress.values())
        assert counted <= model.truth
        done = {action for action, _, _ in actions}
        if not done & {"evict", "reset one", "reset", "crash"}:
            assert found.gap is Gap.NONE
            assert counted == model.truth
        if has_info and done & {"reset", "crash"}:
            assert found.gap in {Gap.RESET, Gap.RESTART}
        elif has_info and now.server.evictions != before.server.evictions:
            assert found.gap is Gap.EVICTED
        assert all(c.exec_ms == c.calls * 1.5 for c in found.progress.values())
        before = now


def test_a_failover_begins_a_new_series():
    """The other instance's statistics began at another time: higher counters are no progress."""
    model = Model(has_info=True, has_since=False)
    model.act("run", ENTRIES[0], 5)
    before = model.snapshot()
    model.act("run", ENTRIES[0], 1_000)
    now = model.snapshot()
    other = replace(now, server=replace(now.server, reset_s=model.at_s - 5_000))
    found = between(before, other, every_s=300, longest_s=DAY)
    assert isinstance(found, NewSeries)
    assert "a failover" in found.why


def test_aurora_names_the_instance_that_answers():
    """Its own word is enough, whatever the times are."""
    model = Model(has_info=True, has_since=False)
    before = model.snapshot()
    now = model.snapshot()
    before = replace(before, server=replace(before.server, instance="shop-1"))
    now = replace(now, server=replace(now.server, instance="shop-2"))
    found = between(before, now, every_s=300, longest_s=DAY)
    assert isinstance(found, NewSeries)
    assert found.why.startswith("instance 'shop-2' answers where 'shop-1' did before")


@pytest.mark.parametrize(("minutes", "gap"), [(10, Gap.NONE), (11, Gap.MISSING)])
def test_a_late_snapshot_is_one_that_missed_a_whole_turn(minutes, gap):
    """A run that starts some seconds late is not one that is missing."""
    model = Model(has_info=True, has_since=True)
    before = model.snapshot()
    model.at_s += (minutes - 1) * 60
    found = between(before, model.snapshot(), every_s=300, longest_s=DAY)
    assert isinstance(found, Stretch)
    assert found.gap is gap


def test_two_snapshots_in_one_second_are_refused():
    """A stretch of no length would have no place."""
    snapshot = Model(has_info=True, has_since=True).snapshot()
    with pytest.raises(ServerLoadError, match="not older than this one"):
        between(snapshot, snapshot, every_s=300, longest_s=DAY)
