"""Line charts as inline SVG: what the preview draws a graph with."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from typing import NamedTuple

__all__ = ["Line", "chart", "number"]

Scale = Callable[[float], float]
"""From a value or a moment to a place in the picture."""

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


def number(value: float) -> str:
    """A value in few characters: 1.2k, 3.4M, 0.012."""
    if not isfinite(value):
        return "-"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
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
    """A chart with its legend.

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
    drawn = _stack(lines) if stacked else [dict(one.series) for one in lines]
    values = [value for one in drawn for value in one.values()]
    top = _round_up(max([*values, *(marks or {}).values()], default=0.0))
    inner_width, inner_height = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM

    def x(moment_s: float) -> float:
        return _LEFT + inner_width * (moment_s - span_s[0]) / max(1, span_s[1] - span_s[0])

    def y(value: float) -> float:
        return _TOP + inner_height * (1 - value / top)

    parts = [_axis(width, top, y), _times(span_s, x, height)]
    below = dict.fromkeys(drawn[0], 0.0) if stacked else None
    for index, series in enumerate(drawn):
        parts.append(_path(series, x, y, index, below=below))
        below = series if stacked else None
    parts.append(_marks(marks or {}, width, y))
    said = ", ".join(f"{one.label} {number(one.series[max(one.series)])}" for one in lines[:10])
    legend = "".join(
        f'<li><i class="c{index % _COLOURS}"></i>{html.escape(one.label)} '
        f"<b>{number(one.series[max(one.series)])}</b></li>"
        for index, one in enumerate(lines[:_LEGEND_MAX])
    )
    if len(lines) > _LEGEND_MAX:
        legend += f"<li>and {len(lines) - _LEGEND_MAX} more</li>"
    label = html.escape(f"{title}, {unit}; last values: {said}", quote=True)
    wide = 'class="wide" ' if size[0] > _WIDE else ""
    return (
        f'<svg {wide}viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
        f'{"".join(parts)}</svg><ul class="legend">{legend}</ul>'
    )


def _stack(lines: Sequence[Line]) -> list[dict[int, float]]:
    """Each line on top of those before it, in every period that any of them has."""
    times = sorted({t for one in lines for t in one.series})
    below = dict.fromkeys(times, 0.0)
    found = []
    for one in lines:
        below = {t: below[t] + one.series.get(t, 0.0) for t in times}
        found.append(below)
    return found


def _round_up(value: float) -> float:
    """The end of the axis: 1, 2, 2.5 or 5 times a power of ten."""
    if not isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next((step * power for step in (1, 2, 2.5, 5) if step * power >= value), 10 * power)


def _axis(width: int, top: float, y: Scale) -> str:
    marks = []
    for step in range(_STEPS + 1):
        value = top * step / _STEPS
        place = y(value)
        marks.append(
            f'<line class="mark" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{place:.1f}" '
            f'y2="{place:.1f}"/><text class="tick" x="{_LEFT - 5}" y="{place + 4:.1f}">'
            f"{number(value)}</text>"
        )
    return "".join(marks)


def _times(span_s: tuple[int, int], x: Scale, height: int) -> str:
    hour = 3_600
    step = next(
        (one for one in (600, 1_800, hour, 2 * hour, 6 * hour, 24 * hour)
         if (span_s[1] - span_s[0]) / one <= 6),  # noqa: PLR2004 - marks that fit
        168 * hour,
    )  # fmt: skip
    first = ceil(span_s[0] / step) * step
    shape = "%H:%M" if step < 24 * hour else "%m-%d"
    return "".join(
        f'<text class="time" x="{x(t):.1f}" y="{height - 5}">'
        f"{datetime.fromtimestamp(t, UTC).strftime(shape)}</text>"
        for t in range(first, span_s[1], step)
    )


def _marks(marks: Mapping[str, float], width: int, y: Scale) -> str:
    """Thresholds, each with its label on the line, or below it where one is close above."""
    parts = []
    above = float("-inf")
    for label, value in sorted(marks.items(), key=lambda one: -one[1]):
        place = y(value)
        text = place + 12 if place - above < _LABEL_PX else place - 4
        parts.append(
            f'<line class="limit" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{place:.1f}" '
            f'y2="{place:.1f}"/><text class="limit" x="{width - _RIGHT - 2}" '
            f'y="{text:.1f}">{html.escape(label)} {number(value)}</text>'
        )
        above = place
    return "".join(parts)


def _path(
    series: dict[int, float],
    x: Scale,
    y: Scale,
    index: int,
    *,
    below: dict[int, float] | None,
) -> str:
    """A line with gaps where data are missing; filled down to what is below where stacked."""
    times = sorted(t for t, value in series.items() if isfinite(value))
    if not times:
        return ""
    step = min((b - a for a, b in pairwise(times)), default=60)
    runs: list[list[int]] = [[times[0]]]
    for before, t in pairwise(times):
        if t - before > step:
            runs.append([])
        runs[-1].append(t)
    colour = f"c{index % _COLOURS}"
    parts = []
    for run in runs:
        points = " ".join(f"{x(t):.1f},{y(series[t]):.1f}" for t in run)
        if len(run) == 1:
            t = run[0]
            parts.append(
                f'<circle class="{colour}" cx="{x(t):.1f}" cy="{y(series[t]):.1f}" r="2"/>'
            )
            continue
        if below is not None:
            ends = " ".join(f"{x(t):.1f},{y(below.get(t, 0.0)):.1f}" for t in reversed(run))
            parts.append(f'<polygon class="{colour}" points="{points} {ends}"/>')
        parts.append(f'<polyline class="{colour}" points="{points}"/>')
    return "".join(parts)
