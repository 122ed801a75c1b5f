"""Calls summed into per-tenant windows of wall-clock minutes, in bounded memory.

Past `max_series` series in the open windows, calls of new keys fold into `__overflow__`: totals
stay exact, and every folded call is counted as `series_cap`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tenantmetrics.aggregate.split import split
from tenantmetrics.health import Health, Loss
from tenantmetrics.histogram import record
from tenantmetrics.records import (
    OK,
    OVERFLOW,
    Attribution,
    Call,
    Exemplar,
    Series,
    SeriesKey,
    Source,
    Window,
)

__all__ = ["Aggregator", "Totals"]

_OVERFLOW_SERIES = 256
"""Series that keep operation and outcome for folded calls; beyond, one series takes all the rest.
Operations and error codes are few, clusters and databases need not be."""


class Totals:
    """Sums over the life of the process, for `stats()`."""

    __slots__ = ("calls", "duration_ns", "errors", "misuses", "unattributed")

    def __init__(self) -> None:
        self.calls = 0
        self.errors = 0
        self.duration_ns = 0
        self.unattributed = 0
        self.misuses: dict[str, int] = {}


class Aggregator:
    """The open windows. Not locked: whoever calls it holds the worker's lock.

    Args:
        window_s: Length of a window in seconds; windows start at multiples of it.
        max_series: Series kept in all open windows together.
        health: Where folded calls are counted.
        writer: Name of this process and fork, put into every window.
        clock_ns: Wall clock, ns since the epoch; injected by tests.
    """

    def __init__(
        self,
        *,
        window_s: int,
        max_series: int,
        health: Health,
        writer: str,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._window_s = window_s
        self._window_ns = window_s * 1_000_000_000
        self._max_series = max_series
        self._health = health
        self._writer = writer
        self._clock_ns = clock_ns
        self._sequence = 0
        self._open: dict[int, dict[SeriesKey, Series]] = {}
        self._series_count = 0
        self._split_count = 0
        self._losses_reported: dict[str, int] = {}
        self._failures_reported: dict[str, int] = {}
        self._misuses_reported: dict[str, int] = {}
        self.totals = Totals()

    def add(self, call: Call, attribution: Attribution) -> None:
        """Add one call to the window in which it ended, split among the tenants that it served."""
        totals = self.totals
        totals.calls += 1
        totals.duration_ns += call.duration_ns
        if call.outcome != OK:
            totals.errors += 1
        shares, source, misuses = attribution
        if source is Source.UNATTRIBUTED:
            totals.unattributed += 1
        for misuse in misuses:
            totals.misuses[misuse] = totals.misuses.get(misuse, 0) + 1

        number = call.ended_at_ns // self._window_ns
        window = self._open.get(number)
        if window is None:
            window = self._open[number] = {}
        if len(shares) == 1:
            series = self._series(window, shares[0][0], call, source)
            series.calls += 1
            series.duration_ns += call.duration_ns
            series.attempts += call.attempts
            series.request_bytes += call.request_bytes
            series.response_bytes += call.response_bytes
            series.billed_requests += call.billed_requests
            series.rows_returned += call.rows_returned
            series.rows_written += call.rows_written
            record(series, call.duration_ns)
            trace = call.trace
            # The slowest traced call of the window: the one that somebody will want to look at.
            if trace is not None and (
                series.exemplar is None or call.duration_ns > series.exemplar.duration_ns
            ):
                series.exemplar = Exemplar(*trace, call.duration_ns, call.ended_at_ns)
        else:
            self._add_split(window, call, attribution)

    def _add_split(
        self, window: dict[SeriesKey, Series], call: Call, attribution: Attribution
    ) -> None:
        shares, source, _ = attribution
        weights = [weight for _, weight in shares]
        turn = self._split_count
        self._split_count += 1
        # The odd unit of every field goes by the same turn: a tenant's call, attempt and request
        # stay together.
        columns = zip(
            *(
                split(amount, weights, turn)
                for amount in (
                    1,
                    call.duration_ns,
                    call.attempts,
                    call.request_bytes,
                    call.response_bytes,
                    call.billed_requests,
                    call.rows_returned,
                    call.rows_written,
                )
            ),
            strict=True,
        )
        for (tenant, _), parts in zip(shares, columns, strict=True):
            series = self._series(window, tenant, call, source)
            series.calls += parts[0]
            series.duration_ns += parts[1]
            series.attempts += parts[2]
            series.request_bytes += parts[3]
            series.response_bytes += parts[4]
            series.billed_requests += parts[5]
            series.rows_returned += parts[6]
            series.rows_written += parts[7]
            if parts[0]:
                record(series, call.duration_ns, parts[0])

    def _series(
        self, window: dict[SeriesKey, Series], tenant: str, call: Call, source: Source
    ) -> Series:
        key = SeriesKey(
            tenant, call.operation, call.outcome, source, call.resource_arn, call.database
        )
        series = window.get(key)
        if series is None:
            if self._series_count >= self._max_series:
                key = self._overflow_key(key)
                series = window.get(key)
            if series is None:
                series = window[key] = Series()
                self._series_count += 1
        return series

    def _overflow_key(self, key: SeriesKey) -> SeriesKey:
        self._health.count(Loss.SERIES_CAP, where="aggregate")
        if self._series_count >= self._max_series + _OVERFLOW_SERIES:
            return SeriesKey(OVERFLOW, "", "", Source.UNATTRIBUTED, "", "")
        return key._replace(tenant=OVERFLOW, source=Source.UNATTRIBUTED)

    def close(self) -> list[Window]:
        """Close every open window and start anew; what was lost meanwhile rides on the first.

        Returns:
            The windows, oldest first; one without series where there are only losses to report.
        """
        opened, self._open, self._series_count = self._open, {}, 0
        counts, failures = self._health.counts(), self._health.export_failures()
        misuses = dict(self.totals.misuses)
        losses = _increase(counts, self._losses_reported)
        more_failures = _increase(failures, self._failures_reported)
        more_misuses = _increase(misuses, self._misuses_reported)
        self._losses_reported, self._failures_reported = counts, failures
        self._misuses_reported = misuses
        if (losses or more_failures or more_misuses) and not opened:
            opened = {self._clock_ns() // self._window_ns: {}}
        windows = []
        for number in sorted(opened):
            windows.append(
                Window(
                    start_s=number * self._window_s,
                    length_s=self._window_s,
                    writer=self._writer,
                    sequence=self._sequence,
                    series=opened[number],
                    losses=losses,
                    misuses=more_misuses,
                    export_failures=more_failures,
                )
            )
            self._sequence += 1
            losses, more_misuses, more_failures = {}, {}, {}
        return windows


def _increase(counts: dict[str, int], reported: dict[str, int]) -> dict[str, int]:
    """What came on top since it was reported last."""
    return {
        name: count - reported.get(name, 0)
        for name, count in counts.items()
        if count != reported.get(name, 0)
    }
