"""What holds for the calls of an hour, or of a window of it, as a relation of the query for cells.

How far a window's overhead is from its hour's is worked out in the database: a month has 43,200
windows of a minute, more than fit into the text of a query. `servertime.drift` has the arithmetic.
The windows of a stretch have what is not known of its overhead in common: a tenant's error is
that many times the square of what it has in one, if it has as much in each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tenantmetrics.cost.hour_factors import joined
from tenantmetrics.cost.queries import HOUR, STATEMENT_TOTALS, STATEMENTS, within
from tenantmetrics.cost.server_time.sql_words import OPERATIONS, WARM_WORKLESS, double, text
from tenantmetrics.cost.statement import Period

__all__ = ["OfCluster", "OfDrift", "OfHour", "Scales", "of_clusters", "of_writers", "with_factors"]


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


class OfDrift(NamedTuple):
    """How a cluster's stretches of one hour differ.

    Attributes:
        center_ns: The mean of the hour's calls without work, their writers' offsets taken off.
        spread: The variance of the stretches' true means, in units of a warm call's.
        noise: The variance of a call about its stretch's mean, in the same.
        untold: The variance of a window about its stretch, in the same.
        length_s: How long a stretch is, which is some windows or one.
        begins: Whether operations without work count too.
    """

    center_ns: int
    spread: float
    noise: float
    untold: float
    length_s: int
    begins: bool = False


class OfHour(NamedTuple):
    """What holds for a cluster's calls of one hour.

    Attributes:
        segment: A number of what hours and clusters have in common.
        overhead_ns: Overhead of a call that opens no connection.
        weight: What a nanosecond weighs, 0 to 1.
        drift: How its windows differ; None where they are taken to be alike.
    """

    segment: int
    overhead_ns: int
    weight: float
    drift: OfDrift | None = None


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


_ALIKE = OfDrift(0, 0.0, 1.0, 0.0, 3600)

_COLUMNS = {
    "of_cluster": "BIGINT",
    "segment": "BIGINT",
    "overhead_ns": "DOUBLE",
    "weight": "DOUBLE",
}

_Hours = Mapping[tuple[int, int], OfHour]


def with_factors(
    period: Period,
    clusters: Mapping[str, OfCluster],
    hours: _Hours,
    offsets: Mapping[tuple[int, str], tuple[int, float]],
) -> tuple[str, list[str]]:
    """The rows with what holds for their hour, or for their window where windows differ.

    Args:
        period: What to read.
        clusters: By ARN.
        hours: By hour and cluster's number.
        offsets: As `sql_cells.cells` takes them.

    Returns:
        What to read from, which has segment, overhead and weight beside a row's own columns; and
        what a row's calls vary more, as factors.
    """
    numbers, join_clusters, _ = of_clusters(clusters, STATEMENTS)
    number, source = numbers[0], f"{STATEMENTS}{join_clusters}"
    if not any(of_hour.drift is not None for of_hour in hours.values()):
        # Of one cluster, every row is.
        more = f" AND by_hour.of_cluster = {number}" if join_clusters else ""
        rows = (
            (hour, of, of_hour.segment, of_hour.overhead_ns, of_hour.weight)
            for (hour, of), of_hour in hours.items()
        )
        return joined(source, _COLUMNS, rows, more), []
    join = f"""
  JOIN ({_by_window(period, clusters, hours, offsets)}  ) AS factors
    ON factors.of_start = {STATEMENTS}.window_start AND factors.of_cluster = {number}"""
    # What is not known of a window's overhead moves all of a row's calls alike.
    return source + join, [f"({double(1.0)} + doubt * CAST(calls AS DOUBLE))"]


def _by_window(
    period: Period,
    clusters: Mapping[str, OfCluster],
    hours: _Hours,
    offsets: Mapping[tuple[int, str], tuple[int, float]],
) -> str:
    """Window, cluster's number, segment, overhead, weight, and the variance of that overhead."""
    numbers, join_clusters, of_one = of_clusters(clusters, STATEMENT_TOTALS)
    number = numbers[0]
    more_ns, _, join_offsets = of_writers(offsets, number, STATEMENT_TOTALS)
    rows = []
    for (hour, of), of_hour in hours.items():
        drift = of_hour.drift or _ALIKE
        rows.append(
            f"({hour}, {of}, {of_hour.segment}, {of_hour.overhead_ns}, '{of_hour.weight!r}', "
            f"{drift.center_ns}, '{drift.spread!r}', '{drift.noise!r}', '{drift.untold!r}', "
            f"{drift.length_s}, {int(drift.begins)})"
        )
    operation = f"fingerprint IN ({OPERATIONS})"
    beyond = f"net_ns - calls * (0{more_ns})"
    sums = ", ".join(
        f"CAST(sum(CASE WHEN {WARM_WORKLESS} AND {which}{operation} THEN {of} ELSE 0 END) "
        f"AS DOUBLE) AS {name}"
        for which, of, name in (
            ("NOT ", "calls", "calls"),
            ("NOT ", beyond, "net_ns"),
            ("", "calls", "begins"),
            ("", beyond, "begins_ns"),
        )
    )
    stretch = "OVER (PARTITION BY of_cluster, of_hour, floor(started / length_s))"
    return f"""
      SELECT of_start, of_cluster, segment, weight,
             overhead_ns + floor(spread * (net_ns - calls * center_ns) / (spread * calls + noise))
               AS overhead_ns,
             windows * spread * noise / (spread * calls + noise) + untold AS doubt
      FROM (
        SELECT of_start, of_cluster, segment, CAST(overhead_ns AS DOUBLE) AS overhead_ns,
               CAST(weight AS DOUBLE) AS weight, CAST(center_ns AS DOUBLE) AS center_ns,
               CAST(spread AS DOUBLE) AS spread, CAST(noise AS DOUBLE) AS noise,
               CAST(untold AS DOUBLE) AS untold,
               sum(calls + with_begins * begins) {stretch} AS calls,
               sum(net_ns + with_begins * begins_ns) {stretch} AS net_ns,
               CAST(count(*) {stretch} AS DOUBLE) AS windows
        FROM (
          SELECT window_start AS of_start, epoch(window_start) AS started, {HOUR} AS hour,
                 max({number}) AS cluster, {sums}
          FROM {STATEMENT_TOTALS}{join_clusters}{join_offsets}
          WHERE {" AND ".join(filter(None, (of_one, within(period))))}
          GROUP BY window_start, resource_arn
        ) AS windows
        JOIN (
          VALUES {", ".join(rows)}
        ) AS given(
          of_hour, of_cluster, segment, overhead_ns, weight, center_ns, spread, noise, untold,
          length_s, with_begins
        ) ON given.of_hour = windows.hour AND given.of_cluster = windows.cluster
      ) AS told
"""  # noqa: S608 - numbers of ours


def of_writers(
    offsets: Mapping[tuple[int, str], tuple[int, float]], number: str, relation: str
) -> tuple[str, list[str], str]:
    """What writers' calls cost more, how much more they vary, as SQL, and the join that has it."""
    extra = [
        f"({of}, {text(writer)}, {ns}, '{noise!r}')"
        for (of, writer), (ns, noise) in offsets.items()
        # A writer as all others are needs no row, and where all are, no join on its name.
        if ns or noise != 1.0
    ]
    if not extra:
        return "", [], ""
    join = f"""
  LEFT JOIN (
    SELECT in_cluster, of_writer, more_ns, CAST(own_noise AS DOUBLE) AS own_noise
    FROM (VALUES {", ".join(extra)}) AS given(in_cluster, of_writer, more_ns, own_noise)
  ) AS offsets
    ON offsets.in_cluster = {number} AND offsets.of_writer = {relation}.writer
"""  # noqa: S608 - numbers of ours
    return " + COALESCE(more_ns, 0)", [f"COALESCE(own_noise, {double(1.0)})"], join


def of_clusters(
    clusters: Mapping[str, OfCluster], relation: str
) -> tuple[tuple[str, ...], str, str]:
    """A cluster's numbers as SQL, the join of a relation that they need, and the condition.

    Most ledgers are of one cluster. Its numbers are constants, and a join on a long string for
    each of millions of rows is saved.
    """
    if len(clusters) == 1:
        ((arn, one),) = clusters.items()
        numbers = (
            str(one.number),
            str(one.cold_ns),
            double(one.byte_ns),
            double(one.cold_noise - 1),
        )
        return numbers, "", f"resource_arn = {text(arn)}"
    arns = (
        f"({text(arn)}, {cluster.number}, {cluster.cold_ns}, {double(cluster.byte_ns)}, "
        f"{double(cluster.cold_noise - 1)})"
        for arn, cluster in clusters.items()
    )
    join = f"""
  JOIN (VALUES {", ".join(arns)}) AS clusters(arn, number, cold_ns, byte_ns, more_noise)
    ON clusters.arn = {relation}.resource_arn"""
    return ("clusters.number", "cold_ns", "byte_ns", "more_noise"), join, ""
