"""Estimated server time by tenant, window by window, from the window's own statements."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from heapq import nlargest

from tenantmetrics.records import Series, SeriesKey
from tenantmetrics.servertime import Cell, LiveLoad, Moments
from tenantmetrics.statement_table import Kind, StatementTable

__all__ = ["Load"]

_MAX_KEPT = 10_000
"""Tenants whose time waits for a window with billed requests."""
_KINDS = {
    Kind.WORK: (False, False),
    Kind.WORKLESS: (True, False),
    Kind.COLD_WORK: (False, True),
    Kind.COLD_WORKLESS: (True, True),
    Kind.FAILED: (False, False),
    Kind.COLD_FAILED: (False, True),
}


class Load:
    """`LiveLoad` over statement tables.

    A metric of load has the billed requests as its sample count, and none can have a count of 0:
    what a tenant without billed requests has is kept for its next window that has some. Such is the
    part of a long call that lies before its own window.
    """

    def __init__(self) -> None:
        self._live = LiveLoad()
        self._kept: dict[str, int] = {}

    def close(
        self, series: Mapping[SeriesKey, Series], statements: StatementTable
    ) -> dict[str, int]:
        """Take a window; server time by tenant, nanoseconds, of those with billed requests."""
        billed: set[str] = {key.tenant for key, one in series.items() if one.billed_requests}
        found = self._live.window(*_cells(statements))
        for tenant, kept_ns in self._kept.items():
            found[tenant] = found.get(tenant, 0) + kept_ns
        kept = [(tenant, ns) for tenant, ns in found.items() if ns and tenant not in billed]
        self._kept = dict(nlargest(_MAX_KEPT, kept, key=lambda item: item[1]))
        return {tenant: found.get(tenant, 0) for tenant in sorted(billed)}

    def copy(self) -> Load:
        """One that takes windows without changing this one."""
        return copy.deepcopy(self)


def _cells(statements: StatementTable) -> tuple[list[Cell], list[Cell]]:
    """The table's calls by tenant, and by statement: sums, since a cell a row would take memory."""
    by_tenant: dict[tuple[int, str, Kind], Moments] = {}
    by_statement: dict[int, Moments] = {}
    columns = (statements.column(number) for number in range(4))
    for tenant, statement, calls, duration_ns, us2, waited_ns in zip(
        *statements.indexes(), *columns, strict=True
    ):
        moments = Moments(calls, duration_ns - waited_ns, us2)
        arn, _, _, _, kind = statements.statements[statement]
        key = (tenant, arn, Kind(kind))
        known = by_tenant.get(key)
        by_tenant[key] = moments if known is None else known.plus(moments)
        known = by_statement.get(statement)
        by_statement[statement] = moments if known is None else known.plus(moments)
    tenants = [
        Cell(statements.tenants[tenant], arn, 0, *_KINDS[kind], moments)
        for (tenant, arn, kind), moments in by_tenant.items()
    ]
    texts = []
    for statement, moments in by_statement.items():
        arn, _, fingerprint, _, kind = statements.statements[statement]
        texts.append(Cell("", arn, fingerprint, *_KINDS[Kind(kind)], moments))
    return tenants, texts
