"""The SQL over the table of statements, held to the rules of `cost.queries`.

It reads two relations: `statements`, the ledger's `_statements` table, and `statement_totals`, its
sums over tenants. What leaves the database are sums of whole numbers; a factor's product with one
is floored in each row, so every engine gives the same whatever its order. Doubles add whole numbers
exactly too, as long as sums stay below 2^53: `finest` picks units in which they do. What differs by
hour or writer travels as VALUES.

`net` below is wall time less the waits between attempts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tenantmetrics.cost.queries import HOUR, STATEMENT_TOTALS, within
from tenantmetrics.cost.server_time.sql_words import KIND, REACHED, WARM_WORKLESS, double, text
from tenantmetrics.cost.statement import Period
from tenantmetrics.servertime import LONG_S

__all__ = ["failed", "record", "statements", "summaries", "tenant_names"]


def record(period: Period, classes: Mapping[str, int]) -> str:
    """Hour, cluster, class of writer, fingerprint, kind; sums; what is known of the windows.

    By hour with no fingerprint, and by fingerprint with no hour, in one scan. The sums are calls,
    net, its squares, bytes, and rows written. Of the windows: the first and the last second, the
    shortest and the longest, seconds; and by hour, of calls without work, how many windows have
    them, and two sums over these: the square of calls, and that of net by calls, microseconds²;
    and the same three of stretches of `LONG_S`.

    Args:
        period: What to sum.
        classes: Writers with a class of their own; all others are of class 0.
    """
    keys = "hour, arn, class, fingerprint, kind"
    kept = "min(first_s) AS first_s, max(last_s) AS last_s"
    lengths = "min(shortest_s) AS shortest_s, max(longest_s) AS longest_s"
    return f"""
SELECT {keys}, {_SUMS}, CAST(floor(min(first_s)) AS BIGINT) AS first_s,
       CAST(floor(max(last_s)) AS BIGINT) AS last_s, {lengths},
       {_stretches("windows", nested=True)}, {_stretches("longer")}
FROM (
  SELECT {keys}, longer, {_SUMS}, {kept}, {lengths}, {_stretches("windows")}
  FROM (
    SELECT {keys}, started AS windows, floor(started / {LONG_S}) AS longer, {_SUMS}, {kept},
           min(window_s) AS shortest_s, max(window_s) AS longest_s
    FROM ({_by_window(period, classes)}) AS whole
    GROUP BY GROUPING SETS ((hour, arn, class, kind, started), (arn, class, fingerprint, kind))
  ) AS by_window GROUP BY {keys}, longer
) AS by_longer GROUP BY {keys}
"""  # noqa: S608 - numbers of ours


def _stretches(name: str, *, nested: bool = False) -> str:
    """How many stretches have calls, and the sums over them; those of calls without work by hour.

    Args:
        name: The column that is NULL where there is nothing to tell apart.
        nested: They are summed up already.
    """
    us = f"(CAST(net_ns AS DOUBLE) / {double(1000.0)})"
    calls = "CAST(calls AS DOUBLE)"
    squares = {
        name: "1",
        f"{name}_calls2": f"CAST(floor({calls} * {calls}) AS BIGINT)",
        f"{name}_us2": f"CAST(floor({us} * {us} / {calls}) AS BIGINT)",
    }
    there = f"hour IS NOT NULL AND {name} IS NOT NULL AND calls > 0"
    return ", ".join(
        f"sum({column}) AS {column}"
        if nested
        else f"sum(CASE WHEN {there} THEN {of} ELSE 0 END) AS {column}"
        for column, of in squares.items()
    )


def statements(
    period: Period,
    classes: Mapping[str, int],
    clusters: Mapping[str, int],
    segments: Mapping[tuple[int, int], int],
) -> str:
    """Segment, class of writer, fingerprint, kind; the sums of `record`.

    Args:
        period: What to sum.
        classes: As in `record`.
        clusters: A number for each cluster's ARN.
        segments: By hour and cluster's number, what they have in common; others are left out.
    """
    arns = (f"({text(arn)}, {number})" for arn, number in clusters.items())
    rows = (f"({hour}, {number}, {segment})" for (hour, number), segment in segments.items())
    return f"""
SELECT segment, class, fingerprint, kind, {_SUMS}
FROM ({_by_window(period, classes)}) AS whole
JOIN (VALUES {", ".join(arns)}) AS clusters(of_arn, number) ON clusters.of_arn = whole.arn
JOIN (VALUES {", ".join(rows)}) AS segments(of_hour, of_cluster, segment)
  ON segments.of_hour = whole.hour AND segments.of_cluster = clusters.number
GROUP BY segment, class, fingerprint, kind
"""  # noqa: S608 - numbers of ours


_SUMS = (
    "sum(calls) AS calls, sum(net_ns) AS net_ns, sum(us2) AS us2, sum(bytes) AS bytes, "
    "sum(rows_written) AS rows_written"
)


def _by_window(period: Period, classes: Mapping[str, int]) -> str:
    """Sums over tenants: what is worked out here is for thousands of rows, not millions."""
    rows = [f"({text(writer)}, {class_number})" for writer, class_number in classes.items()]
    return f"""
  SELECT {HOUR} AS hour, resource_arn AS arn, COALESCE(class, 0) AS class, fingerprint,
         {KIND} AS kind, calls, net_ns, us2, bytes, rows_written,
         epoch(window_start) AS first_s, epoch(window_start) + window_s AS last_s, window_s,
         CASE WHEN {WARM_WORKLESS} THEN epoch(window_start) END AS started
  FROM {STATEMENT_TOTALS}
  LEFT JOIN (VALUES {", ".join(rows) or "('', 0)"}) AS classes(of_writer, class)
    ON classes.of_writer = {STATEMENT_TOTALS}.writer
  WHERE {within(period)}
"""  # noqa: S608 - numbers of ours


def summaries(period: Period, fingerprints: Iterable[int]) -> str:
    """Fingerprint and summary of some statements."""
    return f"""
SELECT fingerprint, max(summary) AS summary FROM statements
WHERE {within(period)} AND fingerprint IN ({", ".join(map(str, fingerprints))})
GROUP BY fingerprint
"""  # noqa: S608 - integers of ours


def failed(period: Period) -> str:
    """Cluster's ARN, and its calls that the API answered with an error.

    Its errors end in Exception; a client's own, which got no answer, are in no other table.
    """
    return f"""
SELECT resource_arn, sum(calls) AS calls FROM usage
WHERE {within(period)} AND lost = 0 AND outcome LIKE '%Exception'
  AND {REACHED}
GROUP BY resource_arn
"""  # noqa: S608 - integers and names of ours


def tenant_names(period: Period) -> str:
    """The tenants of the period."""
    return f"""
SELECT DISTINCT tenant FROM statements WHERE {within(period)}
"""  # noqa: S608 - integers of ours
