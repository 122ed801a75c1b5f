"""CloudWatch dashboard widgets, and the grid of 24 columns they stand on.

Structure: CloudWatch API reference, "Dashboard Body Structure and Syntax".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tenantmetrics.catalog import Metric
from tenantmetrics.console.settings import Settings

__all__ = [
    "COLUMNS",
    "PERIOD_S",
    "Grid",
    "alarms",
    "expression",
    "graph",
    "insights",
    "line",
    "logs",
]

COLUMNS = 24
"""Width of a dashboard."""

PERIOD_S = 60
"""Our windows are minutes, and Metrics Insights has no finer resolution."""

_ALARM_COLOUR = "#d13212"

Widget = dict[str, Any]


class Grid:
    """Places widgets in rows from the top.

    Args:
        settings: Whose region the widgets read.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._y = 0
        self.widgets: list[Widget] = []

    def heading(self, markdown: str, height: int = 1) -> None:
        """A text across the whole width."""
        self.row([{"type": "text", "properties": {"markdown": markdown}}], height)

    def row(self, widgets: Sequence[Widget], height: int = 6) -> None:
        """Widgets side by side, each as wide as the others."""
        width = COLUMNS // len(widgets)
        for number, widget in enumerate(widgets):
            if widget["type"] in {"metric", "log"}:
                widget["properties"]["region"] = self._settings.region
            place = {"x": number * width, "y": self._y, "width": width, "height": height}
            self.widgets.append(
                {"type": widget["type"], **place, "properties": widget["properties"]}
            )
        self._y += height


def line(
    settings: Settings,
    metric: Metric,
    stat: str,
    dimensions: Sequence[str] = (),
    **options: Any,
) -> list[Any]:
    """A metric of the catalogue as an entry of a widget's `metrics`.

    Args:
        settings: Whose namespace.
        metric: Which.
        stat: Statistic, such as "Sum" or "p99".
        dimensions: Values in the order of the metric's dimensions.
        **options: `id`, `label`, `visible`, `yAxis` and the like.
    """
    pairs = [text for pair in zip(metric.dimensions, dimensions, strict=True) for text in pair]
    return [settings.namespace, metric.name, *pairs, {"stat": stat, **options}]


def expression(text: str, label: str = "", **options: Any) -> list[Any]:
    """Metric math or Metrics Insights as an entry of a widget's `metrics`."""
    options = {"expression": text, **options}
    if label:
        options["label"] = label
    return [options]


def insights(  # noqa: D417 - the rest are named as in the SQL
    settings: Settings,
    metric: Metric,
    function: str,
    *,
    where: dict[str, str] | None = None,
    group_by: str | None = None,
    limit: int | None = 10,
) -> str:
    """A Metrics Insights query over exactly the dimension set that the metric is published with.

    Args:
        settings: Whose namespace.
        metric: Which; its dimensions go into SCHEMA(), without which other sets mix in.
        limit: Series at most, those with the highest values; None for all that CloudWatch returns.
    """
    namespace = settings.namespace.replace('"', '""')
    schema = ", ".join([f'"{namespace}"', *metric.dimensions])
    text = f"SELECT {function}({metric.name}) FROM SCHEMA({schema})"  # noqa: S608 - of the catalogue
    if where:
        text += " WHERE " + " AND ".join(f"{name} = '{value}'" for name, value in where.items())
    if group_by:
        text += f" GROUP BY {group_by} ORDER BY {function}() DESC"
        if limit is not None:
            text += f" LIMIT {limit}"
    return text


def graph(
    title: str,
    metrics: Sequence[Sequence[Any]],
    *,
    view: str = "timeSeries",
    unit: str = "",
    period_s: int = PERIOD_S,
    alarms_at: Mapping[str, float] | None = None,
    **options: Any,
) -> Widget:
    """A metric widget; `unit` labels the left axis, which starts at zero.

    `alarms_at` are thresholds, label → value, drawn as lines. CloudWatch makes room for them, so
    they stand only where a calm line stays readable beside them: in percent, not in milliseconds.
    """
    properties: dict[str, Any] = {
        "title": title,
        "view": view,
        "metrics": [list(one) for one in metrics],
        "period": period_s,
        **options,
    }
    if view == "timeSeries":
        properties.setdefault("stacked", False)
        properties["yAxis"] = {"left": {"min": 0, "label": unit, "showUnits": False}}
    if alarms_at:
        properties["annotations"] = {
            "horizontal": [
                {"value": _short(value), "label": label, "color": _ALARM_COLOUR}
                for label, value in alarms_at.items()
            ]
        }
    return {"type": "metric", "properties": properties}


def logs(title: str, log_group: str, query: str, *, view: str = "table") -> Widget:
    """A Logs Insights widget."""
    text = f"SOURCE '{log_group}' | {query}"
    return {"type": "log", "properties": {"title": title, "view": view, "query": text}}


def alarms(title: str, arns: Sequence[str]) -> Widget:
    """The states of alarms."""
    return {"type": "alarm", "properties": {"title": title, "alarms": list(arns)}}


def _short(value: float) -> float:
    """Without the digits that a product of decimals brings along."""
    rounded = round(value, 6)
    return int(rounded) if rounded == int(rounded) else rounded
