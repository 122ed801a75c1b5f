"""Rows as OpenTelemetry's MetricsData: every tenant, nothing folded.

Built by hand rather than recorded in the SDK, whose 2,000 series a metric would fold the rest.
Durations are exponential histograms. Their buckets are powers of two of nanoseconds; in seconds the
indexes are shifted by log2(10**9), rounded: at the scales in use a bucket's edge moves by half its
width at most, while count, sum, minimum and maximum are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import log2
from typing import Any, cast

from opentelemetry.sdk.metrics._internal.point import (
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
)
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from tenantmetrics.catalog import METRICS, Instrument
from tenantmetrics.catalog import Metric as Described
from tenantmetrics.export.otlp_rows import Row
from tenantmetrics.records import Series

__all__ = ["batches"]

_TWINS: dict[str, Described] = {metric.twin: metric for metric in METRICS}
_NS_LOG2 = log2(1e9)
_POINT_BYTES = 120
"""A data point's protobuf without its attributes and buckets, rounded up."""
_BUCKET_BYTES = 5


def batches(
    given: Iterable[Row],
    resource: Resource,
    scope: InstrumentationScope,
    *,
    cumulative: bool,
    max_points: int,
    max_bytes: int,
) -> Iterator[MetricsData]:
    """Rows in requests of at most so many data points and bytes before compression.

    Args:
        given: The rows.
        resource: Who sends.
        scope: This library.
        cumulative: Whether the rows are sums since the start.
        max_points: Data points a request.
        max_bytes: Bytes a request; the size is estimated, rounded up.
    """
    temporality = AggregationTemporality.CUMULATIVE if cumulative else AggregationTemporality.DELTA
    # What a request has beside its points: the resource, the metrics' names and descriptions.
    overhead = 4_096 + sum(len(k) + len(str(v)) + 16 for k, v in resource.attributes.items())
    points: dict[str, list[Any]] = {}
    count, size = 0, overhead
    for row in given:
        needs = _POINT_BYTES + sum(
            16 + len(name) + len(value.encode("utf-8", "surrogatepass"))
            for name, value in row.attributes
        )
        if isinstance(row.value, Series):
            needs += _BUCKET_BYTES * _span(row.value)
        if count and (count == max_points or size + needs > max_bytes):
            yield _data(points, resource, scope, temporality)
            points, count, size = {}, 0, overhead
        points.setdefault(row.twin, []).append(_point(row))
        count += 1
        size += needs
    if count:
        yield _data(points, resource, scope, temporality)


def _span(series: Series) -> int:
    return max(series.buckets) - min(series.buckets) + 1 if series.buckets else 0


def _data(
    points: dict[str, list[Any]],
    resource: Resource,
    scope: InstrumentationScope,
    temporality: AggregationTemporality,
) -> MetricsData:
    metrics = []
    for twin, given in points.items():
        described = _TWINS[twin]
        data: Any
        if described.instrument is Instrument.EXPONENTIAL_HISTOGRAM:
            data = ExponentialHistogram(given, temporality)
        elif described.instrument is Instrument.HISTOGRAM:
            data = Histogram(given, temporality)
        else:
            data = Sum(given, temporality, is_monotonic=True)
        metrics.append(Metric(twin, described.help, described.twin_unit, data))
    scopes = [ScopeMetrics(scope, metrics, "")]
    return MetricsData([ResourceMetrics(resource, scopes, resource.schema_url)])


def _point(row: Row) -> Any:
    attributes = {name: _utf8(value) for name, value in row.attributes}
    value = row.value
    if isinstance(value, int | float):
        return NumberDataPoint(attributes, row.start_ns, row.end_ns, value)
    if row.twin == "db.client.response.returned_rows":
        # One bucket for all: rows are summed, not kept apart by call. Minimum and maximum unset.
        unset = cast("float", None)
        return HistogramDataPoint(
            attributes,
            row.start_ns,
            row.end_ns,
            value.calls,
            value.rows_returned,
            [value.calls],
            [],
            unset,
            unset,
        )
    return _duration(row, attributes, value)


def _duration(row: Row, attributes: dict[str, str], series: Series) -> Any:
    counts: list[int] = []
    offset = 0
    if series.buckets:
        low = min(series.buckets)
        counts = [series.buckets.get(low + i, 0) for i in range(_span(series))]
        offset = low - round(_NS_LOG2 * 2.0**series.scale)
    return ExponentialHistogramDataPoint(
        attributes=attributes,
        start_time_unix_nano=row.start_ns,
        time_unix_nano=row.end_ns,
        count=sum(counts),
        sum=(series.duration_ns + series.elsewhere_ns) / 1e9,
        scale=series.scale,
        zero_count=0,
        positive=Buckets(offset=offset, bucket_counts=counts),
        negative=Buckets(offset=0, bucket_counts=[]),
        flags=0,
        min=series.duration_min_ns / 1e9,
        max=series.duration_max_ns / 1e9,
        exemplars=_exemplars(series),
    )


def _exemplars(series: Series) -> list[Any]:
    if series.exemplar is None:
        return []
    from opentelemetry.sdk.metrics import Exemplar  # noqa: PLC0415 - few windows have any

    found = series.exemplar
    return [
        Exemplar({}, found.duration_ns / 1e9, found.at_ns, found.span_id, found.trace_id),
    ]


def _utf8(text: str) -> str:
    """Protobuf takes no half surrogate pairs."""
    return text.encode("utf-8", "backslashreplace").decode()
