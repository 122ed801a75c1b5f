"""The tables of a database: their size, their tenant column, and whether it may be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenantmetrics.cost.storage.reader import QueryFailedError, Reader
from tenantmetrics.errors import ReportError

__all__ = ["Table", "database_bytes", "tables"]

# The catalogue and not information_schema.columns, which passes over tables that the role may not
# read: their bytes would go missing. Partitions stand for themselves, their parents hold nothing.
_TABLES = """
SELECT n.nspname::text, c.relname::text, pg_total_relation_size(c.oid),
  pg_relation_size(c.oid), row_security_active(c.oid), coalesce(a.attname::text, ''),
  coalesce(format_type(a.atttypid, NULL), ''),
  has_schema_privilege(n.oid, 'USAGE')
    AND coalesce(has_column_privilege(c.oid, a.attnum, 'SELECT'), true)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
  SELECT one.attname, one.attnum, one.atttypid FROM pg_attribute one
  WHERE one.attrelid = c.oid AND one.attnum > 0 AND NOT one.attisdropped
    AND lower(one.attname::text) = ANY (string_to_array(:columns, ','))
  ORDER BY array_position(string_to_array(:columns, ','), lower(one.attname::text))
  LIMIT 1
) a ON true
WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema'
  AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Table:
    """One table, partition or materialised view.

    Attributes:
        schema: Its schema.
        name: Its name.
        total_bytes: Rows, indexes and TOAST.
        heap_bytes: Rows alone: what counting reads.
        guarded: Row-level security hides rows from this role.
        column: Its tenant column; "" without one.
        column_type: The type of it, as PostgreSQL writes it.
        readable: Whether this role may read the column.
    """

    schema: str
    name: str
    total_bytes: int
    heap_bytes: int
    guarded: bool
    column: str
    column_type: str
    readable: bool


def tables(reader: Reader, columns: Sequence[str]) -> list[Table]:
    """Every table but PostgreSQL's own, by schema and name.

    Args:
        reader: The database.
        columns: Names of tenant columns, lower case; the first that a table has counts.

    Raises:
        ReportError: The catalogue cannot be read.
    """
    try:
        return [Table(*row) for row in reader.rows(_TABLES, {"columns": ",".join(columns)})]
    except QueryFailedError as error:
        raise ReportError(f"the tables of {reader.database!r} cannot be listed: {error}") from None


def database_bytes(reader: Reader) -> int:
    """The whole database: tables, PostgreSQL's own catalogue, large objects.

    Raises:
        ReportError: It cannot be read.
    """
    try:
        ((size,),) = reader.rows("SELECT pg_database_size(current_database())")
    except QueryFailedError as error:
        raise ReportError(f"the size of {reader.database!r} cannot be read: {error}") from None
    return int(size)
