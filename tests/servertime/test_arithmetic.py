"""What holds of the arithmetic for any numbers."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.servertime import (
    Common,
    Estimated,
    Moments,
    Overhead,
    OverheadSource,
    Part,
    by_writer,
    divide,
    fit,
    intervals,
    metered,
    overhead,
    upper_bound,
)
from tenantmetrics.servertime.slope import Group

amounts = st.floats(-1e12, 1e12, allow_nan=False)
parts = st.lists(
    st.builds(Part, st.integers(1, 10**7), amounts, st.floats(1.0, 1e18)), min_size=1, max_size=12
)


@given(parts, st.floats(0, 1e13))
def test_what_tenants_get_adds_up_to_the_servers_number(group, total):
    """Nothing is lost, nobody gets less than nothing, and errors are not negative."""
    found = divide(group, total)
    assert math.fsum(one.server_ns for one in found) == pytest.approx(total, rel=1e-9, abs=1e-6)
    assert all(one.server_ns >= 0 for one in found)
    assert all(one.variance_ns2 >= 0 for one in found)


@given(parts)
def test_without_a_number_of_the_servers_the_residues_keep_their_sum(group):
    """Drawing tenants to the mean moves time between them and makes none."""
    rest = math.fsum(part.rest_ns for part in group)
    scale = max(abs(part.rest_ns) for part in group) * len(group)
    found = math.fsum(one.server_ns for one in divide(group))
    # Trust differs with the calls, so what is drawn in does not cancel to the last nanosecond.
    assert abs(found - rest) <= scale * 2 + 1e-6


@given(parts, st.floats(1.0, 1e13), st.randoms())
def test_the_order_of_the_tenants_does_not_matter(group, total, shuffler):
    """A set has no order."""
    order = list(range(len(group)))
    shuffler.shuffle(order)
    straight = divide(group, total)
    mixed = divide([group[n] for n in order], total)
    for place, number in enumerate(order):
        assert mixed[place].server_ns == pytest.approx(
            straight[number].server_ns, rel=1e-6, abs=total * 1e-9
        )


@given(parts, st.floats(1e3, 1e12), st.integers(0, 20))
def test_scaling_the_times_scales_the_result(group, total, power):
    """Another unit, the same shares; of powers of two, because those round nothing."""
    factor = 2**power
    scaled = [
        Part(part.calls, part.rest_ns * factor, part.noise_ns2 * factor * factor) for part in group
    ]
    for small, large in zip(divide(group, total), divide(scaled, total * factor), strict=True):
        assert large.server_ns == pytest.approx(
            small.server_ns * factor, rel=1e-6, abs=total * factor * 1e-9
        )


@given(
    st.lists(
        st.tuples(
            st.builds(Estimated, st.floats(0, 1e12), st.floats(0, 1e20)), st.integers(1, 10**6)
        ),
        min_size=1,
        max_size=10,
    ),
    st.floats(0, 1e7),
)
def test_an_interval_holds_its_estimate_and_stays_within_the_whole(tenants, error):
    """No share is below 0 or above 1."""
    estimates = [one for one, _ in tenants]
    total = math.fsum(one.server_ns for one in estimates)
    bounds = intervals(estimates, [Common([calls for _, calls in tenants], error)])
    for one, (low, high) in zip(estimates, bounds, strict=True):
        assert 0 <= low <= high + total * 1e-12
        if total > 0:
            assert low <= one.server_ns * (1 + 1e-12)
            assert one.server_ns <= high * (1 + 1e-12)
            assert high <= total


@given(st.floats(0, 1e15), amounts, st.floats(0, 1e12))
def test_metered_and_unmetered_load_add_up_to_the_servers_number(total, record, error):
    """Whatever the verdict."""
    found = metered(total, record, error)
    assert found.metered_ns + found.unmetered_ns == pytest.approx(total)
    assert found.metered_ns >= 0
    assert found.unmetered_ns >= 0


def test_a_statement_that_all_tenants_run_alike_is_divided_by_calls():
    """Where chance explains the differences, there are none."""
    group = [Part(100, 110e6, 100 * 4e14), Part(1000, 950e6, 1000 * 4e14)]
    found = divide(group, 1100e6)
    assert [round(one.server_ns / 1e6) for one in found] == [100, 1000]


def test_writers_in_two_places_keep_their_own_overhead():
    """One is in the cluster's zone, one across an ocean; the difference is not noise."""
    near = Moments(400, 400 * 10e6, 400 * (10e3**2 + 4e3**2))
    far = Moments(400, 400 * 90e6, 400 * (90e3**2 + 4e3**2))
    found = by_writer({"near": near, "far": far}, overhead(near.plus(far)))
    assert found["near"].mean_ns == pytest.approx(10e6, rel=0.02)
    assert found["far"].mean_ns == pytest.approx(90e6, rel=0.02)


def test_thousands_of_short_lived_writers_share_one_overhead():
    """With three calls each, what differs between them is chance."""
    source = random.Random(7)
    writers = {}
    whole = Moments()
    for number in range(3000):
        times = [source.lognormvariate(math.log(20e6), 0.6) for _ in range(3)]
        writers[number] = Moments(3, sum(times), sum((t / 1e3) ** 2 for t in times))
        whole = whole.plus(writers[number])
    pooled = overhead(whole)
    found = by_writer(writers, pooled)
    own = [abs(writers[n].mean_ns - pooled.mean_ns) for n in writers]
    drawn = [abs(found[n].mean_ns - pooled.mean_ns) for n in writers]
    assert sum(drawn) < 0.2 * sum(own)


def test_a_writer_without_calls_that_do_no_work_gets_the_mean_of_all():
    """Nothing is known of it but what is known of the others."""
    whole = Overhead(20e6, 1e14, 1e5, OverheadSource.WORKLESS)
    found = by_writer({"silent": Moments(), "other": Moments(100, 2e9, 5e10)}, whole)
    assert found["silent"].mean_ns == 20e6


def test_the_price_of_a_byte_is_found_where_statements_differ_in_bytes():
    """20 ms and 30 ns a byte; the server's own time is off already."""
    groups = [Group(100, 100 * (20e6 + 30 * size), 100 * size) for size in (200, 5_000, 900_000)]
    assert fit(groups, 1e14).ns_a_byte == pytest.approx(30)
    alike = [Group(100, 100 * 20e6, 100 * size) for size in (200, 210, 220)]
    assert fit(alike, 1e14).ns_a_byte == 0
    assert fit(groups[:2], 1e14).ns_a_byte == 0


def test_without_the_servers_number_the_price_of_a_byte_is_at_most_what_large_answers_take():
    """The export takes 50 ms for a megabyte, so a byte costs 30 ns at most; others say nothing."""
    groups = [Group(10, 10 * 50e6, 10 * 1_000_200), Group(10, 10 * 900e6, 10 * 400)]
    found = upper_bound(20e6, 200, groups)
    assert found.is_bound
    assert found.ns_a_byte == pytest.approx(30)
    assert upper_bound(20e6, 200, groups[1:]).ns_a_byte == 0


def test_what_sorts_its_answer_says_nothing_of_the_price_of_bytes_and_a_batch_does():
    """300 ms for 35 kB are work; for a hundred rows that are sent they may be their way."""
    heavy, batch = Group(10, 10 * 300e6, 10 * 35_200), Group(10, 10 * 300e6, 10 * 35_200, 1_000)
    found = upper_bound(20e6, 200, [heavy])
    assert 0 < found.ns_a_byte == found.error < 100
    assert upper_bound(20e6, 200, [batch]).ns_a_byte == pytest.approx(8_000)
    slow = upper_bound(20e6, 200, [Group(10, 10 * 38e6, 10 * 35_200)])
    assert slow.ns_a_byte == pytest.approx(20e6 / 60_000)


def test_cheap_statements_sharpen_what_few_calls_without_work_say():
    """Look-ups whose mean is near the overhead's help; an aggregate's mean says nothing of it."""

    def moments(calls, mean_ms):
        return Moments(calls, calls * mean_ms * 1e6, calls * ((mean_ms * 1e3) ** 2 + 15e3**2))

    few = moments(100, 21)
    alone = overhead(few, [moments(1000, 60)])
    helped = overhead(few, [moments(1000, 60), moments(4000, 20), moments(4000, 20.2)])
    assert alone.mean_ns == pytest.approx(21e6, rel=0.01)
    assert helped.mean_ns == pytest.approx(20.1e6, rel=0.02)
    assert helped.error_ns < alone.error_ns / 1.5


def test_a_statement_of_few_calls_is_not_the_cheapest_by_chance():
    """Forty changes happened to be quick; a thousand look-ups are known to be."""

    def moments(calls, mean_ms):
        return Moments(calls, calls * mean_ms * 1e6, calls * ((mean_ms * 1e3) ** 2 + 15e3**2))

    found = overhead(Moments(), [moments(40, 18.5), moments(4000, 20)])
    assert found.source is OverheadSource.STATEMENTS
    assert found.mean_ns == pytest.approx(20e6, rel=0.02)
