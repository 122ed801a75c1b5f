"""Statements at random with EXISTS, IN, WITH, derived tables, LEFT JOIN and UNION in each other.

And, where that is asked for, with CASE, arithmetic, HAVING and subqueries in select lists.
"""

from __future__ import annotations

import random

NAMES = (
    *("id", "id", "tenant_id", "tenant_id", "aid", "bid", "status", "account_id", "created_at"),
    *('"id"', '"ID"', "Id", "count"),
)
TESTS = (
    *("IN (:t, :u)", "IS NULL", "IS NOT NULL", "LIKE :x", "> 3", "<> 3", "NOT IN (1, 2)", ""),
    "BETWEEN 1 AND 2",
)
VALUES = (
    *(":t", ":t", "'acme'", "7", ":u", ":t::uuid", "null", "true", ":t::date", "'x'::text", "-1"),
)
TABLES = ("a", "b", "c", "d", "organizations", "app.a", "tenant_7.b", '"B"')
WINDOWS = ("row_number()", "rank()", "count(*)", "max(id)", "x()", "lag(id)")
JOINS = ("JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN", "left join")


class QueriesInQueries:
    """Makes statements, most of which PostgreSQL would take.

    Args:
        chosen: What chooses.
        computes: Whether they have CASE, arithmetic, HAVING and subqueries in select lists too.
    """

    def __init__(self, chosen: random.Random, *, computes: bool = False) -> None:
        self._chosen = chosen
        self._computes = computes
        self._any = chosen.choice
        self._aliases = 0
        self._with: list[str] = []

    def one(self) -> str:  # noqa: PLR0911 - one kind a line
        """The next statement."""
        self._aliases, self._with = 0, []
        with_ = self._with_queries() if self._chance(0.3) else ""
        kind = self._chosen.random()
        if kind < 0.08:
            return self._insert_select()
        if kind < 0.7:
            text = self._select(2, [], count=self._chosen.randint(1, 3))
            tails = ["", " ORDER BY id DESC LIMIT 10", " LIMIT :n OFFSET 5", ";"]
            if self._computes:
                tails.append(f" ORDER BY {self._computed(['a', 'x'])} DESC")
            text += self._any(tails)
            return with_ + text + self._any(("", "", "", " FOR UPDATE"))
        if kind < 0.8:
            branches = [self._select(1, [], count=2) for _ in range(self._any((2, 2, 3)))]
            if self._chance(0.4):
                tails = (")", ")", " LIMIT 3)", " ORDER BY id)")
                branches = [f"({branch}{self._any(tails)}" for branch in branches]
            text = self._any((" UNION ", " UNION ALL ")).join(branches[: self._any((1, 3, 3, 3))])
            return with_ + text + self._any(("", "", " ORDER BY id", " LIMIT 3", ";"))
        target = self._any(("a", "app.b x", "c AS y"))
        where = f"WHERE {self._conditions(['a', 'x', 'y'], [], 2)}"
        if kind < 0.9:
            returning = self._any(("", " RETURNING id", " RETURNING *"))
            if self._chance(0.6):
                return with_ + self._update_from() + returning
            value = self._computed(["a", "x", "y"]) if self._computes_here(0.3) else ":s"
            return f"{with_}UPDATE {target} SET status = {value} {where}{returning}"
        if self._chance(0.4):
            return with_ + self._delete_using()
        return f"{with_}DELETE FROM {target} {where}"

    def lateral_or_windowed(self) -> str:
        """A short SELECT from a derived table with a window, or from one that is LATERAL."""
        self._aliases, self._with = 0, []
        aliases = ["a"]
        if self._chance(0.5):
            window = self._window(["b"])
            items = ", ".join(self._item(["b"]) for _ in range(self._any((1, 2))))
            ranks = f"{self._any(('row_number()', 'rank()', 'count(*)'))} OVER ({window}) AS n"
            inner = f"SELECT {self._any((f'{items}, {ranks}', f'{ranks}, {items}'))} FROM b"
            if self._chance(0.7):
                inner += f" WHERE {self._conditions(['b'], [], 0, 2)}"
            text = f"({inner}{self._any(('', '', '', ' LIMIT 3'))}) a"
            if self._chance(0.4):
                text += f" {self._any(JOINS)} c ON {self._conditions(['a', 'c'], [], 0, 2)}"
                aliases.append("c")
        else:
            text = f"a {self._lateral(1, ['a'], aliases)}"
        where = self._any((f"{aliases[-1]}.n = 1", "a.n = 1", self._condition(aliases, [], 0)))
        where += f" AND {self._condition(aliases, [], 0)}"
        return f"SELECT {self._any(('*', self._item(aliases)))} FROM {text} WHERE {where}"

    def _insert_select(self) -> str:
        columns = self._any(
            ("id, tenant_id", "tenant_id", "id, status", "account_id, id", "tenant_id, account_id")
        )
        items = ""
        if self._chance(0.6):
            own = ("tenant_id", ":t", ":u", "id", "'acme'", "x.tenant_id", "account_id", "7", "*")
            items = ", ".join(self._any(own) for _ in columns.split(","))
        query = self._select(1, [], items, count=columns.count(",") + 1)
        tail = self._any(("", "", "", " LIMIT 3", " RETURNING id", " ORDER BY id", ";"))
        if tail == " ORDER BY id" and self._computes_here(0.5):
            tail = f" ORDER BY {self._computed(['a', 'x'])}"
        target = self._any(("a", "app.b", "d"))
        return f"INSERT INTO {target} ({columns}) {query}{tail}"

    def _update_from(self) -> str:
        (target, others), aliases = self._beside()
        value = self._any((f"{aliases[1]}.status", ":s", self._column(aliases)))
        where = self._conditions(aliases, [], 1)
        return f"UPDATE {target} SET status = {value} FROM {others} WHERE {where}"

    def _delete_using(self) -> str:
        (target, others), aliases = self._beside()
        return f"DELETE FROM {target} USING {others} WHERE {self._conditions(aliases, [], 1)}"

    def _beside(self) -> tuple[tuple[str, str], list[str]]:
        """The target of a change, what it reads beside that, and the aliases of all."""
        target, alias = self._any((("a", "a"), ("app.b x", "x"), ("c AS y", "y")))
        source, other = self._source(1)
        aliases = [alias, other]
        joined = ""
        if self._chance(0.3):
            source_of_join, of_join = self._source(1)
            aliases.append(of_join)
            joined = self._any(
                (
                    f", {source_of_join}",
                    f" {self._any(JOINS)} {source_of_join} ON {self._conditions(aliases, [], 0)}",
                )
            )
        return (target, f"{source}{joined}"), aliases

    def _chance(self, part: float) -> bool:
        return self._chosen.random() < part

    def _computes_here(self, part: float) -> bool:
        return self._computes and self._chance(part)

    def _alias(self) -> str:
        self._aliases += 1
        return self._any((f"t{self._aliases}",) * 3 + ("x", "y"))

    def _column(self, aliases: list[str]) -> str:
        name = self._any(NAMES)
        schema = "app." if self._chance(0.05) else ""
        return name if self._chance(0.25) else f"{schema}{self._any(aliases)}.{name}"

    def _with_queries(self) -> str:
        parts = []
        for number in range(self._chosen.randint(1, 3)):
            name = self._any((f"q{number}",) * 3 + ("a",))
            kept = self._any(("", "", "MATERIALIZED ", "NOT MATERIALIZED "))
            query = self._select(1, [], count=self._chosen.randint(1, 3))
            parts.append(f"{name} AS {kept}({query}{self._any(('', '', '', ' LIMIT 3'))})")
            self._with.append(name)
        return f"WITH {', '.join(parts)} "

    def _conditions(self, aliases: list[str], outer: list[str], depth: int, most: int = 3) -> str:
        count = self._chosen.randint(1, most)
        return " AND ".join(self._condition(aliases, outer, depth) for _ in range(count))

    def _condition(  # noqa: C901, PLR0911 - one kind a line
        self, aliases: list[str], outer: list[str], depth: int
    ) -> str:
        kind = self._chosen.random()
        all_of = aliases + outer
        if kind < 0.3:
            other = self._column(all_of)
            return f"{self._column(aliases)} = {self._any((other, other, other, f'({other})'))}"
        if kind < 0.55:
            return f"{self._any(aliases)}.tenant_id = {self._any((':t', ':t', ':u'))}"
        if kind < 0.63:
            return f"{self._column(all_of)} = {self._any(VALUES)}"
        if kind < 0.68:
            return f"{self._column(all_of)} {self._any(TESTS)}"
        if kind < 0.69:
            return f"NOT ({self._column(aliases)})"
        if kind < 0.7:
            return f"{self._any(aliases)}.tenant_id = (:t)"
        if kind < 0.72:
            return f"NOT {self._column(aliases)} = {self._any(VALUES)}"
        if kind < 0.78:
            sides = [self._condition(aliases, outer, depth - 1) for _ in range(2)]
            return f"({self._any((' OR ', ' OR ', ' AND ')).join(sides)})"
        if depth <= 0:
            return f"{self._any(aliases)}.status = 'open'"
        not_ = self._any(("", "", "NOT "))
        if kind < 0.89:
            items = self._any(("1", "*", self._any(NAMES), "1 AS a"))
            limit = self._any(("", "", " LIMIT 1"))
            exists = f"EXISTS ({self._select(depth - 1, all_of, items)}{limit})"
            return f"NOT ({exists})" if self._chance(0.1) else f"{not_}{exists}"
        tail = self._any(("", "", "", "", " LIMIT 1", " ORDER BY id", " FOR UPDATE SKIP LOCKED"))
        in_ = self._any((f"{not_}IN", f"{not_}IN", "="))
        return f"{self._column(aliases)} {in_} ({self._select(depth - 1, all_of)}{tail})"

    def _source(self, depth: int) -> tuple[str, str]:
        """A source of FROM with its alias, and that alias."""
        if depth > 0 and self._chance(0.12):
            alias = self._alias()
            return f"({self._select(depth - 1, [], count=self._any((1, 2, 3)))}) {alias}", alias
        table = self._any((*TABLES, *self._with, *self._with))
        if "." not in table and self._chance(0.2):
            return table, table.strip('"')
        alias = self._alias()
        return f"{table} {self._any(('', 'AS '))}{alias}", alias

    def _select(self, depth: int, outer: list[str], items: str = "", count: int = 1) -> str:
        text, alias = self._source(depth)
        aliases = [alias]
        for _ in range(self._any((0, 0, 0, 1, 1, 2))):
            source, alias = self._source(depth)
            aliases.append(alias)
            if self._chance(0.1):
                text += f", {source}"
                continue
            if self._chance(0.15):
                columns = self._any(("id", "tenant_id", "id, tenant_id", "aid, status", '"id"'))
                text += f" {self._any(JOINS)} {source} USING ({columns})"
                continue
            within = depth if self._chance(0.2) else 0
            text += f" {self._any(JOINS)} {source} ON {self._conditions(aliases, outer, within, 2)}"
        if self._chance(0.8):
            text += f" WHERE {self._conditions(aliases, outer, depth)}"
        if self._chance(0.2):
            text += f" GROUP BY {', '.join(self._column(aliases) for _ in range(count))}"
            if self._computes_here(0.3):
                text += f" HAVING {self._having(aliases)}"
        items = items or ", ".join(self._item(aliases) for _ in range(count))
        if depth > 0 and self._computes_here(0.2):
            listed = self._select(depth - 1, aliases + outer, count=1)
            kind = self._any(("", "", "", "EXISTS", "exists "))
            name = self._any((" AS n", ' AS "x"', " AS tenant_id", ""))
            items = self._any((f"{items}, {kind}({listed}){name}", f"({listed}), {items}"))
        return f"SELECT {self._any(('', '', '', 'DISTINCT '))}{items} FROM {text}"

    def _lateral(self, depth: int, seen: list[str], aliases: list[str]) -> str:
        """A join of a derived table that refers to the sources before it, which gets an alias."""
        alias = self._alias()
        tail = self._any(("", " LIMIT 1", " ORDER BY id DESC LIMIT 3"))
        query = self._select(max(depth - 1, 0), seen, count=self._any((1, 2)))
        aliases.append(alias)
        condition = self._any(("true", "true", "TRUE", self._conditions(aliases, [], 0, 2)))
        join = self._any(("LEFT JOIN", "LEFT JOIN", "JOIN", "left outer join"))
        return f"{join} LATERAL ({query}{tail}) {alias} ON {condition}"

    def _window(self, aliases: list[str]) -> str:
        parts = (f"PARTITION BY {self._column(aliases)}", f"ORDER BY {self._column(aliases)} DESC")
        return self._any((*parts, " ".join(parts), ""))

    def _having(self, aliases: list[str]) -> str:
        parts = (
            *("count(*) > 3", "count(*) = :n", f"max({self._column(aliases)}) <> :t"),
            *(f"sum({self._column(aliases)}) >= 5", f"{self._column(aliases)} = :t"),
        )
        return " AND ".join(self._any(parts) for _ in range(self._any((1, 1, 2))))

    def _computed(self, aliases: list[str]) -> str:
        column, other = self._column(aliases), self._column(aliases)
        tests = (
            f"{column} = {self._any(VALUES)}",
            f"{column} IS NOT NULL",
            f"NOT {column}",
            column,
        )
        return self._any(
            (
                f"CASE WHEN {self._any(tests)} THEN {other} ELSE {self._any(VALUES)} END",
                f"CASE {column} WHEN 1 THEN 'x' WHEN 2 THEN {other} END",
                f"case when {self._any(tests)} or {self._any(tests)} then count(*) end",
                f"{column} {self._any(('+', '-', '*', '/'))} {self._any((other, '1', ':x'))}",
                f"count(*) - max({column}) * 2",
            )
        )

    def _item(self, aliases: list[str]) -> str:
        if self._computes_here(0.1):
            return f"{self._computed(aliases)}{self._any(('', ' AS n', ' AS tenant_id'))}"
        alias = self._any(aliases)
        return self._any(
            (
                *(self._column(aliases), self._column(aliases), f"{alias}.id"),
                f"{alias}.tenant_id",
                f"{self._column(aliases)} AS {self._any(('id', 'k', 'm', 'tenant_id'))}",
                *(f"{alias}.*", "*", "count(*) AS n", f"max({self._column(aliases)}) AS m", "1"),
                f"{self._any(WINDOWS)} OVER ({self._window(aliases)}){self._any(('', ' AS n'))}",
            )
        )
