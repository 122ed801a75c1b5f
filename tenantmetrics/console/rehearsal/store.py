"""What CloudWatch would hold: every published metric, minute by minute, value by value."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from math import ceil

from tenantmetrics import limits
from tenantmetrics.catalog import Level
from tenantmetrics.export.points import groups
from tenantmetrics.records import Window

__all__ = ["MINUTE_S", "Key", "MetricStore", "Points", "statistic"]

MINUTE_S = 60

Key = tuple[str, tuple[tuple[str, str], ...]]
"""A metric's name and its (dimension, value) pairs, sorted."""

Pairs = tuple[tuple[float, int], ...]
"""(value, how often) pairs; a value may stand in several. A day of many tenants must fit in memory,
so tuples and not counters."""

Points = dict[int, Pairs]
"""Start of the minute, s since the epoch → its values."""


class MetricStore:
    """Metrics by name and dimensions.

    Attributes:
        series: The numbers.
        start_s: Start of the first minute of the recording.
        end_s: End of the last.
        unknown: Metrics of ours that this kind of recording does not hold.
    """

    def __init__(self) -> None:
        self.series: dict[Key, Points] = {}
        self.unknown: set[str] = set()
        self.start_s = 0
        self.end_s = 0
        self._by_dimensions: dict[tuple[str, tuple[str, ...]], dict[Key, Points]] = {}
        self._running: dict[Key, tuple[list[int], list[float], list[int]]] = {}

    def add(self, name: str, dimensions: Mapping[str, str], at_s: int, pairs: Pairs) -> None:
        """Add values to a metric's minute."""
        minute = at_s - at_s % MINUTE_S
        key = (name, tuple(sorted(dimensions.items())))
        points = self.series.get(key)
        if points is None:
            points = self.series[key] = {}
            kind = (name, tuple(dimension for dimension, _ in key[1]))
            self._by_dimensions.setdefault(kind, {})[key] = points
        points[minute] = points.get(minute, ()) + pairs
        self._running.pop(key, None)
        self.covers(minute, minute + MINUTE_S)

    def drop(self, name: str) -> None:
        """Forget a metric that the recording cannot know of: no zero may say that all was well."""
        self.unknown.add(name)
        for kind in [known for known in self._by_dimensions if known[0] == name]:
            for key in self._by_dimensions.pop(kind):
                del self.series[key]

    def covers(self, start_s: int, end_s: int) -> None:
        """Say that the recording reaches from here to there, also where nothing was published."""
        if self.end_s == 0:
            self.start_s = start_s
        self.start_s = min(self.start_s, start_s)
        self.end_s = max(self.end_s, end_s)

    def add_windows(
        self, windows: Iterable[Window], *, level: Level = Level.DETAILED, max_tenants: int = 500
    ) -> None:
        """Add what the CloudWatch exporter would publish of windows, by the exporter's own code."""
        for window in windows:
            self.covers(window.start_s, window.start_s + window.length_s)
            for group in groups(
                window, level=level, max_tenants=max_tenants, values_max=limits.METRIC_VALUES_MAX
            ):
                for point in group.points:
                    pairs = dict(zip(point.metric.dimensions, group.dimensions, strict=True))
                    numbers = tuple((float(value), count) for value, count in point.values)
                    self.add(point.metric.name, pairs, window.start_s, numbers)

    def total(self, key: Key, from_s: int, to_s: int) -> tuple[float, int]:
        """Sum and count of a series' values in the minutes that start in [from_s, to_s)."""
        running = self._running.get(key)
        if running is None:
            minutes = sorted(self.series[key])
            sums, counts = [0.0], [0]
            for minute in minutes:
                values = self.series[key][minute]
                sums.append(sums[-1] + sum(value * n for value, n in values))
                counts.append(counts[-1] + sum(n for _, n in values))
            running = self._running[key] = (minutes, sums, counts)
        minutes, sums, counts = running
        first, last = bisect_left(minutes, from_s), bisect_left(minutes, to_s)
        return sums[last] - sums[first], counts[last] - counts[first]

    def select(self, name: str, dimensions: Iterable[str]) -> dict[Key, Points]:
        """Every series of a metric with exactly these dimensions."""
        return self._by_dimensions.get((name, tuple(sorted(dimensions))), {})


def statistic(points: Points, stat: str, period_s: int) -> dict[int, float]:
    """A statistic of a series, period by period.

    Args:
        points: The series.
        stat: Sum, Average, SampleCount, Minimum, Maximum, or a percentile such as p99.
        period_s: Multiple of a minute.

    Returns:
        Start of the period → value.
    """
    if period_s == MINUTE_S:
        return {minute: _statistic(points[minute], stat) for minute in sorted(points)}
    periods: dict[int, list[tuple[float, int]]] = {}
    for minute, values in points.items():
        periods.setdefault(minute - minute % period_s, []).extend(values)
    return {start: _statistic(values, stat) for start, values in sorted(periods.items())}


def _statistic(values: Sequence[tuple[float, int]], stat: str) -> float:
    if stat == "Sum":
        return sum(value * n for value, n in values)
    if stat == "Maximum":
        return max(value for value, _ in values)
    if stat == "Minimum":
        return min(value for value, _ in values)
    count = sum(n for _, n in values)
    if stat == "SampleCount":
        return float(count)
    if stat == "Average":
        return sum(value * n for value, n in values) / count
    rank = max(1, ceil(float(stat[1:]) / 100 * count))
    for value, n in sorted(values):
        rank -= n
        if rank <= 0:
            return value
    raise AssertionError("a rank is at most the count")
