"""The proof: two tenants' rows in every table, every operation on them, all of it rolled back.

Contract: everything happens in one transaction that is rolled back; what a rollback does not take
back, sequences, is not touched. Locks are waited for 5 seconds at most. Reports hold names, never
values: the two tenants are of the proof's own making.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenantmetrics.errors import RlsError
from tenantmetrics.policies.catalogue import Table
from tenantmetrics.policies.proof.beside import Beside
from tenantmetrics.policies.proof.hinted_rows import plant_more
from tenantmetrics.policies.proof.probes import probes
from tenantmetrics.policies.proof.rights import Rights, rights_of
from tenantmetrics.policies.proof.seeds import A, B, Seeds
from tenantmetrics.policies.proof.session import Session
from tenantmetrics.policies.proof.trial import Trial
from tenantmetrics.policies.proof.verdict import Proved, Verdict
from tenantmetrics.policies.read import read
from tenantmetrics.policies.scope import Scope, Settings
from tenantmetrics.policies.selection import named
from tenantmetrics.policies.source import Connection, RefusedError

__all__ = ["Proof", "prove"]


_SETTINGS = """
SELECT substr(line, length('search_path=') + 1)
FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
CROSS JOIN LATERAL unnest(s.setconfig) line
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
WHERE r.rolname = CAST(:role AS name) AND line LIKE 'search_path=%'
    AND coalesce(d.datname, current_database()) = current_database()
ORDER BY s.setdatabase DESC LIMIT 1"""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the proof says.

    Attributes:
        role: The role that everything was tried as.
        proved: Every operation on every object.
    """

    role: str
    proved: list[Proved]

    @property
    def leaks(self) -> list[Proved]:
        """What is not isolated."""
        return [proved for proved in self.proved if proved.verdict is Verdict.LEAK]

    @property
    def unproved(self) -> list[Proved]:
        """What could not be tried."""
        return [proved for proved in self.proved if proved.verdict is Verdict.UNPROVED]


def prove(
    connection: Connection,
    settings: Settings,
    *,
    tables: Sequence[str] = (),
    functions: bool = True,
) -> Proof:
    """Try whether one tenant reaches another's rows; nothing stays.

    Args:
        connection: Not in a transaction; of a role that may SET ROLE to the application's.
        settings: The tenant column, the variable, the application's role, the schemas.
        tables: Only these, and what stands beside them; empty for all.
        functions: Call SECURITY DEFINER functions, too. What they do outside of the database is not
            rolled back.

    Raises:
        RlsError: The database cannot be read, or it is not clear who the application is.
    """
    with connection.transaction(read_only=False):
        catalogue = read(connection)
        scope = Scope(catalogue, settings)
        role = _application(scope)
        connection.rows("SET LOCAL lock_timeout = '5s'")
        session = Session(connection, role, (settings.variable, settings.user_variable))
        _try_role(session)
        _search_path(session)
        wanted = [named(catalogue, text) for text in tables]
        for table in wanted:
            if not scope.is_tenants(table.oid) and not _belongs(scope, table):
                raise RlsError(f"{table.sql} has no column {settings.column!r} and no policies")
        return Proof(role, _all(scope, session, wanted, functions=functions))


def _application(scope: Scope) -> str:
    roles = [role.name for role in scope.roles]
    if len(roles) == 1:
        return roles[0]
    found = ", ".join(map(repr, roles)) or "none"
    raise RlsError(f"name the one role that the application connects as (found: {found})").about(
        "role"
    )


def _try_role(session: Session) -> None:
    def work() -> None:
        session.become("", application=True)

    done = session.undone(work)
    if done.sqlstate:
        raise RlsError(
            f"the connected role cannot become {session.role!r} (SQLSTATE {done.sqlstate}): "
            "connect as a member of it, or as that role"
        )


def _search_path(session: Session) -> None:
    """Names mean what they mean to the application when it has connected itself."""
    rows = session.connection.rows(_SETTINGS, {"role": session.role})
    if rows:
        session.settle()
        session.connection.rows(
            "SELECT set_config('search_path', CAST(:path AS text), true)", {"path": rows[0][0]}
        )


def _belongs(scope: Scope, table: Table) -> bool:
    """Whether a table without the column points at tenants' rows."""
    return any(scope.is_tenants(key.parent) for key in table.foreign_keys)


def _all(scope: Scope, session: Session, wanted: list[Table], *, functions: bool) -> list[Proved]:
    proved: list[Proved] = []
    try:
        # PostgreSQL may put off what a deferrable key says: cycles of keys can be planted then.
        session.settle()
        session.connection.rows("SET CONSTRAINTS ALL DEFERRED")
        every = [
            *scope.tables,
            *(
                table
                for table in scope.catalogue.tables.values()
                if scope.inside(table.schema)
                and not scope.is_tenants(table.oid)
                and table.kind != "f"
                and _belongs(scope, table)
            ),
        ]
        rights = {table.oid: rights_of(session, table.oid) for table in every}
        chosen = {table.oid for table in wanted}
        tried = [
            table
            for table in every
            if (table.oid in chosen if chosen else True) and not rights[table.oid].none
        ]
        seeds = Seeds(scope, session)
        for table in every:
            seeds.plant(table, A)
        seeds.planned(every)
        beside = Beside(scope, session, seeds, functions=functions, about=chosen)
        beside.before()
        seeds.replay()
        for table in tried:
            if (table.oid, A) in seeds.rows and (table.oid, B) in seeds.rows:
                said = [f"{policy.using} {policy.with_check}" for policy in table.policies]
                plant_more(seeds, table, [" ".join(said), *beside.texts(table)])
        for table in tried:
            proved += _one(scope, session, seeds, table, rights[table.oid])
        proved += beside.after()
    except RefusedError as error:
        raise RlsError(f"the proof was cut short: SQLSTATE {error.sqlstate}") from None
    return proved


def _one(
    scope: Scope, session: Session, seeds: Seeds, table: Table, rights: Rights
) -> list[Proved]:
    if table.kind == "f":
        return [Proved(table.sql, "SELECT", Verdict.LEAK, "a foreign table has no policies")]
    if (table.oid, A) not in seeds.rows or (table.oid, B) not in seeds.rows:
        why = seeds.refused.get(table.oid, "it points at rows that cannot be made")
        return [Proved(table.sql, "every operation", Verdict.UNPROVED, why)]
    return list(probes(Trial(scope, session, seeds, table, rights)))
