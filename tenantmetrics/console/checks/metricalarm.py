"""One alarm on metrics or PromQL: what PutMetricAlarm would refuse, or take and never fire.

Limits: CloudWatch API reference, PutMetricAlarm; user guide, "Limits" of alarms.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tenantmetrics.catalog import METRICS, Form
from tenantmetrics.console.checks import insights, metricmath, promql, search
from tenantmetrics.console.checks.cloudformation import is_open, number
from tenantmetrics.console.checks.fault import Syntax
from tenantmetrics.console.known import Known, close_to
from tenantmetrics.console.promnames import Dialect

__all__ = ["faults"]

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
_AGGREGATES = frozenset({"AVG", "MAX", "MIN", "STDDEV", "SUM"})
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400
_INSIGHTS_S = 3 * _HOUR_S
"""Metrics Insights alarms see the last three hours."""
_MAX_METRICS = 10
_MAX_DIMENSIONS = 30


def faults(alarm: dict[str, Any], known: Known) -> Iterator[str]:
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
        yield from _metrics_faults(alarm, known)
        periods = [
            one.get("Period", one.get("MetricStat", {}).get("Period")) for one in alarm["Metrics"]
        ]
    yield from _window_faults(alarm, [number(one) for one in periods if one is not None])


def _promql_faults(alarm: dict[str, Any]) -> Iterator[str]:
    for name in _CLASSIC:
        if name in alarm:
            yield f"{name} excludes EvaluationCriteria: PromQL compares within the query"
    criteria = alarm["EvaluationCriteria"].get("PromQLCriteria", {})
    query = criteria.get("Query", "")
    if not is_open(query):
        yield from promql.faults(str(query), Dialect.CLOUDWATCH)
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
            f"TreatMissingData {missing!r} is none of {', '.join(_MISSING)}"
            f"{close_to(str(missing), _MISSING)}"
        )


def _metric_faults(alarm: dict[str, Any], known: Known) -> Iterator[str]:
    namespace, name = str(alarm.get("Namespace", "")), alarm["MetricName"]
    if is_open(name):
        return
    yield from _reference_faults(alarm, namespace, str(name), known)
    if ("Statistic" in alarm) == ("ExtendedStatistic" in alarm):
        yield "an alarm on one metric has either Statistic or ExtendedStatistic"
        return
    stat = alarm.get("Statistic", alarm.get("ExtendedStatistic"))
    if is_open(stat):
        return
    if "Statistic" in alarm and stat not in _STATISTICS:
        extended = search.stat_fault(stat) is None
        hint = "; ExtendedStatistic takes it" if extended else close_to(str(stat), _STATISTICS)
        yield f"Statistic {stat!r} is none of {', '.join(_STATISTICS)}{hint}"
        return
    yield from _stat_faults(namespace, str(name), str(stat), known)
    low = alarm.get("EvaluateLowSampleCountPercentile")
    if "ExtendedStatistic" in alarm and namespace == known.own and low is None:
        yield "a percentile without EvaluateLowSampleCountPercentile fires on few calls"
    if not is_open(low) and low not in {None, "evaluate", "ignore"}:
        yield f"EvaluateLowSampleCountPercentile {low!r} is neither evaluate nor ignore"
    yield from _never_faults(alarm, namespace, str(name), str(stat), known)


def _reference_faults(
    where: dict[str, Any], namespace: str, name: str, known: Known
) -> Iterator[str]:
    """The metric itself: name, dimensions, unit."""
    given = where.get("Dimensions", [])
    if is_open(given) or not isinstance(given, list) or any(map(is_open, given)):
        return
    dimensions = [str(one.get("Name")) for one in given]
    if wrong := known.fault(namespace, name, dimensions):
        yield wrong
    if len(given) > _MAX_DIMENSIONS:
        yield f"{name} has {len(given)} dimensions, {_MAX_DIMENSIONS} are allowed"
    for one in dict.fromkeys(dimensions):
        if dimensions.count(one) > 1:
            yield f"{name} has the dimension {one!r} {dimensions.count(one)} times"
    for one in given:
        if one.get("Value") in ("", None):
            yield f"{name}: the dimension {one.get('Name')!r} has no value"
    published = {one.unit for one in METRICS if one.name == name}
    if namespace == known.own and published and where.get("Unit") not in {None, *published}:
        yield (
            f"Unit {where['Unit']!r}: {name} is published in {', '.join(sorted(published))}, so "
            "there would be no data"
        )


def _stat_faults(namespace: str, name: str, stat: str, known: Known) -> Iterator[str]:
    if wrong := search.stat_fault(stat) or known.statistic_fault(namespace, name, stat):
        yield wrong


def _never_faults(
    alarm: dict[str, Any], namespace: str, name: str, stat: str, known: Known
) -> Iterator[str]:
    """Alarms on our metrics that cannot fire."""
    if namespace != known.own:
        return
    comparison, threshold = str(alarm.get("ComparisonOperator")), number(alarm.get("Threshold"))
    rate = any(one.form is Form.STATISTIC_SET for one in METRICS if one.name == name)
    if rate and stat in {"Average", "AVG", "Maximum", "MAX"} and isinstance(threshold, int | float):
        beyond = threshold > 1 or (threshold == 1 and comparison == "GreaterThanThreshold")
        if comparison.startswith("Greater") and beyond:
            yield f"{stat} of {name} is between 0 and 1: it never gets above {threshold}"
    if (
        stat == "SampleCount"
        and comparison.startswith("LessThan")
        and alarm.get("TreatMissingData") != "breaching"
    ):
        yield "it waits for silence, and where nothing is sent only TreatMissingData breaching acts"


def _metrics_faults(alarm: dict[str, Any], known: Known) -> Iterator[str]:
    metrics = [one for one in alarm["Metrics"] if isinstance(one, dict) and not is_open(one)]
    defined = [one.get("Id") for one in metrics]
    yield from metricmath.ids_faults(defined)
    returned = [one for one in metrics if _returned(one)]
    wanted = 2 if "ThresholdMetricId" in alarm else 1
    if len(returned) != wanted:
        yield f"{len(returned)} of Metrics return data, {wanted} must"
    yield from _band_faults(alarm, metrics)
    if sum("MetricStat" in one for one in metrics) > _MAX_METRICS:
        yield f"more than {_MAX_METRICS} metrics in one alarm"
    expressions = {
        str(one.get("Id")): str(one["Expression"]) for one in metrics if "Expression" in one
    }
    if names := metricmath.circle(expressions):
        yield f"expressions need each other in a circle: {names}"
    single = {str(one.get("Id")) for one in metrics if "MetricStat" in one}
    for one in metrics:
        if ("MetricStat" in one) == ("Expression" in one):
            yield f"{one.get('Id')!r} has either MetricStat or Expression"
        elif "MetricStat" in one:
            yield from _metric_stat_faults(one["MetricStat"], known)
        elif not is_open(one["Expression"]):
            text = str(one["Expression"])
            yield from metricmath.faults(text, known, set(map(str, defined)), alarm=True)
            yield from _series_faults(one, text, metrics)
            yield from _query_faults(alarm, one, text, known)
            wrong = metricmath.number_fault(text, single) if _returned(one) else None
            yield from (wrong,) if wrong else ()
    if (queries := sum(map(insights.is_query, expressions.values()))) > 1:
        yield f"{queries} Metrics Insights queries in one alarm, one is allowed"


def _returned(one: dict[str, Any]) -> bool:
    """Whether it is watched; a text is as good as a boolean in a template."""
    return str(one.get("ReturnData", True)).lower() != "false"


def _band_faults(alarm: dict[str, Any], metrics: list[dict[str, Any]]) -> Iterator[str]:
    band = alarm.get("ThresholdMetricId")
    if band is None:
        return
    found = [one for one in metrics if one.get("Id") == band]
    if not found:
        ids = [str(one.get("Id")) for one in metrics]
        yield f"ThresholdMetricId {band!r} is the id of none of Metrics{close_to(str(band), ids)}"
    elif "ANOMALY_DETECTION_BAND" not in str(found[0].get("Expression", "")):
        yield f"ThresholdMetricId {band!r} is no ANOMALY_DETECTION_BAND"


def _metric_stat_faults(stat: dict[str, Any], known: Known) -> Iterator[str]:
    metric = stat.get("Metric", {})
    namespace, name = str(metric.get("Namespace", "")), metric.get("MetricName", "")
    if is_open(name):
        return
    where = {**metric, **({"Unit": stat["Unit"]} if "Unit" in stat else {})}
    yield from _reference_faults(where, namespace, str(name), known)
    if not is_open(stat.get("Stat")):
        yield from _stat_faults(namespace, str(name), str(stat.get("Stat")), known)
    if wrong := known.period_fault(namespace, number(stat.get("Period"))):
        yield wrong


def _series_faults(one: dict[str, Any], text: str, metrics: list[dict[str, Any]]) -> Iterator[str]:
    """A query by tenant is watched series by series, or metric math makes one series of it."""
    if not insights.is_query(text):
        return
    if "Period" not in one:
        yield "a Metrics Insights query in an alarm needs a Period"
    try:
        query = insights.parse(text)
    except Syntax:
        return
    if query.group_by and not query.order_by:
        yield "an alarm on several series needs ORDER BY beside GROUP BY"
    if query.group_by and not _returned(one):
        for other in metrics:
            if _uses_bare(str(other.get("Expression", "")), str(one.get("Id"))):
                yield (
                    f"metric math in an alarm must return one series: {one['Id']} has many, "
                    f"so MAX({one['Id']}) or the like"
                )


def _query_faults(
    alarm: dict[str, Any], one: dict[str, Any], text: str, known: Known
) -> Iterator[str]:
    """A query that is watched as it is, over one of our rates."""
    if not insights.is_query(text) or not _returned(one):
        return
    try:
        query = insights.parse(text)
    except Syntax:
        return
    yield from _never_faults(alarm, query.namespace, query.metric, query.function, known)


def _uses_bare(text: str, name: str) -> bool:
    """Whether metric math uses an id other than as the argument of an aggregate."""
    if insights.is_query(text):
        return False
    try:
        every = list(metricmath.walk(metricmath.parse(text)))
    except Syntax:
        return False
    uses = sum(node.kind == "id" and node.value == name for node in every)
    wrapped = sum(
        node.kind == "call"
        and node.value in _AGGREGATES
        and node.parts[:1] == (metricmath.Node("id", name),)
        for node in every
    )
    return uses > wrapped


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
    metrics = [one for one in alarm.get("Metrics", ()) if isinstance(one, dict)]
    if any(insights.is_query(str(one.get("Expression", ""))) for one in metrics):
        most_s = _INSIGHTS_S
        if min(periods) < _MINUTE_S:
            yield f"period {min(periods)}: Metrics Insights has no finer one than 60 seconds"
    if (total_s := max(periods) * evaluated) > most_s:
        yield f"Period times EvaluationPeriods is {total_s} s, {most_s} s are allowed"
