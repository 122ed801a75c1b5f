"""The options of `report` that are about money: another currency, budgets, the forecast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantmetrics.cli.over_budget import FailOver

__all__ = ["CurrencyOption", "FailOverBudget", "ForecastOption", "RatesOption"]

CurrencyOption = Annotated[
    str | None,
    typer.Option("--currency", help="Convert to this currency, such as EUR. [default: the bill's]"),
]

RatesOption = Annotated[
    Path | None,
    typer.Option(
        "--rates", help="Exchange rates: CSV of date, from, to, rate, source; or TOML of the same."
    ),
]

ForecastOption = Annotated[
    bool,
    typer.Option(
        "--forecast", help="Forecast a month that is not over; with budgets it is always."
    ),
]

FailOverBudget = Annotated[
    FailOver | None,
    typer.Option(
        "--fail-over-budget",
        help="Exit with 3 where a budget of --tenants is over: by what was spent, which needs no "
        "value, or by the forecast, too.",
    ),
]
