"""Usage from the metrics that the CloudWatch and EMF exporters publish.

Metrics are summed by the hour, which is all that the division needs and costs no more than a sum
over the month. They are not the ledger: PutMetricData is sent at most once, EMF's extraction may
count twice, tenants past `max_metric_tenants` are one, and ListMetrics forgets who was silent for
two weeks. The fleet's own totals say what all of that comes to.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from tenantmetrics import limits
from tenantmetrics.cost.sources.cloudwatch import HOUR_S, CloudWatch, Wanted, kept_since
from tenantmetrics.cost.sources.documents import Document, Staged, Whose
from tenantmetrics.cost.sources.staging import Staging
from tenantmetrics.cost.statement import Period
from tenantmetrics.dimension import dimension_value, original_name
from tenantmetrics.errors import ReportError

__all__ = ["MetricUsage", "step_of"]

_QUARTER_S = 900
"""What every time zone in use is a multiple of; CloudWatch's 5 minutes divide it."""

_ESSENTIAL = {
    "calls": ("DatabaseErrors", "SampleCount"),
    "failed_calls": ("DatabaseErrors", "Sum"),
    "duration_ns": ("DatabaseDuration", "Sum"),
    "billed_requests": ("DatabaseLoad", "SampleCount"),
    "billed_before": ("BilledRequests", "Sum"),
}
"""`billed_before` is what earlier releases published instead of DatabaseLoad."""
_DETAILED = {
    "request_bytes": ("RequestBytes", "Sum"),
    "response_bytes": ("ResponseBytes", "Sum"),
    "rows_returned": ("RowsReturned", "Sum"),
    "rows_written": ("RowsWritten", "Sum"),
}
_OVERFLOW = ("SeriesOverflow", "Sum")
_NS_PER_MS = 1e6
_APPROXIMATE = (
    "Usage is of CloudWatch metrics, hour by hour: an approximation that lacks windows whose "
    "delivery failed. A ledger is exact."
)
_OWNERS_AT_ONCE = 250
"""Tenants read at once: their hours of a month are held in memory, 720 numbers for each sum."""

_Owner = tuple[Whose, str]


def step_of(period: Period, now_s: float) -> tuple[int, int]:
    """How fine metrics are read, so that the period's borders cut no step.

    CloudWatch keeps an hour's sums for 455 days, those of 5 minutes for 63.

    Args:
        period: What is asked for.
        now_s: Seconds since the epoch.

    Returns:
        Seconds a step has, and where the first one starts. A period that begins within an hour
        longer ago than 63 days begins with the next hour, as the period after it does.
    """
    if period.start_s % HOUR_S == period.end_s % HOUR_S == 0:
        return HOUR_S, period.start_s
    within = period.start_s >= now_s - limits.METRIC_5_MINUTES_KEPT_S
    if within and period.start_s % _QUARTER_S == period.end_s % _QUARTER_S == 0:
        return _QUARTER_S, period.start_s
    return HOUR_S, -(-period.start_s // HOUR_S) * HOUR_S


class MetricUsage:
    """A namespace's metrics.

    Args:
        namespace: CloudWatch namespace.
        tenants: Tenants to ask for though ListMetrics may have forgotten them.

    Attributes:
        notes: What a reader must know.

    Raises:
        ReportError: The namespace is none.
    """

    def __init__(self, namespace: str, tenants: Collection[str] = ()) -> None:
        if not re.fullmatch(limits.NAMESPACE_PATTERN, namespace):
            raise ReportError(
                f"usage 'cloudwatch:{namespace}' names no namespace: write cloudwatch:NAMESPACE, "
                "such as cloudwatch:TenantMetrics"
            ).about("usage")
        self._namespace = namespace
        self._tenants = tenants
        self.notes: tuple[str, ...] = ()

    def fetch(self, period: Period, folder: Path, now_s: float) -> None:
        """Bring the period's metrics to a folder as a ledger's file.

        Args:
            period: Which.
            folder: Where.
            now_s: Seconds since the epoch.

        Raises:
            ReportError: CloudWatch cannot be read, keeps the period no more, or has nothing in it.
        """
        kept_since(period, now_s)
        step_s, start_s = step_of(period, now_s)
        with (
            CloudWatch(f"the metrics of namespace {self._namespace!r}") as source,
            Staging(folder) as staging,
        ):
            # Whole steps: half a one would be half of its sum, and shown as if it were all.
            end_s = -(-min(period.end_s, int(now_s) + HOUR_S) // step_s) * step_s
            end_s = max(end_s, start_s + step_s)
            owners = self._owners(source)
            for first in range(0, len(owners), _OWNERS_AT_ONCE):
                some = dict(owners[first : first + _OWNERS_AT_ONCE])
                series = [series_ for fields in some.values() for series_ in fields.values()]
                found = source.read(series, start_s, end_s, step_s)
                for (whose, name), fields in some.items():
                    for document in self._documents(whose, name, fields, found):
                        if document.start_s < period.end_s:
                            staging.add(document)
            staged = staging.finish()
        if not staged.documents:
            raise ReportError(
                f"the namespace {self._namespace!r} has no metrics of tenants in {period.label}: "
                "region and namespace must be those of the exporter"
            )
        self.notes = _notes(staged, moved=start_s != period.start_s)

    def _owners(self, source: CloudWatch) -> list[tuple[_Owner, dict[str, Wanted]]]:
        """Whom there are metrics of, and the series of each by the sum that it becomes."""
        listed = {
            metric: [dims for dims in source.dimensions(self._namespace, metric) if len(dims) == 1]
            for metric in ("DatabaseErrors", "CallsDropped", *(m for m, _ in _DETAILED.values()))
        }
        tenants = {
            metric: {names["TenantId"] for names in dimensions if "TenantId" in names}
            for metric, dimensions in listed.items()
        }
        named = {dimension_value(name) for name in self._tenants}
        owners = {(Whose.FLEET, ""): self._series((), {**_ESSENTIAL, "lost": _OVERFLOW})}
        for value in sorted(tenants["DatabaseErrors"] | named):
            fields = {
                field: series
                for field, series in _DETAILED.items()
                if value in named or value in tenants[series[0]]
            }
            dimensions = (("TenantId", value),)
            owner = (Whose.TENANT, original_name(value))
            owners[owner] = self._series(dimensions, {**_ESSENTIAL, **fields})
        for reason in sorted(dims["Reason"] for dims in listed["CallsDropped"] if "Reason" in dims):
            fields = {"lost": ("CallsDropped", "Sum")}
            owners[Whose.REASON, reason] = self._series((("Reason", reason),), fields)
        return list(owners.items())

    def _series(
        self, dimensions: tuple[tuple[str, str], ...], fields: dict[str, tuple[str, str]]
    ) -> dict[str, Wanted]:
        return {
            field: Wanted(self._namespace, metric, dimensions, statistic)
            for field, (metric, statistic) in fields.items()
        }

    def _documents(
        self,
        whose: Whose,
        name: str,
        fields: dict[str, Wanted],
        found: dict[Wanted, dict[int, float]],
    ) -> Iterator[Document]:
        """One owner's hours."""
        for at_s in sorted({at_s for wanted in fields.values() for at_s in found[wanted]}):
            values = {field: found[series].get(at_s, 0.0) for field, series in fields.items()}
            values["billed_requests"] = values.get("billed_requests", 0.0) + values.pop(
                "billed_before", 0.0
            )
            values["duration_ns"] = values.get("duration_ns", 0.0) * _NS_PER_MS
            sums: dict[str, Any] = {field: round(value) for field, value in values.items()}
            detailed = any(sums.get(field) for field in _DETAILED)
            yield Document(
                self._namespace, "cloudwatch", at_s, 0, whose, name, detailed=detailed, **sums
            )


def _notes(staged: Staged, *, moved: bool) -> tuple[str, ...]:
    notes = [_APPROXIMATE]
    if staged.short_windows:
        notes.append(
            f"The fleet's metrics hold {staged.short_calls:,} calls that no tenant's hold; they "
            "are unattributed: CloudWatch lists no tenant that was silent for two weeks; name "
            "those in the file of tenants."
        )
    if moved:
        notes.append(
            "The month's borders lie within an hour, of which CloudWatch keeps only the whole: "
            "they are moved to the next one."
        )
    return (*notes, *staged.notes())
