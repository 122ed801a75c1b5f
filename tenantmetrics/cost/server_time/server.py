"""What the server's tables say of a period, by hour and cluster."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tenantmetrics.serverside import tables

__all__ = ["COVERED", "EDGE_S", "HourKey", "Ran", "ServerLoad", "read_server"]

HourKey = tuple[int, str]
"""Hour since the epoch, and the cluster's ARN."""

EDGE_S = 60
"""Seconds that may be missing at each end of an hour's calls: the record knows windows of a minute,
not when in the first and in the last of them the calls were."""

COVERED = 0.9
"""The part of the time between an hour's first and last call that a source has to speak of."""


@dataclass(slots=True)
class Ran:
    """What the server says of one statement in an hour: executions and nanoseconds."""

    calls: float = 0.0
    ns: float = 0.0


@dataclass(slots=True)
class ServerLoad:
    """The server's tables, cut into hours.

    Attributes:
        statements: Executions and time by hour and cluster, then by fingerprint.
        load_ns: Active session nanoseconds by hour and cluster (DBLoad).
        applications_ns: The same by `application_name`, "" being all of them.
        users_ns: The same by role.
        sampled_ns: The same by samples of pg_stat_activity, by tenant, "" being all of them.
        summaries: A statement's summary, by fingerprint.
        gaps: What `gap` said, by cluster.
        spans: Stretches that a table speaks of, by table and cluster.
        sample_s: Seconds between two samples of pg_stat_activity, at the most.
    """

    statements: dict[HourKey, dict[int, Ran]] = field(default_factory=dict)
    load_ns: dict[HourKey, float] = field(default_factory=dict)
    applications_ns: dict[HourKey, dict[str, float]] = field(default_factory=dict)
    users_ns: dict[HourKey, dict[str, float]] = field(default_factory=dict)
    sampled_ns: dict[HourKey, dict[str, float]] = field(default_factory=dict)
    summaries: dict[int, str] = field(default_factory=dict)
    gaps: dict[str, set[str]] = field(default_factory=dict)
    spans: dict[tuple[str, str], list[tuple[int, int]]] = field(default_factory=dict)
    sample_s: float = 1.0

    @property
    def insights_ns(self) -> dict[HourKey, float]:
        """All load by Performance Insights, whichever names it was asked by."""
        return {
            key: names.get("") or math.fsum(names.values())
            for key, names in {**self.users_ns, **self.applications_ns}.items()
        }

    def covers(self, table: str, arn: str, first_s: int, last_s: int) -> bool:
        """Whether a table speaks of the time in which an hour's calls were.

        Args:
            table: The table's name.
            arn: The cluster.
            first_s: Start of the hour's first window with calls.
            last_s: End of its last one.
        """
        spans = self.spans.get((table, arn), ())
        begin, end = first_s + EDGE_S, last_s - EDGE_S
        if end <= begin:
            # Calls of a minute or two: some of it has to be known.
            return any(start < last_s and stop > first_s for start, stop in spans)
        known = sum(max(0, min(end, stop) - max(begin, start)) for start, stop in spans)
        return known >= COVERED * (end - begin)


def read_server(where: str | os.PathLike[str], start_s: int, end_s: int) -> ServerLoad:
    """Read the tables of a period.

    Args:
        where: The ledger's folder or address.
        start_s: Start of the period, seconds since the epoch.
        end_s: Its end.

    Raises:
        LedgerError: A file cannot be read.
        MissingExtraError: pyarrow is not installed.
    """
    found = ServerLoad()
    _statements(found, tables.read(where, tables.STATEMENTS, start_s, end_s), start_s, end_s)
    for row in _rows(where, tables.DB_LOAD, start_s, end_s):
        for key, seconds in _by_hour(row, start_s, end_s):
            found.load_ns[key] = found.load_ns.get(key, 0.0) + row["load_aas"] * seconds * 1e9
        _span(found, tables.DB_LOAD.name, row)
    for row in _rows(where, tables.PERFORMANCE_INSIGHTS, start_s, end_s):
        of = found.users_ns if row["dimension"] == "user" else found.applications_ns
        for key, seconds in _by_hour(row, start_s, end_s):
            names = of.setdefault(key, {})
            names[row["name"]] = names.get(row["name"], 0.0) + row["load_aas"] * seconds * 1e9
        _span(found, tables.PERFORMANCE_INSIGHTS.name, row)
    _activity(found, _rows(where, tables.ACTIVITY, start_s, end_s), start_s, end_s)
    found.spans = {key: _joined(spans) for key, spans in found.spans.items()}
    return found


def _statements(found: ServerLoad, rows: Any, start_s: int, end_s: int) -> None:
    """Sum the snapshots' deltas by hour: a month of them is millions of rows."""
    if not rows.num_rows:
        return
    import pyarrow.compute as pc  # noqa: PLC0415 - an extra

    table = tables.STATEMENTS.name
    for arn, first, last in _distinct(rows, ["resource_arn", "start_s", "end_s"]):
        found.spans.setdefault((table, arn), []).append((first, last))
    for arn, gap in _distinct(rows, ["resource_arn", "gap"]):
        if gap:
            found.gaps.setdefault(arn, set()).add(gap)
    found.summaries = dict(_distinct(rows, ["fingerprint", "summary"]))
    hours = pc.divide(rows["start_s"], 3600)
    whole = pc.and_(
        pc.equal(hours, pc.divide(pc.subtract(rows["end_s"], 1), 3600)),
        pc.and_(pc.greater_equal(rows["start_s"], start_s), pc.less_equal(rows["end_s"], end_s)),
    )
    keys = ["hour", "resource_arn", "fingerprint"]
    sums = (
        rows.append_column("hour", hours)
        .filter(whole)
        .group_by(keys)
        .aggregate([("calls", "sum"), ("exec_ns", "sum")])
    )
    for row in sums.to_pylist():
        _add(
            found,
            (row["hour"], row["resource_arn"]),
            row["fingerprint"],
            row["calls_sum"],
            row["exec_ns_sum"],
        )
    # A stretch over the turn of an hour belongs to both, by its seconds.
    for row in rows.filter(pc.invert(whole)).to_pylist():
        length = max(1, row["end_s"] - row["start_s"])
        for key, seconds in _by_hour(row, start_s, end_s):
            part = seconds / length
            _add(found, key, row["fingerprint"], row["calls"] * part, row["exec_ns"] * part)


def _add(found: ServerLoad, key: HourKey, statement: int, calls: float, ns: float) -> None:
    ran = found.statements.setdefault(key, {}).setdefault(statement, Ran())
    ran.calls += calls
    ran.ns += ns


def _distinct(rows: Any, names: list[str]) -> list[tuple[Any, ...]]:
    distinct = rows.select(names).group_by(names).aggregate([]).to_pylist()
    return sorted(tuple(row[name] for name in names) for row in distinct)


def _activity(found: ServerLoad, rows: Iterable[dict[str, Any]], start_s: int, end_s: int) -> None:
    for row in rows:
        if not row["samples"]:
            continue
        # An active sample stands for the time between two samples.
        found.sample_s = max(found.sample_s, row["period_s"] / row["samples"])
        for key, seconds in _by_hour(row, start_s, end_s):
            names = found.sampled_ns.setdefault(key, {})
            ns = row["active_samples"] / row["samples"] * seconds * 1e9
            for name in {row["tenant"], ""}:
                names[name] = names.get(name, 0.0) + ns
        _span(found, tables.ACTIVITY.name, row)


def _rows(
    where: str | os.PathLike[str], table: tables.Table, start_s: int, end_s: int
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tables.read(where, table, start_s, end_s).to_pylist()
    return rows


def _by_hour(row: dict[str, Any], start_s: int, end_s: int) -> Iterable[tuple[HourKey, int]]:
    """The hours that a row's stretch overlaps, and the seconds of each."""
    first, last = _stretch(row)
    first_in, last_in = max(first, start_s), min(last, end_s)
    for hour in range(first_in // 3600, -(-last_in // 3600)):
        seconds = min(last_in, (hour + 1) * 3600) - max(first_in, hour * 3600)
        if seconds > 0:
            yield (hour, row["resource_arn"]), seconds


def _stretch(row: dict[str, Any]) -> tuple[int, int]:
    start_s = int(row["start_s"])
    return start_s, int(row["end_s"]) if "end_s" in row else start_s + int(row["period_s"])


def _span(found: ServerLoad, table: str, row: dict[str, Any]) -> None:
    spans = found.spans.setdefault((table, row["resource_arn"]), [])
    stretch = _stretch(row)
    if not spans or spans[-1] != stretch:
        spans.append(stretch)


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches in order, those that touch or overlap as one."""
    joined: list[tuple[int, int]] = []
    for start_s, end_s in sorted(set(spans)):
        if joined and start_s <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end_s))
        else:
            joined.append((start_s, end_s))
    return joined
