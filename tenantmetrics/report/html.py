"""HTML: one self-contained file. No script, nothing fetched; its own policy forbids both."""

from __future__ import annotations

import os
from decimal import Decimal

from tenantmetrics.cost.statement import LineKind, Statement
from tenantmetrics.report.first import MARGIN, first
from tenantmetrics.report.model import Report, Row, build
from tenantmetrics.report.outlook import forecast_sentence, interval, remarks, used
from tenantmetrics.report.templating import template
from tenantmetrics.report.text import duration, money, percent, visible, write_files
from tenantmetrics.report.work import coverage

__all__ = ["TOP_BARS", "TOP_ROWS", "as_html", "write"]

TOP_BARS = 15
"""Tenants in the chart, one bar each; the rest fold into one bar."""

TOP_ROWS = 1_000
"""Tenants in the table; a browser takes seconds over more, and the CSV has them all."""


def as_html(statement: Statement) -> str:
    """The statement as an HTML page.

    Raises:
        UnbalancedError: The statement's lines do not add up.
        MissingExtraError: Jinja2 is not installed.
    """
    report = build(statement)
    axis, bars = _bars(report)
    return template("report.html").render(
        report=report,
        statement=statement,
        rows=report.folded(TOP_ROWS),
        axis=axis,
        bars=bars,
        tenant=LineKind.TENANT,
        pool_sums=_pool_sums(report),
        unattributed=report.of(LineKind.UNATTRIBUTED),
        idle=report.of(LineKind.IDLE),
        comparison=report.comparison,
        has_work=statement.server_time is not None,
        coverage=coverage(statement.server_time) if statement.server_time else (),
        first=first(report)[bool(report.losses) :],
        margin_words=MARGIN,
        has_credits=any(amount < 0 for row in report.rows for amount in row.amounts),
        has_revenue=any(row.revenue is not None for row in report.rows),
        revenue=report.revenue,
        margin=report.margin,
        signed=lambda amount: ("+" if amount > 0 else "") + money(amount, statement.quantum),
        rate=_rate,
        outlook=statement.outlook,
        forecast=forecast_sentence(statement),
        remarks=remarks(statement.outlook) if statement.outlook else (),
        interval=interval,
        used=used,
        most=TOP_ROWS,
        money=lambda amount: money(amount, statement.quantum),
        share_of=lambda part: percent(part / statement.total if statement.total else Decimal(0)),
        duration=duration,
        percent=percent,
        name=visible,
    )


def write(statement: Statement, path: str | os.PathLike[str]) -> None:
    """Write `as_html`'s page to a file, whole or not at all.

    Raises:
        UnbalancedError: The statement's lines do not add up.
        ReportError: The file cannot be written.
        MissingExtraError: Jinja2 is not installed.
    """
    write_files({path: as_html(statement)})


def _bars(report: Report) -> tuple[str, list[tuple[Row, list[tuple[int, str, str]]]]]:
    """Where the axis is, and each bar's row and pieces: (pool number, x, width).

    All in thousandths of the drawing. Charges go to the right of the axis, credits to its left.
    """
    rows = [row for row in report.folded(TOP_BARS) if any(row.amounts)]
    # The folded row may be a thousand times the longest bar: it is named, not drawn.
    single = [row for row in rows if row.folded == 1]
    right = max((_charged(row) for row in single), default=Decimal(0))
    left = max((_credited(row) for row in single), default=Decimal(0))
    scale = Decimal(1000) / (left + right) if left + right else Decimal(0)
    bars: list[tuple[Row, list[tuple[int, str, str]]]] = []
    for row in rows:
        if row.folded > 1 and (_charged(row) > right or _credited(row) > left):
            bars.append((row, []))
            continue
        end = start = left * scale
        pieces = []
        for number, amount in enumerate(row.amounts):
            width = abs(amount) * scale
            if amount < 0:
                start -= width
            x = start if amount < 0 else end
            if width:
                pieces.append((number, f"{x:.2f}", f"{width:.2f}"))
            if amount > 0:
                end += width
        bars.append((row, pieces))
    return f"{left * scale:.2f}", bars


def _rate(row: Row) -> str:
    """What a thousand of a row's calls cost, in four digits."""
    return f"{row.total * 1000 / row.usage.calls:.4g}" if row.usage.calls else ""


def _charged(row: Row) -> Decimal:
    return sum((amount for amount in row.amounts if amount > 0), Decimal(0))


def _credited(row: Row) -> Decimal:
    return -sum((amount for amount in row.amounts if amount < 0), Decimal(0))


def _pool_sums(report: Report) -> list[Decimal]:
    """The lines' sum by pool, computed anew for the reconciliation."""
    columns = zip(*(row.amounts for row in report.rows), strict=True)
    return [sum(column, Decimal(0)) for column in columns]
