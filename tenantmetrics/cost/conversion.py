"""A statement in another currency than its bill's, with totals that still add up.

The total is converted and rounded once, half to even, to the smallest coin of the currency asked
for. The pools are its parts, and each pool's lines are parts of the pool: exact products, rounded
by largest remainder, so no amount is a whole coin away from its exact value and every sum holds. A
statement in millionths stays in millionths. Revenue and budgets are in the report's currency as
they stand in their file; what notes and details say of prices is in the bill's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from tenantmetrics.cost.allocate import apportion
from tenantmetrics.cost.rates import Quote, exact, rate_of, read_rates
from tenantmetrics.cost.statement import ExchangeRate, Statement
from tenantmetrics.errors import ReportError

__all__ = ["Conversion", "convert", "smallest_coin"]


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a statement is to be converted to, known before anything is summed up.

    Attributes:
        currency: ISO 4217 code; "" for the bill's own.
        quotes: The rate file's; none where there is no file.
    """

    currency: str = ""
    quotes: tuple[Quote, ...] = ()

    @classmethod
    def of(cls, currency: str | None, rates: str | os.PathLike[str] | None) -> Conversion:
        """Read what is needed.

        Args:
            currency: ISO 4217 code; the bill's own if None.
            rates: The rate file; not needed where the bill is in that currency.

        Raises:
            ReportError: The code is none, or the file cannot be read.
        """
        if currency is None:
            if rates is not None:
                raise ReportError("rates are given, and no currency to convert to").about(
                    "currency"
                )
            return cls()
        return cls(_known(currency), tuple(read_rates(rates)) if rates is not None else ())

    def apply(self, statement: Statement, now_s: float) -> Statement:
        """A statement in the currency that is asked for, by the rate of its month.

        Args:
            statement: In the bill's currency.
            now_s: Seconds since the epoch.

        Raises:
            ReportError: The file has no rate of that month.
        """
        if self.currency in {"", statement.currency}:
            return statement
        if not self.quotes:
            raise ReportError(
                f"the amounts are in {statement.currency}: a file of rates is needed for "
                f"{self.currency}"
            ).about("rates")
        rate = rate_of(self.quotes, statement.currency, self.currency, statement.period, now_s)
        return convert(statement, rate)


def convert(statement: Statement, rate: ExchangeRate) -> Statement:
    """A statement at a rate.

    Args:
        statement: In the rate's `base`.
        rate: What one unit of it is worth.

    Returns:
        A statement in the rate's `currency` that has passed its own check.

    Raises:
        UnbalancedError: The statement's lines do not add up.
    """
    factor = exact(rate)
    quantum = smallest_coin(rate.currency)
    if statement.quantum < smallest_coin(statement.currency):
        quantum = min(quantum, statement.quantum)
    total = round(_times(statement.total, factor) / Fraction(quantum))
    exact_pools = [_times(pool.amount, factor) for pool in statement.pools]
    units = apportion(exact_pools, quantum, total)
    columns = []
    for place, whole in enumerate(units):
        column = [_times(line.amounts[place], factor) for line in statement.lines]
        columns.append(apportion(column, quantum, whole))
    pools = tuple(
        replace(pool, amount=unit * quantum)
        for pool, unit in zip(statement.pools, units, strict=True)
    )
    lines = tuple(
        replace(line, amounts=tuple(column[place] * quantum for column in columns))
        for place, line in enumerate(statement.lines)
    )
    converted = replace(
        statement,
        currency=rate.currency,
        quantum=quantum,
        pools=pools,
        lines=lines,
        rate=replace(rate, total=statement.total),
    )
    converted.check()
    return converted


def smallest_coin(currency: str) -> Decimal:
    """The smallest coin of a currency: a cent of a dollar, a whole yen."""
    from babel.numbers import get_currency_precision  # noqa: PLC0415 - an extra, and slow to load

    return Decimal(1).scaleb(-get_currency_precision(currency))


def _times(amount: Decimal, factor: Fraction) -> Fraction:
    return Fraction(amount) * factor


def _known(currency: str) -> str:
    from babel.numbers import list_currencies  # noqa: PLC0415 - an extra, and slow to load

    codes: Sequence[str] = sorted(list_currencies())
    if (code := currency.strip().upper()) in codes:
        return code
    raise ReportError(f"currency {currency!r} is unknown: write its code, such as EUR").about(
        "currency"
    )
