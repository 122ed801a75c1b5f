"""The catalogue as the rules see it: tenants' tables, the application's roles, who reaches what.

A tenant's table has the tenant column, or row-level security, or policies. The application's roles
are those that were named; else those that grants on tenants' tables name, and the role that is
connected, unless it is a superuser that others' grants stand beside. Where no table was ever
granted to anybody, its owner is the application.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tenantmetrics.errors import RlsError
from tenantmetrics.policies.catalogue import Catalogue, Policy, Role, Table, View
from tenantmetrics.policies.expressions import compared_columns
from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.names import role as role_sql

__all__ = ["ROW_PRIVILEGES", "Scope", "Settings", "session_value"]

ROW_PRIVILEGES = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
_PRIVILEGE_ROLES = {
    "pg_read_all_data": {"SELECT"},
    "pg_write_all_data": {"INSERT", "UPDATE", "DELETE"},
}
_MANAGED = ("pg_", "rds")
"""How PostgreSQL's own roles and those of RDS begin: nobody can change them."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the check and the proof are told.

    Attributes:
        column: The tenant column.
        variable: The variable that a policy compares with.
        user_column: A column that policies compare with the user, too; None for none.
        user_variable: The user's variable.
        schemas: Only these; empty for all.
        roles: The application's roles; empty: as the grants say.
    """

    column: str = "tenant_id"
    variable: str = "app.current_tenant_id"
    user_column: str | None = None
    user_variable: str = "app.current_user_id"
    schemas: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


@dataclass(slots=True)
class Scope:
    """What the rules look at.

    Args:
        catalogue: The whole database.
        settings: What was asked for.

    Raises:
        RlsError: A role or a schema that was named is not there, or no table is a tenant's.
    """

    catalogue: Catalogue
    settings: Settings
    tables: list[Table] = field(init=False)
    roles: list[Role] = field(init=False)

    def __post_init__(self) -> None:
        known = self.catalogue
        for name in self.settings.roles:
            if name not in known.roles:
                raise RlsError(f"there is no role {name!r}").about("role")
        for name in self.settings.schemas:
            if name not in known.schema_users:
                raise RlsError(f"there is no schema {name!r}").about("schema")
        self.tables = sorted(
            (table for table in known.tables.values() if self._is_tenants(table)),
            key=lambda table: (table.schema, table.name),
        )
        if not self.tables:
            raise RlsError(
                f"no table has a column {self.settings.column!r} or row-level security: name the "
                "column that holds the tenant"
            ).about("column")
        names = self.settings.roles or self._deduced()
        self.roles = [known.roles[name] for name in sorted(names) if name in known.roles]

    def inside(self, schema: str) -> bool:
        """Whether a schema is looked at."""
        return not self.settings.schemas or schema in self.settings.schemas

    def _is_tenants(self, table: Table) -> bool:
        return self.inside(table.schema) and (
            self.settings.column in table.columns or table.rls or bool(table.policies)
        )

    def _deduced(self) -> set[str]:
        known = self.catalogue
        owners = {table.owner for table in self.tables}
        # An owner's own privileges are no grants; on another's table they are.
        owned = {table.oid: table.owner for table in self.tables}
        granted = {
            grant.role
            for grant in known.grants
            if grant.role != owned.get(grant.relation, grant.role)
            and grant.privilege in ROW_PRIVILEGES
        }
        found = {name for name in granted if name and not managed(name)}
        if "" in granted:
            found |= {
                role.name
                for role in known.roles.values()
                if role.login and not role.superuser and role.name not in owners
            }
        me = known.roles.get(known.me)
        if me is not None and not managed(me.name) and not (me.superuser and found):
            # Whoever reads the catalogue as the owner, as a member of the application's role (to
            # become it) or with no right on a row need not be the application.
            stands_by = (
                known.me in owners
                or bool(found & self.memberships(known.me))
                or not any(self.may(me, table.oid, ROW_PRIVILEGES) for table in self.tables)
            )
            if not (stands_by and found):
                found.add(known.me)
        return found or owners

    def tenant_column(self, table: Table) -> str | None:
        """The column of a table that holds its tenant; None where there is none."""
        if self.settings.column in table.columns:
            return self.settings.column
        for policy in table.policies:
            for name in sorted(
                compared_columns(policy.using) | compared_columns(policy.with_check)
            ):
                if name in table.columns and name != self.settings.user_column:
                    return name
        return None

    def is_tenants(self, oid: int) -> bool:
        """Whether an oid is that of a tenant's table."""
        return any(table.oid == oid for table in self.tables)

    def reads(self, oids: frozenset[int]) -> list[Table]:
        """The tenants' tables that a query reads, through views of any depth."""
        seen: set[int] = set()
        queue = list(oids)
        while queue:
            oid = queue.pop()
            if oid in seen:
                continue
            seen.add(oid)
            view = self.catalogue.views.get(oid)
            if view is not None:
                queue.extend(view.reads)
        return [table for table in self.tables if table.oid in seen]

    def memberships(self, name: str) -> set[str]:
        """A role and every role that it is a member of, at any remove."""
        found, queue = set(), [name]
        while queue:
            role = self.catalogue.roles.get(queue.pop())
            if role is not None and role.name not in found:
                found.add(role.name)
                queue.extend(role.member_of)
        return found

    def may(self, role: Role, relation: int, privileges: frozenset[str] | set[str]) -> bool:
        """Whether a role has one of some privileges on a relation or a column of it."""
        if role.superuser:
            return True
        names = self.memberships(role.name)
        for name, given in _PRIVILEGE_ROLES.items():
            if name in names and given & privileges:
                return True
        return any(
            grant.relation == relation
            and grant.privilege in privileges
            and (not grant.role or grant.role in names)
            for grant in self.catalogue.grants
        )

    def enters(self, role: Role, schema: str) -> bool:
        """Whether a role may use the names of a schema."""
        users = self.catalogue.schema_users.get(schema, frozenset())
        names = self.memberships(role.name)
        return role.superuser or "" in users or bool(names & users)

    def reachers(self, relation: Table | View, privileges: frozenset[str]) -> list[Role]:
        """The application's roles that have one of some privileges on a relation."""
        return [
            role
            for role in self.roles
            if self.enters(role, relation.schema) and self.may(role, relation.oid, privileges)
        ]

    def grantees(
        self, roles: list[Role], relation: int, privileges: frozenset[str] | set[str]
    ) -> str:
        """From whom privileges must be taken so that roles lose them, PUBLIC first, as SQL."""
        names = {name for role in roles for name in self.memberships(role.name)} | {""}
        found = {
            grant.role
            for grant in self.catalogue.grants
            if grant.relation == relation and grant.privilege in privileges and grant.role in names
        }
        return ", ".join(role_sql(name) for name in sorted(found)) or "PUBLIC"

    def exempt(self, name: str, table: Table) -> str:
        """Why row-level security of a table does not bind a role; empty where it does."""
        role = self.catalogue.roles.get(name)
        if role is None or role.superuser:
            return "is a superuser"
        if role.bypass:
            return "has BYPASSRLS"
        if not table.rls:
            return "reads a table without row-level security"
        if not table.forced and table.owner in self.memberships(name):
            return "owns the table, whose row-level security is not forced"
        return ""

    def applies(self, policy: Policy, role: Role) -> bool:
        """Whether a policy is for a role."""
        return "" in policy.roles or bool(set(policy.roles) & self.memberships(role.name))


def managed(name: str) -> bool:
    """Whether a role is PostgreSQL's or the cloud's own."""
    return name.startswith(_MANAGED)


def session_value(variable: str, base: str, category: str) -> str:
    """The session's tenant in SQL, evaluated once a statement, as a column of a type needs it.

    Args:
        variable: The variable, such as "app.current_tenant_id".
        base: The column's type under its domains.
        category: Its category; "S" are texts.
    """
    escaped = variable.replace("'", "''")
    setting = f"current_setting('{escaped}', true)"
    if category == "S":
        return f"(SELECT {setting})"
    # A variable that was set in a transaction is the empty string after it, which is no number.
    return f"(SELECT CAST(NULLIF({setting}, '') AS {base}))"


def tied(settings: Settings, table: Table, column: str) -> str:
    """The condition that a policy of a table needs."""
    pairs = [(column, settings.variable)]
    if settings.user_column is not None and settings.user_column in table.columns:
        pairs.append((settings.user_column, settings.user_variable))
    return " AND ".join(
        f"{quoted(name)} = "
        + session_value(variable, table.columns[name].base, table.columns[name].category)
        for name, variable in pairs
    )
