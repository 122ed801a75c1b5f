"""Rows of the ledger's table of statements, as an opened ledger."""

import duckdb
import pyarrow as pa

from tenantmetrics.cost import queries

__all__ = ["COLUMNS", "Opened"]

COLUMNS = (
    "start", "window_s", "writer", "sequence", "tenant", "resource_arn", "database", "fingerprint",
    "summary", "kind", "calls", "duration_ns", "waited_ns", "duration_us2", "request_bytes",
    "response_bytes", "rows_returned", "rows_written",
)  # fmt: skip


class Opened:
    """An opened ledger that has the table of statements and nothing else."""

    def __init__(self, rows, failed=0):
        self._database = duckdb.connect()
        columns = {name: [row[n] for row in rows] for n, name in enumerate(COLUMNS)}
        self._database.register("given", pa.table(columns))
        self._database.execute(
            "CREATE VIEW statements AS SELECT to_timestamp(start) AS window_start, "
            "* EXCLUDE (start) FROM given"
        )
        # Its calls that failed, and no others.
        self._database.execute(
            f"CREATE VIEW usage AS SELECT window_start, resource_arn, {failed} AS calls, "
            "'DatabaseErrorException' AS outcome, 0 AS lost FROM statements LIMIT 1"
        )
        self._database.execute(
            f"CREATE VIEW {queries.STATEMENT_TOTALS} AS {queries.totals_of(queries.STATEMENTS)}"
        )

    def rows(self, sql):
        text = queries.transpile(sql, queries.Dialect.DUCKDB)
        return self._database.execute(text).fetchall()
