"""The terminal: a table that drops columns, never digits, where the window is narrow."""

from __future__ import annotations

import io
from dataclasses import dataclass
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tenantmetrics.cost.budget_model import BudgetStatus
from tenantmetrics.cost.statement import LineKind, Statement
from tenantmetrics.records import UNATTRIBUTED
from tenantmetrics.report.coins import given, left
from tenantmetrics.report.first import MARGIN, first
from tenantmetrics.report.formats import TOP
from tenantmetrics.report.model import Report, Row, build
from tenantmetrics.report.outlook import forecast_sentence, remarks
from tenantmetrics.report.outlook import sentence as budget_sentence
from tenantmetrics.report.text import duration, money, percent, visible
from tenantmetrics.report.work import Work, coverage

__all__ = ["as_text", "show"]

# Room for a tenant's name before columns go; a longer one goes on in the next line.
_NAME_MIN, _NAME_MAX = len(UNATTRIBUTED), 17
_GAP = 2
_POOL_DROP = 7
"""Pools go together: where they do, their sums are in a line below."""
_PAGE = 100
_STATUS = {
    BudgetStatus.OVER: "red",
    BudgetStatus.EXPECTED: "yellow",
    BudgetStatus.POSSIBLE: "yellow",
    BudgetStatus.WITHIN: "",
}
_BADGE = {"DRAFT": "black on yellow", "ESTIMATE": "black on cyan"}


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its heading, a cell a row, the sum; the highest `drop` goes first."""

    title: str
    cells: list[str]
    total: str
    drop: int

    @property
    def width(self) -> int:
        return max(len(self.title), len(self.total), *(len(cell) for cell in self.cells))


def show(statement: Statement, console: Console | None = None, *, top: int = TOP) -> None:
    """Print the statement.

    Args:
        statement: What to print.
        console: Where to; standard output if None.
        top: Tenants shown one by one, the most expensive first.

    Raises:
        UnbalancedError: The statement's lines do not add up.
    """
    report = build(statement)
    console = console or Console(highlight=False)
    heading = Text(report.title, style="bold")
    for word in report.status:
        heading.append(" ").append(f" {word} ", style=_BADGE[word])
    console.print(heading)
    for caveat in report.caveats:
        console.print(Text(visible(caveat), style="dim"))
    for sentence in first(report):
        console.print(Text(visible(sentence), style="yellow"))
    rows = report.folded(top)
    longest = max(cell_len(visible(row.tenant)) for row in rows)
    name_width = max(_NAME_MIN, min(longest, _NAME_MAX))
    columns = _fitting(_columns(report, rows), console.width - name_width)
    console.print(_table(rows, columns))
    if not any(column.drop == _POOL_DROP for column in columns):
        sums = (f"{p.title} {money(p.amount, statement.quantum)}" for p in statement.pools)
        console.print(Text(", ".join(sums)))
    total = money(statement.total, statement.quantum)
    console.print(Text(f"{len(report.rows):,} lines add up to {total} {statement.currency}."))
    if any(row.revenue is not None for row in report.rows):
        of_all = f"{left(report.margin, statement)} of {given(report.revenue, statement)}"
        console.print(Text(f"Margin: {of_all} {statement.currency} revenue. {MARGIN}"))
    _show_outlook(statement, console, top)
    _show_time(report, console)
    _show_changes(report, console)
    for row in report.rows:
        if words := report.meaning(row):
            console.print(Text(f"{row.tenant}: {words}", style="dim"))
    for note in statement.notes:
        console.print(Text(f"Note: {visible(note)}", style="dim"))


def _show_outlook(statement: Statement, console: Console, top: int) -> None:
    """Budgets, the worst first, and what the month will have cost."""
    outlook = statement.outlook
    if outlook is None:
        return
    if forecast := forecast_sentence(statement):
        console.print(Text(forecast))
    for state in outlook.budgets[:top]:
        style = _STATUS[state.status]
        console.print(Text(visible(f"Budget of {budget_sentence(state, statement)}"), style=style))
    if more := outlook.budgets[top:]:
        within = sum(state.status is BudgetStatus.WITHIN for state in more)
        console.print(Text(f"{len(more):,} more budgets, {within:,} of them within."))
    for remark in remarks(outlook):
        console.print(Text(visible(remark), style="dim"))


def _show_time(report: Report, console: Console) -> None:
    """How server time was found, and whom wall time would have charged otherwise."""
    statement = report.statement
    if statement.server_time is not None:
        for sentence in coverage(statement.server_time):
            console.print(Text(sentence))
        for sentence in report.differences:
            console.print(Text(visible(sentence), style="yellow"))


def _show_changes(report: Report, console: Console) -> None:
    """What changed since another month."""
    statement, comparison = report.statement, report.comparison
    if comparison is not None:
        change = money(comparison.change, statement.quantum)
        sign = "+" if comparison.change > 0 else ""
        console.print(Text(f"{sign}{change} {statement.currency} against {comparison.label}."))
        for anomaly in comparison.anomalies:
            was, is_ = (money(part, statement.quantum) for part in (anomaly.before, anomaly.after))
            words = f"{visible(anomaly.tenant)}: {was} to {is_}, mostly {anomaly.pool}, "
            words += f"by {anomaly.driver}"
            console.print(Text(words, style="yellow"))


def as_text(statement: Statement, *, width: int | None = None, top: int = TOP) -> str:
    """What `show` prints, as plain text.

    Args:
        statement: What to print.
        width: Columns of the page.
        top: Tenants shown one by one.

    Raises:
        UnbalancedError: The statement's lines do not add up.
    """
    out = io.StringIO()
    show(statement, Console(file=out, width=width or _PAGE, highlight=False), top=top)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _table(rows: tuple[Row, ...], columns: list[_Column]) -> Table:
    table = Table(
        box=SIMPLE_HEAD, show_footer=True, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0)
    )
    table.add_column("Tenant", "Total", overflow="fold")
    for column in columns:
        table.add_column(column.title, column.total, justify="right", no_wrap=True)
    for index, row in enumerate(rows):
        style = "" if row.kind is LineKind.TENANT else "dim"
        name = Text(visible(row.tenant), style=style)
        table.add_row(name, *(Text(column.cells[index], style=style) for column in columns))
    return table


def _columns(report: Report, rows: tuple[Row, ...]) -> list[_Column]:
    statement = report.statement
    quantum = statement.quantum
    total = report.everything
    columns = [
        _Column("Calls", [f"{r.usage.calls:,}" for r in rows], f"{total.calls:,}", 2),
        _Column(
            "Failed", [f"{r.usage.failed_calls:,}" for r in rows], f"{total.failed_calls:,}", 11
        ),
        _Column(
            "Wall time",
            [duration(r.usage.duration_ns) for r in rows],
            duration(total.duration_ns),
            6,
        ),
        *_work(report, rows),
        _Column(
            "Requests",
            [f"{r.usage.billed_requests:,}" for r in rows],
            f"{total.billed_requests:,}",
            10,
        ),
    ]
    for index, pool in enumerate(statement.pools):
        cells = [money(r.amounts[index], quantum) for r in rows]
        columns.append(_Column(pool.title, cells, money(pool.amount, quantum), _POOL_DROP))
    columns.append(
        _Column(
            statement.currency,
            [money(r.total, quantum) for r in rows],
            money(statement.total, quantum),
            0,
        )
    )
    whole = sum((row.share for row in rows), Decimal(0))
    columns.append(_Column("Share", [percent(r.share) for r in rows], percent(whole), 1))
    return columns


def _work(report: Report, rows: tuple[Row, ...]) -> list[_Column]:
    """Server time, its share and how sure that is; none where it was not estimated."""
    works = [row.work or Work(0) for row in rows]
    if not any(row.work for row in rows):
        return []
    times = [duration(work.server_ns) for work in works]
    shares = ["" if work.share is None else percent(work.share) for work in works]
    columns = [
        _Column("Server time", times, duration(report.server_ns), 4),
        _Column("Work", shares, "", 3),
    ]
    if any(work.interval for work in works):
        columns.append(_Column("95 % of it", [work.interval for work in works], "", 9))
    return columns


def _fitting(columns: list[_Column], width: int) -> list[_Column]:
    """The columns that fit into a width; those that go together go together, the money stays."""
    while len(columns) > 1 and sum(_GAP + column.width for column in columns) > width:
        first = max(column.drop for column in columns)
        columns = [column for column in columns if column.drop < first]
    return columns
