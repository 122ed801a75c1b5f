"""`fleet`: every tenant together, the highest of them, and the cluster below."""

from __future__ import annotations

from typing import Any

from tenantmetrics.catalog import metric
from tenantmetrics.console.alarms import names as alarm_names
from tenantmetrics.console.boards.parts import (
    TOP,
    body,
    by_tenant,
    cluster,
    cost,
    rds,
    title,
    top,
)  # fmt: skip
from tenantmetrics.console.settings import Settings
from tenantmetrics.console.widgets import Grid, alarms, expression, graph, line

__all__ = ["build"]


def build(settings: Settings) -> dict[str, Any]:
    """The dashboard's body."""
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
            graph("Estimated cost a day, USD", cost(settings, billed), view="singleValue"),
            graph(
                "ACU",
                [rds(settings, "ServerlessDatabaseCapacity", label="ACU")],
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
            graph(
                "Error rate",
                [rate, percent],
                unit="%",
                alarms_at={"fleet-error-rate": settings.threshold("ErrorRatePercent")},
            ),
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
            graph("Estimated cost a day", cost(settings, billed), unit="USD"),
        ]
    )
    grid.heading(f"## Top {TOP} tenants")
    grid.row(
        [
            top(settings, "Calls by tenant", "DatabaseErrors", "COUNT", "calls a minute"),
            graph(
                "Error rate by tenant",
                [
                    expression(
                        by_tenant(settings, "DatabaseErrors", "AVG"), id="q1", visible=False
                    ),
                    expression("100 * q1", id="e1"),
                ],
                unit="%",
                alarms_at={"tenant-error-rate": 100 * settings.threshold("TenantErrorRatio")},
            ),
            top(settings, "Average latency by tenant", "DatabaseDuration", "AVG", "ms"),
        ]
    )
    grid.row(
        [
            top(settings, "Database time by tenant", "DatabaseDuration", "SUM", "ms a minute"),
            top(
                settings, "Billed requests by tenant", "BilledRequests", "SUM", "requests a minute"
            ),
            graph(
                "Estimated compute cost a day, by share of database time",
                [
                    expression(
                        by_tenant(settings, "DatabaseDuration", "SUM"), id="q1", visible=False
                    ),
                    busy,
                    rds(settings, "ServerlessDatabaseCapacity", id="acu", visible=False),
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
                        by_tenant(settings, "DatabaseDuration", "SUM"), id="q1", visible=False
                    ),
                    busy,
                    expression("100 * q1 / busy", id="share"),
                ],
                unit="%",
                alarms_at={"largest-share": settings.threshold("NoisySharePercent")},
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
            cluster(settings, "Capacity", {"ServerlessDatabaseCapacity": "ACU"}, "ACU"),
            cluster(
                settings,
                "Utilisation",
                {"CPUUtilization": "CPU", "ACUUtilization": "ACU"},
                "%",
                alarms_at={
                    "cluster-cpu": settings.threshold("CpuPercent"),
                    "cluster-acu": settings.threshold("AcuPercent"),
                },
            ),
            cluster(settings, "Connections", {"DatabaseConnections": "connections"}, "connections"),
        ]
    )
    grid.row(
        [
            graph(
                "Storage latency",
                [
                    rds(settings, "ReadLatency", id="read", visible=False),
                    rds(settings, "WriteLatency", id="write", visible=False),
                    expression("1000 * read", "read", id="read_ms"),
                    expression("1000 * write", "write", id="write_ms"),
                ],
                unit="ms",
            ),
            graph(
                "Volume I/O",
                [
                    rds(settings, name, "Sum", label=label)
                    for name, label in (("VolumeReadIOPs", "read"), ("VolumeWriteIOPs", "write"))
                ],
                unit="operations in 5 minutes",
                period_s=300,
            ),
            cluster(settings, "Commit latency", {"CommitLatency": "commit"}, "ms"),
        ]
    )
    return body(grid)
