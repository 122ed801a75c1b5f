"""A window's sums by tenant and statement, in about 60 bytes a row.

An object a row would take ten times as much: the table is a hash table, its columns are arrays.
Rows are bounded. Past `max_rows` a tenant's further statements are one row a kind, with fingerprint
0 and the summary `OTHER`; past an eighth more, tenants are `__overflow__`. Sums stay exact.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from tenantmetrics.measures import BY_STATEMENT

__all__ = ["MAX_ROWS", "OTHER", "Kind", "Rows", "StatementKey", "StatementRow", "StatementTable"]

MAX_ROWS = 262_144
"""500 tenants with 500 statements each, and some: 16 MB."""

OTHER = "__other__"
"""Summary of the statements past the bound."""

_OVERFLOW = "__overflow__"
_BEYOND = 1_024
"""Rows for `__overflow__` by cluster and database; beyond them, one row a kind takes the rest."""
_NARROW_MAX = 2**32 - 1
_WIDE_MAX = 2**63 - 1
_SPREAD_TENANT, _SPREAD_STATEMENT = 0x9E3779B1, 0x85EBCA6B

_WIDE = frozenset({"duration_ns", "duration_us2", "waited_ns"})
"""Columns of 8 bytes; the others have 4, and what is above is kept apart, row by row."""

StatementKey = tuple[str, str, int, str, str]
"""(resource ARN, database, fingerprint, summary, kind)."""


class Kind(StrEnum):
    """What a call is to the estimate of server time; cold ones had to open a connection.

    Those that PostgreSQL ended with an error are apart: pg_stat_statements counts none of them,
    however long they worked.
    """

    WORK = "work"
    WORKLESS = "workless"
    COLD_WORK = "cold_work"
    COLD_WORKLESS = "cold_workless"
    FAILED = "failed"
    COLD_FAILED = "cold_failed"


class StatementRow(NamedTuple):
    """One row: whose, what, and its sums in the order of `measures.BY_STATEMENT`."""

    tenant: str
    key: StatementKey
    sums: tuple[int, ...]


class Rows:
    """How many rows there are in all tables that share a bound."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used = 0


class StatementTable:
    """The table. One thread at a time.

    Args:
        max_rows: Rows that have a statement of their own.
        rows: Counts the rows of all tables that `max_rows` is for; this table's own if None.
    """

    __slots__ = (
        "_columns", "_high", "_mask", "_max_rows", "_of_statement", "_of_tenant", "_rows",
        "_slots", "_statement_ids", "_tenant_ids", "statements", "tenants",
    )  # fmt: skip

    def __init__(self, max_rows: int = MAX_ROWS, rows: Rows | None = None) -> None:
        self._max_rows = max_rows
        self._rows = rows or Rows()
        self.tenants: list[str] = []
        self.statements: list[StatementKey] = []
        self._tenant_ids: dict[str, int] = {}
        self._statement_ids: dict[StatementKey, int] = {}
        self._of_tenant = array("I")
        self._of_statement = array("I")
        self._columns = [array("q" if measure.name in _WIDE else "I") for measure in BY_STATEMENT]
        self._high: list[dict[int, int]] = [{} for _ in BY_STATEMENT]
        # Row + 1 in each slot, 0 where it is empty.
        self._slots = array("I", bytes(4 * 64))
        self._mask = 63

    def __len__(self) -> int:
        return len(self._of_tenant)

    def add(  # noqa: PLR0917 - unrolled: with many tenants it is done for most calls
        self,
        tenant: str,
        key: StatementKey,
        calls: int,
        duration_ns: int,
        duration_us2: int,
        waited_ns: int,
        request_bytes: int,
        response_bytes: int,
        rows_returned: int,
        rows_written: int,
    ) -> None:
        """Add to a tenant's row of a statement.

        Args:
            tenant: The tenant.
            key: The statement.
            calls: This and the others: `measures.BY_STATEMENT`, in order, each 0 or more.
            duration_ns: See there.
            duration_us2: See there.
            waited_ns: See there.
            request_bytes: See there.
            response_bytes: See there.
            rows_returned: See there.
            rows_written: See there.
        """
        row = self._look_up(tenant, key)
        number, durations, squares, waits, sent, received, returned, written = self._columns
        # Rows of 4 bytes overflow at 4 GB; what fails has changed nothing, and a try costs nothing.
        durations[row] += duration_ns
        try:
            squares[row] += duration_us2
        except OverflowError:
            squares[row] = _WIDE_MAX
        if waited_ns:
            waits[row] += waited_ns
        try:
            number[row] += calls
        except OverflowError:
            self._carry(0, row, calls)
        try:
            sent[row] += request_bytes
        except OverflowError:
            self._carry(4, row, request_bytes)
        try:
            received[row] += response_bytes
        except OverflowError:
            self._carry(5, row, response_bytes)
        if rows_returned:
            try:
                returned[row] += rows_returned
            except OverflowError:
                self._carry(6, row, rows_returned)
        if rows_written:
            try:
                written[row] += rows_written
            except OverflowError:
                self._carry(7, row, rows_written)

    def _carry(self, column: int, row: int, amount: int) -> None:
        """Add an amount to a column of 4 bytes; the upper bytes are kept apart."""
        total = self._columns[column][row] + amount
        high = self._high[column]
        high[row] = high.get(row, 0) + (total >> 32)
        self._columns[column][row] = total & _NARROW_MAX

    def _look_up(self, tenant: str, key: StatementKey) -> int:
        tenant_id = self._tenant_ids.get(tenant)
        statement_id = self._statement_ids.get(key)
        row = -1
        if tenant_id is not None and statement_id is not None:
            row = self._find(tenant_id, statement_id)
        if row >= 0:
            return row
        if (
            self._rows.used < self._max_rows
            and (tenant_id is not None or len(self.tenants) < self._max_rows // 4)
            and (statement_id is not None or len(self.statements) < self._max_rows // 16)
        ):
            return self._made(tenant, key)
        return self._folded(tenant, key)

    def rows(self) -> Iterator[StatementRow]:
        """All rows, in the order in which they came."""
        columns = [self.column(number) for number in range(len(BY_STATEMENT))]
        for tenant, statement, *sums in zip(
            self._of_tenant, self._of_statement, *columns, strict=True
        ):
            yield StatementRow(self.tenants[tenant], self.statements[statement], tuple(sums))

    def column(self, number: int) -> array[int]:
        """One measure of all rows, by its number in `measures.BY_STATEMENT`; not to be changed."""
        high = self._high[number]
        if not high:
            return self._columns[number]
        whole = array("q", self._columns[number])
        for row, amount in high.items():
            whole[row] += amount << 32
        return whole

    def indexes(self) -> tuple[array[int], array[int]]:
        """Of each row, its place in `tenants` and in `statements`; not to be changed."""
        return self._of_tenant, self._of_statement

    def _find(self, tenant_id: int, statement_id: int) -> int:
        """The row of a pair, -1 if there is none."""
        slots, mask = self._slots, self._mask
        spread = tenant_id * _SPREAD_TENANT + statement_id * _SPREAD_STATEMENT
        slot = (spread ^ spread >> 15) & mask
        while row := slots[slot]:
            row -= 1
            if self._of_tenant[row] == tenant_id and self._of_statement[row] == statement_id:
                return row
            slot = (slot + 1) & mask
        return -1

    def _folded(self, tenant: str, key: StatementKey) -> int:
        """The row that a pair past the bounds folds into."""
        arn, database, _, _, kind = key
        other = (arn, database, 0, OTHER, kind)
        most = self._max_rows
        # Names are bounded too: each takes more than its rows.
        names = len(self.tenants) < most // 4 or tenant in self._tenant_ids
        texts = len(self.statements) < most // 16 or key in self._statement_ids
        owner = tenant if names else _OVERFLOW
        for whose, what, limit in (
            (owner, key if texts else other, most),
            (owner, other, most + most // 8),
            (_OVERFLOW, other, most + most // 8 + _BEYOND),
        ):
            row = self._row(whose, what, limit)
            if row >= 0:
                return row
        return self._row(_OVERFLOW, ("", "", 0, OTHER, kind), None)

    def _row(self, tenant: str, key: StatementKey, limit: int | None) -> int:
        """The row of a pair, made if there are fewer than the limit; else -1."""
        tenant_id = self._tenant_ids.get(tenant, -1)
        statement_id = self._statement_ids.get(key, -1)
        if tenant_id >= 0 and statement_id >= 0:
            row = self._find(tenant_id, statement_id)
            if row >= 0:
                return row
        if limit is not None and self._rows.used >= limit:
            return -1
        return self._made(tenant, key)

    def _made(self, tenant: str, key: StatementKey) -> int:
        """A new row."""
        row = len(self._of_tenant)
        self._rows.used += 1
        tenant_id = self._tenant_ids.get(tenant, -1)
        if tenant_id < 0:
            tenant_id = self._tenant_ids[tenant] = len(self.tenants)
            self.tenants.append(tenant)
        statement_id = self._statement_ids.get(key, -1)
        if statement_id < 0:
            statement_id = self._statement_ids[key] = len(self.statements)
            self.statements.append(key)
        self._of_tenant.append(tenant_id)
        self._of_statement.append(statement_id)
        for column in self._columns:
            column.append(0)
        if 3 * row >= 2 * self._mask:
            self._grow()
        else:
            self._put(row)
        return row

    def _put(self, row: int) -> None:
        slots, mask = self._slots, self._mask
        spread = self._of_tenant[row] * _SPREAD_TENANT + self._of_statement[row] * _SPREAD_STATEMENT
        slot = (spread ^ spread >> 15) & mask
        while slots[slot]:
            slot = (slot + 1) & mask
        slots[slot] = row + 1

    def _grow(self) -> None:
        self._mask = self._mask * 2 + 1
        self._slots = array("I", bytes(4 * (self._mask + 1)))
        for row in range(len(self._of_tenant)):
            self._put(row)
