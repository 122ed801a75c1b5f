"""The SQL of the cost stage, over one relation with the ledger's columns.

Only sums of integers leave the database, so the result does not depend on the order of rows or on
how many threads read them. Losses stand in rows whose other numbers are 0 and change no sum.
"""

from __future__ import annotations

__all__ = ["CLUSTERS", "COLUMNS_READ", "HOURS", "LOSSES", "TENANTS"]

COLUMNS_READ = (
    "window_start",
    "tenant",
    "outcome",
    "resource_arn",
    "calls",
    "duration_ns",
    "billed_requests",
    "request_bytes",
    "response_bytes",
    "rows_returned",
    "rows_written",
    "lost",
)
"""What the queries below touch: what a file must have and a check of a file must read."""

_WITHIN = "window_start >= make_timestamptz($start_us) AND window_start < make_timestamptz($end_us)"
_HOUR = "epoch_us(window_start) // 3600000000"

# By window first: hours are then worked out for thousands of windows, not millions of rows.
HOURS = f"""
SELECT {_HOUR} AS hour, sum(calls) AS calls, sum(duration_ns) AS duration_ns,
       min(epoch_us(window_start)) // 1000000 AS first_s,
       max(epoch_us(window_start)) // 1000000 AS last_s
FROM (
  SELECT window_start, sum(calls) AS calls, sum(duration_ns) AS duration_ns
  FROM usage WHERE {_WITHIN} GROUP BY window_start
) GROUP BY 1 ORDER BY 1
"""  # noqa: S608 - no value in it comes from outside

# `factor` turns an hour's nanoseconds into its share of the period's capacity. The product is the
# same IEEE double on every engine, and its floor an integer, so the sum is exact in any order.
TENANTS = f"""
SELECT tenant, sum(calls) AS calls,
       sum(CASE WHEN outcome <> 'ok' THEN calls ELSE 0 END) AS failed_calls,
       sum(duration_ns) AS duration_ns, sum(billed_requests) AS billed_requests,
       sum(request_bytes) AS request_bytes, sum(response_bytes) AS response_bytes,
       sum(rows_returned) AS rows_returned, sum(rows_written) AS rows_written,
       sum(CAST(floor(duration_ns * factor) AS BIGINT)) AS time_weight
FROM usage JOIN factors ON factors.hour = {_HOUR}
WHERE {_WITHIN} AND lost = 0 GROUP BY tenant ORDER BY tenant
"""  # noqa: S608 - no value in it comes from outside

CLUSTERS = f"""
SELECT DISTINCT resource_arn FROM usage WHERE {_WITHIN} AND lost = 0 ORDER BY resource_arn
"""  # noqa: S608 - no value in it comes from outside

LOSSES = f"""
SELECT outcome AS reason, sum(lost) AS amount FROM usage
WHERE {_WITHIN} AND lost > 0 GROUP BY outcome ORDER BY outcome
"""  # noqa: S608 - no value in it comes from outside
