"""A ledger as far as it is of some clusters: one's bill must not fall on tenants of another."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from sqlglot import exp

from tenantmetrics.arns import region_of
from tenantmetrics.cost import queries
from tenantmetrics.cost.bill import BillFilter
from tenantmetrics.cost.bill.model import pattern_of
from tenantmetrics.cost.cluster_names import account_of, short
from tenantmetrics.cost.engines import OpenLedger
from tenantmetrics.cost.engines.rewritten import RewrittenLedger
from tenantmetrics.cost.list_prices import Capacity
from tenantmetrics.errors import ReportError

__all__ = ["OfClusters", "clusters_of_bill", "clusters_of_capacity"]


_USAGE = {queries.RELATION, queries.USAGE_TOTALS}
_RELATIONS = {*_USAGE, queries.STATEMENTS, queries.STATEMENT_TOTALS}


def clusters_of_bill(clusters: Sequence[str], only: BillFilter | None) -> list[str]:
    """The clusters that a bill's filter leaves.

    Args:
        clusters: ARNs of the clusters that were called.
        only: The filter. A ledger of one cluster may know it by another name than the bill does.

    Raises:
        ReportError: Several clusters were called, and none is the filter's.
    """
    if only is None:
        return list(clusters)
    found = list(clusters)
    if only.cluster:
        names = "|".join(f"({pattern_of(name)})" for name in (only.cluster, *only.resources))
        pattern = re.compile(names)
        found = [arn for arn in found if pattern.fullmatch(arn)]
        if not found and len(clusters) == 1:
            # A ledger of one cluster may know it by another name than the bill's resources have.
            found = list(clusters)
    if only.account:
        of_account = [arn for arn in found if account_of(arn) in {"", only.account}]
        # Of the one cluster, an account that is named is believed.
        found = of_account if len(clusters) > 1 else found
    if not found:
        raise ReportError(
            f"the bill is filtered by {only.cluster or only.account!r} and the usage is of "
            f"{', '.join(clusters)}: name the one of them that the bill is of"
        ).about("bill_cluster")
    return found


class OfClusters(RewrittenLedger):
    """The rows of some clusters, and losses, which are no cluster's.

    Args:
        ledger: The opened ledger.
        arns: The clusters.
    """

    def __init__(self, ledger: OpenLedger, arns: Collection[str]) -> None:
        super().__init__(ledger)
        self._arns = sorted(arns)

    def source(self, table: exp.Table) -> exp.Query | None:
        """As `RewrittenLedger.source`."""
        if table.name not in _RELATIONS:
            return None
        arns = [exp.Literal.string(arn) for arn in self._arns]
        wanted: exp.Condition = exp.column("resource_arn").isin(*arns)
        if table.name in _USAGE:
            wanted = exp.or_(wanted, exp.column("lost") > exp.Literal.number(0))
        return exp.select("*").from_(table.copy()).where(wanted)


def clusters_of_capacity(clusters: Sequence[str], capacity: Capacity | None) -> list[str]:
    """The clusters that the capacity is of: one that is named is of no other's usage.

    Args:
        clusters: ARNs of the clusters that were called.
        capacity: What is known of it.

    Raises:
        ReportError: Clusters are known by name, and none has the capacity's.
    """
    name = capacity.cluster if capacity is not None else None
    if name is None:
        return list(clusters)
    found = [arn for arn in clusters if name in {arn, short(arn)}]
    if found:
        return found
    if len(clusters) > 1 and all(region_of(arn) for arn in clusters):
        raise ReportError(
            f"the capacity is of cluster {name!r} and the usage of {', '.join(clusters)}: name the "
            "one of them that it is of"
        ).about("cluster")
    return list(clusters)
