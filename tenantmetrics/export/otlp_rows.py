"""A window as OpenTelemetry's metrics name it, in plain rows: as deltas, or as cumulative sums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

from tenantmetrics.arns import region_of
from tenantmetrics.catalog import METRICS, Instrument, metric
from tenantmetrics.export.points import CONFLICTS, TOLD_ELSEWHERE, refused
from tenantmetrics.health import Loss
from tenantmetrics.histogram import add
from tenantmetrics.records import OK, UNATTRIBUTED, Misuse, Series, Window

__all__ = ["Cumulative", "Row", "rows"]

_LOAD = metric("DatabaseLoad").twin
_COUNTERS = tuple(
    (published.twin, published.measure)
    for published in METRICS
    if published.measure and published.instrument is Instrument.COUNTER
)
"""Sums that are published as they are."""

Attributes = tuple[tuple[str, str], ...]


class Row(NamedTuple):
    """One metric's number or histogram for one set of attributes, from `start_ns` to `end_ns`."""

    twin: str
    attributes: Attributes
    start_ns: int
    end_ns: int
    value: int | float | Series


def rows(window: Window) -> Iterator[Row]:
    """The window as deltas, the same in the same order every time.

    Args:
        window: A closed window.
    """
    start_ns, end_ns = _span_ns(window)
    for attributes, series in _by_attributes(window).items():
        for twin, value in _values(attributes, series):
            yield Row(twin, attributes, start_ns, end_ns, value)
    for tenant, load_ns in sorted(window.load_ns.items()):
        yield Row(_LOAD, _tenant(tenant), start_ns, end_ns, load_ns / 1e9)
    for twin, attributes, amount in _always(window):
        yield Row(twin, attributes, start_ns, end_ns, amount)


def _span_ns(window: Window) -> tuple[int, int]:
    start_ns = window.start_s * 1_000_000_000
    return start_ns, start_ns + window.length_s * 1_000_000_000


def _by_attributes(window: Window) -> dict[Attributes, Series]:
    """The window's series; those that differ only in what named the tenant are one."""
    found: dict[Attributes, Series] = {}
    for key, series in window.series.items():
        attributes = _attributes(
            key.tenant, key.operation, key.outcome, key.resource_arn, key.database
        )
        into = found.get(attributes)
        if into is None:
            into = found[attributes] = Series()
        add(into, series)
    return found


def _values(attributes: Attributes, series: Series) -> Iterator[tuple[str, int | Series]]:
    if series.calls or series.duration_ns + series.elsewhere_ns:
        yield "db.client.operation.duration", series
    if any(name == "error.type" for name, _ in attributes) and series.calls:
        yield "tenantmetrics.errors", series.calls
    if series.rows_returned:
        yield "db.client.response.returned_rows", series
    for twin, field in _COUNTERS:
        if amount := getattr(series, field):
            yield twin, amount


def _always(window: Window) -> Iterator[tuple[str, Attributes, int]]:
    unattributed = sum(
        one.calls for key, one in window.series.items() if key.tenant == UNATTRIBUTED
    )
    yield "tenantmetrics.unattributed_calls", (), unattributed
    conflicts = sum(window.misuses.get(kind, 0) for kind in CONFLICTS)
    yield "tenantmetrics.tenant_conflicts", (), conflicts
    if undecided := window.misuses.get(Misuse.UNDECIDED_UNDER_SESSION, 0):
        yield "tenantmetrics.undecided_calls", (), undecided
    yield "tenantmetrics.series_overflow", (), window.losses.get(Loss.SERIES_CAP, 0)
    for reason, amount in sorted(window.losses.items()):
        if amount and reason not in TOLD_ELSEWHERE:
            yield "tenantmetrics.calls_dropped", (("tenantmetrics.reason", str(reason)),), amount
    for reason, amount in refused(window).items():
        yield "tenantmetrics.refused_calls", (("tenantmetrics.reason", reason),), amount
    for exporter, amount in sorted(window.export_failures.items()):
        yield "tenantmetrics.export_failures", (("tenantmetrics.exporter", exporter),), amount


def _attributes(
    tenant: str, operation: str, outcome: str, resource_arn: str, database: str
) -> Attributes:
    """OpenTelemetry's stable database conventions, and `tenant.id`, which has none."""
    pairs = [*_tenant(tenant)]
    if operation:
        pairs.append(("db.operation.name", operation))
    if outcome not in {OK, ""}:
        pairs.append(("error.type", outcome))
    if database:
        pairs.append(("db.namespace", database))
    if resource_arn:
        pairs.append(("cloud.resource_id", resource_arn))
        if region := region_of(resource_arn):
            pairs.append(("cloud.region", region))
            pairs.append(("server.address", f"rds-data.{region}.amazonaws.com"))
    return tuple(pairs)


def _tenant(tenant: str) -> Attributes:
    return ("tenant.id", tenant), ("db.system.name", "postgresql")


class _Sum:
    """A series since its first appearance."""

    __slots__ = ("start_ns", "value")

    def __init__(self, start_ns: int, value: int | Series) -> None:
        self.start_ns = start_ns
        self.value = value


class Cumulative:
    """Deltas added up since each series' first appearance.

    Args:
        max_series: Sets of attributes kept; beyond it those that were silent longest go, and start
            anew, with a new start time, when they come back. What one window holds is always kept.
    """

    def __init__(self, max_series: int) -> None:
        self._max_series = max_series
        self._end_ns = 0
        self._sums: dict[Attributes, _Sum] = {}
        self._loads: dict[str, _Sum] = {}
        self._always: dict[tuple[str, Attributes], _Sum] = {}

    def add(self, window: Window) -> None:
        """Add a window's deltas."""
        start_ns, end_ns = _span_ns(window)
        self._end_ns = max(self._end_ns, end_ns)
        added = _by_attributes(window)
        for attributes, series in added.items():
            kept = self._sums.pop(attributes, None)  # put back last: the first is longest silent
            if kept is None:
                kept = _Sum(start_ns, series)
            else:
                kept.start_ns = min(kept.start_ns, start_ns)
                add(cast("Series", kept.value), series)
            self._sums[attributes] = kept
        for tenant, load_ns in window.load_ns.items():
            load = self._loads.pop(tenant, None) or _Sum(start_ns, 0)
            load.start_ns = min(load.start_ns, start_ns)
            load.value = cast("int", load.value) + load_ns
            self._loads[tenant] = load
        for twin, attributes, amount in _always(window):
            total = self._always.setdefault((twin, attributes), _Sum(start_ns, 0))
            total.start_ns = min(total.start_ns, start_ns)
            total.value = cast("int", total.value) + amount
        while len(self._sums) > max(self._max_series, len(added)):
            del self._sums[next(iter(self._sums))]
        while len(self._loads) > max(self._max_series, len(window.load_ns)):
            del self._loads[next(iter(self._loads))]

    def rows(self) -> Iterator[Row]:
        """All series as they stand at the end of the latest window, the silent ones too."""
        for attributes, kept in self._sums.items():
            for twin, value in _values(attributes, cast("Series", kept.value)):
                yield Row(twin, attributes, kept.start_ns, self._end_ns, value)
        for tenant, load in self._loads.items():
            seconds = cast("int", load.value) / 1e9
            yield Row(_LOAD, _tenant(tenant), load.start_ns, self._end_ns, seconds)
        for (twin, attributes), total in self._always.items():
            yield Row(twin, attributes, total.start_ns, self._end_ns, total.value)

    def sent(self) -> None:
        """Everything has arrived: exemplars are of one interval and not sent again."""
        for kept in self._sums.values():
            cast("Series", kept.value).exemplar = None
