"""An alarm's state minute by minute: M of N, missing data, statistics, math."""

import pytest

from tenantmetrics.console.alarm import Alarm, Missing, Query
from tenantmetrics.console.rehearsal.evaluate import rehearse
from tenantmetrics.console.rehearsal.mathematics import evaluate
from tenantmetrics.console.rehearsal.store import MetricStore, statistic
from tenantmetrics.errors import ConsoleError
from tests.console.rehearsing import START_S, values


def alarm(**given):
    query = Query(id="m1", namespace="${Namespace}", metric="UnattributedCalls", returned=True)
    query = Query(**{name: getattr(query, name) for name in query.__slots__} | {"stat": "Sum"})
    base = {
        "id": "x", "means": "", "look": "", "do": "", "queries": (query,), "threshold": "5",
    }  # fmt: skip
    return Alarm(**{**base, **given})


def series(numbers):
    """A store of one metric, a number or None a minute."""
    store = MetricStore()
    store.covers(START_S, START_S + 60 * len(numbers))
    for minute, number in enumerate(numbers):
        if number is not None:
            store.add("UnattributedCalls", {}, START_S + 60 * minute, ((float(number), 1),))
    return store


@pytest.mark.parametrize(
    ("numbers", "settings", "minutes"),
    [
        ([0, 9, 0, 9, 9, 0, 0], {"periods": 3, "datapoints": 2}, [(4, 7)]),
        ([9, 9, 9], {"periods": 3, "datapoints": 3}, [(3, 3)]),
        ([9, 9, None, 9, 9], {"periods": 3, "datapoints": 3}, []),
        ([9, 9, None, 9, 9], {"periods": 3, "datapoints": 2}, [(2, 5)]),
        ([0, None, None, 0], {"periods": 2, "datapoints": 2, "missing": Missing.BAD}, [(3, 4)]),
        ([5, 5], {}, []),
        ([5, 5], {"comparison": "GreaterThanOrEqualToThreshold"}, [(1, 2)]),
        ([6, 0, 6, 0], {}, [(1, 2), (3, 4)]),
    ],
)
def test_m_of_n_and_missing_data(numbers, settings, minutes):
    """From the end of the period that decides to the end of the last bad one."""
    found = rehearse([alarm(**settings)], series(numbers), values())
    assert [
        ((one.from_s - START_S) // 60, (one.to_s - START_S) // 60) for one in found.firings
    ] == minutes


def test_statistics_are_those_of_the_values():
    """Over periods of several minutes and values with counts."""
    points = {START_S: ((500.0, 1), (10.0, 98)), START_S + 60: ((20.0, 1),)}
    start = START_S - START_S % 300
    for stat, number in {
        "Sum": 1500, "SampleCount": 100, "Average": 15, "Minimum": 10, "Maximum": 500,
        "p50": 10, "p99": 20, "p100": 500,
    }.items():  # fmt: skip
        assert statistic(points, stat, 300) == {start: number}, stat


def test_math_meets_series_where_both_have_a_datum():
    """A division by zero leaves no datum; one series meets each of several."""
    known = {"a": {"x": {0: 1.0, 60: 2.0}, "y": {0: 3.0}}, "b": {"": {0: 2.0, 60: 0.0}}}
    assert evaluate("100 * a / b", MetricStore(), known, 60) == {"x": {0: 50.0}, "y": {0: 150.0}}
    assert evaluate("IF(b > 1, a, 7)", MetricStore(), known, 60) == {
        "x": {0: 1.0, 60: 7.0},
        "y": {0: 3.0, 60: 7.0},
    }
    with pytest.raises(ConsoleError, match="cannot compute STDDEV"):
        evaluate("STDDEV(a)", MetricStore(), known, 60)
