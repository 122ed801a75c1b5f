"""Calls summed into per-tenant windows of wall-clock minutes, in bounded memory.

A call counts in the window in which it ended; its time is split over the windows that it covers.
`bounded` holds how many series there may be.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from math import ceil, log2

from tenantmetrics.aggregate.bounded import BoundedSeries
from tenantmetrics.aggregate.cells import Cell, CellKey
from tenantmetrics.aggregate.load import Load
from tenantmetrics.aggregate.parts import Open, Part, add_in_parts
from tenantmetrics.aggregate.reached import kind_of
from tenantmetrics.aggregate.recent import Recent, Snapshot
from tenantmetrics.aggregate.spans import spans
from tenantmetrics.aggregate.totals import Reported, Totals
from tenantmetrics.health import Health
from tenantmetrics.histogram import PER_OCTAVE, record, shared_index
from tenantmetrics.records import (
    OK,
    Attribution,
    Call,
    Exemplar,
    Series,
    SeriesKey,
    Source,
    Window,
)
from tenantmetrics.refusals import Noted
from tenantmetrics.statement_table import MAX_ROWS, Rows, StatementTable

__all__ = ["Aggregator"]

_UNATTRIBUTED = Source.UNATTRIBUTED
_MAX_OPEN = 512
"""Windows open at once. Late calls and long ones need a few; each is a file, and a clock that jumps
must not make thousands."""
_OPENS_WINDOW_NS = 1_000_000_000
"""A shorter part of a call stays where the call ended, unless the earlier window is still open."""


class Aggregator:
    """The open windows: a sink of settled calls. Not locked: whoever calls it holds the lock.

    Args:
        window_s: Length of a window in seconds; windows start at multiples of it.
        max_series: Series kept in all open windows together.
        health: Where folded calls are counted.
        writer: Name of this process and fork, put into every window.
        max_statement_series: Rows of the statement tables in all open windows together, about 60
            bytes each.
        clock_ns: Wall clock, ns since the epoch; injected by tests.
    """

    def __init__(
        self,
        *,
        window_s: int,
        max_series: int,
        health: Health,
        writer: str,
        max_statement_series: int = MAX_ROWS,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._window_s = window_s
        self._window_ns = window_s * 1_000_000_000
        self._max_statements = max_statement_series
        self._health = health
        self._writer = writer
        self._clock_ns = clock_ns
        self._sequence = 0
        self._open: dict[int, Open] = {}
        self._bounded = BoundedSeries(max_series, health)
        self._rows, self._cells = Rows(), Rows()
        self._split_count = 0
        self._reported = Reported()
        self._refused: dict[SeriesKey, int] = {}
        self._load = Load()
        self._recent = Recent(max_series)
        self._totals = Totals()

    @property
    def totals(self) -> Totals:
        """Sums over the life of the process."""
        for window in self._open.values():
            window.cells.fold()
        return self._totals

    def add(self, call: Call, attribution: Attribution) -> None:  # noqa: C901 - unrolled
        """Add one call to the windows that it covers, split among the tenants that it served.

        The call and what it did count where it ended; its time counts where it was spent.
        """
        shares, source, misuses = attribution
        # Unpacked at once: a named tuple's attributes cost five times as much each.
        (
            operation, ended_ns, duration_ns, outcome, _, status, attempts, request_bytes,
            response_bytes, units, returned, written, _, arn, database, claims, trace, waited_ns, _,
            cold, _,
        ) = call  # fmt: skip
        if misuses:
            self._totals.note(misuses, claims.summary)

        number = ended_ns // self._window_ns
        window = self._open.get(number)
        if window is None:
            window = self._opened(number)
        if ended_ns - duration_ns < number * self._window_ns or len(shares) != 1:
            self._totals.add(1, duration_ns, outcome != OK, source is _UNATTRIBUTED)
            self._add_in_parts(window, call, attribution)
            return
        ((tenant, _),) = shares
        summary, _, _, _, _, fingerprint, workless, _ = claims
        key = (
            tenant, source, operation, outcome, arn, database, fingerprint, summary, status,
            workless, cold,
        )  # fmt: skip
        cell = window.cells.by_key.get(key)
        if cell is None:
            cell = self._cell(window, key, call, source)
        us = (duration_ns - waited_ns) // 1_000
        # Unrolled: this is done for every call. A test holds it to the declared measures.
        cell.calls += 1
        cell.duration_ns += duration_ns
        cell.duration_us2 += us * us
        if waited_ns:
            cell.waited_ns += waited_ns
        cell.attempts += attempts
        cell.request_bytes += request_bytes
        cell.response_bytes += response_bytes
        cell.billed_requests += units
        if returned:
            cell.rows_returned += returned
        if written:
            cell.rows_written += written
        series = cell.series
        # `histogram.record` where it has nothing to widen.
        if duration_ns > 1 and series.duration_min_ns <= duration_ns <= series.duration_max_ns:
            buckets = series.buckets
            index = ceil(log2(duration_ns) * PER_OCTAVE[series.scale]) - 1
            if index in buckets:
                buckets[index] += 1
            else:
                buckets[shared_index(index, index)] = 1
        else:
            record(series, duration_ns)
        # The slowest traced call of the window: the one that somebody will want to look at.
        if trace is not None and (
            series.exemplar is None or duration_ns > series.exemplar.duration_ns
        ):
            series.exemplar = Exemplar(*trace, duration_ns, ended_ns)

    def _cell(self, window: Open, key: CellKey, call: Call, source: Source) -> Cell:
        """What calls like this one add to."""
        tenant, _, operation, outcome, arn, database, fingerprint, summary, *_ = key
        # A plain tuple is equal to the key and takes a fraction of the time to make.
        fields = (tenant, operation, outcome, source, arn, database)
        series: Series | None = window.series.get(fields)  # type: ignore[call-overload]
        keep = True
        if series is None:
            series_key = SeriesKey(*fields)
            series = self._bounded.series(window.series, series_key)
            # Past the bound of series every call is counted, so every one has to come here.
            keep = series_key in window.series
        kind = kind_of(call)
        statement = (arn, database, fingerprint, summary, kind) if kind is not None else None
        cell = Cell(
            series, tenant, statement, failed=outcome != OK, unattributed=source is _UNATTRIBUTED
        )
        window.cells.add(key, cell, keep=keep)
        return cell

    def _opened(self, number: int) -> Open:
        """The window of a number, opened if there are not too many."""
        window = self._open.get(number)
        if window is None:
            if len(self._open) >= _MAX_OPEN:
                # A clock that jumps to and fro: the count stays right, the minute does not.
                return self._open[max(self._open)]
            window = self._open[number] = self._empty()
        return window

    def _empty(self) -> Open:
        table = StatementTable(self._max_statements, self._rows)
        return Open(table, self._cells, self._totals)

    def _add_in_parts(self, window: Open, call: Call, attribution: Attribution) -> None:
        """Add a call that serves several tenants or covers several windows."""
        turn = self._split_count
        if len(attribution.shares) > 1:
            self._split_count += 1
        add_in_parts(self._parts(window, call), call, attribution, turn, self._bounded.series)

    def _parts(self, window: Open, call: Call) -> list[Part]:
        """The windows that a call covers with its time in each, the one of its end first."""
        _, *earlier = spans(call.ended_at_ns, call.duration_ns, call.waited_ns, self._window_ns)
        found = []
        duration_ns, waited_ns = call.duration_ns, call.waited_ns
        for number, part_ns, part_waited_ns in earlier:
            into = self._open.get(number)
            if into is None:
                # A file of its own for a moment of a call would double the files of a busy process.
                if part_ns < _OPENS_WINDOW_NS or len(self._open) >= _MAX_OPEN:
                    continue
                into = self._opened(number)
            found.append((into, part_ns, part_waited_ns))
            duration_ns -= part_ns
            waited_ns -= part_waited_ns
        return [(window, duration_ns, waited_ns), *found]

    def refuse(self, noted: Noted) -> None:
        """Take what `strict` refused; it goes out with the next window that is closed.

        Args:
            noted: What was noted since the last time.
        """
        totals, refused = self._totals.misuses, self._refused
        for kind, count in noted.conflicts.items():
            totals[kind] = totals.get(kind, 0) + count
        for key, count in noted.calls.items():
            refused[key] = refused.get(key, 0) + count

    def close(self) -> list[Window]:
        """Close every open window and start anew; what was lost meanwhile rides on the first.

        Returns:
            The windows, oldest first; one without series where there are only losses to report.
        """
        opened, self._open = self._open, {}
        self._bounded.clear()
        self._rows, self._cells = Rows(), Rows()
        losses, more_failures, more_misuses = self._reported.news(self._health, self._totals)
        refused, self._refused = self._refused, {}
        if (losses or more_failures or more_misuses or refused) and not opened:
            opened = {self._clock_ns() // self._window_ns: self._empty()}
        windows = []
        for number in sorted(opened):
            opened[number].cells.fold()
            series, statements = opened[number].series, opened[number].statements
            windows.append(
                Window(
                    start_s=number * self._window_s,
                    length_s=self._window_s,
                    writer=self._writer,
                    sequence=self._sequence,
                    series=series,
                    losses=losses,
                    misuses=more_misuses,
                    export_failures=more_failures,
                    load_ns=self._load.close(series, statements),
                    statements=statements,
                    refusals=refused,
                )
            )
            self._sequence += 1
            losses, more_misuses, more_failures, refused = {}, {}, {}, {}
        self._recent.add(windows)
        return windows

    def snapshot(self) -> Snapshot:
        """What is in the windows now, and what was in the last ones; changes nothing.

        Returns:
            Copies. Open windows have the number that they would be closed with.
        """
        load = self._load.copy()
        for window in self._open.values():
            window.cells.fold()
        still_open = [
            Window(
                start_s=number * self._window_s,
                length_s=self._window_s,
                writer=self._writer,
                sequence=self._sequence + n,
                series={key: _copied(series) for key, series in window.series.items()},
                losses={},
                load_ns=load.close(window.series, window.statements),
            )
            for n, (number, window) in enumerate(sorted(self._open.items()))
        ]
        return Snapshot(self._recent.windows(), tuple(still_open))


def _copied(series: Series) -> Series:
    return replace(series, buckets=dict(series.buckets))
