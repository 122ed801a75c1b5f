"""Two tenants' rows in every table, in the order that foreign keys need.

A row's columns get values only where they must: the tenant, what is NOT NULL without a default,
keys and foreign keys. Sequences are never asked: what they give is not taken back by a rollback.
A row points at rows of its own tenant. Where a constraint refuses a value, others are tried that
the constraint itself names.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from tenantmetrics.policies.catalogue import Column, ForeignKey, Table
from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.proof.row import Row, inserting
from tenantmetrics.policies.proof.session import Attempt, Session
from tenantmetrics.policies.proof.values import candidates, fresh, hexadecimal
from tenantmetrics.policies.scope import Scope

__all__ = ["A", "B", "Seeds"]

A, B = 0, 1
_MOST_TRIES = 150
_MOST_TEXTS, _VARIETY, _MOST_ALONE = 6, 4, 8
"""Bounds on rows that are planted beside the first: texts, rows for each, columns by themselves."""
_TRIAL = "tenantmetrics_trial"
_LABELS = """
SELECT CAST(e.enumlabel AS text) FROM pg_catalog.pg_enum e
WHERE e.enumtypid = to_regtype(CAST(:type AS text)) ORDER BY e.enumsortorder"""
_PARTITION = "SELECT pg_get_partition_constraintdef(CAST(:oid AS oid))"


_SETTING_CALL = re.compile(r"current_setting\([^()]*\)")


def _around(text: str, name: str) -> list[str]:
    """What an expression compares a column with: the words behind its name."""
    return [found[1] for found in re.finditer(rf"\b{re.escape(name)}\b(.{{0,80}})", text)]


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
    _constraints: dict[int, list[str]] = field(default_factory=dict)
    _labels: dict[str, list[str]] = field(default_factory=dict)

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
        self.session.connection.rows(f"SAVEPOINT {_TRIAL}")
        first = len(self._log)
        for table in tables:
            self.plant(table, B)
        self.session.settle()
        self.session.connection.rows(f"ROLLBACK TO SAVEPOINT {_TRIAL}")
        self.session.connection.rows(f"RELEASE SAVEPOINT {_TRIAL}")
        del self._log[:first]

    def replay(self) -> None:
        """Plant what was planned."""
        for table, values, tenant, whose in self._log:
            done = self._inserted(table, values, tenant, whose)
            if done.value is None:
                self.rows.pop((table.oid, whose), None)
                self.refused[table.oid] = f"no row can be made: SQLSTATE {done.sqlstate}"
            else:
                self.rows[(table.oid, whose)] = done.value

    def labels(self, column: Column) -> list[str]:
        """The labels of an enum; none of another type."""
        return self._enum(column)

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
        pointing = {name for key in table.foreign_keys for name in key.columns}
        keep = pointing | {self.scope.tenant_column(table)}
        seed = str(uuid4())
        for index in table.indexes:
            if not index.unique or (set(index.columns) & (set(given) - keep)) == set():
                continue
            for name in index.columns:
                if name in given and name not in keep and name is not None:
                    given[name] = fresh(table.columns[name], seed) or given[name]
        return given

    def hinted(self, table: Table, whose: int) -> dict[str, str]:
        """Another row whose other columns are as the policies name them; empty where none does.

        A policy such as `tenant = … OR status = 'public'` lets only such a row through.

        Args:
            table: One that has a row of the tenant's.
            whose: `A` or `B`.
        """
        said = " ".join(f"{policy.using} {policy.with_check}" for policy in table.policies)
        said = _SETTING_CALL.sub("", said)
        skip = self._fixed(table)
        found = {}
        for name, column in table.columns.items():
            if name in skip or column.generated or not re.search(rf"\b{re.escape(name)}\b", said):
                continue
            parts = _around(said, name)
            tried = [*candidates(column, parts, self._enum(column), str(uuid4()))]
            if tried:
                found[name] = tried[0]
        return self.values(table, whose) | found if found else {}

    def plant_more(self, table: Table, texts: Sequence[str]) -> None:
        """Further rows of B's, with values everywhere: what a filter, a sum or a policy would miss.

        Args:
            table: One that has a row of B's.
            texts: Policies, views and functions that name the table: what they compare a column
                with, it gets.
        """
        rows: list[dict[str, str]] = []
        for text in texts[:_MOST_TEXTS]:
            plain = _SETTING_CALL.sub("", text)
            options = {
                name: candidates(
                    column,
                    [*_around(plain, name), *self._about(table, column)],
                    self._enum(column),
                    str(uuid4()),
                )
                for name, column in table.columns.items()
                if name not in self._fixed(table) and not column.generated
            }
            for number in range(_VARIETY):
                chosen = {
                    name: tried[number % len(tried)] for name, tried in options.items() if tried
                }
                if chosen not in rows:
                    rows.append(chosen)
        tenant = self.rows[(table.oid, B)].tenant
        self._inserted(table, self.values(table, B, bare=True), tenant, B)
        for chosen in rows:
            whole = self.values(table, B)
            if self._inserted(table, whole | chosen, tenant, B).value is None:
                # Not all together, then: what fits by itself.
                for name, value in list(chosen.items())[:_MOST_ALONE]:
                    self._inserted(table, self.values(table, B) | {name: value}, tenant, B)

    def _fixed(self, table: Table) -> set[str | None]:
        """Columns whose values are not free: the tenant, keys, what points elsewhere."""
        pointing = {name for key in table.foreign_keys for name in key.columns}
        keys = {name for index in table.indexes if index.unique for name in index.columns}
        column = self.scope.tenant_column(table)
        return {column, self.scope.settings.user_column, *pointing, *keys}

    def _plant(self, table: Table, whose: int) -> None:
        # A row has the tenant of what it points at: that one is there first.
        for key in table.foreign_keys:
            if self.scope.is_tenants(key.parent) and key.parent != table.oid:
                self.plant(self.scope.catalogue.tables[key.parent], whose)
        last = Attempt(sqlstate="")
        for pair in self._tenant_pairs(table):
            self._pairs[table.oid] = pair
            values = self._chosen(table, whose)
            for tried in self._variants(table, values, whose):
                last = self._inserted(table, tried, pair[whose], whose)
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

    def _inserted(self, table: Table, values: dict[str, str], tenant: str, whose: int) -> Attempt:
        sql, parameters = inserting(table, values)
        known = sorted(
            {name for index in table.indexes for name in index.columns if name}
            | {name for key in table.foreign_keys for name in key.columns}
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
        return self._pairs_that_fit(table, column)

    def _pairs_that_fit(self, table: Table, column: str) -> list[tuple[str, str]]:
        """Names for two tenants that the column takes, and the table of tenants that it is of."""
        places = [(table, column)]
        for key in table.foreign_keys:
            theirs = dict(zip(key.columns, key.parent_columns, strict=True)).get(column)
            if theirs is not None and key.parent in self.scope.catalogue.tables:
                places.append((self.scope.catalogue.tables[key.parent], theirs))
        what = table.columns[column]
        said = [t for place, name in places for t in self._about(place, place.columns[name])]
        tried = candidates(what, said, self._enum(what), self._ids[A])
        pairs = [
            (one, two)
            for one, two in ((fresh(what, self._ids[A]), fresh(what, self._ids[B])),)
            if one is not None and two is not None
        ]
        pairs += [pair for pair in itertools.pairwise(tried) if all(pair)]
        fitting = [
            pair
            for pair in pairs
            if pair[A] != pair[B]
            and all(
                self._fits(place, place.columns[name], value)
                for place, name in places
                for value in pair
            )
        ]
        there = [pair for place, name in places for pair in self._existing(place, name)]
        # Where nothing seems to fit, PostgreSQL says why.
        return [*fitting[:12], *there] or pairs[:1]

    def _existing(self, table: Table, column: str) -> list[tuple[str, str]]:
        """Two tenants that are there already: their names fit, whatever the constraints."""
        found = self.session.undone(
            lambda: self.session.connection.rows(
                f"SELECT DISTINCT CAST({quoted(column)} AS text) FROM {table.sql}"  # noqa: S608
                f" WHERE {quoted(column)} IS NOT NULL LIMIT 2"
            )
        ).value
        return [(found[0][0], found[1][0])] if found and len(found) > 1 else []

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
                chosen = self._value(table, column, whose)
                if chosen is not None:
                    values[name] = chosen
        return values

    def _value(self, table: Table, column: Column, whose: int) -> str | None:
        seed = hexadecimal(str(uuid4()), 31) + str(whose)
        seed = f"{seed[:8]}-{seed[8:12]}-4{seed[13:16]}-8{seed[17:20]}-{seed[20:]}"
        unique = any(index.unique and column.name in index.columns for index in table.indexes)
        plain = fresh(column, seed) if unique else None
        if plain is not None:
            return plain
        found = self._candidates(table, column, seed)
        return found[0] if found else None

    def _candidates(self, table: Table, column: Column, seed: str) -> list[str]:
        """Values that fit the type, its domains, and the CHECKs that are about it alone."""
        about = self._about(table, column)
        found = candidates(column, about, self._enum(column), seed)
        if not (about or column.checks or column.category in "UXV"):
            return found
        fitting = (text for text in found if self._fits(table, column, text))
        return list(itertools.islice(fitting, 6)) or found[:1]

    def _fits(self, table: Table, column: Column, value: str) -> bool:
        """Whether the type, its domains and the CHECKs about the column alone take a value."""
        alone = [c.expression for c in table.checks if c.columns == (column.number,)]
        condition = " AND ".join(f"({text}) IS NOT FALSE" for text in alone) or "true"
        cast = f"CAST(CAST(:v AS text) AS {column.type}) AS {quoted(column.name)}"
        # The value itself is asked for, too: PostgreSQL would not compute it otherwise.
        sql = f"SELECT {condition}, CAST({quoted(column.name)} AS text) FROM (SELECT {cast}) q"  # noqa: S608
        done = self.session.undone(lambda: self.session.connection.rows(sql, {"v": value}))
        return bool(done.value and done.value[0][0])

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
                chosen = self._value(parent, parent.columns[theirs], whose)
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

    def _variants(
        self, table: Table, values: dict[str, str], whose: int
    ) -> Iterator[dict[str, str]]:
        """The first choice, with every column and without, then others for what is refused."""
        fixed = self._fixed(table)
        whole = {
            name: tried[0]
            for name, column in table.columns.items()
            if name not in values
            and name not in fixed
            and not column.generated
            and (tried := self._candidates(table, column, str(uuid4())))
        }
        # A's own row stays small: what is largest of all rows shall be B's.
        if whole and whose == B:
            yield values | whole
        yield values
        pointing = {name for key in table.foreign_keys for name in key.columns}
        said = {
            name: self._candidates(table, table.columns[name], str(uuid4()))
            for name in values
            if name not in pointing
            and name != self.scope.tenant_column(table)
            and name not in self._promised.get((table.oid, whose), {})
        }
        # A default or NULL may be what a constraint refuses.
        said |= {
            name: self._candidates(table, column, str(uuid4()))
            for name, column in table.columns.items()
            if name not in values
            and not column.generated
            and name not in pointing
            and self._about(table, column)
        }
        for name, tried in said.items():
            for value in tried:
                yield values | {name: value}
        together = {n for check in table.checks if len(check.columns) > 1 for n in check.columns}
        parts = " ".join(self._partition(table))
        about = [
            name
            for name in said
            if table.columns[name].number in together or (name in parts and len(said[name]) > 1)
        ]
        choices = [said[name][:6] for name in about]
        for combination in itertools.islice(itertools.product(*choices), _MOST_TRIES):
            yield values | dict(zip(about, combination, strict=True))

    def _about(self, table: Table, column: Column) -> list[str]:
        """Constraints that name a column."""
        return [check.expression for check in table.checks if column.number in check.columns] + [
            text for text in self._partition(table) if column.name in text
        ]

    def _said(self, table: Table) -> list[str]:
        column = self.scope.tenant_column(table)
        return self._about(table, table.columns[column]) if column is not None else []

    def _partition(self, table: Table) -> list[str]:
        """What a row must be to have a place in a partitioned table, or to be in a partition."""
        if table.oid not in self._constraints:
            leaves = [
                child
                for child in self.scope.catalogue.descendants(table.oid)
                if child.is_partition and child.kind != "p"
            ]
            oids = [found.oid for found in (*leaves[:8], table) if found.is_partition]
            texts = []
            for oid in oids:
                rows = self.session.connection.rows(_PARTITION, {"oid": oid})
                texts += [row[0] for row in rows if row[0]]
            self._constraints[table.oid] = texts
        return self._constraints[table.oid]

    def _enum(self, column: Column) -> list[str]:
        if column.kind != "e":
            return []
        if column.base not in self._labels:
            rows = self.session.connection.rows(_LABELS, {"type": column.base})
            self._labels[column.base] = [row[0] for row in rows]
        return self._labels[column.base]
