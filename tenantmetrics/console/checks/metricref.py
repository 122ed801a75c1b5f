"""A metric that an alarm names: dimensions, unit, statistic, and whether it can ever fire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tenantmetrics.catalog import METRICS, Form
from tenantmetrics.console.awsmetrics import metric_range
from tenantmetrics.console.checks import search
from tenantmetrics.console.checks.cloudformation import is_open, number
from tenantmetrics.console.known import Known

__all__ = ["never_faults", "reference_faults", "stat_faults"]

_MAX_DIMENSIONS = 30
_SUMMED = frozenset({"Sum", "SUM", "SampleCount", "COUNT"})
"""Statistics of a period that grow with its number of data: no datum's range bounds them."""


def reference_faults(
    where: dict[str, Any], namespace: str, name: str, known: Known
) -> Iterator[str]:
    """The metric itself: name, dimensions, unit."""
    given = where.get("Dimensions", [])
    if is_open(given) or not isinstance(given, list) or any(map(is_open, given)):
        return
    dimensions = [str(dimension.get("Name")) for dimension in given]
    if wrong := known.fault(namespace, name, dimensions):
        yield wrong
    if len(given) > _MAX_DIMENSIONS:
        yield f"{name} has {len(given)} dimensions, {_MAX_DIMENSIONS} are allowed"
    for dimension in dict.fromkeys(dimensions):
        if dimensions.count(dimension) > 1:
            yield f"{name} has the dimension {dimension!r} {dimensions.count(dimension)} times"
    for entry in given:
        if entry.get("Value") in ("", None):
            yield f"{name}: the dimension {entry.get('Name')!r} has no value"
    published = {metric.unit for metric in METRICS if metric.name == name}
    if namespace == known.own and published and where.get("Unit") not in {None, *published}:
        yield (
            f"Unit {where['Unit']!r}: {name} is published in {', '.join(sorted(published))}, so "
            "there would be no data"
        )


def stat_faults(namespace: str, name: str, stat: str, known: Known) -> Iterator[str]:
    """The statistic by itself, and of this metric."""
    if wrong := search.stat_fault(stat) or known.statistic_fault(namespace, name, stat):
        yield wrong


def never_faults(
    alarm: dict[str, Any], namespace: str, name: str, stat: str, known: Known
) -> Iterator[str]:
    """Alarms that cannot fire: beyond what the metric ever is, or waiting for silence."""
    comparison, threshold = str(alarm.get("ComparisonOperator")), number(alarm.get("Threshold"))
    if isinstance(threshold, int | float) and stat not in _SUMMED:
        least, most = _range(namespace, name, stat, known)
        shown = f"{stat} of {name} is between {least:g} and {most:g}"
        if comparison == "GreaterThanThreshold" and threshold >= most:
            yield f"{shown}: it never gets above {threshold}"
        elif comparison == "GreaterThanOrEqualToThreshold" and threshold > most:
            yield f"{shown}: it never reaches {threshold}"
        elif comparison == "LessThanThreshold" and threshold <= least:
            yield f"{stat} of {name} is never below {least:g}: it never gets below {threshold}"
        elif comparison == "LessThanOrEqualToThreshold" and threshold < least:
            yield f"{stat} of {name} is never below {least:g}: it never reaches {threshold}"
    if (
        namespace == known.own
        and stat == "SampleCount"
        and comparison.startswith("LessThan")
        and alarm.get("TreatMissingData") != "breaching"
    ):
        yield "it waits for silence, and where nothing is sent only TreatMissingData breaching acts"


def _range(namespace: str, name: str, stat: str, known: Known) -> tuple[float, float]:
    """The least and the greatest value of a statistic of one datum."""
    if namespace != known.own:
        return metric_range(namespace, name)
    is_rate = any(metric.form is Form.STATISTIC_SET for metric in METRICS if metric.name == name)
    if is_rate and stat in {"Average", "AVG", "Maximum", "MAX", "Minimum", "MIN"}:
        return 0.0, 1.0
    return float("-inf"), float("inf")
