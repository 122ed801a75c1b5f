"""The SQL of the cost stage: one source, and every engine's dialect made from it.

The source is DuckDB's SQL, held to what DuckDB, Athena and Spark all have and all mean alike; it
reads one relation, `usage`, with the ledger's columns. Three things make the results the same
everywhere:

- only sums, counts and extremes of integers leave the database, so neither the order of rows nor
  the number of threads can change them;
- moments are compared as seconds since the epoch, which no session's time zone touches;
- `wall_factor` and `net_factor`, which turn an hour's nanoseconds into a share of the period's
  capacity, travel as the shortest text that reads back as the same IEEE double. Its product with
  an integer is the same double on every engine, and the floor of that an integer.

Losses stand in rows whose other numbers are 0 and change no sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from enum import StrEnum
from itertools import pairwise

import sqlglot
from sqlglot import exp

from tenantmetrics.cost.hour_factors import HOUR, joined
from tenantmetrics.cost.statement import Period, Usage

__all__ = [
    "COLUMNS_READ",
    "COLUMNS_SINCE_2",
    "HOUR",
    "RELATION",
    "STATEMENTS",
    "STATEMENT_TOTALS",
    "USAGE_TOTALS",
    "Dialect",
    "days",
    "hours",
    "losses",
    "parsed",
    "tenants",
    "totals_of",
    "transpile",
    "usage_totals_of",
    "wholeness",
    "windows",
    "within",
]

RELATION = "usage"
"""The ledger's main table."""

STATEMENTS = "statements"
"""Its table of statements, for `cost.server_time`; without rows in a ledger of version 1."""

STATEMENT_TOTALS = "statement_totals"
"""Its sums by window and statement, over all tenants. Files may say them without their rows."""

USAGE_TOTALS = "usage_totals"
"""The main table's sums by window and cluster, likewise; what was lost is apart, `is_lost` 1."""

COLUMNS_READ = (
    "window_start",
    "writer",
    "sequence",
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

COLUMNS_SINCE_2 = ("waited_ns",)
"""Read too, and 0 in the rows of files of version 1, which do not have them."""

_DAY_S = 86_400
_WAITED = "coalesce(waited_ns, 0)"


def totals_of(relation: str) -> str:
    """The sums that `STATEMENT_TOTALS` has, from the rows of a relation like `STATEMENTS`."""
    return f"""
SELECT window_start, max(window_s) AS window_s, writer, resource_arn, fingerprint, kind,
       sum(calls) AS calls, sum(duration_ns - waited_ns) AS net_ns, sum(duration_us2) AS us2,
       sum(request_bytes + response_bytes) AS bytes, sum(rows_written) AS rows_written
FROM {relation} GROUP BY window_start, writer, resource_arn, fingerprint, kind
"""  # noqa: S608 - names of our own


def usage_totals_of(relation: str) -> str:
    """The sums that `USAGE_TOTALS` has, from the rows of a relation like `RELATION`."""
    is_lost = "CASE WHEN lost > 0 THEN 1 ELSE 0 END"
    return f"""
SELECT window_start, writer, resource_arn, {is_lost} AS is_lost, sum(calls) AS calls,
       sum(duration_ns) AS duration_ns, sum({_WAITED}) AS waited_ns, sum(lost) AS lost
FROM {relation} GROUP BY window_start, writer, resource_arn, {is_lost}
"""  # noqa: S608 - names of our own


def _sum_of(name: str) -> str:
    """A tenant's sum of a column.

    Doubles add whole numbers exactly up to 2^53, and DuckDB adds them at half of what its sums of
    BIGINT cost, which have 128 bits. So many calls, rows or bytes (9 PB) no tenant has in a month;
    so many nanoseconds (104 days) it may have.
    """
    if name == "duration_ns":
        return f"sum({name})"
    of = "CASE WHEN outcome <> 'ok' THEN calls ELSE 0 END" if name == "failed_calls" else name
    return f"CAST(sum(CAST({of} AS DOUBLE)) AS BIGINT)"


_USAGE = ", ".join(f"{_sum_of(field.name)} AS {field.name}" for field in fields(Usage))
"""The fields of `Usage`, in order."""


class Dialect(StrEnum):
    """The engines' SQL, by sqlglot's names."""

    DUCKDB = "duckdb"
    ATHENA = "athena"
    SPARK = "spark"


def transpile(sql: str, dialect: Dialect) -> str:
    """A query of this stage in an engine's dialect.

    DuckDB has the totals as relations of their own; the others work them out of the rows.
    """
    if dialect is Dialect.DUCKDB:
        return sql  # as it is written
    return parsed(sql).sql(dialect)


def parsed(sql: str) -> exp.Query:
    """A query of this stage for engines that have the tables' rows and nothing else."""
    return with_sources(sql, _totals)


def with_sources(sql: str, source: Callable[[exp.Table], exp.Query | None]) -> exp.Query:
    """A query of this stage that reads other queries in the place of tables.

    Args:
        sql: The query.
        source: What to read in the place of a table; None for the table itself.
    """
    query = sqlglot.parse_one(sql, read=Dialect.DUCKDB, into=exp.Select)
    for table in list(query.find_all(exp.Table)):
        if (other := source(table)) is not None:
            table.replace(other.subquery(table.alias_or_name, copy=False))
    return query


def _totals(table: exp.Table) -> exp.Query | None:
    totals = {STATEMENT_TOTALS: totals_of(STATEMENTS), USAGE_TOTALS: usage_totals_of(RELATION)}
    if table.name not in totals:
        return None
    return sqlglot.parse_one(totals[table.name], read=Dialect.DUCKDB, into=exp.Select)


def hours(period: Period, most_writers: int) -> str:
    """Hour since the epoch, cluster, writer; the fields of `HourUsage` in order; what was lost.

    By hour and cluster with no writer, and by cluster and writer with no hour: those writers with
    the most calls. Of the windows' totals: the rest is then worked out for thousands of windows,
    not for millions of rows.
    """
    return f"""
SELECT hour, resource_arn, writer, calls, duration_ns, waited_ns, first_s, last_s, lost FROM (
  SELECT hour, resource_arn, writer, sum(calls) AS calls, sum(duration_ns) AS duration_ns,
         sum(waited_ns) AS waited_ns, CAST(floor(min(start_s)) AS BIGINT) AS first_s,
         CAST(floor(max(start_s)) AS BIGINT) AS last_s, sum(lost) AS lost,
         row_number() OVER (
           PARTITION BY CASE WHEN writer IS NULL THEN 0 ELSE 1 END
           ORDER BY sum(calls) DESC, writer, resource_arn
         ) AS place
  FROM (
    SELECT {HOUR} AS hour, resource_arn, writer, epoch(window_start) AS start_s, calls,
           duration_ns, waited_ns, lost
    FROM {USAGE_TOTALS} WHERE {within(period)}
  ) AS in_period GROUP BY GROUPING SETS ((hour, resource_arn), (resource_arn, writer))
) AS sums WHERE writer IS NULL OR place <= {most_writers}
"""  # noqa: S608 - integers of ours


def tenants(
    period: Period, wall_factors: Mapping[int, float], net_factors: Mapping[int, float]
) -> str:
    """Tenant, the fields of `Usage` in order, and those of `TenantUsage` after them.

    Args:
        period: What to sum.
        wall_factors: What a nanosecond of each hour's wall time weighs; where any factors are
            given, every hour must have one here.
        net_factors: What a nanosecond of wall time less waits weighs; other hours count nothing
            of it.
    """
    source = RELATION
    wall_weight = net_ns = net_weight = "0"
    if named := sorted({*wall_factors, *net_factors}):
        source = joined(
            RELATION,
            {"net": "BIGINT", "wall_factor": "DOUBLE", "net_factor": "DOUBLE"},
            (
                (
                    hour,
                    int(hour in net_factors),
                    wall_factors.get(hour, 0),
                    net_factors.get(hour, 0),
                )
                for hour in named
            ),
        )
    # What is not asked for is not worked out: there may be a hundred million rows.
    if any(wall_factors.values()):
        wall_weight = "sum(CAST(floor(duration_ns * wall_factor) AS BIGINT))"
    if net_factors:
        net_ns = f"sum((duration_ns - {_WAITED}) * net)"
        net_weight = f"sum(CAST(floor((duration_ns - {_WAITED}) * net_factor) AS BIGINT))"
    return f"""
SELECT tenant, {_USAGE},
       sum({_WAITED}) AS waited_ns, {wall_weight} AS wall_weight, {net_ns} AS net_ns,
       {net_weight} AS net_weight
FROM {source}
WHERE {within(period)} AND lost = 0 GROUP BY tenant
"""  # noqa: S608 - numbers of ours


def days(period: Period, borders: Sequence[int]) -> str:
    """Tenant and number of the day, then the fields of `usage.DayUsage` in order.

    Args:
        period: What to sum.
        borders: Where its days begin, in seconds since the epoch.
    """
    moment = "epoch(window_start)"
    number = f"CAST(floor(({moment} - {borders[0]}) / 86400) AS BIGINT)"
    if any(two - one != _DAY_S for one, two in pairwise(borders)):
        # Where the clock is set, a day has 23 or 25 hours.
        later = " ".join(
            f"WHEN {moment} < {border} THEN {day}" for day, border in enumerate(borders[1:])
        )
        number = f"CASE {later} ELSE {len(borders) - 1} END"
    return f"""
SELECT tenant, {number} AS day, sum(calls) AS calls, sum(duration_ns) AS wall_ns,
       sum(duration_ns - {_WAITED}) AS net_ns, sum(billed_requests) AS billed_requests,
       sum(rows_returned + rows_written) AS all_rows,
       sum(request_bytes + response_bytes) AS all_bytes
FROM usage WHERE {within(period)} AND lost = 0 GROUP BY 1, 2
"""  # noqa: S608 - integers of ours


def losses(period: Period) -> str:
    """Reason and amount of what the writers lost."""
    return f"""
SELECT outcome AS reason, sum(lost) AS amount FROM usage
WHERE {within(period)} AND lost > 0 GROUP BY outcome
"""  # noqa: S608 - integers of ours


def windows(period: Period) -> str:
    """Writer, sequence and start of every window that has rows."""
    return f"""
SELECT DISTINCT writer, sequence, CAST(floor(epoch(window_start)) AS BIGINT) AS start_s
FROM usage WHERE {within(period)}
"""  # noqa: S608 - integers of ours


def wholeness(period: Period) -> str:
    """Number of windows and of rows, then of rows with a value, by column of `COLUMNS_READ`.

    For engines that answer NULL where a file lacks a column, and that pick the files themselves.
    """
    counts = ", ".join(f"count({name}) AS {name}_there" for name in COLUMNS_READ)
    sums = ", ".join(f"sum({name}_there) AS {name}_there" for name in COLUMNS_READ)
    return f"""
SELECT count(*) AS windows, sum(all_rows) AS all_rows, {sums} FROM (
  SELECT writer, sequence, window_start, count(*) AS all_rows, {counts}
  FROM usage WHERE {within(period)} GROUP BY writer, sequence, window_start
) AS by_window
"""  # noqa: S608 - integers and names of ours


def within(period: Period) -> str:
    """The windows of a period."""
    return f"epoch(window_start) >= {period.start_s} AND epoch(window_start) < {period.end_s}"
