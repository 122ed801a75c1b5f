"""Two tenants' rows in every table, in the order that foreign keys need.

A row's columns get values only where they must: the tenant, what is NOT NULL without a default,
keys and foreign keys. Sequences are never asked: what they give is not taken back by a rollback.
A row points at rows of its own tenant. Where a constraint refuses a value, others are tried that
the constraint itself names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import uuid4

from tenantmetrics.policies.catalogue import ForeignKey, Table
from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.proof.fitting import Fitting
from tenantmetrics.policies.proof.row import Row, inserting
from tenantmetrics.policies.proof.session import Attempt, Session
from tenantmetrics.policies.proof.tenant_names import fitting_pairs
from tenantmetrics.policies.proof.values import fresh
from tenantmetrics.policies.proof.variants import variants
from tenantmetrics.policies.scope import Scope

__all__ = ["A", "B", "Seeds"]

A, B = 0, 1
_SAVEPOINT = "tenantmetrics_planned"


@dataclass(slots=True)
class Seeds:
    """The rows of both tenants.

    Args:
        scope: What the tables are.
        session: In the proof's transaction.

    Attributes:
        rows: (oid, A or B) → row.
        refused: oid → why no row could be made.
    """

    scope: Scope
    session: Session
    rows: dict[tuple[int, int], Row] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    _ids: tuple[str, str] = field(default_factory=lambda: (str(uuid4()), str(uuid4())))
    _pairs: dict[int, tuple[str, str]] = field(default_factory=dict)
    _promised: dict[tuple[int, int], dict[str, str]] = field(default_factory=dict)
    _log: list[tuple[Table, dict[str, str], str, int]] = field(default_factory=list)
    _open: list[int] = field(default_factory=list)
    fitting: Fitting = field(init=False)

    def __post_init__(self) -> None:
        self.fitting = Fitting(self.scope, self.session)

    def plant(self, table: Table, whose: int) -> Row | None:
        """A row of A's or B's, and before it the rows that it points at; None if refused.

        Args:
            table: Any table.
            whose: `A` or `B`.
        """
        key = (table.oid, whose)
        if key in self.rows:
            return self.rows[key]
        if table.oid in self.refused or table.oid in self._open:
            return None
        self._open.append(table.oid)
        try:
            self._plant(table, whose)
        finally:
            self._open.remove(table.oid)
        return self.rows.get(key)

    def planned(self, tables: list[Table]) -> None:
        """Plant B's rows and take them back: their values are known then, and no row is there."""
        self.session.settle()
        self.session.connection.rows(f"SAVEPOINT {_SAVEPOINT}")
        first = len(self._log)
        for table in tables:
            self.plant(table, B)
        self.session.settle()
        self.session.connection.rows(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
        self.session.connection.rows(f"RELEASE SAVEPOINT {_SAVEPOINT}")
        del self._log[:first]

    def replay(self) -> None:
        """Plant what was planned."""
        for table, values, tenant, whose in self._log:
            done = self.insert(table, values, tenant, whose)
            if done.value is None:
                self.rows.pop((table.oid, whose), None)
                self.refused[table.oid] = f"no row can be made: SQLSTATE {done.sqlstate}"
            else:
                self.rows[(table.oid, whose)] = done.value

    def tenant(self, table: Table, whose: int) -> str:
        """The tenant of a table's row, as its column has it."""
        row = self.rows.get((table.oid, whose))
        return row.tenant if row is not None else self._ids[whose]

    def values(self, table: Table, whose: int, *, bare: bool = False) -> dict[str, str]:
        """The values of another row of a tenant's, with keys that are new.

        Args:
            table: One that has a row of the tenant's.
            whose: `A` or `B`.
            bare: Only what a row must have.
        """
        given = dict(self.rows[(table.oid, whose)].given)
        if bare:
            given = {n: v for n, v in given.items() if n in self.rows[(table.oid, A)].given}
        pointing = table.pointing
        keep = pointing | {self.scope.tenant_column(table)}
        seed = str(uuid4())
        for index in table.indexes:
            if not index.unique or (set(index.columns) & (set(given) - keep)) == set():
                continue
            for name in index.columns:
                if name in given and name not in keep and name is not None:
                    given[name] = fresh(table.columns[name], seed) or given[name]
        return given

    def _plant(self, table: Table, whose: int) -> None:
        # A row has the tenant of what it points at: that one is there first.
        for key in table.foreign_keys:
            if self.scope.is_tenants(key.parent) and key.parent != table.oid:
                self.plant(self.scope.catalogue.tables[key.parent], whose)
        last = Attempt(sqlstate="")
        for pair in self._tenant_pairs(table):
            self._pairs[table.oid] = pair
            values = self._chosen(table, whose)
            promised = self._promised.get((table.oid, whose), {})
            # A's own row stays small: what is largest of all rows shall be B's.
            for tried in variants(self.fitting, table, values, promised, whole=whose == B):
                last = self.insert(table, tried, pair[whose], whose)
                if last.value is not None:
                    self.rows[(table.oid, whose)] = last.value
                    self._log.append((table, tried, pair[whose], whose))
                    return
                if not last.sqlstate.startswith(("22", "23")) or last.sqlstate == "23503":
                    break
            if (table.oid, 1 - whose) in self.rows:
                break
        if last.sqlstate == "23503" and len(self._open) > 1:
            # It points at a row that waits for it: later, then.
            return
        self.refused[table.oid] = f"no row can be made: SQLSTATE {last.sqlstate or 'unknown'}"

    def insert(self, table: Table, values: dict[str, str], tenant: str, whose: int) -> Attempt:
        """Insert a row as whoever may; its value is the `Row`.

        Args:
            table: Where.
            values: Column → value as text.
            tenant: The tenant that is set meanwhile.
            whose: `A` or `B`.
        """
        sql, parameters = inserting(table, values)
        known = sorted(
            {name for index in table.indexes for name in index.columns if name}
            | table.pointing
            | set(self._promised.get((table.oid, whose), ()))
            | set(values)
        )
        texts = "".join(f", CAST({quoted(name)} AS text)" for name in known)

        def insert(*, application: bool) -> Row | None:
            self.session.become(tenant, application=application)
            rows = self.session.connection.rows(
                f"{sql} RETURNING CAST(tableoid AS bigint), CAST(ctid AS text){texts}", parameters
            )
            self.session.become("", application=False)
            if not rows:
                return None
            oid, place, *found = rows[0]
            return Row(tenant, values, dict(zip(known, found, strict=True)), (oid, place))

        done = self.session.kept(lambda: insert(application=False))
        if done.sqlstate == "42501" or (not done.sqlstate and done.value is None):
            # Whoever is connected is bound by policies that are not for it.
            again = self.session.kept(lambda: insert(application=True))
            return again if again.value is not None else done
        return done

    def _tenant_pairs(self, table: Table) -> list[tuple[str, str]]:
        """What the two tenants may be called in a table's column."""
        column = self.scope.tenant_column(table)
        if table.oid in self._pairs:
            return [self._pairs[table.oid]]
        if column is None:
            parents = [self._pairs[k.parent] for k in table.foreign_keys if k.parent in self._pairs]
            return [parents[0] if parents else self._ids]
        one, two = (self._promised.get((table.oid, who), {}).get(column) for who in (A, B))
        if one is not None and two is not None:
            return [(one, two)]
        for key in table.foreign_keys:
            parent = self.scope.catalogue.tables.get(key.parent)
            theirs = dict(zip(key.columns, key.parent_columns, strict=True)).get(column)
            if (
                parent is not None
                and parent.oid in self._pairs
                and theirs == self.scope.tenant_column(parent)
            ):
                return [self._pairs[parent.oid]]
        return fitting_pairs(self.fitting, table, column, self._ids)

    def _chosen(self, table: Table, whose: int) -> dict[str, str]:
        """The first choice of values."""
        pair = self._pairs[table.oid]
        values: dict[str, str] = {}
        tenant_column = self.scope.tenant_column(table)
        settings = self.scope.settings
        if tenant_column is not None:
            values[tenant_column] = pair[whose]
        for key in table.foreign_keys:
            values |= {
                name: value
                for name, value in self._pointing(table, key, whose, values).items()
                if name not in values
            }
        values |= self._promised.get((table.oid, whose), {})
        unique = {name for index in table.indexes if index.unique for name in index.columns if name}
        for name, column in table.columns.items():
            if name in values or column.generated:
                continue
            needed = column.not_null and not column.default and not column.identity
            counted = column.identity or "nextval(" in column.default
            # Keys are settled here even if they have a default: they must be the same each time.
            keyed = name in unique and (
                not column.default or fresh(column, self._ids[whose]) is not None
            )
            if name == settings.user_column:
                values[name] = pair[whose]
            elif needed or counted or keyed:
                chosen = self.fitting.value(table, column, whose)
                if chosen is not None:
                    values[name] = chosen
        return values

    def _pointing(
        self, table: Table, key: ForeignKey, whose: int, values: dict[str, str]
    ) -> dict[str, str]:
        """The columns of a foreign key, pointing at the tenant's own row."""
        parent = self.scope.catalogue.tables.get(key.parent)
        if parent is None:
            return {}
        pairs = list(zip(key.columns, key.parent_columns, strict=True))
        required = all(table.columns[ours].not_null for ours in key.columns)
        # The parent of the tenant column (a table of tenants) must have this very tenant.
        fixed = {theirs: values[ours] for ours, theirs in pairs if ours in values}
        if fixed and parent.oid != table.oid and (parent.oid, whose) not in self.rows:
            self._promised.setdefault((parent.oid, whose), {}).update(fixed)
        if parent.oid == table.oid or parent.oid in self._open:
            return self._settled(parent, pairs, fixed, whose) if required else {}
        shared = not self.scope.is_tenants(parent.oid) and not fixed
        if shared and (found := self._any_row(parent, key)) is not None:
            return {ours: found[theirs] for ours, theirs in pairs}
        row = self.plant(parent, whose)
        if row is None:
            put_off = required and key.deferrable
            return self._settled(parent, pairs, fixed, whose) if put_off else {}
        known = {theirs: row.known.get(theirs) for _, theirs in pairs}
        return {ours: value for ours, theirs in pairs if (value := known[theirs]) is not None}

    def _settled(
        self, parent: Table, pairs: list[tuple[str, str]], fixed: dict[str, str], whose: int
    ) -> dict[str, str]:
        """A cycle: the parent's key is settled now, and its row made later, or is this one."""
        promised = self._promised.setdefault((parent.oid, whose), {})
        promised |= fixed
        for _, theirs in pairs:
            if theirs not in promised:
                chosen = self.fitting.value(parent, parent.columns[theirs], whose)
                if chosen is not None:
                    promised[theirs] = chosen
        return {ours: promised[theirs] for ours, theirs in pairs if theirs in promised}

    def _any_row(self, parent: Table, key: ForeignKey) -> dict[str, str] | None:
        """The key of a row that all tenants share, such as a country."""
        names = ", ".join(f"CAST({quoted(name)} AS text)" for name in key.parent_columns)
        found = self.session.undone(
            lambda: self.session.connection.rows(
                f"SELECT {names} FROM {parent.sql} LIMIT 1"  # noqa: S608 - quoted names
            )
        ).value
        return dict(zip(key.parent_columns, found[0], strict=True)) if found else None
