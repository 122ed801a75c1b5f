"""Amounts of which some may not be known, and those that cannot be."""

from __future__ import annotations

from decimal import Decimal

__all__ = ["is_possible", "plus"]

_DIGITS = 20
"""Before the point: what DuckDB's sums of a bill hold, and more than any bill has."""


def is_possible(amount: Decimal) -> bool:
    """Whether a number may be an amount, a quantity or a rate: finite, and no 1e400."""
    return amount.is_finite() and (not amount or amount.adjusted() < _DIGITS)


def plus(known: Decimal | None, more: Decimal | None) -> Decimal | None:
    """The sum of what is known; None where nothing is."""
    if known is None or more is None:
        return more if known is None else known
    return known + more
