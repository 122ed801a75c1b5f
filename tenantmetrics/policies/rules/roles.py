"""Rules about roles: whom row-level security does not bind."""

from __future__ import annotations

from collections.abc import Iterator

from tenantmetrics.policies.finding import Fault, Severity
from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.scope import Scope, managed

__all__ = ["bypasses", "empties", "owns", "superuser"]


def superuser(scope: Scope) -> Iterator[Fault]:
    """The application is a superuser, or somebody beside the first one is."""
    for role in scope.catalogue.roles.values():
        if not role.superuser or managed(role.name):
            continue
        if role in scope.roles:
            yield Fault(
                f"role {quoted(role.name)}",
                "The application connects as a superuser, and no policy applies to it. "
                "Let it connect as another role.",
                f"ALTER ROLE {quoted(role.name)} NOSUPERUSER;"
                if not role.bootstrap
                else f"-- {quoted(role.name)} stays a superuser: CREATE ROLE application LOGIN "
                "NOSUPERUSER NOBYPASSRLS, and connect as it",
            )
        elif role.login and not role.bootstrap and not scope.settings.roles:
            yield Fault(
                f"role {quoted(role.name)}",
                "The role can log in and is a superuser: no policy applies to it.",
                f"ALTER ROLE {quoted(role.name)} NOSUPERUSER;",
                Severity.WARNING,
            )
    for role in scope.roles:
        above = sorted(
            name
            for name in scope.memberships(role.name) - {role.name}
            if scope.catalogue.roles[name].superuser
        )
        if above and not role.superuser:
            yield Fault(
                f"role {quoted(role.name)}",
                f"The role is a member of the superuser {above[0]!r}: it can SET ROLE to it.",
                f"REVOKE {quoted(above[0])} FROM {quoted(role.name)};",
            )


def bypasses(scope: Scope) -> Iterator[Fault]:
    """A role has BYPASSRLS, or can become one that has."""
    for role in scope.catalogue.roles.values():
        if managed(role.name) or role.superuser:
            continue
        mine = role in scope.roles
        if role.bypass:
            named = any(
                role.name in policy.roles for table in scope.tables for policy in table.policies
            )
            yield Fault(
                f"role {quoted(role.name)}",
                "The role has BYPASSRLS: no policy applies to it"
                + (", although policies name it." if named else "."),
                f"ALTER ROLE {quoted(role.name)} NOBYPASSRLS;",
                Severity.ERROR if mine else Severity.WARNING,
            )
        elif mine:
            above = sorted(
                name
                for name in scope.memberships(role.name)
                if scope.catalogue.roles[name].bypass and not scope.catalogue.roles[name].superuser
            )
            if above:
                yield Fault(
                    f"role {quoted(role.name)}",
                    f"The role is a member of {above[0]!r}, which has BYPASSRLS, and can become it "
                    "with SET ROLE.",
                    f"REVOKE {quoted(above[0])} FROM {quoted(role.name)};",
                )


def owns(scope: Scope) -> Iterator[Fault]:
    """The application owns tenants' tables."""
    for role in scope.roles:
        if role.superuser:
            continue
        mine = [table for table in scope.tables if table.owner in scope.memberships(role.name)]
        if not mine:
            continue
        through = sorted({table.owner for table in mine} - {role.name})
        some = ", ".join(table.sql for table in mine[:3]) + (", …" if len(mine) > 3 else "")  # noqa: PLR2004
        if through:
            mend = "\n".join(f"REVOKE {quoted(name)} FROM {quoted(role.name)};" for name in through)
        else:
            lines = ["CREATE ROLE table_owner NOLOGIN;"]
            for table in mine:
                lines += [
                    f"ALTER TABLE {table.sql} OWNER TO table_owner;",
                    f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table.sql} TO {quoted(role.name)};",
                ]
            mend = "\n".join(lines)
        yield Fault(
            f"role {quoted(role.name)}",
            f"The application {'is a member of the owner' if through else 'is the owner'} of "
            f"{some}: an owner may switch row-level security off at any time.",
            mend,
        )


def empties(scope: Scope) -> Iterator[Fault]:
    """The application may TRUNCATE."""
    for table in scope.tables:
        who = [
            role
            for role in scope.reachers(table, frozenset({"TRUNCATE"}))
            if not role.superuser and table.owner not in scope.memberships(role.name)
        ]
        if who:
            names = ", ".join(quoted(role.name) for role in who)
            yield Fault(
                table.sql,
                f"{names} may TRUNCATE, which removes every tenant's rows: no policy is asked.",
                f"REVOKE TRUNCATE ON {table.sql} FROM "
                f"{scope.grantees(who, table.oid, {'TRUNCATE'})};",
            )
