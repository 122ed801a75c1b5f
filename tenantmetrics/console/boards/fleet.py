"""`fleet`: every tenant together, the highest of them, and the cluster below."""

from __future__ import annotations

from tenantmetrics.console.boards import quantities as q
from tenantmetrics.console.boards.cloudwatch import TOP
from tenantmetrics.console.boards.model import (
    AlarmStates,
    Board,
    Panel,
    Section,
    Threshold,
    Unit,
    View,
)

__all__ = ["BOARD"]

_ACU = Unit("ACU", "short")

_NOW = Section(
    "Now",
    (
        (
            Panel(title="Calls {per}", draws=(q.CALLS,), unit=q.CALLS_A_SECOND, view=View.FIGURE),
            Panel(title="Error rate", draws=(q.ERROR_PERCENT,), unit=q.PERCENT, view=View.FIGURE),
            Panel(title="Latency p99", draws=(q.LATENCY_P99,), unit=q.MS, view=View.FIGURE),
            Panel(
                title="Billed requests {per}", draws=(q.BILLED,), unit=q.REQUESTS, view=View.FIGURE
            ),
            Panel(
                title="Estimated cost a day",
                grafana_title="Data API cost of the time shown",
                draws=(q.COST_NOW,),
                unit=q.USD,
                view=View.FIGURE,
            ),
            Panel(title="ACU", draws=(q.ACU,), unit=_ACU, view=View.FIGURE),
        ),
        (AlarmStates("Alarms"),),
        (
            Panel(title="Calls", draws=(q.CALLS,), unit=q.CALLS_A_SECOND),
            Panel(
                title="Error rate",
                draws=(q.ERROR_PERCENT,),
                unit=q.PERCENT,
                thresholds=(Threshold("fleet-error-rate", "ErrorRatePercent"),),
            ),
            Panel(title="Latency", draws=q.LATENCY_QUANTILES, unit=q.MS),
        ),
        (
            Panel(title="Load: average active sessions", draws=(q.LOAD,), unit=q.SESSIONS),
            Panel(title="Billed requests", draws=(q.BILLED,), unit=q.REQUESTS),
            Panel(
                title="Estimated cost a day",
                grafana_title="Estimated Data API cost a day",
                draws=(q.COST_A_DAY,),
                unit=q.USD,
            ),
        ),
    ),
)

_TENANTS = Section(
    f"Top {TOP} tenants",
    (
        (
            Panel(title="Calls by tenant", draws=(q.CALLS_BY_TENANT,), unit=q.CALLS_A_SECOND),
            Panel(
                title="Error rate by tenant",
                draws=(q.ERROR_PERCENT_BY_TENANT,),
                unit=q.PERCENT,
                thresholds=(Threshold("tenant-error-rate", "TenantErrorRatio", 100),),
            ),
            Panel(
                title="Average latency by tenant", draws=(q.AVERAGE_LATENCY_BY_TENANT,), unit=q.MS
            ),
        ),
        (
            Panel(
                title="Load by tenant",
                draws=(q.LOAD_BY_TENANT,),
                unit=q.SESSIONS,
            ),
            Panel(title="Billed requests by tenant", draws=(q.BILLED_BY_TENANT,), unit=q.REQUESTS),
            Panel(
                title="Estimated compute cost a day, by share of the load",
                draws=(q.COMPUTE_BY_TENANT,),
                unit=q.USD,
            ),
        ),
        (
            Panel(
                title="Noisy neighbour: share of the load",
                draws=(q.SHARE_BY_TENANT,),
                unit=q.PERCENT,
                thresholds=(Threshold("largest-share", "NoisySharePercent"),),
            ),
            Panel(
                title="Calls whose tenant is unknown, or two of them; calls that strict refused",
                draws=(
                    q.counted("UnattributedCalls", "unattributed"),
                    q.counted("TenantConflicts", "conflicts"),
                    q.REFUSED,
                ),
                unit=q.COUNTED_CALLS,
            ),
            Panel(
                title="Throttled, timed out, resuming (detailed metrics)",
                draws=(q.TROUBLE,),
                unit=q.CALLS_A_SECOND,
            ),
            Panel(title="Failed calls by code", draws=(q.FAILED_BY_CODE,), unit=q.CALLS_A_SECOND),
        ),
    ),
)

_CLUSTER = Section(
    "Cluster `{cluster}`",
    (
        (
            Panel(
                title="Capacity", draws=(q.cluster("ServerlessDatabaseCapacity", "ACU"),), unit=_ACU
            ),
            Panel(
                title="Utilisation",
                draws=(q.cluster("CPUUtilization", "CPU"), q.cluster("ACUUtilization", "ACU")),
                unit=q.PERCENT,
                thresholds=(
                    Threshold("cluster-cpu", "CpuPercent"),
                    Threshold("cluster-acu", "AcuPercent"),
                ),
            ),
            Panel(
                title="Connections",
                draws=(q.cluster("DatabaseConnections", "connections"),),
                unit=Unit("connections", "short"),
            ),
        ),
        (
            Panel(title="Storage latency", draws=(q.STORAGE_LATENCY,), unit=q.MS),
            Panel(
                title="Volume I/O",
                draws=(
                    q.cluster("VolumeReadIOPs", "read", "Sum"),
                    q.cluster("VolumeWriteIOPs", "write", "Sum"),
                ),
                unit=Unit("operations in 5 minutes", "short"),
                period_s=300,
            ),
            Panel(title="Commit latency", draws=(q.cluster("CommitLatency", "commit"),), unit=q.MS),
        ),
    ),
)

BOARD = Board(
    name="fleet",
    about="Fleet: every tenant on `{cluster}`\n"
    "[one tenant](#dashboards:name={tenant}) · "
    "[the metrics' own health](#dashboards:name={pipeline}) · "
    "Load is estimated server time; latency is what clients saw. "
    "Costs are estimates at list price.",
    sections=(_NOW, _TENANTS, _CLUSTER),
)
