"""CloudWatch's `DBLoad`, `DBLoadCPU` and `DBLoadNonCPU`: average active sessions of each instance.

Figures of the Aurora user guide ("Amazon CloudWatch metrics for Performance Insights"): the metrics
are there where Database Insights or Performance Insights is on, in namespace `AWS/RDS`, by
`DBInstanceIdentifier`. Autovacuum, administrators and applications without tenantmetrics are in
them. It needs `cloudwatch:GetMetricData` and `rds:DescribeDBClusters`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tenantmetrics.errors import ReportError, ServerLoadError
from tenantmetrics.limits import METRIC_HOURS_KEPT_S
from tenantmetrics.serverside.cluster import Cluster
from tenantmetrics.serverside.days import HOUR_S, Day

__all__ = ["Load", "read"]

_METRICS = {"load_aas": "DBLoad", "cpu_aas": "DBLoadCPU", "non_cpu_aas": "DBLoadNonCPU"}


class Load(NamedTuple):
    """What was found.

    Attributes:
        rows: Each day's rows of the table, days in order.
        silent: Instances without any of the metrics.
        hours: Hours of an instance that were found.
    """

    rows: dict[Day, list[dict[str, Any]]]
    silent: tuple[str, ...]
    hours: int


def read(
    cluster: Cluster, days: Sequence[Day], now_s: float, *, region_name: str | None = None
) -> Load:
    """Read a cluster's load by instance and hour.

    Args:
        cluster: As RDS describes it.
        days: Which hours.
        now_s: Seconds since the epoch.
        region_name: Its region; None for boto3's own.

    Raises:
        ServerLoadError: CloudWatch cannot be read, keeps the days no more, or has no `DBLoad` of
            any instance in them.
    """
    # With the report's own client: pages, quotas and errors are the same.
    from tenantmetrics.cost.sources.cloudwatch import CloudWatch, Wanted  # noqa: PLC0415 - boto3

    start_s, end_s = days[0].start_s, days[-1].end_s
    if start_s < now_s - METRIC_HOURS_KEPT_S:
        raise ServerLoadError(
            f"CloudWatch keeps metrics for 455 days, and {days[0].label} is longer ago"
        )
    wanted = {
        (instance, column): Wanted(
            "AWS/RDS", metric, (("DBInstanceIdentifier", instance),), "Average"
        )
        for instance in cluster.members
        for column, metric in _METRICS.items()
    }
    what = f"DBLoad of cluster {cluster.identifier!r}"
    try:
        with CloudWatch(what, region_name=region_name) as source:
            found = source.read(list(wanted.values()), start_s, end_s, HOUR_S)
    except ReportError as error:
        raise ServerLoadError(str(error)) from None
    rows: dict[Day, list[dict[str, Any]]] = defaultdict(list)
    heard = set()
    for day in days:
        for instance in cluster.members:
            values = {column: found[wanted[instance, column]] for column in _METRICS}
            for hour_s in range(day.start_s, day.end_s, HOUR_S):
                amounts = {c: by_hour[hour_s] for c, by_hour in values.items() if hour_s in by_hour}
                if len(amounts) == len(_METRICS):
                    rows[day].append(_row(cluster, instance, hour_s, amounts))
                    heard.add(instance)
    if not heard:
        raise ServerLoadError(_nothing(cluster, days))
    return Load(
        dict(rows),
        tuple(name for name in cluster.members if name not in heard),
        sum(map(len, rows.values())),
    )


def _row(cluster: Cluster, instance: str, hour_s: int, amounts: dict[str, float]) -> dict[str, Any]:
    return {
        "start_s": hour_s,
        "period_s": HOUR_S,
        "resource_arn": cluster.arn,
        "instance": instance,
        **amounts,
    }


def _nothing(cluster: Cluster, days: Sequence[Day]) -> str:
    first = days[0].label
    last = f"{datetime.fromtimestamp(days[-1].end_s, UTC):%Y-%m-%d %H:%M} UTC"
    if not cluster.members:
        return f"cluster {cluster.identifier!r} has no instances"
    return (
        f"CloudWatch has no DBLoad of cluster {cluster.identifier!r} ({', '.join(cluster.members)})"
        f" from {first} to {last}: turn on Database Insights (aws rds modify-db-cluster "
        "--enable-performance-insights), or check the region"
    )
