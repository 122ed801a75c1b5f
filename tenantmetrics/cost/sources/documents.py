"""What a source of usage hands over: sums of one window for one tenant, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

__all__ = ["SUMS", "Document", "Staged", "Whose"]


class Whose(StrEnum):
    """What a document speaks of."""

    FLEET = "fleet"
    TENANT = "tenant"
    REASON = "reason"


class Document(NamedTuple):
    """Sums of one window for one tenant or for the fleet, or one reason's losses.

    Attributes:
        namespace: CloudWatch namespace.
        writer: The process that made the window.
        start_s: Its start, seconds since the epoch.
        sequence: The writer's number of it.
        whose: What it speaks of.
        name: The tenant, or the reason of a loss; empty for the fleet.
        metrics: Names of the metrics in it: a second document of the same window and tenant with
            other metrics is no duplicate.
        calls: API calls.
        failed_calls: Those that failed.
        duration_ns: Client-side wall time.
        billed_requests: Data API requests as AWS meters them.
        request_bytes: Bytes of the request bodies.
        response_bytes: Bytes of the response bodies.
        rows_returned: Rows returned.
        rows_written: Rows written.
        lost: What was lost; of the fleet, calls past the cap of series.
        detailed: It says something of bytes and rows.
        place: Where it stands: any number that its source can read.
    """

    namespace: str
    writer: str
    start_s: int
    sequence: int
    whose: Whose
    name: str
    metrics: str = ""
    calls: int = 0
    failed_calls: int = 0
    duration_ns: int = 0
    billed_requests: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    rows_returned: int = 0
    rows_written: int = 0
    lost: int = 0
    detailed: bool = False
    place: int = 0


SUMS = (
    "calls", "failed_calls", "duration_ns", "billed_requests", "request_bytes", "response_bytes",
    "rows_returned", "rows_written", "lost",
)  # fmt: skip
"""The fields of `Document` that are added up; they follow each other there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What became of the documents.

    Attributes:
        documents: Different ones that have a number other than 0.
        copies: Repetitions that were left out.
        namespaces: CloudWatch namespaces they are of.
        calls: Calls of all tenants.
        plain_calls: Those of which bytes and rows are not known.
        short_windows: Windows whose tenants have less than the fleet.
        short_calls: The calls that are missing there; they are now nobody's.
        absent_windows: Numbers that writers must have given to windows that are not there.
    """

    documents: int
    copies: int
    namespaces: tuple[str, ...]
    calls: int
    plain_calls: int
    short_windows: int
    short_calls: int
    absent_windows: int

    def notes(self) -> list[str]:
        """What logs and metrics alike may lack."""
        notes = []
        if len(self.namespaces) > 1:
            notes.append(f"Usage of several namespaces is added up: {', '.join(self.namespaces)}.")
        if self.plain_calls and self.plain_calls == self.calls:
            notes.append(
                "The usage came at the essential metric level, without bytes and rows: what is "
                "divided by them is shared."
            )
        elif self.plain_calls:
            notes.append(
                f"{self.plain_calls:,} of {self.calls:,} calls came at the essential metric level, "
                "without bytes and rows: they weigh nothing where those divide."
            )
        return notes
