"""Parts that more than one CloudWatch dashboard has."""

from __future__ import annotations

from typing import Any

from tenantmetrics.catalog import Metric, metric
from tenantmetrics.console.settings import Settings
from tenantmetrics.console.widgets import Grid, Widget, expression, graph, insights, line

__all__ = [
    "DAY_S", "TENANT", "TOP", "body", "by_tenant", "cluster", "cost", "rds", "title", "top",
]  # fmt: skip

TENANT = "__TENANT__"
"""What the tenant dashboard's variable replaces, everywhere in the body."""

TOP = 10
"""Tenants in a graph of the highest."""

DAY_S = 86_400


def title(name: str, settings: Settings) -> str:
    """Name of the dashboard in CloudWatch."""
    return f"{settings.prefix}-{name}"


def body(grid: Grid) -> dict[str, Any]:
    """A dashboard's body with the grid's widgets."""
    return {"start": "-PT3H", "periodOverride": "inherit", "widgets": grid.widgets}


def rds(settings: Settings, name: str, stat: str = "Average", **options: Any) -> list[Any]:
    """A line of the cluster's own metric."""
    return [
        "AWS/RDS", name, "DBClusterIdentifier", settings.cluster, {"stat": stat, **options},
    ]  # fmt: skip


def cluster(
    settings: Settings, what: str, lines: dict[str, str], unit: str, **options: Any
) -> Widget:
    """A graph of the cluster's own metrics: name → label; options as of `graph`."""
    metrics = [rds(settings, name, label=label) for name, label in lines.items()]
    return graph(what, metrics, unit=unit, **options)


def by_tenant(settings: Settings, name: str, function: str) -> str:
    """The query for the tenants with the highest values."""
    return insights(settings, metric(name), function, group_by="TenantId", limit=TOP)


def top(settings: Settings, what: str, name: str, function: str, unit: str) -> Widget:
    """A graph of the tenants with the highest values."""
    return graph(what, [expression(by_tenant(settings, name, function), id="q1")], unit=unit)


def cost(settings: Settings, billed: Metric) -> list[list[Any]]:
    """What the Data API and the compute cost a day at this pace."""
    price = settings.usd_per_million_requests
    return [
        line(settings, billed, "Sum", id="billed", visible=False),
        rds(settings, "ServerlessDatabaseCapacity", id="acu", visible=False),
        expression(f"billed * {DAY_S} / PERIOD(billed) * {price} / 1000000", "Data API", id="api"),
        expression(f"acu * 24 * {settings.usd_per_acu_hour}", "compute", id="compute"),
    ]
