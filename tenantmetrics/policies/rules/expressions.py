"""Rules about what policies say: whom they let through, and what evaluating them costs."""

from __future__ import annotations

from collections.abc import Iterator

from tenantmetrics.policies.catalogue import Function, Policy, Table
from tenantmetrics.policies.expressions import (
    Binding,
    binding,
    calls_of,
    is_true,
    session_user,
    settings_of,
    wrapped_columns,
)
from tenantmetrics.policies.finding import Fault, Severity
from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.scope import Scope, tied

__all__ = [
    "always_true",
    "column_wrapped",
    "compares_role",
    "free_branch",
    "immutable_session",
    "missing_check",
    "per_row",
    "raises_when_unset",
    "unbound",
    "volatile",
]

_ALL = frozenset("rawd")
_READS, _WRITES = frozenset("*rwd"), frozenset("*aw")


def _policies(scope: Scope) -> Iterator[tuple[Table, Policy, str]]:
    for table in scope.tables:
        for policy in table.policies:
            yield table, policy, f"policy {quoted(policy.name)} on {table.sql}"


def clauses(policy: Policy) -> Iterator[tuple[str, str, frozenset[str]]]:
    """The clauses of a policy that say something: name, expression, the commands they decide."""
    commands = _ALL if policy.command == "*" else frozenset(policy.command)
    if policy.using and policy.command in _READS:
        yield "USING", policy.using, commands - {"a"} if policy.with_check else commands
    if policy.with_check and policy.command in _WRITES:
        yield "WITH CHECK", policy.with_check, commands & {"a", "w"}


def _floored(scope: Scope, table: Table, policy: Policy, clause: str, need: frozenset[str]) -> bool:
    """Whether restrictive policies bind what a permissive clause lets through."""
    column = scope.tenant_column(table)
    left = set(need)
    for floor in table.policies:
        if floor.permissive or not ("" in floor.roles or set(policy.roles) <= set(floor.roles)):
            continue
        text = (clause == "WITH CHECK" and floor.with_check) or floor.using or floor.with_check
        if binding(text, column).binds:
            left -= _ALL if floor.command == "*" else set(floor.command)
    return not left


def _loose(scope: Scope) -> Iterator[tuple[Table, Policy, str, str, Binding]]:
    """Permissive clauses that let rows of several tenants through, and no floor beneath them."""
    for table, policy, name in _policies(scope):
        if not policy.permissive:
            continue
        for clause, text, need in clauses(policy):
            found = binding(text, scope.tenant_column(table))
            if not found.binds and not _floored(scope, table, policy, clause, need):
                yield table, policy, name, clause, found


def altered(scope: Scope, table: Table, policy: Policy) -> str:
    """ALTER POLICY that ties the policy to the tenant column."""
    column = scope.tenant_column(table)
    name = f"ALTER POLICY {quoted(policy.name)} ON {table.sql}"
    if column is None:
        return f"-- {name} …: tie it to the tenant (the table has no tenant column)"
    condition = tied(scope.settings, table, column)
    parts = []
    if policy.command in _READS:
        parts.append(f"    USING ({condition})")
    if policy.command in _WRITES:
        parts.append(f"    WITH CHECK ({condition})")
    return "\n".join([name, *parts]) + ";"


def always_true(scope: Scope) -> Iterator[Fault]:
    """A permissive policy that is true for every row."""
    for table, policy, name, clause, found in _loose(scope):
        if found.true:
            yield Fault(
                name,
                f"{clause} is true whatever the row: it lets every tenant's rows through.",
                altered(scope, table, policy),
            )
    for table, policy, name in _policies(scope):
        if not policy.permissive and any(is_true(text) for _, text, _ in clauses(policy)):
            yield Fault(
                name,
                "The policy is restrictive and true whatever the row: it restricts nothing.",
                altered(scope, table, policy),
                Severity.WARNING,
            )


def free_branch(scope: Scope) -> Iterator[Fault]:
    """An OR, one branch of which is not tied to the tenant."""
    for table, policy, name, clause, found in _loose(scope):
        if found.free and not found.true:
            yield Fault(
                name,
                f"{clause} has an OR with a branch that is not tied to the tenant: whoever meets "
                "it sees all tenants, and no query can use the tenant column's index. "
                "Give such users a role with a policy of its own.",
                altered(scope, table, policy),
            )


def unbound(scope: Scope) -> Iterator[Fault]:
    """A policy that does not tie the row to the session's tenant."""
    for table, policy, name, clause, found in _loose(scope):
        if found.true or found.free:
            continue
        column = scope.tenant_column(table)
        what = (
            "compares with a constant, the same for every session"
            if found.literal
            else "does not tie the row to the session's tenant"
            + (f" by {quoted(column)}" if column else "")
        )
        yield Fault(
            name,
            f"{clause} {what}: rows of other tenants pass.",
            altered(scope, table, policy),
        )


def missing_check(scope: Scope) -> Iterator[Fault]:
    """USING without WITH CHECK."""
    for table, policy, name in _policies(scope):
        if not policy.permissive or policy.with_check or policy.command not in _WRITES:
            continue
        if policy.command == "a":
            why = "The policy is for INSERT and has no WITH CHECK: it lets no row in."
        elif not binding(policy.using, scope.tenant_column(table)).binds:
            continue
        else:
            why = (
                "USING without WITH CHECK: PostgreSQL takes USING for new rows too, so it holds "
                "only as long as nobody widens what may be read."
            )
        using = policy.using or None
        mend = (
            f"ALTER POLICY {quoted(policy.name)} ON {table.sql} WITH CHECK ({using});"
            if using
            else altered(scope, table, policy)
        )
        yield Fault(name, why, mend)


def _user_functions(scope: Scope, policy: Policy) -> Iterator[Function]:
    called = {
        (call.schema, call.name)
        for _, text, _ in clauses(policy)
        for call in calls_of(text)
        if call.schema
    }
    return (f for f in scope.catalogue.functions if (f.schema, f.name) in called)


def volatile(scope: Scope) -> Iterator[Fault]:
    """A volatile function in a policy."""
    for table, policy, name in _policies(scope):
        mine = [f for f in _user_functions(scope, policy) if f.volatility == "v"]
        builtin = sorted(
            {
                call.name
                for _, text, _ in clauses(policy)
                for call in calls_of(text)
                if call.name in scope.catalogue.volatile
            }
        )
        if not mine and not builtin:
            continue
        names = ", ".join([f.sql for f in mine] + [f"{name}()" for name in builtin])
        yield Fault(
            name,
            f"The policy calls {names}, volatile: it runs for every row, no index helps, and its "
            "answer may change from row to row.",
            "\n".join(f"ALTER FUNCTION {f.sql} STABLE;" for f in mine)
            if mine and not builtin
            else altered(scope, table, policy),
        )


def immutable_session(scope: Scope) -> Iterator[Fault]:
    """A function that claims to be immutable and reads the session."""
    reads = {"current_setting", "current_user", "session_user"}
    for _, policy, name in _policies(scope):
        for function in _user_functions(scope, policy):
            if function.volatility == "i" and any(word in function.source for word in reads):
                yield Fault(
                    name,
                    f"{function.sql} claims to be IMMUTABLE and reads the session: a plan that is "
                    "used again keeps the tenant that it was made for.",
                    f"ALTER FUNCTION {function.sql} STABLE;",
                )


def raises_when_unset(scope: Scope) -> Iterator[Fault]:
    """current_setting without missing_ok."""
    for table, policy, name in _policies(scope):
        if any(
            not found.missing_ok for _, text, _ in clauses(policy) for found in settings_of(text)
        ):
            yield Fault(
                name,
                "current_setting without missing_ok: where no tenant was ever set on a connection, "
                "each statement fails instead of showing no row.",
                altered(scope, table, policy),
            )


def per_row(scope: Scope) -> Iterator[Fault]:
    """current_setting that is evaluated for each row."""
    for table, policy, name in _policies(scope):
        column = scope.tenant_column(table)
        found = [
            setting
            for _, text, _ in clauses(policy)
            # What does not tie the row at all is another rule's.
            if binding(text, column).binds
            for setting in settings_of(text)
        ]
        if any(not setting.once and setting.missing_ok for setting in found):
            yield Fault(
                name,
                "current_setting is evaluated for each row: in a sub-SELECT it is evaluated once a "
                "statement.",
                altered(scope, table, policy),
            )


def column_wrapped(scope: Scope) -> Iterator[Fault]:
    """The tenant column inside a function or a cast."""
    for table, policy, name in _policies(scope):
        column = scope.tenant_column(table)
        if column is None:
            continue
        texts = [text for _, text, _ in clauses(policy)]
        # A cast of varchar to text is none for PostgreSQL, and an index serves it.
        cast = table.columns[column].category != "S" and any(
            f"({form})::" in text for text in texts for form in (column, quoted(column))
        )
        served = any(column in index.expressions for index in table.indexes)
        if (cast or any(column in wrapped_columns(text) for text in texts)) and not served:
            yield Fault(
                name,
                f"{quoted(column)} is compared inside a function or a cast: an index on it "
                "cannot be used.",
                altered(scope, table, policy),
            )


def compares_role(scope: Scope) -> Iterator[Fault]:
    """A column compared with the role that is connected."""
    for table, policy, name in _policies(scope):
        if any(session_user(text) for _, text, _ in clauses(policy)):
            yield Fault(
                name,
                "A column is compared with current_user or session_user: behind a pool of "
                "connections every tenant has the same role.",
                altered(scope, table, policy),
            )
