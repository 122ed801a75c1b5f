"""How much more a call of one writer costs than one of another.

Writers are in different places, on machines of different speed. What tells them apart are calls of
the same kind made by several of them: those without work, and cheap statements. A model of two
effects is fitted, `mean wall of a kind with a writer = the kind's + the writer's`, each cell by
what it is known to. A kind that works long counts little, since tenants differ in what they make
it do.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping
from typing import NamedTuple, TypeVar

from tenantmetrics.servertime.moments import ENOUGH_CALLS, Moments
from tenantmetrics.servertime.overhead import between

__all__ = ["Offset", "offsets"]

_ROUNDS = 30
"""Rounds of fitting one effect after the other; it settles in ten."""
_FEWEST = 2
"""Calls of a cell below which it has no spread."""
_CHEAP = 0.25
"""A kind whose mean is within so many deviations of the lowest tells a writer's spread."""

_W = TypeVar("_W", bound=Hashable)
_K = TypeVar("_K", bound=Hashable)


class Offset(NamedTuple):
    """One writer.

    Attributes:
        ns: What a call costs more than the mean call of all writers, nanoseconds.
        error_ns: The standard error of that.
        variance_ns2: The variance of one call's overhead; 0 if nothing tells it.
    """

    ns: float = 0.0
    error_ns: float = 0.0
    variance_ns2: float = 0.0


def offsets(
    sums: Mapping[_W, Mapping[_K, Moments]], workless: Collection[_K] = ()
) -> dict[_W, Offset]:
    """Fit each writer's offset, drawn to 0 as far as chance explains it.

    Args:
        sums: Calls by writer and kind of call: a statement, or all that do no work.
        workless: The kinds that do no work.

    Returns:
        One for each writer; together, weighted by their calls, they are 0. Empty for fewer than
        two writers: one differs from nobody.
    """
    cells = {
        (writer, kind): moments
        for writer, kinds in sums.items()
        for kind, moments in kinds.items()
        if moments.calls >= _FEWEST and moments.variance_ns2 > 0
    }
    writers = sorted({writer for writer, _ in cells}, key=repr)
    if len(writers) < 2:  # noqa: PLR2004 - one writer differs from nobody
        return {}
    # A few quick calls have a small spread by chance, and would count for too much.
    floors = _variances(cells, writers, workless)
    noises = {key: max(moments.variance_ns2, floors[key[0]]) for key, moments in cells.items()}
    kinds = sorted({kind for _, kind in cells}, key=repr)
    shifts = dict.fromkeys(writers, 0.0)
    known = _fit(cells, noises, kinds, shifts, workless)
    calls = {
        w: math.fsum(moments.calls for (of, _), moments in cells.items() if of == w)
        for w in writers
    }
    center = math.fsum(calls[w] * shifts[w] for w in writers) / math.fsum(calls.values())
    found = {w: (shifts[w] - center, 1 / known[w]) for w in writers if known[w] > 0}
    spread = between(found.values(), 0.0)
    result = {}
    for writer in writers:
        shift, noise = found.get(writer, (0.0, spread))
        trust = spread / (spread + noise) if spread else 0.0
        # A spread that few writers tell may be 0 by chance: it is taken for the noise at least.
        error2 = noise * max(spread, noise) / (noise + max(spread, noise)) if noise else 0.0
        result[writer] = Offset(trust * shift, math.sqrt(error2), floors[writer])
    return result


def _fit(
    cells: Mapping[tuple[_W, _K], Moments],
    noises: Mapping[tuple[_W, _K], float],
    kinds: Collection[_K],
    shifts: dict[_W, float],
    workless: Collection[_K],
) -> dict[_W, float]:
    """Alternate between the kinds' means and the writers' shifts; what each shift is known to."""
    known: dict[_W, float] = {}
    for _ in range(_ROUNDS):
        above = dict.fromkeys(kinds, 0.0)
        weights = dict.fromkeys(kinds, 0.0)
        for (writer, kind), moments in cells.items():
            weight = moments.calls / noises[writer, kind]
            weights[kind] += weight
            above[kind] += weight * (moments.mean_ns - shifts[writer])
        means = {kind: above[kind] / weights[kind] for kind in kinds}
        lowest = min(means.values())
        total = dict.fromkeys(shifts, 0.0)
        known = dict.fromkeys(shifts, 0.0)
        for (writer, kind), moments in cells.items():
            own = moments.calls / noises[writer, kind]
            others = weights[kind] - own
            if others <= 0:
                continue
            differs = 0.0 if kind in workless else (means[kind] - lowest) ** 2
            weight = 1 / (1 / own + 1 / others + differs)
            rest = (means[kind] * weights[kind] - own * (moments.mean_ns - shifts[writer])) / others
            total[writer] += weight * (moments.mean_ns - rest)
            known[writer] += weight
        for writer, weight in known.items():
            if weight:
                # Half the way: all move at once, and two would overtake each other.
                shifts[writer] = (shifts[writer] + total[writer] / weight) / 2
    return known


def _variances(
    cells: Mapping[tuple[_W, _K], Moments], writers: Collection[_W], workless: Collection[_K]
) -> dict[_W, float]:
    """The variance of each writer's cheap calls; of few, what it is in proportion to the others'.

    A writer that is far has a larger spread too: the deviation grows with the mean.
    """
    pooled: dict[_K, Moments] = {}
    for (_, kind), moments in cells.items():
        pooled[kind] = pooled.get(kind, Moments()).plus(moments)
    most = min(
        moments.mean_ns + (2 / math.sqrt(moments.calls) + _CHEAP) * math.sqrt(moments.variance_ns2)
        for moments in pooled.values()
    )
    cheap = {kind for kind, moments in pooled.items() if moments.mean_ns <= most} | set(workless)
    known = {key: moments for key, moments in cells.items() if key[1] in cheap}
    all_calls = math.fsum(group.calls for group in known.values())
    all_wall = math.fsum(moments.wall_ns for moments in known.values())
    squares = math.fsum(moments.calls * moments.mean_ns**2 for moments in known.values())
    relative = (
        math.fsum(moments.calls * moments.variance_ns2 for moments in known.values()) / squares
    )
    found = {}
    for writer in writers:
        mine = [moments for (of, _), moments in known.items() if of == writer]
        calls = math.fsum(moments.calls for moments in mine)
        wall = math.fsum(moments.wall_ns for moments in mine)
        mean = (wall + ENOUGH_CALLS * all_wall / all_calls) / (calls + ENOUGH_CALLS)
        own = math.fsum(moments.calls * moments.variance_ns2 for moments in mine)
        found[writer] = (own + ENOUGH_CALLS * relative * mean**2) / (calls + ENOUGH_CALLS)
    return found
