"""Which method an hour and a cluster get."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping

from tenantmetrics.cost.engines import OpenLedger
from tenantmetrics.cost.server_time.estimated import ServerTimeEstimate
from tenantmetrics.cost.server_time.model import Estimate, Method, ServerTimeSource
from tenantmetrics.cost.server_time.record import HourRecord, Record
from tenantmetrics.cost.server_time.server import HourKey, ServerLoad, read_server
from tenantmetrics.cost.server_time.wall import WallEstimate
from tenantmetrics.cost.statement import Period
from tenantmetrics.cost.usage import HourUsage
from tenantmetrics.errors import ReportError

__all__ = ["estimate"]

_WHOLE = 0.8
"""The part of an hour's calls that the table of statements must hold for the hour to be estimated
from it: writers of an older version do not write it."""


def estimate(
    ledger: OpenLedger,
    where: str | os.PathLike[str],
    period: Period,
    hours: Mapping[int, HourUsage],
    asked: ServerTimeSource,
    *,
    writers: Mapping[str, int],
    others: Collection[str] = (),
) -> Estimate:
    """Estimate a period's server time by the best method that each hour and cluster have.

    Args:
        ledger: The opened period, for queries over `usage` and, where it has it, `statements`.
        where: The ledger's address, below which the server's own tables lie.
        period: The period.
        hours: Usage by hour since the epoch.
        asked: `AUTO`, or one method for all hours.
        writers: Calls of the writers with the most of them.
        others: Clusters that were called and are left out: load of theirs is nothing to note.

    Raises:
        LedgerError: A file cannot be read.
        ReportError: The method that was asked for has no data in the period.
    """
    if asked is ServerTimeSource.WALL:
        return WallEstimate(hours)
    record = Record(ledger, period, writers)
    whole = _whole_hours(record, hours)
    keys = [key for key in record.hours if key[0] in whole]
    if not keys:
        if asked is not ServerTimeSource.AUTO:
            raise ReportError(
                f"server time by {asked} cannot be had: the ledger holds no calls by statement in "
                f"{period.label}, as version 2 of it does"
            )
        return WallEstimate(hours)
    server = read_server(where, period.start_s, period.end_s)
    wanted = None if asked is ServerTimeSource.AUTO else Method(asked.value)
    methods = {key: _method(key, record.hours[key], server, wanted) for key in keys}
    more = []
    if wanted is not None:
        lacking = sum(method is not wanted for method in methods.values())
        if lacking == len(methods):
            raise ReportError(
                f"server time by {asked} cannot be had: nothing below the ledger says it of "
                f"{period.label}{_of_others(server, record, others)}"
            )
        if lacking:
            more.append(
                f"server time by {asked} was asked for and is not there for {lacking} of "
                f"{len(methods)} hours: those are estimated by the record"
            )
    quiet = _quiet_hours(record, server, wanted, frozenset(hours) - whole)
    if quiet:
        more.append(
            f"in {len(quiet)} hour{'s' * (len(quiet) > 1)} without a metered call the server had "
            "load: as far as it goes, their capacity is unmetered and not idle"
        )
    strangers = _of_others(server, record, others)
    if strangers and wanted is None:
        more.append(f"what the server says was not used in part{strangers}")
    older = len(hours) - len(whole)
    if older:
        more.append(
            f"{older} of {len(hours)} hours were written by an older version: there compute is "
            "divided by wall time"
        )
    return ServerTimeEstimate(
        ledger,
        period,
        usage=hours,
        record=record,
        server=server,
        methods=methods,
        quiet=quiet,
        more=more,
    )


def _whole_hours(record: Record, hours: Mapping[int, HourUsage]) -> set[int]:
    """The hours that the table of statements holds (nearly) all calls of."""
    calls: dict[int, float] = {}
    net: dict[int, float] = {}
    for (hour, _), known in record.hours.items():
        calls[hour] = calls.get(hour, 0.0) + known.calls
        net[hour] = net.get(hour, 0.0) + known.net_ns
    return {
        hour
        for hour, used in hours.items()
        if hour in calls
        and (calls[hour] >= _WHOLE * used.calls or net[hour] >= _WHOLE * used.net_ns)
    }


def _quiet_hours(
    record: Record, server: ServerLoad, wanted: Method | None, by_wall: Collection[int]
) -> dict[int, float]:
    """Load, nanoseconds, of the hours in which a cluster had load and no metered call.

    By the table that tells most of it. A cluster that nobody called all period long is another
    ledger's, and hours of calls without statements are divided by wall time alone.
    """
    loads: dict[Method, Mapping[HourKey, float]] = {
        Method.DB_LOAD: server.load_ns,
        Method.PERFORMANCE_INSIGHTS: {
            key: names.get("") or math.fsum(names.values())
            for key, names in server.applications_ns.items()
        },
        Method.STATEMENTS: {
            key: math.fsum(ran.ns for ran in statements.values())
            for key, statements in server.statements.items()
        },
        Method.ACTIVITY: {key: names.get("", 0.0) for key, names in server.sampled_ns.items()},
    }
    clusters = set(record.clusters)
    found: dict[HourKey, float] = {}
    for method, load in loads.items():
        if wanted not in {None, method}:
            continue
        for key, ns in load.items():
            hour, arn = key
            if ns > 0 and arn in clusters and key not in record.hours and hour not in by_wall:
                found.setdefault(key, ns)
    hours: dict[int, float] = {}
    for (hour, _), ns in sorted(found.items()):
        hours[hour] = hours.get(hour, 0.0) + ns
    return hours


def _of_others(server: ServerLoad, record: Record, left_out: Collection[str]) -> str:
    """Of which other clusters the server's tables speak, in words; empty for none."""
    others = sorted({arn for _, arn in server.spans} - set(record.clusters) - set(left_out))
    if not others:
        return ""
    names = ", ".join(repr(arn) for arn in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""  # noqa: PLR2004
    return f"; what is there of {names}{more} is of no cluster that was called"


def _method(key: HourKey, known: HourRecord, server: ServerLoad, wanted: Method | None) -> Method:
    """The best method that an hour and cluster have, or the one that is wanted if they have it."""
    arn = key[1]
    there = {
        Method.STATEMENTS: key in server.statements
        and server.covers("statements", arn, known.first_s, known.last_s),
        Method.PERFORMANCE_INSIGHTS: key in server.applications_ns
        and server.covers("performance_insights", arn, known.first_s, known.last_s),
        Method.DB_LOAD: key in server.load_ns
        and server.covers("db_load", arn, known.first_s, known.last_s),
        Method.ACTIVITY: key in server.sampled_ns
        and server.covers("activity", arn, known.first_s, known.last_s),
        Method.RECORD: True,
    }
    if wanted is not None:
        return wanted if there.get(wanted, False) else Method.RECORD
    return next(method for method in Method if there.get(method, False))
