"""Sums for Prometheus to fetch, as OpenMetrics.

Delivery contract: at least what was exported last, each window once. Numbers stand still between
exports (`flush_interval_s`) and start from nothing in each process: Prometheus takes both for what
they are. A number that was not fetched before the process ended is lost.

Tenants are there only where they are asked for. At most `max_tenants` have numbers of their own,
the rest are in `__other__`; a tenant without calls for `SILENT_S` is taken out, and its place is
free. Its numbers start from nothing if it comes back. Names are those that OpenTelemetry's metrics
have in Prometheus, so the dashboards fit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tenantmetrics.catalog import OTHER
from tenantmetrics.dimension import dimension_value
from tenantmetrics.export.points import CONFLICTS, TOLD_ELSEWHERE
from tenantmetrics.health import Loss
from tenantmetrics.histogram import add
from tenantmetrics.records import OK, UNATTRIBUTED, Misuse, Series, Window

__all__ = ["BOUNDS_S", "SILENT_S", "PrometheusExporter"]

SILENT_S = 900.0
"""Three times what Prometheus itself waits before it calls a series gone."""

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 45.0)
"""Upper bounds of the histogram's buckets; 45 s is where the Data API ends a statement."""

_SUMS = (
    ("tenantmetrics_billed_requests", "Data API requests in 32 KB steps.", "billed_requests"),
    ("tenantmetrics_request_size_bytes", "Bytes of request bodies.", "request_bytes"),
    ("tenantmetrics_response_size_bytes", "Bytes of response bodies.", "response_bytes"),
    ("tenantmetrics_rows_written", "Rows inserted, updated or deleted.", "rows_written"),
)
_ALWAYS = ("unattributed_calls", "tenant_conflicts", "undecided_calls", "overflow")


class _Sums:
    """One tenant's, or everybody's, since the start."""

    __slots__ = ("errors", "load_ns", "seen_s", "series")

    def __init__(self) -> None:
        self.series = Series()
        self.errors = 0
        self.load_ns = 0
        self.seen_s = 0.0


class PrometheusExporter(Collector):
    """Adds windows up for whoever fetches them; a collector of prometheus_client's registry.

    Args:
        tenants: Whether tenants are told apart.
        max_tenants: Tenants with numbers of their own.
        clock: Monotonic seconds; injected by tests.
        on_close: Called when no more windows come.

    Attributes:
        before_export: Called before windows are added.
    """

    name = "prometheus"

    def __init__(
        self,
        *,
        tenants: bool = False,
        max_tenants: int = 500,
        clock: Callable[[], float] = time.monotonic,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._tenants = tenants
        self._max_tenants = max_tenants
        self._clock = clock
        self._on_close = on_close
        self.before_export: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self._sums: dict[str, _Sums] = {}
        self._operations: dict[tuple[str, str], int] = {}
        self._always = dict.fromkeys(_ALWAYS, 0)
        self._dropped: dict[str, int] = {}
        self._failures: dict[str, int] = {}

    def export(self, windows: Sequence[Window], deadline_s: float) -> None:
        """Add windows, as `Exporter.export` says; nothing can fail."""
        del deadline_s
        if self.before_export is not None:
            self.before_export()
        with self._lock:
            now_s = self._clock()
            for name in [
                name for name, sums in self._sums.items() if now_s - sums.seen_s > SILENT_S
            ]:
                if name not in {OTHER, UNATTRIBUTED, ""}:
                    del self._sums[name]
            for window in windows:
                self._add(window, now_s)

    def close(self) -> None:
        """No more windows come."""
        if self._on_close is not None:
            self._on_close()

    def _add(self, window: Window, now_s: float) -> None:
        for key, series in window.series.items():
            sums = self._of(key.tenant, now_s)
            add(sums.series, series)
            sums.series.exemplar = None
            if key.outcome != OK:
                sums.errors += series.calls
            if key.tenant == UNATTRIBUTED:
                self._always["unattributed_calls"] += series.calls
            what = (key.operation, key.outcome)
            self._operations[what] = self._operations.get(what, 0) + series.calls
        for tenant, load_ns in window.load_ns.items():
            self._of(tenant, now_s).load_ns += load_ns
        self._always["tenant_conflicts"] += sum(window.misuses.get(kind, 0) for kind in CONFLICTS)
        self._always["undecided_calls"] += window.misuses.get(Misuse.UNDECIDED_UNDER_SESSION, 0)
        self._always["overflow"] += window.losses.get(Loss.SERIES_CAP, 0)
        for reason, amount in window.losses.items():
            if reason not in TOLD_ELSEWHERE:
                self._dropped[str(reason)] = self._dropped.get(str(reason), 0) + amount
        for exporter, amount in window.export_failures.items():
            self._failures[exporter] = self._failures.get(exporter, 0) + amount

    def _of(self, tenant: str, now_s: float) -> _Sums:
        name = tenant if self._tenants else ""
        sums = self._sums.get(name)
        if sums is None:
            if name not in {"", UNATTRIBUTED} and len(self._sums) >= self._max_tenants:
                name = OTHER
            sums = self._sums.setdefault(name, _Sums())
        sums.seen_s = now_s
        return sums

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: a registry would collect to learn the names."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The sums as prometheus_client's families."""
        with self._lock:
            yield from self._families()

    def _families(self) -> Iterator[Metric]:
        labels = ["tenant_id"] if self._tenants else []
        duration = HistogramMetricFamily(
            "db_client_operation_duration_seconds",
            "Client-side wall time of Data API calls, retries included.",
            labels=labels,
        )
        errors = CounterMetricFamily("tenantmetrics_errors", "Calls that failed.", labels=labels)
        load = CounterMetricFamily(
            "tenantmetrics_database_load_seconds", "Estimated server time.", labels=labels
        )
        sums = [CounterMetricFamily(name, about, labels=labels) for name, about, _ in _SUMS]
        for tenant, of_tenant in sorted(self._sums.items()):
            values = [dimension_value(tenant)] if self._tenants else []
            series = of_tenant.series
            total_s = (series.duration_ns + series.elsewhere_ns) / 1e9
            duration.add_metric(values, _buckets(series), total_s)
            errors.add_metric(values, of_tenant.errors)
            load.add_metric(values, of_tenant.load_ns / 1e9)
            for family, (_, _, field) in zip(sums, _SUMS, strict=True):
                family.add_metric(values, getattr(series, field))
        yield from (duration, errors, load, *sums)
        calls = CounterMetricFamily(
            "tenantmetrics_operations",
            "Calls by API operation and outcome.",
            labels=["db_operation_name", "error_type"],
        )
        for (operation, outcome), count in sorted(self._operations.items()):
            calls.add_metric(
                [dimension_value(operation), "" if outcome == OK else dimension_value(outcome)],
                count,
            )
        yield calls
        for name, about in (
            ("unattributed_calls", "Calls for which no source named a tenant."),
            ("tenant_conflicts", "Calls whose sources named different tenants."),
            (
                "undecided_calls",
                "Calls whose text does not restrict their rows to their session's tenant.",
            ),
            ("series_overflow", "Calls folded into __overflow__."),
        ):
            value = self._always["overflow" if name == "series_overflow" else name]
            yield CounterMetricFamily(f"tenantmetrics_{name}", about, value=value)
        for name, about, label, counts in (
            (
                "calls_dropped",
                "Calls missing from the numbers, by reason.",
                "reason",
                self._dropped,
            ),
            ("export_failures", "Windows not delivered.", "exporter", self._failures),
        ):
            family = CounterMetricFamily(
                f"tenantmetrics_{name}", about, labels=[f"tenantmetrics_{label}"]
            )
            for what, count in sorted(counts.items()):
                family.add_metric([dimension_value(what)], count)
            yield family


def _buckets(series: Series) -> list[tuple[str, float]]:
    """The exponential buckets in those of `BOUNDS_S`, each by its upper edge, cumulative."""
    counts = [0] * (len(BOUNDS_S) + 1)
    edges = [bound * 1e9 * 1.000001 for bound in BOUNDS_S]
    for index, count in series.buckets.items():
        upper_ns = 2.0 ** ((index + 1) / 2.0**series.scale)
        place = next((i for i, edge in enumerate(edges) if upper_ns <= edge), len(BOUNDS_S))
        counts[place] += count
    total = 0
    buckets = []
    for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets
