"""The three CloudWatch dashboards: `fleet`, `tenant` and `pipeline`.

Committed under `dashboards/cloudwatch/` as built with the default settings; `dashboards put` builds
them anew for the caller's namespace, region, cluster, log group and thresholds.
"""

from __future__ import annotations

import json
from typing import Any

from tenantmetrics.console.alarms import names as alarm_names
from tenantmetrics.console.boards import fleet, pipeline, tenant
from tenantmetrics.console.boards.cloudwatch import TENANT, CloudWatch
from tenantmetrics.console.boards.model import (
    AlarmStates,
    Board,
    LogQuery,
    Panel,
    Section,
    View,
    spans,
)
from tenantmetrics.console.settings import Settings

__all__ = ["BOARDS", "NAMES", "TENANT", "build", "title", "to_json"]

BOARDS: dict[str, Board] = {
    board.name: board for board in (fleet.BOARD, tenant.BOARD, pipeline.BOARD)
}
"""The dashboards by their names."""

NAMES = tuple(BOARDS)
"""Names of the dashboards, as their files have them."""

_ALARM_COLOUR = "#d13212"
_FIGURES, _GRAPHS, _STATES, _HEADING = 3, 6, 4, 1
"""Heights of rows, in CloudWatch's grid."""

_VIEWS = {View.LINES: "timeSeries", View.AREAS: "timeSeries", View.FIGURE: "singleValue"}

Widget = dict[str, Any]


def build(name: str, settings: Settings) -> dict[str, Any]:
    """A dashboard's body.

    Args:
        name: One of `NAMES`.
        settings: What it is built for.
    """
    board = BOARDS[name]
    source = CloudWatch(settings, TENANT if board.of_one_tenant else None)
    links = {other: title(other, settings) for other in NAMES}
    about = f"# {board.about}".format(cluster=settings.cluster, **links)
    widgets = _placed([_text(about)], 0, 2)
    y = 2
    for number, section in enumerate(board.sections):
        if number:  # the first section stands below the dashboard's own heading
            heading = f"## {section.title.format(cluster=settings.cluster)}"
            heading += " (detailed metrics)" * section.detailed
            widgets += _placed([_text(heading)], y, _HEADING)
            y += _HEADING
        for row, height in _rows(section, source):
            widgets += _placed(row, y, height)
            y += height
    body: dict[str, Any] = {"start": "-PT3H", "periodOverride": "inherit", "widgets": widgets}
    return body | {"variables": [_variable(settings)]} if board.of_one_tenant else body


def to_json(body: dict[str, Any]) -> str:
    """A body as it is committed and put: JSON, one way to write it."""
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def title(name: str, settings: Settings) -> str:
    """Name of the dashboard in CloudWatch."""
    return f"{settings.prefix}-{name}"


def _rows(section: Section, source: CloudWatch) -> list[tuple[list[Widget], int]]:
    """Widgets side by side with their height; rows of which CloudWatch has nothing are left out."""
    found = []
    for row in section.rows:
        height = _GRAPHS
        widgets: list[Widget] = []
        for panel in row:
            if isinstance(panel, AlarmStates):
                widgets.append(_alarms(panel, source.settings))
                height = _STATES
            elif isinstance(panel, LogQuery):
                widgets.append(_logs(panel, source.settings))
            elif widget := _graph(panel, source):
                widgets.append(widget)
                height = _FIGURES if panel.view is View.FIGURE else _GRAPHS
        if widgets:
            found.append((widgets, height))
    return found


def _placed(row: list[Widget], y: int, height: int) -> list[Widget]:
    return [
        {
            "type": widget["type"],
            "x": x,
            "y": y,
            "width": width,
            "height": height,
            "properties": widget["properties"],
        }
        for widget, (x, width) in zip(row, spans(len(row)), strict=True)
    ]


def _text(markdown: str) -> Widget:
    return {"type": "text", "properties": {"markdown": markdown}}


def _graph(panel: Panel, source: CloudWatch) -> Widget | None:
    """A metric widget, whose left axis starts at zero; None of a panel that is Grafana's alone."""
    lines = [
        line for quantity in panel.draws if quantity.cloudwatch
        for line in quantity.cloudwatch(source)
    ]  # fmt: skip
    if not lines:
        return None
    settings = source.settings
    heading = panel.title.format(per="a minute")
    if panel.view is View.FIGURE and panel.unit.symbol:
        heading += f", {panel.unit.symbol}"
    properties: dict[str, Any] = {
        "title": heading,
        "view": _VIEWS[panel.view],
        "metrics": lines,
        "period": panel.period_s,
    }
    if panel.view is not View.FIGURE:
        properties["stacked"] = panel.view is View.AREAS
        label = panel.unit.label.format(per="a minute")
        properties["yAxis"] = {"left": {"min": 0, "label": label, "showUnits": False}}
    if panel.thresholds:
        properties["annotations"] = {
            "horizontal": [
                {
                    "value": _short(threshold.factor * settings.threshold(threshold.parameter)),
                    "label": threshold.alarm,
                    "color": _ALARM_COLOUR,
                }
                for threshold in panel.thresholds
            ]
        }
    return {"type": "metric", "properties": properties | {"region": settings.region}}


def _logs(panel: LogQuery, settings: Settings) -> Widget:
    text = f"SOURCE '{settings.log_group}' | {panel.query}"
    properties = {"title": panel.title, "view": panel.view, "query": text}
    return {"type": "log", "properties": properties | {"region": settings.region}}


def _alarms(panel: AlarmStates, settings: Settings) -> Widget:
    where = f"arn:aws:cloudwatch:{settings.region}:{settings.account}:alarm:"
    arns = [f"{where}{name}" for name in alarm_names(settings.prefix)]
    return {"type": "alarm", "properties": {"title": panel.title, "alarms": arns}}


def _variable(settings: Settings) -> dict[str, Any]:
    return {
        "type": "pattern",
        "pattern": TENANT,
        "id": "tenant",
        "label": "Tenant",
        "inputType": "select",
        "visible": True,
        "defaultValue": "__FIRST",
        "search": f'{{"{settings.namespace}",TenantId}} MetricName="DatabaseLoad"',
        "populateFrom": "TenantId",
    }


def _short(value: float) -> float:
    """Without the digits that a product of decimals brings along."""
    rounded = round(value, 6)
    return int(rounded) if rounded == int(rounded) else rounded
