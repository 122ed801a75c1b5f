"""Sums over all tenants that a ledger's file has in its footer.

A report reads the rows twice: first to learn what holds for an hour or a statement, whoever called,
then tenant by tenant. The first needs no row where the file says it. Of the statement table:

    tenantmetrics.totals = {"rows": 50000, "data_bytes": 801234, "window_start": 1795209300,
                            "window_s": 60, "writer": "host-1", "clusters": ["arn:..."],
                            "totals": [[0, 1000003, "work", 17, 340000000, ...], ...]}

Each total has the place of its cluster's ARN, what else it is of, and its sums, in the order that
`TotalsOf` says. A file may lack them: an older writer's, or one with few rows a sum. They count
only in a file that still has the rows and the bytes of data that they were made of: a tool that
rewrites a file may keep the footer of the old one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["OF_STATEMENTS", "OF_USAGE", "Total", "Totals", "TotalsOf", "decode", "encode"]


@dataclass(frozen=True, slots=True)
class TotalsOf:
    """What the sums of a table are.

    Attributes:
        key: Of the footer's key-value metadata.
        names: What a sum is of, beside its cluster, and the type of each.
        sums: Their names.
    """

    key: str
    names: Mapping[str, type]
    sums: tuple[str, ...]


OF_STATEMENTS = TotalsOf(
    "tenantmetrics.totals",
    {"fingerprint": int, "kind": str},
    ("calls", "net_ns", "us2", "bytes", "rows_written"),
)
"""Calls, wall time less waits, `duration_us2`, bytes both ways, rows written."""

OF_USAGE = TotalsOf(
    "tenantmetrics.usage",
    {"is_lost": int},
    ("calls", "duration_ns", "waited_ns", "lost"),
)
"""Rows that say what was lost (1) apart from those with calls (0): they are no cluster's."""


class Total(NamedTuple):
    """Sums over tenants.

    Attributes:
        resource_arn: The cluster.
        of: What else they are of: `TotalsOf.names`.
        sums: Those of `TotalsOf.sums`.
    """

    resource_arn: str
    of: tuple[int | str, ...]
    sums: tuple[int, ...]


class Totals(NamedTuple):
    """What a footer says.

    Attributes:
        rows: Rows of the file.
        data_bytes: Bytes before its footer.
        window_start: Start of the window, seconds since the epoch.
        window_s: Its length.
        writer: Who wrote it.
        totals: The sums.
    """

    rows: int
    data_bytes: int
    window_start: int
    window_s: int
    writer: str
    totals: Sequence[Total]


def encode(found: Totals) -> str:
    """As the footer has it."""
    clusters = sorted({total.resource_arn for total in found.totals})
    places = {arn: place for place, arn in enumerate(clusters)}
    rows = sorted([places[total.resource_arn], *total.of, *total.sums] for total in found.totals)
    said = found._asdict() | {"clusters": clusters, "totals": rows}
    return json.dumps(said, separators=(",", ":"))


def decode(text: str | bytes, table: TotalsOf) -> Totals | None:
    """What a footer says; None where it is of another form than this version's.

    Args:
        text: The value of the table's `key`.
        table: Whose sums they are.
    """
    keys = len(table.names)
    try:
        said = json.loads(text)
        clusters = said.pop("clusters")
        totals = [
            Total(clusters[place], tuple(rest[:keys]), tuple(rest[keys:]))
            for place, *rest in said.pop("totals")
        ]
        found = Totals(**said, totals=totals)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None
    types = [str, *table.names.values(), *(int for _ in table.sums)]
    is_sound = all(type(number) is int for number in found[:4]) and all(
        [type(value) for value in (arn, *of, *sums)] == types for arn, of, sums in totals
    )
    return found if is_sound else None
