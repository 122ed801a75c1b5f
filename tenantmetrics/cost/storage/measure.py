"""Each table's bytes, divided by its tenants' shares of the rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenantmetrics.cost.allocate import split
from tenantmetrics.cost.storage.reader import QueryFailedError, Reader
from tenantmetrics.cost.storage.tables import Table, database_bytes, tables
from tenantmetrics.records import SHARED
from tenantmetrics.tenant.identity import tenant_ids
from tenantmetrics.tenant.identity.configured_names import Vocabulary

__all__ = ["REST", "MeasuredTable", "Storage", "measure"]

REST = "(the rest of the database)"
"""Stands for PostgreSQL's catalogue, large objects and what else is no table."""

_LEAST_PERCENT = 0.01
_NUMBERS = frozenset({"smallint", "integer", "bigint", "numeric"})


@dataclass(frozen=True, slots=True)
class MeasuredTable:
    """One table, divided.

    Attributes:
        name: "schema.table", or `REST`.
        total_bytes: What was divided.
        how: How, or why not, in words.
        tenants: How many tenants have a part of it.
        is_estimate: Shares are of a sample of the rows.
        is_blind: Its rows could not be read, so it is shared whether it should be or not.
    """

    name: str
    total_bytes: int
    how: str
    tenants: int = 0
    is_estimate: bool = False
    is_blind: bool = False


@dataclass(frozen=True, slots=True)
class Storage:
    """What a database's tenants store.

    Attributes:
        bytes_by_tenant: Adds up to the databases' sizes; `__shared__` holds what is nobody's.
        tables: How each table was divided, the largest first.
    """

    bytes_by_tenant: dict[str, int]
    tables: tuple[MeasuredTable, ...]


def measure(
    readers: Sequence[Reader],
    names: Vocabulary,
    *,
    count_bytes: int,
    progress: Callable[[str], None] = lambda _: None,
) -> Storage:
    """Measure databases.

    Args:
        readers: The databases.
        names: What tenants' columns, schemas and databases are called.
        count_bytes: Tables whose rows take more are sampled, about so many bytes of each.
        progress: Told the name of each table before it is read.

    Raises:
        ReportError: The API cannot be reached, or the catalogue cannot be read.
    """
    totals: dict[str, int] = defaultdict(int)
    done: list[MeasuredTable] = []
    for reader in readers:
        left = database_bytes(reader)
        owner = names.of_database(reader.database)
        for table in tables(reader, list(names.columns)):
            progress(f"{table.schema}.{table.name}")
            schema_owner = owner or names.of_schema(table.schema)
            if schema_owner:
                which = "database" if owner else "schema"
                shares, how = {schema_owner: 1}, f"the tenant's own {which}"
                measured = MeasuredTable(_name(table), table.total_bytes, how, 1)
            else:
                shares, measured = _divide(reader, table, count_bytes)
            done.append(measured)
            left -= table.total_bytes
            for tenant, part in _parts(table.total_bytes, shares).items():
                totals[tenant] += part
        # Tables grow while they are measured: the rest is never less than nothing.
        totals[owner or SHARED] += max(0, left)
        how = "the tenant's own database" if owner else "belongs to all"
        done.append(MeasuredTable(f"{reader.database} {REST}", max(0, left), how))
    done.sort(key=lambda table: (-table.total_bytes, table.name))
    return Storage(dict(totals), tuple(done))


def _divide(reader: Reader, table: Table, count_bytes: int) -> tuple[dict[str, int], MeasuredTable]:
    """Rows by tenant, and how they were counted."""

    def shared(why: str, *, is_blind: bool = False) -> tuple[dict[str, int], MeasuredTable]:
        measured = MeasuredTable(_name(table), table.total_bytes, why, is_blind=is_blind)
        return {SHARED: 1}, measured

    if not table.column:
        return shared("no tenant column")
    if table.guarded:
        return shared("row-level security hides its rows from this role", is_blind=True)
    if not table.readable:
        return shared("this role may not read it", is_blind=True)
    sampled = table.heap_bytes > count_bytes
    try:
        try:
            rows = _count(reader, table, count_bytes if sampled else None)
        except QueryFailedError as error:
            if sampled or not error.is_timeout:
                raise
            sampled = True
            rows = _count(reader, table, min(count_bytes, table.heap_bytes // 10))
    except QueryFailedError as error:
        return shared(f"cannot be counted: {error.reason[:120]}", is_blind=True)
    if not rows:
        return shared("the sample found no rows" if sampled else "no rows", is_blind=sampled)
    tenants = len(rows) - (SHARED in rows)
    how = f"{'a sample of' if sampled else ''} rows by {table.column}".strip()
    return rows, MeasuredTable(_name(table), table.total_bytes, how, tenants, sampled)


def _count(reader: Reader, table: Table, sample_bytes: int | None) -> dict[str, int]:
    """Rows by tenant; rows that name none count as shared."""
    sample = ""
    if sample_bytes is not None:
        percent = max(_LEAST_PERCENT, 100 * sample_bytes / table.heap_bytes)
        # Whole pages, always the same: the next run of the same table gives the same shares.
        sample = f" TABLESAMPLE SYSTEM ({min(percent, 100.0):.4f}) REPEATABLE (1)"
    column = _quoted(table.column)
    sql = (
        f"SELECT {column}::text, count(*) "  # noqa: S608 - names of the catalogue, quoted
        f"FROM {_quoted(table.schema)}.{_quoted(table.name)}{sample} GROUP BY 1"
    )
    read = tenant_ids.from_number if table.column_type in _NUMBERS else tenant_ids.from_text
    rows: dict[str, int] = defaultdict(int)
    for text, count in reader.rows(sql):
        tenant = None if text is None else read(text)
        rows[SHARED if tenant is None else tenant] += count
    return dict(rows)


def _parts(total_bytes: int, shares: dict[str, int]) -> dict[str, int]:
    names = sorted(shares)
    return dict(zip(names, split(total_bytes, [shares[name] for name in names]), strict=True))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _name(table: Table) -> str:
    return f"{table.schema}.{table.name}"
