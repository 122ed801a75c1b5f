"""The statements that took a tenant's calls longest, from the ledger's table of statements.

A statement is known by its summary, which says what it does and holds no value.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlglot import exp

from tenantmetrics.cost import queries
from tenantmetrics.cost.engines import OpenLedger
from tenantmetrics.cost.statement import Period

__all__ = ["OTHER_STATEMENTS", "TopStatement", "top_statements"]

OTHER_STATEMENTS = "__other__"
"""The summary of statements past a writer's limit."""

_MOST_NAMES = 200
"""More tenants are not listed in the query: it then looks at all of them."""


@dataclass(frozen=True, slots=True)
class TopStatement:
    """One statement of one tenant, over a period.

    Attributes:
        summary: What it does.
        calls: How often it ran.
        duration_ns: Wall time of its calls.
        rows: Rows that it returned and wrote.
    """

    summary: str
    calls: int
    duration_ns: int
    rows: int


def top_statements(
    ledger: OpenLedger, period: Period, most: int, tenants: Collection[str] = ()
) -> dict[str, tuple[TopStatement, ...]]:
    """Each tenant's statements, the longest first.

    Args:
        ledger: The opened ledger; one of version 1, exported logs and metrics have no statements.
        period: What to sum.
        most: How many of each tenant.
        tenants: Whose; everybody's if empty.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    found: dict[str, list[TopStatement]] = {}
    for tenant, summary, *numbers in ledger.rows(_query(period, most, tenants)):
        found.setdefault(tenant, []).append(TopStatement(summary, *map(int, numbers)))
    # Sorted here, by code point: engines may have an order of their own.
    return {
        tenant: tuple(sorted(of_it, key=lambda one: (-one.duration_ns, one.summary)))
        for tenant, of_it in sorted(found.items())
    }


def _query(period: Period, most: int, tenants: Collection[str]) -> str:
    """Tenant, summary, calls, wall time and rows, of the statements that do work."""
    of_whom = ""
    if 0 < len(tenants) <= _MOST_NAMES:
        names = ", ".join(
            exp.Literal.string(name).sql(dialect=queries.Dialect.DUCKDB) for name in sorted(tenants)
        )
        of_whom = f" AND tenant IN ({names})"
    return f"""
SELECT tenant, summary, calls, duration_ns, all_rows FROM (
  SELECT tenant, summary, sum(calls) AS calls, sum(duration_ns) AS duration_ns,
         sum(rows_returned + rows_written) AS all_rows,
         row_number() OVER (
           PARTITION BY tenant ORDER BY sum(duration_ns) DESC, summary
         ) AS place
  FROM {queries.STATEMENTS}
  WHERE {queries.within(period)}
    AND kind IN ('work', 'cold_work', 'failed', 'cold_failed'){of_whom}
  GROUP BY tenant, summary
) AS sums WHERE place <= {int(most)}
"""  # noqa: S608 - integers of ours, and names that sqlglot quotes
