"""A statement in another currency than its bill's, with totals that still add up.

The total is converted and rounded once, half to even, to the smallest coin of the currency asked
for. The pools are its parts, and each pool's lines are parts of the pool: exact products, rounded
by largest remainder, so no amount is a whole coin away from its exact value and every sum holds. A
statement in parts of a coin stays in such parts. Revenue and budgets are in the report's currency
as they stand in their file; what notes and details say of prices is in the bill's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from tenantmetrics.cost.allocate import apportion
from tenantmetrics.cost.precision import finer, smallest_coin
from tenantmetrics.cost.rates import Quote, exact, rate_of, read_rates
from tenantmetrics.cost.statement import ExchangeRate, Line, Pool, Statement
from tenantmetrics.errors import ReportError

__all__ = ["Conversion", "convert"]


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
    coin = smallest_coin(rate.currency)
    quantum = finer(coin, statement.quantum, smallest_coin(statement.currency))
    total = round(_times(statement.total, factor) / Fraction(quantum))
    parts = _Parts.of(
        [pool.amount for pool in statement.pools],
        [line.amounts for line in statement.lines],
        factor,
    )
    units, columns = parts.rounded(quantum, total)
    pools = tuple(
        replace(
            pool,
            amount=unit * quantum,
            listed=_converted(pool.listed, factor),
            contracted=_converted(pool.contracted, factor),
        )
        for pool, unit in zip(statement.pools, units, strict=True)
    )
    lines = tuple(
        replace(line, amounts=tuple(column[place] * quantum for column in columns))
        for place, line in enumerate(statement.lines)
    )
    if any(pool.other is not None for pool in statement.pools):
        pools, lines = _with_others(statement, pools, lines, factor, quantum)
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


class _Parts(NamedTuple):
    """Exact amounts in the new currency: of the pools, and of each pool's lines."""

    pools: list[Fraction]
    lines: list[list[Fraction]]

    @classmethod
    def of(
        cls, pools: Sequence[Decimal], lines: Sequence[Sequence[Decimal]], factor: Fraction
    ) -> _Parts:
        columns = [[_times(line[place], factor) for line in lines] for place in range(len(pools))]
        return cls([_times(amount, factor) for amount in pools], columns)

    def rounded(self, quantum: Decimal, total: int | None) -> tuple[list[int], list[list[int]]]:
        units = apportion(self.pools, quantum, total)
        columns = [
            apportion(column, quantum, whole)
            for column, whole in zip(self.lines, units, strict=True)
        ]
        return units, columns


def _with_others(
    statement: Statement,
    pools: tuple[Pool, ...],
    lines: tuple[Line, ...],
    factor: Fraction,
    quantum: Decimal,
) -> tuple[tuple[Pool, ...], tuple[Line, ...]]:
    """The same with what commitments counted the other way come to."""
    others = [pool.amount if pool.other is None else pool.other for pool in statement.pools]
    of_lines = [line.others or line.amounts for line in statement.lines]
    units, columns = _Parts.of(others, of_lines, factor).rounded(quantum, None)
    return (
        tuple(replace(pool, other=one * quantum) for pool, one in zip(pools, units, strict=True)),
        tuple(
            replace(line, others=tuple(column[place] * quantum for column in columns))
            for place, line in enumerate(lines)
        ),
    )


def _converted(amount: Decimal | None, factor: Fraction) -> Decimal | None:
    """What is not divided needs no rounding to coins."""
    if amount is None:
        return None
    product = _times(amount, factor)
    return Decimal(product.numerator) / Decimal(product.denominator)


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
