"""The SQL over the table of statements, held to the rules of `cost.queries`.

It reads two relations: `statements`, the ledger's `_statements` table, and `statement_totals`, its
sums over tenants. What leaves the database are sums of whole numbers; a factor's product with one
is floored in each row, so every engine gives the same whatever its order. Doubles add whole numbers
exactly too, as long as sums stay below 2^53: `finest` picks units in which they do. What differs by
hour or writer travels as VALUES.

`net` below is wall time less the waits between attempts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tenantmetrics.cost.statement import Period
from tenantmetrics.sqltext.fingerprint import fingerprint

__all__ = [
    "BEGIN_GROUP",
    "RELATION",
    "REST_GROUP",
    "TOTALS",
    "WORKLESS_GROUP",
    "OfCluster",
    "OfHour",
    "Scales",
    "cells",
    "finest",
    "record",
    "statements",
    "summaries",
    "tenant_names",
]

RELATION = "statements"
TOTALS = "statement_totals"

WORKLESS_GROUP = -1
"""The group of the statements that do no work."""
BEGIN_GROUP = -3
"""The group of the operations that do no work: BEGIN and ROLLBACK."""

REST_GROUP = -2
"""The group of the statements that have no group of their own."""

_FINEST = 20
"""No unit is finer than a millionth: of a nanosecond, of a call."""

_HOUR = "CAST(floor(epoch(window_start) / 3600) AS BIGINT)"
# BEGIN and ROLLBACK are operations of the API, which may take a connection or give it back: what
# they take is told apart from statements without work, which are more like those with.
_OPERATIONS = ", ".join(
    str(number)
    for number in (0, *(fingerprint(text) for text in ("BEGIN", "START TRANSACTION", "ROLLBACK")))
)
_KIND = (
    f"CASE WHEN kind = 'workless' AND fingerprint IN ({_OPERATIONS}) THEN 'begin' "
    f"WHEN kind = 'cold_workless' AND fingerprint IN ({_OPERATIONS}) THEN 'cold_begin' "
    "ELSE kind END"
)
_WORKLESS = "(kind = 'workless' OR kind = 'cold_workless')"
_NET = "(duration_ns - waited_ns)"
_BYTES = "(request_bytes + response_bytes)"


def record(period: Period, classes: Mapping[str, int]) -> str:
    """Hour, cluster, class of writer, fingerprint, kind; sums; the first and the last second.

    By hour with no fingerprint, and by fingerprint with no hour, in one scan. The sums are calls,
    net, its squares, bytes, and rows written.

    Args:
        period: What to sum.
        classes: Writers with a class of their own; all others are of class 0.
    """
    return f"""
SELECT hour, arn, class, fingerprint, kind, {_SUMS},
       CAST(floor(min(first_s)) AS BIGINT) AS first_s, CAST(floor(max(last_s)) AS BIGINT) AS last_s
FROM ({_by_window(period, classes)}) AS whole
GROUP BY GROUPING SETS ((hour, arn, class, kind), (arn, class, fingerprint, kind))
"""  # noqa: S608 - numbers of ours


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
    arns = (f"({_text(arn)}, {number})" for arn, number in clusters.items())
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
    rows = [f"({_text(writer)}, {class_number})" for writer, class_number in classes.items()]
    return f"""
  SELECT {_HOUR} AS hour, resource_arn AS arn, COALESCE(class, 0) AS class, fingerprint,
         {_KIND} AS kind, calls, net_ns, us2, bytes, rows_written,
         epoch(window_start) AS first_s, epoch(window_start) + window_s AS last_s
  FROM {TOTALS}
  LEFT JOIN (VALUES {", ".join(rows) or "('', 0)"}) AS classes(of_writer, class)
    ON classes.of_writer = {TOTALS}.writer
  WHERE {_within(period)}
"""  # noqa: S608 - numbers of ours


def summaries(period: Period, fingerprints: Iterable[int]) -> str:
    """Fingerprint and summary of some statements."""
    return f"""
SELECT fingerprint, max(summary) AS summary FROM statements
WHERE {_within(period)} AND fingerprint IN ({", ".join(map(str, fingerprints))})
GROUP BY fingerprint
"""  # noqa: S608 - integers of ours


def tenant_names(period: Period) -> str:
    """The tenants of the period."""
    return f"""
SELECT DISTINCT tenant FROM statements WHERE {_within(period)}
"""  # noqa: S608 - integers of ours


class OfCluster(NamedTuple):
    """What holds for a cluster's calls of the whole period.

    Attributes:
        number: The cluster's number.
        cold_ns: What opening a connection adds to a call.
        byte_ns: Overhead of a byte.
        cold_noise: The variance of a call that opens one, in units of one that does not.
    """

    number: int
    cold_ns: int
    byte_ns: float
    cold_noise: float


class OfHour(NamedTuple):
    """What holds for a cluster's calls of one hour.

    Attributes:
        segment: A number of what hours and clusters have in common.
        overhead_ns: Overhead of a call that opens no connection.
        weight: What a nanosecond weighs, 0 to 1.
    """

    segment: int
    overhead_ns: int
    weight: float


class Scales(NamedTuple):
    """What sums are multiplied by before they are cut to whole numbers; powers of two.

    Attributes:
        rest: Of residues.
        noise: Of variances.
        weighted_calls: Of weighted calls.
        weighted_rest: Of weighted residues.
        weighted_noise: Of weighted variances.
    """

    rest: float
    noise: float
    weighted_calls: float
    weighted_rest: float
    weighted_noise: float


def finest(bound: float) -> float:
    """The finest unit in which amounts of that size add up exactly as doubles: 1 over it.

    A double holds whole numbers up to 2^53, so sums of such are exact in any order, and DuckDB adds
    doubles at half of what its sums of BIGINT cost, which have 128 bits.

    Args:
        bound: The sum of the amounts' absolute values, or more.

    Returns:
        A power of two, whose product with any amount is exact.
    """
    if bound <= 0:
        return 1.0
    return 2.0 ** min(_FINEST, 52 - math.frexp(bound)[1])


def cells(
    period: Period,
    clusters: Mapping[str, OfCluster],
    hours: Mapping[tuple[int, int], OfHour],
    offsets: Mapping[tuple[int, str], tuple[int, float]],
    groups: Mapping[int, int],
    *,
    scales: Scales,
    classes: Mapping[str, int] | None = None,
    few_statements: bool = False,
) -> str:
    """Segment, tenant, group of statements, class of writer, cold or not; then sums.

    The sums are calls, residues, variances; then weighted calls, residues, variances, each but the
    first times its scale; and weighted bytes. A residue is
    `net - calls * overhead - bytes * slope`. Variances are in units of one warm call's.

    Args:
        period: What to sum.
        clusters: By ARN.
        hours: By hour and cluster's number; others are left out.
        offsets: What a call costs more with a writer, and its variance in units of one with the
            others, by cluster's number and writer.
        groups: The group of a statement, by fingerprint; `REST_GROUP` for others.
        scales: The units of the sums.
        classes: Writers to keep apart, as in `record`. None: sums are over all of them, and over
            cold calls and warm, and bytes are not summed.
        few_statements: There are no more statements than groups: sums by statement are no more.
    """
    numbers, join_clusters, of_one = _of_clusters(clusters)
    number, cold_ns, byte_ns, more_noise = numbers
    rows = (
        f"({hour}, {of}, {of_hour.segment}, {of_hour.overhead_ns}, '{of_hour.weight!r}')"
        for (hour, of), of_hour in hours.items()
    )
    extra = [
        f"({of}, {_text(writer)}, {ns}, '{noise!r}')"
        for (of, writer), (ns, noise) in offsets.items()
        # A writer as all others are needs no row, and where all are, no join on its name.
        if ns or noise != 1.0
    ]
    named = [f"({statement}, {group})" for statement, group in groups.items()]
    cold = "CASE WHEN kind = 'cold_work' OR kind = 'cold_workless' THEN 1 ELSE 0 END"
    group = (
        f"THEN CASE WHEN fingerprint IN "
        f"({_OPERATIONS}) THEN {BEGIN_GROUP} ELSE {WORKLESS_GROUP} END "
        f"ELSE COALESCE(part, {REST_GROUP}) END"
    )
    # What is the same for all calls is not worked out for each of millions of rows.
    overhead = "overhead_ns"
    if any(cluster.cold_ns for cluster in clusters.values()):
        overhead += f" + {cold_ns} * {cold}"
    noises = []
    join_offsets = ""
    if extra:
        overhead += " + COALESCE(more_ns, 0)"
        noises.append(f"COALESCE(own_noise, {_double(1.0)})")
        join_offsets = f"""
  LEFT JOIN (
    SELECT in_cluster, of_writer, more_ns, CAST(own_noise AS DOUBLE) AS own_noise
    FROM (VALUES {", ".join(extra)}) AS given(in_cluster, of_writer, more_ns, own_noise)
  ) AS offsets
    ON offsets.in_cluster = {number} AND offsets.of_writer = statements.writer
"""  # noqa: S608 - numbers of ours
    if any(cluster.cold_noise != 1.0 for cluster in clusters.values()):
        noises.append(f"({_double(1.0)} + {more_noise} * {cold})")
    rest = f"CAST({_NET} - calls * ({overhead}) AS DOUBLE)"
    if any(cluster.byte_ns for cluster in clusters.values()):
        rest += f" - {_BYTES} * {byte_ns}"
    # The join on hours bounds a period of whole ones.
    is_whole = period.start_s % 3600 == 0 == period.end_s % 3600
    conditions = [of_one, "" if is_whole else _within(period)]
    where = "  WHERE " + " AND ".join(filter(None, conditions)) if any(conditions) else ""
    noise = " * ".join(["CAST(calls AS DOUBLE)", *noises])
    kept, kept_keys, kept_bytes, join_classes = "0 AS class_number, 0 AS is_cold", "", "0", ""
    kept_rows = ""
    if classes is not None:
        known = [f"({_text(writer)}, {class_number})" for writer, class_number in classes.items()]
        kept, kept_keys = "class_number, is_cold", ", class_number, is_cold"
        kept_bytes = "sum(CAST(floor(bytes * weight) AS BIGINT))"
        kept_rows = (
            f", weight, {_BYTES} AS bytes, COALESCE(class, 0) AS class_number, {cold} AS is_cold"
        )
        join_classes = f"""
  LEFT JOIN (VALUES {", ".join(known) or "('', 0)"}) AS classes(class_writer, class)
    ON classes.class_writer = statements.writer"""
    sums = {
        "calls": "sum(calls)",
        "rest_ns": f"sum(floor(rest_ns * {_double(scales.rest)}))",
        "noise": f"sum(floor(noise * {_double(scales.noise)}))",
        "weighted_calls": "sum(floor(calls * calls_weight))",
        "weighted_rest_ns": "sum(floor(rest_ns * rest_weight))",
        "weighted_noise": "sum(floor(noise * noise_weight))",
    }

    def by_row(what: str, join_parts: str) -> str:
        return f"""
  SELECT segment, tenant, {what}, CAST(calls AS DOUBLE) AS calls,
         calls_weight, rest_weight, noise_weight, {rest} AS rest_ns, {noise} AS noise{kept_rows}
  FROM statements{join_clusters}
  JOIN (
    SELECT of_hour, of_cluster, segment, overhead_ns, weight,
           weight * {_double(scales.weighted_calls)} AS calls_weight,
           weight * {_double(scales.weighted_rest)} AS rest_weight,
           weight * weight * {_double(scales.weighted_noise)} AS noise_weight
    FROM (
      SELECT of_hour, of_cluster, segment, overhead_ns, CAST(weight AS DOUBLE) AS weight
      FROM (VALUES {", ".join(rows)}) AS given(of_hour, of_cluster, segment, overhead_ns, weight)
    ) AS weighed
  ) AS factors
    ON factors.of_hour = {_HOUR} AND factors.of_cluster = {number}
{join_parts}{join_offsets}{join_classes}
{where}
"""  # noqa: S608 - numbers of ours

    join_parts = f"""
  LEFT JOIN (VALUES {", ".join(named) or f"(0, {REST_GROUP})"}) AS parts(of_statement, part)
    ON parts.of_statement = """
    if few_statements and classes is None:
        # Each row's group is found for some rows a tenant, and not for each of millions.
        what = f"fingerprint, CASE WHEN {_WORKLESS} THEN 1 ELSE 0 END AS is_workless"
        inner = ", ".join(f"{of} AS {name}" for name, of in sums.items())
        source = f"""
  SELECT segment, tenant, CASE WHEN is_workless = 1 {group} AS part, {", ".join(sums)}
  FROM (
    SELECT segment, tenant, fingerprint, is_workless, {inner}
    FROM ({by_row(what, "")}) AS by_row
    GROUP BY segment, tenant, fingerprint, is_workless
  ) AS by_statement{join_parts}by_statement.fingerprint"""  # noqa: S608 - numbers of ours
        sums = {name: f"sum({name})" for name in sums}
    else:
        what = f"CASE WHEN {_WORKLESS} {group} AS part"
        source = by_row(what, f"{join_parts}statements.fingerprint")
    numbers_of = ", ".join(f"CAST({of} AS BIGINT) AS {name}" for name, of in sums.items())
    return f"""
SELECT segment, tenant, part, {kept}, {numbers_of}, {kept_bytes} AS weighted_bytes
FROM ({source}) AS by_part GROUP BY segment, tenant, part{kept_keys}
"""  # noqa: S608 - numbers of ours


def _of_clusters(clusters: Mapping[str, OfCluster]) -> tuple[tuple[str, ...], str, str]:
    """A cluster's numbers as SQL, the join that they need, and the condition.

    Most ledgers are of one cluster. Its numbers are constants, and a join on a long string for
    each of millions of rows is saved.
    """
    if len(clusters) == 1:
        ((arn, one),) = clusters.items()
        numbers = (
            str(one.number),
            str(one.cold_ns),
            _double(one.byte_ns),
            _double(one.cold_noise - 1),
        )
        return numbers, "", f"resource_arn = {_text(arn)}"
    arns = (
        f"({_text(arn)}, {cluster.number}, {cluster.cold_ns}, {_double(cluster.byte_ns)}, "
        f"{_double(cluster.cold_noise - 1)})"
        for arn, cluster in clusters.items()
    )
    join = f"""
  JOIN (VALUES {", ".join(arns)}) AS clusters(arn, number, cold_ns, byte_ns, more_noise)
    ON clusters.arn = statements.resource_arn"""
    return ("clusters.number", "cold_ns", "byte_ns", "more_noise"), join, ""


def _within(period: Period) -> str:
    return f"epoch(window_start) >= {period.start_s} AND epoch(window_start) < {period.end_s}"


def _double(number: float) -> str:
    """The shortest text that reads back as the same IEEE double."""
    return f"CAST('{number!r}' AS DOUBLE)"


def _text(value: str) -> str:
    """A string literal; a backslash would be an escape in Spark."""
    return "'" + value.replace("'", "''") + "'"
