"""Server time in words: how it was found, and whom wall time would have charged otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from tenantmetrics.cost.server_time.model import VERSIONS, Method, ServerTime, TenantServerTime
from tenantmetrics.report.text import duration, percent

if TYPE_CHECKING:
    from tenantmetrics.report.model import Row

__all__ = ["METHOD_TITLES", "Work", "coverage", "differences", "method_versions", "work_of"]

METHOD_TITLES = {
    Method.STATEMENTS: "pg_stat_statements",
    Method.PERFORMANCE_INSIGHTS: "Performance Insights",
    Method.DB_LOAD: "CloudWatch's DBLoad",
    Method.ACTIVITY: "samples of pg_stat_activity",
    Method.RECORD: "the ledger's calls that do no work",
    Method.WALL: "wall time less the waits between attempts",
}

_MOST_DIFFERENT = 5
_WORTH_NAMING = Decimal("0.01")
"""A tenant is named where its share of the work and of wall time differ by a point or more."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a line made the database do.

    Attributes:
        server_ns: Server time, as estimated.
        share: Its part of the server time of all metered calls, 0 to 1; None for load that no
            metered call caused.
        low: Lower end of the share's 95 % interval; None where the method does not tell.
        high: Upper end of it.
    """

    server_ns: int
    share: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None

    @property
    def interval(self) -> str:
        """The interval in words, such as "1.9 to 2.3 %"; empty where there is none."""
        if self.low is None or self.high is None:
            return ""
        return f"{self.low * 100:.1f} to {percent(self.high)}"


def work_of(server: ServerTime) -> dict[str, Work]:
    """What each line did, by its name."""
    whole = sum(tenant.server_ns for tenant in server.tenants.values())
    return {name: _work(one, whole) for name, one in server.tenants.items()}


def _work(one: TenantServerTime, whole: int) -> Work:
    share = Decimal(one.server_ns) / whole if whole else Decimal(0)
    if one.weight_low == one.weight == one.weight_high or not one.weight:
        return Work(one.server_ns, share)
    low = share * one.weight_low / one.weight
    return Work(one.server_ns, share, low, min(Decimal(1), share * one.weight_high / one.weight))


def coverage(server: ServerTime) -> tuple[str, ...]:
    """What each method was used for, a sentence each."""
    total = server.metered_hours
    sentences = []
    for method in server.methods:
        hours = f"{method.hours:,} of {total:,} hour{'s' * (total != 1)}"
        text = f"Server time by {METHOD_TITLES[method.method]}: {hours}"
        text += f", {duration(method.metered_ns)} of {duration(method.wall_ns)} wall time"
        if method.explained is not None:
            explained = percent(Decimal(method.explained))
            text += f"; metered calls explain {explained} of the server's load"
        sentences.append(f"{text}.")
    if server.unmetered_ns:
        sentences.append(
            f"{duration(server.unmetered_ns)} of the server's load was caused by no metered call, "
            "such as autovacuum, administrators or applications without tenantmetrics: it is on "
            "the line __unmetered__ and is not spread over tenants."
        )
    return tuple(sentences)


def method_versions(server: ServerTime) -> list[dict[str, object]]:
    """The methods that were used, each with its version and hours."""
    return [
        {"Method": str(method.method), "Version": VERSIONS[method.method], "Hours": method.hours}
        for method in server.methods
    ]


def differences(rows: Sequence[Row]) -> tuple[str, ...]:
    """The tenants whose share of the work differs most from their share of wall time."""
    whole = sum(row.usage.duration_ns for row in rows)
    if not whole:
        return ()
    found = []
    for row in rows:
        if row.work is None or row.work.share is None:
            continue
        wall = Decimal(row.usage.duration_ns) / whole
        apart = row.work.share - wall
        if abs(apart) >= _WORTH_NAMING:
            found.append((-abs(apart), row.tenant, row, wall))
    found.sort(key=lambda item: item[:2])
    return tuple(_difference(row, wall) for _, _, row, wall in found[:_MOST_DIFFERENT])


def _difference(row: Row, wall: Decimal) -> str:
    assert row.work is not None  # noqa: S101 - chosen so
    share = row.work.share or Decimal(0)
    calls, server_ns, wall_ns = row.usage.calls, row.work.server_ns, row.usage.duration_ns
    of_call = ""
    # An estimate over few calls may be more than a tenant waited: true on average, odd to read.
    if calls and server_ns <= wall_ns:
        took, worked = duration(wall_ns // calls), duration(server_ns // calls)
        of_call = f"; a call took {took}, of which the server worked {worked}"
    return f"{row.tenant}: {percent(share)} of the work, {percent(wall)} of the waiting{of_call}"
