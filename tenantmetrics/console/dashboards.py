"""The three CloudWatch dashboards: `fleet`, `tenant` and `pipeline`.

Committed under `dashboards/cloudwatch/` as built with the default settings; `dashboards put` builds
them anew for the caller's namespace, region, cluster and log group.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tenantmetrics.catalog import Metric, metric
from tenantmetrics.console.alarms import names as alarm_names
from tenantmetrics.console.settings import Settings
from tenantmetrics.console.widgets import (
    Grid,
    Widget,
    alarms,
    expression,
    graph,
    insights,
    line,
    logs,
)
from tenantmetrics.health import Loss

__all__ = ["NAMES", "TENANT", "build", "render", "title"]

TENANT = "__TENANT__"
"""What the tenant dashboard's variable replaces, everywhere in the body."""

_DAY_S = 86_400

_ERRORS = (
    f"filter TenantId = '{TENANT}' and StatusCode != 'ok' "
    "| stats sum(DatabaseOperations) as calls, max(@timestamp) as last by Operation, StatusCode "
    "| sort calls desc | limit 50"
)

# Values rise, so the last one is the slowest call of its minute.
_SLOWEST = (
    f"filter TenantId = '{TENANT}' and ispresent(BilledRequests) "
    '| parse @message /"DatabaseDuration": \\{"Values": '
    "\\[(?:[^\\]]*, )?(?<slowest_ms>[0-9.e+]+)\\]/ "
    "| fields @timestamp, slowest_ms, BilledRequests | sort slowest_ms desc | limit 50"
)

# A document's timestamp is the start of its minute.
_LAG = (
    "filter ispresent(WindowStart) "
    "| stats max(@ingestionTime - @timestamp) / 1000 - 60 as seconds_late by bin(5m)"
)
_TOP = 10


def build(name: str, settings: Settings) -> dict[str, Any]:
    """A dashboard's body.

    Args:
        name: One of `NAMES`.
        settings: What it is built for.
    """
    return _BUILDERS[name](settings)


def render(body: dict[str, Any]) -> str:
    """A body as it is committed and put: JSON, one way to write it."""
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def title(name: str, settings: Settings) -> str:
    """Name of the dashboard in CloudWatch."""
    return f"{settings.prefix}-{name}"


def _fleet(settings: Settings) -> dict[str, Any]:
    duration, errors, billed = (
        metric(name, fleet=True)
        for name in ("DatabaseDuration", "DatabaseErrors", "BilledRequests")
    )
    grid = Grid(settings)
    grid.heading(
        f"# Fleet: every tenant on `{settings.cluster}`\n"
        f"[one tenant](#dashboards:name={title('tenant', settings)}) · "
        f"[the metrics' own health](#dashboards:name={title('pipeline', settings)}) · "
        "Database time is the client's wall time: the Data API reports none of its own. "
        "Costs are estimates at list price.",
        2,
    )
    calls = line(settings, errors, "SampleCount", label="calls")
    rate = line(settings, errors, "Average", id="rate", visible=False)
    percent = expression("100 * rate", "errors, %", id="percent")
    quantiles = [line(settings, duration, stat, label=stat) for stat in ("p50", "p95", "p99")]
    requests = line(settings, billed, "Sum", label="billed requests")
    grid.row(
        [
            graph("Calls a minute", [calls], view="singleValue"),
            graph("Error rate, %", [rate, percent], view="singleValue"),
            graph("Latency p99, ms", quantiles[2:], view="singleValue"),
            graph("Billed requests a minute", [requests], view="singleValue"),
            graph("Estimated cost a day, USD", _cost(settings, billed), view="singleValue"),
            graph(
                "ACU",
                [_rds(settings, "ServerlessDatabaseCapacity", label="ACU")],
                view="singleValue",
            ),
        ],
        3,
    )
    states = [
        f"arn:aws:cloudwatch:{settings.region}:{settings.account}:alarm:{name}"
        for name in alarm_names(settings.prefix)
    ]
    grid.row([alarms("Alarms", states)], 4)
    grid.row(
        [
            graph("Calls", [calls], unit="calls a minute"),
            graph("Error rate", [rate, percent], unit="%"),
            graph("Latency", quantiles, unit="ms"),
        ]
    )
    busy = line(settings, duration, "Sum", id="busy", visible=False)
    grid.row(
        [
            graph(
                "Database time: calls in flight on average",
                [busy, expression("busy / 1000 / PERIOD(busy)", "calls in flight", id="load")],
                unit="calls",
            ),
            graph("Billed requests", [requests], unit="requests a minute"),
            graph("Estimated cost a day", _cost(settings, billed), unit="USD"),
        ]
    )
    grid.heading(f"## Top {_TOP} tenants")
    grid.row(
        [
            _top(settings, "Calls by tenant", "DatabaseErrors", "COUNT", "calls a minute"),
            _top_math(settings, "Error rate by tenant", "DatabaseErrors", "AVG", "100 * q1", "%"),
            _top(settings, "Average latency by tenant", "DatabaseDuration", "AVG", "ms"),
        ]
    )
    grid.row(
        [
            _top(settings, "Database time by tenant", "DatabaseDuration", "SUM", "ms a minute"),
            _top(
                settings, "Billed requests by tenant", "BilledRequests", "SUM", "requests a minute"
            ),
            graph(
                "Estimated compute cost a day, by share of database time",
                [
                    expression(
                        _by_tenant(settings, "DatabaseDuration", "SUM"), id="q1", visible=False
                    ),
                    busy,
                    _rds(settings, "ServerlessDatabaseCapacity", id="acu", visible=False),
                    expression(f"q1 / busy * acu * 24 * {settings.usd_per_acu_hour}", id="cost"),
                ],
                unit="USD",
            ),
        ]
    )
    grid.row(
        [
            graph(
                "Noisy neighbour: share of all database time",
                [
                    expression(
                        _by_tenant(settings, "DatabaseDuration", "SUM"), id="q1", visible=False
                    ),
                    busy,
                    expression("100 * q1 / busy", id="share"),
                ],
                unit="%",
            ),
            graph(
                "Calls whose tenant is unknown, or two of them",
                [
                    line(settings, metric("UnattributedCalls"), "Sum", label="unattributed"),
                    line(settings, metric("TenantConflicts"), "Sum", label="conflicts"),
                ],
                unit="calls a minute",
            ),
            graph(
                "Throttled, timed out, resuming (detailed metrics)",
                [
                    expression(
                        "SEARCH('{"
                        f'"{settings.namespace}",TenantId,Operation,StatusCode'
                        '} MetricName="DatabaseOperations" '
                        'StatusCode=("ThrottlingException" OR "StatementTimeoutException" OR '
                        "\"DatabaseResumingException\")', 'Sum', 60)",
                        id="trouble",
                    )
                ],
                unit="calls a minute",
            ),
        ]
    )
    grid.heading(f"## Cluster `{settings.cluster}`")
    grid.row(
        [
            _cluster(settings, "Capacity", {"ServerlessDatabaseCapacity": "ACU"}, "ACU"),
            _cluster(
                settings, "Utilisation", {"CPUUtilization": "CPU", "ACUUtilization": "ACU"}, "%"
            ),
            _cluster(
                settings, "Connections", {"DatabaseConnections": "connections"}, "connections"
            ),
        ]
    )
    grid.row(
        [
            _cluster(
                settings, "Storage latency", {"ReadLatency": "read", "WriteLatency": "write"}, "s"
            ),
            graph(
                "Volume I/O",
                [
                    _rds(settings, name, "Sum", label=label)
                    for name, label in (("VolumeReadIOPs", "read"), ("VolumeWriteIOPs", "write"))
                ],
                unit="operations in 5 minutes",
                period_s=300,
            ),
            _cluster(settings, "Commit latency", {"CommitLatency": "commit"}, "ms"),
        ]
    )
    return _body(grid)


def _tenant(settings: Settings) -> dict[str, Any]:
    duration, errors, billed = (
        metric(name) for name in ("DatabaseDuration", "DatabaseErrors", "BilledRequests")
    )
    whose = (TENANT,)
    grid = Grid(settings)
    grid.heading(
        f"# Tenant `{TENANT}`\n[the fleet](#dashboards:name={title('fleet', settings)}) · "
        "Choose the tenant at the top. Costs are estimates at list price.",
        2,
    )
    calls = line(settings, errors, "SampleCount", whose, label="calls")
    rate = line(settings, errors, "Average", whose, id="rate", visible=False)
    percent = expression("100 * rate", "errors, %", id="percent")
    quantiles = [
        line(settings, duration, stat, whose, label=stat) for stat in ("p50", "p95", "p99")
    ]
    cost = _cost_to_date(settings)
    grid.row(
        [
            graph("Calls a minute", [calls], view="singleValue"),
            graph("Error rate, %", [rate, percent], view="singleValue"),
            graph("Latency p99, ms", quantiles[2:], view="singleValue"),
            graph("Estimated cost in the time shown, USD", cost, view="singleValue"),
        ],
        3,
    )
    grid.row(
        [
            graph("Calls", [calls], unit="calls a minute"),
            graph("Error rate", [rate, percent], unit="%"),
            graph("Latency", quantiles, unit="ms"),
        ]
    )
    mine = line(settings, duration, "Sum", whose, id="mine", visible=False)
    everyone = line(
        settings, metric("DatabaseDuration", fleet=True), "Sum", id="busy", visible=False
    )
    grid.row(
        [
            graph(
                "Share of all database time",
                [mine, everyone, expression("100 * mine / busy", "share, %", id="share")],
                unit="%",
            ),
            graph(
                "Billed requests",
                [line(settings, billed, "Sum", whose, label="billed requests")],
                unit="requests a minute",
            ),
            graph("Estimated cost to date", cost, unit="USD"),
        ]
    )
    grid.heading("## What it does (detailed metrics)")
    operations = metric("DatabaseOperations")
    only = {"TenantId": TENANT}
    grid.row(
        [
            graph(
                f"Calls by {what}",
                [
                    expression(
                        insights(settings, operations, "SUM", where=only, group_by=dimension),
                        id="q1",
                    )
                ],
                unit="calls a minute",
                stacked=True,
            )
            for what, dimension in (("operation", "Operation"), ("outcome", "StatusCode"))
        ]
    )
    grid.row(
        [
            graph(
                f"{what} a minute",
                [line(settings, metric(name), "Sum", whose, label=label) for name, label in lines],
                unit=unit,
            )
            for what, unit, lines in (
                ("Bytes", "bytes", (("RequestBytes", "requests"), ("ResponseBytes", "responses"))),
                ("Rows", "rows", (("RowsReturned", "returned"), ("RowsWritten", "written"))),
            )
        ]
    )
    grid.heading("## From the EMF documents")
    grid.row(
        [
            logs("Errors by operation and code (detailed metrics)", settings.log_group, _ERRORS),
            logs("Slowest calls, minute by minute", settings.log_group, _SLOWEST),
        ]
    )
    return _body(grid) | {"variables": [_variable(settings)]}


def _pipeline(settings: Settings) -> dict[str, Any]:
    grid = Grid(settings)
    grid.heading(
        "# Can these numbers be trusted?\n"
        f"[the fleet](#dashboards:name={title('fleet', settings)}) · "
        "Every line but the first graph's should be zero.",
        2,
    )
    unattributed = metric("UnattributedCalls")
    dropped, failures = metric("CallsDropped"), metric("ExportFailures")
    grid.row(
        [
            graph(
                "Windows that arrived (a gap: nothing was delivered, or nothing called)",
                [line(settings, unattributed, "SampleCount", label="windows")],
                unit="windows a minute",
            ),
            graph(
                "Calls with no tenant, two tenants, or folded into __overflow__",
                [
                    line(settings, metric(name), "Sum", label=label)
                    for name, label in (
                        ("UnattributedCalls", "unattributed"),
                        ("TenantConflicts", "conflicts"),
                        ("SeriesOverflow", "overflow"),
                    )
                ],
                unit="calls a minute",
            ),
        ]
    )
    reasons = [
        one
        for one in Loss
        if one not in {Loss.SERIES_CAP, Loss.EXPORT_FAILED, Loss.EXPORT_UNCERTAIN}
    ]
    grid.row(
        [
            graph(
                "Calls lost, by reason",
                [line(settings, dropped, "Sum", (one,), label=one.value) for one in reasons],
                unit="calls a minute",
                stacked=True,
            ),
            graph(
                "Windows not delivered, by exporter",
                [expression(insights(settings, failures, "SUM", group_by="Exporter"), id="q1")],
                unit="windows a minute",
                stacked=True,
            ),
        ]
    )
    grid.row([logs("Export lag (EMF)", settings.log_group, _LAG, view="timeSeries")])
    grid.heading("## What the metrics themselves cost (estimates at list price)")
    usage = ["AWS/Usage", "CallCount", "Type", "API", "Resource", "PutMetricData"]
    usage += ["Service", "CloudWatch", "Class", "None"]
    tenants = insights(settings, metric("BilledRequests"), "SUM", group_by="TenantId", limit=500)
    grid.row(
        [
            graph(
                "Tenants with metrics of their own",
                [
                    expression(tenants, id="q1", visible=False),
                    expression("METRIC_COUNT(q1)", "tenants", id="count"),
                ],
                unit="tenants",
            ),
            graph(
                "Custom metrics a month, essential level",
                [
                    expression(tenants, id="q1", visible=False),
                    expression(
                        f"METRIC_COUNT(q1) * 3 * {settings.usd_per_metric_month}", "USD", id="cost"
                    ),
                ],
                unit="USD",
            ),
            graph(
                "PutMetricData requests",
                [[*usage, {"stat": "Sum", "label": "requests of the account"}]],
                unit="requests a minute",
            ),
        ]
    )
    return _body(grid)


_BUILDERS: dict[str, Callable[[Settings], dict[str, Any]]] = {
    "fleet": _fleet,
    "tenant": _tenant,
    "pipeline": _pipeline,
}

NAMES = tuple(_BUILDERS)
"""Names of the dashboards, as their files have them."""


def _body(grid: Grid) -> dict[str, Any]:
    return {"start": "-PT3H", "periodOverride": "inherit", "widgets": grid.widgets}


def _variable(settings: Settings) -> dict[str, Any]:
    return {
        "type": "pattern",
        "pattern": TENANT,
        "id": "tenant",
        "label": "Tenant",
        "inputType": "select",
        "visible": True,
        "defaultValue": "__FIRST",
        "search": f'{{"{settings.namespace}",TenantId}} MetricName="BilledRequests"',
        "populateFrom": "TenantId",
    }


def _rds(settings: Settings, name: str, stat: str = "Average", **options: Any) -> list[Any]:
    return [
        "AWS/RDS", name, "DBClusterIdentifier", settings.cluster, {"stat": stat, **options},
    ]  # fmt: skip


def _cluster(settings: Settings, what: str, lines: dict[str, str], unit: str) -> Widget:
    metrics = [_rds(settings, name, label=label) for name, label in lines.items()]
    return graph(what, metrics, unit=unit)


def _by_tenant(settings: Settings, name: str, function: str) -> str:
    return insights(settings, metric(name), function, group_by="TenantId", limit=_TOP)


def _top(settings: Settings, what: str, name: str, function: str, unit: str) -> Widget:
    return graph(what, [expression(_by_tenant(settings, name, function), id="q1")], unit=unit)


def _top_math(  # noqa: PLR0917 - one more than `_top`
    settings: Settings, what: str, name: str, function: str, math: str, unit: str
) -> Widget:
    query = expression(_by_tenant(settings, name, function), id="q1", visible=False)
    return graph(what, [query, expression(math, id="e1")], unit=unit)


def _cost(settings: Settings, billed: Metric) -> list[list[Any]]:
    price = settings.usd_per_million_requests
    return [
        line(settings, billed, "Sum", id="billed", visible=False),
        _rds(settings, "ServerlessDatabaseCapacity", id="acu", visible=False),
        expression(f"billed * {_DAY_S} / PERIOD(billed) * {price} / 1000000", "Data API", id="api"),
        expression(f"acu * 24 * {settings.usd_per_acu_hour}", "compute", id="compute"),
    ]


def _cost_to_date(settings: Settings) -> list[list[Any]]:
    """The tenant's requests, and its share of the compute by database time."""
    whose = (TENANT,)
    requests = f"FILL(billed, 0) * {settings.usd_per_million_requests} / 1000000"
    compute = f"FILL(mine, 0) / busy * acu * PERIOD(busy) / 3600 * {settings.usd_per_acu_hour}"
    return [
        line(settings, metric("BilledRequests"), "Sum", whose, id="billed", visible=False),
        line(settings, metric("DatabaseDuration"), "Sum", whose, id="mine", visible=False),
        line(settings, metric("DatabaseDuration", fleet=True), "Sum", id="busy", visible=False),
        _rds(settings, "ServerlessDatabaseCapacity", id="acu", visible=False),
        expression(f"RUNNING_SUM({requests})", "Data API", id="api"),
        expression(f"RUNNING_SUM({compute})", "compute", id="compute"),
    ]
