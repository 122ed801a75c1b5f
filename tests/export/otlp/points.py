"""An exporter to test, and what the requests that it sent come to."""

import time
from collections import defaultdict

from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service

from tenantmetrics.export.otlp import OtlpExporter
from tenantmetrics.export.otlp_target import target
from tenantmetrics.records import OK

__all__ = ["DELTA", "NO_LIMIT", "decoded", "expected", "exporter", "in_s", "points", "totals"]

DELTA = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}
NO_LIMIT = 10**9


def exporter(url, environ=DELTA, **settings):
    return OtlpExporter(target(url, environ), max_series=NO_LIMIT, **settings)


def in_s(seconds):
    return time.monotonic() + seconds


def decoded(bodies):
    return [service.ExportMetricsServiceRequest.FromString(body) for body in bodies]


def points(requests):
    """(metric, attributes, point) of everything in some requests."""
    for request in requests:
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    kind = metric.WhichOneof("data")
                    for point in getattr(metric, kind).data_points:
                        attributes = {one.key: one.value.string_value for one in point.attributes}
                        yield metric, attributes, point


def totals(requests):
    """Per tenant: calls, duration in ns, billed requests, rows, errors, histogram counts, load."""
    sums = defaultdict(lambda: [0, 0, 0, 0, 0, 0, 0])
    for metric, attributes, point in points(requests):
        row = sums[attributes.get("tenant.id", "")]
        if metric.name == "tenantmetrics.operations":
            row[0] += point.as_int
        elif metric.name == "db.client.operation.duration":
            row[1] += round(point.sum * 1e9)
            row[5] += sum(point.positive.bucket_counts)
            assert point.count == sum(point.positive.bucket_counts)
        elif metric.name == "tenantmetrics.billed_requests":
            row[2] += point.as_int
        elif metric.name == "db.client.response.returned_rows":
            row[3] += round(point.sum)
        elif metric.name == "tenantmetrics.errors":
            row[4] += point.as_int
        elif metric.name == "tenantmetrics.database.load":
            row[6] += round(point.as_double * 1e9)
    sums.pop("", None)
    return dict(sums)


def expected(*windows):
    sums = defaultdict(lambda: [0, 0, 0, 0, 0, 0, 0])
    for window in windows:
        for key, one in window.series.items():
            row = sums[key.tenant]
            row[0] += one.calls
            row[1] += one.duration_ns
            row[2] += one.billed_requests
            row[3] += one.rows_returned
            row[4] += one.calls if key.outcome != OK else 0
            row[5] += sum(one.buckets.values())
        for tenant, load_ns in window.load_ns.items():
            sums[tenant][6] += load_ns
    return dict(sums)
