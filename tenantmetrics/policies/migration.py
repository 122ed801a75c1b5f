"""The migration that isolates tables, and its undo.

Contract: the migration may be applied again and again. It adds no way in: where a table has other
permissive policies, it adds a restrictive one beneath them, since a permissive one would widen
them. The undo gives back what the catalogue had when it was written; of a table that was isolated
already it takes away all of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tenantmetrics.policies.catalogue import Catalogue, Policy, Table
from tenantmetrics.policies.names import literal, qualified, quoted, role
from tenantmetrics.policies.scope import ROW_PRIVILEGES, Settings, tied

__all__ = ["Migration", "MigrationPlan", "migration"]

_NAME_MAX_BYTES = 63
_COMMANDS = {"*": "ALL", "r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}
_ORDER = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """What a migration shall do.

    Attributes:
        tables: Each has the tenant column.
        settings: The columns, the variables.
        roles: The application's; empty: PUBLIC.
        policy: The policy's name.
        not_null: The tenant column is made NOT NULL.
        concurrently: Indexes are made without locking, before the transaction.
    """

    tables: list[Table]
    settings: Settings
    roles: tuple[str, ...]
    policy: str = "tenant_isolation"
    not_null: bool = True
    concurrently: bool = False


@dataclass(frozen=True, slots=True)
class Migration:
    """SQL to apply, SQL to take it back, and what to know before.

    Attributes:
        up: The migration.
        down: Its undo.
        warnings: A sentence each.
    """

    up: str
    down: str
    warnings: list[str]


def migration(catalogue: Catalogue, plan: MigrationPlan) -> Migration:
    """The migration of a plan.

    Args:
        catalogue: The database as it is.
        plan: What is wanted.
    """
    up: list[str] = []
    down: list[str] = []
    first: list[str] = []
    last: list[str] = []
    for name in plan.roles:
        _role(catalogue, name, up, down)
    _schemas(catalogue, plan, up, down)
    for table in plan.tables:
        ups, downs = _table(catalogue, plan, table)
        index_up, index_down = _index(catalogue, plan, table)
        (first if plan.concurrently else ups).extend(index_up)
        (last if plan.concurrently else downs).extend(index_down)
        up += [f"\n-- {_comment(table.sql)}", *ups]
        # The other way round: first what was added last.
        down = [f"\n-- {_comment(table.sql)}", *downs, *down]
    warnings = _warnings(catalogue, plan)
    notes = [f"-- Note: {_comment(text)}" for text in warnings]
    return Migration(
        up="\n".join([*notes, *first, *_transaction(up)]) + "\n",
        down="\n".join([*_transaction(down), *last]) + "\n",
        warnings=warnings,
    )


def _transaction(lines: list[str]) -> list[str]:
    # Whoever waits for the lock makes everybody else wait.
    return ["BEGIN;", "SET LOCAL lock_timeout = '5s';", *lines, "", "COMMIT;"]


def _comment(text: str) -> str:
    return " ".join(text.split())


def _role(catalogue: Catalogue, name: str, up: list[str], down: list[str]) -> None:
    known = catalogue.roles.get(name)
    if known is None:
        up.append(
            "DO $do$ BEGIN\n"
            f"    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(name)}) THEN\n"
            f"        CREATE ROLE {quoted(name)} NOLOGIN NOSUPERUSER NOBYPASSRLS;\n"
            "    END IF;\nEND $do$;"
        )
        down.append(f"DROP ROLE IF EXISTS {quoted(name)};")
        return
    for has, word in ((known.superuser, "SUPERUSER"), (known.bypass, "BYPASSRLS")):
        if has:
            up.append(f"ALTER ROLE {quoted(name)} NO{word};")
            down.append(f"ALTER ROLE {quoted(name)} {word};")


def _schemas(catalogue: Catalogue, plan: MigrationPlan, up: list[str], down: list[str]) -> None:
    for schema in sorted({table.schema for table in plan.tables}):
        users = catalogue.schema_users.get(schema, frozenset())
        for name in plan.roles:
            if not users & ({""} | _memberships(catalogue, name)):
                sql = "public" if schema == "public" else quoted(schema)
                up.append(f"GRANT USAGE ON SCHEMA {sql} TO {quoted(name)};")
                down.insert(0, f"REVOKE USAGE ON SCHEMA {sql} FROM {quoted(name)};")


def _table(catalogue: Catalogue, plan: MigrationPlan, table: Table) -> tuple[list[str], list[str]]:
    column = plan.settings.column
    condition = tied(plan.settings, table, column)
    mine = next((policy for policy in table.policies if policy.name == plan.policy), None)
    # It was isolated by an earlier run: its undo takes that away.
    again = mine is not None and table.rls and table.forced
    others = [policy for policy in table.policies if policy is not mine]
    kind = " AS RESTRICTIVE" if any(policy.permissive for policy in others) else ""
    to = ", ".join(map(role, plan.roles)) or "PUBLIC"
    drop = f"DROP POLICY IF EXISTS {quoted(plan.policy)} ON {table.sql};"
    up = [
        f"ALTER TABLE {table.sql} ENABLE ROW LEVEL SECURITY;",
        f"ALTER TABLE {table.sql} FORCE ROW LEVEL SECURITY;",
        drop,
        (
            f"CREATE POLICY {quoted(plan.policy)} ON {table.sql}{kind} TO {to}\n"
            f"    USING ({condition})\n    WITH CHECK ({condition});"
        ),
    ]
    down = [drop]
    if mine is not None and not again:
        down.append(_created(table, mine))
    if not table.forced or (again and not others):
        down.append(f"ALTER TABLE {table.sql} NO FORCE ROW LEVEL SECURITY;")
    if not table.rls or (again and not others):
        down.append(f"ALTER TABLE {table.sql} DISABLE ROW LEVEL SECURITY;")
    inherited = any(parent in {other.oid for other in plan.tables} for parent in table.parents)
    if plan.not_null and not table.columns[column].not_null and not inherited:
        up.append(f"ALTER TABLE {table.sql} ALTER COLUMN {quoted(column)} SET NOT NULL;")
        down.append(f"ALTER TABLE {table.sql} ALTER COLUMN {quoted(column)} DROP NOT NULL;")
    if not inherited:
        _grants(catalogue, plan, table, up, down)
    return up, down


def _created(table: Table, policy: Policy) -> str:
    """A policy as it was."""
    kind = "" if policy.permissive else " AS RESTRICTIVE"
    using = f"\n    USING ({policy.using})" if policy.using else ""
    check = f"\n    WITH CHECK ({policy.with_check})" if policy.with_check else ""
    return (
        f"CREATE POLICY {quoted(policy.name)} ON {table.sql}{kind} FOR {_COMMANDS[policy.command]}"
        f" TO {', '.join(map(role, policy.roles))}{using}{check};"
    )


def _grants(
    catalogue: Catalogue, plan: MigrationPlan, table: Table, up: list[str], down: list[str]
) -> None:
    """Privileges for a role that has none on the table; one that has some has what it needs."""
    for name in plan.roles:
        names = _memberships(catalogue, name) | {""}
        if any(
            grant.relation == table.oid
            and grant.role in names
            and grant.privilege in ROW_PRIVILEGES
            for grant in catalogue.grants
        ):
            continue
        what = ", ".join(_ORDER)
        up.append(f"GRANT {what} ON {table.sql} TO {quoted(name)};")
        down.append(f"REVOKE {what} ON {table.sql} FROM {quoted(name)};")
        for sequence in catalogue.sequences:
            takes = any(
                sequence.name in column.default and "nextval(" in column.default
                for column in table.columns.values()
            )
            if sequence.table == table.oid and takes:
                up.append(f"GRANT USAGE ON SEQUENCE {sequence.sql} TO {quoted(name)};")
                down.append(f"REVOKE USAGE ON SEQUENCE {sequence.sql} FROM {quoted(name)};")


def _memberships(catalogue: Catalogue, name: str) -> set[str]:
    found, queue = {name}, [name]
    while queue:
        known = catalogue.roles.get(queue.pop())
        if known is not None:
            queue += known.member_of - found
            found |= known.member_of
    return found


def _index(catalogue: Catalogue, plan: MigrationPlan, table: Table) -> tuple[list[str], list[str]]:
    column = plan.settings.column
    above = {other.oid for other in plan.tables if other.kind == "p"}
    if table.is_partition and above & set(table.parents):
        return [], []
    name = _index_name(catalogue, table, column)
    mine = [index for index in table.indexes if index.name == name]
    served = any(
        index.columns[:1] == (column,) and index.valid and not index.partial
        for index in table.indexes
        if index not in mine
    )
    if served:
        return [], []
    # A partitioned table's index cannot be made concurrently.
    how = " CONCURRENTLY" if plan.concurrently and table.kind != "p" else ""
    return (
        [f"CREATE INDEX{how} IF NOT EXISTS {quoted(name)} ON {table.sql} ({quoted(column)});"],
        [f"DROP INDEX{how} IF EXISTS {qualified(table.schema, name)};"],
    )


def _index_name(catalogue: Catalogue, table: Table, column: str) -> str:
    """A name that nothing else in the schema has; the same at each run."""
    wanted = f"{table.name}_{column}_rls_idx"
    if len(wanted.encode()) > _NAME_MAX_BYTES:
        digest = hashlib.sha256(wanted.encode()).hexdigest()[:8]
        head = table.name.encode()[:40].decode(errors="ignore")
        wanted = f"{head}_{digest}_rls_idx"
    taken = {
        index.name
        for other in catalogue.tables.values()
        if other.schema == table.schema and other.oid != table.oid
        for index in other.indexes
    } | {
        other.name
        for group in (catalogue.tables.values(), catalogue.views.values())
        for other in group
        if other.schema == table.schema
    }
    number = 1
    name = wanted
    while name in taken:
        number += 1
        name = f"{wanted[:58]}_{number}"
    return name


def _warnings(catalogue: Catalogue, plan: MigrationPlan) -> list[str]:
    found = []
    if not plan.roles:
        found.append(
            "the policies are for PUBLIC, every role: name the application's role, so that others "
            "are let in by nothing"
        )
    bound: dict[str, list[str]] = {}
    for table in plan.tables:
        owner = catalogue.roles.get(table.owner)
        if owner is None or not (owner.superuser or owner.bypass):
            bound.setdefault(table.owner, []).append(table.sql)
    for owner_name, tables in bound.items():
        inside = not plan.roles or bool(_memberships(catalogue, owner_name) & set(plan.roles))
        found.append(
            f"FORCE applies policies to the owner {owner_name!r} of {_some(tables)}, "
            "too: its migrations, jobs and views "
            + (
                f"see no row unless they set {plan.settings.variable}"
                if inside
                else "see no row at all, since no policy is for it"
            )
            + ", and its pg_dump fails. Let them run as a role with BYPASSRLS that the application "
            "cannot become"
        )
    for table in plan.tables:
        others = [p.name for p in table.policies if p.permissive and p.name != plan.policy]
        if others:
            found.append(
                f"{table.sql} has the permissive policies {', '.join(map(repr, others))}: the new "
                "one is restrictive, beneath them"
            )
        if table.kind == "p":
            found.append(f"a new partition of {table.sql} needs row-level security of its own")
    for name in plan.roles:
        owned = [t.sql for t in plan.tables if t.owner in _memberships(catalogue, name)]
        if owned:
            found.append(f"role {name!r} owns {_some(owned)}: it may switch row-level security off")
    return found


def _some(names: list[str]) -> str:
    most = 3
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if names[most:] else "")
