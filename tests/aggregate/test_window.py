"""Windows: whose numbers, which minute, and what happens past the bounds."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.health import Health
from tenantmetrics.measures import BY_STATEMENT, SUMS
from tenantmetrics.records import OK, OVERFLOW, Claims, Misuse
from tests.aggregate.calls import MINUTE_NS, aggregator, by, call

COUNTED = (
    "attempts",
    "request_bytes",
    "response_bytes",
    "billed_requests",
    "rows_returned",
    "rows_written",
)


def test_calls_of_one_key_are_summed():
    """Three calls of a tenant and operation are one series with their sums."""
    one = aggregator()
    for duration in (1_000, 3_000, 2_000):
        one.add(call(duration_ns=duration), by(("acme", 1)))

    (window,) = one.close()
    ((key, series),) = window.series.items()
    assert (key.tenant, key.operation, key.outcome) == ("acme", "ExecuteStatement", "ok")
    assert (series.calls, series.duration_ns, series.rows_returned) == (3, 6_000, 6)
    assert (series.duration_min_ns, series.duration_max_ns) == (1_000, 3_000)


def test_a_call_belongs_to_the_minute_in_which_it_ended():
    """Windows align to the wall clock, and a late call still finds its own."""
    one = aggregator()
    one.add(call(ended_at_ns=5 * MINUTE_NS), by(("acme", 1)))
    one.add(call(ended_at_ns=5 * MINUTE_NS - 1), by(("acme", 1)))

    assert [(window.start_s, window.sequence) for window in one.close()] == [(240, 0), (300, 1)]
    one.add(call(ended_at_ns=5 * MINUTE_NS - 1), by(("acme", 1)))
    assert [(window.start_s, window.sequence) for window in one.close()] == [(240, 2)]


@given(
    st.lists(
        st.tuples(
            st.lists(
                st.tuples(st.sampled_from("abcd"), st.integers(1, 9)),
                min_size=1,
                max_size=4,
                unique_by=lambda share: share[0],
            ),
            st.integers(0, 10**6),
        ),
        max_size=40,
    )
)
def test_totals_over_tenants_equal_what_was_put_in(calls):
    """However calls are shared among tenants, every integer adds up over the series."""
    one = aggregator()
    for shares, amount in calls:
        one.add(
            call(**dict.fromkeys(COUNTED, amount), duration_ns=amount + 1),
            by(*shares),
        )

    series = [each for window in one.close() for each in window.series.values()]
    assert sum(each.calls for each in series) == len(calls)
    assert sum(sum(each.buckets.values()) for each in series) == len(calls)
    assert sum(each.duration_ns for each in series) == sum(amount + 1 for _, amount in calls)
    for field in COUNTED:
        assert sum(getattr(each, field) for each in series) == sum(amount for _, amount in calls)


def test_past_the_cap_calls_fold_into_overflow_and_are_counted():
    """Totals stay exact, operation and outcome too; each folded call is a counted `series_cap`."""
    health = Health()
    one = aggregator(health, max_series=3)
    for n in range(10):
        one.add(call(), by((f"tenant-{n}", 1)))
        one.add(call(outcome="BadRequestException"), by(("tenant-0", 1)))

    (window,) = one.close()
    calls = {(key.tenant, key.outcome): series.calls for key, series in window.series.items()}
    assert calls == {
        ("tenant-0", "ok"): 1,
        ("tenant-0", "BadRequestException"): 10,
        ("tenant-1", "ok"): 1,
        (OVERFLOW, "ok"): 8,
    }
    assert health.counts() == {"series_cap": 8}
    assert window.losses == {"series_cap": 8}


def test_memory_is_bounded_even_where_every_call_names_another_database():
    """What a caller can vary without end cannot make series without end."""
    one = aggregator(max_series=10)
    for n in range(2_000):
        one.add(call(database=f"db{n}"), by(("acme", 1)))

    (window,) = one.close()
    assert len(window.series) <= 10 + 256 + 1
    assert sum(series.calls for series in window.series.values()) == 2_000


def test_losses_ride_on_one_window_only_and_on_an_empty_one_if_need_be():
    """A loss is reported once, also when there was no call to report it with."""
    health = Health()
    one = aggregator(health)
    health.count("queue_full", 3)
    one.add(call(ended_at_ns=0), by(("acme", 1)))
    one.add(call(ended_at_ns=MINUTE_NS), by(("acme", 1)))
    assert [window.losses for window in one.close()] == [{"queue_full": 3}, {}]

    health.count("queue_full", 2)
    (window,) = one.close()
    assert (window.start_s, window.series, window.losses) == (420, {}, {"queue_full": 2})
    assert one.close() == []


@pytest.mark.parametrize("misuse", list(Misuse))
def test_each_kind_of_misuse_is_totalled(misuse):
    """What the tenant stage found fault with shows in the totals by kind."""
    one = aggregator()
    one.add(call(), by(("acme", 1), misuses=(misuse,)))

    assert one.totals.misuses == {misuse: 1}


HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
long_calls = st.lists(
    st.tuples(
        st.integers(2 * DAY_NS, 4 * DAY_NS),
        st.one_of(st.integers(0, 10**9), st.integers(0, 3 * HOUR_NS)),
        st.integers(0, 100),
        st.lists(
            st.tuples(st.sampled_from("abc"), st.integers(1, 5)),
            min_size=1,
            max_size=3,
            unique_by=lambda share: share[0],
        ),
        st.booleans(),
    ),
    max_size=25,
)


@given(long_calls)
def test_the_days_add_up_to_the_month_whatever_the_calls(calls):
    """Time is split over the windows it covers, counts stay with the end; nothing is lost."""
    one = aggregator(max_series=10_000)
    windows = []
    for ended_at_ns, duration_ns, waited, shares, close in calls:
        waited_ns = duration_ns * waited // 100
        one.add(
            call(ended_at_ns=ended_at_ns, duration_ns=duration_ns, waited_ns=waited_ns), by(*shares)
        )
        if close:
            windows += one.close()
    windows += one.close()

    assert len({window.sequence for window in windows}) == len(windows)
    days = {}
    for window in windows:
        for series in window.series.values():
            day = days.setdefault(window.start_s // 86_400, dict.fromkeys([*SUMS, "split"], 0))
            for name in SUMS:
                day[name] += getattr(series, name)
            day["split"] += series.elsewhere_ns
    month = {name: sum(day[name] for day in days.values()) for name in [*SUMS, "split"]}
    assert month["calls"] == month["attempts"] == len(calls)
    assert month["duration_ns"] == sum(duration for _, duration, *_ in calls)
    assert month["waited_ns"] == sum(d * waited // 100 for _, d, waited, *_ in calls)
    assert month["split"] == 0
    assert all(0 <= s.waited_ns <= s.duration_ns for w in windows for s in w.series.values())

    rows = [row.sums for window in windows for row in window.statements.rows()]
    for n, measure in enumerate(BY_STATEMENT):
        if month[measure.name] < 2**63:  # squares of hours are cut off there
            assert sum(row[n] for row in rows) == month[measure.name]


def test_time_counts_in_the_minutes_in_which_it_was_spent():
    """44 s that end at 10:00:14: 14 s are of 10:00, 30 s of 09:59; the call is of 10:00."""
    one = aggregator()
    one.add(
        call(ended_at_ns=10 * HOUR_NS + 14 * 10**9, duration_ns=44 * 10**9, waited_ns=35 * 10**9),
        by(("acme", 1)),
    )

    before, after = one.close()
    (earlier,), (later,) = before.series.values(), after.series.values()
    assert (before.start_s, after.start_s) == (35_940, 36_000)
    assert (earlier.calls, earlier.duration_ns, earlier.waited_ns) == (0, 30 * 10**9, 30 * 10**9)
    assert (later.calls, later.duration_ns, later.waited_ns) == (1, 14 * 10**9, 5 * 10**9)
    assert earlier.billed_requests == 0
    assert not earlier.buckets
    # The latency that the client saw is of the whole call.
    assert later.duration_ns + later.elsewhere_ns == later.duration_max_ns == 44 * 10**9
    assert earlier.duration_ns + earlier.elsewhere_ns == 0
    assert later.duration_us2 == 9_000_000**2


def test_a_late_part_opens_another_window_of_its_minute():
    """The sequence tells the two apart; a part of less than a second stays with the end."""
    one = aggregator()
    one.add(call(ended_at_ns=5 * MINUTE_NS - 1), by(("acme", 1)))
    one.close()
    one.add(call(ended_at_ns=5 * MINUTE_NS + 1, duration_ns=2 * 10**9), by(("acme", 1)))
    one.add(call(ended_at_ns=5 * MINUTE_NS + 2, duration_ns=3 * 10**9), by(("bee", 1)))
    assert [(w.start_s, w.sequence) for w in one.close()] == [(240, 1), (300, 2)]
    one.add(call(ended_at_ns=5 * MINUTE_NS + 1, duration_ns=10**9), by(("acme", 1)))
    (window,) = one.close()
    (series,) = window.series.values()
    assert (window.start_s, series.duration_ns, series.elsewhere_ns) == (300, 10**9, 0)


def test_a_clock_that_jumps_opens_no_thousands_of_windows():
    """A call of a year takes 61 windows, and ten thousand jumps take no more than the bound."""
    one = aggregator(max_series=100_000)
    one.add(call(ended_at_ns=400 * DAY_NS, duration_ns=365 * DAY_NS), by(("acme", 1)))
    windows = one.close()
    assert len(windows) == 61
    assert sum(s.duration_ns for w in windows for s in w.series.values()) == 365 * DAY_NS

    for n in range(10_000):
        one.add(call(ended_at_ns=n * HOUR_NS, duration_ns=0), by(("acme", 1)))
    windows = one.close()
    assert len(windows) <= 512
    assert sum(s.calls for w in windows for s in w.series.values()) == 10_000


def test_the_unrolled_sums_are_the_declared_measures():
    """A call alone and the same call in parts give the same numbers, all of those declared."""
    facts = {name: n + 2 for n, name in enumerate(COUNTED)}
    whole, parts = aggregator(), aggregator()
    given_call = call(ended_at_ns=MINUTE_NS, duration_ns=7_000_000, waited_ns=3_000_000, **facts)
    whole.add(given_call, by(("acme", 1)))
    parts._add_in_parts(parts._opened(1), given_call, by(("acme", 1)))
    (alone,), (split,) = (list(a.close()[0].series.values()) for a in (whole, parts))
    assert alone == split
    found = {name: getattr(alone, name) for name in SUMS}
    assert found == facts | {
        "calls": 1, "duration_ns": 7_000_000, "duration_us2": 4_000**2, "waited_ns": 3_000_000
    }  # fmt: skip


def test_calls_of_more_kinds_than_are_kept_together_count_exactly():
    """What has a cell, what has none, and what is read in between, adds up."""
    one = aggregator(max_series=100)
    for n in range(20_000):
        kind = n % 9_500 if n % 3 else 0
        claims = Claims(f"SELECT t{kind}", fingerprint=1 + kind)
        one.add(call(MINUTE_NS, duration_ns=n, claims=claims), by((f"t{n % 7}", 1)))
        if n % 6_000 == 0:
            assert sum(s.calls for s in one.snapshot().open[0].series.values()) == n + 1
    (window,) = one.close()
    total = sum(range(20_000))
    assert sum(series.calls for series in window.series.values()) == 20_000
    assert sum(series.duration_ns for series in window.series.values()) == total
    assert sum(sum(series.buckets.values()) for series in window.series.values()) == 20_000
    assert sum(row.sums[0] for row in window.statements.rows()) == 20_000
    assert sum(row.sums[1] for row in window.statements.rows()) == total
    by_kind = Counter(n % 9_500 if n % 3 else 0 for n in range(20_000))
    found = Counter()
    for row in window.statements.rows():
        found[row.key[2] - 1] += row.sums[0]
    assert found == by_kind


def test_a_snapshot_shows_open_and_recent_windows_and_changes_nothing():
    """Who looks sees the numbers of now; what is exported afterwards is the same as without."""
    seen, unseen = aggregator(), aggregator()
    for one in (seen, unseen):
        one.add(call(MINUTE_NS), by(("acme", 1)))
        one.close()
        one.add(call(2 * MINUTE_NS, outcome="BadRequestException"), by(("bee", 1)))
    first = seen.snapshot()
    assert [[k.tenant for k in w.series] for w in first.recent] == [["acme"]]
    (still_open,) = first.open
    ((key, series),) = still_open.series.items()
    assert (key.tenant, key.outcome != OK, series.calls) == ("bee", True, 1)
    assert (still_open.start_s, still_open.sequence) == (120, 1)
    assert set(still_open.load_ns) == {"bee"}

    for one in (seen, unseen):
        one.add(call(2 * MINUTE_NS), by(("bee", 1)))
    assert series.calls == 1
    (after,), (without,) = seen.close(), unseen.close()
    assert (after.series, after.load_ns) == (without.series, without.load_ns)
    assert len(seen.snapshot().recent) == 2
    assert seen.snapshot().open == ()


def test_recent_windows_are_bounded():
    """Five of them, and no more series than may be open."""
    one = aggregator(max_series=10)
    for minute in range(20):
        for tenant in "abcd":
            one.add(call(minute * MINUTE_NS), by((tenant, 1)))
        one.close()
    assert len(one.snapshot().recent) == 2
