"""The options of `report` that are about money: another currency, budgets, the forecast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["CurrencyOption", "RatesOption"]

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
