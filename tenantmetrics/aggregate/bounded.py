"""The series of the open windows, in bounded memory.

Past `max_series` of them, calls of new keys fold into `__overflow__`: totals stay exact, and every
folded call is counted as `series_cap`.
"""

from __future__ import annotations

from tenantmetrics.health import Health, Loss
from tenantmetrics.records import OVERFLOW, Series, SeriesKey, Source

__all__ = ["BoundedSeries"]

_OVERFLOW_SERIES = 256
"""Series that keep operation and outcome for folded calls; beyond, one series takes all the rest.
Operations and error codes are few, clusters and databases need not be."""


class BoundedSeries:
    """Makes the series of all open windows, and counts them.

    Args:
        max_series: Series kept in all open windows together.
        health: Where folded calls are counted.
    """

    def __init__(self, max_series: int, health: Health) -> None:
        self._max_series = max_series
        self._health = health
        self._count = 0

    def series(self, window: dict[SeriesKey, Series], key: SeriesKey) -> Series:
        """The series of a key in a window; past the bound, the one that it folds into.

        Args:
            window: The window's series.
            key: The key of a call that is to be added.
        """
        series = window.get(key)
        if series is None:
            if self._count >= self._max_series:
                key = self._overflow_key(key)
                series = window.get(key)
            if series is None:
                series = window[key] = Series()
                self._count += 1
        return series

    def clear(self) -> None:
        """Start anew: the windows were closed."""
        self._count = 0

    def _overflow_key(self, key: SeriesKey) -> SeriesKey:
        self._health.count(Loss.SERIES_CAP, where="aggregate")
        if self._count >= self._max_series + _OVERFLOW_SERIES:
            return SeriesKey(OVERFLOW, "", "", Source.UNATTRIBUTED, "", "")
        return key._replace(tenant=OVERFLOW, source=Source.UNATTRIBUTED)
