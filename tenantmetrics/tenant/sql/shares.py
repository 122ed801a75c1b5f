"""Shares of tenants: weights that belong together, reduced, and split over a batch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tenantmetrics.records import UNATTRIBUTED

__all__ = ["reduced", "split"]

_MAX_WEIGHT = 1_000_000


def reduced(shares: dict[str, int]) -> dict[str, int]:
    """The same proportions in the smallest weights."""
    if not shares or 1 in shares.values():
        return shares
    divisor = math.gcd(*shares.values())
    return {name: weight // divisor for name, weight in shares.items()} if divisor > 1 else shares


def split(answers: Sequence[Mapping[str, int]]) -> tuple[tuple[str, int], ...]:
    """Shares of a batch: every parameter set has the same weight, shared by its own tenants.

    Args:
        answers: Each set's tenants and weights, empty where a set names nobody.
    """
    if len(answers) == 1 and 0 < sum(answers[0].values()) <= _MAX_WEIGHT:
        return tuple(reduced(dict(answers[0])).items())
    totals = [sum(answer.values()) or 1 for answer in answers]
    common = math.lcm(*totals)
    common = min(common, _MAX_WEIGHT)
    shares: dict[str, int] = {}
    for answer, total in zip(answers, totals, strict=True):
        for tenant, weight in (answer or {UNATTRIBUTED: 1}).items():
            shares[tenant] = shares.get(tenant, 0) + max(weight * common // total, 1)
    return tuple(reduced(shares).items())
