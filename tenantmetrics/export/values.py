"""A histogram as values and counts: what CloudWatch and EMF take, and sums stay exact.

The buckets say how many calls lie where, the series says their exact sum, minimum and maximum.
Values are chosen inside their buckets so that all of that holds: one value is the minimum, one the
maximum, and the others stand at the same height of their buckets, the one at which the sum comes
out to the nanosecond. Percentiles are off by the width of a bucket at most.
"""

from __future__ import annotations

from tenantmetrics.records import Series

__all__ = ["values"]


def values(series: Series, limit: int) -> list[tuple[int, int]]:
    """The durations of a series as at most `limit` (nanoseconds, count) pairs, rising.

    Args:
        series: The counts add up to its calls, and the products to its calls' time,
            `duration_ns + elsewhere_ns`.
        limit: Pairs at most, at least 8.

    Returns:
        Pairs with distinct values. Shares of calls that are split among tenants can have a time
        that no values inside the buckets add up to: then the values are scaled until they do, and
        minimum and maximum with them. Time without a whole call is one value with a count of 1.
    """
    total_ns = series.duration_ns + series.elsewhere_ns
    buckets = series.buckets
    calls = sum(buckets.values())
    if calls == 0:
        return [(total_ns, 1)] if total_ns else []
    if calls == 1:
        return [(total_ns, 1)]
    scale = series.scale
    # Beside the buckets there are the minimum, the maximum and one bucket cut in two.
    while len(buckets) > limit - 3:
        scale -= 1
        merged: dict[int, int] = {}
        for index, count in buckets.items():
            merged[index >> 1] = merged.get(index >> 1, 0) + count
        buckets = merged
    return _exact(buckets, scale, series, total_ns) or _scaled(buckets, scale, total_ns)


def _exact(
    buckets: dict[int, int], scale: int, series: Series, total_ns: int
) -> list[tuple[int, int]]:
    """Values inside the buckets with the exact sum, minimum and maximum; empty if none exist."""
    low_ns, high_ns = series.duration_min_ns, series.duration_max_ns
    width = 2.0**-scale
    indexes = sorted(buckets)
    first, last = indexes[0], indexes[-1]
    # Lower edge, height and count of what is left of each bucket without the two extremes.
    rows = []
    edges_ns = highest_ns = 0
    for index in indexes:
        count = buckets[index] - (index == first) - (index == last)
        if count <= 0:
            if count < 0:
                return []  # both extremes in a bucket of one: the histogram holds split calls
            continue
        lower_ns = max(low_ns, int(2.0 ** (index * width)))
        upper_ns = max(lower_ns, min(high_ns, int(2.0 ** ((index + 1) * width))))
        rows.append((lower_ns, upper_ns - lower_ns, count))
        edges_ns += lower_ns * count
        highest_ns += (upper_ns - lower_ns) * count
    above_ns = total_ns - low_ns - high_ns - edges_ns
    if not 0 <= above_ns <= highest_ns:
        return []
    found = {low_ns: 1}
    found[high_ns] = found.get(high_ns, 0) + 1
    left_ns = above_ns
    placed = []
    for lower_ns, height_ns, count in rows:
        rise_ns = height_ns * above_ns // highest_ns if highest_ns else 0
        placed.append((lower_ns + rise_ns, height_ns, count))
        left_ns -= rise_ns * count
    for value_ns, height_ns, count in placed:
        raised = min(left_ns, count) if height_ns else 0
        left_ns -= raised
        if raised:
            found[value_ns + 1] = found.get(value_ns + 1, 0) + raised
        if count > raised:
            found[value_ns] = found.get(value_ns, 0) + count - raised
    return sorted(found.items())


def _scaled(buckets: dict[int, int], scale: int, total_ns: int) -> list[tuple[int, int]]:
    """The buckets' middles, all scaled by one factor so that they add up to the total."""
    width = 2.0**-scale
    middles = [(2.0 ** ((index + 0.5) * width), buckets[index]) for index in sorted(buckets)]
    factor = total_ns / sum(value * count for value, count in middles)
    placed = [(int(value * factor), count) for value, count in middles]
    left_ns = total_ns - sum(value * count for value, count in placed)
    calls = sum(count for _, count in placed)
    # Floats of 53 bits leave less than a call's worth each; the rest goes over all calls evenly.
    each_ns, left_ns = divmod(left_ns, calls)
    found: dict[int, int] = {}
    for value_ns, count in placed:
        raised = min(left_ns, count)
        left_ns -= raised
        if raised:
            found[value_ns + each_ns + 1] = found.get(value_ns + each_ns + 1, 0) + raised
        if count > raised:
            found[value_ns + each_ns] = found.get(value_ns + each_ns, 0) + count - raised
    return sorted(found.items())
