"""One integer among several tenants by share, nothing lost and nothing made up."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["split"]


def split(amount: int, weights: Sequence[int], turn: int = 0) -> list[int]:
    """Divide an integer by weight; the parts are integers and sum to the amount.

    Each part is the exact quotient rounded down; what is left goes, one each, to the largest
    remainders (Hamilton's method). Equal remainders are served in an order that `turn` rotates, so
    that of many calls shared evenly each tenant gets its even share of the odd units.

    Args:
        amount: What is divided, at least 0.
        weights: Positive integers, one a tenant.
        turn: Which of several equal remainders is served first; a counter of calls.

    Returns:
        The parts, in the order of the weights.
    """
    total = sum(weights)
    parts = [amount * weight // total for weight in weights]
    left = amount - sum(parts)
    if left:
        n = len(weights)
        order = sorted(range(n), key=lambda i: (-(amount * weights[i] % total), (i - turn) % n))
        for i in order[:left]:
            parts[i] += 1
    return parts
