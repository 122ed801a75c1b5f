"""How a call's overhead moves within the hour.

A machine that is busy for some minutes, a network that is slow for some: calls in those minutes
take longer, whatever they work, and whoever calls just then would pay for it. The calls without
work of a window tell how far its overhead is from the hour's:

- `m`, the mean of a window's `n` calls without work, is the window's overhead give or take
  `s² / n`, with `s²` the variance of one call about its window's mean;
- how far the windows' true means lie apart is `t²`, by DerSimonian and Laird over the hour's
  windows, each writer's about that writer's own mean: with `N` a writer's calls in the hour,
  `t² = max(0, (Σ n (m - mean)² - (windows - writers) s²) / Σ (N - Σ n² / N))`;
- a window's overhead is the hour's and `t² / (t² + s² / n) (m - mean)`: a window of few calls
  without work is drawn to the hour, and one without any has the hour's;
- what that leaves unknown has the variance `t² s² / (t² n + s²)`.

Drawing to the hour leaves no window wrong on the average, given the windows' spread: it is the
estimate with the least squared error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from tenantmetrics.servertime.moments import Moments

__all__ = ["Drift", "Windows", "drift"]

_NS2_IN_US2 = 1_000_000


class Windows(NamedTuple):
    """An hour's calls without work of one writer, and what is known of their windows.

    Attributes:
        moments: The hour's sums.
        windows: Windows with any of these calls.
        calls2: The sum of the windows' calls, squared.
        means_us2: The sum over windows of the calls' wall time, squared, by their number,
            microseconds².
    """

    moments: Moments = Moments()
    windows: float = 0
    calls2: float = 0
    means_us2: float = 0


class Drift(NamedTuple):
    """How an hour's windows differ.

    Attributes:
        spread_ns2: The variance of the windows' true mean overheads; 0 if chance explains it.
        noise_ns2: The variance of one call about its window's mean.
        windows: Windows that tell it: those of all writers.
        calls: Calls without work in them.
        begins: Whether operations without work are among these.
    """

    spread_ns2: float = 0.0
    noise_ns2: float = 0.0
    windows: float = 0
    calls: float = 0
    begins: bool = False

    @property
    def most_ns(self) -> float:
        """What a window's overhead is at the most above or below the hour's.

        By `Σ n (m - mean)² <= N t² + windows s²`, the window for which it is most is one of
        `s² / t²` calls.
        """
        if not self.spread_ns2:
            return 0.0
        scatter = self.calls * self.spread_ns2 + self.windows * self.noise_ns2
        return math.sqrt(scatter * self.spread_ns2 / self.noise_ns2) / 2


def drift(writers: Sequence[Windows]) -> Drift:
    """How the windows of an hour differ.

    Args:
        writers: One a writer, or kind of calls without work.
    """
    known = [writer for writer in writers if writer.windows and writer.moments.calls]
    windows = math.fsum(writer.windows for writer in known)
    calls = math.fsum(writer.moments.calls for writer in known)
    within = math.fsum(
        max(0.0, writer.moments.wall_us2 - writer.means_us2) * _NS2_IN_US2 for writer in known
    )
    found = Drift(0.0, 0.0, windows, calls)
    if windows <= len(known) or calls <= windows or within <= 0:
        return found
    noise = within / (calls - windows)
    scatter = math.fsum(
        writer.means_us2 * _NS2_IN_US2 - writer.moments.wall_ns * writer.moments.mean_ns
        for writer in known
    )
    scale = math.fsum(
        writer.moments.calls - writer.calls2 / writer.moments.calls for writer in known
    )
    if scale <= 0:
        return found
    spread = max(0.0, (scatter - (windows - len(known)) * noise) / scale)
    return found._replace(spread_ns2=spread, noise_ns2=noise)
