"""Amounts of which some may not be known."""

from __future__ import annotations

from decimal import Decimal

__all__ = ["plus"]


def plus(known: Decimal | None, more: Decimal | None) -> Decimal | None:
    """The sum of what is known; None where nothing is."""
    if known is None or more is None:
        return more if known is None else known
    return known + more
