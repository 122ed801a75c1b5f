"""One statement tried as tenant A, and what is seen of B's rows after it.

PostgreSQL checks a policy before constraints of keys (`ExecInsert`, `ExecUpdate`): where only a key
refuses a row, the policy had let it through.
"""

from __future__ import annotations

from tenantmetrics.policies.catalogue import Table
from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.proof.hinted_rows import hinted
from tenantmetrics.policies.proof.rights import Rights
from tenantmetrics.policies.proof.row import Row
from tenantmetrics.policies.proof.seeds import A, B, Seeds
from tenantmetrics.policies.proof.session import Attempt, Session
from tenantmetrics.policies.proof.verdict import Verdict
from tenantmetrics.policies.scope import Scope

__all__ = ["KEYS", "REFUSED", "Trial"]

REFUSED = "42501"
"""SQLSTATE of what a policy or a privilege refuses."""
KEYS = frozenset({"23505", "23503", "23502", "23P01"})
"""SQLSTATEs of what only a key or NOT NULL refuses."""


class Trial:
    """Statements on one table that has a row of each tenant.

    Args:
        scope: What the tables are.
        session: In the proof's transaction.
        seeds: With rows of A and B in the table.
        table: The table.
        rights: Those of the application's role on it.

    Attributes:
        before: How many rows B has.
    """

    def __init__(
        self, scope: Scope, session: Session, seeds: Seeds, table: Table, rights: Rights
    ) -> None:
        self.scope = scope
        self.session = session
        self.seeds = seeds
        self.table = table
        self.rights = rights
        self.column = scope.tenant_column(table)
        self.a: Row = seeds.rows[(table.oid, A)]
        self.b: Row = seeds.rows[(table.oid, B)]
        # Who sees B's row: who is connected, or B itself.
        self._as_application = False
        self.before = session.undone(self.seen_of_b).value or 0
        if not self.before:
            self._as_application = True
            self.before = session.undone(self.seen_of_b).value or 0

    def as_a(self, sql: str, values: dict[str, str] | None = None) -> Attempt:
        """The number of rows that a statement of A's changed, and of B's rows after it."""

        def work() -> tuple[int, int]:
            self.session.become(self.a.tenant, application=True)
            changed = self.session.connection.count(sql, values)
            return changed, self.seen_of_b()

        return self.session.undone(work)

    def seen_of_b(self) -> int:
        """How many rows B has, as somebody sees who may: B, or who is connected."""
        where, values = self.where(self.b, "c")
        sql = f"SELECT count(*) FROM {self.table.sql} WHERE {where}"  # noqa: S608 - quoted names
        self.session.become(self.b.tenant, application=self._as_application)
        return int(self.session.connection.rows(sql, values)[0][0])

    def where(self, row: Row, prefix: str) -> tuple[str, dict[str, str]]:
        """A condition that finds a tenant's rows: its column, or where the row lies."""
        if self.column is not None:
            kind = self.table.columns[self.column].type
            condition = f"{quoted(self.column)} = CAST(CAST(:{prefix} AS text) AS {kind})"
            return condition, {prefix: row.tenant}
        for key in self.table.foreign_keys:
            # Without the column a row is a tenant's by what it points at.
            known = [row.known.get(name) for name in key.columns]
            if self.scope.is_tenants(key.parent) and None not in known:
                conditions = [
                    f"{quoted(name)} = CAST(CAST(:{prefix}{n} AS text) AS"
                    f" {self.table.columns[name].type})"
                    for n, name in enumerate(key.columns)
                ]
                named = {f"{prefix}{n}": str(value) for n, value in enumerate(known)}
                return " AND ".join(conditions), named
        condition = (
            f"ctid = CAST(CAST(:{prefix} AS text) AS tid)"
            f" AND tableoid = CAST(CAST(:{prefix}o AS text) AS oid)"
        )
        return condition, {prefix: row.place[1], f"{prefix}o": str(row.place[0])}

    def written(self, done: Attempt, what: str) -> tuple[Verdict, str]:
        """The verdict of a statement that would write a row for B."""
        if done.sqlstate == REFUSED:
            return Verdict.ISOLATED, ""
        if done.sqlstate in KEYS:
            return Verdict.LEAK, f"{what}: only a key stops it, not a policy"
        if done.sqlstate:
            return Verdict.UNPROVED, f"SQLSTATE {done.sqlstate}"
        changed, after = done.value
        return (Verdict.LEAK, what) if changed and after != self.before else (Verdict.ISOLATED, "")

    def permitted(self, values: dict[str, str]) -> dict[str, str]:
        """The columns of a row that the role may insert."""
        return {name: value for name, value in values.items() if name in self.rights.insert}

    def rows_for_b(self) -> list[dict[str, str]]:
        """Rows of B's that A may try to write: whole, bare, and as the policies name them."""
        rows = [
            self.seeds.values(self.table, B),
            self.seeds.values(self.table, B, bare=True),
            hinted(self.seeds, self.table, B),
        ]
        return [self.permitted(row) for row in rows if row]

    def setting(self) -> str | None:
        """`SET column = column` for a column that the role may change."""
        plain = [
            name
            for name in self.table.columns
            if name in self.rights.update
            and not self.table.columns[name].generated
            and self.table.columns[name].identity != "a"
        ]
        readable = [name for name in plain if name in self.rights.select]
        return f"{quoted(readable[0])} = {quoted(readable[0])}" if readable else None
