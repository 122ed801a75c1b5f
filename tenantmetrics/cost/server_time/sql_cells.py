"""The query that the division is made from: the sums of a tenant, a group of statements, a segment.

Under the rules that `sql` says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from tenantmetrics.cost.queries import STATEMENTS, within
from tenantmetrics.cost.server_time.sql_factors import (
    OfCluster,
    OfHour,
    Scales,
    of_clusters,
    of_writers,
    with_factors,
)
from tenantmetrics.cost.server_time.sql_words import (
    BEGIN_GROUP,
    BYTES,
    COLD,
    FAILED,
    FAILED_GROUP,
    OPERATIONS,
    REST_GROUP,
    WORKLESS,
    WORKLESS_GROUP,
    double,
    text,
)
from tenantmetrics.cost.statement import Period

__all__ = ["cells", "finest"]

_FINEST = 20
"""No unit is finer than a millionth: of a nanosecond, of a call."""


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
    whole_groups: bool = False,
    failed: bool = False,
    no_others: bool = False,
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
        whole_groups: `groups` has every statement, those without work too, and none is both: then
            the kind need not be read.
        failed: There are calls that failed, which are a group whatever their statement.
        no_others: The period has calls of these clusters only: where it is one, a long string need
            not be compared for each of millions of rows.
    """
    numbers, _, of_one = of_clusters(clusters, STATEMENTS)
    number, cold_ns, byte_ns, more_noise = numbers
    named = [f"({statement}, {group})" for statement, group in groups.items()]
    cold = f"CASE WHEN {COLD} THEN 1 ELSE 0 END"
    group = (
        f"THEN CASE WHEN fingerprint IN "
        f"({OPERATIONS}) THEN {BEGIN_GROUP} ELSE {WORKLESS_GROUP} END "
        f"ELSE COALESCE(part, {REST_GROUP}) END"
    )
    # What is the same for all calls is not worked out for each of millions of rows.
    overhead = "overhead_ns"
    if any(cluster.cold_ns for cluster in clusters.values()):
        overhead += f" + {cold_ns} * {cold}"
    more_ns, noises, join_offsets = of_writers(offsets, number, STATEMENTS)
    overhead += more_ns
    rows, more_noises = with_factors(period, clusters, hours, offsets)
    if any(cluster.cold_noise != 1.0 for cluster in clusters.values()):
        noises.append(f"({double(1.0)} + {more_noise} * {cold})")
    # In doubles, which hold whole numbers up to 2^53 ns, 104 days: BIGINT is checked for overflow
    # at every step of every row. What is larger is rounded alike on every engine.
    rest = (
        "CAST(duration_ns AS DOUBLE) - CAST(waited_ns AS DOUBLE) "
        f"- CAST(calls AS DOUBLE) * ({overhead})"
    )
    if any(cluster.byte_ns for cluster in clusters.values()):
        rest += f" - {BYTES} * {byte_ns}"
    # The join on hours bounds a period of whole ones.
    is_whole = period.start_s % 3600 == 0 == period.end_s % 3600
    conditions = ["" if no_others else of_one, "" if is_whole else within(period)]
    where = "  WHERE " + " AND ".join(filter(None, conditions)) if any(conditions) else ""
    noises += more_noises
    noise = " * ".join(["CAST(calls AS DOUBLE)", *noises])
    noise_sum = f"sum(floor(noise * {double(scales.noise)}))"
    if not noises and scales.noise >= 1:
        # All calls vary alike, and a power of two times a whole number needs no rounding.
        noise_sum = f"sum(calls) * {double(scales.noise)}"
    segment, segment_key = _of_segments(hours.values())
    kept, kept_keys, kept_bytes, join_classes = "0 AS class_number, 0 AS is_cold", "", "0", ""
    kept_rows = ""
    if classes is not None:
        known = [f"({text(writer)}, {class_number})" for writer, class_number in classes.items()]
        kept, kept_keys = "class_number, is_cold", ", class_number, is_cold"
        kept_bytes = "sum(CAST(floor(bytes * weight) AS BIGINT))"
        kept_rows = (
            f", weight, {BYTES} AS bytes, COALESCE(class, 0) AS class_number, {cold} AS is_cold"
        )
        join_classes = f"""
  LEFT JOIN (VALUES {", ".join(known) or "('', 0)"}) AS classes(class_writer, class)
    ON classes.class_writer = statements.writer"""
    sums = {
        "calls": "sum(calls)",
        "rest_ns": f"sum(floor(rest_ns * {double(scales.rest)}))",
        "noise": noise_sum,
        "weighted_calls": "sum(floor(calls * calls_weight))",
        "weighted_rest_ns": "sum(floor(rest_ns * rest_weight))",
        "weighted_noise": "sum(floor(noise * noise_weight))",
    }

    def by_row(what: str, join_parts: str) -> str:
        return f"""
  SELECT {segment_key}tenant, {what}, CAST(calls AS DOUBLE) AS calls,
         weight * {double(scales.weighted_calls)} AS calls_weight,
         weight * {double(scales.weighted_rest)} AS rest_weight,
         weight * weight * {double(scales.weighted_noise)} AS noise_weight,
         {rest} AS rest_ns, {noise} AS noise{kept_rows}
  FROM {rows}
{join_parts}{join_offsets}{join_classes}
{where}
"""  # noqa: S608 - numbers of ours

    join_parts = f"""
  LEFT JOIN (VALUES {", ".join(named) or f"(0, {REST_GROUP})"}) AS parts(of_statement, part)
    ON parts.of_statement = """
    if few_statements and classes is None:
        # Each row's group is found for some rows a tenant, and not for each of millions.
        keys = "fingerprint, what_kind"
        work, part = _kinds(group, failed=failed)
        if whole_groups:
            keys, work, part = "fingerprint", "", f"COALESCE(part, {REST_GROUP})"
        inner = ", ".join(f"{of} AS {name}" for name, of in sums.items())
        source = f"""
  SELECT {segment_key}tenant, {part} AS part, {", ".join(sums)}
  FROM (
    SELECT {segment_key}tenant, {keys}, {inner}
    FROM ({by_row(f"fingerprint{work}", "")}) AS by_row
    GROUP BY {segment_key}tenant, {keys}
  ) AS by_statement{join_parts}by_statement.fingerprint"""  # noqa: S608 - numbers of ours
        sums = {name: f"sum({name})" for name in sums}
    else:
        first = _if_failed(FAILED, FAILED_GROUP, failed=failed)
        source = by_row(
            f"CASE {first}WHEN {WORKLESS} {group} AS part", f"{join_parts}statements.fingerprint"
        )
    numbers_of = ", ".join(f"CAST({of} AS BIGINT) AS {name}" for name, of in sums.items())
    return f"""
SELECT {segment}, tenant, part, {kept}, {numbers_of}, {kept_bytes} AS weighted_bytes
FROM ({source}) AS by_part GROUP BY {segment_key}tenant, part{kept_keys}
"""  # noqa: S608 - numbers of ours


def _kinds(group: str, *, failed: bool) -> tuple[str, str]:
    """What kind of call a row is of, as a column; and the group by that column."""
    kind = _if_failed(FAILED, 2, failed=failed)
    part = _if_failed("what_kind = 2", FAILED_GROUP, failed=failed)
    return (
        f", CASE WHEN {WORKLESS} THEN 1 {kind}ELSE 0 END AS what_kind",
        f"CASE {part}WHEN what_kind = 1 {group}",
    )


def _if_failed(condition: str, number: int, *, failed: bool) -> str:
    """The case of calls that failed, where there are any."""
    return f"WHEN {condition} THEN {number} " if failed else ""


def _of_segments(hours: Iterable[OfHour]) -> tuple[str, str]:
    """The segment as a column, and as a key of groups: of one, no row need be told which it is."""
    numbers = {hour.segment for hour in hours}
    return (f"{numbers.pop()} AS segment", "") if len(numbers) == 1 else ("segment", "segment, ")
