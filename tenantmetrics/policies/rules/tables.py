"""Rules about tables: is row-level security on, forced, and on their partitions and children."""

from __future__ import annotations

from collections.abc import Iterator

from tenantmetrics.policies.catalogue import Table
from tenantmetrics.policies.finding import Fault, Severity
from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.scope import ROW_PRIVILEGES, Scope, tied

__all__ = [
    "child_without_column",
    "foreign_table",
    "inherited_open",
    "no_policy",
    "not_forced",
    "nullable",
    "partition_open",
    "rls_off",
    "slow_scan",
]


def _own(scope: Scope) -> Iterator[Table]:
    """Tenants' tables that have row-level security of their own to switch on."""
    return (table for table in scope.tables if table.kind != "f")


def _covered(scope: Scope, table: Table) -> Table | None:
    """The table above that has row-level security, where this one has none."""
    if table.rls:
        return None
    return next((found for found in scope.catalogue.ancestors(table) if found.rls), None)


def policy_sql(scope: Scope, table: Table) -> str:
    """CREATE POLICY for a table, as its tenant column needs it."""
    column = scope.tenant_column(table)
    if column is None:
        return f"-- CREATE POLICY tenant_isolation ON {table.sql} … (it has no tenant column)"
    condition = tied(scope.settings, table, column)
    roles = ", ".join(
        quoted(role.name) for role in scope.roles if not role.superuser and role.name != table.owner
    )
    return (
        f"CREATE POLICY tenant_isolation ON {table.sql} TO {roles or 'PUBLIC'}\n"
        f"    USING ({condition})\n    WITH CHECK ({condition});"
    )


def _switch_on(scope: Scope, table: Table) -> str:
    lines = [
        f"ALTER TABLE {table.sql} ENABLE ROW LEVEL SECURITY;",
        f"ALTER TABLE {table.sql} FORCE ROW LEVEL SECURITY;",
    ]
    if not any(policy.permissive for policy in table.policies):
        lines.append(policy_sql(scope, table))
    return "\n".join(lines)


def rls_off(scope: Scope) -> Iterator[Fault]:
    """Row-level security is off."""
    for table in _own(scope):
        if table.rls or any(
            above.rls or scope.is_tenants(above.oid) for above in scope.catalogue.ancestors(table)
        ):
            # What is above is reported, or the partition is.
            continue
        below = [child for child in scope.catalogue.descendants(table.oid) if not child.rls]
        idle = " Its policies do nothing while it is off." if table.policies else ""
        yield Fault(
            table.sql,
            "Row-level security is off: every role with a privilege on the table sees and changes "
            f"every tenant's rows.{idle}",
            "\n".join(_switch_on(scope, found) for found in (table, *below)),
        )


def not_forced(scope: Scope) -> Iterator[Fault]:
    """Row-level security does not bind the owner."""
    for table in _own(scope):
        if table.rls and not table.forced:
            users = [
                role.name for role in scope.roles if table.owner in scope.memberships(role.name)
            ]
            yield Fault(
                table.sql,
                "Row-level security is not forced: it does not apply to the owner "
                f"{table.owner!r}, nor to the owner's views and SECURITY DEFINER functions."
                + (" The application is the owner." if users else ""),
                f"ALTER TABLE {table.sql} FORCE ROW LEVEL SECURITY;",
                Severity.ERROR if users else None,
            )


def no_policy(scope: Scope) -> Iterator[Fault]:
    """Row-level security is on, and no policy lets any row through."""
    for table in _own(scope):
        if table.rls and not any(policy.permissive for policy in table.policies):
            # A partition that is only reached through its parent needs no policy.
            above = any(found.rls for found in scope.catalogue.ancestors(table))
            if above and not scope.reachers(table, ROW_PRIVILEGES):
                continue
            what = "only restrictive policies" if table.policies else "no policy"
            yield Fault(
                table.sql,
                f"Row-level security is on with {what}: no role that it applies to sees "
                "or writes a row.",
                policy_sql(scope, table),
            )


def _open_below(scope: Scope, *, partitions: bool) -> Iterator[Fault]:
    for table in _own(scope):
        above = _covered(scope, table)
        if above is None or table.is_partition is not partitions:
            continue
        who = [role.name for role in scope.reachers(table, ROW_PRIVILEGES)]
        if who:
            what = "a partition" if partitions else "an inheriting child"
            yield Fault(
                table.sql,
                f"The table is {what} of {above.sql}, whose policies do not apply when it is "
                f"queried by its own name, and {', '.join(map(repr, who))} may query it.",
                _switch_on(scope, table),
            )


def partition_open(scope: Scope) -> Iterator[Fault]:
    """A partition without row-level security that a role can name."""
    return _open_below(scope, partitions=True)


def inherited_open(scope: Scope) -> Iterator[Fault]:
    """An inheriting child without row-level security that a role can name."""
    return _open_below(scope, partitions=False)


def nullable(scope: Scope) -> Iterator[Fault]:
    """The tenant column may be NULL."""
    for table in scope.tables:
        name = scope.tenant_column(table)
        if name is None or table.columns[name].not_null:
            continue
        if any(_says_not_null(check.expression, name) for check in table.checks if check.valid):
            continue
        if any(scope.is_tenants(above) for above in table.parents):
            # Mended with the table above.
            continue
        yield Fault(
            table.sql,
            f"The tenant column {quoted(name)} may be NULL: such a row belongs to no tenant. None "
            "sees it, and all do as soon as a policy treats NULL as a value.",
            f"ALTER TABLE {table.sql} ALTER COLUMN {quoted(name)} SET NOT NULL;",
        )


def _says_not_null(expression: str, name: str) -> bool:
    bare = expression.strip("()").strip()
    return bare in {f"{name} IS NOT NULL", f"{quoted(name)} IS NOT NULL"}


def slow_scan(scope: Scope) -> Iterator[Fault]:
    """No index begins with the tenant column."""
    for table in _own(scope):
        name = scope.tenant_column(table)
        if name is None or any(scope.is_tenants(above) for above in table.parents):
            continue
        if not any(
            index.columns[:1] == (name,) and index.valid and not index.partial
            for index in table.indexes
        ) and not any(
            index.columns[:1] == (None,) and name in index.expressions and index.valid
            for index in table.indexes
        ):
            yield Fault(
                table.sql,
                f"No index begins with the tenant column {quoted(name)}: each query of one tenant "
                "reads the rows of all.",
                f"CREATE INDEX ON {table.sql} ({quoted(name)});",
            )


def foreign_table(scope: Scope) -> Iterator[Fault]:
    """A foreign table with tenants' rows."""
    for table in scope.tables:
        who = scope.reachers(table, ROW_PRIVILEGES) if table.kind == "f" else []
        if who:
            yield Fault(
                table.sql,
                "Foreign tables have no row-level security: whoever may read it reads every "
                "tenant's rows.",
                f"REVOKE ALL ON {table.sql} FROM {scope.grantees(who, table.oid, ROW_PRIVILEGES)};",
            )


def child_without_column(scope: Scope) -> Iterator[Fault]:
    """A table that points at tenants' rows and has neither the column nor row-level security."""
    mine = {table.oid for table in scope.tables}
    for table in scope.catalogue.tables.values():
        if table.oid in mine or not scope.inside(table.schema) or table.kind == "f":
            continue
        parents = [
            key
            for key in table.foreign_keys
            if key.parent in mine and _is_required(table, key.columns)
        ]
        who = scope.reachers(table, ROW_PRIVILEGES)
        if not parents or not who or any(above in mine for above in table.parents):
            continue
        key = parents[0]
        parent = scope.catalogue.tables[key.parent]
        matched = " AND ".join(
            f"p.{quoted(theirs)} = {table.sql}.{quoted(ours)}"
            for ours, theirs in zip(key.columns, key.parent_columns, strict=True)
        )
        condition = f"EXISTS (SELECT FROM {parent.sql} p WHERE {matched})"
        yield Fault(
            table.sql,
            f"Each row belongs to one of {parent.sql} and so to a tenant, but the table has "
            "neither a tenant column nor row-level security.",
            f"ALTER TABLE {table.sql} ENABLE ROW LEVEL SECURITY;\n"
            f"ALTER TABLE {table.sql} FORCE ROW LEVEL SECURITY;\n"
            f"CREATE POLICY tenant_isolation ON {table.sql} TO "
            f"{', '.join(quoted(role.name) for role in who)}\n"
            f"    USING ({condition})\n    WITH CHECK ({condition});",
        )


def _is_required(table: Table, columns: tuple[str, ...]) -> bool:
    return all(table.columns[name].not_null for name in columns if name in table.columns)
