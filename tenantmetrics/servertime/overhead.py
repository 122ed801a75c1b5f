"""What a call costs before PostgreSQL does any work for it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple, TypeVar

from tenantmetrics.servertime.moments import ENOUGH_CALLS, Moments

__all__ = ["Overhead", "OverheadSource", "between", "by_writer", "overhead"]

_K = TypeVar("_K", bound=Hashable)


class OverheadSource(StrEnum):
    """What the overhead is known from, the best first."""

    WORKLESS = "workless"
    """Calls that do no work, enough of them."""
    FEW_WORKLESS = "few workless"
    """Calls that do no work, fewer than `ENOUGH_CALLS`: a mean with a large error."""
    LOWEST_STATEMENT = "lowest statement"
    """The statement with the lowest mean: an upper bound, as if that one took no time at all."""
    UNKNOWN = "unknown"
    """Nothing: it is taken for 0."""


class Overhead(NamedTuple):
    """The overhead of one call.

    Attributes:
        mean_ns: Its mean, nanoseconds.
        variance_ns2: Its variance from call to call, nanoseconds².
        error_ns: The standard error of the mean, nanoseconds.
        source: What it is known from.
    """

    mean_ns: float = 0.0
    variance_ns2: float = 0.0
    error_ns: float = 0.0
    source: OverheadSource = OverheadSource.UNKNOWN


def overhead(workless: Moments, statements: Iterable[Moments] = ()) -> Overhead:
    """The overhead of a call, from the best that there is.

    Args:
        workless: The calls that do no work.
        statements: Those that do, one a statement; looked at where the workless are too few.
    """
    if workless.calls >= ENOUGH_CALLS:
        return _of(workless, OverheadSource.WORKLESS)
    enough = [one for one in statements if one.calls >= ENOUGH_CALLS]
    if not enough:
        few = OverheadSource.FEW_WORKLESS if workless.calls else OverheadSource.UNKNOWN
        return _of(workless, few)
    lowest = min(enough, key=lambda one: one.mean_ns)
    if workless.calls and workless.mean_ns <= lowest.mean_ns:
        # One call has no spread; the statement's is at least the overhead's.
        spread = workless.variance_ns2 or lowest.variance_ns2
        error = math.sqrt(max(spread, lowest.variance_ns2) / workless.calls)
        return Overhead(workless.mean_ns, spread, error, OverheadSource.FEW_WORKLESS)
    return _of(lowest, OverheadSource.LOWEST_STATEMENT)


def _of(moments: Moments, source: OverheadSource) -> Overhead:
    if not moments.calls:
        return Overhead()
    variance = moments.variance_ns2
    return Overhead(moments.mean_ns, variance, math.sqrt(variance / moments.calls), source)


def by_writer(workless: Mapping[_K, Moments], whole: Overhead) -> dict[_K, Overhead]:
    """Each writer's overhead: its own mean, drawn to the mean of all as far as chance explains it.

    Writers in two places differ truly, and keep their own. Of a thousand short-lived ones with
    three workless calls each, none can be told from the others, and all get the mean of all.

    Args:
        workless: Each writer's calls without work.
        whole: The overhead over all writers.
    """
    variance = whole.variance_ns2
    inside = [one for one in workless.values() if one.calls > 1]
    degrees = sum(one.calls - 1 for one in inside)
    if degrees > 0:
        # Within writers: what differs between them is not noise.
        variance = sum(one.variance_ns2 * (one.calls - 1) for one in inside) / degrees
    known = [(one.mean_ns, variance / one.calls) for one in workless.values() if one.calls]
    spread = between(known, whole.mean_ns)
    found = {}
    for writer, one in workless.items():
        noise = variance / one.calls if one.calls else math.inf
        trust = spread / (spread + noise) if spread else 0.0
        mean = whole.mean_ns + trust * (one.mean_ns - whole.mean_ns)
        own = trust * trust * (noise if trust else 0.0) + (1 - trust) ** 2 * spread
        error = math.sqrt(own + (1 - trust) ** 2 * whole.error_ns**2)
        found[writer] = Overhead(mean, variance, error, whole.source)
    return found


def between(means: Iterable[tuple[float, float]], center: float) -> float:
    """The variance of true means, from measured ones with known errors (DerSimonian and Laird).

    Args:
        means: (mean, variance of its error) pairs.
        center: The mean of all.
    """
    weights = [(mean, 1 / noise) for mean, noise in means if noise > 0]
    if len(weights) < 2:  # noqa: PLR2004 - one mean differs from nothing
        return 0.0
    total = math.fsum(weight for _, weight in weights)
    squares = math.fsum(weight * weight for _, weight in weights)
    scatter = math.fsum(weight * (mean - center) ** 2 for mean, weight in weights)
    scale = total - squares / total
    return max(0.0, (scatter - (len(weights) - 1)) / scale) if scale > 0 else 0.0
