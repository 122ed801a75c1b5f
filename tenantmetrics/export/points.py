"""A window as the catalogue's metrics: per tenant, the fleet, and what was lost.

What CloudWatch and EMF have in common. Tenants past `max_tenants` fold into `__other__`: those with
the most database time keep their own metrics, in each window anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import nlargest
from typing import NamedTuple

from tenantmetrics.catalog import OTHER, Level, Metric, metric, metrics
from tenantmetrics.dimension import dimension_value
from tenantmetrics.export.values import values
from tenantmetrics.health import Loss
from tenantmetrics.histogram import add
from tenantmetrics.records import OK, OVERFLOW, UNATTRIBUTED, Misuse, Series, Window

__all__ = ["CONFLICTS", "TOLD_ELSEWHERE", "Group", "Point", "groups", "refused"]


class Point(NamedTuple):
    """One metric's numbers in one window.

    Attributes:
        metric: Which.
        values: (value, count) pairs in the metric's unit: one with a count of 1 for a sum; 0 and
            1 with their counts for a statistic set; milliseconds a request and requests for a load.
    """

    metric: Metric
    values: Sequence[tuple[float, int]]


class Group(NamedTuple):
    """The points that share their dimensions.

    Attributes:
        dimensions: Values in the order of the metrics' `dimensions`; empty for the fleet.
        points: At least one.
    """

    dimensions: tuple[str, ...]
    points: list[Point]


_DURATION = metric("DatabaseDuration")
_ERRORS = metric("DatabaseErrors")
_LOAD = metric("DatabaseLoad")
_FLEET_DURATION = metric("DatabaseDuration", fleet=True)
_FLEET_ERRORS = metric("DatabaseErrors", fleet=True)
_FLEET_LOAD = metric("DatabaseLoad", fleet=True)
_OPERATIONS = metric("DatabaseOperations")
_SUMS = tuple(
    published
    for published in metrics(Level.DETAILED)
    if published.measure and published.dimensions == _DURATION.dimensions
)
"""A tenant's sums that are published as they are."""
_UNATTRIBUTED = metric("UnattributedCalls")
_CONFLICTS = metric("TenantConflicts")
_OVERFLOW = metric("SeriesOverflow")
_DROPPED = metric("CallsDropped")
_FAILURES = metric("ExportFailures")
_UNDECIDED = metric("UndecidedCalls")
_REFUSED = metric("RefusedCalls")
CONFLICTS = (
    Misuse.SOURCES_DISAGREE,
    Misuse.OTHER_TENANTS_ROWS,
    Misuse.TENANT_CHANGED,
)
"""What TenantConflicts counts."""
TOLD_ELSEWHERE = frozenset({Loss.SERIES_CAP, Loss.EXPORT_FAILED, Loss.EXPORT_UNCERTAIN})
"""Losses that have metrics of their own, and so are not in CallsDropped."""


class _Tenant:
    """One tenant's sums in a window."""

    __slots__ = ("errors", "load_ns", "operations", "sums")

    def __init__(self, load_ns: int = 0) -> None:
        self.sums = Series()
        self.load_ns = load_ns
        self.errors = 0
        self.operations: dict[tuple[str, str], int] = {}

    def add(self, operation: str, outcome: str, series: Series) -> None:
        add(self.sums, series)
        if outcome != OK:
            self.errors += series.calls
        name = (operation, outcome)
        self.operations[name] = self.operations.get(name, 0) + series.calls

    def join(self, other: _Tenant) -> None:
        add(self.sums, other.sums)
        self.load_ns += other.load_ns
        self.errors += other.errors
        for name, calls in other.operations.items():
            self.operations[name] = self.operations.get(name, 0) + calls


def groups(window: Window, *, level: Level, max_tenants: int, values_max: int) -> Iterator[Group]:
    """The window's points, the same in the same order every time.

    Args:
        window: A closed window.
        level: ESSENTIAL or DETAILED.
        max_tenants: Tenants with metrics of their own.
        values_max: Pairs that a histogram may have.

    Yields:
        The fleet first, then the tenants by name.
    """
    tenants: dict[str, _Tenant] = {}
    for key, series in window.series.items():
        tenant = tenants.get(key.tenant)
        if tenant is None:
            tenant = tenants[key.tenant] = _Tenant(window.load_ns.get(key.tenant, 0))
        tenant.add(key.operation, key.outcome, series)
    fleet = _Tenant()
    for name in sorted(tenants):
        fleet.join(tenants[name])
    unattributed = tenants[UNATTRIBUTED].sums.calls if UNATTRIBUTED in tenants else 0
    yield Group((), [*_always(window, unattributed), *_fleet(fleet, values_max)])
    yield from _losses(window)
    for name, tenant in sorted(_fold(tenants, max_tenants).items()):
        dimension = dimension_value(name)
        yield Group((dimension,), _tenant(tenant, level, values_max))
        if level is Level.DETAILED:
            for (operation, outcome), calls in sorted(tenant.operations.items()):
                if calls:
                    yield Group(
                        (dimension, dimension_value(operation), dimension_value(outcome)),
                        [Point(_OPERATIONS, ((calls, 1),))],
                    )


def _losses(window: Window) -> Iterator[Group]:
    for reason, amount in sorted(window.losses.items()):
        if amount and reason not in TOLD_ELSEWHERE:
            yield Group((dimension_value(reason),), [Point(_DROPPED, ((amount, 1),))])
    for reason, amount in refused(window).items():
        yield Group((dimension_value(reason),), [Point(_REFUSED, ((amount, 1),))])
    for exporter, amount in sorted(window.export_failures.items()):
        yield Group((dimension_value(exporter),), [Point(_FAILURES, ((amount, 1),))])


def refused(window: Window) -> dict[str, int]:
    """Calls that `strict` refused or would refuse, by outcome, in its order."""
    found: dict[str, int] = {}
    for key, amount in sorted(window.refusals.items()):
        found[key.outcome] = found.get(key.outcome, 0) + amount
    return dict(sorted(found.items()))


def _always(window: Window, unattributed: int) -> list[Point]:
    conflicts = sum(window.misuses.get(kind, 0) for kind in CONFLICTS)
    overflow = window.losses.get(Loss.SERIES_CAP, 0)
    undecided = window.misuses.get(Misuse.UNDECIDED_UNDER_SESSION, 0)
    return [
        Point(_UNATTRIBUTED, ((unattributed, 1),)),
        Point(_CONFLICTS, ((conflicts, 1),)),
        Point(_OVERFLOW, ((overflow, 1),)),
        *([Point(_UNDECIDED, ((undecided, 1),))] if undecided else ()),
    ]


def _fleet(fleet: _Tenant, values_max: int) -> list[Point]:
    if not (fleet.sums.calls or fleet.sums.duration_ns):
        return []  # a window of losses alone
    return _essential(fleet, values_max, _FLEET_DURATION, _FLEET_ERRORS, _FLEET_LOAD)


def _tenant(tenant: _Tenant, level: Level, values_max: int) -> list[Point]:
    points = _essential(tenant, values_max, _DURATION, _ERRORS, _LOAD)
    if level is Level.DETAILED:
        for published in _SUMS:
            if amount := getattr(tenant.sums, published.measure):
                points.append(Point(published, ((amount, 1),)))
    return points


def _essential(
    tenant: _Tenant, values_max: int, duration: Metric, errors: Metric, load: Metric
) -> list[Point]:
    points = []
    sums = tenant.sums
    pairs = values(sums, values_max)
    if pairs:
        points.append(Point(duration, [(value / 1e6, count) for value, count in pairs]))
    if sums.calls:
        outcomes = ((0, sums.calls - tenant.errors), (1, tenant.errors))
        points.append(Point(errors, [pair for pair in outcomes if pair[1]]))
    if requests := sums.billed_requests:
        # One value, as often as there are requests: sum and sample count are what they are to be.
        points.append(Point(load, ((tenant.load_ns / 1e6 / requests, requests),)))
    return points


def _fold(tenants: dict[str, _Tenant], max_tenants: int) -> dict[str, _Tenant]:
    """Keep those with the most wall time; names that are not tenants do not compete."""
    real = [name for name in tenants if name not in {UNATTRIBUTED, OVERFLOW}]
    if len(real) <= max_tenants:
        return tenants
    # By name where times are equal, so that a second try folds the same ones.
    kept = set(nlargest(max_tenants, real, key=lambda name: (tenants[name].sums.duration_ns, name)))
    folded: dict[str, _Tenant] = {OTHER: _Tenant()}
    for name, tenant in tenants.items():
        if name in kept or name in {UNATTRIBUTED, OVERFLOW}:
            folded[name] = tenant
        else:
            folded[OTHER].join(tenant)
    return folded
