"""`report --fail-over-budget`: which budgets are over, and an exit code that stops a pipeline."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from tenantmetrics.errors import ReportError

if TYPE_CHECKING:
    from tenantmetrics.cost.budget_model import BudgetState
    from tenantmetrics.cost.statement import Statement

__all__ = ["EXIT_OVER_BUDGET", "FailOver", "ReportCommand", "fail_over", "refuse_without_budgets"]

EXIT_OVER_BUDGET = 3
"""Neither a wrong input (1) nor lines that do not add up (2)."""

_FLAG = "--fail-over-budget"


class FailOver(StrEnum):
    """What a budget is held against."""

    SPENT = "spent"
    FORECAST = "forecast"


class ReportCommand(TyperCommand):
    """The command, whose `--fail-over-budget` may stand without a value: Typer knows no such."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default value where the flag stands alone."""
        complete = []
        for place, word in enumerate(args):
            following = args[place + 1] if place + 1 < len(args) else "-"
            alone = word == _FLAG and following.startswith("-")
            complete.append(f"{_FLAG}={FailOver.SPENT}" if alone else word)
        return super().parse_args(ctx, complete)


def refuse_without_budgets(wanted: FailOver | None, tenants: Path | None) -> None:
    """Say before anything is read that there is nothing to be over.

    Raises:
        ReportError: No file with budgets was given, or it does not parse.
    """
    if wanted is None:
        return
    from tenantmetrics.cost.budgets import read_budgets

    if tenants is None or not read_budgets(tenants):
        where = "give the file with --tenants" if tenants is None else f"{str(tenants)!r} has none"
        raise ReportError(f"{_FLAG} needs budgets, a column 'budget' of the tenants' file: {where}")


def fail_over(statement: Statement, wanted: FailOver | None) -> None:
    """A line on standard error for each budget that is over, the worst first.

    Args:
        statement: What was reported.
        wanted: What budgets are held against; nothing happens if None.

    Raises:
        typer.Exit: At least one is over; with `EXIT_OVER_BUDGET`.
    """
    if wanted is None or statement.outlook is None:
        return
    from tenantmetrics.cost.budget_model import MONTH_OVER

    by_forecast = wanted is FailOver.FORECAST
    lines = []
    for state in statement.outlook.budgets:
        is_missed = state.forecast is None and state.unknown != MONTH_OVER
        if by_forecast and is_missed and state.left >= 0:
            words = f"warning: {state.budget.scope} {state.budget.name}: no forecast"
            typer.echo(f"tenantmetrics: {_plain(f'{words}: {state.unknown}')}", err=True)
        if not state.has_lines:
            # A slip in its name would let everything pass.
            words = (
                f"warning: {state.budget.scope} {state.budget.name}: no line is of this budget: "
                "no usage, or a misspelt name"
            )
            typer.echo(f"tenantmetrics: {_plain(words)}", err=True)
        if line := _line(state, statement, by_forecast=by_forecast):
            lines.append(_plain(line))
    for line in lines:
        typer.echo(f"tenantmetrics: over budget: {line}", err=True)
    if lines:
        raise typer.Exit(EXIT_OVER_BUDGET)


def _line(state: BudgetState, statement: Statement, *, by_forecast: bool) -> str:
    """Which budget is over by how much; "" where it is not."""
    from tenantmetrics.report.coins import given, left
    from tenantmetrics.report.outlook import interval
    from tenantmetrics.report.text import money

    quantum, limit = statement.quantum, state.budget.amount
    of = f"of {given(limit, statement)} {statement.currency}"
    name = f"{state.budget.scope} {state.budget.name}"
    if state.left < 0:
        over = left(-state.left, statement)
        return f"{name}: spent {money(state.spent, quantum)} {of}, {over} over"
    if by_forecast and state.forecast is not None and state.forecast.amount > limit:
        over = left(state.forecast.amount - limit, statement)
        amount = f"{money(state.forecast.amount, quantum)} ({interval(state.forecast, quantum)})"
        return f"{name}: forecast {amount} {of}, {over} over"
    return ""


def _plain(text: str) -> str:
    from tenantmetrics.report.text import visible

    return visible(text)
