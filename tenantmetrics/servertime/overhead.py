"""What a call costs before PostgreSQL does any work for it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

from tenantmetrics.servertime.level import Kind, Level, Work, level
from tenantmetrics.servertime.moments import ENOUGH_CALLS, Moments

__all__ = [
    "MISFIT",
    "OPERATIONS_MISFIT",
    "Overhead",
    "OverheadSource",
    "between",
    "by_writer",
    "overhead",
]

MISFIT = 0.05
"""How much of its mean one kind of call's overhead differs from another's, as a deviation. A SET in
a transaction has its connection; a look-up on its own waits for one, and its wall time holds bursts
in which the machine was busy. Between kinds of calls on a busy machine, 3 to 7 % were measured."""
OPERATIONS_MISFIT = 0.2
"""The same where nothing but BEGIN and ROLLBACK does no work: they are operations of their own."""
_WORK_MISFIT = 0.03
"""The same between one statement that works and another: their calls are alike."""
_LONG_MISFIT = 0.25
"""The same of statements that work longer than their overhead takes: on a busy machine whoever
works long is kept waiting longer too; 10 to 60 % were measured there, nothing on an idle one."""
_MOST_RESTLESS = 4.0
"""A kind's own spread counts up to so many times that of the quietest: the rest is its work's."""
_RARE_SPREAD = 1.2
"""One call's deviation, beside the mean of the cheaper half of all: 1.2 where they are log-normal
and the 99th percentile is four times the median."""
_MOST_KINDS = 50
"""Statements that the overhead is told by, the cheapest: longer ones say next to nothing of it."""
_MOST_RARE = 200
"""The same of statements that are called a few times each: none alone says much."""

_K = TypeVar("_K", bound=Hashable)


class OverheadSource(StrEnum):
    """What the overhead is known from, the best first."""

    WORKLESS = "workless"
    """Calls that do no work, enough of them."""
    FEW_WORKLESS = "few workless"
    """Calls that do no work, fewer than `ENOUGH_CALLS`: a mean with a large error."""
    STATEMENTS = "statements"
    """Statements that do work; the cheapest are taken for look-ups if they lie together."""
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
        level: All that it may be; None if it is unknown.
    """

    mean_ns: float = 0.0
    variance_ns2: float = 0.0
    error_ns: float = 0.0
    source: OverheadSource = OverheadSource.UNKNOWN
    level: Level | None = None

    def work(self, mean_ns: float, calls: float, error_ns: float = 0.0) -> Work:
        """What a call of a statement works.

        Args:
            mean_ns: The mean wall time of its calls, with nothing in it but overhead and work.
            calls: How many they are.
            error_ns: The standard error of what was taken off the mean.
        """
        if self.level is None or not calls:
            return Work(max(0.0, mean_ns - self.mean_ns), self.mean_ns, 1.0)
        error = math.hypot(math.sqrt(self.variance_ns2 / calls), error_ns)
        return self.level.work(_kind(mean_ns, error, self.mean_ns))


def overhead(
    workless: Moments, statements: Iterable[Moments] = (), *, misfit: float = MISFIT
) -> Overhead:
    """The overhead of a call, from the best that there is.

    Calls without work are another kind of calls than those with work, so their overhead may differ
    (`MISFIT`). Cheap statements tell by how much; `level` says how.

    Args:
        workless: The calls that do no work.
        statements: Those that do, one a statement.
        misfit: How far the overhead of calls without work may be from the others', as a part of it.
    """
    every = [statement for statement in statements if statement.calls >= 1]
    working = sorted(
        (statement for statement in every if statement.calls >= ENOUGH_CALLS), key=_at_most
    )[:_MOST_KINDS]
    rare = Moments()
    if not working and workless.calls < ENOUGH_CALLS:
        working, rare = _rare(every)
    if not working and not workless.calls:
        return Overhead()
    source = OverheadSource.STATEMENTS
    if workless.calls:
        enough = workless.calls >= ENOUGH_CALLS
        source = OverheadSource.WORKLESS if enough else OverheadSource.FEW_WORKLESS
    # One call has no spread, and of a skew distribution's few calls it is too small just when
    # their mean is: what most are known by is the spread of both.
    known = [
        statement for statement in (workless, *working[:1], rare) if statement.calls >= ENOUGH_CALLS
    ] or [workless]
    quietest = math.fsum(
        statement.calls * statement.variance_ns2 for statement in known
    ) / math.fsum(statement.calls for statement in known)
    if rare.calls:
        # The cheaper half of single calls lies closer together than all of them do.
        quietest = max(quietest, (_RARE_SPREAD * rare.mean_ns) ** 2)
    lowest = min(statement.mean_ns for statement in known)
    kinds = [
        # A writer's offset may be more than what its few calls took.
        _kind(
            max(1.0, statement.mean_ns),
            math.sqrt(_pooled(statement, quietest) / statement.calls),
            lowest,
        )
        for statement in working
    ]
    sure = []
    if workless.calls:
        error = math.sqrt(_pooled(workless, quietest) / workless.calls)
        sure.append(Kind(max(1.0, workless.mean_ns), error, misfit, works=False))
    found = level([*sure, *kinds], sure)
    # Noise is more often taken for too small than for too large: the larger of the two spreads.
    spread = max(known[0].variance_ns2, quietest) if rare.calls else known[0].variance_ns2
    near = [
        (statement, found.is_cheap(kind)) for statement, kind in zip(working, kinds, strict=True)
    ]
    return Overhead(found.mean_ns, _widest(spread, near), found.error_ns, source, found)


def _rare(statements: Sequence[Moments]) -> tuple[list[Moments], Moments]:
    """Where each statement is called a few times only, as those that people write are.

    Returns:
        Those called most, and the calls of the cheaper half of them, which tell the spread; nothing
        where all are fewer than enough for a mean.
    """
    most = sorted(statements, key=lambda statement: (-statement.calls, statement.mean_ns))
    most = most[:_MOST_RARE]
    whole = sum(one.calls for one in most)
    cheap = Moments()
    for statement in sorted(most, key=lambda statement: statement.mean_ns):
        if cheap.calls >= ENOUGH_CALLS and 2 * cheap.calls >= whole:
            break
        cheap = cheap.plus(statement)
    return (most, cheap) if cheap.calls >= ENOUGH_CALLS else ([], Moments())


def _kind(mean_ns: float, error_ns: float, overhead_ns: float) -> Kind:
    """A statement's calls: the longer they work, the less their overhead is like the others'.

    A look-up does not work for long, whatever its mean: it has the misfit of one.
    """
    # Without any overhead, as in a rehearsal, all that takes time is long.
    longer = mean_ns / overhead_ns - 1 if overhead_ns else float(mean_ns > 0)
    long = max(0.0, min(1.0, longer))
    at_most = _WORK_MISFIT + (_LONG_MISFIT - _WORK_MISFIT) * long
    return Kind(mean_ns, error_ns, _WORK_MISFIT, longer=at_most)


def _at_most(moments: Moments) -> float:
    """What a statement's mean is at the most: one of few calls is not the lowest by chance."""
    return moments.mean_ns + 2 * math.sqrt(moments.variance_ns2 / moments.calls)


def _pooled(moments: Moments, usual_ns2: float) -> float:
    """A kind's variance, drawn to the usual one as far as its calls are few."""
    calls = moments.calls + ENOUGH_CALLS
    own = (moments.calls * moments.variance_ns2 + ENOUGH_CALLS * usual_ns2) / calls
    return min(_MOST_RESTLESS * usual_ns2, own)


def _widest(variance_ns2: float, near: Iterable[tuple[Moments, float]]) -> float:
    """The variance of one call: that of calls with work is the larger, for they last longer.

    Args:
        variance_ns2: That of the calls known best.
        near: Statements, and how likely each works next to nothing.
    """
    weights = [(statement.calls * part, statement.variance_ns2) for statement, part in near]
    calls = math.fsum(weight for weight, _ in weights)
    if calls < 1:
        return variance_ns2
    return max(variance_ns2, math.fsum(weight * own for weight, own in weights) / calls)


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
    degrees = sum(statement.calls - 1 for statement in inside)
    if degrees > 0:
        # Within writers: what differs between them is not noise.
        variance = (
            sum(statement.variance_ns2 * (statement.calls - 1) for statement in inside) / degrees
        )
    known = [
        (moments.mean_ns, variance / moments.calls)
        for moments in workless.values()
        if moments.calls
    ]
    spread = between(known, whole.mean_ns)
    found = {}
    for writer, moments in workless.items():
        noise = variance / moments.calls if moments.calls else math.inf
        trust = spread / (spread + noise) if spread else 0.0
        mean = whole.mean_ns + trust * (moments.mean_ns - whole.mean_ns)
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
