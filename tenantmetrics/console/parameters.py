"""What a deployment of the alarms chooses: names, topics, thresholds, prices."""

from __future__ import annotations

from tenantmetrics.catalog import NAMESPACE
from tenantmetrics.console.alarm import Parameter

__all__ = ["PARAMETERS"]

PARAMETERS: tuple[Parameter, ...] = (
    Parameter(name="Namespace", default=NAMESPACE, about="CloudWatch namespace of the metrics."),
    Parameter(name="Prefix", default="tenantmetrics", about="What the alarms' names begin with."),
    Parameter(
        name="ClusterId", default="my-aurora-cluster", about="DBClusterIdentifier of the cluster."
    ),
    Parameter(name="PageTopicArn", default=None, about="SNS topic that pages somebody."),
    Parameter(
        name="NotifyTopicArn", default=None, about="SNS topic for what can wait until the morning."
    ),
    Parameter(
        name="DetailedMetrics",
        default="false",
        about="Whether metric_level is detailed: adds the alarms on error codes.",
        allowed=("true", "false"),
    ),
    Parameter(
        name="OtlpMetrics",
        default="false",
        about="Whether the otlp exporter sends to CloudWatch: adds the PromQL alarms.",
        allowed=("true", "false"),
    ),
    Parameter(
        name="UndecidedAlarm",
        default="false",
        about="Whether there is an alarm on statements that do not restrict their rows to their "
        "session's tenant; for databases without row-level security.",
        allowed=("true", "false"),
    ),
    Parameter(
        name="UndecidedCalls",
        default=0,
        about="Calls a minute that do not restrict their rows to their session's tenant.",
    ),
    Parameter(
        name="MinimumCalls", default=5, about="Calls a minute below which rates are ignored."
    ),
    Parameter(name="ErrorRatePercent", default=5, about="Fleet: failed calls, percent."),
    Parameter(name="LatencyMs", default=500, about="Fleet: average latency, milliseconds."),
    Parameter(name="LatencyPeakMs", default=2000, about="Fleet: p99 latency, milliseconds."),
    Parameter(
        name="TenantErrorRatio", default=0.05, about="One tenant: failed calls, as a share of 1."
    ),
    Parameter(
        name="TenantLatencyMs", default=1000, about="One tenant: average latency, milliseconds."
    ),
    Parameter(
        name="NoisySharePercent", default=50, about="One tenant's share of the load, percent."
    ),
    Parameter(
        name="NoisyDatabaseMs",
        default=60000,
        about="One tenant's estimated server time in a minute, milliseconds; 60000 is one session "
        "active all the time.",
    ),
    Parameter(
        name="OthersLatencyMs",
        default=250,
        about="Average latency, milliseconds, that a noisy neighbour must cause to count.",
    ),
    Parameter(name="ThrottledCalls", default=10, about="Throttled calls of a tenant a minute."),
    Parameter(name="TimedOutCalls", default=3, about="Timed out statements of a tenant a minute."),
    Parameter(
        name="ResumingCalls", default=3, about="Calls of a tenant a minute to a paused database."
    ),
    Parameter(
        name="AnomalyBand", default=3, about="Width of the anomaly band, in standard deviations."
    ),
    Parameter(
        name="SpendFactor", default=4, about="How many times its usual hour a tenant may use."
    ),
    Parameter(
        name="SpendFloorRequests",
        default=10000,
        about="Billed requests an hour below which a tenant's rise does not count.",
    ),
    Parameter(name="FleetUsdADay", default=100, about="Estimated spend a day, USD."),
    Parameter(name="UsdPerMillionRequests", default=0.35, about="Data API price, USD; list price."),
    Parameter(name="UsdPerAcuHour", default=0.12, about="Price of an ACU-hour, USD; list price."),
    Parameter(
        name="UnattributedPercent", default=5, about="Calls without a tenant, percent of all."
    ),
    Parameter(name="CpuPercent", default=80, about="CPU of the cluster, percent."),
    Parameter(name="MaxConnections", default=2000, about="max_connections of the cluster."),
    Parameter(
        name="ConnectionsPercent", default=80, about="Connections, percent of MaxConnections."
    ),
    Parameter(name="AcuPercent", default=75, about="Capacity, percent of the cluster's maximum."),
)
