"""What the cost stage asks of an engine."""

from __future__ import annotations

import os
from typing import Any, Protocol

from tenantmetrics.cost import queries
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import LedgerError, ReportError

__all__ = ["Engine", "OpenLedger", "PathLike", "refuse_holes", "refuse_skipping"]

PathLike = str | os.PathLike[str]


class OpenLedger(Protocol):
    """One period of a ledger, ready to be queried."""

    @property
    def copies(self) -> int:
        """Files that were byte for byte another one's copy, and were counted once."""

    def left_out(self) -> str:
        """The files that were left out, in words; empty when there are none."""

    def nothing(self) -> str:
        """What to say when the period turns out to be empty."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query over `usage` and `statements`, in any order.

        Numbers may come as text: Athena has no other.

        Raises:
            LedgerError: The ledger cannot be read.
            ReportError: There is nothing in the period.
        """

    def close(self) -> None:
        """Let go of what was opened; a second time does nothing."""


class Engine(Protocol):
    """Opens ledgers."""

    @property
    def reads_s3(self) -> bool:
        """Whether it reads `s3://...` where it lies; else the period's objects are fetched."""

    def open(self, ledger: PathLike, period: Period, *, skip_corrupt: bool) -> OpenLedger:
        """Open a period of a ledger.

        Args:
            ledger: A folder; `s3://bucket/prefix` too if `reads_s3`.
            period: What will be asked for.
            skip_corrupt: Go on without files that cannot be read.

        Raises:
            LedgerError: The ledger is missing or empty, or files of it cannot be trusted.
            ReportError: The engine cannot do what was asked for.
            MissingExtraError: The engine is not installed.
        """


def refuse_skipping(engine: str) -> None:
    """Say that only DuckDB can leave out files.

    Raises:
        ReportError: Always.
    """
    raise ReportError(
        f"only the duckdb engine can skip corrupt files: {engine} cannot tell which it left out"
    ).about("skip_corrupt", "engine")


def refuse_holes(ledger: OpenLedger, period: Period) -> int:
    """Make sure that every row has a value in every column that is summed.

    Returns:
        The number of windows that have rows.

    Raises:
        LedgerError: Some have none: a file without the column would otherwise count as 0.
    """
    ((windows, rows, *there),) = ledger.rows(queries.wholeness(period))
    for name, count in zip(queries.COLUMNS_READ, there, strict=True):
        if int(count or 0) < int(rows or 0):
            raise LedgerError(
                f"the ledger cannot be read: {int(rows) - int(count or 0)} rows of {period.label} "
                f"have no {name}; the duckdb engine names the files"
            ).about("engine")
    return int(windows)
