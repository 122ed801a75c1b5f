"""How sure each tenant's share is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from tenantmetrics.servertime.load import Z

__all__ = ["Common", "Estimated", "intervals"]


class Estimated(NamedTuple):
    """One tenant's estimate.

    Attributes:
        server_ns: Its server time.
        variance_ns2: The variance of its own error, which no other tenant shares.
    """

    server_ns: float
    variance_ns2: float


class Common(NamedTuple):
    """An error that moves several tenants at once: of a writer's offset, of the price of a byte.

    Attributes:
        amounts: What of it each tenant has: calls with the writer, bytes; may be negative.
        error_ns: Its standard error, nanoseconds for one of these.
    """

    amounts: Sequence[float]
    error_ns: float


def intervals(
    estimates: Sequence[Estimated],
    common: Sequence[Common] = (),
    *,
    z: float = Z,
) -> list[tuple[float, float]]:
    """The 95 % interval of each tenant's share, as server time of the same total.

    With s a tenant's server time, S the sum and p = s / S, the delta method gives
    `S² var(p) = (1 - p)² v + p² (V - v) + Σ (n - p N)² e²`: v is its variance and V all tenants'.
    The sum is over what moves several at once: n is what the tenant has of it and N what all have,
    e its standard error.

    Args:
        estimates: One a tenant.
        common: What moves several tenants at once; amounts in the order of the estimates.
        z: Standard errors on each side.

    Returns:
        (lower, upper) in nanoseconds, from 0 to the sum, in the order of the estimates.
    """
    total = math.fsum(estimate.server_ns for estimate in estimates)
    if total <= 0:
        return [(0.0, 0.0) for _ in estimates]
    variance = math.fsum(estimate.variance_ns2 for estimate in estimates)
    wholes = [math.fsum(error.amounts) for error in common]
    found = []
    for number, estimate in enumerate(estimates):
        share = estimate.server_ns / total
        squared = (1 - share) ** 2 * estimate.variance_ns2 + share**2 * (
            variance - estimate.variance_ns2
        )
        for shared, whole in zip(common, wholes, strict=True):
            squared += ((shared.amounts[number] - share * whole) * shared.error_ns) ** 2
        half = z * math.sqrt(max(0.0, squared))
        found.append((max(0.0, estimate.server_ns - half), min(total, estimate.server_ns + half)))
    return found
