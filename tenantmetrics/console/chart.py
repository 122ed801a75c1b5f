"""Line charts as inline SVG: the places of everything here, the markup in `chart.svg.j2`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from typing import NamedTuple

from tenantmetrics.console.templating import render

__all__ = ["Chart", "Line", "chart", "number", "plan"]

Scale = Callable[[float], float]
"""From a value or a moment to a place in the picture."""

Place = tuple[float, float]

_COLUMN_PX, _ROW_PX = 52, 42
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 8, 20
_HEADING_PX, _LEGEND_PX, _LABEL_PX = 30, 22, 16
_WIDE = 8
"""Columns beyond which a narrow page shrinks a picture so much that its texts must grow."""
_COLOURS = 10
_STEPS = 4
_LEGEND_MAX = 10


class Line(NamedTuple):
    """A line: its label, and start of the period (s since the epoch) → value."""

    label: str
    series: dict[int, float]


class Mark(NamedTuple):
    """A text beside an axis, at a place along it in pixels."""

    place: float
    text: str


class Run(NamedTuple):
    """A stretch of a line without a gap, from `points` down to `below` where it is an area."""

    colour: int
    points: list[Place]
    below: list[Place]


class Limit(NamedTuple):
    """A threshold across the chart, and where its label stands, in pixels."""

    label: str
    value: str
    place: float
    text_place: float


class Entry(NamedTuple):
    """A line in the legend, with its last value."""

    colour: int
    label: str
    value: str


class Chart(NamedTuple):
    """All that the template draws; places in pixels."""

    width: int
    height: int
    left: int
    right: int
    wide: bool
    label: str
    ticks: list[Mark]
    times: list[Mark]
    runs: list[Run]
    limits: list[Limit]
    legend: list[Entry]
    more: int


def number(value: float) -> str:
    """A value in few characters: 1.2k, 3.4M, 0.012; a small one in full, 0.00000315."""
    if not isfinite(value):
        return "-"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{Decimal(f'{value:.3g}'):f}"


def _tick(value: float) -> str:
    """A value beside an axis, where there is room for six characters: 3.75µ for 0.00000375."""
    for size, letter in ((1e-3, ""), (1e-6, "µ"), (1e-9, "n")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}" if letter else number(value)
    return f"{value:.3g}"


def chart(
    title: str,
    lines: Sequence[Line],
    *,
    unit: str,
    span_s: tuple[int, int],
    stacked: bool,
    size: tuple[int, int],
    marks: Mapping[str, float] | None = None,
) -> str:
    """A chart with its legend, as markup; arguments as of `plan`."""
    planned = plan(title, lines, unit=unit, span_s=span_s, stacked=stacked, size=size, marks=marks)
    return render("chart.svg.j2", chart=planned)


def plan(
    title: str,
    lines: Sequence[Line],
    *,
    unit: str,
    span_s: tuple[int, int],
    stacked: bool,
    size: tuple[int, int],
    marks: Mapping[str, float] | None = None,
) -> Chart:
    """Where everything in a chart is.

    Args:
        title: For readers who hear the page.
        lines: What to draw, at least one.
        unit: Label of the axis.
        span_s: First and last moment, s since the epoch.
        stacked: Whether lines stand on each other.
        size: Columns and rows of the dashboard's grid.
        marks: Thresholds by their labels, drawn across.
    """
    width = size[0] * _COLUMN_PX
    height = max(90, size[1] * _ROW_PX - _HEADING_PX - _LEGEND_PX)
    drawn = _stack(lines) if stacked else [dict(line.series) for line in lines]
    values = [value for series in drawn for value in series.values()]
    top = _round_up(max([*values, *(marks or {}).values()], default=0.0))
    inner_width, inner_height = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM

    def x(moment_s: float) -> float:
        return _LEFT + inner_width * (moment_s - span_s[0]) / max(1, span_s[1] - span_s[0])

    def y(value: float) -> float:
        return _TOP + inner_height * (1 - value / top)

    runs: list[Run] = []
    below = dict.fromkeys(drawn[0], 0.0) if stacked else None
    for index, series in enumerate(drawn):
        runs += _runs(series, x, y, index % _COLOURS, below)
        below = series if stacked else None
    last = [Entry(index % _COLOURS, line.label, number(line.series[max(line.series)]))
            for index, line in enumerate(lines[:_LEGEND_MAX])]  # fmt: skip
    said = ", ".join(f"{entry.label} {entry.value}" for entry in last)
    return Chart(
        width=width,
        height=height,
        left=_LEFT,
        right=width - _RIGHT,
        wide=size[0] > _WIDE,
        label=f"{title}, {unit}; last values: {said}",
        ticks=[
            Mark(y(top * step / _STEPS), _tick(top * step / _STEPS)) for step in range(_STEPS + 1)
        ],
        times=_times(span_s, x),
        runs=runs,
        limits=_limits(marks or {}, y),
        legend=last,
        more=max(0, len(lines) - _LEGEND_MAX),
    )


def _stack(lines: Sequence[Line]) -> list[dict[int, float]]:
    """Each line on top of those before it, in every period that any of them has."""
    times = sorted({t for line in lines for t in line.series})
    below = dict.fromkeys(times, 0.0)
    found = []
    for line in lines:
        below = {t: below[t] + line.series.get(t, 0.0) for t in times}
        found.append(below)
    return found


def _round_up(value: float) -> float:
    """The end of the axis: 1, 2, 2.5 or 5 times a power of ten."""
    if not isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next((step * power for step in (1, 2, 2.5, 5) if step * power >= value), 10 * power)


def _times(span_s: tuple[int, int], x: Scale) -> list[Mark]:
    hour = 3_600
    steps = (60, 300, 600, 1_800, hour, 2 * hour, 6 * hour, 24 * hour)
    fitting = (step for step in steps if (span_s[1] - span_s[0]) / step <= 6)  # noqa: PLR2004 - marks that fit
    step = next(fitting, 168 * hour)
    first = ceil(span_s[0] / step) * step
    shape = "%H:%M" if step < 24 * hour else "%m-%d"
    return [
        Mark(x(t), f"{datetime.fromtimestamp(t, UTC):{shape}}")
        for t in range(first, span_s[1], step)
    ]


def _limits(marks: Mapping[str, float], y: Scale) -> list[Limit]:
    """Thresholds, each with its label on the line, or below it where one is close above."""
    found = []
    above = float("-inf")
    for label, value in sorted(marks.items(), key=lambda mark: -mark[1]):
        place = y(value)
        text_place = place + 12 if place - above < _LABEL_PX else place - 4
        found.append(Limit(label, number(value), place, text_place))
        above = place
    return found


def _runs(
    series: dict[int, float], x: Scale, y: Scale, colour: int, below: dict[int, float] | None
) -> Iterator[Run]:
    """A line with gaps where data are missing; filled down to what is below where stacked."""
    times = sorted(t for t, value in series.items() if isfinite(value))
    step = min((b - a for a, b in pairwise(times)), default=60)
    stretches: list[list[int]] = [times[:1]]
    for before, t in pairwise(times):
        if t - before > step:
            stretches.append([])
        stretches[-1].append(t)
    for stretch in stretches:
        if stretch:
            ends = [] if below is None else [(x(t), y(below.get(t, 0.0))) for t in stretch[::-1]]
            yield Run(colour, [(x(t), y(series[t])) for t in stretch], ends)
