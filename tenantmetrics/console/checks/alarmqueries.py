"""`Metrics` of an alarm: several metrics, metric math over them, or one Metrics Insights query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tenantmetrics.console.checks import insights, mathsyntax, metricmath
from tenantmetrics.console.checks.cloudformation import is_open, number
from tenantmetrics.console.checks.fault import Syntax
from tenantmetrics.console.checks.metricref import never_faults, reference_faults, stat_faults
from tenantmetrics.console.known import Known, close_to

__all__ = ["entries_faults"]

_AGGREGATES = frozenset({"AVG", "MAX", "MIN", "STDDEV", "SUM"})
_MAX_METRICS = 10


def entries_faults(alarm: dict[str, Any], known: Known) -> Iterator[str]:
    """What is wrong with the entries of `Metrics`, one by one and together."""
    metrics = [
        metric for metric in alarm["Metrics"] if isinstance(metric, dict) and not is_open(metric)
    ]
    defined = [metric.get("Id") for metric in metrics]
    yield from metricmath.ids_faults(defined)
    returned = [metric for metric in metrics if _returned(metric)]
    wanted = 2 if "ThresholdMetricId" in alarm else 1
    if len(returned) != wanted:
        yield f"{len(returned)} of Metrics return data, {wanted} must"
    yield from _band_faults(alarm, metrics)
    if sum("MetricStat" in metric for metric in metrics) > _MAX_METRICS:
        yield f"more than {_MAX_METRICS} metrics in one alarm"
    expressions = {
        str(metric.get("Id")): str(metric["Expression"])
        for metric in metrics
        if "Expression" in metric
    }
    if names := metricmath.circle(expressions):
        yield f"expressions refer to each other in a circle: {names}"
    single = {str(metric.get("Id")) for metric in metrics if "MetricStat" in metric}
    for metric in metrics:
        if ("MetricStat" in metric) == ("Expression" in metric):
            yield f"{metric.get('Id')!r} has either MetricStat or Expression"
        elif "MetricStat" in metric:
            yield from _metric_stat_faults(metric["MetricStat"], known)
        elif not is_open(metric["Expression"]):
            text = str(metric["Expression"])
            yield from metricmath.math_faults(text, known, set(map(str, defined)), alarm=True)
            yield from _series_faults(metric, text, metrics)
            yield from _query_faults(alarm, metric, text, known)
            wrong = metricmath.number_fault(text, single) if _returned(metric) else None
            yield from (wrong,) if wrong else ()
    if (queries := sum(map(insights.is_query, expressions.values()))) > 1:
        yield f"{queries} Metrics Insights queries in one alarm, one is allowed"


def _returned(metric: dict[str, Any]) -> bool:
    """Whether it is watched; a text is as good as a boolean in a template."""
    return str(metric.get("ReturnData", True)).lower() != "false"


def _band_faults(alarm: dict[str, Any], metrics: list[dict[str, Any]]) -> Iterator[str]:
    band = alarm.get("ThresholdMetricId")
    if band is None:
        return
    found = [metric for metric in metrics if metric.get("Id") == band]
    if not found:
        ids = [str(metric.get("Id")) for metric in metrics]
        yield (
            f"ThresholdMetricId {band!r} is not the id of an entry of "
            f"Metrics{close_to(str(band), ids)}"
        )
    elif "ANOMALY_DETECTION_BAND" not in str(found[0].get("Expression", "")):
        yield f"ThresholdMetricId {band!r} is not an ANOMALY_DETECTION_BAND"


def _metric_stat_faults(stat: dict[str, Any], known: Known) -> Iterator[str]:
    metric = stat.get("Metric", {})
    namespace, name = str(metric.get("Namespace", "")), metric.get("MetricName", "")
    if is_open(name):
        return
    where = {**metric, **({"Unit": stat["Unit"]} if "Unit" in stat else {})}
    yield from reference_faults(where, namespace, str(name), known)
    if not is_open(stat.get("Stat")):
        yield from stat_faults(namespace, str(name), str(stat.get("Stat")), known)
    if wrong := known.period_fault(namespace, number(stat.get("Period"))):
        yield wrong


def _series_faults(
    metric: dict[str, Any], text: str, metrics: list[dict[str, Any]]
) -> Iterator[str]:
    """A query by tenant is watched series by series, or metric math makes one series of it."""
    if not insights.is_query(text):
        return
    if "Period" not in metric:
        yield "a Metrics Insights query in an alarm needs a Period"
    try:
        query = insights.parse_query(text)
    except Syntax:
        return
    if query.group_by and not query.order_by:
        yield "an alarm on several series needs ORDER BY beside GROUP BY"
    if query.group_by and not _returned(metric):
        for other in metrics:
            if _uses_bare(str(other.get("Expression", "")), str(metric.get("Id"))):
                yield (
                    f"metric math in an alarm must return one series: {metric['Id']} has many, "
                    f"so MAX({metric['Id']}) or the like"
                )


def _query_faults(
    alarm: dict[str, Any], metric: dict[str, Any], text: str, known: Known
) -> Iterator[str]:
    """A query that is watched as it is, over one of our rates."""
    if not insights.is_query(text) or not _returned(metric):
        return
    try:
        query = insights.parse_query(text)
    except Syntax:
        return
    yield from never_faults(alarm, query.namespace, query.metric, query.function, known)


def _uses_bare(text: str, name: str) -> bool:
    """Whether metric math uses an id other than as the argument of an aggregate."""
    if insights.is_query(text):
        return False
    try:
        every = list(mathsyntax.walk(mathsyntax.parse_expression(text)))
    except Syntax:
        return False
    uses = sum(node.kind == "id" and node.value == name for node in every)
    wrapped = sum(
        node.kind == "call"
        and node.value in _AGGREGATES
        and node.parts[:1] == (mathsyntax.Node("id", name),)
        for node in every
    )
    return uses > wrapped
