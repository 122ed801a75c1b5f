"""A local page that draws the CloudWatch dashboards from a recording, widget by widget.

The widgets are those that `put` sends, their expressions are computed by the rehearsal, and the
page is one file without scripts or outside requests. Its markup is in `templates/`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tenantmetrics.console import dashboards
from tenantmetrics.console.alarm import resolve
from tenantmetrics.console.alarms import ALARMS
from tenantmetrics.console.chart import Chart, Line, number, plan
from tenantmetrics.console.parameters import PARAMETERS
from tenantmetrics.console.rehearsal.evaluate import Rehearsal, rehearse
from tenantmetrics.console.rehearsal.mathematics import Value, evaluate
from tenantmetrics.console.rehearsal.store import MetricStore, statistic
from tenantmetrics.console.settings import Settings
from tenantmetrics.console.templating import markdown, render
from tenantmetrics.errors import ConsoleError

__all__ = ["busiest", "lines", "page"]

_NO_DATA = "no data in this recording"
_SLOWEST_MAX = 50


class Figure(NamedTuple):
    """One big number and what it is."""

    value: str
    label: str


class State(NamedTuple):
    """An alarm at the end of the recording, and when it fired before that, in words."""

    name: str
    state: str
    fired: str


@dataclass(kw_only=True)
class Tile:
    """A widget as it is drawn: its place in the grid, and one of the forms below.

    Attributes:
        kind: The widget's type.
        x: First column, from 0.
        y: First row, from 0.
        width: Columns.
        height: Rows.
        title: Its title; empty for a text.
        unit: Label of its axis.
        nothing: Why there is nothing to draw; empty where there is.
        query: A query that only CloudWatch answers.
        markdown: A text, as markup.
        figures: Big numbers.
        chart: A graph.
        alarms: States of alarms.
        heads: Headings of a table.
        rows: Its rows.
    """

    kind: str
    x: int
    y: int
    width: int
    height: int
    title: str = ""
    unit: str = ""
    nothing: str = ""
    query: str = ""
    markdown: str = ""
    figures: list[Figure] = field(default_factory=list)
    chart: Chart | None = None
    alarms: list[State] = field(default_factory=list)
    heads: tuple[str, ...] = ()
    rows: list[tuple[str, ...]] = field(default_factory=list)


def busiest(store: MetricStore) -> str:
    """The tenant with the highest load, for whom the tenant dashboard is drawn.

    Raises:
        ConsoleError: The recording knows no tenant.
    """
    found = store.select("DatabaseLoad", ["TenantId"])
    if not found:
        raise ConsoleError("the recording has no tenant")
    # By name where loads are equal, so that the same recording draws the same page.
    return max(found, key=lambda key: (store.total(key, 0, store.end_s)[0], key[1]))[1][0][1]


def page(store: MetricStore, settings: Settings, *, tenant: str, recording: str) -> str:
    """The page, as HTML.

    Args:
        store: The recording.
        settings: What the dashboards are built for.
        tenant: Whom the tenant dashboard shows.
        recording: What the page says it was drawn from.

    Raises:
        MissingExtraError: Jinja2 or markdown-it-py is not installed.
    """
    values = resolve(
        PARAMETERS,
        {
            **settings.thresholds,
            "Namespace": settings.namespace,
            "Prefix": settings.prefix,
            "ClusterId": settings.cluster,
        },
    )
    found = rehearse(ALARMS, store, values)
    boards = []
    for name in dashboards.NAMES:
        text = json.dumps(dashboards.build(name, settings))
        # As CloudWatch replaces a pattern variable: in the whole body.
        body = json.loads(text.replace(dashboards.TENANT, json.dumps(tenant)[1:-1]))
        tiles = [_tile(widget, store, found) for widget in body["widgets"]]
        boards.append({"name": name, "title": dashboards.title(name, settings), "tiles": tiles})
    about = (
        f"Drawn from {recording}, {_clock(store.start_s)} to {_clock(store.end_s)} UTC. "
        "Costs are estimates; anomaly bands and alarms are rehearsed, not CloudWatch's own."
    )
    return render("preview.html.j2", about=about, boards=boards)


def lines(properties: Mapping[str, Any], store: MetricStore) -> list[Line]:
    """The visible lines of a metric widget.

    Raises:
        ConsoleError: An expression uses what the rehearsal does not know.
    """
    period_s = int(properties.get("period", 300))
    known: dict[str, Value] = {}
    drawn: dict[int, tuple[Value, str]] = {}
    left = list(enumerate(properties["metrics"]))
    while left:
        later = []
        for index, line in left:
            options = line[-1] if isinstance(line[-1], dict) else {}
            value = _value(line, options, store, known, period_s)
            if value is None:
                later.append((index, line))
                continue
            known[str(options.get("id", f"_{index}"))] = value
            if options.get("visible", True):
                drawn[index] = (value, str(options.get("label", "")))
        if len(later) == len(left):
            raise ConsoleError("expressions refer to each other in a circle")
        left = later
    return [
        Line(" ".join(filter(None, [label, name])) or "value", series)
        for _, (value, label) in sorted(drawn.items())
        for name, series in (value.items() if isinstance(value, dict) else {"": {}}.items())
        if series
    ]


def _value(
    line: list[Any],
    options: Mapping[str, Any],
    store: MetricStore,
    known: Mapping[str, Value],
    period_s: int,
) -> Value | None:
    """A line's value; None while it needs ids that are not known yet."""
    text = options.get("expression")
    if text is None:
        _, name, *rest = [text for text in line if isinstance(text, str)]
        key = (name, tuple(sorted(zip(rest[::2], rest[1::2], strict=True))))
        return {"": statistic(store.series.get(key, {}), options["stat"], period_s)}
    try:
        return evaluate(text, store, known, period_s)
    except KeyError:
        return None


def _tile(widget: Mapping[str, Any], store: MetricStore, found: Rehearsal) -> Tile:
    properties = widget["properties"]
    tile = Tile(
        kind=widget["type"],
        **{name: widget[name] for name in ("x", "y", "width", "height")},
        title=properties.get("title", ""),
        unit=properties.get("yAxis", {}).get("left", {}).get("label", ""),
    )
    if widget["type"] == "text":
        tile.markdown = markdown(properties["markdown"])
    elif widget["type"] == "alarm":
        tile.alarms = [_state(arn, store, found) for arn in properties["alarms"]]
    elif widget["type"] == "log":
        _fill_table(tile, properties["query"], store)
    else:
        _fill_graph(tile, properties, store)
    return tile


def _fill_graph(tile: Tile, properties: Mapping[str, Any], store: MetricStore) -> None:
    drawn = lines(properties, store)
    if not drawn:
        tile.nothing = _NO_DATA
    elif properties["view"] == "singleValue":
        tile.figures = [Figure(number(line.series[max(line.series)]), line.label) for line in drawn]
    else:
        horizontal = properties.get("annotations", {}).get("horizontal", ())
        tile.chart = plan(
            properties["title"],
            drawn,
            unit=tile.unit,
            span_s=(store.start_s, store.end_s),
            stacked=bool(properties.get("stacked")),
            size=(tile.width, tile.height),
            marks={mark["label"]: mark["value"] for mark in horizontal},
        )


def _state(arn: str, store: MetricStore, found: Rehearsal) -> State:
    name = arn.rsplit(":", 1)[1]
    mine = [firing for firing in found.firings if name.endswith(f"-{firing.alarm}")]
    longest = max((len(firing.alarm) for firing in mine), default=0)
    mine = [firing for firing in mine if len(firing.alarm) == longest]
    state = "ALARM" if any(firing.to_s >= store.end_s for firing in mine) else "OK"
    if any(name.endswith(f"-{alarm}") for alarm in found.unheard):
        state = "INSUFFICIENT_DATA"
    if not mine:
        return State(name, state, "")
    last = max(mine, key=lambda firing: firing.from_s)
    often = f" {len(mine)}x, last" if len(mine) > 1 else ""
    times = f"{_clock(last.from_s)[11:]} to {_clock(last.to_s)[11:]}"
    return State(name, state, f" · fired{often} {times}")


def _fill_table(tile: Tile, query: str, store: MetricStore) -> None:
    """The two tables that a recording can answer; any other query as text."""
    tenant = re.search(r"TenantId = '((?:[^'\\]|\\.)*)'", query)
    whose = tenant.group(1) if tenant else ""
    if "StatusCode !=" in query:
        tile.heads = ("Operation", "StatusCode", "calls", "last")
        tile.rows = _errors(store, whose)
    elif "slowest_ms" in query:
        tile.heads = ("minute", "slowest_ms")
        tile.rows = _slowest(store, whose)
    else:
        tile.nothing, tile.query = "answered by CloudWatch Logs only", query
        return
    if not tile.rows:
        tile.nothing = _NO_DATA


def _errors(store: MetricStore, tenant: str) -> list[tuple[str, ...]]:
    rows = []
    for key, points in store.select(
        "DatabaseOperations", ["TenantId", "Operation", "StatusCode"]
    ).items():
        pairs = dict(key[1])
        if pairs["TenantId"] == tenant and pairs["StatusCode"] != "ok":
            calls = store.total(key, 0, store.end_s)[0]
            rows.append((calls, pairs["Operation"], pairs["StatusCode"], _clock(max(points))))
    rows.sort(reverse=True)
    return [(operation, code, number(calls), last) for calls, operation, code, last in rows]


def _slowest(store: MetricStore, tenant: str) -> list[tuple[str, ...]]:
    points = store.series.get(("DatabaseDuration", (("TenantId", tenant),)), {})
    rows = sorted(((max(values)[0], minute) for minute, values in points.items()), reverse=True)
    return [(_clock(minute), number(value)) for value, minute in rows[:_SLOWEST_MAX]]


def _clock(moment_s: int) -> str:
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d %H:%M}"
