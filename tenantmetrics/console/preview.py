"""A local page that draws the CloudWatch dashboards from a recording, widget by widget.

The widgets are those that `put` sends, their expressions are computed by the rehearsal, and the
page is one file without scripts or outside requests.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from tenantmetrics.console import dashboards
from tenantmetrics.console.alarm import resolve
from tenantmetrics.console.alarms import ALARMS
from tenantmetrics.console.chart import Line, chart, number
from tenantmetrics.console.parameters import PARAMETERS
from tenantmetrics.console.rehearsal.evaluate import Rehearsal, rehearse
from tenantmetrics.console.rehearsal.mathematics import Value, evaluate
from tenantmetrics.console.rehearsal.store import Store, statistic
from tenantmetrics.console.settings import Settings
from tenantmetrics.errors import ConsoleError

__all__ = ["busiest", "lines", "render"]

_NO_DATA = "no data in this recording"


def busiest(store: Store) -> str:
    """The tenant with the most database time, for whom the tenant dashboard is drawn.

    Raises:
        ConsoleError: The recording knows no tenant.
    """
    found = store.select("DatabaseDuration", ["TenantId"])
    if not found:
        raise ConsoleError("the recording knows no tenant")
    # By name where times are equal, so that the same recording draws the same page.
    return max(found, key=lambda key: (store.total(key, 0, store.end_s)[0], key[1]))[1][0][1]


def render(store: Store, settings: Settings, *, tenant: str, recording: str) -> str:
    """The page.

    Args:
        store: The recording.
        settings: What the dashboards are built for.
        tenant: Whom the tenant dashboard shows.
        recording: What the page says it was drawn from.
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
        drawn = "".join(_widget(one, store, found) for one in body["widgets"])
        title = dashboards.title(name, settings)
        boards.append(
            f'<section id="{name}" aria-label="{html.escape(title)}">'
            f'<div class="name">{html.escape(title)}</div><div class="grid">{drawn}</div></section>'
        )
    style = resources.files("tenantmetrics.console").joinpath("preview.css").read_text("utf-8")
    links = "".join(f'<a href="#{name}">{name}</a>' for name in dashboards.NAMES)
    about = (
        f"Drawn from {recording}, {_clock(store.start_s)} to {_clock(store.end_s)} UTC. "
        "Costs are estimates; anomaly bands and alarms are rehearsed, not CloudWatch's own."
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        f"<title>tenantmetrics dashboards</title><style>{style}</style></head><body>"
        f"<header><h1>Dashboards as they will be deployed</h1><p>{html.escape(about)}</p>"
        f"<nav>{links}</nav></header><main>{''.join(boards)}</main></body></html>\n"
    )


def lines(properties: Mapping[str, Any], store: Store) -> list[Line]:
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
    store: Store,
    known: Mapping[str, Value],
    period_s: int,
) -> Value | None:
    """A line's value; None while it needs ids that are not known yet."""
    text = options.get("expression")
    if text is None:
        _, name, *rest = [one for one in line if isinstance(one, str)]
        key = (name, tuple(sorted(zip(rest[::2], rest[1::2], strict=True))))
        return {"": statistic(store.series.get(key, {}), options["stat"], period_s)}
    try:
        return evaluate(text, store, known, period_s)
    except KeyError:
        return None


def _widget(widget: Mapping[str, Any], store: Store, found: Rehearsal) -> str:
    properties = widget["properties"]
    if widget["type"] == "text":
        inner = _markdown(properties["markdown"])
    elif widget["type"] == "alarm":
        inner = _alarms(properties["alarms"], store, found)
    elif widget["type"] == "log":
        inner = _log(properties["query"], store)
    else:
        drawn = lines(properties, store)
        if not drawn:
            inner = f'<p class="empty">{_NO_DATA}</p>'
        elif properties["view"] == "singleValue":
            inner = "".join(_figure(one) for one in drawn)
        else:
            inner = chart(
                properties["title"],
                drawn,
                unit=properties["yAxis"]["left"]["label"],
                span_s=(store.start_s, store.end_s),
                stacked=bool(properties.get("stacked")),
                size=(widget["width"], widget["height"]),
                marks={
                    one["label"]: one["value"]
                    for one in properties.get("annotations", {}).get("horizontal", ())
                },
            )
    title = properties.get("title")
    unit = properties.get("yAxis", {}).get("left", {}).get("label", "")
    small = f" <small>{html.escape(unit)}</small>" if unit else ""
    heading = f"<h3>{html.escape(title)}{small}</h3>" if title else ""
    place = (
        f"grid-column:{widget['x'] + 1}/span {widget['width']};"
        f"grid-row:{widget['y'] + 1}/span {widget['height']}"
    )
    kind = html.escape(widget["type"])
    return f'<article class="{kind}" style="{place}">{heading}{inner}</article>'


def _figure(line: Line) -> str:
    last = line.series[max(line.series)]
    return f'<p class="figure"><b>{number(last)}</b> <span>{html.escape(line.label)}</span></p>'


def _alarms(arns: list[str], store: Store, found: Rehearsal) -> str:
    items = []
    for arn in arns:
        name = arn.rsplit(":", 1)[1]
        mine = [one for one in found.firings if name.endswith(f"-{one.alarm}")]
        mine = [one for one in mine if len(one.alarm) == max(len(two.alarm) for two in mine)]
        state = "ALARM" if any(one.to_s >= store.end_s for one in mine) else "OK"
        if any(name.endswith(f"-{one}") for one in found.unheard):
            state = "INSUFFICIENT_DATA"
        times = ""
        if mine:
            last = max(mine, key=lambda one: one.from_s)
            often = f" {len(mine)}x, last" if len(mine) > 1 else ""
            times = f" · fired{often} {_clock(last.from_s)[11:]} to {_clock(last.to_s)[11:]}"
        items.append(
            f'<li class="{state} {"fired" if mine else ""}">{html.escape(name)}'
            f"<small>{state}{times}</small></li>"
        )
    return f"<ul>{''.join(items)}</ul>"


def _log(query: str, store: Store) -> str:
    """The two tables that a recording can answer; any other query as text."""
    tenant = re.search(r"TenantId = '((?:[^'\\]|\\.)*)'", query)
    whose = tenant.group(1) if tenant else ""
    if "StatusCode !=" in query:
        return _table(("Operation", "StatusCode", "calls", "last"), _errors(store, whose))
    if "slowest_ms" in query:
        return _table(("minute", "slowest_ms"), _slowest(store, whose))
    return f'<p class="empty">answered by CloudWatch Logs only</p><pre>{html.escape(query)}</pre>'


def _errors(store: Store, tenant: str) -> list[tuple[str, ...]]:
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


def _slowest(store: Store, tenant: str) -> list[tuple[str, ...]]:
    points = store.series.get(("DatabaseDuration", (("TenantId", tenant),)), {})
    rows = sorted(((max(values)[0], minute) for minute, values in points.items()), reverse=True)
    return [(_clock(minute), number(value)) for value, minute in rows[:50]]


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return f'<p class="empty">{_NO_DATA}</p>'
    head = "".join(f'<th scope="col">{html.escape(one)}</th>' for one in heads)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _markdown(text: str) -> str:
    """The little markdown that our text widgets have."""
    found = []
    for line in text.splitlines():
        safe = html.escape(line)
        safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
        # A link to another dashboard leads to its section of this page.
        safe = re.sub(
            r"\[([^\]]+)\]\(#dashboards:name=[\w-]*?(\w+)\)", r'<a href="#\2">\1</a>', safe
        )
        heading = re.match(r"(#+) (.*)", safe)
        found.append(f"<h2>{heading.group(2)}</h2>" if heading else f"<p>{safe}</p>")
    return "".join(found)


def _clock(moment_s: int) -> str:
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d %H:%M}"
