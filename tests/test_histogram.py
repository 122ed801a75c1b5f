"""The exponential histogram: bounds, bounded size, lossless merging."""

from math import log2

from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.histogram import MAX_BUCKETS, bucket_index, merge, record
from tenantmetrics.records import Series

durations = st.integers(1, 10**14)


def filled(values):
    series = Series()
    for value in values:
        record(series, value)
    return series


@given(durations, st.integers(-3, 6))
def test_a_duration_lies_within_the_bounds_of_its_bucket(duration_ns, scale):
    """Lower bound exclusive, upper bound inclusive, up to the precision of a float logarithm."""
    index = bucket_index(duration_ns, scale)

    assert index / 2**scale < log2(duration_ns) + 1e-9
    assert log2(duration_ns) <= (index + 1) / 2**scale + 1e-9


@given(st.integers(0, 46), st.integers(0, 6))
def test_a_power_of_two_closes_its_bucket_exactly(exponent, scale):
    """The bounds that all scales share fall where OpenTelemetry's data model puts them."""
    assert bucket_index(2**exponent, scale) == exponent * 2**scale - 1


@given(st.lists(durations, min_size=1, max_size=200))
def test_every_duration_is_counted_once_within_the_bucket_limit(values):
    """However wide the span, counts stay and the number of buckets is bounded."""
    series = filled(values)

    assert sum(series.buckets.values()) == len(values)
    assert max(series.buckets) - min(series.buckets) < MAX_BUCKETS
    assert (series.duration_min_ns, series.duration_max_ns) == (min(values), max(values))


@given(st.lists(durations, max_size=100), st.lists(durations, max_size=100))
def test_merging_two_histograms_equals_recording_into_one(left, right):
    """Whatever their scales: same scale, same buckets, same extremes."""
    merged, other = filled(left), filled(right)
    merge(merged, other)
    whole = filled(left + right)

    assert (merged.scale, merged.buckets) == (whole.scale, whole.buckets)
    assert (merged.duration_min_ns, merged.duration_max_ns) == (
        whole.duration_min_ns,
        whole.duration_max_ns,
    )


@given(st.lists(durations, min_size=1, max_size=100))
def test_the_median_read_from_buckets_is_close_to_the_median(values):
    """At the start scale a bucket is 1.1 % wide; each lowering doubles that and no more."""
    series = filled(values)
    middle = sorted(values)[(len(values) - 1) // 2]
    seen = 0
    for index in sorted(series.buckets):
        seen += series.buckets[index]
        if seen > (len(values) - 1) // 2:
            upper = 2 ** ((index + 1) / 2**series.scale)
            break

    assert middle <= upper * (1 + 1e-9)
    assert upper <= middle * 2 ** (1 / 2**series.scale) * (1 + 1e-9)


def test_all_histograms_share_their_indexes():
    """Ten thousand tenants with thirty buckets each would keep a third of a million integers."""
    one, other = Series(), Series()
    for series in (one, other):
        for duration_ns in (1_000_000, 2_000_000, 3_000_000, 900_000_000_000):
            record(series, duration_ns)
    assert [id(index) for index in one.buckets] == [id(index) for index in other.buckets]
