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
    """An opened ledger that has the table of statements and nothing else.

    Given a `random.Random`, its answers come in an order of that one's choice.
    """

    def __init__(self, rows, order=None, failed=0):
        self.order = order
        self._answers = {}
        # So few rows need no second thread, which would only be started and waited for.
        self._database = duckdb.connect(config={"threads": 1})
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
        if sql not in self._answers:
            text = queries.transpile(sql, queries.Dialect.DUCKDB)
            self._answers[sql] = self._database.execute(text).fetchall()
        found = self._answers[sql].copy()
        if self.order is not None:
            found.sort(key=repr)
            self.order.shuffle(found)
        return found
