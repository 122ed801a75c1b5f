"""Rules about keys: what a unique key or a foreign key says of another tenant's rows."""

from __future__ import annotations

from collections.abc import Iterator

from tenantmetrics.policies.catalogue import ForeignKey, Index, Table
from tenantmetrics.policies.finding import Fault
from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.scope import Scope

__all__ = ["across_tenants", "crosses", "unique_without_tenant", "without_tenant"]


def without_tenant(scope: Scope, table: Table, index: Index) -> bool:
    """Whether a unique key's values are shared by all tenants, and a user chooses them.

    A primary key is global on purpose. So are UUIDs, and what PostgreSQL itself numbers.
    """
    column = scope.tenant_column(table)
    if column is None or not index.unique or index.primary or column in index.columns:
        return False
    if column in index.expressions:
        return False
    keys = [table.columns[name] for name in index.columns if name is not None]
    chosen = [
        key
        for key in keys
        if key.base != "uuid" and not key.identity and "nextval(" not in key.default
    ]
    return bool(chosen) or None in index.columns


def unique_without_tenant(scope: Scope) -> Iterator[Fault]:
    """A unique key that lacks the tenant column."""
    for table in scope.tables:
        column = scope.tenant_column(table)
        for index in table.indexes:
            if column is None or not without_tenant(scope, table, index):
                continue
            if any(scope.is_tenants(above) for above in table.parents):
                continue
            names = ", ".join([quoted(column), *(quoted(n) for n in index.columns if n)])
            partial = index.partial or None in index.columns
            new = f"UNIQUE{' NULLS NOT DISTINCT' if index.nulls_not_distinct else ''} ({names})"
            if partial:
                mend = (
                    f"-- DROP INDEX {quoted(table.schema)}.{quoted(index.name)}; and create it "
                    f"anew with {quoted(column)} as its first column"
                )
            elif index.constraint:
                mend = (
                    f"ALTER TABLE {table.sql} DROP CONSTRAINT {quoted(index.constraint)},\n"
                    f"    ADD CONSTRAINT {quoted(index.constraint)} {new};"
                )
            else:
                mend = (
                    f"DROP INDEX {quoted(table.schema)}.{quoted(index.name)};\n"
                    f"CREATE UNIQUE INDEX {quoted(index.name)} ON {table.sql} ({names})"
                    f"{' NULLS NOT DISTINCT' if index.nulls_not_distinct else ''};"
                )
            yield Fault(
                f"unique key {quoted(index.constraint or index.name)} on {table.sql}",
                f"The key does not contain the tenant column {quoted(column)}: a tenant that "
                "inserts a value learns whether another has it, and no two tenants can "
                "have the same.",
                mend,
            )


def crosses(scope: Scope, table: Table, key: ForeignKey) -> bool:
    """Whether a row may point at another tenant's: the key does not pair the tenant columns."""
    parent = scope.catalogue.tables.get(key.parent)
    if parent is None or not scope.is_tenants(parent.oid) or not scope.is_tenants(table.oid):
        return False
    ours, theirs = scope.tenant_column(table), scope.tenant_column(parent)
    if ours is None or theirs is None:
        # A table without the column belongs to a tenant by this very key.
        return False
    return (ours, theirs) not in set(zip(key.columns, key.parent_columns, strict=True))


def across_tenants(scope: Scope) -> Iterator[Fault]:
    """A foreign key that does not pair the tenant columns."""
    for table in scope.tables:
        for key in table.foreign_keys:
            if not crosses(scope, table, key):
                continue
            parent = scope.catalogue.tables[key.parent]
            ours, theirs = scope.tenant_column(table), scope.tenant_column(parent)
            assert ours is not None  # noqa: S101 - `crosses` says so
            assert theirs is not None  # noqa: S101
            parents = ", ".join(quoted(name) for name in (theirs, *key.parent_columns))
            columns = ", ".join(quoted(name) for name in (ours, *key.columns))
            # MATCH, ON DELETE, ON UPDATE, DEFERRABLE and NOT VALID stay as they are.
            rest = _after_references(key.definition)
            wanted = {theirs, *key.parent_columns}
            there = any(
                index.unique and not index.partial and set(index.columns) == wanted
                for index in parent.indexes
            )
            lines = [] if there else [f"ALTER TABLE {parent.sql} ADD UNIQUE ({parents});"]
            lines.append(
                f"ALTER TABLE {table.sql} DROP CONSTRAINT {quoted(key.name)},\n"
                f"    ADD CONSTRAINT {quoted(key.name)} FOREIGN KEY ({columns})\n"
                f"    REFERENCES {parent.sql} ({parents}){rest};"
            )
            yield Fault(
                f"foreign key {quoted(key.name)} on {table.sql}",
                f"A row may point at another tenant's in {parent.sql}: foreign keys are checked "
                "without row-level security, so that a tenant learns which keys exist and can "
                "keep them from being deleted.",
                "\n".join(lines),
            )


def _after_references(definition: str) -> str:
    """What stands after REFERENCES table(columns) in a key's definition."""
    _, _, rest = definition.partition(" REFERENCES ")
    depth, quote = 0, False
    for place, character in enumerate(rest):
        if character == '"':
            quote = not quote
        elif not quote and character == "(":
            depth += 1
        elif not quote and character == ")":
            depth -= 1
            if not depth:
                return rest[place + 1 :]
    return ""
