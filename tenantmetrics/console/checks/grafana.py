"""Grafana dashboards: grid, ids, variables, data sources, and the PromQL of every panel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tenantmetrics.console.checks import promql
from tenantmetrics.console.checks.fault import Fault
from tenantmetrics.console.promnames import Dialect
from tenantmetrics.console.widgets import COLUMNS

__all__ = ["check", "queries"]

_UID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_SOURCE = "${datasource}"
_LABEL_VALUES = re.compile(r"label_values\((.+),\s*([A-Za-z_]\w*)\)")
_QUERY_RESULT = re.compile(r"query_result\((.+)\)")


def check(file: str, body: dict[str, Any]) -> list[Fault]:
    """Everything that is wrong with a dashboard.

    Args:
        file: What faults call it.
        body: The dashboard, as Grafana imports it.

    Raises:
        MissingExtraError: promql-parser is not installed.
    """
    found = [Fault(file, "dashboard", what) for what in _board_faults(body)]
    panels = [one for one in body.get("panels", ()) if isinstance(one, dict)]
    for number, one in enumerate(panels):
        place = f"panel {one.get('title', number)!r}"
        whats = [*_place_faults(one, panels[:number])]
        if one.get("type") != "row":
            whats += _panel_faults(one, body)
        found += [Fault(file, place, what) for what in whats]
    return found


def queries(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(title, PromQL) of every panel's every query, variables not replaced."""
    for panel in body["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def _board_faults(body: dict[str, Any]) -> Iterator[str]:
    if not _UID.fullmatch(str(body.get("uid", ""))):
        yield f"uid {body.get('uid')!r} must be 1 to 40 letters, digits, - and _"
    if not body.get("title"):
        yield "title is missing"
    variables = {one.get("name"): one for one in _variables(body)}
    if variables.get("datasource", {}).get("type") != "datasource":
        yield "there is no variable 'datasource' of type datasource"
    for name, one in variables.items():
        if one.get("type") == "query":
            for what in _variable_faults(one, body):
                yield f"variable {name!r}: {what}"
    ids = [one.get("id") for one in body.get("panels", ()) if one.get("type") != "row"]
    for number in {one for one in ids if ids.count(one) > 1}:
        yield f"{ids.count(number)} panels have the id {number}"


def _variable_faults(variable: dict[str, Any], body: dict[str, Any]) -> list[str]:
    query = variable.get("query", "")
    text = query.get("query", "") if isinstance(query, dict) else str(query)
    if match := _LABEL_VALUES.fullmatch(text):
        return promql.faults(f"count by ({match.group(2)}) ({match.group(1)})", _dialect(body))
    if match := _QUERY_RESULT.fullmatch(text):
        return promql.faults(match.group(1), _dialect(body))
    return [f"query {text!r} is neither label_values(metric, label) nor query_result(query)"]


def _place_faults(panel: dict[str, Any], before: list[dict[str, Any]]) -> Iterator[str]:
    place = panel.get("gridPos")
    if not isinstance(place, dict) or not all(isinstance(place.get(one), int) for one in "xywh"):
        yield "gridPos needs x, y, w and h"
        return
    if not 0 <= place["x"] < place["x"] + place["w"] <= COLUMNS:
        yield f"columns {place['x']} to {place['x'] + place['w']} are off the grid of {COLUMNS}"
    for other in before:
        there = other.get("gridPos") or {}
        if (
            set("xywh") <= set(there)
            and place["x"] < there["x"] + there["w"]
            and there["x"] < place["x"] + place["w"]
            and place["y"] < there["y"] + there["h"]
            and there["y"] < place["y"] + place["h"]
        ):
            yield f"lies over panel {other.get('title')!r}"


def _panel_faults(panel: dict[str, Any], body: dict[str, Any]) -> Iterator[str]:
    source = panel.get("datasource") or {}
    if source.get("uid") != _SOURCE:
        yield f"data source {source.get('uid')!r} is fixed: {_SOURCE} lets the reader choose"
    values = {str(one.get("name")): "0.35" for one in _variables(body)}
    refs = [one.get("refId") for one in panel.get("targets", ())]
    if not refs:
        yield "has no query"
    if len(set(refs)) < len(refs):
        yield f"two queries have the same refId: {refs}"
    for target in panel.get("targets", ()):
        yield from promql.faults(str(target.get("expr", "")), _dialect(body), values)


def _variables(body: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body.get("templating", {}).get("list", [])
    return found


def _dialect(body: dict[str, Any]) -> Dialect:
    """CloudWatch's dashboards say so in their uid."""
    on_cloudwatch = str(body.get("uid", "")).endswith("-cloudwatch")
    return Dialect.CLOUDWATCH if on_cloudwatch else Dialect.PROMETHEUS
