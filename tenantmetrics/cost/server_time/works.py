"""What a call of each statement works, where the server does not say it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tenantmetrics.cost.server_time.overheads import WORK, ClusterOverhead
from tenantmetrics.cost.server_time.record import Segment
from tenantmetrics.servertime import OverheadSource, Work

__all__ = ["Residue", "by_group", "residues", "works"]


@dataclass(slots=True)
class Residue:
    """A statement's calls: how many, what they took beyond the overhead, and what they have of it.

    Attributes:
        calls: How many.
        rest_ns: Wall time less overhead.
        cold: Those of them that opened a connection.
        bytes_: Beyond those of calls without work.
    """

    calls: float = 0.0
    rest_ns: float = 0.0
    cold: float = 0.0
    bytes_: float = 0.0


def residues(segment: Segment, overhead: ClusterOverhead) -> dict[int, Residue]:
    """Wall time less overhead of the statements that do work, by fingerprint."""
    found: dict[int, Residue] = {}
    for key, sums in segment.parts.items():
        if key.kind not in WORK:
            continue
        calls = sums.moments.calls
        is_cold = key.kind.startswith("cold")
        mean = overhead.whole.mean_ns + overhead.offsets.get(key.writer_class, 0.0)
        mean += overhead.cold_ns if is_cold else 0.0
        size = sums.bytes_ - calls * overhead.workless_bytes
        residue = found.setdefault(key.fingerprint, Residue())
        residue.calls += calls
        residue.rest_ns += sums.moments.wall_ns - calls * mean - size * overhead.slope.ns_a_byte
        residue.cold += calls if is_cold else 0.0
        residue.bytes_ += size
    return found


def works(segment: Segment, overhead: ClusterOverhead) -> dict[int, tuple[float, Work]]:
    """Each statement's calls, and what one of them works, by fingerprint."""
    found = {}
    for statement, sums in residues(segment, overhead).items():
        if sums.calls <= 0:
            continue
        error = math.hypot(
            sums.cold / sums.calls * overhead.cold_error,
            sums.bytes_ / sums.calls * overhead.slope.error,
        )
        mean = overhead.whole.mean_ns + sums.rest_ns / sums.calls
        work = overhead.whole.work(mean, sums.calls, error)
        if overhead.whole.source is OverheadSource.STATEMENTS:
            # Whether any of them is a look-up is not known: the interval holds that none may be.
            work = work._replace(moved=1.0)
        found[statement] = sums.calls, work
    return found


def by_group(
    known: Mapping[int, tuple[float, Work]], groups: Mapping[int, int], others: int
) -> dict[int, Work]:
    """The same of groups of statements, a call of each by the mean of its statements'.

    Args:
        known: What `works` gave.
        groups: The group of a statement.
        others: The group of those that have none.
    """
    members: dict[int, list[tuple[float, Work]]] = {}
    for statement, counted in known.items():
        members.setdefault(groups.get(statement, others), []).append(counted)
    return {group: _mean(of_group) for group, of_group in members.items()}


def _mean(many: Iterable[tuple[float, Work]]) -> Work:
    known = list(many)
    calls = math.fsum(count for count, _ in known)
    return Work(
        math.fsum(count * work.server_ns for count, work in known) / calls,
        math.sqrt(math.fsum((count * work.error_ns) ** 2 for count, work in known)) / calls,
        math.fsum(count * work.moved for count, work in known) / calls,
    )
