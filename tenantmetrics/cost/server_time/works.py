"""What a call of each statement works, where the server does not say it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tenantmetrics.cost.server_time.overheads import FAILED, WORK, ClusterOverhead
from tenantmetrics.cost.server_time.record import Segment
from tenantmetrics.servertime import ENOUGH_CALLS, OverheadSource, Work
from tenantmetrics.servertime.slope import BATCH, LARGE_BYTES

__all__ = ["Residue", "Worked", "by_group", "residues", "works"]

_BYTES_A_ROW = 30.0
"""Bytes that a parameter set has at the least, with its names and braces."""
_ROW_WORKS_NS = 30_000.0
"""What writing a row of a batch works; what the quickest batch takes beyond that is its way."""


_CLEAR = 6.0
"""Errors above the overhead from which on what a statement of few calls works is clear."""


class Worked(NamedTuple):
    """What a statement's calls work.

    Attributes:
        calls: How many.
        work: One of them.
        together: It was found together with that of other statements of few calls.
    """

    calls: float
    work: Work
    together: bool = False


@dataclass(slots=True)
class Residue:
    """A statement's calls: how many, what they took beyond the overhead, and what they have of it.

    Attributes:
        calls: How many.
        rest_ns: Wall time less overhead.
        cold: Those of them that opened a connection.
        bytes_: Beyond those of calls without work.
        rows_written: By them.
    """

    calls: float = 0.0
    rest_ns: float = 0.0
    cold: float = 0.0
    bytes_: float = 0.0
    rows_written: float = 0.0

    @property
    def is_batch(self) -> bool:
        """Whether its rows were sent one by one, as parameter sets; an UPDATE of many is not."""
        rows = self.rows_written
        return rows >= BATCH * self.calls > 0 and self.bytes_ >= _BYTES_A_ROW * rows

    def plus(self, other: Residue) -> Residue:
        """The sums over both."""
        return Residue(
            self.calls + other.calls,
            self.rest_ns + other.rest_ns,
            self.cold + other.cold,
            self.bytes_ + other.bytes_,
            self.rows_written + other.rows_written,
        )

    @property
    def is_plain(self) -> bool:
        """Whether a call's overhead is a usual one: no batch, and nothing large on its way."""
        return self.bytes_ < LARGE_BYTES * self.calls and self.rows_written < BATCH * self.calls


def residues(
    segment: Segment, overhead: ClusterOverhead, kinds: Collection[str] = WORK
) -> dict[int, Residue]:
    """Wall time less overhead of the statements of some kinds, by fingerprint."""
    found: dict[int, Residue] = {}
    for key, sums in segment.parts.items():
        if key.kind not in kinds:
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
        residue.rows_written += sums.rows_written
    return found


def works(segment: Segment, overhead: ClusterOverhead) -> dict[int, Worked]:
    """What each statement's calls work, by fingerprint; those that failed are one.

    Of a statement that is called a few times it cannot be told whether it is a look-up, and most
    are. Of a thousand of them that one takes for look-ups, what they work in sum would be lost:
    texts that people or reporting tools write are none. So they are one statement.
    """
    found = {}
    few: dict[int, Residue] = {}
    known = residues(segment, overhead, WORK | FAILED)
    batches = [sums for sums in known.values() if sums.is_batch]
    row_ns = min((sums.rest_ns / sums.rows_written for sums in batches), default=0.0)
    way_ns = max(0.0, row_ns - _ROW_WORKS_NS)
    for statement, sums in known.items():
        if sums.calls <= 0:
            continue
        noise_ns = math.sqrt(overhead.whole.variance_ns2 * sums.calls)
        if sums.calls < ENOUGH_CALLS and not sums.is_batch and sums.rest_ns < _CLEAR * noise_ns:
            few[statement] = sums
        else:
            found[statement] = Worked(sums.calls, _work(sums, overhead, way_ns))
    together = Residue()
    for sums in few.values():
        together = together.plus(sums)
    work = _work(together, overhead, 0.0) if few else Work(0.0, 0.0, 0.0)
    for statement, sums in few.items():
        # Their errors are one: together, statements with these have it.
        error_ns = work.error_ns * math.sqrt(together.calls / sums.calls)
        alike = work._replace(error_ns=error_ns)
        found[statement] = Worked(sums.calls, alike, together=len(few) > 1)
    return found


def _work(sums: Residue, overhead: ClusterOverhead, way_ns: float) -> Work:
    """What a call works, by what they took beyond the overhead.

    Args:
        sums: The calls.
        overhead: What a call costs.
        way_ns: What a row of a batch takes on its way.
    """
    rows = sums.rows_written / sums.calls if sums.is_batch else 0.0
    error = math.hypot(
        sums.cold / sums.calls * overhead.cold_error,
        sums.bytes_ / sums.calls * overhead.slope.error,
        rows * way_ns / 2,
    )
    mean = overhead.whole.mean_ns + sums.rest_ns / sums.calls - rows * way_ns
    work = overhead.whole.work(mean, sums.calls, error)
    if overhead.whole.source is OverheadSource.STATEMENTS:
        # Whether any of them is a look-up is not known: the interval holds that none may be.
        work = work._replace(moved=1.0)
    return work


def by_group(
    known: Mapping[int, Worked], groups: Mapping[int, int], others: int
) -> dict[int, Work]:
    """The same of groups of statements, a call of each by the mean of its statements'.

    Args:
        known: What `works` gave.
        groups: The group of a statement.
        others: The group of those that have none.
    """
    members: dict[int, list[Worked]] = {}
    for statement, worked in known.items():
        members.setdefault(groups.get(statement, others), []).append(worked)
    return {group: _mean(of_group) for group, of_group in members.items()}


def _mean(many: Iterable[Worked]) -> Work:
    known = list(many)
    calls = math.fsum(count for count, _, _ in known)
    return Work(
        math.fsum(count * work.server_ns for count, work, _ in known) / calls,
        math.sqrt(math.fsum((count * work.error_ns) ** 2 for count, work, _ in known)) / calls,
        math.fsum(count * work.moved for count, work, _ in known) / calls,
    )
