"""A call that serves several tenants or covers several windows, added part by part."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenantmetrics.aggregate.cells import Cells
from tenantmetrics.aggregate.reached import kind_of
from tenantmetrics.aggregate.split import split
from tenantmetrics.aggregate.totals import Totals
from tenantmetrics.histogram import record
from tenantmetrics.measures import BY_STATEMENT
from tenantmetrics.records import Attribution, Call, Series, SeriesKey, Source
from tenantmetrics.statement_table import Rows, StatementTable

__all__ = ["Open", "Part", "add_in_parts"]

_COUNTED = (
    "attempts",
    "request_bytes",
    "response_bytes",
    "billed_requests",
    "rows_returned",
    "rows_written",
)
"""Measures that are fields of `Call`, and stay with its end."""


class Open:
    """A window that is being filled; `cells` have what its other parts do not have yet."""

    __slots__ = ("cells", "series", "statements")

    def __init__(self, statements: StatementTable, cells: Rows, totals: Totals) -> None:
        self.series: dict[SeriesKey, Series] = {}
        self.statements = statements
        self.cells = Cells(statements, cells, totals)


Part = tuple[Open, int, int]
"""A window that a call covers, with the time and the waiting of the call that fall into it, ns."""


def add_in_parts(
    parts: Sequence[Part],
    call: Call,
    attribution: Attribution,
    turn: int,
    series_of: Callable[[dict[SeriesKey, Series], SeriesKey], Series],
) -> None:
    """Add a call's parts; what it counted stays where it ended.

    Args:
        parts: The window of its end first.
        call: The call.
        attribution: Whose it is.
        turn: Chooses whose the odd units are.
        series_of: Finds or makes the series of a key in a window.
    """
    shares, source, _ = attribution
    weights = [weight for _, weight in shares]
    us = (call.duration_ns - call.waited_ns) // 1_000
    # The odd unit of every field goes by the same turn: a tenant's call, attempt and request
    # stay together.
    whole = {
        name: split(amount, weights, turn)
        for name, amount in (
            ("calls", 1),
            ("duration_us2", us * us),
            *((name, getattr(call, name)) for name in _COUNTED),
        )
    }
    kind = kind_of(call)
    claims = call.claims
    statement = (
        (call.resource_arn, call.database, claims.fingerprint, claims.summary, kind)
        if kind is not None
        else None
    )
    first, *earlier = parts
    nothing = dict.fromkeys(whole, [0] * len(shares))
    for number, (into, duration_ns, waited_ns) in enumerate((first, *earlier)):
        sums = nothing if number else whole
        durations = split(duration_ns, weights, turn)
        waits = split(waited_ns, weights, turn)
        for n, (tenant, _) in enumerate(shares):
            series = series_of(into.series, _series_key(tenant, call, source))
            for name, amounts in sums.items():
                setattr(series, name, getattr(series, name) + amounts[n])
            series.duration_ns += durations[n]
            series.waited_ns += waits[n]
            if number:
                series.elsewhere_ns -= durations[n]
            else:
                series.elsewhere_ns += sum(split(d, weights, turn)[n] for _, d, _ in earlier)
                if calls := sums["calls"][n]:
                    record(series, call.duration_ns, calls)
            if statement is not None:
                mine = {
                    **{name: amounts[n] for name, amounts in sums.items()},
                    "duration_ns": durations[n],
                    "waited_ns": waits[n],
                }
                into.statements.add(
                    tenant,
                    statement,
                    **{measure.name: mine[measure.name] for measure in BY_STATEMENT},
                )


def _series_key(tenant: str, call: Call, source: Source) -> SeriesKey:
    return SeriesKey(tenant, call.operation, call.outcome, source, call.resource_arn, call.database)
