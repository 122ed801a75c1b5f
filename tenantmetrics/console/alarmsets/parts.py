"""Parts that more than one alarm has: boards to look at, metrics, queries.

How low volume is kept from paging: an average over a minute is above 5 % as soon as one call of
it failed, but "8 of 10 minutes" needs eight such minutes, and so at least eight failed calls. One
failure of one call is never an incident, and no second query is needed: an alarm has only one.
The alarms on the whole fleet can do metric math, and look at the number of calls as well.
"""

from __future__ import annotations

from tenantmetrics.catalog import Metric, metric
from tenantmetrics.console.alarm import Query

__all__ = [
    "ALL_DURATION", "ALL_ERRORS", "ALL_LOAD", "DURATION", "ERRORS", "FLEET_BOARD", "LOAD",
    "PIPELINE_BOARD", "TENANT_BOARD", "math", "rds", "series", "stat",
]  # fmt: skip

TENANT_BOARD = "dashboard ${Prefix}-tenant"
FLEET_BOARD = "dashboard ${Prefix}-fleet"
PIPELINE_BOARD = "dashboard ${Prefix}-pipeline"


def stat(metric: Metric, stat: str, name: str = "m1", *, returned: bool = False) -> Query:
    """A metric of ours with its statistic."""
    return Query(
        id=name, namespace="${Namespace}", metric=metric.name, stat=stat, returned=returned
    )


def rds(name: str, stat: str, query_id: str = "m1", *, returned: bool = False) -> Query:
    """The cluster's own metric with its statistic."""
    return Query(
        id=query_id,
        namespace="AWS/RDS",
        metric=name,
        dimensions=(("DBClusterIdentifier", "${ClusterId}"),),
        stat=stat,
        returned=returned,
    )


def math(expression: str, label: str, name: str = "watched") -> Query:
    """Metric math that the alarm watches."""
    return Query(id=name, expression=expression, label=label, returned=True)


def series(metric: Metric, function: str, by: str, where: str = "") -> tuple[Query, ...]:
    """One query whose every series is watched: GROUP BY and ORDER BY are both needed for that."""
    schema = ", ".join(['"${Namespace}"', *metric.dimensions])
    text = f"SELECT {function}({metric.name}) FROM SCHEMA({schema})"  # noqa: S608 - no input in it
    if where:
        text += f" WHERE {where}"
    text += f" GROUP BY {by} ORDER BY {function}() DESC"
    return (math(text, f"{metric.name} by {by}", "q1"),)


DURATION, ERRORS, LOAD = (
    metric(name) for name in ("DatabaseDuration", "DatabaseErrors", "DatabaseLoad")
)
ALL_DURATION, ALL_ERRORS, ALL_LOAD = (
    metric(tenants.name, fleet=True) for tenants in (DURATION, ERRORS, LOAD)
)
