"""`pipeline`: whether the numbers can be trusted, and what they cost."""

from __future__ import annotations

from typing import Any

from tenantmetrics.console.boards import quantities as q
from tenantmetrics.console.boards.cloudwatch import CloudWatch, expression
from tenantmetrics.console.boards.model import (
    Board,
    LogQuery,
    Panel,
    Quantity,
    Section,
    Unit,
    View,
)
from tenantmetrics.console.boards.promql import PromQL
from tenantmetrics.health import Loss

__all__ = ["BOARD"]

_ESSENTIAL = 3
"""Custom metrics of a tenant at the essential level."""

_SERIES_MAX = 500
"""Series that a Metrics Insights query returns at most."""

_WINDOWS = Unit("windows {per}", "cps")

# A document's timestamp is the start of its minute.
_LAG = (
    "filter ispresent(WindowStart) "
    "| stats max(@ingestionTime - @timestamp) / 1000 - 60 as seconds_late by bin(5m)"
)

_ARRIVED = Quantity(
    cloudwatch=lambda source: [source.own("UnattributedCalls", "SampleCount", label="windows")]
)


def _since_the_last(source: PromQL) -> list[tuple[str, str]]:
    return [(f"time() - max(timestamp({source.selector('UnattributedCalls')}))", "lag")]


def _lost(source: CloudWatch) -> list[list[Any]]:
    elsewhere = {Loss.SERIES_CAP, Loss.EXPORT_FAILED, Loss.EXPORT_UNCERTAIN}
    reasons = [reason for reason in Loss if reason not in elsewhere]
    return [source.own("CallsDropped", "Sum", reason, label=reason.value) for reason in reasons]


_LOST = Quantity(
    cloudwatch=_lost,
    promql=lambda source: [
        (source.rate("CallsDropped", source.reason), source.legend("tenantmetrics.reason"))
    ],
)
_NOT_DELIVERED = Quantity(
    cloudwatch=lambda source: [
        expression(source.insights("ExportFailures", "SUM", "Exporter", limit=10), id="q1")
    ],
    promql=lambda source: [
        (source.rate("ExportFailures", source.exporter), source.legend("tenantmetrics.exporter"))
    ],
)


def _tenants(source: CloudWatch) -> list[Any]:
    query = source.insights("DatabaseLoad", "COUNT", "TenantId", limit=_SERIES_MAX)
    return expression(query, id="q1", visible=False)


_TENANTS = Quantity(
    cloudwatch=lambda source: [
        _tenants(source),
        expression("TIME_SERIES(METRIC_COUNT(q1))", "tenants", id="count"),
    ],
    promql=lambda source: [
        (f"count(sum by ({source.tenant}) ({source.selector('BilledRequests')}))", "tenants")
    ],
)
_METRICS_A_MONTH = Quantity(
    cloudwatch=lambda source: [
        _tenants(source),
        expression(
            f"TIME_SERIES(METRIC_COUNT(q1) * {_ESSENTIAL} * "
            f"{source.settings.usd_per_metric_month})",
            "USD",
            id="cost",
        ),
    ]
)
_USAGE = ["AWS/Usage", "CallCount", "Type", "API", "Resource", "PutMetricData"]
_REQUESTS = Quantity(
    cloudwatch=lambda _: [
        [
            *_USAGE,
            *("Service", "CloudWatch", "Class", "None"),
            {"stat": "Sum", "label": "requests of the account"},
        ]
    ]
)

_TRUST = Section(
    "Can these numbers be trusted?",
    (
        (
            Panel(
                title="Windows that arrived (a gap: nothing was delivered, or nothing called)",
                draws=(_ARRIVED,),
                unit=_WINDOWS,
            ),
            Panel(
                title="Since the last datum",
                draws=(Quantity(promql=_since_the_last),),
                unit=Unit("s", "s"),
                view=View.FIGURE,
            ),
            Panel(
                title="Export lag", draws=(Quantity(promql=_since_the_last),), unit=Unit("s", "s")
            ),
            Panel(
                title="Calls with no tenant, two, an undecided one, in __overflow__, or refused",
                draws=(
                    q.counted("UnattributedCalls", "unattributed"),
                    q.counted("TenantConflicts", "conflicts"),
                    q.counted("UndecidedCalls", "undecided"),
                    q.counted("SeriesOverflow", "overflow"),
                    q.REFUSED,
                ),
                unit=q.COUNTED_CALLS,
            ),
        ),
        (
            Panel(
                title="Calls lost, by reason",
                draws=(_LOST,),
                unit=q.COUNTED_CALLS,
                view=View.AREAS,
            ),
            Panel(
                title="Windows not delivered, by exporter",
                draws=(_NOT_DELIVERED,),
                unit=_WINDOWS,
                view=View.AREAS,
            ),
        ),
        (LogQuery(title="Export lag (EMF)", query=_LAG, view="timeSeries"),),
    ),
)

_COST = Section(
    "What the metrics themselves cost (estimates at list price)",
    (
        (
            Panel(
                title="Tenants with metrics of their own",
                grafana_title="Tenants",
                draws=(_TENANTS,),
                unit=Unit("tenants", "short"),
            ),
            Panel(
                title="Custom metrics a month, essential level",
                draws=(_METRICS_A_MONTH,),
                unit=q.USD,
            ),
            Panel(title="PutMetricData requests", draws=(_REQUESTS,), unit=q.REQUESTS),
        ),
    ),
)

BOARD = Board(
    name="pipeline",
    about="Can these numbers be trusted?\n[the fleet](#dashboards:name={fleet}) · "
    "Above the costs, every line but the first graph's should be zero.",
    sections=(_TRUST, _COST),
    priced=False,
)
