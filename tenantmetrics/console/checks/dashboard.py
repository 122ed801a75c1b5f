"""CloudWatch dashboards: schema, grid, every metric, every expression, every limit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from typing import Any

from tenantmetrics.console.alarms import ALARMS
from tenantmetrics.console.boards.model import COLUMNS
from tenantmetrics.console.checks import logsinsights, metricwidget, oddities, search
from tenantmetrics.console.checks.fault import Fault, Syntax, load_json
from tenantmetrics.console.known import Known, close_to
from tenantmetrics.errors import MissingExtraError

__all__ = ["check"]

_MAX_METRICS = 2_500
"""Metrics of all widgets together (CloudWatch quotas, dashboards)."""

_PLACE = ("x", "y", "width", "height")
_BOARDS = ("fleet", "tenant", "pipeline")
_LINK = re.compile(r"\]\(#dashboards?:name=([^)]*)\)")
_SHOWN_CHARS = 160


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
        body = load_json(text)
    except ValueError as error:
        return [Fault(file, "body", f"is not JSON: {error}")]
    found = list(_schema_faults(file, body))
    if found:
        return found  # what follows relies on the structure
    widgets = body["widgets"]
    if known.strict:
        found += _grid_faults(file, widgets)
        found += [Fault(file, _place(widgets[at]), what) for at, what in oddities.slips(body)]
    total = 0
    for widget in widgets:
        place = _place(widget)
        x, width = widget.get("x", 0), widget.get("width", 6)
        if x + width > COLUMNS:
            what = f"columns {x} to {x + width} are outside the grid of {COLUMNS}"
            found.append(Fault(file, place, what))
        for what in _widget_faults(widget, known):
            found.append(Fault(file, place, what))
        total += len(widget["properties"].get("metrics", ()))
    if total > _MAX_METRICS:
        found.append(Fault(file, "body", f"{total} metrics, {_MAX_METRICS} are allowed"))
    start, end = body.get("start", ""), body.get("end")
    if end is not None and (start.startswith("-") or start >= end):
        found.append(Fault(file, "body", f"start {start!r} is not a moment before end {end!r}"))
    variables = body.get("variables", [])
    ids = [variable["id"] for variable in variables]
    found += [
        Fault(file, f"variable {name!r}", f"{ids.count(name)} variables have this id")
        for name in dict.fromkeys(ids)
        if ids.count(name) > 1
    ]
    found += [
        Fault(file, f"variable {variable['id']!r}", what)
        for variable in variables
        for what in _variable_faults(variable, widgets, known)
    ]
    return found


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
    for error in sorted(validator.iter_errors(body), key=lambda fault: list(map(str, fault.path))):
        path = list(error.absolute_path)
        place = "body"
        if path[:1] == ["widgets"] and len(path) > 1 and isinstance(body["widgets"][path[1]], dict):
            place = _place(body["widgets"][path[1]], path[1])
            path = path[2:]
        where = "/".join(map(str, path))
        yield Fault(file, place, f"{where + ': ' if where else ''}{_said(error)}")


def _said(error: Any) -> str:
    """The validator's message, without the whole of a long value, and with what was meant."""
    message = " ".join(str(error.message).split())
    if error.validator == "maxItems":
        message = f"{len(error.instance)} entries are too many, {error.validator_value} are allowed"
    elif error.validator == "additionalProperties":
        for name in set(error.instance) - set(error.schema["properties"]):
            message += close_to(name, error.schema["properties"])
    elif error.validator == "enum":
        message += close_to(str(error.instance), map(str, error.validator_value))
    elif error.validator == "pattern":
        wanted = error.schema.get("description", error.validator_value)
        message = f"{error.instance!r} does not match: {wanted} is expected"
    if len(message) > _SHOWN_CHARS:
        message = f"{message[: _SHOWN_CHARS // 2]} … {message[-_SHOWN_CHARS // 2 :]}"
    return message


def _grid_faults(file: str, widgets: list[dict[str, Any]]) -> Iterator[Fault]:
    """Places that are left to CloudWatch, or taken twice."""
    placed: list[dict[str, Any]] = []
    for widget in widgets:
        missing = [name for name in _PLACE if name not in widget]
        if missing:
            what = f"{missing[0]!r} is missing: CloudWatch would choose one"
            yield Fault(file, _place(widget), what)
            continue
        for other in placed:
            if (
                widget["x"] < other["x"] + other["width"]
                and other["x"] < widget["x"] + widget["width"]
                and widget["y"] < other["y"] + other["height"]
                and other["y"] < widget["y"] + widget["height"]
            ):
                yield Fault(file, _place(widget), f"overlaps {_place(other)}")
        placed.append(widget)


def _widget_faults(widget: dict[str, Any], known: Known) -> Iterable[str]:
    properties = widget["properties"]
    if widget["type"] == "log":
        return _log_faults(properties, known)
    if widget["type"] == "metric":
        return metricwidget.widget_faults(properties, known)
    if widget["type"] == "alarm" and known.strict:
        return _alarm_faults(properties["alarms"])
    if widget["type"] == "text" and known.strict:
        return _link_faults(properties["markdown"])
    return ()


def _log_faults(properties: Mapping[str, Any], known: Known) -> Iterator[str]:
    if properties.get("queryLanguage", "CWLI") != "CWLI":
        return
    query = properties["query"]
    named = bool({"queryBy", "logGroups", "logGroupPrefixes"} & set(properties))
    yield from logsinsights.log_query_faults(query, ours=known.strict, named=named)
    if wrong := logsinsights.view_fault(query, properties.get("view", "table")):
        yield wrong


def _alarm_faults(arns: Iterable[str]) -> Iterator[str]:
    """Alarms of ours whose name is misspelt: the widget would leave them out without an error."""
    names = [alarm.id for alarm in ALARMS]
    for arn in arns:
        name = arn.rpartition(":")[2]
        endings = [name[at + 1 :] for at, sign in enumerate(name) if sign == "-"]
        if not any(ending in names for ending in endings):
            hints = [hint for ending in endings if (hint := close_to(ending, names, 0.85))]
            if hints:
                yield f"there is no alarm {name!r}{hints[0]}"


def _link_faults(markdown: str) -> Iterator[str]:
    for match in _LINK.finditer(markdown):
        name = match.group(1)
        if "#dashboards:" not in match.group():
            yield (
                f"link {match.group()[2:-1]!r} is not a dashboard's: those begin with "
                "#dashboards:name="
            )
        elif name.rpartition("-")[2] not in _BOARDS and (
            hint := close_to(name.rpartition("-")[2], _BOARDS)
        ):
            yield f"link to the dashboard {name!r}, which is not one of ours{hint}"


def _variable_faults(
    variable: dict[str, Any], widgets: list[dict[str, Any]], known: Known
) -> Iterator[str]:
    text = json.dumps(widgets, ensure_ascii=False)
    if variable["type"] == "pattern" and not re.search(re.escape(variable["pattern"]), text):
        yield (
            f"pattern {variable['pattern']!r} occurs in no widget: choosing a value "
            "would change nothing"
        )
    if variable["type"] == "property" and f'"{variable["property"]}"' not in text:
        searched = re.search(rf"\b{re.escape(variable['property'])}\b", text)
        if known.strict or not searched:
            yield f"property {variable['property']!r} occurs in no metric widget"
    default = variable.get("defaultValue")
    offered = [choice["value"] for choice in variable.get("values", ())]
    if offered and default is not None and default not in offered:
        yield f"defaultValue {default!r} is not one of its values" + close_to(
            str(default), map(str, offered)
        )
    for value in {str(option) for option in offered if offered.count(option) > 1}:
        yield f"value {value!r} is offered twice"
    if default == "__FIRST" and "search" not in variable:
        yield "defaultValue __FIRST needs a search"
    if "search" in variable:
        yield from search.search_faults(variable["search"], known)
        try:
            dimensions = search.parse_search(variable["search"]).dimensions
        except Syntax:
            return
        if variable.get("populateFrom") not in dimensions:
            yield f"populateFrom {variable.get('populateFrom')!r} is not a dimension of its search"


def _place(widget: Mapping[str, Any], number: object = None) -> str:
    properties = widget.get("properties")
    if isinstance(properties, dict) and properties.get("title"):
        return f"widget {properties['title']!r}"
    if number is not None:
        return f"widget {number}"
    return f"{widget.get('type')} widget at {widget.get('x')}, {widget.get('y')}"
