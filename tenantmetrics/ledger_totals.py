"""Sums that a file of the statement table has in its footer: by statement, over all tenants.

Who divides server time reads the statements twice: first to learn what a call costs with each of
them, whoever made it, then tenant by tenant. The first needs no row where the file says it:

    tenantmetrics.totals = {"rows": 50000, "data_bytes": 801234, "window_start": 1795209300,
                            "window_s": 60, "writer": "host-1", "clusters": ["arn:..."],
                            "totals": [[0, 1000003, "work", 17, 340000000, ...], ...]}

Each total has the place of its cluster's ARN, the fingerprint, the kind and the sums of `SUMS`. A
file may lack them: an older writer's, or one with few rows a statement. They count only in a file
that still has the rows and the bytes of data that they were made of: a tool that rewrites a file
may keep the footer of the old one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["KEY", "SUMS", "StatementTotal", "Totals", "decode", "encode"]

KEY = "tenantmetrics.totals"
"""Of the footer's key-value metadata."""

SUMS = ("calls", "net_ns", "us2", "bytes", "rows_written")
"""Calls, wall time less waits, `duration_us2`, bytes both ways, rows written."""


class StatementTotal(NamedTuple):
    """A statement's sums.

    Attributes:
        resource_arn: The cluster.
        fingerprint: The statement's.
        kind: Its kind.
        sums: Those of `SUMS`.
    """

    resource_arn: str
    fingerprint: int
    kind: str
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
    totals: Sequence[StatementTotal]


def encode(found: Totals) -> str:
    """As the footer has it."""
    clusters = sorted({total.resource_arn for total in found.totals})
    places = {arn: place for place, arn in enumerate(clusters)}
    rows = sorted(
        [places[total.resource_arn], total.fingerprint, total.kind, *total.sums]
        for total in found.totals
    )
    said = found._asdict() | {"clusters": clusters, "totals": rows}
    return json.dumps(said, separators=(",", ":"))


def decode(text: str | bytes) -> Totals | None:
    """What a footer says; None where it is of another form than this version's."""
    try:
        said = json.loads(text)
        clusters = said.pop("clusters")
        totals = [
            StatementTotal(clusters[place], fingerprint, kind, tuple(sums))
            for place, fingerprint, kind, *sums in said.pop("totals")
        ]
        found = Totals(**said, totals=totals)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None
    whole = (*found[:4], *(number for total in totals for number in (total[1], *total.sums)))
    is_sound = all(type(number) is int for number in whole) and all(
        len(total.sums) == len(SUMS) for total in totals
    )
    return found if is_sound else None
