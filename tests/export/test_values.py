"""Values and counts out of a histogram: sums, counts, minima and maxima stay exact."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.export.values import values
from tenantmetrics.histogram import bucket_index, record
from tenantmetrics.records import Series

durations = st.lists(
    st.one_of(st.integers(0, 50), st.integers(1, 10**6), st.integers(1, 3_600 * 10**9)),
    min_size=1,
    max_size=400,
)


def series_of(given_ns):
    series = Series()
    for duration_ns in given_ns:
        record(series, duration_ns)
        series.calls += 1
        series.duration_ns += duration_ns
    return series


@given(durations)
def test_sum_count_minimum_and_maximum_are_exact(given_ns):
    """To the nanosecond, whatever the durations are, within CloudWatch's 150 values."""
    pairs = values(series_of(given_ns), 150)
    assert sum(value * count for value, count in pairs) == sum(given_ns)
    assert sum(count for _, count in pairs) == len(given_ns)
    assert pairs[0][0] == min(given_ns)
    assert pairs[-1][0] == max(given_ns)
    assert len(pairs) <= 150
    assert all(count > 0 for _, count in pairs)
    assert [value for value, _ in pairs] == sorted({value for value, _ in pairs})


@given(durations)
def test_as_milliseconds_in_floats_the_sum_still_rounds_to_the_nanosecond(given_ns):
    """CloudWatch takes doubles in ms; nothing of a ns is lost on the way."""
    total_ms = sum((value / 1e6) * count for value, count in values(series_of(given_ns), 150))
    assert round(total_ms * 1e6) == pytest.approx(sum(given_ns), abs=0.5 + sum(given_ns) * 2e-15)


@given(durations, st.integers(8, 30))
def test_few_values_are_enough(given_ns, limit):
    """Fewer values merge neighbouring buckets; the sums do not move."""
    pairs = values(series_of(given_ns), limit)
    assert len(pairs) <= limit
    assert sum(value * count for value, count in pairs) == sum(given_ns)
    assert sum(count for _, count in pairs) == len(given_ns)


def test_every_value_lies_in_a_bucket_that_had_calls():
    """So percentiles are off by the width of one bucket at most."""
    given_ns = [1_000_000 + 37_000 * n for n in range(300)]
    series = series_of(given_ns)
    full = {bucket_index(ns, series.scale) for ns in given_ns}
    for value, _ in values(series, 500):
        found = bucket_index(value, series.scale)
        assert {found - 1, found, found + 1} & full


@given(
    durations,
    st.integers(0, 10**13),
)
def test_time_of_split_calls_is_kept_even_where_no_bucket_fits(given_ns, total_ns):
    """A tenant's shares of calls can be less or more than its buckets say: the sum holds."""
    series = series_of(given_ns)
    series.duration_ns = total_ns
    pairs = values(series, 150)
    assert sum(value * count for value, count in pairs) == total_ns
    assert sum(count for _, count in pairs) == len(given_ns)


def test_time_without_a_whole_call_is_one_value():
    """Shares that round to no call at all still have their time."""
    assert values(Series(duration_ns=7), 150) == [(7, 1)]
    assert values(Series(), 150) == []
