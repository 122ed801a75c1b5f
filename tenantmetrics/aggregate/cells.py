"""What the calls of a window have added that series, statements and totals do not have yet.

Most calls are like another one: the same tenant, operation, outcome and statement. What all of them
add to stands in one object, found by one look; it goes on to the series, to the statement's row and
to the process's totals when somebody reads them (`Cells.fold`). All are sums of integers: it makes
no difference when.
"""

from __future__ import annotations

from tenantmetrics.aggregate.totals import Totals
from tenantmetrics.measures import SUMS
from tenantmetrics.records import Series
from tenantmetrics.statement_table import Rows, StatementKey, StatementTable

__all__ = ["Cell", "CellKey", "Cells"]

_MAX_CELLS = 8_192
"""Cells of all open windows, 600 bytes each: 5 MB. A further kind of call has one to itself."""

CellKey = tuple[str, str, str, str, str, str, int, str, int, bool, bool]
"""Whatever of a call its series, its statement and the statement's kind depend on."""


class Cell:
    """Sums of like calls: every one of `measures.SUMS`, under its name.

    Args:
        series: Where they go.
        tenant: Whose the calls are.
        statement: In which row of the statement table they go; None for calls that did not reach
            the database.
        failed: Whether their outcome is an error.
        unattributed: Whether nobody knows whose they are.
    """

    __slots__ = ("failed", "series", "statement", "tenant", "unattributed", *SUMS)

    def __init__(
        self,
        series: Series,
        tenant: str,
        statement: StatementKey | None,
        *,
        failed: bool,
        unattributed: bool,
    ) -> None:
        self.failed = failed
        self.unattributed = unattributed
        self.series = series
        self.tenant = tenant
        self.statement = statement
        self._empty()

    # Unrolled: with many tenants most calls have a cell of their own. A test holds both to the
    # declared measures.

    def _empty(self) -> None:
        self.calls = self.duration_ns = self.duration_us2 = self.waited_ns = self.attempts = 0
        self.request_bytes = self.response_bytes = self.billed_requests = 0
        self.rows_returned = self.rows_written = 0

    def fold(self, statements: StatementTable, totals: Totals) -> None:
        """Add the sums where they belong, and start anew."""
        if not self.calls:
            return
        totals.add(self.calls, self.duration_ns, self.failed, self.unattributed)
        series = self.series
        series.calls += self.calls
        series.duration_ns += self.duration_ns
        series.duration_us2 += self.duration_us2
        series.waited_ns += self.waited_ns
        series.attempts += self.attempts
        series.request_bytes += self.request_bytes
        series.response_bytes += self.response_bytes
        series.billed_requests += self.billed_requests
        series.rows_returned += self.rows_returned
        series.rows_written += self.rows_written
        if self.statement is not None:
            statements.add(
                self.tenant,
                self.statement,
                self.calls,
                self.duration_ns,
                self.duration_us2,
                self.waited_ns,
                self.request_bytes,
                self.response_bytes,
                self.rows_returned,
                self.rows_written,
            )
        self._empty()


class Cells:
    """The cells of one window.

    Args:
        statements: The window's table.
        used: Counts the cells of all windows together.
        totals: The process's sums.
    """

    __slots__ = ("_spare", "_statements", "_totals", "_used", "by_key")

    def __init__(self, statements: StatementTable, used: Rows, totals: Totals) -> None:
        self._statements = statements
        self._totals = totals
        self._used = used
        self._spare: Cell | None = None
        self.by_key: dict[CellKey, Cell] = {}

    def add(self, key: CellKey, cell: Cell, *, keep: bool) -> None:
        """Take a new cell.

        Args:
            key: What it is found by from now on, if there are not too many.
            cell: The cell.
            keep: False for one that is for a single call.
        """
        if keep and self._used.used < _MAX_CELLS:
            self._used.used += 1
            self.by_key[key] = cell
            return
        if self._spare is not None:
            self._spare.fold(self._statements, self._totals)
        self._spare = cell

    def fold(self) -> None:
        """Bring series and statements up to date."""
        for cell in self.by_key.values():
            cell.fold(self._statements, self._totals)
        if self._spare is not None:
            self._spare.fold(self._statements, self._totals)
            self._spare = None
