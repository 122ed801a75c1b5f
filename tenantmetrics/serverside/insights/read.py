"""Load by name and hour, past the 25 names that one query tells apart.

A query over a day gives its 25 largest names. Where there may be more, each hour is asked for its
own 25 largest, and names that the caller knows are added; all of these are then asked for by name.
How much of the load has a name is reported, what has none is not spread.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from tenantmetrics import limits
from tenantmetrics.serverside.cluster import Cluster, Instance
from tenantmetrics.serverside.days import HOUR_S, Day
from tenantmetrics.serverside.insights.client import Insights, Query

__all__ = ["DIMENSIONS", "Found", "read"]

DIMENSIONS = ("application", "user")
_NEXT_TO_NOTHING = 1e-9
_Hours = dict[int, float]


class Found(NamedTuple):
    """What was found of a dimension.

    Attributes:
        rows: Each day's rows of the table; days without load are not there.
        names: How many names had load.
        load: Load of all, session hours.
        named: How much of it has a name.
    """

    rows: dict[Day, list[dict[str, Any]]]
    names: int
    load: float
    named: float


def read(
    insights: Insights,
    cluster: Cluster,
    instances: Sequence[Instance],
    days: Sequence[Day],
    dimension: str,
    *,
    known: Collection[str] = (),
) -> Found:
    """Read the load of instances by a dimension.

    Args:
        insights: The client.
        cluster: The cluster.
        instances: Those of its instances that have Performance Insights.
        days: Which hours.
        dimension: "application" or "user".
        known: Names to ask for, whether they are among the largest or not.

    Raises:
        ServerLoadError: Performance Insights refuses, or did not answer in time.
    """
    rows: dict[Day, list[dict[str, Any]]] = defaultdict(list)
    names: set[str] = set()
    load = named = 0.0
    for day in days:
        for instance in instances:
            every, by_name = _day(insights, instance, day, f"db.{dimension}", known)
            load += sum(every.values())
            named += sum(sum(hours.values()) for hours in by_name.values())
            names |= by_name.keys()
            rows[day] += [
                {
                    "start_s": start_s,
                    "period_s": HOUR_S,
                    "resource_arn": cluster.arn,
                    "instance": instance.identifier,
                    "dimension": dimension,
                    "name": name,
                    "load_aas": value,
                }
                for name, hours in {"": every, **by_name}.items()
                for start_s, value in sorted(hours.items())
                # An hour without any load was looked at all the same.
                if value > 0 or not name
            ]
    return Found({day: found for day, found in rows.items() if found}, len(names), load, named)


def _day(
    insights: Insights, instance: Instance, day: Day, group: str, known: Collection[str]
) -> tuple[_Hours, dict[str, _Hours]]:
    """A day's load of all, and of each name with load, by hour."""

    def ask(queries: Sequence[Query], start_s: int, end_s: int) -> dict[str, _Hours]:
        found = insights.load(
            instance.resource_id, queries, start_s=start_s, end_s=end_s, period_s=HOUR_S
        )
        inside = range(day.start_s, day.end_s)
        return {
            name: {at: value for at, value in hours.items() if at in inside}
            for name, hours in found.items()
        }

    largest = [Query(), Query(group)]
    by_name = ask(largest, day.start_s, day.end_s)
    every = by_name.pop("", {})
    wanted = set(known) - by_name.keys()
    if len(by_name) >= limits.PERFORMANCE_INSIGHTS_MAX_GROUPS:
        for start_s, value in every.items():
            missing = value - sum(hours.get(start_s, 0.0) for hours in by_name.values())
            if missing > _NEXT_TO_NOTHING * value:
                wanted |= ask(largest, start_s, start_s + HOUR_S).keys() - by_name.keys() - {""}
    more = ask([Query(group, name) for name in sorted(wanted)], day.start_s, day.end_s)
    by_name |= {name: hours for name, hours in more.items() if name in wanted}
    return every, {name: hours for name, hours in by_name.items() if any(hours.values())}
