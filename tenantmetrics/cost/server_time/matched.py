"""What pg_stat_statements says, joined with our statements."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tenantmetrics.cost.server_time.overheads import ClusterOverhead, StatementSums
from tenantmetrics.cost.server_time.record import Segment
from tenantmetrics.cost.server_time.server import Ran
from tenantmetrics.cost.server_time.works import Residue, residues
from tenantmetrics.servertime import ENOUGH_CALLS, MISFIT, OverheadSource, Verdict, metered
from tenantmetrics.servertime.load import Z

__all__ = ["MOST_MATCHED", "Matched", "match"]

MOST_MATCHED = 2_000
"""Statements that are divided one by one; the rest are divided as one."""

_TOLERANCE = 1.02
"""Executions above our calls that are put down to the borders of snapshots and windows."""
_ALIKE = 0.3
"""How far the time of others' executions of a statement may be from that of ours: a deviation."""
_MOST_SCALED = 1.25
"""Where the view has fewer executions than we made calls, its time is scaled up, to so much without
a question; where it has fewer than that, the calls' own time says how many were executed."""


@dataclass(slots=True)
class Matched:
    """The view's time in one segment, parted.

    Attributes:
        factors: By fingerprint, what part of the view's time of it is the metered calls'.
        errors: The standard errors of those that others run too, or that were not all counted.
        rest_factor: The part of all other time that is.
        work_ns: Metered time of statements that do work, by fingerprint, over the segment.
        workless_ns: Metered time of those that do none.
        rest_ns: Metered time of our calls whose statement the view does not show.
        beyond_ns: What our calls that did not match caused beyond all of the view's rest: it is not
            in the view at all.
        unmetered_ns: What no metered call caused.
        strangers: The largest statements of the view that are none of ours: fingerprint and time.
        missing: Our statements that the view does not show: fingerprint and calls.
        ours: Our calls of the plain statements that matched, by the record.
        ours_ns: Their time by the view.
        failing: By fingerprint, the part of our calls that failed, where some did.
        uncounted: Our calls above the executions that the view has of their statements.
        beyond: Executions of our statements that do work above the calls that we made of them.
        too_long: Our calls of statements of which it says more time than they took.
        verdict: What the record says of the time that did not match.
    """

    factors: dict[int, float] = field(default_factory=dict)
    errors: dict[int, float] = field(default_factory=dict)
    rest_factor: float = 0.0
    work_ns: dict[int, float] = field(default_factory=dict)
    workless_ns: float = 0.0
    rest_ns: float = 0.0
    beyond_ns: float = 0.0
    unmetered_ns: float = 0.0
    strangers: list[tuple[int, float]] = field(default_factory=list)
    missing: list[tuple[int, float]] = field(default_factory=list)
    ours: Residue = field(default_factory=Residue)
    ours_ns: float = 0.0
    failing: dict[int, float] = field(default_factory=dict)
    uncounted: float = 0.0
    beyond: float = 0.0
    too_long: float = 0.0
    verdict: Verdict = Verdict.AGREE

    def of_hour(self, ran: Mapping[int, Ran], share: float) -> tuple[float, float]:
        """Metered and unmetered time of one of the segment's hours, nanoseconds.

        Args:
            ran: What the view says of the hour.
            share: The hour's part of the segment's calls.
        """
        mine = total = self.beyond_ns * share
        for statement, executed in ran.items():
            factor = self.factors.get(statement)
            # What goes beyond ours of a statement that is ours belongs to the rest.
            known = executed.ns * max(1.0, factor or 0.0)
            part = executed.ns * (factor or 0.0)
            mine += part + (known - part) * self.rest_factor
            total += known
        return mine, total - mine

    def doubted_ns(self, overhead: ClusterOverhead, most: float) -> float | None:
        """The time of the statements that match, if the record says far more; None if not.

        Args:
            overhead: How well the record knows it.
            most: Times that time from which on it is far more.
        """
        if overhead.whole.source is not OverheadSource.WORKLESS:
            return None
        noise = math.sqrt(_noise2(self.ours, overhead))
        apart = self.ours.rest_ns - self.ours_ns
        if self.ours.rest_ns > most * self.ours_ns and apart > Z * noise:
            return math.fsum(self.work_ns.values())
        return None

    @property
    def matched_ns(self) -> float:
        """The view's time that was joined with ours."""
        return math.fsum(self.work_ns.values()) + self.workless_ns


def match(
    segment: Segment,
    hours: Iterable[Mapping[int, Ran]],
    overhead: ClusterOverhead,
    failed: Callable[[], float] = float,
) -> Matched:
    """Join the view's statements with ours.

    Args:
        segment: Our sums.
        hours: The view's, hour by hour.
        overhead: To tell how much of what did not match is ours.
        failed: Asks how many calls the database refused: the view has counted none of them.
    """
    view: dict[int, Ran] = {}
    for ran in hours:
        for statement, executed in ran.items():
            known = view.setdefault(statement, Ran())
            known.calls += executed.calls
            known.ns += executed.ns
    found = Matched()
    work, workless = segment.by_statement(), segment.workless()
    rests = residues(segment, overhead)
    unmatched_ns = 0.0
    uncounted = _uncounted(view, (work, workless), failed)
    for statement, executed in sorted(view.items()):
        ours = [known[statement] for known in (work, workless) if statement in known]
        if not statement or not ours:
            unmatched_ns += executed.ns
            found.strangers.append((statement, executed.ns))
            continue
        factor = _factor(
            found, statement, executed, ours, uncounted, rests.get(statement), overhead
        )
        found.factors[statement] = factor
        unmatched_ns += executed.ns * max(0.0, 1 - factor)
        ns = executed.ns * factor
        if statement in work:
            # The same text may be counted as both, where a failed call counts as work.
            found.work_ns[statement] = ns
            found.beyond += max(0.0, executed.calls - _executions(ours)[1])
        else:
            found.workless_ns += ns
    found.strangers.sort(key=lambda item: (-item[1], item[0]))
    _rest(found, rests, overhead, unmatched_ns)
    return found


def _uncounted(
    view: Mapping[int, Ran],
    ours: Sequence[Mapping[int, StatementSums]],
    failed: Callable[[], float],
) -> float:
    """Of the executions that the view lacks, the part that did run: those of no failed call."""
    lacking = 0.0
    for statement, executed in view.items():
        calls = sum(known[statement].moments.calls for known in ours if statement in known)
        lacking += max(0.0, calls - executed.calls) if executed.calls else 0.0
    return 1 - min(1.0, failed() / lacking) if lacking >= 1 else 1.0


def _factor(  # noqa: PLR0917 - one thing each
    found: Matched,
    statement: int,
    executed: Ran,
    ours: Sequence[StatementSums],
    uncounted: float,
    rest: Residue | None,
    overhead: ClusterOverhead,
) -> float:
    """What part of the view's time of a statement is ours; above 1 where it lacks executions."""
    calls, most = _executions(ours)
    factor = 1.0
    if executed.calls > most * _TOLERANCE + 2:
        factor, found.errors[statement] = _shared(executed, most / executed.calls, rest, overhead)
    elif executed.calls > most > 0:
        # Of an execution or two it cannot be told whether they are ours.
        found.errors[statement] = 1 - most / executed.calls
    elif 0 < executed.calls < calls:
        lacking, made = uncounted * (calls - executed.calls), calls
        calls = executed.calls + lacking
        factor = calls / executed.calls
        found.uncounted += lacking
        if calls < made:
            found.failing[statement] = (made - calls) / made
        if factor > _MOST_SCALED:
            factor, found.errors[statement] = _executed(executed, calls, rest, overhead)
    wall_ns = math.fsum(mine.moments.wall_ns for mine in ours)
    if executed.ns * factor > wall_ns * _TOLERANCE:
        # No call works for longer than it takes: the rest is others', or of another time.
        found.too_long += calls
        factor = wall_ns / executed.ns
    return factor


def _executions(ours: Sequence[StatementSums]) -> tuple[float, float]:
    """How many calls of a statement there were, and how many executions they are at the most."""
    calls = sum(mine.moments.calls for mine in ours)
    # A batch is one call and as many executions as parameter sets, each writing a row or more.
    return calls, max(calls, sum(mine.rows_written for mine in ours))


def _rest(
    found: Matched, known: Mapping[int, Residue], overhead: ClusterOverhead, unmatched_ns: float
) -> None:
    """Of the time that did not match, what our own calls that did not match account for."""
    rests = {True: Residue(), False: Residue()}
    for statement, residue in known.items():
        matched = statement in found.work_ns
        if matched and residue.is_plain:
            found.ours.rest_ns += residue.rest_ns
            found.ours.calls += residue.calls
            found.ours_ns += found.work_ns[statement]
        rests[matched].rest_ns += residue.rest_ns
        rests[matched].calls += residue.calls
        if not matched:
            found.missing.append((statement, residue.calls))
    mine, others = rests[False], rests[True]
    found.unmetered_ns = unmatched_ns
    if not mine.calls:
        return
    error = overhead.whole.error_ns
    if others.calls >= ENOUGH_CALLS:
        # What the view says of the others tells the overhead better than calls without work do.
        surplus = (others.rest_ns - math.fsum(found.work_ns.values())) / others.calls
        mine.rest_ns -= mine.calls * surplus
        error = math.sqrt(overhead.whole.variance_ns2 / others.calls)
    noise = math.sqrt(mine.calls * overhead.whole.variance_ns2 + (mine.calls * error) ** 2)
    if mine.rest_ns <= Z * noise:
        # No more than chance: nothing of it is known to be ours.
        return
    parted = metered(unmatched_ns, mine.rest_ns, noise)
    found.verdict = parted.verdict
    found.rest_ns, found.unmetered_ns = parted.metered_ns, parted.unmetered_ns
    if unmatched_ns > 0:
        found.rest_factor = found.rest_ns / unmatched_ns
    if parted.verdict is Verdict.BELOW:
        found.beyond_ns = mine.rest_ns - unmatched_ns


def _executed(
    ran: Ran, calls: float, mine: Residue | None, overhead: ClusterOverhead
) -> tuple[float, float]:
    """How many times the view's time of a statement is ours, and the error of that.

    Executions that were not counted (statements pushed out, another instance that became the
    writer, statistics of part of the time) took what the others did, or not quite. What the calls
    took beyond the overhead tells, as far as it is known.
    """
    guess = calls / ran.calls
    spread = _ALIKE * (guess - 1)
    if mine is None or not mine.calls or ran.ns <= 0:
        return guess, spread
    noise2 = _noise2(mine, overhead) / ran.ns**2
    known = 1 / spread**2 + 1 / max(noise2, 1e-12)
    ours = (guess / spread**2 + mine.rest_ns / ran.ns / max(noise2, 1e-12)) / known
    return max(1.0, ours), 1 / math.sqrt(known)


def _noise2(mine: Residue, overhead: ClusterOverhead) -> float:
    """The variance of what calls took beyond the overhead, nanoseconds²."""
    error = mine.calls * math.hypot(overhead.whole.error_ns, MISFIT * overhead.whole.mean_ns)
    return mine.calls * overhead.whole.variance_ns2 + error**2


def _shared(
    ran: Ran, part: float, mine: Residue | None, overhead: ClusterOverhead
) -> tuple[float, float]:
    """What part of a statement's time is ours, where others run it too, and the error of that.

    By executions, as if theirs took what ours take; and by what our calls took beyond the overhead.
    Each counts by what it is known to.
    """
    guess = _ALIKE * (1 - part)
    if mine is None or not mine.calls or ran.ns <= 0:
        return part, guess
    noise2 = _noise2(mine, overhead) / ran.ns**2
    if guess <= 0 or noise2 <= 0:
        return part, guess
    known = 1 / guess**2 + 1 / noise2
    ours = (part / guess**2 + mine.rest_ns / ran.ns / noise2) / known
    return max(0.0, min(1.0, ours)), 1 / math.sqrt(known)
