"""Texts just inside the limits: much to parse, to analyse and to evaluate in few characters."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

TOKENS = (300, 600, 800, 1_000, 1_150, 1_250, 1_295)
TOKEN = re.compile(r"'[^']*'|\w+|[^\w\s]")
CONDITIONS = (
    "a.x = b.y", "tenant_id = :t", "a.tenant_id = b.tenant_id", "f(g(x)) = 1", "(a, b) = (c, d)",
    "x IN (SELECT y FROM c WHERE c.z = a.z)", "EXISTS (SELECT 1 FROM c WHERE c.id = a.id)",
    "NOT EXISTS (SELECT 1 FROM c, d WHERE c.id = d.id)", "(tenant_id = :t OR :q = '')",
    "(a.tenant_id = :t AND x = 1 OR a.tenant_id = :u)", "tenant_id = COALESCE(:a, :b, :c)",
    "CASE WHEN :q <> '' THEN tenant_id = :q ELSE true END", "tenant_id = ANY(ARRAY[:a, :b])",
    "x::text::int = 5", "x -> 'a' ->> 'b' = 'c'", "(tenant_id, id) IN ((:t, 1), (:u, 2))",
    "x BETWEEN 1 AND 2", "x IS NOT DISTINCT FROM y", "NOT (x = 1 AND tenant_id = :t)",
    "tenant_id = (SELECT tenant_id FROM c WHERE id = :i)", "lower(x) LIKE '%a%'", "x[1] = 2",
    "x = ANY(SELECT id FROM c)", "interval '1 day' > x", "extract(day from x) = 1",
    "cast(x as numeric(10,2)) = 1", "json_value(x, '$.a' returning text) = 'a'",
    "CAST(x AS varchar(3)) = tenant_id", "tenant_id IS NULL OR tenant_id = :t",
    "array_agg(x ORDER BY y) OVER (PARTITION BY z) = 1", "x ~ 'a' COLLATE \"C\"",
)  # fmt: skip
ITEMS = (
    "a", "b.c", "a AS b", "count(*)", "max(x) AS m", "(SELECT max(x) FROM c WHERE c.id = b.id)",
    "CASE WHEN x THEN 1 ELSE 2 END AS k", "coalesce(a, 1)", "*", "b.*", "tenant_id",
    "row_number() OVER (PARTITION BY a ORDER BY b)", "ARRAY(SELECT id FROM c)", "x::jsonb -> 'a'",
    "jsonb_build_object('a', a, 'b', b)", "extract(epoch FROM x)",
    "string_agg(x, ',' ORDER BY y) FILTER (WHERE z > 1)",
)  # fmt: skip
SOURCES = (
    "a", "b c{n}", "(SELECT * FROM a WHERE tenant_id = :t) d{n}", "q e{n}", "unnest(:ids) u{n}",
    "LATERAL (SELECT * FROM b WHERE b.id = a.id) l{n}", "generate_series(1, 3) g{n}",
    "(VALUES (1, :t), (2, :u)) v{n}(id, tenant_id)", "ROWS FROM (f(1)) r{n}",
    "jsonb_to_recordset(:j) AS j{n}(a int, tenant_id text)", "a TABLESAMPLE SYSTEM (1)",
)  # fmt: skip
JOINS = (
    " JOIN {} ON {}", " LEFT JOIN {} ON {}", " FULL JOIN {} ON {}", " RIGHT JOIN {} ON {}",
    " JOIN {} USING (id, tenant_id)", " NATURAL JOIN {}", " CROSS JOIN {}", ", {}",
)  # fmt: skip
ROWS = ("(:t, 1)", "(:t, (SELECT 1))", "(lower(:t), f(x))", "(coalesce(:a, :b), 1)")


class HeavyTexts:
    """Makes texts.

    Args:
        chosen: What chooses.
    """

    def __init__(self, chosen: random.Random) -> None:
        self._chosen = chosen
        self._any = chosen.choice
        self._count = 0

    def one(self) -> str:  # noqa: PLR0911 - one kind a branch
        """The next text: the same few parts again and again, up to some number of tokens."""
        self._count = 0
        conditions = [self._any(CONDITIONS) for _ in range(self._chosen.randint(1, 3))]
        items = [self._any(ITEMS) for _ in range(self._chosen.randint(1, 2))]
        joins = [self._any(JOINS) for _ in range(self._chosen.randint(1, 2))]
        with_ = self._any(("WITH q AS (SELECT id, tenant_id FROM b WHERE tenant_id = :t) ", "", ""))
        kind = self._chosen.randrange(7)
        if kind == 0:
            head = f"{with_}SELECT {items[0]} FROM a JOIN b ON a.id = b.aid WHERE a.x = :t AND "
            return self._filled(head, lambda: self._any(conditions), self._any((" AND ", " OR ")))
        if kind == 1:
            tail = " FROM a JOIN b ON a.id = b.aid WHERE a.tenant_id = :t GROUP BY 1, 2"
            return self._filled(with_ + "SELECT ", lambda: self._any(items), ", ", tail)
        if kind == 2:
            return self._filled(
                with_ + "SELECT * FROM a",
                lambda: self._any(joins).format(self._source(), self._any(conditions)),
                "",
                " WHERE tenant_id = :t",
            )
        if kind == 3:
            return self._with_queries(conditions)
        if kind == 4:
            return self._filled(
                with_,
                lambda: f"SELECT {items[0]} FROM {self._source()} WHERE {self._any(conditions)}",
                self._any((" UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT ")),
            )
        if kind == 5:
            head = "INSERT INTO b (tenant_id, x) VALUES "
            tail = " ON CONFLICT (id) DO UPDATE SET x = excluded.x"
            return self._filled(head, lambda: self._any(ROWS), ", ", tail)
        one_of_many = "SELECT 1 FROM a WHERE "
        return self._filled(one_of_many, lambda: self._any(conditions), f"; {one_of_many}")

    def _filled(self, head: str, part: Callable[[], str], between: str, tail: str = "") -> str:
        left = self._any(TOKENS) - len(TOKEN.findall(head + tail))
        parts: list[str] = []
        while left > 0:
            parts.append(part())
            left -= len(TOKEN.findall(parts[-1] + between))
        return head + between.join(parts[:-1] or parts) + tail

    def _source(self) -> str:
        self._count += 1
        return self._any(SOURCES).replace("{n}", str(self._count))

    def _with_queries(self, conditions: list[str]) -> str:
        number = 0

        def query() -> str:
            nonlocal number
            number += 1
            first = f"c{number - 1}" if number > 1 else "a"
            second = f"c{max(number - self._any((1, 2, 3)), 1)}" if number > 1 else "a"
            items = self._any(("x.*", "x.id, x.tenant_id", "DISTINCT x.id", "x.id, x.k AS k"))
            joins = (f" JOIN {second} y ON x.id = y.id", f" JOIN {second} y USING (id)", "")
            where = self._any((f" WHERE {self._any(conditions)}", "", " WHERE x.tenant_id = :t"))
            return f"c{number} AS (SELECT {items} FROM {first} x{self._any(joins)}{where})"

        text = self._filled(f"WITH {self._any(('', 'RECURSIVE '))}", query, ", ")
        return f"{text} SELECT * FROM c{max(number - 1, 1)} WHERE tenant_id = :t"
