"""Money: far above what is usual, or above what a day may cost."""

from __future__ import annotations

from tenantmetrics.console.alarm import Alarm, Query
from tenantmetrics.console.alarmsets.parts import (
    ALL_LOAD,
    FLEET_BOARD,
    math,
    rds,
    stat,
)

__all__ = ["ALARMS"]


def _anomaly(name: str, statistic: str, what: str) -> Alarm:
    return Alarm(
        id=name,
        means=f"{what} of the fleet is far above what is usual for this hour of the week.",
        look=f"{FLEET_BOARD}, top tenants by billed requests and by load.",
        do="Find the tenant that grew; a loop or a new job: tell its owner; growth: its plan.",
        queries=(
            stat(ALL_LOAD, statistic, returned=True),
            Query(
                id="band",
                expression="ANOMALY_DETECTION_BAND(m1, ${AnomalyBand})",
                label="usual",
                returned=True,
            ),
        ),
        comparison="GreaterThanUpperThreshold",
        band="band",
        period_s=300,
        periods=6,
        datapoints=5,
    )


ALARMS: tuple[Alarm, ...] = (
    _anomaly("billed-requests-anomaly", "SampleCount", "The number of billed requests"),
    _anomaly("database-time-anomaly", "Sum", "The load (estimated server time)"),
    Alarm(
        id="fleet-spend",
        means="Data API and compute of the last day come to more than ${FleetUsdADay} USD at the "
        "prices set here (an estimate).",
        look=f"{FLEET_BOARD}, estimated cost a day; tenantmetrics report for the cost by tenant.",
        do="Expected growth: raise the threshold. Else the tenant that rose, or the cluster's "
        "maximum capacity.",
        queries=(
            stat(ALL_LOAD, "SampleCount", "billed"),
            rds("ServerlessDatabaseCapacity", "Average", "acu"),
            math(
                "billed * ${UsdPerMillionRequests} / 1000000 + acu * 24 * ${UsdPerAcuHour}",
                "USD a day",
            ),
        ),
        threshold="${FleetUsdADay}",
        period_s=86_400,
    ),
)
