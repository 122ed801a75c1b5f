"""Divide a group's server time among tenants."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from tenantmetrics.servertime.overhead import between

__all__ = ["Divided", "Part", "divide"]

_UPPER = 1.64
"""Standard errors from an estimate of a variance to an upper bound that holds 19 times of 20."""


class Part(NamedTuple):
    """One tenant's calls of the group.

    Attributes:
        calls: How many; in any unit, the same for all parts.
        rest_ns: Wall time less overhead, nanoseconds; may be negative.
        noise_ns2: The variance of that, nanoseconds².
    """

    calls: float
    rest_ns: float
    noise_ns2: float


class Divided(NamedTuple):
    """One tenant's server time in the group, nanoseconds, and the variance of its error."""

    server_ns: float
    variance_ns2: float


def divide(parts: Sequence[Part], total_ns: float | None = None) -> list[Divided]:
    """Divide a group's server time.

    Args:
        parts: One a tenant.
        total_ns: The group's server time by the server's own account. None where there is none: the
            residues' own sum, which may then be negative, and so may what a tenant is given. The
            caller sums groups up before it cuts at 0.

    Returns:
        In the order of the parts; adds up to the total.
    """
    calls = math.fsum(part.calls for part in parts)
    if not calls:
        return [Divided(0.0, 0.0) for _ in parts]
    rest = math.fsum(part.rest_ns for part in parts)
    whole = rest if total_ns is None else total_ns
    # One amount a call brings the residues to the total.
    surplus = (rest - whole) / calls
    mean = whole / calls
    means = [
        (rest_ns / count - surplus, noise_ns2 / (count * count))
        for count, rest_ns, noise_ns2 in parts
        if count > 0
    ]
    spread = between(means, mean)
    highest = _upper(means, mean, spread)
    found = []
    for count, rest_ns, noise_ns2 in parts:
        expected = count * mean
        apart = rest_ns - count * surplus - expected
        true_variance = count * count * spread
        known = true_variance + noise_ns2
        trust = true_variance / known if known > 0 else 0.0
        own = trust * trust * noise_ns2 * (1 - count / calls)
        hidden = (1 - trust) ** 2 * count * count * highest
        found.append(Divided(expected + trust * apart, own + hidden))
    return found if total_ns is None else _scaled(found, total_ns)


def _upper(means: Sequence[tuple[float, float]], center: float, spread: float) -> float:
    """An upper bound of the variance between tenants: what shrinking may hide."""
    weights = [1 / noise for _, noise in means if noise > 0]
    if len(weights) < 2:  # noqa: PLR2004 - one mean differs from nothing
        return 0.0
    total = math.fsum(weights)
    scale = total - math.fsum(weight * weight for weight in weights) / total
    if scale <= 0:
        return spread
    degrees = len(weights) - 1
    scatter = math.fsum((mean - center) ** 2 / noise for mean, noise in means if noise > 0)
    deviation = math.sqrt(2 * degrees + 4 * max(0.0, scatter - degrees))
    return max(spread, (scatter - degrees + _UPPER * deviation) / scale)


def _scaled(found: Sequence[Divided], total_ns: float) -> list[Divided]:
    """At least 0, and in sum the total; an estimate cut at 0 keeps its error."""
    kept = [max(0.0, item.server_ns) for item in found]
    total = math.fsum(kept)
    if total <= 0:
        return [Divided(total_ns / len(found), share.variance_ns2) for share in found]
    factor = total_ns / total
    return [
        Divided(amount * factor, share.variance_ns2)
        for amount, share in zip(kept, found, strict=True)
    ]
