"""One alarm on metrics or PromQL: what PutMetricAlarm would refuse, or take and never fire.

Limits: CloudWatch API reference, PutMetricAlarm; user guide, "Limits" of alarms.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tenantmetrics.console.checks import alarmqueries, insights, promql, search
from tenantmetrics.console.checks.cloudformation import is_open, number
from tenantmetrics.console.checks.metricref import never_faults, reference_faults, stat_faults
from tenantmetrics.console.known import Known, close_to
from tenantmetrics.console.promnames import Dialect

__all__ = ["alarm_faults"]

_FORMS = {"MetricName": "a metric", "Metrics": "Metrics", "EvaluationCriteria": "PromQL"}
_CLASSIC = (
    "ComparisonOperator", "EvaluationPeriods", "DatapointsToAlarm", "Threshold",
    "ThresholdMetricId", "TreatMissingData", "Period", "Statistic", "ExtendedStatistic",
)  # fmt: skip
_ONE_METRIC = ("Namespace", "Dimensions", "Period", "Statistic", "ExtendedStatistic", "Unit")
_STATISTICS = ("Average", "Maximum", "Minimum", "SampleCount", "Sum")
_MISSING = ("breaching", "ignore", "missing", "notBreaching")
_BANDED = frozenset(
    {
        "LessThanLowerOrGreaterThanUpperThreshold",
        "LessThanLowerThreshold",
        "GreaterThanUpperThreshold",
    }
)
_COMPARISONS = _BANDED | {
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
}
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400
_INSIGHTS_S = 3 * _HOUR_S
"""Metrics Insights alarms see the last three hours."""


def alarm_faults(alarm: dict[str, Any], known: Known) -> Iterator[str]:
    """What is wrong with an alarm's properties.

    Args:
        alarm: Properties as CloudFormation and PutMetricAlarm name them, functions worked out.
        known: The metrics there are.
    """
    forms = [name for name in _FORMS if name in alarm]
    if len(forms) != 1:
        given = " and ".join(_FORMS[name] for name in forms) or "nothing"
        yield f"an alarm is on one of a metric, Metrics or PromQL; this one is on {given}"
        return
    if forms == ["EvaluationCriteria"]:
        yield from _promql_faults(alarm)
        return
    yield from _threshold_faults(alarm)
    if forms == ["MetricName"]:
        yield from _metric_faults(alarm, known)
        periods = [alarm.get("Period")]
    else:
        for name in _ONE_METRIC:
            if name in alarm:
                yield f"{name} belongs to an alarm on one metric and excludes Metrics"
        if is_open(alarm["Metrics"]) or not isinstance(alarm["Metrics"], list):
            return
        yield from alarmqueries.entries_faults(alarm, known)
        periods = [
            metric.get("Period", metric.get("MetricStat", {}).get("Period"))
            for metric in alarm["Metrics"]
        ]
    yield from _window_faults(alarm, [number(period) for period in periods if period is not None])


def _promql_faults(alarm: dict[str, Any]) -> Iterator[str]:
    for name in _CLASSIC:
        if name in alarm:
            yield f"{name} excludes EvaluationCriteria: PromQL compares within the query"
    criteria = alarm["EvaluationCriteria"].get("PromQLCriteria", {})
    query = criteria.get("Query", "")
    if not is_open(query):
        yield from promql.promql_faults(str(query), Dialect.CLOUDWATCH)
    interval = number(alarm.get("EvaluationInterval"))
    if not isinstance(interval, int) or not 10 <= interval <= _HOUR_S:  # noqa: PLR2004 - PutMetricAlarm
        yield f"EvaluationInterval {interval!r} is not within 10 to {_HOUR_S} seconds"
    for name in ("PendingPeriod", "RecoveryPeriod"):
        seconds = number(criteria.get(name, 0))
        if not isinstance(seconds, int) or not 0 <= seconds <= _DAY_S:
            yield f"{name} {seconds!r} is not within 0 to {_DAY_S} seconds"


def _threshold_faults(alarm: dict[str, Any]) -> Iterator[str]:
    comparison = alarm.get("ComparisonOperator")
    if not is_open(comparison):
        if comparison not in _COMPARISONS:
            hint = close_to(str(comparison), _COMPARISONS)
            yield f"ComparisonOperator {comparison!r} does not exist{hint}"
        elif ("Threshold" in alarm) == ("ThresholdMetricId" in alarm):
            yield "an alarm has either Threshold or ThresholdMetricId"
        elif (comparison in _BANDED) != ("ThresholdMetricId" in alarm):
            yield f"{comparison} and {'Threshold' if 'Threshold' in alarm else 'a band'} exclude"
    threshold = number(alarm.get("Threshold", 0))
    if not is_open(threshold) and (
        isinstance(threshold, bool)
        or not isinstance(threshold, int | float)
        or not abs(threshold) < float("inf")
    ):
        yield f"Threshold {alarm['Threshold']!r} is not a number"
    periods = number(alarm.get("EvaluationPeriods"))
    datapoints = number(alarm.get("DatapointsToAlarm"))
    if not is_open(periods):
        if not isinstance(periods, int) or periods < 1:
            yield f"EvaluationPeriods {periods!r} must be at least 1"
        elif isinstance(datapoints, int) and not 1 <= datapoints <= periods:
            yield f"DatapointsToAlarm {datapoints} is not within 1 to EvaluationPeriods {periods}"
    missing = alarm.get("TreatMissingData", "missing")
    if not is_open(missing) and missing not in _MISSING:
        yield (
            f"TreatMissingData {missing!r} is not one of {', '.join(_MISSING)}"
            f"{close_to(str(missing), _MISSING)}"
        )


def _metric_faults(alarm: dict[str, Any], known: Known) -> Iterator[str]:
    namespace, name = str(alarm.get("Namespace", "")), alarm["MetricName"]
    if is_open(name):
        return
    yield from reference_faults(alarm, namespace, str(name), known)
    if ("Statistic" in alarm) == ("ExtendedStatistic" in alarm):
        yield "an alarm on one metric has either Statistic or ExtendedStatistic"
        return
    stat = alarm.get("Statistic", alarm.get("ExtendedStatistic"))
    if is_open(stat):
        return
    if "Statistic" in alarm and stat not in _STATISTICS:
        extended = search.stat_fault(stat) is None
        hint = "; ExtendedStatistic takes it" if extended else close_to(str(stat), _STATISTICS)
        yield f"Statistic {stat!r} is not one of {', '.join(_STATISTICS)}{hint}"
        return
    yield from stat_faults(namespace, str(name), str(stat), known)
    low = alarm.get("EvaluateLowSampleCountPercentile")
    if "ExtendedStatistic" in alarm and namespace == known.own and low is None:
        yield "a percentile without EvaluateLowSampleCountPercentile fires on few calls"
    if not is_open(low) and low not in {None, "evaluate", "ignore"}:
        yield f"EvaluateLowSampleCountPercentile {low!r} is neither evaluate nor ignore"
    yield from never_faults(alarm, namespace, str(name), str(stat), known)


def _window_faults(alarm: dict[str, Any], periods: list[Any]) -> Iterator[str]:
    if any(map(is_open, periods)):
        return
    for period in dict.fromkeys(periods):
        if wrong := search.period_fault(period):
            yield wrong
            return
    if not periods:
        yield "no Period at all"
        return
    if len(set(periods)) > 1:
        yield f"the metrics of one alarm have one period, not {sorted(set(periods))}"
    evaluated = number(alarm.get("EvaluationPeriods", 1))
    if not isinstance(evaluated, int):
        return
    most_s = _DAY_S if max(periods) < _HOUR_S else 7 * _DAY_S
    metrics = [metric for metric in alarm.get("Metrics", ()) if isinstance(metric, dict)]
    if any(insights.is_query(str(metric.get("Expression", ""))) for metric in metrics):
        most_s = _INSIGHTS_S
        if min(periods) < _MINUTE_S:
            yield f"period {min(periods)}: Metrics Insights needs at least 60 seconds"
    if (total_s := max(periods) * evaluated) > most_s:
        yield f"Period times EvaluationPeriods is {total_s} s, {most_s} s are allowed"
