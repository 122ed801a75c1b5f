"""`pipeline`: whether the numbers can be trusted, and what they cost."""

from __future__ import annotations

from typing import Any

from tenantmetrics.catalog import metric
from tenantmetrics.console.boards.parts import body, title
from tenantmetrics.console.settings import Settings
from tenantmetrics.console.widgets import Grid, expression, graph, insights, line, logs
from tenantmetrics.health import Loss

__all__ = ["build"]

# A document's timestamp is the start of its minute.
_LAG = (
    "filter ispresent(WindowStart) "
    "| stats max(@ingestionTime - @timestamp) / 1000 - 60 as seconds_late by bin(5m)"
)


def build(settings: Settings) -> dict[str, Any]:
    """The dashboard's body."""
    grid = Grid(settings)
    grid.heading(
        "# Can these numbers be trusted?\n"
        f"[the fleet](#dashboards:name={title('fleet', settings)}) · "
        "Above the costs, every line but the first graph's should be zero.",
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
                    expression("TIME_SERIES(METRIC_COUNT(q1))", "tenants", id="count"),
                ],
                unit="tenants",
            ),
            graph(
                "Custom metrics a month, essential level",
                [
                    expression(tenants, id="q1", visible=False),
                    expression(
                        f"TIME_SERIES(METRIC_COUNT(q1) * 3 * {settings.usd_per_metric_month})",
                        "USD",
                        id="cost",
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
    return body(grid)
