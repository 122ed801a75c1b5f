"""The lines of a CloudWatch metric widget: shorthands, metrics, expressions, labels, axes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tenantmetrics.console.checks import insights, metricmath, search
from tenantmetrics.console.known import Known, close_to

__all__ = ["NAMED", "Line", "expanded", "widget_faults"]

NAMED = 2
"""Namespace and name, which stand before a line's dimensions."""

_MAX_DIMENSIONS = 30
_LABEL = re.compile(r"\$\{([A-Za-z_]+)(?:\('([^']*)'\))?[^}]*\}")
_LABELS = frozenset([
    "AVG", "DATAPOINT_COUNT", "FIRST", "FIRST_LAST_RANGE", "FIRST_LAST_TIME_RANGE",
    "FIRST_TIME", "FIRST_TIME_RELATIVE", "LABEL", "LAST", "LAST_TIME", "LAST_TIME_RELATIVE",
    "MAX", "MAX_TIME", "MAX_TIME_RELATIVE", "MIN", "MIN_MAX_RANGE", "MIN_MAX_TIME_RANGE",
    "MIN_TIME", "MIN_TIME_RELATIVE", "PROP", "SUM",
])  # fmt: skip
"""CloudWatch user guide, "Using dynamic labels"."""

_PROPERTIES = frozenset(
    {"AccountId", "AccountLabel", "MetricName", "Namespace", "Period", "Region", "Stat"}
)


class Line(NamedTuple):
    """A line of a widget.

    Attributes:
        texts: Namespace, name and dimensions, shorthands replaced; empty for an expression.
        options: Its last element, if that is an object.
        wrong: What is wrong with its shape; "" for nothing.
    """

    texts: list[str]
    options: dict[str, Any]
    wrong: str


def expanded(lines: Sequence[Sequence[Any]]) -> list[Line]:
    """The lines, with `.` and `...` replaced by what stands above."""
    found: list[Line] = []
    above: list[str] = []
    for line in lines:
        options = line[-1] if isinstance(line[-1], dict) else {}
        texts = [part for part in line if isinstance(part, str)]
        wrong = ""
        if any(isinstance(part, dict) for part in line[:-1]):
            wrong = "options must be the last entry of a line: elsewhere they are ignored"
        if texts[:1] == ["..."]:
            kept = len(above) - len(texts) + 1
            if kept < 1:
                wrong = "'...' repeats the line above, and no line above is longer"
            texts = [*above[: max(kept, 0)], *texts[1:]]
        for place, text in enumerate(texts):
            if text == "." and place < len(above):
                texts[place] = above[place]
            elif text == ".":
                wrong = "'.' repeats the value above, and there is none"
        above = texts or above
        found.append(Line(texts, options, wrong))
    return found


def widget_faults(properties: Mapping[str, Any], known: Known) -> Iterator[str]:
    """What is wrong with a metric widget.

    Args:
        properties: Its properties, which fit the schema.
        known: The metrics there are.
    """
    alarmed = bool(properties.get("annotations", {}).get("alarms"))
    if not properties.get("metrics"):
        if not alarmed and "insightRule" not in properties:
            yield "neither metrics nor an alarm annotation: the graph is empty"
        return
    if alarmed:
        yield "metrics and an alarm annotation cannot be used together"
    lines = expanded(properties["metrics"])
    yield from _axis_faults(properties)
    yield from _id_faults(lines, known)
    for period in {properties.get("period"), *(line.options.get("period") for line in lines)} - {
        None
    }:
        if wrong := search.period_fault(period):
            yield wrong
    for line in lines:
        if line.wrong:
            yield line.wrong
        else:
            yield from _line_faults(line, properties, known)
        yield from _label_faults(line)
    expressions = [str(line.options.get("expression", "")) for line in lines]
    if (queries := sum(map(insights.is_query, expressions))) > 1:
        yield f"{queries} Metrics Insights queries; one GetMetricData call, and so a graph, has one"
    if (
        searches := sum(expression.count("SEARCH(") for expression in expressions)
    ) > search.MAX_PER_GRAPH:
        yield f"{searches} SEARCH expressions, {search.MAX_PER_GRAPH} are allowed"


def _axis_faults(properties: Mapping[str, Any]) -> Iterator[str]:
    for side, axis in properties.get("yAxis", {}).items():
        if axis.get("min", float("-inf")) >= axis.get("max", float("inf")):
            yield f"{side} axis: min {axis['min']} is not below max {axis['max']}"
    left = properties.get("yAxis", {}).get("left", {})
    if properties.get("view") == "gauge" and not {"min", "max"} <= set(left):
        yield "a gauge needs min and max of the left axis"


def _id_faults(lines: Sequence[Line], known: Known) -> Iterator[str]:
    yield from metricmath.ids_faults([line.options["id"] for line in lines if "id" in line.options])
    expressions = {
        str(line.options.get("id", f"_{number}")): str(line.options["expression"])
        for number, line in enumerate(lines)
        if "expression" in line.options
    }
    if names := metricmath.circle(expressions):
        yield f"expressions refer to each other in a circle: {names}"
    if all(line.options.get("visible") is False for line in lines):
        yield "every line is invisible: the graph is empty"
    elif known.strict:
        used = {name for text in expressions.values() for name in metricmath.ids(text)}
        every = any("METRICS(" in text for text in expressions.values())
        for line in lines:
            name = line.options.get("id")
            if line.options.get("visible") is False and name not in used and not every:
                yield f"line {name or line.texts} is invisible and no expression uses it"


def _line_faults(line: Line, properties: Mapping[str, Any], known: Known) -> Iterator[str]:
    texts, options = line.texts, line.options
    expression = options.get("expression")
    period = options.get("period", properties.get("period"))
    if expression is not None:
        if texts:
            yield f"a line has both a metric ({'/'.join(texts)}) and an expression"
            return
        others = [drawn for drawn in expanded(properties["metrics"]) if "id" in drawn.options]
        defined = {str(other.options["id"]) for other in others}
        single = {str(other.options["id"]) for other in others if other.texts}
        yield from metricmath.math_faults(expression, known, defined)
        if options.get("visible") is not False:
            wrong = metricmath.number_fault(expression, single)
            yield from (wrong,) if wrong else ()
        if insights.is_query(expression) and period is not None and period < 60:  # noqa: PLR2004
            yield f"period {period}: Metrics Insights needs at least 60 seconds"
        return
    if len(texts) < NAMED or len(texts) % 2:
        yield f"metric {texts} is not namespace, name and pairs of dimension and value"
        return
    namespace, name, *rest = texts
    if wrong := known.fault(namespace, name, rest[::2]):
        yield wrong
    if len(rest) > 2 * _MAX_DIMENSIONS:
        yield f"{name} has {len(rest) // 2} dimensions, {_MAX_DIMENSIONS} are allowed"
    stat = str(options.get("stat", properties.get("stat", "Average")))
    wrong = search.stat_fault(stat) or known.statistic_fault(namespace, name, stat)
    if wrong and "${" not in stat:
        yield wrong
    if wrong := known.period_fault(namespace, period):
        yield wrong


def _label_faults(line: Line) -> Iterator[str]:
    """Dynamic labels that CloudWatch would print as they are."""
    label = str(line.options.get("label", ""))
    for name, argument in _LABEL.findall(label):
        if name not in _LABELS:
            if hint := close_to(name, _LABELS):
                yield f"label {label!r}: there is no ${{{name}}}{hint}"
        elif name == "PROP" and argument.startswith("Dim."):
            dimensions = line.texts[NAMED::2]
            if dimensions and argument[4:] not in dimensions:
                yield (
                    f"label {label!r}: {argument[4:]!r} is not a dimension of the line"
                    + close_to(argument[4:], dimensions)
                )
        elif name == "PROP" and argument not in _PROPERTIES:
            yield f"label {label!r}: there is no property {argument!r}" + close_to(
                argument, [*_PROPERTIES, "Dim."]
            )
