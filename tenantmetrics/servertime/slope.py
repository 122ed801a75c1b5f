"""How the overhead grows with the bytes sent and received."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["BATCH", "LARGE_BYTES", "Group", "Slope", "fit", "upper_bound"]

LARGE_BYTES = 16_384
"""Calls whose mean is so much above the workless calls' tell what bytes cost without the server's
own number; with smaller ones, what they cost is less than the rest of the overhead's spread."""

_MOST_NS = 400.0
"""No byte costs more: 2.5 MB a second. What looks so is something else that statements with larger
answers have, such as a longer wait."""

BATCH = 2
"""Rows written by a call from which on it may be a batch, whose rows take time on their way."""
_BYTES_A_CALL = 60_000
"""Bytes that cost as much as a call, at the least: 400 ns a byte beside a call of 24 ms, and more
where all is slow. On a machine with many times more work than processors, 1/48,000 was measured."""
_CLEARLY = 2.0
"""Times that price from which on a statement is taken to work for what it took."""
_USUAL = 0.25
"""What a byte costs of that price where no statement tells it, give or take as much."""

_SIGNIFICANT = 2.0
"""Standard errors that a slope must be above 0 to be believed."""


class Group(NamedTuple):
    """A statement's calls: how many, what they took, and their bytes; sums.

    Attributes:
        calls: How many.
        wall_ns: For `fit`, wall time less server time; for `upper_bound`, wall time.
        bytes_: Request and response bodies.
        rows_written: By them.
    """

    calls: float
    wall_ns: float
    bytes_: float
    rows_written: float = 0.0


class Slope(NamedTuple):
    """Nanoseconds a byte, the standard error, and whether it is an upper bound only."""

    ns_a_byte: float = 0.0
    error: float = 0.0
    is_bound: bool = False


def fit(groups: Iterable[Group], variance_ns2: float) -> Slope:
    """Least squares over groups whose overhead is known apart from the server's time.

    Args:
        groups: Statements with the server's own time taken off.
        variance_ns2: Variance of one call's overhead.

    Returns:
        The slope; 0 where it is more than a byte can cost, or not significantly above 0, which does
        not make it known to be 0, or where too few groups are there.
    """
    known = [group for group in groups if group.calls > 0]
    calls = math.fsum(group.calls for group in known)
    if len(known) < 3 or not calls:  # noqa: PLR2004 - two points always lie on a line
        return Slope()
    mean_bytes = math.fsum(group.bytes_ for group in known) / calls
    mean_ns = math.fsum(group.wall_ns for group in known) / calls
    spread = together = 0.0
    for group in known:
        away = group.bytes_ / group.calls - mean_bytes
        spread += group.calls * away * away
        together += group.calls * away * (group.wall_ns / group.calls - mean_ns)
    if spread <= 0:
        return Slope()
    slope = together / spread
    misfit = math.fsum(
        group.calls
        * (
            group.wall_ns / group.calls
            - mean_ns
            - slope * (group.bytes_ / group.calls - mean_bytes)
        )
        ** 2
        for group in known
    ) / (len(known) - 2)
    error = math.sqrt(max(variance_ns2, misfit) / spread)
    believed = _SIGNIFICANT * error < slope <= _MOST_NS
    return Slope(slope if believed else 0.0, min(error, _MOST_NS))


def upper_bound(overhead_ns: float, workless_bytes: float, groups: Sequence[Group]) -> Slope:
    """The most that a byte can cost: as if the statement that says least took no server time.

    Where even that statement took more than any byte costs, it works, as one that sorts what it
    answers does, and says nothing of the price. A batch says what its rows cost on their way.

    Args:
        overhead_ns: Mean overhead of a call without work.
        workless_bytes: Mean bytes of one.
        groups: Statements; those with large bodies are looked at.
    """
    large = [
        group
        for group in groups
        if group.calls > 0 and group.bytes_ / group.calls - workless_bytes >= LARGE_BYTES
    ]
    if not large:
        return Slope()
    bounds = {
        group: (group.wall_ns / group.calls - overhead_ns)
        / (group.bytes_ / group.calls - workless_bytes)
        for group in large
    }
    least = min(large, key=bounds.__getitem__)
    most = max(0.0, bounds[least])
    highest = overhead_ns / _BYTES_A_CALL
    if most > highest and least.rows_written < BATCH * least.calls:
        most = highest
        if bounds[least] > _CLEARLY * highest:
            return Slope(_USUAL * highest, _USUAL * highest, is_bound=True)
    # Anything from 0 on; mostly near it, as bodies that large take longer to send than to read.
    return Slope(most, most / 2, is_bound=True)
