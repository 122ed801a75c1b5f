"""The bars of the HTML page: where each piece of a line's cost begins, and how wide it is."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from tenantmetrics.cost.statement import LineKind
from tenantmetrics.report.model import Report, Row

__all__ = ["TOP_BARS", "Bar", "Piece", "bars_of"]

TOP_BARS = 15
"""Tenants in the chart, one bar each; the rest fold into one bar."""

_LONGEST = 4
"""A bar of nobody's that is more times the longest tenant's is shortened: beside one that is drawn
to scale the tenants' would be slivers."""

_WIDTH = Decimal(1000)
"""Of the drawing, in its own units."""


class Piece(NamedTuple):
    """A pool's part of a bar: the pool's number, and its place in the drawing."""

    pool: int
    x: str
    width: str


class Bar(NamedTuple):
    """A row's bar.

    Attributes:
        row: The row.
        pieces: Charges to the right of the axis, credits to its left; none where it is not drawn.
        is_shortened: It is longer than the drawing, and fills it.
    """

    row: Row
    pieces: list[Piece]
    is_shortened: bool = False


def bars_of(report: Report) -> tuple[str, list[Bar]]:
    """Where the axis is, and the bars."""
    rows = [row for row in report.folded(TOP_BARS) if any(row.amounts)]
    # The folded row may be a thousand times the longest bar: it is named, not drawn.
    single = [row for row in rows if row.folded == 1]
    tenants = [row for row in single if row.kind is LineKind.TENANT]
    longest = max(map(_length, single), default=Decimal(0))
    if longest <= _LONGEST * max(map(_length, tenants), default=Decimal(0)) or not tenants:
        tenants = single
    right = max(map(_charged, tenants), default=Decimal(0))
    left = max(map(_credited, tenants), default=Decimal(0))
    scale = _WIDTH / (left + right) if left + right else Decimal(0)
    axis = left * scale
    bars = []
    for row in rows:
        fits = _charged(row) <= right and _credited(row) <= left
        if row.folded > 1 and not fits:
            bars.append(Bar(row, []))
        elif fits:
            bars.append(Bar(row, _pieces(row, axis, scale)))
        else:
            own = min(
                (_WIDTH - axis) / (_charged(row) or 1),
                axis / _credited(row) if _credited(row) and axis else scale,
            )
            bars.append(Bar(row, _pieces(row, axis, own), is_shortened=True))
    return f"{axis:.2f}", bars


def _pieces(row: Row, axis: Decimal, scale: Decimal) -> list[Piece]:
    start = end = axis
    pieces = []
    for number, amount in enumerate(row.amounts):
        width = abs(amount) * scale
        if amount < 0:
            start -= width
        x = start if amount < 0 else end
        if width:
            pieces.append(Piece(number, f"{x:.2f}", f"{width:.2f}"))
        if amount > 0:
            end += width
    return pieces


def _length(row: Row) -> Decimal:
    return _charged(row) + _credited(row)


def _charged(row: Row) -> Decimal:
    return sum((amount for amount in row.amounts if amount > 0), Decimal(0))


def _credited(row: Row) -> Decimal:
    return -sum((amount for amount in row.amounts if amount < 0), Decimal(0))
