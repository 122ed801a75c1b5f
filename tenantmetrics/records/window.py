"""One minute of one writer: the sums of its calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tenantmetrics.records.call import Source

if TYPE_CHECKING:
    from tenantmetrics.statement_table import StatementTable

__all__ = [
    "Exemplar",
    "Series",
    "SeriesKey",
    "Window",
]


class SeriesKey(NamedTuple):
    """What the numbers of a window are kept apart by."""

    tenant: str
    operation: str
    outcome: str
    source: Source
    resource_arn: str
    database: str


class Exemplar(NamedTuple):
    """One call of a series that was part of a trace.

    Attributes:
        trace_id: OpenTelemetry's trace id, 128 bits.
        span_id: The span that was current, 64 bits.
        duration_ns: The call's duration.
        at_ns: When it ended, ns since the epoch.
    """

    trace_id: int
    span_id: int
    duration_ns: int
    at_ns: int


@dataclass(slots=True)
class Series:
    """The sums of one key in one window. All integers, so that sums of sums stay exact.

    `duration_ns` is time spent in the window, whenever its calls ended; plus `elsewhere_ns` it
    is the whole time of the calls that ended in the window, which is what the histogram is of.

    `buckets` is OpenTelemetry's base-2 exponential histogram of the durations in ns at `scale`:
    bucket index → count, index i covering (2**(i / 2**scale), 2**((i + 1) / 2**scale)] ns.
    A call split among tenants puts its integers in shares; its histogram count goes with `calls`.
    """

    calls: int = 0
    duration_ns: int = 0
    duration_min_ns: int = 0
    duration_max_ns: int = 0
    duration_us2: int = 0
    waited_ns: int = 0
    attempts: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    billed_requests: int = 0
    rows_returned: int = 0
    rows_written: int = 0
    elsewhere_ns: int = 0
    scale: int = 0
    buckets: dict[int, int] = field(default_factory=dict)
    exemplar: Exemplar | None = None


def _no_statements() -> StatementTable:
    # Loaded with the first window: who only imports tenantmetrics has none.
    from tenantmetrics.statement_table import StatementTable  # noqa: PLC0415

    return StatementTable()


@dataclass(frozen=True, slots=True)
class Window:
    """One minute of one writer, closed: nobody changes it any more.

    Attributes:
        start_s: Start of the wall-clock minute, s since the epoch; multiple of `length_s`.
        length_s: Length in seconds.
        writer: Who made it: unique a process and a fork.
        sequence: Counts the writer's windows from 0; late calls and a mid-minute `flush()` make
            several windows of the same minute, told apart by this.
        series: The numbers.
        losses: What was lost since the writer's previous window, by reason.
        load_ns: Estimated server time by tenant, nanoseconds; tenants without billed requests have
            none, their time is in a later window.
        statements: The numbers of the calls that reached the database, by tenant and statement.
        misuses: Conflicts and misuse since the previous window, by `Misuse`.
        export_failures: Windows not delivered, or nobody knows, since the previous window, by
            exporter.
        refusals: Calls that `strict` refused, or would refuse, since the previous window; `outcome`
            is the reason. They were not sent, and are in no series.
    """

    start_s: int
    length_s: int
    writer: str
    sequence: int
    series: dict[SeriesKey, Series]
    losses: dict[str, int]
    misuses: dict[str, int] = field(default_factory=dict)
    export_failures: dict[str, int] = field(default_factory=dict)
    load_ns: dict[str, int] = field(default_factory=dict)
    statements: StatementTable = field(default_factory=_no_statements)
    refusals: dict[SeriesKey, int] = field(default_factory=dict)
