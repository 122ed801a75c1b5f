"""CloudFormation templates of alarms: what PutMetricAlarm would refuse, or take and never fire.

Limits: CloudWatch API reference, PutMetricAlarm and PutCompositeAlarm; user guide, "Limits" of
alarms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tenantmetrics.console.checks import (
    alarmrule,
    contributor,
    insights,
    metricmath,
    promql,
    search,
)
from tenantmetrics.console.checks.fault import Fault, Syntax
from tenantmetrics.console.known import Known
from tenantmetrics.console.promnames import Dialect
from tenantmetrics.errors import MissingExtraError

__all__ = ["check", "load", "resources"]

_FORMS = {"MetricName": "a metric", "Metrics": "Metrics", "EvaluationCriteria": "PromQL"}
_CLASSIC = (
    "ComparisonOperator", "EvaluationPeriods", "DatapointsToAlarm", "Threshold",
    "ThresholdMetricId", "TreatMissingData", "Period", "Statistic", "ExtendedStatistic",
)  # fmt: skip
_ONE_METRIC = ("Namespace", "Dimensions", "Period", "Statistic", "ExtendedStatistic", "Unit")
_MISSING = frozenset({"breaching", "notBreaching", "ignore", "missing"})
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
_HOUR_S, _DAY_S = 3_600, 86_400
_INSIGHTS_S = 3 * _HOUR_S
"""Metrics Insights alarms see the last three hours."""
_MAX_METRICS = 10
_MAX_ACTIONS = 5
_DESCRIPTION_CHARS = 1_024
_SAID = ("Means:", "Look:", "Do:")
_STAND_IN = "arn:aws:sns:us-east-1:123456789012:topic"


def load(text: str) -> Any:
    """A template as data; short tags become their long form.

    Raises:
        ValueError: It is not YAML.
        MissingExtraError: PyYAML is not installed.
    """
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("checking alarms", "console") from None

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """YAML with CloudFormation's tags."""

    def tag(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
        if isinstance(node, yaml.ScalarNode):
            value = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}

    Loader.add_multi_constructor("!", tag)
    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def resources(template: Any, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The resources with every Ref and Sub of a parameter replaced by its value or default."""
    values = {
        name: one.get("Default", _STAND_IN) for name, one in template.get("Parameters", {}).items()
    } | dict(given or {})

    def filled(node: Any) -> Any:
        if isinstance(node, list):
            return [filled(item) for item in node]
        if not isinstance(node, dict):
            return node
        if set(node) == {"Ref"}:
            return values.get(node["Ref"], node)
        if set(node) == {"Fn::Sub"} and isinstance(node["Fn::Sub"], str):
            return re.sub(
                r"\$\{(\w+)\}",
                lambda match: str(values.get(match.group(1), match.group())),
                node["Fn::Sub"],
            )
        return {key: filled(value) for key, value in node.items()}

    found: dict[str, Any] = filled(template.get("Resources", {}))
    return found


def check(
    file: str, text: str, known: Known, given: Mapping[str, Any] | None = None
) -> list[Fault]:
    """Everything that is wrong with a template's alarms.

    Args:
        file: What faults call it.
        text: The template.
        known: The metrics there are.
        given: Values of parameters, instead of their defaults.
    """
    try:
        template = load(text)
    except ValueError as error:
        return [Fault(file, "template", f"is not YAML: {error}")]
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        return [Fault(file, "template", "has no Resources")]
    found = []
    every = resources(template, given)
    names = [
        str(one.get("Properties", {}).get("AlarmName", name))
        for name, one in every.items()
        if one.get("Type") in {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"}
    ]
    found += [
        Fault(file, name, f"{names.count(name)} alarms have this name")
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    for name, one in every.items():
        properties = one.get("Properties", {})
        kind = one.get("Type")
        if kind == "AWS::CloudWatch::Alarm":
            whats = [*_common_faults(properties), *_alarm_faults(properties, known)]
        elif kind == "AWS::CloudWatch::CompositeAlarm":
            rule, own = str(properties.get("AlarmRule", "")), properties.get("AlarmName", "")
            whats = [*_common_faults(properties), *alarmrule.faults(rule, names, own=own)]
        elif kind == "AWS::CloudWatch::InsightRule":
            whats = contributor.faults(str(properties.get("RuleBody", "")))
        else:
            continue
        found += [Fault(file, name, what) for what in whats]
    return found


def _common_faults(alarm: dict[str, Any]) -> Iterator[str]:
    description = str(alarm.get("AlarmDescription", ""))
    if len(description) > _DESCRIPTION_CHARS:
        yield f"AlarmDescription has {len(description)} characters, {_DESCRIPTION_CHARS} allowed"
    for said in _SAID:
        if said not in description:
            yield f"AlarmDescription lacks {said!r}: who is woken must read what to do"
    for name in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        if len(alarm.get(name, ())) > _MAX_ACTIONS:
            yield f"{name} has {len(alarm[name])} entries, {_MAX_ACTIONS} are allowed"


def _alarm_faults(alarm: dict[str, Any], known: Known) -> Iterator[str]:
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
        yield from _metrics_faults(alarm, known)
        periods = [
            one.get("Period", one.get("MetricStat", {}).get("Period")) for one in alarm["Metrics"]
        ]
    yield from _window_faults(alarm, [one for one in periods if one is not None])


def _promql_faults(alarm: dict[str, Any]) -> Iterator[str]:
    for name in _CLASSIC:
        if name in alarm:
            yield f"{name} excludes EvaluationCriteria: PromQL compares within the query"
    criteria = alarm["EvaluationCriteria"].get("PromQLCriteria", {})
    yield from promql.faults(str(criteria.get("Query", "")), Dialect.CLOUDWATCH)
    interval = alarm.get("EvaluationInterval")
    if not isinstance(interval, int) or not 10 <= interval <= _HOUR_S:  # noqa: PLR2004 - PutMetricAlarm
        yield f"EvaluationInterval {interval!r} is not within 10 to {_HOUR_S} seconds"
    for name in ("PendingPeriod", "RecoveryPeriod"):
        if not 0 <= criteria.get(name, 0) <= _DAY_S:
            yield f"{name} {criteria[name]} is not within 0 to {_DAY_S} seconds"


def _threshold_faults(alarm: dict[str, Any]) -> Iterator[str]:
    comparison = alarm.get("ComparisonOperator")
    if comparison not in _COMPARISONS:
        yield f"ComparisonOperator {comparison!r} does not exist"
    if ("Threshold" in alarm) == ("ThresholdMetricId" in alarm):
        yield "an alarm has either Threshold or ThresholdMetricId"
    elif (comparison in _BANDED) != ("ThresholdMetricId" in alarm):
        yield f"{comparison} and {'Threshold' if 'Threshold' in alarm else 'a band'} exclude"
    if "Threshold" in alarm:
        try:
            float(alarm["Threshold"])
        except (TypeError, ValueError):
            yield f"Threshold {alarm['Threshold']!r} is not a number"
    periods, datapoints = alarm.get("EvaluationPeriods"), alarm.get("DatapointsToAlarm")
    if not isinstance(periods, int) or periods < 1:
        yield f"EvaluationPeriods {periods!r} must be at least 1"
    elif datapoints is not None and not 1 <= datapoints <= periods:
        yield f"DatapointsToAlarm {datapoints} is not within 1 to EvaluationPeriods {periods}"
    if alarm.get("TreatMissingData", "missing") not in _MISSING:
        yield f"TreatMissingData {alarm['TreatMissingData']!r} is none of {sorted(_MISSING)}"


def _metric_faults(alarm: dict[str, Any], known: Known) -> Iterator[str]:
    dimensions = [one.get("Name") for one in alarm.get("Dimensions", ())]
    namespace, name = alarm.get("Namespace", ""), alarm["MetricName"]
    if wrong := known.fault(namespace, name, dimensions):
        yield wrong
    if ("Statistic" in alarm) == ("ExtendedStatistic" in alarm):
        yield "an alarm on one metric has either Statistic or ExtendedStatistic"
        return
    stat = alarm.get("Statistic", alarm.get("ExtendedStatistic"))
    if wrong := search.stat_fault(stat):
        yield wrong
    elif "ExtendedStatistic" in alarm:
        if (namespace, name) in known.no_percentiles:
            yield f"{name} is published as a sum: {stat} of it does not exist"
        if "EvaluateLowSampleCountPercentile" not in alarm:
            yield "a percentile without EvaluateLowSampleCountPercentile fires on few calls"


def _metrics_faults(alarm: dict[str, Any], known: Known) -> Iterator[str]:
    metrics = alarm["Metrics"]
    defined = [one.get("Id") for one in metrics]
    yield from metricmath.ids_faults(defined)
    returned = [one for one in metrics if one.get("ReturnData", True)]
    wanted = 2 if "ThresholdMetricId" in alarm else 1
    if len(returned) != wanted:
        yield f"{len(returned)} of Metrics return data, {wanted} must"
    if alarm.get("ThresholdMetricId", defined[0]) not in defined:
        yield f"ThresholdMetricId {alarm['ThresholdMetricId']!r} is the id of none of Metrics"
    if sum("MetricStat" in one for one in metrics) > _MAX_METRICS:
        yield f"more than {_MAX_METRICS} metrics in one alarm"
    queries = 0
    for one in metrics:
        if ("MetricStat" in one) == ("Expression" in one):
            yield f"{one.get('Id')!r} has either MetricStat or Expression"
        elif "MetricStat" in one:
            yield from _stat_faults(one["MetricStat"], known)
        else:
            text = str(one["Expression"])
            yield from metricmath.faults(text, known, set(map(str, defined)), alarm=True)
            queries += insights.is_query(text)
            yield from _series_faults(one, text, metrics)
    if queries > 1:
        yield f"{queries} Metrics Insights queries in one alarm, one is allowed"


def _stat_faults(stat: dict[str, Any], known: Known) -> Iterator[str]:
    metric = stat.get("Metric", {})
    dimensions = [one.get("Name") for one in metric.get("Dimensions", ())]
    namespace, name = metric.get("Namespace", ""), metric.get("MetricName", "")
    if wrong := known.fault(namespace, name, dimensions):
        yield wrong
    if wrong := search.stat_fault(stat.get("Stat")):
        yield wrong
    elif stat["Stat"][0] in "ptwT" and (namespace, name) in known.no_percentiles:
        yield f"{name} is published as a sum: {stat['Stat']} of it does not exist"


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
    if query.group_by and not one.get("ReturnData", True):
        for other in metrics:
            if _uses_bare(str(other.get("Expression", "")), str(one.get("Id"))):
                yield (
                    f"metric math in an alarm must return one series: {one['Id']} has many, "
                    f"so MAX({one['Id']}) or the like"
                )


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
    for period in dict.fromkeys(periods):
        if wrong := search.period_fault(period):
            yield wrong
            return
    if not periods:
        yield "no Period at all"
        return
    if len(set(periods)) > 1:
        yield f"the metrics of one alarm have one period, not {sorted(set(periods))}"
    total_s = max(periods) * int(alarm.get("EvaluationPeriods", 1))
    most_s = _DAY_S if max(periods) < _HOUR_S else 7 * _DAY_S
    if any(insights.is_query(str(one.get("Expression", ""))) for one in alarm.get("Metrics", ())):
        most_s = _INSIGHTS_S
    if total_s > most_s:
        yield f"Period times EvaluationPeriods is {total_s} s, {most_s} s are allowed"
