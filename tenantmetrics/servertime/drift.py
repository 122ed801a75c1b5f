"""How a call's overhead moves within the hour.

A machine that is busy for some minutes, a network that is slow for some: calls in those minutes
take longer, whatever they work, and whoever calls just then would pay for it. The calls without
work of a stretch of time, a window or ten minutes, tell how far its overhead is from the hour's:

- `m`, the mean of a stretch's `n` calls without work, is the stretch's overhead give or take
  `s² / n`. `s²` is the variance of one call about its stretch's mean, pooled over the hour with
  `ENOUGH_CALLS` times that of all its calls: of a few calls it is too small by chance just where
  their means lie apart;
- how far the stretches' true means lie apart is `t²`, by DerSimonian and Laird over the hour, each
  writer's calls about that writer's own mean: with `N` a writer's calls in the hour and `d` the
  stretches less the writers,
  `t² = max(0, (Σ n (m - mean)² - (d + √(2 d)) s²) / Σ (N - Σ n² / N))`. The root is one standard
  error: what is so small may be chance;
- a stretch's overhead is the hour's and `t² / (t² + s² / n)` of `m - mean`: one of few calls
  without work is drawn to the hour, and one without any has the hour's;
- what that leaves unknown has the variance `t² s² / (t² n + s²)`.

Drawing to the hour wrongs no stretch on the average, given how far they lie apart: it is the
estimate of least squared error. Short stretches follow the overhead closely and have few calls
each; long ones have many. An hour gets those that leave less unknown: with `n` the calls of a mean
stretch, windows leave `t² s² / (t² n + s²)`, and ten minutes the same of theirs and what their
windows' `t²` is more than their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tenantmetrics.servertime.moments import ENOUGH_CALLS, Moments

__all__ = ["FEWEST_CALLS", "LONG_S", "Drift", "Stretches", "drift"]

LONG_S = 600
"""The longer stretches, seconds; six an hour."""
FEWEST_CALLS = 10
"""Calls without work in `LONG_S` below which little is told: the mean of ten is known to 20 %."""
_NS2_IN_US2 = 1_000_000


class Stretches(NamedTuple):
    """An hour's calls without work of one writer, and what is known of its stretches of time.

    Attributes:
        number: Stretches with any of these calls.
        calls2: The sum over them of their calls, squared.
        means_us2: The sum over them of their calls' wall time, squared, by the calls, in
            microseconds².
        moments: The hour's sums.
    """

    number: float = 0
    calls2: float = 0
    means_us2: float = 0
    moments: Moments = Moments()


class Drift(NamedTuple):
    """How an hour's stretches of time differ.

    Attributes:
        spread_ns2: The variance of their true mean overheads; 0 if chance explains it.
        noise_ns2: The variance of one call about its stretch's mean.
        number: How many tell it: those of all writers.
        calls: Calls without work in them.
        untold_ns2: The variance of their windows' overheads about theirs.
        length_s: How long they are; 0 for windows.
        begins: Whether operations without work are among the calls.
    """

    spread_ns2: float = 0.0
    noise_ns2: float = 0.0
    number: float = 0
    calls: float = 0
    untold_ns2: float = 0.0
    length_s: int = 0
    begins: bool = False

    @property
    def most_ns(self) -> float:
        """What a stretch's overhead is at the most above or below the hour's.

        By `Σ n (m - mean)² <= N t² + stretches s²`, the one for which it is most has `s² / t²`
        calls.
        """
        if not self.spread_ns2:
            return 0.0
        scatter = self.calls * self.spread_ns2 + self.number * self.noise_ns2
        return math.sqrt(scatter * self.spread_ns2 / self.noise_ns2) / 2

    @property
    def unknown_ns2(self) -> float:
        """The variance that is left of a mean stretch's overhead."""
        if not self.spread_ns2:
            return 0.0
        told = self.spread_ns2 * self.calls / self.number
        return self.untold_ns2 + self.spread_ns2 * self.noise_ns2 / (told + self.noise_ns2)


def drift(windows: Sequence[Stretches], longer: Sequence[Stretches] = ()) -> Drift:
    """How an hour's overhead moves.

    Args:
        windows: The windows of the hour; one a writer, or kind of calls without work.
        longer: The same of stretches of `LONG_S`; empty where windows are as long.

    Returns:
        Of the stretches that leave less unknown.
    """
    short, long = _of(windows), _of(longer)._replace(length_s=LONG_S)
    if long.spread_ns2 <= 0:
        return short
    long = long._replace(untold_ns2=max(0.0, short.spread_ns2 - long.spread_ns2))
    unknown_ns2 = short.unknown_ns2 if short.spread_ns2 else long.spread_ns2
    return long if long.unknown_ns2 < unknown_ns2 else short


def _of(writers: Iterable[Stretches]) -> Drift:
    known = [writer for writer in writers if writer.number and writer.moments.calls]
    number = math.fsum(writer.number for writer in known)
    calls = math.fsum(writer.moments.calls for writer in known)
    within = math.fsum(
        max(0.0, writer.moments.wall_us2 - writer.means_us2) * _NS2_IN_US2 for writer in known
    )
    found = Drift(0.0, 0.0, number, calls)
    if number <= len(known) or calls <= number or within <= 0:
        return found
    about_writers = math.fsum(
        writer.moments.variance_ns2 * (writer.moments.calls - 1) for writer in known
    )
    usual = about_writers / (calls - len(known))
    noise = (within + ENOUGH_CALLS * usual) / (calls - number + ENOUGH_CALLS)
    scatter = math.fsum(
        writer.means_us2 * _NS2_IN_US2 - writer.moments.wall_ns * writer.moments.mean_ns
        for writer in known
    )
    scale = math.fsum(
        writer.moments.calls - writer.calls2 / writer.moments.calls for writer in known
    )
    if scale <= 0:
        return found
    degrees = number - len(known)
    spread = max(0.0, (scatter - (degrees + math.sqrt(2 * degrees)) * noise) / scale)
    return found._replace(spread_ns2=spread, noise_ns2=noise)
