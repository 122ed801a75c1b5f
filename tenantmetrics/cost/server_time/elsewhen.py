"""What the server said of other times than those of the calls, in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from tenantmetrics.cost.server_time.model import Method
from tenantmetrics.cost.server_time.record import HourRecord
from tenantmetrics.cost.server_time.server import COVERED, HourKey, ServerLoad
from tenantmetrics.serverside import tables

__all__ = ["of_other_times"]

_TABLES = {
    Method.STATEMENTS: tables.STATEMENTS.name,
    Method.PERFORMANCE_INSIGHTS: tables.PERFORMANCE_INSIGHTS.name,
    Method.DB_LOAD: tables.DB_LOAD.name,
    Method.ACTIVITY: tables.ACTIVITY.name,
}


def of_other_times(called: Mapping[HourKey, HourRecord], server: ServerLoad) -> dict[Method, str]:
    """Why a method that has data of a cluster that was called can be used for none of its hours.

    Args:
        called: The hours with calls.
        server: What the server's tables say of the period.

    Returns:
        By method, when its data is of and when the calls were; without the methods that cover an
        hour, and without those that have no data at all.
    """
    clusters = {arn for _, arn in called}
    found = {}
    for method, table in _TABLES.items():
        of = [arn for name, arn in server.spans if name == table and arn in clusters]
        hours = [(arn, known) for (_, arn), known in called.items() if arn in of]
        if not of or any(
            server.covers(table, arn, known.first_s, known.last_s) for arn, known in hours
        ):
            continue
        spans = [span for arn in of for span in server.spans[table, arn]]
        there = _words(min(start for start, _ in spans), max(end for _, end in spans))
        calls = _words(
            min(known.first_s for _, known in hours), max(known.last_s for _, known in hours)
        )
        found[method] = (
            f"what is there of it is of {there}, and the calls are of {calls}; an hour is used "
            f"where {COVERED:.0%} of the time of its calls is covered, and none is"
        )
    return found


def _words(start_s: int, end_s: int) -> str:
    first, last = (datetime.fromtimestamp(at, UTC) for at in (start_s, end_s))
    same_day = "%H:%M:%S" if first.date() == last.date() else "%Y-%m-%d %H:%M:%S"
    return f"{first:%Y-%m-%d %H:%M:%S} to {last.strftime(same_day)} UTC"
