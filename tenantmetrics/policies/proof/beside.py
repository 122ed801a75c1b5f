"""Views and functions: what one tenant sees must not depend on another's rows.

Each is observed as tenant A before there is any row of B's, and after. Where the answers differ,
B's rows come through, whatever the view or the function makes of them: a sum, a count, an error.
One that answers differently by itself (a time, a random number) is found by asking twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

from tenantmetrics.policies.catalogue import Column, Function, Table, View
from tenantmetrics.policies.names import qualified, quoted
from tenantmetrics.policies.proof.rights import rights_of
from tenantmetrics.policies.proof.seeds import A, B, Seeds
from tenantmetrics.policies.proof.session import Session
from tenantmetrics.policies.proof.values import candidates
from tenantmetrics.policies.proof.verdict import Proved, Verdict
from tenantmetrics.policies.rules.relations import callable_by_application, mentioned
from tenantmetrics.policies.scope import Scope

__all__ = ["Beside"]

_DIGEST = "SELECT md5(coalesce(string_agg(q.line, ',' ORDER BY q.line), '')) FROM ({}) q(line)"

_REFUSED = "refused with "
_NUMBERS = frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"})
_TEXTS = frozenset({"text", "character varying", "character", "name"})


def _failed(answer: str | None) -> bool:
    """Whether a call failed for another reason than a privilege."""
    return answer is not None and answer.startswith(_REFUSED) and not answer.endswith("42501")


def _among(read: list[Table], about: Collection[int]) -> bool:
    return any(not about or table.oid in about for table in read)


class Beside:
    """The views and functions that the application may use.

    Args:
        scope: What the tables are.
        session: In the proof's transaction.
        seeds: Rows of A's now, of B's later.
        functions: Call functions, too.
        about: Only what reads one of these tables; empty for all.
    """

    def __init__(
        self,
        scope: Scope,
        session: Session,
        seeds: Seeds,
        *,
        functions: bool,
        about: Collection[int] = (),
    ) -> None:
        self.scope = scope
        self.session = session
        self.seeds = seeds
        self.views = [
            view
            for view in sorted(scope.catalogue.views.values(), key=lambda v: (v.schema, v.name))
            if scope.inside(view.schema)
            and _among(scope.reads(view.reads), about)
            and rights_of(session, view.oid).select
        ]
        self.functions = [
            function
            for function in scope.catalogue.functions
            if functions
            and function.definer
            and scope.inside(function.schema)
            and function.returns not in {"trigger", "event_trigger"}
            and callable_by_application(scope, function)
            and (not about or _among(mentioned(scope, function), about))
        ]
        self._before: dict[int, list[str | None]] = {}

    def texts(self, table: Table) -> list[str]:
        """What says which rows of a table views show and functions read."""
        read = [view for view in self.views if table in self.scope.reads(view.reads)]
        sql = "SELECT pg_get_viewdef(CAST(:oid AS oid))"
        return [
            *(self.session.connection.rows(sql, {"oid": view.oid})[0][0] for view in read),
            *(
                function.source
                for function in self.functions
                if table in mentioned(self.scope, function)
            ),
        ]

    def before(self) -> None:
        """Observe, before B has a row."""
        for view in self.views:
            self._before[view.oid] = self._seen(view)
        for function in self.functions:
            self._before[function.oid] = self._called(function)

    def after(self) -> Iterator[Proved]:
        """Observe again, now that B has rows."""
        for view in self.views:
            seen = self._seen(view)
            what = "materialised view" if view.materialised else "view"
            yield self._compared(
                view.sql,
                "SELECT",
                self._before[view.oid],
                seen,
                f"the {what} shows another tenant's rows",
            )
        for function in self.functions:
            seen = self._called(function)
            name = f"function {function.sql}"
            found = self._compared(
                name,
                "CALL",
                self._before[function.oid],
                seen,
                "its answer depends on another tenant's rows",
            )
            if found.verdict is not Verdict.LEAK and self._changes(function):
                found = Proved(name, "CALL", Verdict.LEAK, "it changes another tenant's rows")
            if found.verdict is Verdict.ISOLATED and all(_failed(state) for state in seen):
                state = (seen[0] or "").rpartition(" ")[2]
                found = Proved(name, "CALL", Verdict.UNPROVED, f"each call fails: SQLSTATE {state}")
            yield found

    def _compared(
        self,
        name: str,
        operation: str,
        before: list[str | None],
        after: list[str | None],
        says: str,
    ) -> Proved:
        if None in before or None in after:
            return Proved(name, operation, Verdict.UNPROVED, "it could not be read")
        first, again = before[::2], before[1::2]
        if first != again:
            return Proved(
                name, operation, Verdict.UNPROVED, "it answers differently each time it is asked"
            )
        if after[::2] != first:
            return Proved(name, operation, Verdict.LEAK, says)
        return Proved(name, operation, Verdict.ISOLATED)

    def _tenant(self) -> str:
        rows = [row for (_, whose), row in self.seeds.rows.items() if whose == A]
        return rows[0].tenant if rows else ""

    def _seen(self, view: View) -> list[str | None]:
        """What A sees in a view, as a digest, asked twice."""
        columns = sorted(rights_of(self.session, view.oid).select)
        line = ", ".join(f"t.{quoted(name)}" for name in columns)
        sql = _DIGEST.format(f"SELECT CAST(ROW({line}) AS text) FROM {view.sql} t")  # noqa: S608
        read = self.scope.reads(view.reads)
        tenants = {self.seeds.tenant(table, A) for table in read} or {self._tenant()}
        found: list[str | None] = []
        for tenant in sorted(tenants):
            refreshed = view if view.materialised else None
            found += [self._digest(sql, {}, tenant, refreshed) for _ in range(2)]
        return found

    def _digest(
        self, sql: str, values: dict[str, str], tenant: str, refreshed: View | None = None
    ) -> str | None:
        def work() -> str:
            if refreshed is not None:
                self.session.connection.rows(f"REFRESH MATERIALIZED VIEW {refreshed.sql}")
            self.session.become(tenant, application=True)
            return str(self.session.connection.rows(sql, values)[0][0])

        done = self.session.undone(work)
        if done.sqlstate in {"57014", "55P03", "42601", "25006"}:
            # Too slow, locked, or nothing that a SELECT can name.
            return None
        return f"{_REFUSED}{done.sqlstate}" if done.sqlstate else done.value

    def _calls(self, function: Function) -> Iterator[tuple[str, dict[str, str], str]]:
        """Calls as A: with B's tenant, with B's keys, with a table's name, with anything."""
        tables = mentioned(self.scope, function) or self.scope.tables[:1]
        given = ", ".join(
            f"CAST(CAST(:a{n} AS text) AS {kind})" for n, kind in enumerate(function.types)
        )
        call = f"{qualified(function.schema, function.name)}({given})"
        for table in tables[:3]:
            tenant = self.seeds.tenant(table, A)
            sets = self._arguments(function, table) if function.types else [[]]
            for values in sets:
                yield call, {f"a{n}": value for n, value in enumerate(values)}, tenant

    def _arguments(self, function: Function, table: Table) -> list[list[str]]:
        row = self.seeds.rows.get((table.oid, B))
        column = self.scope.tenant_column(table)
        keys = {
            table.columns[name].base: value
            for index in table.indexes
            if row is not None and index.unique
            for name in index.columns
            if name is not None and name != column and (value := row.known.get(name)) is not None
        }
        # One that builds its statements may take the name of a table.
        several = mentioned(self.scope, function) or self.scope.tables[:5]
        nothing: dict[str, str] = {}
        names = [
            (dict.fromkeys((*_TEXTS, "regclass"), table_named.name), nothing)
            for table_named in several
        ]
        other = {}
        if row is not None:
            other = dict.fromkeys(("text", "character varying"), row.tenant)
            if column is not None:
                other[table.columns[column].base] = row.tenant
        return [
            [first.get(kind) or second.get(kind) or self._any(kind) for kind in function.types]
            for first, second in ((other, keys), (keys, other), *names, ({}, {}))
        ]

    def _any(self, kind: str) -> str:
        """Some value of a type."""
        category = "A" if kind.endswith("[]") else "N" if kind in _NUMBERS else ""
        category = "S" if kind in _TEXTS else category
        column = Column("", 0, kind, kind, category, "e", True, "", "", False)
        found = candidates(column, (), self.seeds.fitting.labels(column), str(UUID(int=1)))
        return found[0] if found else ""

    def _called(self, function: Function) -> list[str | None]:
        found: list[str | None] = []
        for call, values, tenant in self._calls(function):
            for _ in range(2):
                if function.kind == "p":
                    found.append("called")
                else:
                    sql = _DIGEST.format(f"SELECT CAST(f AS text) FROM {call} AS f")  # noqa: S608
                    found.append(self._digest(sql, values, tenant))
        return found

    def _changes(self, function: Function) -> bool:
        """Whether a call of A's changes rows of B's."""
        tables = [table for table in self.scope.tables if (table.oid, B) in self.seeds.rows]
        before = self.session.undone(lambda: [self._rows_of_b(table) for table in tables]).value
        word = "CALL" if function.kind == "p" else "SELECT"
        for call, values, tenant in self._calls(function):

            def work(call: str = call, values: dict[str, str] = values, who: str = tenant) -> Any:
                self.session.become(who, application=True)
                self.session.connection.rows(f"{word} {call}", values)
                return [self._rows_of_b(table) for table in tables]

            done = self.session.undone(work)
            if not done.sqlstate and done.value != before:
                return True
        return False

    def _rows_of_b(self, table: Table) -> list[str]:
        """B's rows of a table as digests: as who is connected sees them, and as B does."""
        row = self.seeds.rows[(table.oid, B)]
        column = self.scope.tenant_column(table)
        condition, values = "true", {}
        if column is not None:
            kind = table.columns[column].type
            condition = f"t.{quoted(column)} = CAST(CAST(:b AS text) AS {kind})"
            values = {"b": row.tenant}
        line = ", ".join(f"t.{quoted(name)}" for name in table.columns)
        sql = _DIGEST.format(
            f"SELECT CAST(ROW({line}) AS text) FROM {table.sql} t WHERE {condition}"  # noqa: S608
        )
        found = []
        for application in (False, True):
            self.session.become(row.tenant, application=application)
            done = self.session.kept(lambda: self.session.connection.rows(sql, values)[0][0])
            found.append(str(done.value))
        return found
