"""What the setting `tenant_schema` reads: tables, keys and foreign keys, out of the catalogue.

That a table's rows are everybody's (`countries`) cannot be read from the catalogue: one without a
tenant column may hold what only one tenant's rows point at. So this has to be said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tenantmetrics.policies.catalogue import Catalogue, ForeignKey, Table
from tenantmetrics.policies.names import matches

__all__ = ["tenant_schema"]


def tenant_schema(
    catalogue: Catalogue,
    columns: Sequence[str],
    schemas: Sequence[str] = (),
    shared: Sequence[str] = (),
) -> dict[str, Any]:
    """The file's content.

    Args:
        catalogue: The database.
        columns: Names of tenant columns, the one that is preferred first.
        schemas: Only tables of these; empty for all.
        shared: Patterns, with `*` and `?`, of tables whose rows are everybody's.
    """
    tables = {
        oid: table
        for oid, table in catalogue.tables.items()
        if not schemas or table.schema in schemas
    }
    tenants = {
        oid: next((column for column in columns if column in table.columns), "")
        for oid, table in tables.items()
    }
    # What a tenant column points at is a table of tenants: its key is its tenant.
    for oid, table in tables.items():
        for key in table.foreign_keys:
            if key.columns == (tenants[oid],) and not tenants.get(key.parent, "-"):
                (tenants[key.parent],) = key.parent_columns
    return {
        "tables": {
            f"{table.schema}.{table.name}": _entry(
                catalogue,
                table,
                tenants[oid],
                shared=any(matches(pattern, table.schema, table.name) for pattern in shared),
            )
            for oid, table in sorted(
                tables.items(), key=lambda entry: (entry[1].schema, entry[1].name)
            )
        }
    }


def _entry(catalogue: Catalogue, table: Table, tenant: str, *, shared: bool) -> dict[str, Any]:
    # Children of plain inheritance have the same ids again.
    inherited = table.kind != "p" and bool(catalogue.descendants(table.oid))
    keys = {
        index.constraint or index.name: list(index.columns)
        for index in table.indexes
        if index.unique
        and index.valid
        and not index.partial
        and not inherited
        and None not in index.columns
    }
    foreign = [
        {
            "columns": list(key.columns),
            "parent": _name(catalogue, key),
            "parent_columns": list(key.parent_columns),
        }
        for key in table.foreign_keys
        if key.parent in catalogue.tables
    ]
    return {
        "tenant": tenant or None,
        "shared": shared and not tenant,
        "guarded": table.rls and table.forced,
        "columns": sorted(table.columns),
        "keys": dict(sorted(keys.items())),
        "foreign_keys": foreign,
    }


def _name(catalogue: Catalogue, key: ForeignKey) -> str:
    parent = catalogue.tables[key.parent]
    return f"{parent.schema}.{parent.name}"
