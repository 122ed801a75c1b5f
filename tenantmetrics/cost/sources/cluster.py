"""A cluster's capacity, I/O and storage by the hour, from CloudWatch's AWS/RDS metrics.

Figures of the Aurora user guide ("Amazon CloudWatch metrics for Amazon Aurora", "Performance and
scaling for Aurora Serverless v2"): `ServerlessDatabaseCapacity` is an instance's current capacity,
and the average of its instances' for a cluster; `ACUUtilization` is that capacity as a part of the
maximum, and `CPUUtilization` of a serverless instance the CPU used as a part of what the maximum
would have, so their ratio is the part of the current capacity that was used. `VolumeReadIOPs` and
`VolumeWriteIOPs` are billed I/O requests, reported every five minutes; `VolumeBytesUsed` is the
billed size of the volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tenantmetrics.cost.inputs import HourlyCapacity
from tenantmetrics.cost.sources.cloudwatch import HOUR_S, CloudWatch, Wanted, kept_since
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import ReportError

__all__ = ["cluster_hours"]

_USED = (
    "Of each hour's capacity, the part that CPU did not use is idle (CPUUtilization divided by "
    "ACUUtilization); idle capacity can be charged to those who used the rest."
)
_INSTANCES = (
    "Capacity is that of the cluster's average instance, as if it had one: its instances could not "
    "be listed (rds:DescribeDBClusters)."
)
_DIGITS = 9
"""Decimals kept of CloudWatch's doubles: a billionth of a unit is below every price."""


def cluster_hours(cluster: str, period: Period, now_s: float) -> HourlyCapacity:
    """Read a cluster's hours.

    It needs `cloudwatch:GetMetricData`, and `rds:DescribeDBClusters` to tell the instances apart.

    Args:
        cluster: The DB cluster identifier.
        period: Which hours; those that the period's borders cut are among them.
        now_s: Seconds since the epoch.

    Returns:
        The whole hours that have passed.

    Raises:
        ReportError: CloudWatch cannot be read, keeps the period no more, or knows no capacity of
            such a cluster in it.
    """
    kept_since(period, now_s)
    start_s = period.hours.start * HOUR_S
    end_s = max(start_s + HOUR_S, min(period.hours.stop, int(now_s) // HOUR_S) * HOUR_S)
    by_cluster = {
        name: _series(name, statistic, "DBClusterIdentifier", cluster)
        for name, statistic in (
            ("ServerlessDatabaseCapacity", "Average"),
            ("ACUUtilization", "Average"),
            ("CPUUtilization", "Average"),
            ("VolumeReadIOPs", "Sum"),
            ("VolumeWriteIOPs", "Sum"),
            ("VolumeBytesUsed", "Average"),
        )
    }
    by_instance = [
        _series("ServerlessDatabaseCapacity", "Average", "DBInstanceIdentifier", instance)
        for instance in _instances(cluster)
    ]
    with CloudWatch(f"the metrics of cluster {cluster!r}") as source:
        found = source.read([*by_cluster.values(), *by_instance], start_s, end_s, HOUR_S)
    of = {name: _hours(found[series]) for name, series in by_cluster.items()}
    average = of["ServerlessDatabaseCapacity"]
    if not average:
        raise ReportError(
            f"CloudWatch has no ServerlessDatabaseCapacity of cluster {cluster!r} in "
            f"{period.label}: check its name and the region (AWS_REGION); of a cluster without "
            "Serverless v2 instances give the bill or the ACU-hours"
        ).about("cluster", "bill", "acu_hours")
    acu: dict[int, Decimal] = {}
    for series in by_instance:
        for hour, amount in _hours(found[series]).items():
            acu[hour] = acu.get(hour, Decimal(0)) + amount
    # An instance that is gone by now is in the cluster's average still.
    for hour, amount in average.items():
        acu[hour] = max(amount, acu.get(hour, amount))
    reads, writes = of["VolumeReadIOPs"], of["VolumeWriteIOPs"]
    used = _used(of["CPUUtilization"], of["ACUUtilization"])
    notes = []
    if used:
        notes.append(_USED)
    if not by_instance:
        notes.append(_INSTANCES)
    return HourlyCapacity(
        acu,
        used,
        {hour: reads[hour] + writes[hour] for hour in reads if hour in writes},
        of["VolumeBytesUsed"],
        tuple(notes),
    )


def _series(metric: str, statistic: str, dimension: str, value: str) -> Wanted:
    return Wanted("AWS/RDS", metric, ((dimension, value),), statistic)


def _hours(values: Mapping[int, float]) -> dict[int, Decimal]:
    return {at // HOUR_S: round(Decimal(value), _DIGITS) for at, value in values.items()}


def _used(cpu: Mapping[int, Decimal], capacity: Mapping[int, Decimal]) -> dict[int, Decimal]:
    """The used part of each hour's capacity: both are percentages of the same maximum."""
    return {
        hour: min(Decimal(1), cpu[hour] / of_maximum)
        for hour, of_maximum in capacity.items()
        if of_maximum > 0 and hour in cpu
    }


def _instances(cluster: str) -> list[str]:
    """The cluster's instances; none where nobody may say."""
    import boto3  # noqa: PLC0415 - 100 ms that a report without a cluster need not wait for
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        client: Any = boto3.client("rds")
    except BotoCoreError:
        return []  # no region: CloudWatch's client says so
    try:
        (found,) = client.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"]
    except (BotoCoreError, ClientError, ValueError):
        return []
    finally:
        client.close()
    return [member["DBInstanceIdentifier"] for member in found.get("DBClusterMembers", ())]
