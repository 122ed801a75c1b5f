"""What is measured of calls: each measure once, by name, with its meaning.

Series, the ledger's columns, the statement table, the staging of exported metrics and the queries
of the report all have these measures under these names. To add one: a line here, and the place in
`aggregate` that fills it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["BY_STATEMENT", "MEASURES", "REPORTED", "SUMS", "Fold", "Measure"]


class Fold(StrEnum):
    """How the numbers of two windows become one."""

    SUM = "sum"
    MIN = "min"
    MAX = "max"


class Measure(NamedTuple):
    """One measure: an integer.

    Attributes:
        name: Field of `Series`, column of the ledger, key in a report's usage.
        about: Its meaning, with the unit.
        fold: How two become one.
        since: The ledger's version that has it; in files of earlier versions it reads as 0.
        by_statement: It is kept by statement too.
        reported: A statement of costs shows it for each line.
    """

    name: str
    about: str
    fold: Fold = Fold.SUM
    since: int = 1
    by_statement: bool = False
    reported: bool = False


MEASURES = (
    Measure("calls", "API calls that ended in the window", by_statement=True, reported=True),
    Measure(
        "duration_ns",
        "client-side wall time of calls, spent in the window, nanoseconds",
        by_statement=True,
        reported=True,
    ),
    Measure("duration_min_ns", "shortest call, nanoseconds", Fold.MIN),
    Measure("duration_max_ns", "longest call, nanoseconds", Fold.MAX),
    Measure(
        "duration_us2",
        "sum of the squares of each call's wall time less its waits, microseconds²",
        since=2,
        by_statement=True,
    ),
    Measure(
        "waited_ns",
        "part of duration_ns before the last attempt was sent: back-off, throttled and unanswered"
        " attempts, nanoseconds",
        since=2,
        by_statement=True,
    ),
    Measure("attempts", "HTTP attempts"),
    Measure("request_bytes", "bytes of the request bodies", by_statement=True, reported=True),
    Measure("response_bytes", "bytes of the response bodies", by_statement=True, reported=True),
    Measure("billed_requests", "Data API requests as AWS meters them", reported=True),
    Measure("rows_returned", "rows returned", by_statement=True, reported=True),
    Measure("rows_written", "rows written", by_statement=True, reported=True),
)

SUMS = tuple(measure.name for measure in MEASURES if measure.fold is Fold.SUM)
"""Names of those that are added up."""

REPORTED = tuple(measure.name for measure in MEASURES if measure.reported)
"""Names of those in a statement of costs."""

BY_STATEMENT = tuple(measure for measure in MEASURES if measure.by_statement)
"""Those that the statement table has."""
