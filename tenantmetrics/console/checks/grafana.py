"""Grafana dashboards: grid, ids, variables, data sources, legends, every panel's PromQL."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from tenantmetrics.console.boards.model import COLUMNS
from tenantmetrics.console.checks import grafanakeys, promql, promshape
from tenantmetrics.console.checks.fault import Fault
from tenantmetrics.console.known import close_to
from tenantmetrics.console.promnames import Dialect

__all__ = ["check", "queries"]

_OURS = "tenantmetrics"
_UID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_SOURCE = "${datasource}"
_LABEL_VALUES = re.compile(r"label_values\((.+),\s*([A-Za-z_]\w*)\)")
_QUERY_RESULT = re.compile(r"query_result\((.+)\)")
_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwMy]))?")
_TIME = re.compile(r"now(?:[-+]\d+[smhdwMy])?(?:/f?[smhdwMQy]+)?|\d{4}-\d{2}-\d{2}.*|\d{13}")
_INTERVAL_MS = 61_001
"""Stands for $__interval in a query of others: a range that nobody writes."""
_LEGEND = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_TYPES = frozenset([
    "alertlist", "annolist", "barchart", "bargauge", "candlestick", "canvas", "dashlist",
    "datagrid", "flamegraph", "gauge", "geomap", "graph", "heatmap", "histogram", "logs",
    "news", "nodeGraph", "piechart", "row", "singlestat", "stat", "state-timeline",
    "status-history", "table", "table-old", "text", "timeseries", "traces", "trend", "welcome",
    "xychart",
])  # fmt: skip
"""Panel types that come with Grafana; a plugin's have other names."""
_UNITS = frozenset([
    "Bps", "bps", "bytes", "cps", "currencyEUR", "currencyUSD", "decbytes", "dtdurationms",
    "dtdurations", "hertz", "iops", "m", "ms", "none", "ns", "ops", "percent", "percentunit",
    "reqps", "rps", "s", "short", "string", "wps", "µs",
])  # fmt: skip
"""Units that we use, and their neighbours; another is only compared with these for its spelling."""


def check(file: str, body: dict[str, Any]) -> list[Fault]:
    """Everything that is wrong with a dashboard.

    One of ours (by its uid, title or tags) is held to our data source variable and our metrics;
    in any other only PromQL's own rules and slips of the pen count.

    Args:
        file: What faults call it.
        body: The dashboard, as Grafana imports it.

    Raises:
        MissingExtraError: promql-parser is not installed.
    """
    ours = _OURS in f"{body.get('uid')} {body.get('title')} {body.get('tags')}"
    found = [Fault(file, "dashboard", what) for what in _board_faults(body, ours=ours)]
    panels = [panel for panel in body.get("panels", ()) if isinstance(panel, dict)]
    for number, panel in enumerate(panels):
        whats = [*_place_faults(panel, panels[:number])] if ours else []
        found += [Fault(file, _place(panel, number), what) for what in whats]
    for number, panel in enumerate(_every(body)):
        whats = [*_type_faults(panel)]
        if ours:
            whats += [*_unit_faults(panel), *grafanakeys.member_faults(panel)]
        if panel.get("type") != "row":
            whats += _panel_faults(panel, body, ours=ours)
        found += [Fault(file, _place(panel, number), what) for what in whats]
    return found


def queries(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(title, PromQL) of every panel's every query, variables not replaced."""
    for panel in _every(body):
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def _every(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel, those inside collapsed rows too."""
    # Before version 5 the panels stood in rows.
    for panel in [*body.get("panels", ()), *body.get("rows", ())]:
        if isinstance(panel, dict):
            yield panel
            yield from _every(panel)


def _place(panel: dict[str, Any], number: int) -> str:
    return f"panel {panel.get('title') or number!r}"


def _board_faults(body: dict[str, Any], *, ours: bool) -> Iterator[str]:
    if not body.get("title"):
        yield "title is missing"
    yield from _time_faults(body)
    listed = [str(variable.get("name")) for variable in _variables(body)]
    for name in dict.fromkeys(listed):
        if listed.count(name) > 1:
            yield f"{listed.count(name)} variables are called {name!r}"
    ids = [panel.get("id") for panel in _every(body) if panel.get("type") != "row"]
    for number in dict.fromkeys(
        known for known in ids if known is not None and ids.count(known) > 1
    ):
        yield f"{ids.count(number)} panels have the id {number}"
    if ours:
        yield from _own_faults(body)


def _time_faults(body: dict[str, Any]) -> Iterator[str]:
    refresh = body.get("refresh")
    if isinstance(refresh, str) and not _DURATION.fullmatch(refresh) and refresh != "auto":
        yield f"refresh {refresh!r} is not a duration such as 1m"
    for end, moment in (body.get("time") or {}).items():
        if end not in {"from", "to"} or not _TIME.fullmatch(str(moment)):
            yield f"time {end} {moment!r} is not a time such as now-3h"


def _own_faults(body: dict[str, Any]) -> Iterator[str]:
    """What our dashboards are held to: a stable uid, a chosen data source, no idle variable."""
    if not _UID.fullmatch(str(body.get("uid", ""))):
        yield f"uid {body.get('uid')!r} must be 1 to 40 letters, digits, - and _"
    variables = {str(variable.get("name")): variable for variable in _variables(body)}
    if variables.get("datasource", {}).get("type") != "datasource":
        yield "there is no variable 'datasource' of type datasource"
    yield from grafanakeys.member_faults(body)
    used = str([body.get("panels"), _variables(body)])
    for name, variable in variables.items():
        if variable.get("type") == "query":
            for what in _variable_faults(variable, body):
                yield f"variable {name!r}: {what}"
        if not re.search(rf"\$\{{?{re.escape(name)}\b", used):
            yield f"variable {name!r} is used nowhere"


def _variable_faults(variable: dict[str, Any], body: dict[str, Any]) -> list[str]:
    query = variable.get("query", "")
    text = query.get("query", "") if isinstance(query, dict) else str(query)
    if match := _LABEL_VALUES.fullmatch(text):
        return promql.promql_faults(
            f"count by ({match.group(2)}) ({match.group(1)})", _dialect(body)
        )
    if match := _QUERY_RESULT.fullmatch(text):
        return promql.promql_faults(match.group(1), _dialect(body))
    return [f"query {text!r} is neither label_values(metric, label) nor query_result(query)"]


def _place_faults(panel: dict[str, Any], before: list[dict[str, Any]]) -> Iterator[str]:
    place = panel.get("gridPos")
    if not isinstance(place, dict) or not all(isinstance(place.get(side), int) for side in "xywh"):
        yield "gridPos needs x, y, w and h"
        return
    if place["h"] < 1 or place["y"] < 0:
        yield f"gridPos h {place['h']} and y {place['y']} are not a place in the grid"
    if not 0 <= place["x"] < place["x"] + place["w"] <= COLUMNS:
        yield f"columns {place['x']} to {place['x'] + place['w']} are outside the grid of {COLUMNS}"
    for other in before:
        there = other.get("gridPos") or {}
        if (
            set("xywh") <= set(there)
            and place["x"] < there["x"] + there["w"]
            and there["x"] < place["x"] + place["w"]
            and place["y"] < there["y"] + there["h"]
            and there["y"] < place["y"] + place["h"]
        ):
            yield f"overlaps panel {other.get('title')!r}"


def _type_faults(panel: dict[str, Any]) -> Iterator[str]:
    kind = str(panel.get("type", ""))
    if not kind and not {"libraryPanel", "panels"} & set(panel):
        yield "has no type"
    elif kind not in _TYPES and (hint := close_to(kind, _TYPES, 0.85)):
        yield f"there is no panel type {kind!r}{hint}"


def _unit_faults(panel: dict[str, Any]) -> Iterator[str]:
    config = panel.get("fieldConfig")
    defaults = config.get("defaults", {}) if isinstance(config, dict) else {}
    unit = str(defaults.get("unit", "none"))
    if unit not in _UNITS and len(unit) > 3 and (hint := close_to(unit, _UNITS, 0.8)):  # noqa: PLR2004 - too short to compare
        yield f"unit {unit!r} is not known{hint}"
    low, high = defaults.get("min"), defaults.get("max")
    if isinstance(low, int | float) and isinstance(high, int | float) and low >= high:
        yield f"min {low} is not below max {high}"


def _panel_faults(panel: dict[str, Any], body: dict[str, Any], *, ours: bool) -> Iterator[str]:
    targets = [target for target in panel.get("targets") or () if isinstance(target, dict)]
    source = panel.get("datasource") or {}
    if ours:
        yield from _source_faults(source, targets)
    refs = [target.get("refId") for target in targets if target.get("refId") is not None]
    if len(set(refs)) < len(refs):
        yield f"two queries have the same refId: {refs}"
    values = {str(variable.get("name")): "0.35" for variable in _variables(body)}
    for target in targets:
        if not ours and not (_prometheus(target, source) and "expr" in target):
            continue
        expr = str(target.get("expr", ""))
        if ours and "expr" not in target:
            hint = close_to("expr", [name for name in target if name != "expr"], 0.5)
            yield f"query {target.get('refId')!r} has no expr{hint}"
        elif ours:
            found = promql.promql_faults(expr, _dialect(body), values)
            yield from found or _legend_faults(target, expr, values)
        else:
            yield from _foreign_faults(expr, body)


def _source_faults(source: Any, targets: list[dict[str, Any]]) -> Iterator[str]:
    for used in (source, *(target["datasource"] for target in targets if "datasource" in target)):
        found = used if isinstance(used, dict) else {"uid": used}
        if found.get("uid") != _SOURCE:
            yield f"data source {found.get('uid')!r} is fixed: {_SOURCE} lets the reader choose"
        if found.get("type", "prometheus") != "prometheus":
            yield f"data source type {found['type']!r} has no PromQL: use prometheus"
    if not targets:
        yield "has no query"
    for target in targets:
        if not target.get("refId"):
            yield "a query has no refId"
        if target.get("hide") is True and all(other.get("hide") for other in targets):
            yield "every query is hidden: the panel is empty"
            return


def _legend_faults(target: dict[str, Any], expr: str, values: dict[str, str]) -> Iterator[str]:
    """Labels of a legend that the result does not have, which are shown as nothing."""
    there = promshape.labels(promql.parse_promql(promql.expand(expr, values)))
    if there is None:
        return
    for name in _LEGEND.findall(str(target.get("legendFormat", ""))):
        if name not in there:
            hint = close_to(name, there)
            yield f"legend {{{{{name}}}}}: the query's result has no such label{hint}"


def _foreign_faults(expr: str, body: dict[str, Any]) -> list[str]:
    """PromQL of a dashboard that is not ours: variables stand for anything."""
    if not expr.strip():
        return []
    text = re.sub(r"\[\s*\$(?:__interval|\{__interval\})\s*\]", f"[{_INTERVAL_MS}ms]", expr)
    text = re.sub(r"\[\s*\$[^\]]*\]", "[5m]", text)
    text = re.sub(r"(offset\s+)\$\{?\w+\}?", r"\g<1>5m", text)
    names = [str(variable.get("name")) for variable in _variables(body)]
    tries = [
        promql.promql_faults(text, Dialect.PROMETHEUS, dict.fromkeys(names, value), ours=False)
        for value in ("1", "x", "5m")
    ]
    found = min(tries, key=len)
    if str(_INTERVAL_MS) in text and not found:
        for value in ("1", "x", "5m"):
            with contextlib.suppress(ValueError):
                tree = promql.parse_promql(promql.expand(text, dict.fromkeys(names, value)))
                return list(promql.interval_faults(tree, _INTERVAL_MS / 1_000))
    return found


def _prometheus(target: dict[str, Any], source: Any) -> bool:
    chosen = target.get("datasource") or source
    kind = chosen.get("type") if isinstance(chosen, dict) else None
    return kind in {None, "prometheus"}


def _variables(body: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (body.get("templating") or {}).get("list") or []
    return found


def _dialect(body: dict[str, Any]) -> Dialect:
    """CloudWatch's dashboards say so in their uid."""
    on_cloudwatch = str(body.get("uid", "")).endswith("-cloudwatch")
    return Dialect.CLOUDWATCH if on_cloudwatch else Dialect.PROMETHEUS
