"""Amounts beside a statement's own: in coins, whatever its costs are in.

A small estimate has more decimals than coins do. What tenants pay and what was budgeted has not:
those have more only where they would be zero in coins.
"""

from __future__ import annotations

from decimal import Decimal

from tenantmetrics.cost.precision import smallest_coin
from tenantmetrics.cost.statement import Statement
from tenantmetrics.report.text import money

__all__ = ["coin_of", "decimals_note", "given", "is_whole", "left"]


def given(amount: Decimal, statement: Statement) -> str:
    """An amount that somebody gave, such as revenue: in coins, or exact where it has parts of one.

    Args:
        amount: Which.
        statement: What it stands beside.
    """
    if is_whole(amount, statement):
        return money(amount, coin_of(statement))
    return f"{amount.normalize():,f}"


def is_whole(amount: Decimal, statement: Statement) -> bool:
    """Whether an amount has no parts of a coin."""
    return amount == amount.quantize(coin_of(statement))


def left(amount: Decimal, statement: Statement) -> str:
    """What is left of such an amount after costs: in coins where it has any.

    Args:
        amount: Which.
        statement: Whose costs.
    """
    coin = coin_of(statement)
    return money(amount, coin if abs(amount) >= coin else statement.quantum)


def decimals_note(quantum: Decimal, currency: str) -> str:
    """Why amounts have more decimals than their currency; "" where they have not.

    Args:
        quantum: The smallest amount.
        currency: ISO 4217 code.
    """
    coin = smallest_coin(currency)
    if quantum >= coin:
        return ""
    decimals = -int(quantum.as_tuple().exponent)
    return f"Amounts have {decimals} decimals: in steps of {coin} {currency} they would say little."


def coin_of(statement: Statement) -> Decimal:
    """The smallest amount that is paid: the currency's coin, or the statement's own if larger."""
    return max(statement.quantum, smallest_coin(statement.currency))
