"""Hours without a table of statements: their calls, as if all were one statement.

A ledger of version 1 has calls and wall time by tenant and no statements. Where the server says how
much it did (DBLoad), or which tenants' sessions worked (Performance Insights, samples of
`pg_stat_activity`), that is enough: what calls took beyond it is overhead, the same for each call.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlglot
from sqlglot import exp

from tenantmetrics.cost import queries
from tenantmetrics.cost.engines import OpenLedger
from tenantmetrics.cost.engines.rewritten import RewrittenLedger
from tenantmetrics.cost.server_time.sql_words import REACHED, double

__all__ = ["OlderCalls"]

_SPREAD = 0.5
"""The variance of one call's wall time, as a part of its mean's square: version 1 has no squares.
The Data API's overhead has a 99th percentile of four times its median, which is 0.43."""
_WINDOW_S = 60


class OlderCalls(RewrittenLedger):
    """The calls of some hours as a table of statements.

    Args:
        ledger: The opened ledger.
        hours: Hours since the epoch whose calls are in no table of statements.

    Attributes:
        hours: The same.
    """

    def __init__(self, ledger: OpenLedger, hours: Collection[int]) -> None:
        super().__init__(ledger)
        self.hours = frozenset(hours)
        calls = _calls(hours)
        self._relations = {
            queries.STATEMENTS: calls,
            queries.STATEMENT_TOTALS: queries.totals_of(f"({calls}) AS older"),
        }

    def source(self, table: exp.Table) -> exp.Query | None:
        """As `RewrittenLedger.source`."""
        relation = self._relations.get(table.name)
        if relation is None:
            return None
        return sqlglot.parse_one(relation, read=queries.Dialect.DUCKDB, into=exp.Select)


def _calls(hours: Collection[int]) -> str:
    net_ns = "duration_ns - coalesce(waited_ns, 0)"
    us = f"(CAST({net_ns} AS DOUBLE) / {double(1000.0)})"
    # A row's calls are as far apart as calls mostly are: one call's square is known.
    more = f"{double(1.0)} + {double(_SPREAD)} * CAST(calls - 1 AS DOUBLE) / CAST(calls AS DOUBLE)"
    squares = f"{us} * {us} / CAST(calls AS DOUBLE) * ({more})"
    return f"""
SELECT window_start, {_WINDOW_S} AS window_s, writer, sequence, tenant, resource_arn,
       '' AS "database", 1 AS fingerprint, 'calls' AS summary, 'work' AS kind, calls,
       duration_ns, coalesce(waited_ns, 0) AS waited_ns,
       CAST(floor({squares}) AS BIGINT) AS duration_us2, request_bytes, response_bytes,
       rows_returned, rows_written
FROM usage
WHERE lost = 0 AND calls > 0 AND {queries.HOUR} IN ({", ".join(map(str, sorted(hours)))})
  AND {REACHED}
"""  # noqa: S608 - numbers and names of ours
