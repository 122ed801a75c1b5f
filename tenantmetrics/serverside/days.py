"""Whole UTC days, hour by hour: what the sources that AWS keeps are read by.

A day is read whole, or up to the last hour that is over, and written as one file in the place of an
earlier one: reading it again adds the hours that have passed since, and counts nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from tenantmetrics.errors import ServerLoadError

__all__ = ["HOUR_S", "Day", "days"]

HOUR_S = 3_600
_SETTLED_S = 300
"""AWS has an hour's values a few minutes after its end."""


class Day(NamedTuple):
    """The hours of a day that are over.

    Attributes:
        start_s: Midnight UTC, seconds since the epoch.
        end_s: The end of its last hour that is over.
    """

    start_s: int
    end_s: int

    @property
    def label(self) -> str:
        """The date."""
        return f"{datetime.fromtimestamp(self.start_s, UTC):%Y-%m-%d}"


def days(since: date, until: date, now_s: float) -> list[Day]:
    """The days of a period that have an hour which is over.

    Args:
        since: The first.
        until: The last.
        now_s: Seconds since the epoch.

    Raises:
        ServerLoadError: There is none.
    """
    found = list(_days(since, until, int(now_s)))
    if not found:
        raise ServerLoadError(f"no hour is over yet of {since:%Y-%m-%d} to {until:%Y-%m-%d}")
    return found


def _days(since: date, until: date, now_s: int) -> Iterator[Day]:
    last_s = (now_s - _SETTLED_S) // HOUR_S * HOUR_S
    for number in range((until - since).days + 1):
        midnight = datetime.combine(since + timedelta(days=number), datetime.min.time(), UTC)
        start_s = int(midnight.timestamp())
        end_s = min(start_s + 24 * HOUR_S, last_s)
        if start_s < end_s:
            yield Day(start_s, end_s)
