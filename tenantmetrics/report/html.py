"""HTML: one self-contained file. No script, nothing fetched; its own policy forbids both."""

from __future__ import annotations

import os
import re
from decimal import Decimal
from typing import TYPE_CHECKING

from tenantmetrics.cost.statement import LineKind, Statement
from tenantmetrics.report.coins import given, left
from tenantmetrics.report.first import MARGIN, first
from tenantmetrics.report.html_bars import bars_of
from tenantmetrics.report.html_paper import paper_of
from tenantmetrics.report.model import Report, Row, build
from tenantmetrics.report.outlook import forecast_sentence, interval, remarks, used
from tenantmetrics.report.templating import template
from tenantmetrics.report.text import duration, money, percent, unit_cost, visible, write_files
from tenantmetrics.report.work import coverage

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["TOP_ROWS", "as_html", "write"]

TOP_ROWS = 1_000
"""Tenants in the table; a browser takes seconds over more, and the CSV has them all."""

_RTL = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_RIGHT_TO_LEFT = re.compile(f"[{_RTL}](?:[^A-Za-z0-9]*[{_RTL}])*")
"""Words of scripts that are written so, and what is between them (Unicode's blocks of R and AL)."""

_LONG = 15
"""Characters of an amount that has half of a telephone's width with its title beside it."""


def as_html(statement: Statement) -> str:
    """The statement as an HTML page.

    Raises:
        UnbalancedError: The statement's lines do not add up.
        MissingExtraError: Jinja2 is not installed.
    """
    report = build(statement)
    axis, bars = bars_of(report)
    return template("report.html").render(
        report=report,
        statement=statement,
        rows=report.folded(TOP_ROWS),
        axis=axis,
        paper=paper_of(report),
        is_long=_longest(statement) > _LONG,
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
        given=lambda amount: given(amount, statement),
        left=lambda amount: left(amount, statement),
        share_of=lambda part: percent(part / statement.total if statement.total else Decimal(0)),
        duration=duration,
        percent=percent,
        unit_cost=unit_cost,
        name=visible,
        sentence_with_names=_isolated,
    )


def write(statement: Statement, path: str | os.PathLike[str]) -> None:
    """Write `as_html`'s page to a file, whole or not at all.

    Raises:
        UnbalancedError: The statement's lines do not add up.
        ReportError: The file cannot be written.
        MissingExtraError: Jinja2 is not installed.
    """
    write_files({path: as_html(statement)})


def _isolated(sentence: str) -> Markup:
    """A sentence in HTML: a name from right to left does not turn what stands beside it."""
    from markupsafe import Markup, escape  # noqa: PLC0415 - Jinja2's own, an extra

    return Markup(_RIGHT_TO_LEFT.sub(r"<bdi>\g<0></bdi>", str(escape(visible(sentence)))))  # noqa: S704 - escaped


def _longest(statement: Statement) -> int:
    """Characters of the longest amount."""
    amounts = (statement.total, *(pool.amount for pool in statement.pools))
    return max(len(money(amount, statement.quantum)) for amount in amounts)


def _rate(row: Row) -> str:
    """What a thousand of a row's calls cost."""
    return unit_cost(row.total * 1000 / row.usage.calls) if row.usage.calls else ""


def _pool_sums(report: Report) -> list[Decimal]:
    """The lines' sum by pool, computed anew for the reconciliation."""
    columns = zip(*(row.amounts for row in report.rows), strict=True)
    return [sum(column, Decimal(0)) for column in columns]
