"""Which metrics CloudWatch dashboards show, and which of the catalogue they do not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tenantmetrics.catalog import Level, metrics
from tenantmetrics.console.checks import insights, mathsyntax, search
from tenantmetrics.console.checks.fault import Fault, Syntax
from tenantmetrics.console.checks.metricwidget import NAMED, expanded

__all__ = ["check_coverage", "references"]


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
        Fault(
            ", ".join(bodies),
            metric.name,
            f"is shown nowhere with the dimensions {metric.dimensions}",
        )
        for metric in metrics(level)
        if (metric.name, tuple(sorted(metric.dimensions))) not in shown
    ]


def references(body: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Every (namespace, metric, dimension names) that a body's widgets draw."""
    for widget in body["widgets"]:
        for texts, options, _ in expanded(widget["properties"].get("metrics", ())):
            if texts:
                yield texts[0], texts[1], tuple(texts[NAMED::2])
            text = options.get("expression", "")
            if insights.is_query(text):
                query = insights.parse_query(text)
                yield query.namespace, query.metric, query.schema or ()
            elif text:
                yield from _searched(text)


def _searched(text: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    try:
        calls = [
            node
            for node in mathsyntax.walk(mathsyntax.parse_expression(text))
            if node.value == "SEARCH"
        ]
    except Syntax:
        return
    for call in calls:
        found = search.parse_search(call.parts[0].value)
        for term in found.terms:
            if term.name == "MetricName" and found.namespace:
                yield from ((found.namespace, value, found.dimensions) for value in term.values)
