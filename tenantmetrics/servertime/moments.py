"""Calls, their wall time and its squares: all that a mean and its error need."""

from __future__ import annotations

from typing import NamedTuple, Self

__all__ = ["ENOUGH_CALLS", "Moments"]

ENOUGH_CALLS = 30
"""From so many calls on, a mean is used as it is. The overhead's spread is about its mean, so the
mean of 30 is known to some 15 %, and its error is near enough to normally distributed."""

_NS2_IN_US2 = 1_000_000


class Moments(NamedTuple):
    """Sums over calls.

    Attributes:
        calls: How many.
        wall_ns: Their wall time less waits between attempts, nanoseconds.
        wall_us2: The sum of its squares, microseconds².
    """

    calls: float = 0
    wall_ns: float = 0
    wall_us2: float = 0

    def plus(self, other: Self) -> Moments:
        """The sums over both."""
        return Moments(
            self.calls + other.calls,
            self.wall_ns + other.wall_ns,
            self.wall_us2 + other.wall_us2,
        )

    def times(self, part: float) -> Moments:
        """A part of the sums."""
        return Moments(self.calls * part, self.wall_ns * part, self.wall_us2 * part)

    def shifted(self, ns: float) -> Moments:
        """The sums if each call had taken so much more; of fractions of calls too."""
        wall_us, us = self.wall_ns / 1_000, ns / 1_000
        return Moments(
            self.calls,
            self.wall_ns + self.calls * ns,
            self.wall_us2 + 2 * us * wall_us + self.calls * us * us,
        )

    @property
    def mean_ns(self) -> float:
        """Mean wall time of a call, nanoseconds; 0 without calls."""
        return self.wall_ns / self.calls if self.calls else 0.0

    @property
    def variance_ns2(self) -> float:
        """Variance of one call's wall time, nanoseconds²; 0 of fewer than two calls."""
        if self.calls < 2:  # noqa: PLR2004 - one call has no spread
            return 0.0
        spread = self.wall_us2 * _NS2_IN_US2 - self.wall_ns * self.mean_ns
        return max(0.0, spread / (self.calls - 1))
