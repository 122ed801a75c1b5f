"""Amounts of which some may not be known, and those that cannot be."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["number_of", "plus"]

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?", re.ASCII)

_DIGITS = 20
"""Before the point: what DuckDB's sums of a bill hold, and more than any bill has."""


def number_of(text: str) -> Decimal | None:
    """A text as a number.

    Returns:
        None for what is none, for what means two things (1,234), and for what no amount, quantity
        or rate can be: one without an end, or 1e400.
    """
    if not _PLAIN.fullmatch(text):
        return None
    value = Decimal(text)
    return value if value.is_finite() and (not value or value.adjusted() < _DIGITS) else None


def plus(known: Decimal | None, more: Decimal | None) -> Decimal | None:
    """The sum of what is known; None where nothing is."""
    if known is None or more is None:
        return more if known is None else known
    return known + more
