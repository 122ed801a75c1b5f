"""Every operation on a table, as one tenant, at another tenant's rows.

PostgreSQL checks a policy before constraints of keys (`ExecInsert`, `ExecUpdate`): where only a key
refuses a row, the policy had let it through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from tenantmetrics.policies.catalogue import ForeignKey, Index, Table
from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.proof.rights import Rights
from tenantmetrics.policies.proof.row import Row, inserting
from tenantmetrics.policies.proof.seeds import A, B, Seeds
from tenantmetrics.policies.proof.session import Attempt, Session
from tenantmetrics.policies.proof.verdict import Proved, Verdict
from tenantmetrics.policies.rules.keys import crosses, without_tenant
from tenantmetrics.policies.scope import Scope

__all__ = ["Probes"]

_REFUSED = "42501"
_KEYS = frozenset({"23505", "23503", "23502", "23P01"})
_MERGE_SINCE = 15
_BLANKET_ROWS = 100_000
"""A statement without WHERE locks every row that it meets: not on tables above this."""


class Probes:
    """The operations on one table that has a row of each tenant.

    Args:
        scope: What the tables are.
        session: In the proof's transaction.
        seeds: With rows of A and B in the table.
        table: The table.
        rights: Those of the application's role on it.
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
        self._seen = Verdict.UNPROVED
        # Who sees B's row: who is connected, or B itself.
        self._as_application = False
        self._before = session.undone(self.seen_of_b).value or 0
        if not self._before:
            self._as_application = True
            self._before = session.undone(self.seen_of_b).value or 0

    def all(self) -> Iterator[Proved]:
        """Every operation."""
        select = self._proved("SELECT", bool(self.rights.select), self._select)
        self._seen = select.verdict
        yield select
        yield self._proved("INSERT", bool(self.rights.insert), self._insert)
        yield self._proved("UPDATE", bool(self.rights.update), self._update)
        yield self._proved("DELETE", self.rights.delete, self._delete)
        upsert = bool(self.rights.insert and self.rights.update)
        yield self._proved("UPSERT", upsert, self._upsert)
        merge = bool(self.rights.select) and bool(
            self.rights.insert or self.rights.update or self.rights.delete
        )
        yield self._proved("MERGE", merge, self._merge)
        yield self._proved("TRUNCATE", self.rights.truncate, self._truncate)
        copy = bool(self.rights.select or self.rights.insert)
        yield self._proved("COPY", copy, self._copy)
        for key in self.table.foreign_keys:
            if crosses(self.scope, self.table, key) and self.rights.insert:
                yield self._proved(
                    f"FOREIGN KEY {quoted(key.name)}",
                    True,
                    partial(self._points, key),
                )
        for index in self.table.indexes:
            if without_tenant(self.scope, self.table, index) and self.rights.insert:
                yield self._proved(
                    f"UNIQUE {quoted(index.constraint or index.name)}",
                    True,
                    partial(self._collides, index),
                )

    def _proved(
        self, operation: str, allowed: bool, probe: Callable[[], tuple[Verdict, str]]
    ) -> Proved:
        verdict, why = probe() if allowed else (Verdict.DENIED, "")
        return Proved(self.table.sql, operation, verdict, why)

    # What is tried, and what was seen of it.

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

    def _select(self) -> tuple[Verdict, str]:
        others, values = self.where(self.b, "b")
        own, more = self.where(self.a, "a")
        sql = (
            f"SELECT count(*) FILTER (WHERE {others}), count(*) FILTER (WHERE {own})"  # noqa: S608
            f" FROM {self.table.sql} WHERE {others} OR {own}"
        )
        found = []
        for tenant in (self.a.tenant, ""):

            def count(tenant: str = tenant) -> list[int]:
                self.session.become(tenant, application=True)
                return self.session.connection.rows(sql, values | more)[0]

            found.append(self.session.undone(count))
        seen, unset = found
        if seen.sqlstate == _REFUSED:
            return Verdict.UNPROVED, "the tenant column may not be read"
        if seen.sqlstate:
            return Verdict.UNPROVED, f"SQLSTATE {seen.sqlstate}"
        if seen.value[0]:
            return Verdict.LEAK, "another tenant's rows are seen"
        if any(unset.value or ()):
            return Verdict.LEAK, "rows are seen where no tenant is set"
        if not seen.value[1]:
            return Verdict.ISOLATED, "the tenant does not see its own row either"
        return Verdict.ISOLATED, ""

    def _written(self, done: Attempt, what: str) -> tuple[Verdict, str]:
        """The verdict of a statement that would write a row for B."""
        if done.sqlstate == _REFUSED:
            return Verdict.ISOLATED, ""
        if done.sqlstate in _KEYS:
            return Verdict.LEAK, f"{what}: only a key stops it, not a policy"
        if done.sqlstate:
            return Verdict.UNPROVED, f"SQLSTATE {done.sqlstate}"
        changed, after = done.value
        return (Verdict.LEAK, what) if changed and after != self._before else (Verdict.ISOLATED, "")

    def _permitted(self, values: dict[str, str]) -> dict[str, str]:
        """The columns of a row that the role may insert."""
        return {name: value for name, value in values.items() if name in self.rights.insert}

    def _rows_for_b(self) -> list[dict[str, str]]:
        """Rows of B's that A may try to write: whole, bare, and as the policies name them."""
        rows = [
            self.seeds.values(self.table, B),
            self.seeds.values(self.table, B, bare=True),
            self.seeds.hinted(self.table, B),
        ]
        return [self._permitted(row) for row in rows if row]

    def _insert(self) -> tuple[Verdict, str]:
        verdict, why = Verdict.ISOLATED, ""
        for row in self._rows_for_b():
            verdict, why = self._written(
                self.as_a(*inserting(self.table, row)), "a row of another tenant's can be inserted"
            )
            if verdict is not Verdict.ISOLATED:
                return verdict, why
        if not any(policy.with_check for policy in self.table.policies):
            why = "no policy has a WITH CHECK: USING stands in for it"
        return verdict, why

    def _setting(self) -> str | None:
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

    def _update(self) -> tuple[Verdict, str]:
        setting = self._setting()
        where, values = self.where(self.b, "w")
        if setting is not None:
            done = self.as_a(f"UPDATE {self.table.sql} SET {setting} WHERE {where}", values)  # noqa: S608
            if done.value and done.value[0]:
                return Verdict.LEAK, "another tenant's rows can be changed"
            if done.sqlstate in _KEYS:
                return Verdict.LEAK, "another tenant's rows can be changed"
        apart = any(p.with_check and p.with_check != p.using for p in self.table.policies)
        if (apart or self._by_command("w")) and (found := self._blanket("UPDATE")) is not None:
            return found
        if self.column is None or self.column not in self.rights.update:
            return Verdict.ISOLATED, ""
        for row, to, says in (
            (self.b, self.a, "another tenant's rows can be taken"),
            (self.a, self.b, "a row can be given to another tenant"),
        ):
            for hints in self._hints():
                verdict, why = self._written(self._given(row, to, hints), says)
                if verdict is not Verdict.ISOLATED:
                    return verdict, why
        return Verdict.ISOLATED, ""

    def _hints(self) -> list[dict[str, str]]:
        """Values of other columns to set along: none, and those that the policies name."""
        given = self.a.given
        hinted = self.seeds.hinted(self.table, B)
        more = {name: value for name, value in hinted.items() if name not in given}
        return [{}, more] if more else [{}]

    def _given(self, row: Row, to: Row, hints: dict[str, str]) -> Attempt:
        """Give a row to another tenant."""
        sql, values = self._all_to(to, hints)
        where, more = self.where(row, "w")
        return self.as_a(f"{sql} WHERE {where}", values | more)

    def _by_command(self, command: str) -> bool:
        """Whether reading and writing have policies of their own, so that WHERE matters."""
        return any(policy.command in {"r", command} for policy in self.table.policies)

    def _blanket(self, verb: str) -> tuple[Verdict, str] | None:
        """A statement that reads no column: policies for SELECT are not asked."""
        count = f"SELECT count(*) FROM (SELECT FROM {self.table.sql} LIMIT {_BLANKET_ROWS + 1}) q"  # noqa: S608
        rows = self.session.undone(lambda: self.session.connection.rows(count)[0][0]).value
        if rows is None or rows > _BLANKET_ROWS:
            return Verdict.UNPROVED, f"{verb} without WHERE was not tried: the table is large"
        tries: list[tuple[str, dict[str, str]]] = []
        if verb == "DELETE":
            tries.append((f"DELETE FROM {self.table.sql}", {}))  # noqa: S608 - a quoted name
        elif self.column in self.rights.update:
            tries += [self._all_to(self.a, {}), *(self._all_to(self.b, h) for h in self._hints())]
        for sql, values in tries:
            done = self.as_a(sql, values)
            if done.sqlstate in _KEYS or (done.value and done.value[1] != self._before):
                return Verdict.LEAK, f"{verb} without WHERE reaches another tenant's rows"
        return None

    def _all_to(self, to: Row, hints: dict[str, str]) -> tuple[str, dict[str, str]]:
        """Give every row that can be changed to a tenant."""
        sets = self._sets(to, hints)
        parts = ", ".join(
            f"{quoted(name)} = CAST(CAST(:n{n} AS text) AS {self.table.columns[name].type})"
            for n, name in enumerate(sets)
        )
        values = {f"n{n}": value for n, value in enumerate(sets.values())}
        return f"UPDATE {self.table.sql} SET {parts}", values  # noqa: S608 - quoted names

    def _sets(self, to: Row, hints: dict[str, str]) -> dict[str, str]:
        """What makes a row a tenant's: with the column go the keys that point at what is its."""
        pointing = {name for key in self.table.foreign_keys for name in key.columns}
        new = {
            name: value
            for name, value in to.given.items()
            if name in pointing and name in self.rights.update
        }
        new |= {name: value for name, value in hints.items() if name in self.rights.update}
        return new | ({self.column: to.tenant} if self.column is not None else {})

    def _delete(self) -> tuple[Verdict, str]:
        where, values = self.where(self.b, "w")
        done = self.as_a(f"DELETE FROM {self.table.sql} WHERE {where}", values)  # noqa: S608
        if done.sqlstate in _KEYS or (done.value and done.value[0]):
            return Verdict.LEAK, "another tenant's rows can be deleted"
        if self._by_command("d") and (found := self._blanket("DELETE")) is not None:
            return found
        if done.sqlstate not in {"", _REFUSED}:
            return Verdict.UNPROVED, f"SQLSTATE {done.sqlstate}"
        return Verdict.ISOLATED, ""

    def _arbiters(self) -> list[Index]:
        """Unique keys that ON CONFLICT can name, those without the tenant first."""
        found = [
            index
            for index in self.table.indexes
            if index.unique and index.valid and not index.partial and None not in index.columns
        ]
        return sorted(found, key=lambda index: self.column in index.columns)

    def _upsert(self) -> tuple[Verdict, str]:
        setting = self._setting()
        arbiters = self._arbiters()
        if not arbiters or setting is None:
            return Verdict.NOT_THERE, "no unique key"
        index = arbiters[0]
        keys = [name for name in index.columns if name is not None]
        shared = self.column is not None and self.column not in keys
        # With a key of all tenants', B's row is met by a row of A's; else by one of B's own.
        values = self.seeds.values(self.table, A if shared else B)
        values |= {name: value for name in keys if (value := self.b.known.get(name)) is not None}
        target = self.column if shared and self.column in self.rights.update else None
        change = (
            f"{quoted(target)} = EXCLUDED.{quoted(target)}"
            if target
            else setting.replace(" = ", f" = {self.table.sql}.", 1)
        )
        sql, parameters = inserting(self.table, self._permitted(values))
        names = ", ".join(quoted(name) for name in keys)
        done = self.as_a(f"{sql} ON CONFLICT ({names}) DO UPDATE SET {change}", parameters)
        if done.sqlstate == "42501":
            return Verdict.ISOLATED, ""
        if done.sqlstate:
            return Verdict.UNPROVED, f"SQLSTATE {done.sqlstate}"
        if done.value[0] and (target is None or done.value[1] != self._before):
            return Verdict.LEAK, "ON CONFLICT DO UPDATE changes another tenant's row"
        return Verdict.ISOLATED, ""

    def _merge(self) -> tuple[Verdict, str]:
        if self.scope.catalogue.version < _MERGE_SINCE:
            return Verdict.NOT_THERE, "it needs PostgreSQL 15"
        where, values = self.where(self.b, "w")
        head = (
            f"MERGE INTO {self.table.sql} USING (SELECT 1 AS tenantmetrics_one) tenantmetrics_s"
            f" ON {where}"
        )
        setting = self._setting()
        tries: list[tuple[str, dict[str, str], str]] = []
        if setting is not None:
            left, _, _ = setting.partition(" = ")
            change = f"{left} = {self.table.sql}.{left}"
            words = f"{head} WHEN MATCHED THEN UPDATE SET {change}"
            tries.append((words, values, "MERGE changes another tenant's row"))
        if self.rights.delete:
            words = f"{head} WHEN MATCHED THEN DELETE"
            tries.append((words, values, "MERGE deletes another tenant's row"))
        for row in self._rows_for_b() if self.rights.insert else ():
            sql, more = inserting(self.table, row)
            _, _, rest = sql.partition(f"INSERT INTO {self.table.sql} ")
            words = f"{head} AND false WHEN NOT MATCHED THEN INSERT {rest}"
            tries.append((words, values | more, "MERGE inserts a row of another tenant's"))
        states = set()
        for words, parameters, says in tries:
            done = self.as_a(words, parameters)
            if done.sqlstate in _KEYS or (
                done.value
                and done.value[0]
                and (done.value[1] != self._before or "changes" in says)
            ):
                return Verdict.LEAK, says
            states.add(done.sqlstate)
        wrong = sorted(states - {"", _REFUSED})
        if wrong:
            return Verdict.UNPROVED, f"SQLSTATE {wrong[0]}"
        return Verdict.ISOLATED, ""

    def _truncate(self) -> tuple[Verdict, str]:
        # Not tried: it would lock the table for everybody. No policy is asked, by the manual.
        return Verdict.LEAK, "TRUNCATE removes every tenant's rows: no policy is asked"

    def _copy(self) -> tuple[Verdict, str]:
        connection = self.session.connection
        if not connection.copies:
            return Verdict.NOT_THERE, "the Data API has no COPY"
        if self._seen is Verdict.LEAK:
            return Verdict.LEAK, "COPY TO gives another tenant's rows, as SELECT does"
        if self.column in self.rights.select:
            wanted = _copied(self.b.tenant)

            def out() -> bool:
                self.session.become(self.a.tenant, application=True)
                sql = f"COPY {self.table.sql} ({quoted(self.column or '')}) TO STDOUT"
                if self.table.kind == "p":
                    sql = (
                        f"COPY (SELECT {quoted(self.column or '')} FROM {self.table.sql}) TO STDOUT"  # noqa: S608
                    )
                data = b"".join(connection.copy(sql))
                return wanted in data.split(b"\n")

            if self.session.undone(out).value:
                return Verdict.LEAK, "COPY TO gives another tenant's rows"
        return self._copied_in()

    def _copied_in(self) -> tuple[Verdict, str]:
        """COPY FROM; it is refused as a whole where row-level security holds."""
        connection = self.session.connection
        row = self._permitted(self.seeds.values(self.table, B))
        if not self.rights.insert or not row:
            return Verdict.ISOLATED, ""
        names = ", ".join(quoted(name) for name in row)
        line = b"\t".join(_copied(value) for value in row.values()) + b"\n"

        def into() -> tuple[int, int]:
            self.session.become(self.a.tenant, application=True)
            for _ in connection.copy(f"COPY {self.table.sql} ({names}) FROM STDIN", line):
                pass
            return 1, self.seen_of_b()

        done = self.session.undone(into)
        if done.sqlstate == "0A000":
            return Verdict.ISOLATED, ""
        return self._written(done, "COPY FROM inserts rows of another tenant's")

    def _points(self, key: ForeignKey) -> tuple[Verdict, str]:
        """A row of A's that points at a row of B's."""
        parent = self.scope.catalogue.tables[key.parent]
        theirs = self.seeds.rows.get((parent.oid, B))
        if theirs is None:
            return Verdict.UNPROVED, f"{parent.sql} has no row of another tenant's"
        values = self.seeds.values(self.table, A)
        for ours, name in zip(key.columns, key.parent_columns, strict=True):
            value = theirs.known.get(name)
            if value is None:
                return Verdict.UNPROVED, "the parent's key is not known"
            values[ours] = value
        sql, parameters = inserting(self.table, self._permitted(values))

        def work() -> int:
            self.session.become(self.a.tenant, application=True)
            self.session.connection.rows("SET CONSTRAINTS ALL IMMEDIATE")
            return self.session.connection.count(sql, parameters)

        done = self.session.undone(work)
        if done.sqlstate in {"", "23505"}:
            return Verdict.LEAK, f"a row can point at another tenant's in {parent.sql}"
        if done.sqlstate in {"42501", "23503"}:
            return Verdict.ISOLATED, ""
        return Verdict.UNPROVED, f"SQLSTATE {done.sqlstate}"

    def _collides(self, index: Index) -> tuple[Verdict, str]:
        """A row of A's with a key of B's."""
        values = self.seeds.values(self.table, A)
        for name in index.columns:
            if name is not None and (value := self.b.known.get(name)) is not None:
                values[name] = value
        done = self.as_a(*inserting(self.table, self._permitted(values)))
        if done.sqlstate == "23505":
            return Verdict.LEAK, "a tenant learns whether another tenant has the value"
        return Verdict.ISOLATED, ""


def _copied(value: str) -> bytes:
    """A value as COPY's text format has it."""
    escaped = value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    return escaped.replace("\r", "\\r").encode()
