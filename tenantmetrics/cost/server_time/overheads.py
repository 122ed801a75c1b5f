"""The overhead of a call by cluster, hour and writer, from what the ledger holds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tenantmetrics import servertime
from tenantmetrics.servertime import (
    ENOUGH_CALLS,
    Drift,
    Moments,
    Overhead,
    OverheadSource,
    Slope,
)
from tenantmetrics.servertime.slope import Group

__all__ = [
    "FAILED",
    "WORK",
    "ClusterOverhead",
    "StatementKey",
    "StatementSums",
    "add_slope",
    "cluster_overhead",
]

_UNSURE = 0.1
"""How much lower the overhead may be, as a part of it, where no call without work tells it: what
the cheapest statements take (0.05 to some ms) against what a call takes (20 to 60)."""

WORK = frozenset({"work", "cold_work"})
"""Kinds of calls that do work. The others: `workless` statements and `begin`, operations such as
BEGIN and ROLLBACK, both with `cold_`, and those of `FAILED`."""
FAILED = frozenset({"failed", "cold_failed"})
"""Kinds of calls that PostgreSQL ended with an error. They may have worked for long, or not at all,
so they tell nothing of the overhead. `pg_stat_statements` counts none of them; every other source
does."""

_DRIFTS = 0.02
"""The deviation of an hour's stretches, as a part of the overhead, from which on each has its own:
what is less moves nobody by as much as kinds of calls differ (`MISFIT`)."""

_BEGIN = -1
"""Stands for all operations without work among statements."""
_RESTLESS = 4
"""Calls of a writer whose variance is more times that of the quietest count for less in a mean."""
_COMMIT = 0
"""The fingerprint of what has no text."""
_WORKLESS = -2
"""Stands for all statements without work."""


class StatementKey(NamedTuple):
    """What sums of the period are kept apart by, in one cluster."""

    writer_class: int
    fingerprint: int
    kind: str


@dataclass(slots=True)
class StatementSums:
    """Sums of one such part."""

    moments: Moments = field(default_factory=Moments)
    bytes_: float = 0.0
    rows_written: int = 0

    def plus(self, other: StatementSums) -> StatementSums:
        """The sums over both."""
        return StatementSums(
            self.moments.plus(other.moments),
            self.bytes_ + other.bytes_,
            self.rows_written + other.rows_written,
        )


@dataclass(slots=True)
class ClusterOverhead:
    """What a call to one cluster costs before the server does any work.

    Attributes:
        whole: Over all writers and hours.
        offsets: What a call costs more with a class of writers, nanoseconds.
        offset_errors: The standard errors of those.
        noises: The variance of one with them, in units of `whole.variance_ns2`.
        cold_ns: What opening a connection adds.
        cold_error: The standard error of that.
        cold_noise: The variance of a call that does, in units of one that does not.
        slope: What a byte adds.
        hours: Overhead of a call by hour, of the writers without an offset.
        centers: The mean of an hour's calls without work, the writers' offsets taken off.
        drifts: How it moves within an hour, of the hours in which it does.
        unmoved: The part of the calls in hours of which that is not told.
        workless_bytes: Bytes of a call without work.
        workless_ns: The mean of those calls; 0 if there are none.
    """

    whole: Overhead = field(default_factory=Overhead)
    offsets: dict[int, float] = field(default_factory=dict)
    offset_errors: dict[int, float] = field(default_factory=dict)
    noises: dict[int, float] = field(default_factory=dict)
    cold_ns: float = 0.0
    cold_error: float = 0.0
    cold_noise: float = 1.0
    slope: Slope = field(default_factory=Slope)
    hours: dict[int, float] = field(default_factory=dict)
    centers: dict[int, float] = field(default_factory=dict)
    drifts: dict[int, Drift] = field(default_factory=dict)
    unmoved: float = 0.0
    workless_bytes: float = 0.0
    workless_ns: float = 0.0

    def of(self, hour: int, writer_class: int, *, cold: bool) -> float:
        """Overhead of a call without bytes, nanoseconds."""
        usual = self.hours.get(hour, self.whole.mean_ns) - self.workless_bytes * (
            self.slope.ns_a_byte
        )
        return usual + self.offsets.get(writer_class, 0.0) + (self.cold_ns if cold else 0.0)


def cluster_overhead(
    parts: Mapping[StatementKey, StatementSums],
    workless_hours: Mapping[int, Mapping[int, Moments]],
    drifts: Mapping[int, Drift] | None = None,
) -> ClusterOverhead:
    """Work out a cluster's overhead, without what bytes add.

    Args:
        parts: The period's sums.
        workless_hours: Calls without work that opened no connection, by hour and class of writer.
        drifts: How the overhead moves within an hour, by hour.
    """
    sums: dict[int, dict[int, Moments]] = defaultdict(dict)
    workless_bytes = workless_calls = 0.0
    calls = math.fsum(part.moments.calls for key, part in parts.items() if key.kind == "workless")
    without = {"workless"} if calls >= ENOUGH_CALLS else {"workless", "begin"}
    for key, part in parts.items():
        if key.kind in without:
            statement = _WORKLESS
            workless_bytes += part.bytes_
            workless_calls += part.moments.calls
        elif key.kind in {"work", "begin"}:
            # What BEGIN takes is about the overhead: it counts as a cheap statement does.
            statement = key.fingerprint if key.kind == "work" else _BEGIN
        else:
            continue
        known = sums[key.writer_class].get(statement, Moments())
        sums[key.writer_class][statement] = known.plus(part.moments)
    found = ClusterOverhead()
    found.workless_bytes = workless_bytes / workless_calls if workless_calls else 0.0
    misfit = servertime.MISFIT if without == {"workless"} else servertime.OPERATIONS_MISFIT
    writers = servertime.offsets(sums, {_WORKLESS})
    _level(found, sums, writers, misfit=misfit)
    for writer, offset in writers.items():
        found.offsets[writer] = offset.ns
        found.offset_errors[writer] = offset.error_ns
        if found.whole.variance_ns2 and offset.variance_ns2:
            found.noises[writer] = offset.variance_ns2 / found.whole.variance_ns2
    _cold(found, parts)
    _hours(found, workless_hours)
    found.drifts = {
        hour: one
        for hour, one in (drifts or {}).items()
        if hour in found.centers and one.spread_ns2 > (_DRIFTS * found.whole.mean_ns) ** 2
    }
    return found


def _level(
    found: ClusterOverhead,
    sums: Mapping[int, Mapping[int, Moments]],
    writers: Mapping[int, servertime.Offset],
    *,
    misfit: float,
) -> None:
    """The overhead over all writers, their offsets taken off."""
    # What differs between writers is no noise, so it is taken off before anything is averaged.
    level: dict[int, Moments] = defaultdict(Moments)
    quietest = min((offset.variance_ns2 for offset in writers.values()), default=0.0)
    for writer, kinds in sums.items():
        shift, part = 0.0, 1.0
        if writer in writers:
            shift = writers[writer].ns
            part = min(1.0, _RESTLESS * quietest / writers[writer].variance_ns2)
        for statement, moments in kinds.items():
            level[statement] = level[statement].plus(moments.shifted(-shift).times(part))
    pooled = level.pop(_WORKLESS, Moments())
    if pooled.calls >= ENOUGH_CALLS:
        # BEGIN and COMMIT have their connection as SETs do: they tell nothing of other statements.
        for operation in (_BEGIN, _COMMIT):
            level.pop(operation, None)
    found.workless_ns = pooled.mean_ns
    found.whole = servertime.overhead(pooled, level.values(), misfit=misfit)
    if found.whole.source is OverheadSource.STATEMENTS:
        error = math.hypot(found.whole.error_ns, _UNSURE * found.whole.mean_ns)
        found.whole = found.whole._replace(error_ns=error)


def _cold(found: ClusterOverhead, parts: Mapping[StatementKey, StatementSums]) -> None:
    """What opening a connection adds: by workless calls, or by statements run both ways."""
    sums: dict[tuple[int, bool], Moments] = {}
    cold = warm = Moments()
    for key, part in parts.items():
        if key.kind in FAILED:
            continue
        shift = found.offsets.get(key.writer_class, 0.0)
        moments = part.moments.shifted(-shift)
        if key.kind == "workless":
            warm = warm.plus(moments)
        elif key.kind == "cold_workless":
            cold = cold.plus(moments)
        else:
            statement = key.fingerprint if key.kind in WORK else _BEGIN
            place = (statement, key.kind.startswith("cold"))
            sums[place] = sums.get(place, Moments()).plus(moments)
    pairs = [(cold, warm)] + [
        (moments, sums[statement, False])
        for (statement, is_cold), moments in sums.items()
        if is_cold and (statement, False) in sums
    ]
    weights = differences = 0.0
    spreads = []
    for colder, warmer in pairs:
        if colder.calls < 2 or warmer.calls < 2:  # noqa: PLR2004 - one call has no spread
            continue
        spread = max(colder.variance_ns2, found.whole.variance_ns2, 1.0)
        noise = spread / colder.calls + warmer.variance_ns2 / warmer.calls
        if noise <= 0:
            noise = 1.0
        weights += 1 / noise
        differences += (colder.mean_ns - warmer.mean_ns) / noise
        spreads.append((colder.calls, spread))
    if not weights:
        return
    found.cold_ns = max(0.0, differences / weights)
    found.cold_error = 1 / math.sqrt(weights)
    if found.whole.variance_ns2:
        calls = sum(count for count, _ in spreads)
        # A statement that works for long now and then has a spread that is its work's: what is
        # common to all is what the quiet ones say.
        mean = calls / sum(count / spread for count, spread in spreads)
        found.cold_noise = max(1.0, mean / found.whole.variance_ns2)


def _hours(found: ClusterOverhead, workless_hours: Mapping[int, Mapping[int, Moments]]) -> None:
    """Each hour's mean, drawn to the period's as far as chance explains the difference."""
    by_hour = {}
    for hour, classes in workless_hours.items():
        by_hour[hour] = _sum(
            moments.shifted(-found.offsets.get(number, 0.0)) for number, moments in classes.items()
        )
    if found.whole.source is not OverheadSource.WORKLESS:
        return
    # Hours differ as their calls without work do, whatever those take less than the others.
    usual = found.whole._replace(mean_ns=_sum(by_hour.values()).mean_ns)
    for hour, mean in servertime.by_writer(by_hour, usual).items():
        found.hours[hour] = found.whole.mean_ns + mean.mean_ns - usual.mean_ns
        found.centers[hour] = by_hour[hour].mean_ns


def add_slope(
    found: ClusterOverhead,
    parts: Mapping[StatementKey, StatementSums],
    server_ns: Mapping[int, float] | None,
) -> None:
    """Find out what bytes add.

    Args:
        found: The overhead without that.
        parts: Sums of statements.
        server_ns: Server time of the same calls by fingerprint, where the server tells it; else a
            bound is used.
    """
    whole: dict[int, StatementSums] = {}
    for key, part in parts.items():
        if key.kind not in {"work", "workless"}:
            continue
        if server_ns is None and key.kind == "workless":
            continue
        shift = found.offsets.get(key.writer_class, 0.0)
        moved = StatementSums(part.moments.shifted(-shift), part.bytes_, part.rows_written)
        whole[key.fingerprint] = whole.get(key.fingerprint, StatementSums()).plus(moved)
    groups = [
        Group(
            sums.moments.calls,
            sums.moments.wall_ns - (server_ns or {}).get(statement, 0.0),
            sums.bytes_,
            sums.rows_written,
        )
        for statement, sums in sorted(whole.items())
        if server_ns is None or statement in server_ns
    ]
    if server_ns is not None:
        found.slope = servertime.fit(groups, found.whole.variance_ns2)
    elif found.whole.source is OverheadSource.WORKLESS:
        found.slope = servertime.upper_bound(found.whole.mean_ns, found.workless_bytes, groups)


def _sum(many: Iterable[Moments]) -> Moments:
    total = Moments()
    for moments in many:
        total = total.plus(moments)
    return total
