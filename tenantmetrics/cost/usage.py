"""Usage of a period, summed over the ledger by an engine."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields
from typing import Any, Self

from tenantmetrics.cost import queries
from tenantmetrics.cost.engines import Engine, OpenLedger
from tenantmetrics.cost.engines.duckdb import DuckDB
from tenantmetrics.cost.files import find
from tenantmetrics.cost.of_clusters import OfClusters
from tenantmetrics.cost.statement import Period, Usage
from tenantmetrics.errors import LedgerError, ReportError

__all__ = ["MOST_WRITERS", "DayUsage", "HourUsage", "LedgerUsage", "TenantUsage", "first_and_last"]

MOST_WRITERS = 32
"""Writers that are looked at one by one; thousands of short-lived ones share one class."""


@dataclass(frozen=True, slots=True)
class HourUsage:
    """One hour of all tenants.

    Attributes:
        calls: API calls.
        duration_ns: Their wall time.
        waited_ns: The part of it between attempts; 0 in a ledger of version 1, which has none.
        first_s: Start of the hour's first window.
        last_s: Start of its last window.
    """

    calls: int
    duration_ns: int
    waited_ns: int
    first_s: int
    last_s: int

    @property
    def net_ns(self) -> int:
        """Wall time less the waits."""
        return self.duration_ns - self.waited_ns

    def plus(self, other: HourUsage) -> HourUsage:
        """The usage of both."""
        return HourUsage(
            self.calls + other.calls,
            self.duration_ns + other.duration_ns,
            self.waited_ns + other.waited_ns,
            min(self.first_s, other.first_s),
            max(self.last_s, other.last_s),
        )


@dataclass(frozen=True, slots=True)
class DayUsage:
    """One tenant's sums on one day.

    Attributes:
        calls: API calls.
        wall_ns: Their wall time.
        net_ns: The same, less the waits between attempts.
        billed_requests: Data API requests.
        rows: Rows returned and written.
        bytes: Bytes sent and received.
    """

    calls: int
    wall_ns: int
    net_ns: int
    billed_requests: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class TenantUsage:
    """One tenant's sums.

    Attributes:
        tenant: Its id.
        usage: What its calls did.
        waited_ns: The part of their wall time between attempts.
        wall_weight: Their wall time, weighted hour by hour.
        net_ns: Wall time less waits, of the hours that were asked for.
        net_weight: The same, weighted hour by hour.
    """

    tenant: str
    usage: Usage
    waited_ns: int = 0
    wall_weight: int = 0
    net_ns: int = 0
    net_weight: int = 0


def first_and_last(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Starts of the first and the last window in a ledger, by the names of its files.

    Raises:
        LedgerError: As `LedgerUsage`.
    """
    names = list(find(path).good)
    if not names:
        raise LedgerError(f"ledger {os.fspath(path)!r} holds no file named as the exporter names")
    return names[0].start_s, names[-1].start_s


class LedgerUsage:
    """A ledger's usage in one period. Close it, or use it in a `with` statement.

    Args:
        path: The ledger's folder; what else it may be, the engine says.
        period: What to sum.
        skip_corrupt: Go on without files that cannot be read; `describe_left_out` names them.
        engine: What runs the queries; DuckDB if None.

    Raises:
        LedgerError: The ledger is missing or empty, or a file cannot be read; names all of those.
        ReportError: There is nothing in the period.
        MissingExtraError: The engine is not installed.

    Attributes:
        calls: Calls by ARN of the clusters that were called; `hours` finds them.
        writers: Calls of those with the most, `MOST_WRITERS` a period; `hours` finds them.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        period: Period,
        *,
        skip_corrupt: bool = False,
        engine: Engine | None = None,
    ) -> None:
        self._period = period
        self.calls: dict[str, int] = {}
        self.writers: dict[str, int] = {}
        self._hours: dict[int, HourUsage] | None = None
        self._lost = 0
        self._ledger = (engine or DuckDB()).open(path, period, skip_corrupt=skip_corrupt)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the ledger."""
        self._ledger.close()

    @property
    def opened(self) -> OpenLedger:
        """The opened ledger, for queries of others."""
        return self._ledger

    @property
    def copies(self) -> int:
        """Files that were byte for byte another one's copy, and were counted once."""
        return self._ledger.copies

    def describe_left_out(self) -> str:
        """The files that were left out, in words; empty when there are none."""
        return self._ledger.left_out()

    def hours(self) -> dict[int, HourUsage]:
        """Usage by hour (hours since the epoch, UTC); finds `clusters` and `writers` with it.

        Asked again, it scans nothing: Athena bills each scan.
        """
        if self._hours is not None:
            return self._hours
        found: dict[int, HourUsage] = {}
        self.calls, self.writers = {}, {}
        self._lost = 0
        sums = self._rows(queries.hours(self._period, MOST_WRITERS))
        for hour, arn, writer, *numbers, lost in sums:
            one = HourUsage(*map(int, numbers))
            if hour is None or hour == "":
                self.writers[writer] = self.writers.get(writer, 0) + one.calls
                continue
            self._lost += int(lost)
            known = found.get(int(hour))
            found[int(hour)] = one if known is None else known.plus(one)
            if one.calls or one.duration_ns:
                self.calls[arn] = self.calls.get(arn, 0) + one.calls
        if not found:
            raise ReportError(self._ledger.nothing())
        self._hours = dict(sorted(found.items()))
        return self._hours

    def losses(self) -> dict[str, int]:
        """What the writers lost, by reason. Where `hours` found nothing lost, nothing is read."""
        if self._hours is not None and not self._lost:
            return {}
        rows = self._rows(queries.losses(self._period))
        return {reason: int(amount) for reason, amount in sorted(rows)}

    def keep(self, clusters: Collection[str]) -> None:
        """From now on sum up these clusters only: `hours` must be asked anew.

        Args:
            clusters: Their ARNs.
        """
        self.calls, self.writers, self._hours = {}, {}, None
        self._ledger = OfClusters(self._ledger, clusters)

    def only(self, clusters: Collection[str]) -> LedgerUsage:
        """The same ledger's usage of these clusters only, as this one has it open.

        Args:
            clusters: Their ARNs.
        """
        one = copy(self)
        one.keep(clusters)
        return one

    def days(self, borders: Sequence[int]) -> dict[tuple[str, int], DayUsage]:
        """Usage by tenant and number of the day.

        Args:
            borders: Where the period's days begin, in seconds since the epoch.
        """
        return {
            (tenant, int(day)): DayUsage(*map(int, values))
            for tenant, day, *values in self._rows(queries.days(self._period, borders))
        }

    def clusters(self) -> list[str]:
        """ARNs of the clusters that were called, as `hours` found them."""
        return sorted(self.calls)

    def tenants(
        self, wall_factors: Mapping[int, float], net_factors: Mapping[int, float]
    ) -> list[TenantUsage]:
        """Usage by tenant, in order of their names.

        Args:
            wall_factors: What a nanosecond of each hour's wall time weighs.
            net_factors: What a nanosecond of wall time less waits weighs, of the hours in which
                that stands for server time.
        """
        sums = len(fields(Usage))
        found = []
        # Sorted here, by code point: engines may have an order of their own.
        for tenant, *values in sorted(
            self._rows(queries.tenants(self._period, wall_factors, net_factors)),
            key=lambda row: str(row[0]),
        ):
            numbers = [int(value) for value in values]
            found.append(TenantUsage(tenant, Usage(*numbers[:sums]), *numbers[sums:]))
        return found

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._ledger.rows(sql)
