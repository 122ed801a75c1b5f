"""Rules about what stands beside the tables: views, functions, sequences."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tenantmetrics.policies.catalogue import Function, Table, View
from tenantmetrics.policies.finding import Fault, Severity
from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.scope import ROW_PRIVILEGES, Scope

__all__ = [
    "callable_by_application",
    "definer_function",
    "definer_path",
    "materialised",
    "mentioned",
    "open_sequence",
    "owners_view",
]

_WORD = re.compile(r'"((?:[^"]|"")+)"|(\w+)')
_HEADER = re.compile(r"\n(?=AS |RETURN |BEGIN ATOMIC)")
"""How `pg_get_functiondef` begins a body."""
_INVOKER_SINCE = 15
"""PostgreSQL 15 brought `security_invoker`."""


def owners_view(scope: Scope) -> Iterator[Fault]:
    """A view that reads with its owner's rights."""
    for view in _sorted(scope):
        if view.materialised or view.invoker or not scope.inside(view.schema):
            continue
        read = scope.reads(view.reads)
        if not read:
            continue
        reasons = {scope.exempt(view.owner, table) for table in read if table.rls} - {""}
        reached = scope.reachers(view, ROW_PRIVILEGES)
        why = (
            f"The view reads {_some(read)} with the rights of its owner {view.owner!r}, who "
            f"{min(reasons)}: it shows every tenant's rows."
            if reasons
            else f"The view reads {_some(read)} with the rights of its owner {view.owner!r}: the "
            "owner's policies apply, not those of the role that queries it."
        )
        if scope.catalogue.version >= _INVOKER_SINCE:
            mend = f"ALTER VIEW {view.sql} SET (security_invoker = true);"
        else:
            mend = (
                f"-- PostgreSQL {scope.catalogue.version} has no security_invoker: give "
                f"{view.sql} an owner that the policies apply to"
            )
        severity = None if reasons else Severity.WARNING
        yield Fault(view.sql, why, mend, severity if reached else Severity.INFO)


def materialised(scope: Scope) -> Iterator[Fault]:
    """A materialised view of tenants' rows that the application may read."""
    for view in _sorted(scope):
        if not view.materialised or not scope.inside(view.schema):
            continue
        read = scope.reads(view.reads)
        who = scope.reachers(view, frozenset({"SELECT"}))
        if read and who:
            yield Fault(
                view.sql,
                f"The materialised view keeps rows of {_some(read)} as its owner saw them, and has "
                "no row-level security of its own.",
                f"REVOKE ALL ON {view.sql} FROM {scope.grantees(who, view.oid, ROW_PRIVILEGES)};",
            )


def callable_by_application(scope: Scope, function: Function) -> bool:
    """Whether one of the application's roles may execute a function."""
    return any(
        scope.enters(role, function.schema)
        and (
            role.superuser
            or "" in function.grantees
            or bool(function.grantees & scope.memberships(role.name))
        )
        for role in scope.roles
    )


def mentioned(scope: Scope, function: Function) -> list[Table]:
    """The tenants' tables that a function's body names, itself or through views."""
    words = {
        (quoted_word or word).replace('""', '"').lower()
        for quoted_word, word in _WORD.findall(_body(function))
    }
    views = scope.reads(
        frozenset(view.oid for view in scope.catalogue.views.values() if view.name.lower() in words)
    )
    return [table for table in scope.tables if table.name.lower() in words or table in views]


def _body(function: Function) -> str:
    """A definition from where its header ends."""
    return _HEADER.split(function.source, maxsplit=1)[-1]


def definer_function(scope: Scope) -> Iterator[Fault]:
    """A function that reads tenants' tables with its owner's rights."""
    for function in _definers(scope):
        read = mentioned(scope, function)
        builds = not read and _builds(function)
        tables = scope.tables if builds else read
        reasons = {scope.exempt(function.owner, table) for table in tables if table.rls} - {""}
        if not reasons:
            continue
        path = "" if function.search_path else " It sets no search_path either."
        what = "builds the text of its statements" if builds else f"names {_some(read)}"
        yield Fault(
            f"function {function.sql}",
            f"The function is SECURITY DEFINER, {what} and runs as {function.owner!r}, who "
            f"{min(reasons)}: no policy applies in it.{path}",
            f"ALTER {_kind(function)} {function.sql} SECURITY INVOKER;",
            Severity.WARNING if builds else None,
        )


def definer_path(scope: Scope) -> Iterator[Fault]:
    """A SECURITY DEFINER function that takes its caller's search_path."""
    for function in _definers(scope):
        if not function.search_path and not mentioned(scope, function) and not _builds(function):
            yield Fault(
                f"function {function.sql}",
                "The function is SECURITY DEFINER and sets no search_path: whoever calls it "
                "decides which tables and functions its names refer to.",
                f"ALTER {_kind(function)} {function.sql} SET search_path = pg_catalog, pg_temp;",
            )


def _definers(scope: Scope) -> Iterator[Function]:
    for function in scope.catalogue.functions:
        if (
            function.definer
            and scope.inside(function.schema)
            and function.returns not in {"trigger", "event_trigger"}
            and callable_by_application(scope, function)
        ):
            yield function


def _builds(function: Function) -> bool:
    return function.language == "plpgsql" and bool(
        re.search(r"\bEXECUTE\b", _body(function), re.IGNORECASE)
    )


def _kind(function: Function) -> str:
    return "PROCEDURE" if function.kind == "p" else "FUNCTION"


def open_sequence(scope: Scope) -> Iterator[Fault]:
    """A sequence of a tenant's table that the application may read or set."""
    for sequence in scope.catalogue.sequences:
        if not scope.is_tenants(sequence.table) or not scope.inside(sequence.schema):
            continue
        sets, reads = (
            [
                role
                for role in scope.roles
                if not role.superuser
                and sequence.owner not in scope.memberships(role.name)
                and scope.may(role, sequence.oid, {privilege})
            ]
            for privilege in ("UPDATE", "SELECT")
        )
        if not sets and not reads:
            continue
        names = ", ".join(quoted(role.name) for role in {r.name: r for r in sets + reads}.values())
        table = scope.catalogue.tables[sequence.table]
        yield Fault(
            f"sequence {sequence.sql}",
            f"{names} may {'set' if sets else 'read'} the sequence that {table.sql} shares among "
            "all tenants: "
            + (
                "one tenant can make the inserts of all fail."
                if sets
                else "its value says how many rows all of them write."
            ),
            f"REVOKE SELECT, UPDATE ON SEQUENCE {sequence.sql} FROM "
            f"{scope.grantees(sets + reads, sequence.oid, {'SELECT', 'UPDATE'})};\n"
            f"GRANT USAGE ON SEQUENCE {sequence.sql} TO {names};",
            None if sets else Severity.INFO,
        )


def _sorted(scope: Scope) -> list[View]:
    return sorted(scope.catalogue.views.values(), key=lambda view: (view.schema, view.name))


def _some(tables: list[Table]) -> str:
    shown = ", ".join(table.sql for table in tables[:3])
    return shown + (", …" if len(tables) > 3 else "")  # noqa: PLR2004
