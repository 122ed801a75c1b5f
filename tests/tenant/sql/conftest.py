"""Random statements over four tables, for PostgreSQL to judge whose rows they touch."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

TABLES = ("a", "b", "c", "d")
KEYS = ("id", "aid", "bid")
COLUMNS = ("id", "tenant_id", "aid", "bid", "status")
VALUES = ("''", "'x'", "NULL::text")
JOINS = ("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")


@pytest.fixture(scope="session")
def statements_at_random() -> Callable[..., Statements]:
    """Makes a source of statements for a seed."""
    return Statements


class Statements:
    """Makes statements.

    Args:
        seed: The same seed gives the same statements.
        more: Further conditions for two aliases and a tenant, with their weights.
        changes: Makes further changes; gets what chooses at random.
    """

    def __init__(
        self,
        seed: int,
        more: Callable[[str, str, str], tuple[tuple[str, float], ...]] = lambda *_: (),
        changes: Callable[[random.Random], str] | None = None,
    ) -> None:
        self.seed = seed
        self._more = more
        self._changes = changes
        self._random = random.Random(seed)
        self._aliases = 0
        self._ctes: list[str] = []

    def one(self) -> str:
        """The next statement."""
        self._aliases, self._ctes = 0, []
        if self._changes is not None and self._chance(0.03):
            return self._changes(self._random)
        with_ = self._with() if self._chance(0.35) else ""
        kind = self._pick(
            ((self._select_all, 10), (self._update, 3), (self._delete, 3), (self._insert, 2),
             (self._merge, 1), (self._set_operation, 2)),
        )  # fmt: skip
        return with_ + kind()

    def _chance(self, part: float) -> bool:
        return self._random.random() < part

    def _pick(self, weighted):
        things, weights = zip(*weighted, strict=True)
        return self._random.choices(things, weights)[0]

    def _any(self, things: Sequence):
        return self._random.choice(things)

    def _alias(self) -> str:
        self._aliases += 1
        return f"t{self._aliases}"

    def _tenant(self) -> str:
        return self._pick((("'acme'", 6), ("'bee'", 1)))

    def _with(self) -> str:
        parts = []
        recursive = self._chance(0.15)
        for number in range(self._random.randint(1, 2)):
            name = self._any((f"q{number}", f"q{number}", *TABLES))
            parts.append(f"{name} AS ({self._body(name, recursive=recursive and number == 0)})")
            self._ctes.append(name)
        return f"WITH {'RECURSIVE ' if recursive else ''}{', '.join(parts)} "

    def _body(self, name: str, *, recursive: bool) -> str:
        if recursive:
            # UNION ends where no new row comes.
            x, y = self._alias(), self._alias()
            on = f"{y}.{self._any(KEYS)} = {x}.{self._any(KEYS)}"
            if self._chance(0.3):
                on += f" OR {y}.status = 'open'"
            picked = ", ".join(f"{x}.{column}" for column in COLUMNS)
            own = self._where([x], 1)
            return (
                f"{self._select(1)} UNION SELECT {picked} FROM {self._any(TABLES)} {x} "
                f"JOIN {name} {y} ON {on}{own if self._chance(0.3) else ''}"
            )
        change = self._pick((("", 8), ("UPDATE", 1), ("DELETE", 1)))
        if change:
            x = self._alias()
            table = self._any(TABLES)
            head = (
                f"UPDATE {table} AS {x} SET status = 'new'"
                if change == "UPDATE"
                else (f"DELETE FROM {table} AS {x}")
            )
            listed = ", ".join(f"{x}.{column}" for column in COLUMNS)
            return f"{head}{self._where([x], 1)} RETURNING {listed}"
        return self._set_operation() if self._chance(0.2) else self._select(1)

    def _select_all(self) -> str:
        return self._select(2, free=True)

    def _set_operation(self) -> str:
        word = self._any(("UNION", "UNION ALL", "UNION ALL", "INTERSECT", "EXCEPT"))
        return f"{self._select(1)} {word} {self._select(1)}"

    def _select(self, depth: int, *, free: bool = False) -> str:
        """A SELECT of the five columns; where it is free, of any."""
        from_, aliases = self._from(depth)
        where = self._where(aliases, depth)
        if free and self._chance(0.25):
            kind = self._random.randrange(3)
            x = self._any(aliases)
            if kind == 0:
                return f"SELECT count(*) FROM {from_}{where}"
            if kind == 1:
                return f"SELECT {x}.{self._any(COLUMNS)}, count(*) FROM {from_}{where} GROUP BY 1"
            return f"SELECT {x}.id, {self._scalar(aliases, depth)} FROM {from_}{where}"
        x = self._any(aliases)
        columns = [f"{x}.{column}" for column in COLUMNS]
        if self._chance(0.3):
            # From several sources.
            columns = [f"{self._any(aliases)}.{column}" for column in COLUMNS]
            columns = [f"{text} AS {name}" for text, name in zip(columns, COLUMNS, strict=True)]
        if self._chance(0.08):
            columns[4] = f"{self._scalar(aliases, depth)} AS status"
        if self._chance(0.05):
            columns[1] = f"{self._tenant()} AS tenant_id"
        if self._chance(0.06):
            columns[self._random.randrange(4)] = f"coalesce({x}.aid, 1)"
            columns[1] = f"{x}.tenant_id"
            columns = [
                text if " AS " in text else f"{text} AS {name}"
                for text, name in zip(columns, COLUMNS, strict=True)
            ]
        distinct = "DISTINCT " if self._chance(0.08) else ""
        text = f"SELECT {distinct}{', '.join(columns)} FROM {from_}{where}"
        if self._chance(0.04):
            text = f"(SELECT * FROM ({text}) o ORDER BY 1, 2, 3, 4, 5 LIMIT 1)"
        return text

    def _scalar(self, aliases: Sequence[str], depth: int) -> str:
        y = self._alias()
        table = self._any(TABLES)
        value = self._any((f"max({y}.status)", "count(*)::text", f"max({y}.tenant_id)"))
        where = self._where([y], depth - 1, outside=aliases)
        return f"(SELECT {value} FROM {table} {y}{where})"

    def _from(self, depth: int) -> tuple[str, list[str]]:
        text, aliases = self._item(depth, [])
        for _ in range(self._pick(((0, 4), (1, 5), (2, 3), (3, 1)))):
            item, new = self._item(depth, aliases)
            how = self._pick(
                (("JOIN", 5), ("LEFT JOIN", 4), ("RIGHT JOIN", 1), ("FULL JOIN", 1), (",", 3),
                 ("CROSS JOIN", 2), ("USING", 1), ("NATURAL", 0.3)),
            )  # fmt: skip
            if how == ",":
                text = f"{text}, {item}"
            elif how == "CROSS JOIN":
                text = f"{text} CROSS JOIN {item}"
            elif how == "USING":
                columns = self._any(("id", "tenant_id", "aid", "tenant_id, id", "status"))
                text = f"{text} {self._any(JOINS)} {item} USING ({columns})"
            elif how == "NATURAL":
                text = f"{text} NATURAL JOIN {item}"
            else:
                if self._chance(0.12):
                    inner, third = self._item(depth, aliases)
                    on = self._condition([*new, *third], depth - 1)
                    item, new = f"({item} {self._any(JOINS[:2])} {inner} ON {on})", [*new, *third]
                # ON sees what stands in its own join, not what a comma parts from it.
                seen = [*(aliases if "," not in text else aliases[-1:]), *new]
                on = self._condition(seen, depth - 1, tie=(seen[0], new[0]))
                text = f"{text} {how} {item} ON {on}"
            aliases = [*aliases, *new]
        return text, aliases

    def _item(self, depth: int, before: Sequence[str]) -> tuple[str, list[str]]:
        alias = self._alias()
        names = [*TABLES, *TABLES, *self._ctes, *self._ctes, *self._ctes]
        kind = self._pick((("table", 8), ("derived", 2 if depth > 0 else 0), ("lateral", 0.7)))
        if kind == "derived":
            return f"({self._select(depth - 1)}) {alias}", [alias]
        if kind == "lateral" and before and depth > 0:
            y = self._alias()
            columns = ", ".join(f"{y}.{column}" for column in COLUMNS)
            where = self._where([y], depth - 1, outside=before)
            query = f"SELECT {columns} FROM {self._any(TABLES)} {y}{where}"
            return f"LATERAL ({query}) {alias}", [alias]
        return f"{self._any(names)} {alias}", [alias]

    def _where(
        self, aliases: Sequence[str], depth: int, outside: Sequence[str] = (), sure: float = 0.55
    ) -> str:
        parts = []
        if self._chance(sure):
            parts.append(f"{self._any(aliases)}.tenant_id = {self._tenant()}")
        if outside and self._chance(0.7):
            parts.append(
                f"{self._any(aliases)}.{self._any(KEYS)} = {self._any(outside)}.{self._any(KEYS)}"
            )
        count = self._pick(((0, 4), (1, 4), (2, 2)))
        parts += [self._condition([*aliases, *outside], depth) for _ in range(count)]
        self._random.shuffle(parts)
        return f" WHERE {' AND '.join(parts)}" if parts else ""

    def _condition(
        self, aliases: Sequence[str], depth: int, tie: tuple[str, str] | None = None
    ) -> str:
        x, y = tie or (self._any(aliases), self._any(aliases))
        z = self._any(aliases)
        if tie and self._chance(0.6):
            text = f"{x}.{self._any(KEYS)} = {y}.{self._any(KEYS)}"
            return f"{text} AND {self._condition(aliases, depth)}" if self._chance(0.25) else text
        key, other = self._any(KEYS), self._any(KEYS)
        tenant = self._tenant()
        plain = (
            (f"{x}.{key} = {y}.{other}", 10),
            (f"{x}.tenant_id = {tenant}", 9),
            (f"{x}.tenant_id = {y}.tenant_id", 5),
            (f"{x}.status = 'open'", 4),
            (f"{x}.{key} = 11", 1),
            (f"{x}.tenant_id IN ('acme', {tenant})", 1),
            (f"{x}.tenant_id = ANY (ARRAY['acme', {tenant}])", 1),
            (f"{x}.tenant_id <> {tenant}", 1),
            (f"{x}.{key} <> {y}.{other}", 1),
            (f"{x}.{key} <= {y}.{other}", 1),
            (f"{x}.{key} BETWEEN {y}.{other} AND {z}.{key}", 0.5),
            (f"{x}.status = {y}.status", 1),
            (f"{x}.{key} IS NOT DISTINCT FROM {y}.{other}", 0.5),
            (f"{x}.tenant_id IS NOT DISTINCT FROM {tenant}", 0.5),
            (f"{x}.{key} IS NULL", 0.7),
            (f"({x}.tenant_id, {y}.status) = ({tenant}, 'open')", 1),
            (f"({x}.tenant_id, {y}.id) = ({z}.tenant_id, 11)", 0.7),
            (f"({x}.{key}, {x}.tenant_id) = ({y}.{other}, {y}.tenant_id)", 1),
            (f"({x}.id, {y}.tenant_id) IN ((11, 'acme'), (12, {tenant}))", 0.5),
            (f"({x}.tenant_id = {tenant}) IS TRUE", 0.3),
            (f"({x}.tenant_id = {tenant}) IS NOT FALSE", 0.3),
            (f"coalesce({x}.tenant_id, {y}.tenant_id) = {tenant}", 0.5),
            (f"coalesce({x}.{key}, 11) = {y}.{other}", 0.5),
            ("true", 0.5),
            *self._more(x, y, tenant),
        )
        if depth <= 0 or self._chance(0.55):
            return self._pick(plain)
        a = self._condition(aliases, depth - 1)
        b = self._condition(aliases, depth - 1)
        nested = (
            (f"({a} OR {b})", 4),
            (f"({a} AND {b} OR {self._condition(aliases, 0)})", 1),
            (f"NOT ({a})", 2),
            (f"NOT ({a} OR {b})", 0.7),
            (f"CASE WHEN {a} THEN {b} ELSE {self._condition(aliases, 0)} END", 1),
            (f"CASE WHEN {a} THEN true ELSE false END", 0.5),
            (f"({self._value_test()} OR {a})", 1),
            (f"({self._value_test()} AND {a} OR {self._value_test()} AND {b})", 0.7),
            (f"CASE WHEN {self._value_test()} THEN {a} ELSE {b} END", 0.7),
            (f"CASE 'x' WHEN {self._any(VALUES)} THEN {a} WHEN 'x' THEN {b} END", 0.3),
            (f"{x}.tenant_id = CASE WHEN {self._value_test()} THEN {tenant} ELSE 'acme' END", 0.4),
            (f"{x}.tenant_id = coalesce(NULLIF({self._any(VALUES)}, ''), {tenant})", 0.4),
            (f"({a}) IS NOT TRUE", 0.4),
            (f"({a}) = ({b})", 0.4),
            (self._subquery(x, aliases, depth), 10),
        )
        return self._pick(nested)

    def _value_test(self) -> str:
        """A test that no row has a part in."""
        v, w = self._any(VALUES), self._any(VALUES)
        return self._any((
            f"{v} = {w}", f"{v} <> {w}", f"{v} IS NULL", f"NULLIF({v}, {w}) IS NULL", "1 = 0",
            f"coalesce({v}, 'x') = {w}", f"NOT ({v} = {w})", f"length({v}) > 0", "true", "false",
            f"{v} IN ({w}, 'x')", f"({v} = {w}) IS TRUE", f"({v} = {w}) IS NOT TRUE",
        ))  # fmt: skip

    def _subquery(self, x: str, aliases: Sequence[str], depth: int) -> str:
        from_, own = self._from(depth - 2)
        y = self._any(own)
        where = self._where(own, depth - 1, outside=aliases if self._chance(0.6) else ())
        key, column = self._any(KEYS), self._any(KEYS)
        end = self._pick((("", 8), (f" ORDER BY {y}.id, {y}.aid LIMIT 1", 1)))
        rest = f"FROM {from_}{where}{end}"
        free = f"FROM {from_}{where}"
        union = f"SELECT {y}.{key} {free} UNION SELECT t.{column} FROM {self._any(TABLES)} t"
        return self._pick((
            (f"EXISTS (SELECT 1 {rest})", 4),
            (f"NOT EXISTS (SELECT 1 {rest})", 2),
            (f"{x}.{key} IN (SELECT {y}.{column} {rest})", 4),
            (f"{x}.{key} NOT IN (SELECT {y}.{column} {rest})", 1),
            (f"{x}.{key} = ANY (SELECT {y}.{column} {rest})", 1),
            (f"{x}.{key} <> ALL (SELECT {y}.{column} {rest})", 0.5),
            (f"{x}.{key} > ANY (SELECT {y}.{column} {rest})", 0.3),
            (f"{x}.{key} = ANY (ARRAY(SELECT {y}.{column} {rest}))", 0.5),
            (f"{x}.{key} = (SELECT max({y}.{column}) {free})", 1.5),
            (f"{x}.{key} = (SELECT count(*) {free})", 0.5),
            (f"{x}.tenant_id IN (SELECT {y}.tenant_id {rest})", 1.5),
            (f"{x}.tenant_id = (SELECT max({y}.tenant_id) {free})", 0.5),
            (f"11 IN (SELECT {y}.{column} {rest})", 0.7),
            (f"{x}.{key} IN (SELECT {self._any((*own, *aliases))}.{column} {rest})", 1),
            (f"({x}.{key}, {x}.tenant_id) IN (SELECT {y}.{column}, {y}.tenant_id {rest})", 1),
            (f"{x}.{key} IN (SELECT unnest(ARRAY[11, 12]) {free})", 0.7),
            (f"{x}.{key} IN (SELECT coalesce({y}.{column}, 11) {free})", 0.5),
            (f"{x}.{key} IN ({union})", 0.7),
            (f"{x}.{key} IN (SELECT {y}.{column} {free} GROUP BY 1 HAVING count(*) > 0)", 0.5),
        ))  # fmt: skip

    def _update(self) -> str:
        x = self._alias()
        value = self._pick((
            ("status = 'new'", 8), ("tenant_id = 'acme'", 1), ("bid = aid", 1),
            (f"status = {self._scalar([x], 1)}", 1),
        ))  # fmt: skip
        return self._changed(f"UPDATE {self._any(TABLES)} AS {x} SET {value}", x, "FROM")

    def _delete(self) -> str:
        x = self._alias()
        return self._changed(f"DELETE FROM {self._any(TABLES)} AS {x}", x, "USING")

    def _changed(self, text: str, x: str, others: str) -> str:
        """The rest of a change of table `x`; `others` is the word before further tables."""
        aliases = [x]
        if self._chance(0.5):
            from_, more = self._from(1)
            text, aliases = f"{text} {others} {from_}", [x, *more]
        text += self._where(aliases, 2, sure=0.7)
        if len(aliases) > 1 and self._chance(0.6) and " WHERE " in text:
            text += f" AND {x}.{self._any(KEYS)} = {aliases[1]}.{self._any(KEYS)}"
        return text + (f" RETURNING {x}.id" if self._chance(0.3) else "")

    def _insert(self) -> str:
        return f"INSERT INTO {self._any(TABLES)} ({', '.join(COLUMNS)}) {self._select(1)}"

    def _merge(self) -> str:
        x = self._alias()
        source, (y, *_) = self._item(1, [])
        on = self._condition([x, y], 1, tie=(x, y))
        if self._chance(0.5):
            on += f" AND {self._any((x, y))}.tenant_id = 'acme'"
        condition = f" AND {self._condition([x, y], 0)}" if self._chance(0.3) else ""
        does = [
            f"WHEN MATCHED{condition} THEN "
            + self._any(("DELETE", "UPDATE SET status = 'new'", "UPDATE SET aid = 1", "DO NOTHING"))
        ]
        if self._chance(0.4):
            own = f" AND {y}.tenant_id = 'acme'" if self._chance(0.4) else ""
            tenant = self._any((f"{y}.tenant_id", "'acme'"))
            values = f"{y}.id, {tenant}, {y}.aid, {y}.bid, {y}.status"
            does.append(
                f"WHEN NOT MATCHED{own} THEN INSERT ({', '.join(COLUMNS)}) VALUES ({values})"
            )
        text = f"MERGE INTO {self._any(TABLES)} AS {x} USING {source} ON {on} "
        return text + " ".join(does)
