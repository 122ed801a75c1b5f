"""Random statements over the tables of a shop, made of the forms in `tests/fixtures/shop`.

Other habits than those of `conftest`: composite keys, a table without a tenant column, names in
quotes, aliases that are other tables' names, columns that are renamed, parameters.
"""

from __future__ import annotations

import random
from pathlib import Path
from string import Formatter

from tests.tenant.sql.shop import TABLES, TENANTS

__all__ = ["ShopStatements"]

FOLDER = Path(__file__).parents[2] / "fixtures" / "shop"
JOINS = ("JOIN", "JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
TENANT, KEY, TEXT = "tenant", "key", "text"
WEIGHTS = {"tasks": 10, "projects": 8, "remarks": 4, "links": 4, "tickets": 3, '"Orders"': 3}


def _forms():
    found = {}
    for line in (FOLDER / "forms.txt").read_text().splitlines():
        if line.startswith("["):
            lines = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            weight, _, form = line.partition(" ")
            lines.append((float(weight), form))
    return found


class _LacksError(Exception):
    """A form needs a column that is not there."""


class ShopStatements:
    """Makes statements.

    Args:
        seed: The same seed gives the same statements.

    Attributes:
        mine: The tenant that most of the last statement is about.
    """

    def __init__(self, seed):
        self.seed, self.mine = seed, ""
        self._random = random.Random(seed)
        self._forms = _forms()

    def one(self):
        """The next statement and the values of its parameters."""
        self._aliases, self._with, self._left = 0, [], self._random.choice((3, 5, 8, 12))
        self._tenant = self._random.randrange(3)
        self.mine = mine = TENANTS[self._tenant]
        flag = self._chance(0.4)
        values = {
            "t": mine, "flag": flag, "nothing": None if flag else "x", "q": "" if flag else "z",
            "num": 0 if flag else 3, "arr": [mine], "empty": [], "csv": f"{mine},x",
            "ids": [self._number(), self._number()], "key": self._number(),
        }  # fmt: skip
        head = self._with_clause() if self._chance(0.3) else ""
        kinds = [self._query, self._update, self._delete, self._insert, self._merge]
        make = self._random.choices(kinds, (12, 3, 3, 3, 2))[0]
        sql = head + (make([], (TENANT, KEY)) if make == self._query else make())
        return sql, {name: value for name, value in values.items() if f":{name}" in sql}

    def _chance(self, part):
        return self._random.random() < part

    def _number(self):
        return 10 * (self._tenant + 1) + self._random.choice((1, 2, 3))

    def _alias(self):
        self._aliases += 1
        return self._random.choice(["x{}", "x{}", "t{}", '"X{}"']).format(self._aliases)

    def _form(self, kind, scope, **given):
        """One form of a kind, filled; another one where it needs what there is not."""
        weights, forms = zip(*self._forms[kind], strict=True)
        for _ in range(6):
            form = self._random.choices(forms, weights)[0]
            try:
                # In the form's order: a set's order is another in each process, whatever the seed.
                names = dict.fromkeys(name for _, name, _, _ in Formatter().parse(form) if name)
                filled = {name: given.get(name) or self._field(name, scope) for name in names}
            except _LacksError:
                continue
            return form.format(**filled)
        return "true"

    def _field(self, name, scope):  # noqa: PLR0911 - one kind of field a line
        self._left -= 1
        if name in "xyklsr":
            kind = {"x": TENANT, "y": TENANT, "k": KEY, "l": KEY, "s": TEXT, "r": TEXT}[name]
            return self._column(kind, scope, own=name in "xks")
        if name in "vw":
            return self._form("value", scope)
        if name == "T":
            return TENANTS[self._tenant if self._chance(0.9) else self._random.randrange(3)]
        if name == "n":
            return str(self._number())
        if name in "cd":
            return self._form("condition" if self._left > 0 else "tenant", scope)
        if name == "tied":
            return self._query(scope, None, tie=0.8)
        if name.startswith("of_"):
            kinds = {"of_key": (KEY,), "of_tenant": (TENANT,)}.get(name, (TENANT, KEY))
            return self._query(scope, kinds, tie=0.3)
        return self._form(name, scope)

    def _column(self, kind, scope, *, own=True):
        levels = scope[-1:] if own or self._chance(0.5) else scope
        found = [
            f"{alias}.{name}"
            for level in levels
            for alias, columns in level
            for name, is_kind in columns
            if is_kind == kind
        ]
        if not found or (not own and len(found) == 1):
            raise _LacksError
        return self._random.choice(found)

    def _source(self, scope, before):
        """An entry of FROM: its text, its alias and its columns."""
        alias = self._alias()
        roll = self._random.random()
        if self._with and roll < 0.25:
            name, columns = self._random.choice(self._with)
            return f"{name} AS {alias}", (alias, columns)
        columns = [("tenant_id", TENANT), ("key", KEY)]
        if self._left > 3 and roll < 0.45:
            lateral = bool(before) and self._chance(0.4)
            inner = self._query([*scope, before] if lateral else scope, (TENANT, KEY), tie=0.6)
            return f"{'LATERAL ' * lateral}({inner}) AS {alias}", (alias, columns)
        if roll < 0.5:
            text = f"unnest({self._form('array', scope)}, ARRAY[{self._number()}])"
            return f"{text} AS {alias}(tenant_id, key)", (alias, columns)
        name = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        columns = TABLES[name]
        if self._chance(0.1):
            alias = self._random.choice(("tasks", "remarks", "links"))
            if any(alias == other for other, _ in before):
                raise _LacksError
        if self._chance(0.06):
            renamed = [f"n{number}" for number in range(len(columns))]
            columns = [(new, kind) for new, (_, kind) in zip(renamed, columns, strict=True)]
            return f"{name} AS {alias}({', '.join(renamed)})", (alias, columns)
        return f"{name} AS {alias}", (alias, columns)

    def _from(self, scope):
        """FROM, and the sources in it."""
        text, first = self._source(scope, [])
        sources = [first]
        for _ in range(self._random.choice((0, 0, 1, 1, 2)) if self._left > 2 else 0):
            more, source = self._source(scope, sources)
            join = "JOIN" if "LATERAL" in more else self._random.choice(JOINS)
            sources = [*sources, source]
            how = self._random.random()
            if how < 0.1:
                text += f", {more}" if " JOIN " not in text else f" CROSS JOIN {more}"
            elif how < 0.14:
                text += f" NATURAL JOIN {more}"
            else:
                on = self._form("key" if self._chance(0.8) else "condition", [*scope, sources])
                if self._chance(0.3):
                    on += f" AND {self._form('tenant', [*scope, sources])}"
                text += f" {join} {more} ON {on}"
        return text, sources

    def _where(self, scope, tie=0.0):
        parts = [
            self._form("tenant", [*scope[:-1], [source]])
            for source in scope[-1]
            if self._chance(0.55)
        ]
        parts += [self._form("condition", scope) for _ in range(self._random.choice((0, 1, 1, 2)))]
        if len(scope) > 1 and self._chance(tie):
            parts.append(self._form("key", scope))
        return f" WHERE {' AND '.join(parts)}" if parts else ""

    def _query(self, scope, kinds, *, tie=0.0):
        """A query with columns of some kinds; None for any."""
        for _ in range(9):
            try:
                text = self._select(scope, kinds, tie)
                break
            except _LacksError:
                continue
        else:
            text = "SELECT 'bee' AS tenant_id, 21 AS key" if kinds else "SELECT 1"
            text = "SELECT 21 AS key" if kinds == (KEY,) else text
        if kinds and self._left > 4 and self._chance(0.12):
            word = self._random.choice(("UNION", "UNION ALL", "UNION ALL", "INTERSECT", "EXCEPT"))
            return f"({text}) {word} ({self._query(scope, kinds, tie=tie)})"
        return text

    def _select(self, scope, kinds, tie):
        from_, sources = self._from(scope)
        inner = [*scope, sources]
        where = self._where(inner, tie)
        if kinds is None:
            return f"SELECT 1 FROM {from_}{where}"
        names = {TENANT: "tenant_id", KEY: "key"}
        columns = [self._column(kind, inner) for kind in kinds]
        shape = self._random.choices(
            ("plain", "grouped", "distinct", "first", "most"), (9, 1, 1, 1, 1)
        )
        end = ""
        if shape == ["grouped"]:
            end = f" GROUP BY {columns[0]}"
            if self._chance(0.5):
                end += f" HAVING {columns[0]} IS NOT NULL AND count(*) > 0"
            columns[1:] = [f"max({column})" for column in columns[1:]]
        elif shape == ["plain"]:
            columns = [self._form("output", inner, it=column) for column in columns]
        elif shape == ["most"]:
            end = f" ORDER BY {', '.join(map(str, range(1, len(columns) + 1)))} LIMIT 2"
        on = f"DISTINCT ON ({columns[-1]}) " if shape == ["first"] else "DISTINCT "
        if shape == ["first"]:
            end = f" ORDER BY {', '.join([columns[-1], *columns[:-1]])}"
        head = on if shape in (["distinct"], ["first"]) else ""
        items = [f"{text} AS {names[kind]}" for text, kind in zip(columns, kinds, strict=True)]
        return f"SELECT {head}{', '.join(items)} FROM {from_}{where}{end}"

    def _with_clause(self):
        parts = []
        for number in range(self._random.choice((1, 1, 2))):
            name = self._random.choice((f"c{number}", f"c{number}", f'"C{1 - number}"', "links"))
            if any(name == other for other, _ in self._with):
                continue
            query = self._query([], (TENANT, KEY))
            how = self._random.choice(("", "", "MATERIALIZED ", "NOT MATERIALIZED "))
            if self._chance(0.15):
                query = (
                    f"{query.split(' ORDER BY')[0]} UNION SELECT s.tenant_id, "
                    f"{self._random.choice(('s.id', 's.id', 'q.key + 1', 's.parent_id'))} "
                    f"FROM {name} AS q JOIN tasks AS s ON s.parent_id = q.key"
                )
            parts.append(f"{name}(tenant_id, key) AS {how}({query})")
            self._with.append((name, [("tenant_id", TENANT), ("key", KEY)]))
        return f"WITH RECURSIVE {', '.join(parts)} "

    def _target(self):
        name = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        return name, (self._alias(), TABLES[name])

    def _change(self, head, tail, word):
        """UPDATE or DELETE of a table, with others beside it."""
        name, target = self._target()
        more, sources = self._from([]) if self._chance(0.4) else ("", [])
        scope = [[target, *sources]]
        where = self._where(scope)
        if sources and self._chance(0.7):
            where += f" {'AND' if where else 'WHERE'} {self._form('key', scope)}"
        beside = f" {word} {more}" if more else ""
        return head.format(name, target[0]) + tail.format(target[1][-1][0]) + beside + where

    def _update(self):
        return self._again(self._change, "UPDATE {} AS {}", " SET {0} = {0}", "FROM").replace(
            *self._random.choice(((" SET status = status", " SET status = 'new'"), ("\0", "")))
        )

    def _delete(self):
        return self._again(self._change, "DELETE FROM {} AS {}", "", "USING")

    def _again(self, make, *arguments):
        while True:
            try:
                return make(*arguments)
            except _LacksError:
                continue

    def _insert(self):
        number = self._number() + 4
        if self._chance(0.5):
            body = f"VALUES ({self._form('value', [])}, {number}), ('{TENANTS[self._tenant]}', 99)"
        else:
            body = self._query([], (TENANT, KEY))
        columns = "" if self._chance(0.1) else " (tenant_id, no)"
        value = self._random.choice(("'new'", "excluded.status", "(SELECT max(email) FROM users)"))
        action = f"(tenant_id, no) DO UPDATE SET status = {value}"
        return f"INSERT INTO tickets{columns} {body} ON CONFLICT " + (
            action if self._chance(0.6) else "DO NOTHING"
        )

    def _merge(self):
        name, target = self._target()
        using, source = self._again(self._source, [], [])
        scope = [[target, source]]
        whens = []
        for kind in self._random.sample(("MATCHED", "NOT MATCHED BY SOURCE"), 2)[
            : self._random.choice((1, 1, 2))
        ]:
            seen = scope if kind == "MATCHED" else [[target]]
            more = f" AND {self._form('condition', seen)}" if self._chance(0.5) else ""
            whens.append(f"WHEN {kind}{more} THEN DELETE")
        on = f"{self._form('key', scope)} AND {self._form('tenant', scope)}"
        return f"MERGE INTO {name} AS {target[0]} USING {using} ON {on} {' '.join(whens)}"
