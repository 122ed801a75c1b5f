"""Which method an hour and a cluster get."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator, Mapping

from tenantmetrics.cost.engines import OpenLedger
from tenantmetrics.cost.server_time.both import Both
from tenantmetrics.cost.server_time.elsewhen import of_other_times
from tenantmetrics.cost.server_time.estimated import ServerTimeEstimate
from tenantmetrics.cost.server_time.model import Estimate, Method, ServerTimeSource
from tenantmetrics.cost.server_time.older import OlderCalls
from tenantmetrics.cost.server_time.record import HourRecord, Record
from tenantmetrics.cost.server_time.server import HourKey, ServerLoad, read_server
from tenantmetrics.cost.server_time.wall import WallEstimate
from tenantmetrics.cost.statement import Period
from tenantmetrics.cost.usage import HourUsage
from tenantmetrics.errors import ReportError

__all__ = ["estimate"]

_EVERY = frozenset(Method)
_BY_NUMBER = frozenset({Method.PERFORMANCE_INSIGHTS, Method.DB_LOAD, Method.ACTIVITY})
"""Methods that need no statements."""
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
    server = read_server(where, period.start_s, period.end_s)
    wanted = None if asked is ServerTimeSource.AUTO else Method(asked.value)
    methods = {
        key: _method(key, known, server, wanted)
        for key, known in record.hours.items()
        if key[0] in whole
    }
    older = OlderCalls(ledger, frozenset(hours) - whole)
    older_record, older_methods = _older(older, period, server, wanted)
    called = {*record.clusters, *(older_record.clusters if older_record is not None else ())}
    strangers = _of_others(server, called | set(others))
    every = {**methods, **older_methods}
    told_by = {**(older_record.hours if older_record is not None else {}), **record.hours}
    elsewhen = of_other_times(told_by, server)
    if wanted is not None and wanted not in every.values():
        why = f"the ledger holds no calls by statement in {period.label}, as version 2 of it does"
        if wanted in elsewhen:
            why = f"{elsewhen[wanted]}{strangers}"
        elif methods or wanted in _BY_NUMBER:
            why = f"nothing below the ledger says it of {period.label}{strangers}"
        raise ReportError(f"server time by {asked} cannot be had: {why}")
    if not every:
        return WallEstimate(hours)
    by_server = {hour for hour, _ in older_methods}
    by_wall = older.hours - by_server
    quiet = _quiet_hours(record, server, wanted, older.hours)
    more = list(_on_choice(methods, wanted, quiet))
    if strangers and wanted is None:
        more.append(f"what the server says was not used in part{strangers}")
    if wanted is None:
        more += [f"server time by {method} was not used: {why}" for method, why in elsewhen.items()]
    more += _on_older(len(hours), len(by_server), len(by_wall))
    mine = {hour: used for hour, used in hours.items() if hour not in by_server}
    made: Estimate = WallEstimate(mine, tuple(more))
    if methods:
        made = ServerTimeEstimate(
            ledger,
            period,
            usage=mine,
            record=record,
            server=server,
            methods=methods,
            quiet=quiet,
            more=more,
        )
    if older_record is None or not older_methods:
        return made
    of_older = ServerTimeEstimate(
        older,
        period,
        usage={hour: hours[hour] for hour in by_server},
        record=older_record,
        server=server,
        methods=older_methods,
        quiet={},
    )
    return Both(made, of_older)


def _on_choice(
    methods: Mapping[HourKey, Method], wanted: Method | None, quiet: Collection[int]
) -> Iterator[str]:
    """Notes on how the methods were chosen."""
    lacking = sum(method is not wanted for method in methods.values())
    if wanted is not None and lacking:
        yield (
            f"server time by {wanted} was asked for and is not there for {lacking} of "
            f"{len(methods)} hours: those are estimated by the record"
        )
    if quiet:
        yield (
            f"in {len(quiet)} hour{'s' * (len(quiet) > 1)} without a metered call the server had "
            "load: as far as it goes, their capacity is unmetered and not idle"
        )


def _on_older(hours: int, by_server: int, by_wall: int) -> Iterator[str]:
    """Notes on hours without statements: how many of all are divided by what."""
    older = "hours have no statements (an older version's ledger, or logs or metrics)"
    if by_server:
        yield (
            f"{by_server} of {hours} {older}: there the server's own number is divided by what "
            "calls took beyond an overhead that is the same for all; that writers are in several "
            "places, and load that nobody metered, are not told and are in no interval"
        )
    if by_wall:
        yield f"{by_wall} of {hours} {older}: there compute is divided by wall time"


def _older(
    ledger: OlderCalls, period: Period, server: ServerLoad, wanted: Method | None
) -> tuple[Record | None, dict[HourKey, Method]]:
    """The record of hours without statements, and the methods of those that the server tells."""
    if not ledger.hours or not server.spans:
        return None, {}
    record = Record(ledger, period, {})
    methods = {
        key: _method(key, known, server, wanted, _BY_NUMBER) for key, known in record.hours.items()
    }
    # An hour is divided by one measure: what clients waited for is no load.
    unknown = {key[0] for key, method in methods.items() if method not in _BY_NUMBER}
    return record, {key: method for key, method in methods.items() if key[0] not in unknown}


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
    record: Record, server: ServerLoad, wanted: Method | None, older: Collection[int]
) -> dict[int, float]:
    """Load, nanoseconds, of the hours in which a cluster had load and no metered call.

    By the table that tells most of it. A cluster that nobody called all period long is another
    ledger's, and hours of calls without statements are divided by wall time alone.
    """
    loads: dict[Method, Mapping[HourKey, float]] = {
        Method.DB_LOAD: server.load_ns,
        Method.PERFORMANCE_INSIGHTS: server.insights_ns,
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
            if ns > 0 and arn in clusters and key not in record.hours and hour not in older:
                found.setdefault(key, ns)
    hours: dict[int, float] = {}
    for (hour, _), ns in sorted(found.items()):
        hours[hour] = hours.get(hour, 0.0) + ns
    return hours


def _of_others(server: ServerLoad, called: Collection[str]) -> str:
    """Of which other clusters the server's tables speak, in words; empty for none."""
    others = sorted({arn for _, arn in server.spans}.difference(called))
    if not others:
        return ""
    names = ", ".join(repr(arn) for arn in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""  # noqa: PLR2004
    return f"; what is there of {names}{more} is of no cluster that was called"


def _method(
    key: HourKey,
    known: HourRecord,
    server: ServerLoad,
    wanted: Method | None,
    allowed: Collection[Method] = _EVERY,
) -> Method:
    """The best method that an hour and cluster have, or the one that is wanted if they have it.

    The record if it is none of those that are allowed.
    """
    arn = key[1]
    there = {
        Method.STATEMENTS: key in server.statements
        and server.covers("statements", arn, known.first_s, known.last_s),
        Method.PERFORMANCE_INSIGHTS: (key in server.applications_ns or key in server.users_ns)
        and server.covers("performance_insights", arn, known.first_s, known.last_s),
        Method.DB_LOAD: key in server.load_ns
        and server.covers("db_load", arn, known.first_s, known.last_s),
        Method.ACTIVITY: key in server.sampled_ns
        and server.covers("activity", arn, known.first_s, known.last_s),
        Method.RECORD: True,
    }
    usable = [method for method in Method if there.get(method, False) and method in allowed]
    if wanted is not None:
        return wanted if wanted in usable else Method.RECORD
    return next(iter(usable), Method.RECORD)
