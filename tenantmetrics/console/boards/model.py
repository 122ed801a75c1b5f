"""What a dashboard is: sections of rows of panels, whatever shows them.

A panel draws quantities. A quantity says how CloudWatch computes it, how PromQL does, or both; a
panel none of whose quantities a target can compute is left out there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tenantmetrics.console.boards.cloudwatch import CloudWatch
from tenantmetrics.console.boards.promql import PromQL

__all__ = [
    "COLUMNS",
    "AlarmStates",
    "Board",
    "LogQuery",
    "Panel",
    "Quantity",
    "Section",
    "Threshold",
    "Unit",
    "View",
    "spans",
]

COLUMNS = 24
"""Width of a dashboard, in CloudWatch and in Grafana."""


class View(StrEnum):
    """How a panel draws its quantities."""

    LINES = "lines"
    AREAS = "areas"
    FIGURE = "figure"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit in both targets.

    Attributes:
        label: Label of CloudWatch's axis; rates are a minute there.
        grafana: Grafana's id of the unit; rates are a second there.
        symbol: What CloudWatch's title of a single figure ends with.
    """

    label: str
    grafana: str
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class Threshold:
    """An alarm's threshold, drawn across a panel.

    CloudWatch makes room for it, so it stands only where a calm line stays readable beside it: in
    percent, not in milliseconds.

    Attributes:
        alarm: Id of the alarm, the label of the line.
        parameter: The alarms' parameter that holds it.
        factor: From the parameter's unit to the panel's.
    """

    alarm: str
    parameter: str
    factor: float = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """Something to draw.

    Attributes:
        cloudwatch: Makes the entries of a CloudWatch widget's `metrics`; None where it has none.
        promql: Makes (query, legend) pairs; None where PromQL cannot compute it.
    """

    cloudwatch: Callable[[CloudWatch], list[list[Any]]] | None = None
    promql: Callable[[PromQL], list[tuple[str, str]]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A graph, or one big figure.

    Attributes:
        title: Its title; `{per}` becomes "a minute" in CloudWatch and "a second" in Grafana.
        draws: The quantities.
        unit: Their unit.
        view: How they are drawn.
        thresholds: Lines across; Grafana draws the first one.
        grafana_title: Title in Grafana, where that shows less than CloudWatch.
        period_s: Period of CloudWatch's widget, in seconds.
    """

    title: str
    draws: tuple[Quantity, ...]
    unit: Unit
    view: View = View.LINES
    thresholds: tuple[Threshold, ...] = ()
    grafana_title: str = ""
    period_s: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """A Logs Insights query over our EMF documents; only CloudWatch has those."""

    title: str
    query: str
    view: str = "table"


@dataclass(frozen=True, slots=True)
class AlarmStates:
    """The states of every alarm that each deployment has; only CloudWatch has those."""

    title: str


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of panels below a heading.

    Attributes:
        title: The heading; `{cluster}` becomes the cluster's identifier.
        rows: Panels side by side, each as wide as the others.
        detailed: Whether CloudWatch has its metrics only where `metric_level` is `detailed`.
    """

    title: str
    rows: tuple[tuple[Panel | LogQuery | AlarmStates, ...], ...]
    detailed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A dashboard.

    Attributes:
        name: `fleet`, `tenant` or `pipeline`.
        about: Markdown at the top in CloudWatch; `{cluster}`, `{tenant}` and the names of the
            dashboards, which become theirs in CloudWatch, in braces.
        sections: From the top; the first one's title is the first line of `about` in CloudWatch.
        of_one_tenant: Whether the reader chooses a tenant.
        priced: Whether Grafana asks the reader for the price of a request.
    """

    name: str
    about: str
    sections: tuple[Section, ...]
    of_one_tenant: bool = False
    priced: bool = True


def spans(count: int) -> list[tuple[int, int]]:
    """(first column, width) of each of so many panels side by side."""
    width = COLUMNS // count
    found = [(number * width, width) for number in range(count)]
    found[-1] = (found[-1][0], COLUMNS - found[-1][0])
    return found
