"""What a call costs before PostgreSQL does any work for it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

from tenantmetrics.servertime.moments import ENOUGH_CALLS, Moments

__all__ = [
    "LOOK_UP_NS",
    "MISFIT",
    "OPERATIONS_MISFIT",
    "Overhead",
    "OverheadSource",
    "between",
    "by_writer",
    "overhead",
]

LOOK_UP_NS = 500_000.0
"""How near a cheap statement's mean is to the overhead beyond chance: an indexed look-up runs for
0.05 ms from memory, and for 1 ms with a join or two."""
MISFIT = 0.05
"""How much of its mean one kind of call's overhead differs from another's, as a deviation. A SET in
a transaction has its connection; a look-up on its own waits for one, and its wall time holds bursts
in which the machine was busy. Between kinds of calls on a busy machine, 3 to 7 % were measured."""
OPERATIONS_MISFIT = 0.2
"""The same where nothing but BEGIN and ROLLBACK does no work: they are operations of their own."""
_APART = 2.0
"""Standard errors from which on two means contradict each other."""
_DOUBT = 0.25
"""A cheapest statement that is apart by no more than this part of the overhead may be a look-up
whose overhead is larger, or a statement of some milliseconds: the record cannot tell which."""
_MANY_CALLS = 10 * ENOUGH_CALLS
"""From so many calls on, their own spread tells their mean's error. A skew distribution's spread is
too small in small samples just when its mean is."""

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
        error_ns: The standard error of the mean, nanoseconds; of other kinds of calls than it was
            measured by too.
        source: What it is known from.
    """

    mean_ns: float = 0.0
    variance_ns2: float = 0.0
    error_ns: float = 0.0
    source: OverheadSource = OverheadSource.UNKNOWN


def overhead(
    workless: Moments, statements: Iterable[Moments] = (), *, misfit: float = MISFIT
) -> Overhead:
    """The overhead of a call, from the best that there is.

    Calls without work are another kind of calls than those with work, so their overhead may differ
    (`MISFIT`). Cheap statements tell by how much: their means are the overhead and a look-up's
    time. Those that do not contradict what is known so far each count by what they are known to.

    Args:
        workless: The calls that do no work.
        statements: Those that do, one a statement.
        misfit: How far the overhead of calls without work may be from the others', as a part of it.
    """
    cheapest = sorted(
        (statement for statement in statements if statement.calls >= ENOUGH_CALLS), key=_at_most
    )
    if workless.calls >= ENOUGH_CALLS:
        known = _of(workless, OverheadSource.WORKLESS, misfit)
        if cheapest and workless.calls < _MANY_CALLS:
            spread = max(known.variance_ns2, cheapest[0].variance_ns2)
            error = math.hypot(math.sqrt(spread / workless.calls), misfit * workless.mean_ns)
            known = known._replace(error_ns=error)
    elif not cheapest:
        few = OverheadSource.FEW_WORKLESS if workless.calls else OverheadSource.UNKNOWN
        return _of(workless, few, misfit)
    elif workless.calls and workless.mean_ns <= cheapest[0].mean_ns:
        # One call has no spread; the statement's is at least the overhead's.
        spread = max(workless.variance_ns2, cheapest[0].variance_ns2)
        error = math.hypot(math.sqrt(spread / workless.calls), misfit * workless.mean_ns)
        known = Overhead(workless.mean_ns, spread, error, OverheadSource.FEW_WORKLESS)
    else:
        known = _of(cheapest[0], OverheadSource.LOWEST_STATEMENT)
        cheapest = cheapest[1:]
    near = []
    for one in cheapest:
        closer = _with_cheap(known, one)
        if closer is not None:
            known = closer
            near.append(one)
    apart = cheapest[0].mean_ns - known.mean_ns if cheapest and not near else 0.0
    if 0 < apart <= _DOUBT * known.mean_ns and known.source is not OverheadSource.LOWEST_STATEMENT:
        error = max(known.error_ns, apart / 2)
        known = known._replace(mean_ns=known.mean_ns + apart / 2, error_ns=error)
    return known._replace(variance_ns2=_widest(known.variance_ns2, near))


def _at_most(moments: Moments) -> float:
    """What a statement's mean is at the most: one of few calls is not the lowest by chance."""
    return moments.mean_ns + _APART * math.sqrt(moments.variance_ns2 / moments.calls)


def _with_cheap(known: Overhead, cheap: Moments) -> Overhead | None:
    """What is known, and a cheap statement's mean, each by its precision; None if they disagree."""
    own = known.error_ns**2
    noise = cheap.variance_ns2 / cheap.calls + LOOK_UP_NS**2
    if known.source is OverheadSource.LOWEST_STATEMENT:
        # Two statements of the same sort: either may have met the busy minutes.
        noise += (MISFIT * cheap.mean_ns) ** 2
    apart = cheap.mean_ns - known.mean_ns
    if own <= 0 or abs(apart) > _APART * math.sqrt(noise + own):
        return None
    mean = known.mean_ns + own / (own + noise) * apart
    return known._replace(mean_ns=mean, error_ns=math.sqrt(own * noise / (own + noise)))


def _widest(variance_ns2: float, near: Sequence[Moments]) -> float:
    """The variance of one call: that of calls with work is the larger, for they last longer."""
    calls = math.fsum(one.calls for one in near)
    if not calls:
        return variance_ns2
    return max(variance_ns2, math.fsum(one.calls * one.variance_ns2 for one in near) / calls)


def _of(moments: Moments, source: OverheadSource, misfit: float = MISFIT) -> Overhead:
    if not moments.calls:
        return Overhead()
    variance = moments.variance_ns2
    error = math.hypot(math.sqrt(variance / moments.calls), misfit * moments.mean_ns)
    return Overhead(moments.mean_ns, variance, error, source)


def by_writer(workless: Mapping[_K, Moments], whole: Overhead) -> dict[_K, Overhead]:
    """Each writer's overhead: its own mean, drawn to the mean of all as far as chance explains it.

    Writers in two places differ truly, and keep their own. Of a thousand short-lived ones with
    three workless calls each, none can be told from the others, and all get the mean of all.

    Args:
        workless: Each writer's calls without work.
        whole: The overhead over all writers.
    """
    variance = whole.variance_ns2
    inside = [kind for kind in workless.values() if kind.calls > 1]
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
