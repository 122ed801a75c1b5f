"""`tenant`: one tenant, whom the reader chooses at the top."""

from __future__ import annotations

from typing import Any

from tenantmetrics.catalog import metric
from tenantmetrics.console.boards.parts import TENANT, body, rds, title
from tenantmetrics.console.settings import Settings
from tenantmetrics.console.widgets import Grid, expression, graph, insights, line, logs

__all__ = ["build"]

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


def build(settings: Settings) -> dict[str, Any]:
    """The dashboard's body."""
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
            graph(
                "Error rate",
                [rate, percent],
                unit="%",
                alarms_at={"tenant-error-rate": 100 * settings.threshold("TenantErrorRatio")},
            ),
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
                alarms_at={"largest-share": settings.threshold("NoisySharePercent")},
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
    return body(grid) | {"variables": [_variable(settings)]}


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


def _cost_to_date(settings: Settings) -> list[list[Any]]:
    """The tenant's requests, and its share of the compute by database time."""
    whose = (TENANT,)
    requests = f"FILL(billed, 0) * {settings.usd_per_million_requests} / 1000000"
    compute = f"FILL(mine, 0) / busy * acu * PERIOD(busy) / 3600 * {settings.usd_per_acu_hour}"
    return [
        line(settings, metric("BilledRequests"), "Sum", whose, id="billed", visible=False),
        line(settings, metric("DatabaseDuration"), "Sum", whose, id="mine", visible=False),
        line(settings, metric("DatabaseDuration", fleet=True), "Sum", id="busy", visible=False),
        rds(settings, "ServerlessDatabaseCapacity", id="acu", visible=False),
        expression(f"RUNNING_SUM({requests})", "Data API", id="api"),
        expression(f"RUNNING_SUM({compute})", "compute", id="compute"),
    ]
