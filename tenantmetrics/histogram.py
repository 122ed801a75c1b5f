"""OpenTelemetry's base-2 exponential histogram of durations, kept in a `Series`.

At scale s, bucket i counts durations in (2**(i / 2**s), 2**((i + 1) / 2**s)] ns. A lower scale
merges neighbours in pairs, so histograms of any two scales merge without losing a count. The
scale starts fine and is lowered only when the span of the buckets would pass `MAX_BUCKETS`.
Source: OpenTelemetry metrics data model, "ExponentialHistogram".
"""

from __future__ import annotations

from math import ceil, log2

from tenantmetrics.measures import SUMS
from tenantmetrics.records import Series

__all__ = [
    "MAX_BUCKETS",
    "PER_OCTAVE",
    "START_SCALE",
    "add",
    "bucket_index",
    "merge",
    "record",
    "shared_index",
]

START_SCALE = 6
"""Buckets 1.1 % wide: finer than any clock jitter, and ten octaves fit before a first halving."""

MAX_BUCKETS = 160
"""OpenTelemetry's default MaxSize; CloudWatch takes 150 values a metric, empty ones not sent."""

PER_OCTAVE = {scale: 2.0**scale for scale in range(-10, 21)}
"""Buckets per octave by scale: all of OpenTelemetry's scales."""

_SHARED: dict[int, int] = {}
shared_index = _SHARED.setdefault
"""Takes an index twice, returns the one object that stands for it in all histograms: their own
would be a third of a series' memory. Up to `START_SCALE` there are some thousands of indexes."""


def bucket_index(duration_ns: int, scale: int) -> int:
    """The bucket of a duration at a scale.

    Args:
        duration_ns: At least 1; smaller is counted as 1.
        scale: Buckets per octave are 2**scale; negative scales hold several octaves a bucket.
    """
    return ceil(log2(duration_ns) * PER_OCTAVE[scale]) - 1 if duration_ns > 1 else -1


def record(series: Series, duration_ns: int, count: int = 1) -> None:
    """Count a duration; keeps `duration_min_ns` and `duration_max_ns`, which bound the buckets.

    Args:
        series: Changed in place.
        duration_ns: The duration.
        count: How often, at least 1.
    """
    buckets = series.buckets
    if not buckets:
        series.scale = START_SCALE
        series.duration_min_ns = series.duration_max_ns = duration_ns
    elif duration_ns < series.duration_min_ns:
        series.duration_min_ns = duration_ns
        _fit(series)
    elif duration_ns > series.duration_max_ns:
        series.duration_max_ns = duration_ns
        _fit(series)
    index = bucket_index(duration_ns, series.scale)
    index = shared_index(index, index)
    series.buckets[index] = series.buckets.get(index, 0) + count


def merge(into: Series, other: Series) -> None:
    """Add another series' histogram, minimum and maximum to one; no count is lost.

    Args:
        into: Changed in place.
        other: Left as it is.
    """
    if not other.buckets:
        return
    if not into.buckets:
        into.scale = other.scale
        into.duration_min_ns, into.duration_max_ns = other.duration_min_ns, other.duration_max_ns
        into.buckets = dict(other.buckets)
        return
    into.duration_min_ns = min(into.duration_min_ns, other.duration_min_ns)
    into.duration_max_ns = max(into.duration_max_ns, other.duration_max_ns)
    if other.scale < into.scale:
        _lower(into, into.scale - other.scale)
    _fit(into)
    by = other.scale - into.scale
    for index, count in other.buckets.items():
        index >>= by  # noqa: PLW2901 - the same bucket, at the lower scale
        into.buckets[index] = into.buckets.get(index, 0) + count


def add(into: Series, other: Series) -> None:
    """Add all of another series' numbers to one: its sums, its histogram, the slower exemplar.

    Args:
        into: Changed in place.
        other: Left as it is.
    """
    merge(into, other)
    for name in SUMS:
        setattr(into, name, getattr(into, name) + getattr(other, name))
    into.elsewhere_ns += other.elsewhere_ns
    if other.exemplar is not None and (
        into.exemplar is None or other.exemplar.duration_ns > into.exemplar.duration_ns
    ):
        into.exemplar = other.exemplar


def _fit(series: Series) -> None:
    """Lower the scale until minimum and maximum lie within `MAX_BUCKETS` buckets."""
    low = bucket_index(series.duration_min_ns, series.scale)
    high = bucket_index(series.duration_max_ns, series.scale)
    by = 0
    while (high >> by) - (low >> by) >= MAX_BUCKETS:
        by += 1
    if by:
        _lower(series, by)


def _lower(series: Series, by: int) -> None:
    """Halve the resolution `by` times: index i becomes i // 2**by, also where i is negative."""
    lowered: dict[int, int] = {}
    for index, count in series.buckets.items():
        low = shared_index(index >> by, index >> by)
        lowered[low] = lowered.get(low, 0) + count
    series.buckets = lowered
    series.scale -= by
