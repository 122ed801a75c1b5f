"""What pg_stat_statements says, joined with our statements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tenantmetrics.cost.server_time.overheads import ClusterOverhead
from tenantmetrics.cost.server_time.record import Segment
from tenantmetrics.cost.server_time.server import Ran
from tenantmetrics.cost.server_time.works import Residue, residues
from tenantmetrics.servertime import ENOUGH_CALLS, MISFIT, Verdict, metered
from tenantmetrics.servertime.load import Z

__all__ = ["MOST_MATCHED", "Matched", "match"]

MOST_MATCHED = 2_000
"""Statements that are divided one by one; the rest are divided as one."""

_TOLERANCE = 1.02
"""Executions above our calls that are put down to the borders of snapshots and windows."""
_ALIKE = 0.3
"""How far the time of others' executions of a statement may be from that of ours: a deviation."""
_MOST_SCALED = 1.25
"""Where the view has fewer executions than we made calls, its time is scaled up by no more."""


@dataclass(slots=True)
class Matched:
    """The view's time in one segment, parted.

    Attributes:
        factors: By fingerprint, what part of the view's time of it is the metered calls'.
        errors: The standard errors of those that others run too.
        rest_factor: The part of all other time that is.
        work_ns: Metered time of statements that do work, by fingerprint, over the segment.
        workless_ns: Metered time of those that do none.
        rest_ns: Metered time of our calls whose statement the view does not show.
        beyond_ns: What our calls that did not match caused beyond all of the view's rest: it is not
            in the view at all.
        unmetered_ns: What no metered call caused.
        strangers: The largest statements of the view that are none of ours: fingerprint and time.
        missing: Our statements that the view does not show: fingerprint and calls.
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

    @property
    def matched_ns(self) -> float:
        """The view's time that was joined with ours."""
        return math.fsum(self.work_ns.values()) + self.workless_ns


def match(
    segment: Segment, hours: Iterable[Mapping[int, Ran]], overhead: ClusterOverhead
) -> Matched:
    """Join the view's statements with ours.

    Args:
        segment: Our sums.
        hours: The view's, hour by hour.
        overhead: To tell how much of what did not match is ours.
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
    for statement, executed in sorted(view.items()):
        ours = [known[statement] for known in (work, workless) if statement in known]
        if not statement or not ours:
            unmatched_ns += executed.ns
            found.strangers.append((statement, executed.ns))
            continue
        # A batch is one call and as many executions as parameter sets, each writing a row or more.
        calls = sum(mine.moments.calls for mine in ours)
        most = max(calls, sum(mine.rows_written for mine in ours))
        factor = 1.0
        if executed.calls > most * _TOLERANCE + 2:
            factor, error = _shared(executed, most / executed.calls, rests.get(statement), overhead)
            found.errors[statement] = error
        elif executed.calls > most > 0:
            # Of an execution or two it cannot be told whether they are ours.
            found.errors[statement] = 1 - most / executed.calls
        elif 0 < executed.calls < calls:
            factor = min(_MOST_SCALED, calls / executed.calls)
        found.factors[statement] = factor
        unmatched_ns += executed.ns * max(0.0, 1 - factor)
        ns = executed.ns * factor
        if statement in work:
            # The same text may be counted as both, where a failed call counts as work.
            found.work_ns[statement] = ns
        else:
            found.workless_ns += ns
    found.strangers.sort(key=lambda item: (-item[1], item[0]))
    _rest(found, rests, overhead, unmatched_ns)
    return found


def _rest(
    found: Matched, known: Mapping[int, Residue], overhead: ClusterOverhead, unmatched_ns: float
) -> None:
    """Of the time that did not match, what our own calls that did not match account for."""
    rests = {True: Residue(), False: Residue()}
    for statement, residue in known.items():
        matched = statement in found.work_ns
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
    errors = mine.calls * math.hypot(overhead.whole.error_ns, MISFIT * overhead.whole.mean_ns)
    noise2 = (mine.calls * overhead.whole.variance_ns2 + errors**2) / ran.ns**2
    if guess <= 0 or noise2 <= 0:
        return part, guess
    known = 1 / guess**2 + 1 / noise2
    ours = (part / guess**2 + mine.rest_ns / ran.ns / noise2) / known
    return max(0.0, min(1.0, ours)), 1 / math.sqrt(known)
