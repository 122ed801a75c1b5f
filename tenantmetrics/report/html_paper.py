"""The table of every line on paper: how large its letters may be so that no column is cut off."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tenantmetrics.report.model import Report
from tenantmetrics.report.text import money

__all__ = ["Paper", "paper_of"]

_WIDTH_PT = 770
"""Of A4 across, less the margins of the page's style."""

_LARGEST_PT, _CROWDED_PT, _SMALLEST_PT = 8.5, 7.0, 4.0
_NAME_EM, _PADDING_EM, _DIGIT_EM = 10.5, 0.75, 0.65
"""Of the column of names, beside each other column's text, and of a digit: DejaVu Sans, the widest
of the fonts that the page asks for, has 0.636."""


class Paper(NamedTuple):
    """How the table is printed.

    Attributes:
        points: The size of its letters.
        is_crowded: Columns that can be done without are left out.
    """

    points: str
    is_crowded: bool


def paper_of(report: Report) -> Paper:
    """How the table of every line fits on A4."""
    needed, spare = _em(report)
    whole = _WIDTH_PT / (needed + spare)
    is_crowded = whole < _CROWDED_PT
    points = max(_SMALLEST_PT, _WIDTH_PT / needed) if is_crowded else whole
    return Paper(f"{min(_LARGEST_PT, points):.1f}", is_crowded)


def _em(report: Report) -> tuple[float, float]:
    """The table's width in its own letters, and that of the columns that can be done without."""
    statement, usage = report.statement, report.everything
    quantum = statement.quantum
    columns = [
        _column("Total,", [money(statement.total, quantum)]),
        _column("Share", ["100.0 %"]),
        _column("Calls", [f"{usage.calls:,}"]),
        _column("Wall", ["999.9 min"]),
        _column("Requests", [f"{usage.billed_requests:,}"]),
    ]
    for index, pool in enumerate(statement.pools):
        amounts = [pool.amount, *(row.amounts[index] for row in report.rows)]
        widest = (max(amounts), min(amounts))
        word = max(pool.title.split(), key=len)
        columns.append(_column(word, (money(amount, quantum) for amount in widest)))
    if any(row.revenue is not None for row in report.rows):
        columns += [_column("Revenue", [money(report.revenue, quantum)])] * 2
    if statement.server_time is not None:
        columns += [_column("Server", ["999.9 min"]), _column("Share of", ["100.0 %"])]
    spare = _column("Failed", [f"{usage.failed_calls:,}"]) + _column("1,000", ["0.0001234"])
    return _NAME_EM + sum(columns), spare


def _column(word: str, texts: Iterable[str]) -> float:
    return _DIGIT_EM * max(len(word), *map(len, texts)) + _PADDING_EM
