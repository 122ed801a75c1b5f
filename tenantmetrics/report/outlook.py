"""Budgets and forecasts as texts, the same in every format; their JSON and their rows in CSV."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tenantmetrics.cost.budget_model import MONTH_OVER, BudgetState, Forecast, Outlook
from tenantmetrics.cost.statement import Statement
from tenantmetrics.report.coins import given, left
from tenantmetrics.report.text import guarded, money, percent

__all__ = [
    "COLUMNS",
    "as_document",
    "cells",
    "forecast_sentence",
    "interval",
    "remarks",
    "rows",
    "sentence",
    "used",
]

COLUMNS = (
    "budget_scope", "budget_of", "budget", "budget_spent", "budget_left", "budget_status",
    "forecast", "forecast_low", "forecast_high", "forecast_days",
)  # fmt: skip
"""Columns of the CSV, where there are budgets or a forecast."""


def used(state: BudgetState) -> str:
    """The part of a budget that was spent: "80.0 %"; of a budget of nothing there is none."""
    return "" if state.used is None else percent(state.used)


def interval(forecast: Forecast, quantum: Decimal) -> str:
    """A forecast's 95 % interval: "90.00 to 120.00"."""
    return f"{money(forecast.low, quantum)} to {money(forecast.high, quantum)}"


def sentence(state: BudgetState, statement: Statement) -> str:
    """How one budget stands."""
    quantum, budget = statement.quantum, state.budget
    of = f"{money(state.spent, quantum)} of {given(budget.amount, statement)} {statement.currency}"
    part = f" ({used(state)})" if used(state) else ""
    words = f"{budget.scope} {budget.name}: {of} spent{part}, {state.status}"
    if state.left < 0:
        words += f" by {left(-state.left, statement)}"
    if state.forecast is not None:
        forecast = money(state.forecast.amount, quantum)
        words += f"; forecast {forecast} ({interval(state.forecast, quantum)})"
    return words


def forecast_sentence(statement: Statement) -> str:
    """What the whole bill will be; "" where that is not known."""
    outlook = statement.outlook
    if outlook is None or outlook.total is None:
        return ""
    total = outlook.total
    return (
        f"Forecast for the month: {money(total.amount, statement.quantum)} {statement.currency} "
        f"(95 %: {interval(total, statement.quantum)}), from {total.basis}."
    )


def remarks(outlook: Outlook) -> list[str]:
    """What is not known, each reason once, and the notes."""
    whose: dict[str, list[str]] = {}
    if outlook.total is None:
        whose.setdefault(outlook.unknown, []).append("the month")
    for state in outlook.budgets:
        if state.forecast is None and state.unknown != outlook.unknown:
            whose.setdefault(state.unknown, []).append(state.budget.name)
    said = [
        f"No forecast of {_some(names)}: {why}."
        for why, names in whose.items()
        if why not in {"", MONTH_OVER}
    ]
    return [*said, *outlook.notes]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""  # noqa: PLR2004
    return ", ".join(names[:5]) + more


def as_document(outlook: Outlook | None) -> dict[str, Any] | None:
    """Budgets and forecasts in JSON; None where there are none."""
    if outlook is None:
        return None
    return {
        "forecast": _forecast(outlook.total),
        "forecast_unknown": outlook.unknown,
        "budgets": [
            {
                "scope": state.budget.scope,
                "name": state.budget.name,
                "tenant": state.budget.tenant,
                "groups": dict(state.budget.groups),
                "pool": state.budget.pool,
                "amount": f"{state.budget.amount:f}",
                "spent": f"{state.spent:f}",
                "left": f"{state.left:f}",
                "status": str(state.status),
                "forecast": _forecast(state.forecast),
                "forecast_unknown": state.unknown,
            }
            for state in outlook.budgets
        ],
        "notes": list(outlook.notes),
    }


def _forecast(forecast: Forecast | None) -> dict[str, Any] | None:
    if forecast is None:
        return None
    return {
        "amount": f"{forecast.amount:f}",
        "low": f"{forecast.low:f}",
        "high": f"{forecast.high:f}",
        "days": forecast.days,
        "months": list(forecast.months),
    }


def rows(outlook: Outlook) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Kind and values of `COLUMNS` of the rows that the CSV has after the lines."""
    if outlook.total is not None:
        yield "forecast", ("total", "everything", "", "", "", "", *cells(outlook.total))
    for state in outlook.budgets:
        budget = state.budget
        yield (
            "budget",
            (
                budget.scope, guarded(budget.name), f"{budget.amount:f}", f"{state.spent:f}",
                f"{state.left:f}", str(state.status), *cells(state.forecast),
            ),
        )  # fmt: skip


def cells(forecast: Forecast | None) -> tuple[str, str, str, str]:
    """A forecast's amount, interval and days; empty where it is not known."""
    if forecast is None:
        return "", "", "", ""
    return (
        f"{forecast.amount:f}", f"{forecast.low:f}", f"{forecast.high:f}", str(forecast.days),
    )  # fmt: skip
