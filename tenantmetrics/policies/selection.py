"""The tables that a user means: by name, by pattern, or all that have the tenant column."""

from __future__ import annotations

from collections.abc import Sequence

from tenantmetrics.errors import RlsError
from tenantmetrics.policies.catalogue import Catalogue, Table
from tenantmetrics.policies.names import matches, parse

__all__ = ["named", "selected"]


def named(catalogue: Catalogue, text: str) -> Table:
    """The table of a name, with or without its schema; as it stands, or in lower case.

    Args:
        catalogue: The database.
        text: `table`, `schema.table`, or parts of it in double quotes.

    Raises:
        RlsError: There is none, or there are several, or it is no table.
    """
    *schema, name = parse(text)
    if len(schema) > 1:
        raise RlsError(f"{text!r} names another database: give schema.table")
    for fold in (str, str.lower):
        wanted = [fold(part) for part in (*schema, name)]
        found = [
            table
            for table in catalogue.tables.values()
            if wanted in ([table.schema, table.name], [table.name])
        ]
        public = [table for table in found if table.schema == "public"]
        if len(found) > 1 and not schema and len(public) == 1:
            return public[0]
        if len(found) > 1:
            names = ", ".join(sorted(table.sql for table in found))
            raise RlsError(f"{text!r} may be one of {names}: give its schema")
        if found:
            return found[0]
    raise RlsError(f"there is no table {text!r}")


def selected(  # noqa: C901 - one case after the other
    catalogue: Catalogue,
    column: str,
    *,
    tables: Sequence[str] = (),
    patterns: Sequence[str] = (),
    schemas: Sequence[str] = (),
    every: bool = False,
) -> tuple[list[Table], list[str]]:
    """The tables, and remarks about what was left out. Partitions and children come with theirs.

    Args:
        catalogue: The database.
        column: The tenant column.
        tables: Names; each must have the column.
        patterns: With `*` and `?`; tables without the column are left out.
        schemas: Only these, for patterns and all.
        every: All tables that have the column.

    Raises:
        RlsError: A name is not there or has no such column, or nothing is left.
    """
    found: dict[int, Table] = {}
    remarks: list[str] = []
    for text in tables:
        table = named(catalogue, text)
        if column not in table.columns:
            raise RlsError(f"{table.sql} has no column {column!r}").about("column")
        if table.kind == "f":
            raise RlsError(f"{table.sql} is a foreign table: it cannot have policies")
        found[table.oid] = table
    for table in catalogue.tables.values():
        wanted = every or any(matches(pattern, table.schema, table.name) for pattern in patterns)
        if not wanted or (schemas and table.schema not in schemas):
            continue
        if column not in table.columns:
            if not every:
                remarks.append(f"{table.sql} has no column {column!r}: skipped")
        elif table.kind == "f":
            remarks.append(f"{table.sql} is a foreign table, which cannot have policies: skipped")
        else:
            found[table.oid] = table
    for table in list(found.values()):
        found |= {child.oid: child for child in catalogue.descendants(table.oid)}
    if not found:
        raise RlsError(f"no table matches that has a column {column!r}").about("column")
    return sorted(found.values(), key=lambda table: (table.schema, table.name)), remarks
