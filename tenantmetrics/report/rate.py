"""The exchange rate of a converted statement, as documents hold it."""

from __future__ import annotations

from tenantmetrics.cost.statement import ExchangeRate
from tenantmetrics.report.text import guarded

__all__ = ["COLUMNS", "as_document", "cells"]

COLUMNS = ("billed_currency", "exchange_rate", "exchange_rate_date", "exchange_rate_source")
"""Columns of the CSV, where the statement was converted."""


def cells(rate: ExchangeRate) -> tuple[str, ...]:
    """The values of `COLUMNS`."""
    return rate.base, _rate(rate), rate.day.isoformat(), guarded(rate.source)


def as_document(rate: ExchangeRate | None) -> dict[str, str] | None:
    """The rate in JSON; None where nothing was converted."""
    if rate is None:
        return None
    return {
        "billed_currency": rate.base,
        "billed_total": f"{rate.total:f}",
        "rate": f"{rate.rate:f}",
        "from": rate.currency if rate.inverse else rate.base,
        "to": rate.base if rate.inverse else rate.currency,
        "date": rate.day.isoformat(),
        "source": rate.source,
    }


def _rate(rate: ExchangeRate) -> str:
    """With both currencies, because a rate may be written either way."""
    one, other = (rate.base, rate.currency)[:: -1 if rate.inverse else 1]
    return f"{rate.rate:f} {other}/{one}"
