"""CloudWatch dashboards: schema, grid, every metric, every expression, every limit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from typing import Any

from tenantmetrics.catalog import Level, metrics
from tenantmetrics.console.checks import insights, logsinsights, metricmath, search
from tenantmetrics.console.checks.fault import Fault, Syntax
from tenantmetrics.console.known import Known
from tenantmetrics.console.widgets import COLUMNS
from tenantmetrics.errors import MissingExtraError

__all__ = ["check", "check_coverage", "references"]

_MAX_METRICS = 2_500
"""Metrics of all widgets together (CloudWatch quotas, dashboards)."""

_NAMED = 2
"""Namespace and name, which stand before a line's dimensions."""


def check(file: str, text: str, known: Known) -> list[Fault]:
    """Everything that is wrong with a dashboard.

    Args:
        file: What faults call it.
        text: The body, as JSON.
        known: The metrics there are.

    Raises:
        MissingExtraError: jsonschema is not installed.
    """
    try:
        body = json.loads(text)
    except ValueError as error:
        return [Fault(file, "body", f"is not JSON: {error}")]
    found = list(_schema_faults(file, body))
    if found:
        return found  # what follows relies on the structure
    widgets = body["widgets"]
    found += _grid_faults(file, widgets)
    total = 0
    for widget in widgets:
        place = _place(widget)
        for what in _widget_faults(widget, known):
            found.append(Fault(file, place, what))
        total += len(widget["properties"].get("metrics", ()))
    if total > _MAX_METRICS:
        found.append(Fault(file, "body", f"{total} metrics, {_MAX_METRICS} are allowed"))
    found += [
        Fault(file, f"variable {variable['id']!r}", what)
        for variable in body.get("variables", ())
        for what in _variable_faults(variable, widgets, known)
    ]
    return found


def check_coverage(
    bodies: Mapping[str, str], namespace: str, level: Level = Level.ESSENTIAL
) -> list[Fault]:
    """Metrics of a level that no dashboard shows.

    Args:
        bodies: File → body, as JSON.
        namespace: Where our metrics are.
        level: What must be shown.
    """
    shown = {
        (name, tuple(sorted(dimensions)))
        for text in bodies.values()
        for where, name, dimensions in references(json.loads(text))
        if where == namespace
    }
    return [
        Fault(", ".join(bodies), one.name, f"is shown nowhere with the dimensions {one.dimensions}")
        for one in metrics(level)
        if (one.name, tuple(sorted(one.dimensions))) not in shown
    ]


def references(body: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Every (namespace, metric, dimension names) that a body's widgets draw."""
    for widget in body["widgets"]:
        for line in widget["properties"].get("metrics", ()):
            texts, options = _split(line)
            if texts:
                yield texts[0], texts[1], tuple(texts[_NAMED::2])
            text = options.get("expression", "")
            if insights.is_query(text):
                query = insights.parse(text)
                yield query.namespace, query.metric, query.schema or ()
            for found in re.finditer(r"SEARCH\(\s*'((?:[^'\\]|\\.)*)'", text):
                one = search.parse(found.group(1))
                for name, value in one.terms:
                    if name == "MetricName":
                        yield one.namespace, value, one.dimensions


def _schema_faults(file: str, body: Any) -> Iterator[Fault]:
    try:
        import jsonschema  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("checking dashboards", "console") from None
    schema = json.loads(
        resources.files("tenantmetrics.console")
        .joinpath("schemas/cloudwatch-dashboard.json")
        .read_text("utf-8")
    )
    validator = jsonschema.Draft202012Validator(schema)
    for error in sorted(validator.iter_errors(body), key=lambda one: list(map(str, one.path))):
        path = list(error.absolute_path)
        place = "body"
        if path[:1] == ["widgets"] and len(path) > 1 and isinstance(body["widgets"][path[1]], dict):
            place = _place(body["widgets"][path[1]], path[1])
            path = path[2:]
        where = "/".join(map(str, path))
        yield Fault(file, place, f"{where + ': ' if where else ''}{error.message}")


def _grid_faults(file: str, widgets: list[dict[str, Any]]) -> Iterator[Fault]:
    for number, one in enumerate(widgets):
        if one["x"] + one["width"] > COLUMNS:
            what = f"columns {one['x']} to {one['x'] + one['width']} are off the grid of {COLUMNS}"
            yield Fault(file, _place(one), what)
        for other in widgets[:number]:
            if (
                one["x"] < other["x"] + other["width"]
                and other["x"] < one["x"] + one["width"]
                and one["y"] < other["y"] + other["height"]
                and other["y"] < one["y"] + one["height"]
            ):
                yield Fault(file, _place(one), f"lies over {_place(other)}")


def _widget_faults(widget: dict[str, Any], known: Known) -> Iterable[str]:
    properties = widget["properties"]
    if widget["type"] == "log":
        return logsinsights.faults(properties["query"])
    if widget["type"] == "metric":
        return _metric_faults(properties, known)
    return ()


def _metric_faults(properties: dict[str, Any], known: Known) -> Iterator[str]:
    lines = [_split(line) for line in properties["metrics"]]
    defined = [str(options["id"]) for _, options in lines if "id" in options]
    yield from _shape_faults(properties, lines, defined)
    queries = searches = 0
    for texts, options in lines:
        expression = options.get("expression")
        queries += expression is not None and insights.is_query(expression)
        searches += (expression or "").count("SEARCH(")
        if expression is None:
            yield from _line_faults(texts, options, properties, known)
        elif texts:
            yield f"a line has both a metric ({'/'.join(texts)}) and an expression"
        else:
            yield from metricmath.faults(expression, known, set(defined))
    if queries > 1:
        yield f"{queries} Metrics Insights queries; one GetMetricData call, and so a graph, has one"
    if searches > search.MAX_PER_GRAPH:
        yield f"{searches} SEARCH expressions, {search.MAX_PER_GRAPH} are allowed"


def _shape_faults(
    properties: dict[str, Any], lines: list[tuple[list[str], dict[str, Any]]], defined: list[str]
) -> Iterator[str]:
    yield from metricmath.ids_faults(defined)
    periods = [properties.get("period"), *(options.get("period") for _, options in lines)]
    for period in periods:
        if period is not None and (wrong := search.period_fault(period)):
            yield wrong
    if all(options.get("visible") is False for _, options in lines):
        yield "every line is invisible: the graph is empty"


def _line_faults(
    texts: list[str], options: dict[str, Any], properties: dict[str, Any], known: Known
) -> Iterator[str]:
    if len(texts) < _NAMED or len(texts) % 2:
        yield f"metric {texts} is not namespace, name and pairs of dimension and value"
        return
    namespace, name, *rest = texts
    if wrong := known.fault(namespace, name, rest[::2]):
        yield wrong
    stat = options.get("stat", properties.get("stat", "Average"))
    if wrong := search.stat_fault(stat):
        yield wrong
    elif stat[0] in "ptwT" and (namespace, name) in known.no_percentiles:
        yield f"{name} is published as a sum: {stat} of it does not exist"


def _variable_faults(
    variable: dict[str, Any], widgets: list[dict[str, Any]], known: Known
) -> Iterator[str]:
    text = json.dumps(widgets, ensure_ascii=False)
    if variable["type"] == "pattern" and variable["pattern"] not in text:
        yield f"pattern {variable['pattern']!r} occurs in no widget: choosing would change nothing"
    if variable["type"] == "property" and f'"{variable["property"]}"' not in text:
        yield f"property {variable['property']!r} occurs in no metric widget"
    if "search" in variable:
        yield from search.faults(variable["search"], known)
        try:
            dimensions = search.parse(variable["search"]).dimensions
        except Syntax:
            return
        if variable["populateFrom"] not in dimensions:
            yield f"populateFrom {variable['populateFrom']!r} is not a dimension of its search"


def _split(line: list[Any]) -> tuple[list[str], dict[str, Any]]:
    """A line's texts and its options."""
    options = line[-1] if isinstance(line[-1], dict) else {}
    return [text for text in line if isinstance(text, str)], options


def _place(widget: Mapping[str, Any], number: object = None) -> str:
    properties = widget.get("properties")
    if isinstance(properties, dict) and properties.get("title"):
        return f"widget {properties['title']!r}"
    if number is not None:
        return f"widget {number}"
    return f"{widget.get('type')} widget at {widget.get('x')}, {widget.get('y')}"
