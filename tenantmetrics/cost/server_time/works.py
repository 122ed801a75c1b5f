"""What a call of each statement works, where the server does not say it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tenantmetrics.cost.server_time.overheads import WORK, ClusterOverhead
from tenantmetrics.cost.server_time.record import Segment
from tenantmetrics.servertime import OverheadSource, Work
from tenantmetrics.servertime.slope import BATCH, LARGE_BYTES

__all__ = ["Residue", "by_group", "residues", "works"]

_BYTES_A_ROW = 30.0
"""Bytes that a parameter set has at the least, with its names and braces."""
_ROW_WORKS_NS = 30_000.0
"""What writing a row of a batch works; what the quickest batch takes beyond that is its way."""


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

    @property
    def is_plain(self) -> bool:
        """Whether a call's overhead is a usual one: no batch, and nothing large on its way."""
        return self.bytes_ < LARGE_BYTES * self.calls and self.rows_written < BATCH * self.calls


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
        residue.rows_written += sums.rows_written
    return found


def works(segment: Segment, overhead: ClusterOverhead) -> dict[int, tuple[float, Work]]:
    """Each statement's calls, and what one of them works, by fingerprint."""
    found = {}
    known = residues(segment, overhead)
    batches = [sums for sums in known.values() if sums.is_batch]
    row_ns = min((sums.rest_ns / sums.rows_written for sums in batches), default=0.0)
    way_ns = max(0.0, row_ns - _ROW_WORKS_NS)
    for statement, sums in known.items():
        if sums.calls <= 0:
            continue
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
