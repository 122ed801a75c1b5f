"""Lines of CloudWatch widgets over our metrics and the cluster's.

Structure: CloudWatch API reference, "Dashboard Body Structure and Syntax".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantmetrics.catalog import metric
from tenantmetrics.console.settings import Settings

__all__ = ["TENANT", "TOP", "CloudWatch", "expression"]

TENANT = "__TENANT__"
"""What the tenant dashboard's variable replaces, everywhere in the body."""

TOP = 10
"""Tenants in a graph of the highest."""


class CloudWatch:
    """Entries of a widget's `metrics`.

    Args:
        settings: Whose namespace, cluster and prices.
        tenant: Whose metrics; None for the fleet's.
    """

    def __init__(self, settings: Settings, tenant: str | None = None) -> None:
        self.settings = settings
        self.tenant = tenant

    def line(self, name: str, stat: str, *, fleet: bool = False, **options: Any) -> list[Any]:
        """A metric that tenants and the fleet have.

        Args:
            name: Its name in the catalogue.
            stat: Statistic, such as "Sum" or "p99".
            fleet: The fleet's, also on a tenant's dashboard.
            **options: `id`, `label`, `visible`, `yAxis` and the like.
        """
        one_tenant = self.tenant is not None and not fleet
        found = metric(name, fleet=not one_tenant)
        pairs = [*found.dimensions, self.tenant] if one_tenant else []
        return [self.settings.namespace, name, *pairs, {"stat": stat, **options}]

    def own(self, name: str, stat: str, *values: str, **options: Any) -> list[Any]:
        """A metric that is there once: on losses, of one tenant's rows, and the like.

        Args:
            name: Its name in the catalogue.
            stat: Statistic.
            *values: Of its dimensions; on a tenant's dashboard the tenant where none is given.
            **options: As of `line`.
        """
        found = metric(name)
        given = values or ((self.tenant,) if found.dimensions and self.tenant else ())
        pairs = [text for pair in zip(found.dimensions, given, strict=True) for text in pair]
        return [self.settings.namespace, name, *pairs, {"stat": stat, **options}]

    def rds(self, name: str, stat: str = "Average", **options: Any) -> list[Any]:
        """The cluster's own metric."""
        dimension = ("DBClusterIdentifier", self.settings.cluster)
        return ["AWS/RDS", name, *dimension, {"stat": stat, **options}]

    def insights(
        self,
        name: str,
        function: str,
        group_by: str,
        *,
        where: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> str:
        """A Metrics Insights query over exactly the dimensions that the metric is published with.

        Args:
            name: A metric; its dimensions go into SCHEMA(), without which other sets mix in.
            function: SUM, AVG, COUNT and the like.
            group_by: A dimension.
            where: Dimensions and their values.
            limit: Series at most, those with the highest values; None for all that there are.
        """
        namespace = self.settings.namespace.replace('"', '""')
        schema = ", ".join([f'"{namespace}"', *metric(name).dimensions])
        text = f"SELECT {function}({name}) FROM SCHEMA({schema})"  # noqa: S608 - of the catalogue
        if where:
            pairs = (f"{dimension} = '{value}'" for dimension, value in where.items())
            text += " WHERE " + " AND ".join(pairs)
        text += f" GROUP BY {group_by} ORDER BY {function}() DESC"
        return text if limit is None else f"{text} LIMIT {limit}"

    def top(self, name: str, function: str, **options: Any) -> list[Any]:
        """The tenants with the highest values, as `q1`."""
        query = self.insights(name, function, "TenantId", limit=TOP)
        return expression(query, id="q1", **options)


def expression(text: str, label: str = "", **options: Any) -> list[Any]:
    """Metric math or Metrics Insights as an entry of a widget's `metrics`."""
    options = {"expression": text, **options}
    if label:
        options["label"] = label
    return [options]
