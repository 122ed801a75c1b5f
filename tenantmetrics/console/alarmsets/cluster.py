"""The cluster itself: CPU, connections, capacity."""

from __future__ import annotations

from tenantmetrics.console.alarm import Alarm
from tenantmetrics.console.alarmsets.parts import (
    FLEET_BOARD,
    math,
    rds,
)

__all__ = ["ALARMS"]

ALARMS: tuple[Alarm, ...] = (
    Alarm(
        id="cluster-cpu",
        means="The cluster's CPU is above ${CpuPercent} % for 15 minutes.",
        look=f"{FLEET_BOARD}, cluster and top tenants by load.",
        do="One tenant: slow it down. All: raise the maximum capacity.",
        queries=(rds("CPUUtilization", "Average", returned=True),),
        threshold="${CpuPercent}",
        period_s=300,
        periods=3,
        datapoints=3,
    ),
    Alarm(
        id="cluster-connections",
        means="More than ${ConnectionsPercent} % of ${MaxConnections} connections are in use.",
        look=f"{FLEET_BOARD}, connections; pg_stat_activity for who holds them.",
        do="End idle sessions of other clients, or raise max_connections with the capacity.",
        queries=(
            rds("DatabaseConnections", "Maximum", "connections"),
            math("100 * connections / ${MaxConnections}", "connections, %"),
        ),
        threshold="${ConnectionsPercent}",
        period_s=300,
        periods=3,
        datapoints=2,
    ),
    Alarm(
        id="cluster-acu",
        means="Capacity is above ${AcuPercent} % of the cluster's maximum for 15 minutes.",
        look=f"{FLEET_BOARD}, capacity against calls and load.",
        do="Expected load: raise the maximum. Otherwise find the tenant or statement that grew.",
        queries=(rds("ACUUtilization", "Average", returned=True),),
        threshold="${AcuPercent}",
        period_s=300,
        periods=3,
        datapoints=3,
    ),
)
