"""Every metric there is: name, OpenTelemetry twin, units, dimensions, level, help text.

Exporters, dashboards, alarms and the documentation are built from this one list. A CloudWatch
metric is its name together with its dimensions, so the fleet's totals stand in lines of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "METRICS",
    "NAMESPACE",
    "OTHER",
    "Form",
    "Instrument",
    "Level",
    "Metric",
    "metric",
    "metrics",
]

NAMESPACE = "TenantMetrics"
"""CloudWatch namespace unless the `namespace` setting names another."""

OTHER = "__other__"
"""`TenantId` that sums the tenants past `max_metric_tenants` in a window."""


class Level(StrEnum):
    """When a metric is published to CloudWatch; OTLP has all of them.

    NEVER: CloudWatch has the number under another name, and a metric of its own costs money.
    """

    NEVER = "never"
    ALWAYS = "always"
    ESSENTIAL = "essential"
    DETAILED = "detailed"


class Form(StrEnum):
    """How a window's numbers become a CloudWatch datum, and so which statistics mean anything.

    VALUES: Values/Counts from the histogram: every statistic, percentiles included. Sum,
        SampleCount (= calls), Minimum and Maximum are exact, percentiles within a bucket (1.1 %).
    STATISTIC_SET: SampleCount = calls, Sum = events, Maximum 1 or 0: Average is a rate of 0 to 1.
    LOAD: SampleCount = billed requests, Sum = milliseconds of server time: Sum / 1000 / seconds of
        the period are average active sessions. Minimum, Maximum and Average mean nothing.
    SUM: one value a window and writer: only Sum means something.
    """

    VALUES = "values"
    STATISTIC_SET = "statistic_set"
    LOAD = "load"
    SUM = "sum"


class Instrument(StrEnum):
    """OpenTelemetry's kind of data point."""

    EXPONENTIAL_HISTOGRAM = "exponential_histogram"
    HISTOGRAM = "histogram"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        name: CloudWatch metric name.
        twin: OpenTelemetry metric name.
        unit: CloudWatch unit, as PutMetricData and EMF spell it.
        twin_unit: OpenTelemetry unit (UCUM).
        dimensions: Names of the CloudWatch dimensions, in the order of the dimension set; empty for
            the whole fleet. A Metrics Insights `SCHEMA()` must name exactly these.
        attributes: Names of the OpenTelemetry attributes on each data point.
        level: The `metric_level` from which CloudWatch and EMF carry it.
        form: How it is put into a datum.
        instrument: OpenTelemetry's kind of data point.
        help: One sentence: what it counts.
        measure: The sum of `tenantmetrics.measures` that it publishes as it is, which is all that
            the exporters need to fill it; empty where `export/` computes it.
    """

    name: str
    twin: str
    unit: str
    twin_unit: str
    dimensions: tuple[str, ...]
    attributes: tuple[str, ...]
    level: Level
    form: Form
    instrument: Instrument
    help: str
    measure: str = ""

    @property
    def fleet(self) -> bool:
        """Whether it is the sum over all tenants of a metric that tenants have too."""
        return not self.dimensions and self.level is not Level.ALWAYS


_TENANT = ("TenantId",)
_ATTRIBUTES = (
    "tenant.id",
    "db.system.name",
    "db.namespace",
    "db.operation.name",
    "error.type",
    "server.address",
    "cloud.region",
    "cloud.resource_id",
)


def _essential(dimensions: tuple[str, ...], whose: str) -> tuple[Metric, ...]:
    return (
        Metric(
            name="DatabaseDuration",
            twin="db.client.operation.duration",
            unit="Milliseconds",
            twin_unit="s",
            dimensions=dimensions,
            attributes=_ATTRIBUTES,
            level=Level.ESSENTIAL,
            form=Form.VALUES,
            instrument=Instrument.EXPONENTIAL_HISTOGRAM,
            help=f"Client-side wall time of {whose} Data API calls, retries included:"
            " the latency that clients saw.",
        ),
        Metric(
            name="DatabaseErrors",
            twin="tenantmetrics.errors",
            unit="Count",
            twin_unit="{error}",
            dimensions=dimensions,
            attributes=_ATTRIBUTES,
            level=Level.ESSENTIAL,
            form=Form.STATISTIC_SET,
            instrument=Instrument.COUNTER,
            help=f"{whose[0].upper()}{whose[1:]} calls that failed; SampleCount is all calls,"
            " so Average is the error rate.",
        ),
        Metric(
            name="DatabaseLoad",
            twin="tenantmetrics.database.load",
            unit="Milliseconds",
            twin_unit="s",
            dimensions=dimensions,
            attributes=("tenant.id", "db.system.name"),
            level=Level.ESSENTIAL,
            form=Form.LOAD,
            instrument=Instrument.COUNTER,
            help=f"Estimated server time of {whose} calls: wall time less what calls without work"
            " take; per second, the average active sessions. SampleCount is the billed requests.",
        ),
    )


def _detailed(
    name: str,
    twin: str,
    unit: tuple[str, str],
    about: str,
    measure: str,
    *,
    dimensions: tuple[str, ...] = _TENANT,
    instrument: Instrument = Instrument.COUNTER,
) -> Metric:
    return Metric(
        name=name,
        twin=twin,
        unit=unit[0],
        twin_unit=unit[1],
        dimensions=dimensions,
        attributes=_ATTRIBUTES,
        level=Level.DETAILED,
        form=Form.SUM,
        instrument=instrument,
        help=about,
        measure=measure,
    )


def _always(
    name: str, twin: str, unit: str, about: str, dimension: tuple[str, str] | None = None
) -> Metric:
    return Metric(
        name=name,
        twin=twin,
        unit="Count",
        twin_unit=unit,
        dimensions=(dimension[0],) if dimension else (),
        attributes=(dimension[1],) if dimension else (),
        level=Level.ALWAYS,
        form=Form.SUM,
        instrument=Instrument.COUNTER,
        help=about,
    )


METRICS: tuple[Metric, ...] = (
    *_essential(_TENANT, "the tenant's"),
    *_essential((), "all tenants'"),
    Metric(
        name="BilledRequests",
        twin="tenantmetrics.billed_requests",
        unit="Count",
        twin_unit="{request}",
        dimensions=_TENANT,
        attributes=_ATTRIBUTES,
        level=Level.NEVER,
        form=Form.SUM,
        instrument=Instrument.COUNTER,
        help="The tenant's Data API requests as AWS meters them, in 32 KB steps; in CloudWatch,"
        " DatabaseLoad's SampleCount.",
        measure="billed_requests",
    ),
    _detailed(
        "DatabaseOperations",
        "tenantmetrics.operations",
        ("Count", "{call}"),
        "The tenant's calls by API operation and outcome ('ok' or the error's code).",
        "calls",
        dimensions=("TenantId", "Operation", "StatusCode"),
    ),
    _detailed(
        "RequestBytes",
        "tenantmetrics.request.size",
        ("Bytes", "By"),
        "Bytes of the tenant's request bodies.",
        "request_bytes",
    ),
    _detailed(
        "ResponseBytes",
        "tenantmetrics.response.size",
        ("Bytes", "By"),
        "Bytes of the tenant's response bodies.",
        "response_bytes",
    ),
    _detailed(
        "RowsReturned",
        "db.client.response.returned_rows",
        ("Count", "{row}"),
        "Rows that the tenant's calls returned.",
        "rows_returned",
        instrument=Instrument.HISTOGRAM,
    ),
    _detailed(
        "RowsWritten",
        "tenantmetrics.rows_written",
        ("Count", "{row}"),
        "Rows that the tenant's calls inserted, updated or deleted.",
        "rows_written",
    ),
    _always(
        "UnattributedCalls",
        "tenantmetrics.unattributed_calls",
        "{call}",
        "Calls for which no source named a tenant; 0 is sent too.",
    ),
    _always(
        "TenantConflicts",
        "tenantmetrics.tenant_conflicts",
        "{call}",
        "Calls whose sources named different tenants, or that reach into another tenant's rows,"
        " refused by `strict` or not; 0 is sent too.",
    ),
    _always(
        "UndecidedCalls",
        "tenantmetrics.undecided_calls",
        "{call}",
        "Calls billed to their session's or context's tenant whose text does not restrict their"
        " rows to it: without row-level security they may touch another's. Sent where there are"
        " any.",
    ),
    _always(
        "RefusedCalls",
        "tenantmetrics.refused_calls",
        "{call}",
        "Calls that `strict` refused before they were sent (`refused_` and the reason), or would"
        " have refused (`warned_`).",
        ("Reason", "tenantmetrics.reason"),
    ),
    _always(
        "SeriesOverflow",
        "tenantmetrics.series_overflow",
        "{call}",
        "Calls folded into __overflow__ because a window had `max_series` series; 0 is sent too.",
    ),
    _always(
        "CallsDropped",
        "tenantmetrics.calls_dropped",
        "{call}",
        "Calls missing from the numbers, or counted without a tenant, by reason.",
        ("Reason", "tenantmetrics.reason"),
    ),
    _always(
        "ExportFailures",
        "tenantmetrics.export_failures",
        "{window}",
        "Windows that an exporter did not deliver, or whose delivery is uncertain.",
        ("Exporter", "tenantmetrics.exporter"),
    ),
)


def metrics(level: Level = Level.DETAILED) -> tuple[Metric, ...]:
    """The metrics that CloudWatch gets at a level.

    Args:
        level: ESSENTIAL leaves the detailed ones out; ALWAYS leaves only what is always sent. NEVER
            gives those that CloudWatch has under another name.
    """
    wanted = {
        Level.ALWAYS: {Level.ALWAYS},
        Level.ESSENTIAL: {Level.ALWAYS, Level.ESSENTIAL},
        Level.DETAILED: set(Level) - {Level.NEVER},
        Level.NEVER: {Level.NEVER},
    }[level]
    return tuple(each for each in METRICS if each.level in wanted)


def metric(name: str, *, fleet: bool = False) -> Metric:
    """One metric by its CloudWatch name.

    Args:
        name: As in `Metric.name`.
        fleet: The fleet's total instead of the tenants' own.

    Raises:
        KeyError: There is no such metric.
    """
    for each in METRICS:
        if each.name == name and each.fleet is fleet:
            return each
    raise KeyError(name)
