"""Windows: whose numbers, which minute, and what happens past the bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.aggregate.window import Aggregator
from tenantmetrics.health import Health
from tenantmetrics.records import OVERFLOW, Attribution, Call, Claims, Misuse, Source

MINUTE_NS = 60_000_000_000
COUNTED = (
    "attempts",
    "request_bytes",
    "response_bytes",
    "billed_requests",
    "rows_returned",
    "rows_written",
)


def call(ended_at_ns=0, **changes):
    usual = {
        "operation": "ExecuteStatement",
        "ended_at_ns": ended_at_ns,
        "duration_ns": 1_000_000,
        "outcome": "ok",
        "sqlstate": "",
        "http_status": 200,
        "attempts": 1,
        "request_bytes": 300,
        "response_bytes": 100,
        "billed_requests": 1,
        "rows_returned": 2,
        "rows_written": 0,
        "session": "",
        "resource_arn": "arn:aws:rds:us-east-1:123456789012:cluster:c",
        "database": "hotel",
        "claims": Claims(),
    }
    return Call(**(usual | changes))


def by(*shares, source=Source.STATEMENT, misuses=()):
    return Attribution(shares, source, misuses)


def aggregator(health=None, **settings):
    return Aggregator(
        **(
            {
                "window_s": 60,
                "max_series": 100,
                "health": health or Health(),
                "writer": "w",
                "clock_ns": lambda: 7 * MINUTE_NS + 1,
            }
            | settings
        )
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
