"""How many decimals amounts have: those of the currency's coins, and more where coins say little.

A bill is in coins, because AWS asks for nothing less. An estimate is so, too, as long as the
tenants that make nine tenths of the tenants' cost have at least ten coins each: then rounding
changes none of them by more than a tenth. Where they have less, amounts are in hundredths of a
coin, then in hundredths of that, down to a millionth. The steps are of two decimals, because in
half of the world "1.234" is more than a thousand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

__all__ = ["finer", "says_enough", "smallest_coin", "steps"]

_FINEST = Decimal("0.000001")
_STEP = Decimal("0.01")
_MATTER = Decimal("0.9")
"""The part of a sum whose amounts have to say something."""
_LEAST = 10
"""What each of those has at least, in the smallest amount: two digits."""


def smallest_coin(currency: str) -> Decimal:
    """The smallest coin of a currency: a cent of a dollar, a whole yen."""
    from babel.numbers import get_currency_precision  # noqa: PLC0415 - an extra, and slow to load

    return Decimal(1).scaleb(-get_currency_precision(currency))


def steps(coin: Decimal) -> Iterator[Decimal]:
    """What amounts may be multiples of, the coin first: 0.01, 0.0001, 0.000001.

    Args:
        coin: The currency's smallest.
    """
    quantum = coin
    yield quantum
    while quantum > _FINEST:
        quantum = max(quantum * _STEP, _FINEST)
        yield quantum


def says_enough(amounts: Sequence[Decimal], quantum: Decimal) -> bool:
    """Whether amounts tell who costs how much when they are multiples of a quantum.

    Args:
        amounts: In any order, at least 0 each.
        quantum: The smallest amount.

    Returns:
        Whether the largest of them, those that make nine tenths of their sum, have two digits each.
        False where all are zero.
    """
    needed, sum_so_far = sum(amounts) * _MATTER, Decimal(0)
    for amount in sorted(amounts, reverse=True):
        sum_so_far += amount
        if sum_so_far >= needed:
            return amount >= _LEAST * quantum
    return False


def finer(coin: Decimal, quantum: Decimal, than: Decimal) -> Decimal:
    """What amounts in another currency are multiples of.

    Args:
        coin: That currency's smallest.
        quantum: What they are multiples of in their own.
        than: Their own currency's coin.

    Returns:
        The coin, or as small a part of it as `quantum` is of `than`.
    """
    return coin if quantum >= than else max(coin * quantum / than, _FINEST)
