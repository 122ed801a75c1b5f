"""The set of alarms, and the composite that wakes somebody."""

from __future__ import annotations

from tenantmetrics.console.alarm import Alarm, Needs, Severity
from tenantmetrics.console.alarmsets import cluster, cost, fleet, pipeline, security, tenants

__all__ = ["ALARMS", "names"]


def names(prefix: str) -> list[str]:
    """Names of the alarms that every deployment has, in order."""
    return [f"{prefix}-{alarm.id}" for alarm in ALARMS if alarm.needs is Needs.NOTHING]


_PAGE = Alarm(
    id="page",
    severity=Severity.PAGE,
    means="Customers are affected now: calls fail, all are slow, one tenant may see "
    "another's rows, "
    "or nothing is seen at all.",
    look="the alarm of ${Prefix} that is in ALARM; its description says where next.",
    do="What that alarm's description says; all other alarms can wait until the morning.",
    rule='ALARM("${Prefix}-fleet-error-rate") OR ALARM("${Prefix}-fleet-latency") OR '
    'ALARM("${Prefix}-noisy-neighbour") OR ALARM("${Prefix}-tenant-conflicts") OR '
    'ALARM("${Prefix}-no-data")',
)

ALARMS: tuple[Alarm, ...] = (
    *fleet.ALARMS,
    *tenants.ALARMS,
    *tenants.EXACT,
    *cost.ALARMS,
    *security.ALARMS,
    *cluster.ALARMS,
    *pipeline.ALARMS,
    _PAGE,
)
"""Every alarm; those that a composite names stand before it."""
