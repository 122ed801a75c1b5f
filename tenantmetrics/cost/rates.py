"""Exchange rates: a dated file of them, and the one that a month is converted by.

The rate of a month is the one of its last day, or of today while the month is not over. Where that
day has none, the last one before it counts, if it is at most a week older: central banks publish on
working days. A file that has nothing so recent is refused; no rate is guessed, crossed or averaged.
"""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from tenantmetrics.cost.cells import Cell, read_rows
from tenantmetrics.cost.period import zone
from tenantmetrics.cost.statement import ExchangeRate, Period
from tenantmetrics.errors import ReportError, why_unreadable

__all__ = ["MOST_DAYS", "Quote", "exact", "rate_of", "read_rates"]

MOST_DAYS = 7
"""How much older than its day a rate may be: the European Central Bank's longest pause, over Easter
or Christmas, is five days (its calendar of euro foreign exchange reference rates)."""

_PathLike = str | os.PathLike[str]
_COLUMNS = ("date", "from", "to", "rate")


@dataclass(frozen=True, slots=True)
class Quote:
    """One line of a rate file.

    Attributes:
        day: Which day's rate it is.
        base: The currency that one unit is of.
        quoted: The currency that the rate is in.
        rate: How much of `quoted` one unit of `base` is worth.
        source: Who says so; the file's name where it does not say.
    """

    day: date
    base: str
    quoted: str
    rate: Decimal
    source: str


def read_rates(path: _PathLike) -> list[Quote]:
    """Read a rate file: CSV, or TOML where the name ends in `.toml`.

    CSV has the columns `date`, `from`, `to`, `rate` and perhaps `source`; TOML has a table
    `[[rates]]` with the same, and perhaps one `source` for all at its top.

    Raises:
        ReportError: The file cannot be read, or a value is missing, twice there or impossible;
            names file, row and column.
    """
    name = os.fspath(path)
    rows = _toml(name) if name.lower().endswith(".toml") else read_rows(path, _COLUMNS, ("source",))
    quotes: dict[tuple[date, str, str], Quote] = {}
    for row in rows:
        quote = _quote(row, Path(name).name)
        key = (quote.day, quote.base, quote.quoted)
        if key in quotes:
            raise row["date"].duplicate(f"rate from {quote.base} to {quote.quoted} of")
        quotes[key] = quote
    if not quotes:
        raise ReportError(f"{name!r} holds no rate").about("rates")
    return list(quotes.values())


def rate_of(
    quotes: Sequence[Quote], base: str, wanted: str, period: Period, now_s: float
) -> ExchangeRate:
    """The rate that a period is converted by.

    Args:
        quotes: The file's.
        base: The currency of the bill.
        wanted: The currency that is asked for.
        period: Which; its last day's rate counts.
        now_s: Seconds since the epoch: of a period that is not over, the day's rate counts.

    Raises:
        ReportError: There is no rate between the two, or none of the week up to that day.
    """
    last_s = min(period.end_s - 1, max(now_s, period.start_s))
    day = datetime.fromtimestamp(last_s, UTC).astimezone(zone(period.timezone)).date()
    pair = {base, wanted}
    between = [quote for quote in quotes if {quote.base, quote.quoted} == pair]
    if not between:
        others = sorted({f"{quote.base} to {quote.quoted}" for quote in quotes})
        raise ReportError(
            f"the rate file has no rate from {base} to {wanted}, nor back; it has "
            f"{', '.join(others[:5])}{' and more' if len(others) > 5 else ''}"  # noqa: PLR2004
        ).about("rates", "currency")
    # Of the same day, the rate in the direction that is asked for.
    known = [quote for quote in between if quote.day <= day]
    if not known:
        first = min(quote.day for quote in between)
        raise ReportError(
            f"the rate file has no rate from {base} to {wanted} of {day} or the {MOST_DAYS} days "
            f"before it: its first is of {first}"
        ).about("rates")
    best = max(known, key=lambda quote: (quote.day, quote.base == base))
    if (day - best.day).days > MOST_DAYS:
        raise ReportError(
            f"the rate from {base} to {wanted} is stale: the last one up to {day} is of "
            f"{best.day}, and it may be {MOST_DAYS} days older at most"
        ).about("rates")
    return ExchangeRate(base, wanted, best.rate, best.day, best.source, inverse=best.base != base)


def exact(rate: ExchangeRate) -> Fraction:
    """How much of the wanted currency one unit of the bill's is worth, exactly."""
    return 1 / Fraction(rate.rate) if rate.inverse else Fraction(rate.rate)


def _day(cell: Cell) -> date:
    """A date in ISO form; Python takes 20261130 and 2026-W48-1, too."""
    text = cell.text.strip()
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        with contextlib.suppress(ValueError):
            return date.fromisoformat(text)
    raise cell.wrong("a date such as 2026-11-30")


def _quote(row: dict[str, Cell], file: str) -> Quote:
    codes = []
    for column in ("from", "to"):
        code = row[column].text.strip()
        if not re.fullmatch("[A-Z]{3}", code):
            raise row[column].wrong("a currency's code such as USD")
        codes.append(code)
    if codes[0] == codes[1]:
        raise row["to"].wrong("another currency than the one it is from")
    rate = row["rate"].number("a rate above 0, such as 0.8612")
    if rate <= 0:
        raise row["rate"].wrong("a rate above 0, such as 0.8612")
    source = row["source"].text.strip() if "source" in row else ""
    return Quote(_day(row["date"]), codes[0], codes[1], rate, source or file)


def _toml(name: str) -> Iterator[dict[str, Cell]]:
    """The rows of a TOML file, as those of a CSV."""
    try:
        # A number stays the text that it is written as: 0.1 is no binary fraction.
        data: dict[str, Any] = tomllib.loads(Path(name).read_text("utf-8"), parse_float=str)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = why_unreadable(error)
        raise ReportError(f"{name!r} cannot be read: {why}").about("rates") from None
    rows = data.get("rates")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ReportError(f"{name!r} has no table [[rates]]").about("rates")
    for number, row in enumerate(rows, start=1):
        if missing := [column for column in _COLUMNS if column not in row]:
            raise ReportError(f"{name!r} rate {number}: {missing[0]!r} is missing").about("rates")
        values = {"source": data.get("source", ""), **row}
        yield {key: Cell(name, number, key, str(value)) for key, value in values.items()}
