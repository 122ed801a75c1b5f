"""What the ledger's table of statements holds of a period, read once before anything is divided."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tenantmetrics.cost.engines import OpenLedger
from tenantmetrics.cost.server_time import sql
from tenantmetrics.cost.server_time.overheads import FAILED, WORK, StatementKey, StatementSums
from tenantmetrics.cost.server_time.server import HourKey
from tenantmetrics.cost.server_time.sql_words import FAILED_GROUP
from tenantmetrics.cost.statement import Period
from tenantmetrics.servertime import (
    ENOUGH_CALLS,
    FEWEST_CALLS,
    LONG_S,
    Drift,
    Moments,
    Stretches,
    drift,
)

__all__ = ["HourRecord", "Record", "Segment"]

_SUMS = 5
"""Columns of sums in the query's rows, before those on windows."""
_STRETCHES = 3
"""Columns on stretches of one length."""


@dataclass(slots=True)
class HourRecord:
    """One hour of one cluster.

    Attributes:
        parts: Sums by class of writer and kind.
        first_s: Start of the first window.
        last_s: End of the last one.
        windows: Its windows, by class of writer and kind, of calls without work that opened no
            connection.
        longer: The same of its stretches of `LONG_S`.
        lengths_s: The windows' shortest and longest length.
    """

    parts: dict[tuple[int, str], StatementSums] = field(default_factory=dict)
    first_s: int = 0
    last_s: int = 0
    windows: dict[tuple[int, str], Stretches] = field(default_factory=dict)
    longer: dict[tuple[int, str], Stretches] = field(default_factory=dict)
    lengths_s: tuple[int, int] = (0, 0)

    @property
    def calls(self) -> float:
        """Calls that reached the database."""
        return sum(part.moments.calls for part in self.parts.values())

    @property
    def net_ns(self) -> float:
        """Their wall time less waits."""
        return sum(part.moments.wall_ns for part in self.parts.values())


@dataclass(slots=True)
class Segment:
    """The sums of hours that get one method, of one cluster.

    Attributes:
        parts: By class of writer, statement and kind.
    """

    parts: dict[StatementKey, StatementSums] = field(default_factory=dict)

    def add(self, number: object, fingerprint: object, kind: str, sums: list[object]) -> None:
        """Take a row of the query: class of writer, statement, kind, sums."""
        # Those that failed are one statement: of most, nothing is known but that they failed.
        of = FAILED_GROUP if kind in FAILED else int(str(fingerprint))
        key = StatementKey(int(str(number)), of, kind)
        self.parts[key] = self.parts.get(key, StatementSums()).plus(_statement(sums))

    def failed(self) -> float:
        """Calls that failed, where the ledger keeps them apart."""
        return sum(sums.moments.calls for key, sums in self.parts.items() if key.kind in FAILED)

    def by_statement(self) -> dict[int, StatementSums]:
        """The sums of the statements that do work."""
        found: dict[int, StatementSums] = {}
        for key, sums in self.parts.items():
            if key.kind in WORK:
                found[key.fingerprint] = found.get(key.fingerprint, StatementSums()).plus(sums)
        return found

    def workless(self) -> dict[int, StatementSums]:
        """The sums of those that do none."""
        found: dict[int, StatementSums] = {}
        for key, sums in self.parts.items():
            if key.kind not in WORK and key.kind not in FAILED:
                found[key.fingerprint] = found.get(key.fingerprint, StatementSums()).plus(sums)
        return found


class Record:
    """The table of statements in one period.

    Args:
        ledger: The opened period.
        period: Which.
        writers: Calls of the writers that are looked at one by one.

    Raises:
        LedgerError: The ledger cannot be read.
    """

    def __init__(self, ledger: OpenLedger, period: Period, writers: Mapping[str, int]) -> None:
        self._ledger = ledger
        self._period = period
        self.classes: dict[str, int] = {}
        for writer, calls in sorted(writers.items(), key=lambda item: (-item[1], item[0])):
            if calls >= ENOUGH_CALLS:
                self.classes[writer] = len(self.classes) + 1
        self.hours: dict[HourKey, HourRecord] = {}
        self.whole: dict[str, Segment] = {}
        for hour, arn, number, fingerprint, kind, *columns in _in_order(
            ledger.rows(sql.record(period, self.classes)), keys=5
        ):
            sums, more = columns[:_SUMS], columns[_SUMS:]
            if hour is None or hour == "":
                self.whole.setdefault(arn, Segment()).add(number, fingerprint, kind, sums)
                continue
            of = (int(number), kind)
            first_s, last_s, shortest_s, longest_s, *windows = map(int, more)
            known = self.hours.setdefault(
                (int(hour), arn), HourRecord(first_s=first_s, lengths_s=(shortest_s, longest_s))
            )
            known.parts[of] = _statement(sums)
            known.first_s = min(known.first_s, first_s)
            known.last_s = max(known.last_s, last_s)
            shortest, longest = known.lengths_s
            known.lengths_s = min(shortest, shortest_s), max(longest, longest_s)
            if windows[0]:
                moments = known.parts[of].moments
                known.windows[of] = _stretches(moments, windows[:_STRETCHES])
                known.longer[of] = _stretches(moments, windows[_STRETCHES:])

    @property
    def clusters(self) -> list[str]:
        """The ARNs of the clusters that were called, in order."""
        return sorted({arn for _, arn in self.hours})

    def segments(self, numbers: Mapping[HourKey, int]) -> dict[int, Segment]:
        """The sums by statement.

        Args:
            numbers: What hours and clusters are summed together.
        """
        clusters = {arn: number for number, arn in enumerate(self.clusters)}
        found: dict[int, Segment] = {number: Segment() for number in numbers.values()}
        if set(numbers) == set(self.hours) and len(found) == len(clusters):
            # One method a cluster: it has all of its sums.
            return {number: self.whole[arn] for (_, arn), number in numbers.items()}
        keys = {(hour, clusters[arn]): number for (hour, arn), number in numbers.items()}
        for number, writer_class, fingerprint, kind, *sums in _in_order(
            self._ledger.rows(sql.statements(self._period, self.classes, clusters, keys)), keys=4
        ):
            found[int(number)].add(writer_class, fingerprint, kind, sums)
        return found

    def summaries(self, fingerprints: Collection[int]) -> dict[int, str]:
        """The summaries of some statements."""
        if not fingerprints:
            return {}
        rows = self._ledger.rows(sql.summaries(self._period, sorted(fingerprints)))
        return {int(fingerprint): summary for fingerprint, summary in rows}

    @cached_property
    def failed(self) -> dict[str, int]:
        """Calls that the database refused and that are in the sums, by cluster.

        Those that the table of statements keeps apart are not: newer writers do.
        """
        every = {arn: int(calls) for arn, calls in self._ledger.rows(sql.failed(self._period))}
        for arn, whole in self.whole.items():
            if arn in every:
                every[arn] = max(0, every[arn] - round(whole.failed()))
        return every

    @cached_property
    def tenants(self) -> list[str]:
        """The tenants of the period."""
        return sorted(name for (name,) in self._ledger.rows(sql.tenant_names(self._period)))

    def drifts(self, arn: str) -> dict[int, Drift]:
        """How a cluster's overhead differs from window to window, by hour.

        Hours of windows of several lengths are left out: one may lie within another.
        """
        kinds = self._without_work(arn)
        found = {}
        for (hour, of), known in sorted(self.hours.items()):
            shortest_s, longest_s = known.lengths_s
            if of == arn and shortest_s == longest_s:
                windows, longer = (
                    [one for (_, kind), one in sorted(stretches.items()) if kind in kinds]
                    for stretches in (known.windows, known.longer)
                )
                one = drift(windows, longer if shortest_s < LONG_S else ())
                found[hour] = one._replace(
                    length_s=one.length_s or shortest_s, begins=len(kinds) > 1
                )
        return found

    def unmoved(self, arn: str) -> float:
        """The part of a cluster's calls in hours of which it is not told how the overhead moves.

        Those of several stretches whose calls without work are too few.
        """
        kinds = self._without_work(arn)
        every = untold = 0.0
        for (_, of), known in self.hours.items():
            if of == arn:
                calls = sum(
                    sums.moments.calls for (_, kind), sums in known.parts.items() if kind in kinds
                )
                stretches = (known.last_s - known.first_s) / LONG_S
                every += known.calls
                if stretches > 1 and calls < FEWEST_CALLS * stretches:
                    untold += known.calls
        return untold / every if every else 0.0

    def _without_work(self, arn: str) -> frozenset[str]:
        """Kinds of calls that tell a cluster's overhead."""
        calls = sum(
            sums.moments.calls
            for (_, of), known in self.hours.items()
            for (_, kind), sums in known.parts.items()
            if of == arn and kind == "workless"
        )
        return frozenset({"workless"} if calls >= ENOUGH_CALLS else {"workless", "begin"})

    def workless_hours(self, arn: str) -> dict[int, dict[int, Moments]]:
        """Warm calls without work of a cluster, by hour and class of writer.

        Of statements where there are enough, else of operations such as BEGIN too.
        """
        kinds = self._without_work(arn)
        return {
            hour: {
                number: sums.moments
                for (number, kind), sums in known.parts.items()
                if kind in kinds
            }
            for (hour, of), known in sorted(self.hours.items())
            if of == arn
        }


def _in_order(rows: Iterable[tuple[Any, ...]], keys: int) -> list[tuple[Any, ...]]:
    """Rows by their first columns: they come in any order, and sums of doubles hang on it."""
    return sorted(rows, key=lambda row: [str(key) for key in row[:keys]])


def _statement(sums: list[object]) -> StatementSums:
    calls, net_ns, us2, size, *more = (int(str(text)) for text in sums)
    return StatementSums(Moments(calls, net_ns, us2), size, more[0] if more else 0)


def _stretches(moments: Moments, columns: Sequence[int]) -> Stretches:
    number, calls2, means_us2 = columns
    return Stretches(number, calls2, means_us2, moments)
