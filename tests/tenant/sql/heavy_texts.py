"""Texts just inside the limits: much to parse, to analyse and to evaluate in few characters."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

TOKENS = (300, 500, 700, 800, 900, 1_000, 1_145)
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
    "x LIKE '%a!%' ESCAPE '!'", "x NOT BETWEEN SYMMETRIC :a AND :b", "x #>> '{a,b}' = 'c'",
    "x @> '{\"a\": 1}'::jsonb", "(x -> 'a' -> 'b' -> 'c' ->> 'd')::int > 1", "x SIMILAR TO 'a|b'",
    "x AT TIME ZONE 'UTC' > now() - INTERVAL '1 day'", "(x).y.z = 1", "x[1:2] = y[:3]",
    "a.b.c.d = 1",
    "CASE x WHEN 1 THEN 2 WHEN 3 THEN 4 WHEN 5 THEN 6 ELSE 7 END = 1", "x IS JSON OBJECT",
    "(a, b) OVERLAPS (c, d)", "x = ALL (ARRAY[1, 2]::int[])", "U&'d\\0061t' = x", "$q$a'b$q$ = x",
    "position('a' in x) = 1", "overlay(x placing 'a' from 1 for 2) = y", "x = $1", "- - - x = 1",
    "trim(both 'x' from y) = z", '"a.b"."c.d" = 1', "substring(x from 1 for 2) = 'a'", "a && b",
    "current_setting('app.tenant', true) = tenant_id", "tenant_id = current_setting('app.x')::uuid",
    "row(a, b, c) IN (SELECT 1, 2, 3)", "x IS NOT TRUE", "x ISNULL", "DATE '2020-01-01' < x",
    "tenant_id IN (:a, :b, :c, :d, :e)", "tenant_id = :t /* a /* nested */ comment */",
    "E'a\\n' = x", "x = 1 -- a remark\n", "(tenant_id, x) = (:t, 1)", "f(a => 1, b := 2) = 3",
    "array_agg(x ORDER BY y) OVER (PARTITION BY z) = 1", "x ~ 'a' COLLATE \"C\"",
)  # fmt: skip
ITEMS = (
    "a", "b.c", "a AS b", "count(*)", "max(x) AS m", "(SELECT max(x) FROM c WHERE c.id = b.id)",
    "CASE WHEN x THEN 1 ELSE 2 END AS k", "coalesce(a, 1)", "*", "b.*", "tenant_id",
    "row_number() OVER (PARTITION BY a ORDER BY b)", "ARRAY(SELECT id FROM c)", "x::jsonb -> 'a'",
    "jsonb_build_object('a', a, 'b', b)", "extract(epoch FROM x)",
    "string_agg(x, ',' ORDER BY y) FILTER (WHERE z > 1)",
    "sum(x) OVER (PARTITION BY a ORDER BY b ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY x)", "lag(x, 1) OVER w", "x[1][2]", "a::int[]",
    "set_config('app.tenant', :t, true)", "nth_value(x, 2) OVER (RANGE 1 PRECEDING EXCLUDE TIES)",
    "CAST(a AS timestamp(3) with time zone) AS t", "'a'::text || b",
    "json_object('a': 1, 'b': x)", "ARRAY[[1, 2], [3, 4]]", "x IS DISTINCT FROM y",
    "tenant_id AS t",
    "CASE WHEN a THEN CASE WHEN b THEN c END END", "xmlelement(name a, b)", ":a + :b * -:c",
    "(a).b",
    "NOT a", "EXISTS (SELECT)", 'b."x y" AS "z.z"', "interval '1' day", "ROW(1, 2, 3)",
    "b::text::x",
)  # fmt: skip
SOURCES = (
    "a", "b c{n}", "(SELECT * FROM a WHERE tenant_id = :t) d{n}", "q e{n}", "unnest(:ids) u{n}",
    "LATERAL (SELECT * FROM b WHERE b.id = a.id) l{n}", "generate_series(1, 3) g{n}",
    "(VALUES (1, :t), (2, :u)) v{n}(id, tenant_id)", "ROWS FROM (f(1)) r{n}",
    "jsonb_to_recordset(:j) AS j{n}(a int, tenant_id text)", "a TABLESAMPLE SYSTEM (1)",
    "JSON_TABLE(:j, '$[*]' COLUMNS (a int PATH '$.a', b text PATH '$.b')) t{n}", "ONLY a o{n}",
    "(b x{n} JOIN c y{n} ON x{n}.id = y{n}.id)", "f(1) WITH ORDINALITY AS f{n}(a, b)",
    "(TABLE b) t{n}", "app.b s{n}", "(SELECT tenant_id, max(x) FROM b GROUP BY 1) m{n}",
    "(VALUES (1), (2), (3)) AS w{n}", '"app"."b.c" AS "q{n}"',
)  # fmt: skip
JOINS = (
    " JOIN {} ON {}", " LEFT JOIN {} ON {}", " FULL JOIN {} ON {}", " RIGHT JOIN {} ON {}",
    " JOIN {} USING (id, tenant_id)", " NATURAL JOIN {}", " CROSS JOIN {}", ", {}",
)  # fmt: skip
ROWS = ("(:t, 1)", "(:t, (SELECT 1))", "(lower(:t), f(x))", "(coalesce(:a, :b), 1)")


# What a text begins with << what is repeated, with numbers <> what stands between >> its end;
# ¶ is a new line.
WHOLE = """\
MERGE INTO b USING s ON b.tenant_id = s.tenant_id <<WHEN MATCHED AND s.x = {n} THEN UPDATE SET y \
= s.y<> >>
MERGE INTO b USING (SELECT * FROM s WHERE tenant_id = :t) s ON b.id = s.id <<WHEN NOT MATCHED \
AND s.x = {n} THEN INSERT (id, tenant_id) VALUES (s.id, :t)<> >>
SELECT a, sum(b) FROM b WHERE tenant_id = :t GROUP BY GROUPING SETS (<<(a, b), (c{n})<>, >>)
SELECT a FROM b WHERE tenant_id = :t GROUP BY <<CUBE (a, b{n}), ROLLUP (c, d)<>, >>
SELECT x FROM b WHERE tenant_id = :t WINDOW <<w{n} AS (PARTITION BY a ORDER BY b ROWS 1 \
PRECEDING)<>, >>
VALUES <<({n}, :t, lower(:u), ARRAY[1])<>, >>
SELECT * FROM (VALUES <<(:t, {n}, now())<>, >>) v(tenant_id, a, b) WHERE tenant_id = :t
UPDATE b SET <<c{n} = CASE WHEN id = {n} THEN :v ELSE c{n} END<>, >> WHERE tenant_id = :t
UPDATE b SET (<<c{n}<>, >>) = (SELECT 1) WHERE tenant_id = :t
SELECT <<set_config('app.x{n}', :t, true)<>, >>
<<SELECT set_config('app.tenant', :t{n}, true)<>; >>
<<SET LOCAL app.tenant = 't{n}'<>; >>
<<SET LOCAL app.x{n} = 1<>;>>; SELECT * FROM b WHERE tenant_id = :t
<<ALTER TABLE b ADD COLUMN c{n} int DEFAULT 1<>; >>
ALTER TABLE b <<ADD COLUMN c{n} numeric(10, 2) NOT NULL DEFAULT 1<>, >>
CREATE TABLE b (<<c{n} varchar(10) REFERENCES d (id) ON DELETE CASCADE<>, >>)
<<CREATE INDEX i{n} ON b (tenant_id, lower(x)) WHERE y IS NULL<>; >>
<<CREATE FUNCTION f{n}() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END<>; >>
<<DO $$ BEGIN PERFORM {n}; END $$<>; >>
<<DELETE FROM b{n} WHERE tenant_id = :t<>;>>
<<UPDATE b SET x = :x{n} WHERE tenant_id = :t AND id = :i{n}<>;¶>>
<<INSERT INTO b (tenant_id, x) VALUES (:t, :x{n})<>;>>
<<EXPLAIN SELECT * FROM b WHERE tenant_id = :t{n}<>;>>
<<DECLARE c{n} CURSOR FOR SELECT * FROM b WHERE tenant_id = :t<>;>>
SELECT * FROM b WHERE tenant_id = :t AND x IN (<<(SELECT {n})<>, >>)
SELECT f(<<:p{n}::text<>, >>) FROM b WHERE tenant_id = :t
SELECT * FROM b WHERE tenant_id = :t ORDER BY <<lower(c{n}) COLLATE "C" DESC NULLS LAST<>, >>
SELECT <<"a.{n}"."b.{n}" AS "c.{n}"<>, >> FROM b WHERE tenant_id = :t
SELECT <<b.c{n} AS a{n}<>, >> FROM b WHERE tenant_id = :t
SELECT 1 FROM b WHERE tenant_id = :t<</* {n} */ AND x = E'\\n{n}' -- {n}¶<>>>
SELECT 1 FROM b WHERE tenant_id = :t<< + {n}<>>>
SELECT x<<::t{n}<>>> FROM b WHERE tenant_id = :t
SELECT x<< -> 'a{n}'<>>> FROM b WHERE tenant_id = :t
SELECT x<< ->> a[{n}]<>>> FROM b WHERE tenant_id = :t
SELECT a<< || b[{n}]<>>> FROM b WHERE tenant_id = :t
SELECT CASE <<WHEN x = {n} THEN f({n})<> >> END FROM b WHERE tenant_id = :t
SELECT CASE x <<WHEN a[{n}] THEN b[{n}]<> >> END FROM b WHERE tenant_id = :t
SELECT * FROM <<b b{n}<>, >> WHERE b1.tenant_id = :t
SELECT * FROM b0 <<JOIN b b{n} USING (tenant_id)<> >> WHERE b0.tenant_id = :t
SELECT * FROM b0 <<LEFT JOIN b b{n} ON b{n}.id = b0.id AND b{n}.tenant_id = b0.tenant_id<> >> \
WHERE b0.tenant_id = :t
SELECT * FROM b0 <<JOIN LATERAL (SELECT * FROM c WHERE c.id = b0.id) l{n} ON true<> >> WHERE \
b0.tenant_id = :t
SELECT * FROM b WHERE <<EXISTS (SELECT 1 FROM c WHERE c.bid = b.id AND c.x = {n})<> AND >> AND \
tenant_id = :t
SELECT * FROM b WHERE <<(tenant_id = :t AND x = {n})<> OR >>
SELECT * FROM b WHERE tenant_id IN (<<(:p{n})<>, >>)
SELECT * FROM b WHERE tenant_id IN (<<:p{n}<>, >>)
INSERT INTO b (tenant_id, x) VALUES <<(:t{n}, ARRAY[{n}, f(x)])<>, >>
INSERT INTO b (tenant_id, x) VALUES <<(:t, CASE WHEN :x{n} THEN 1 END)<>, >>
INSERT INTO b (tenant_id, x) SELECT <<:t, {n} UNION ALL SELECT :t, f({n})<> UNION ALL SELECT >>
SELECT json_build_object(<<'k{n}', b.c{n}<>, >>) FROM b WHERE tenant_id = :t
SELECT 1 FROM XMLTABLE('/a' PASSING x COLUMNS <<c{n} int PATH 'c{n}'<>, >>) x
SELECT * FROM JSON_TABLE(:j, '$' COLUMNS (<<c{n} int PATH '$.c{n}'<>, >>)) t, b WHERE tenant_id \
= :t
SELECT json_value(<<x, '$.a' returning text), json_query(x, '$.{n}' with wrapper<>), \
json_value(>>) FROM b WHERE tenant_id = :t
GRANT SELECT ON <<b{n}<>, >> TO x
COPY b (<<c{n}<>, >>) FROM STDIN
CALL f(<<{n}, :t<>, >>)
EXECUTE p(<<:t, {n}<>, >>)
CREATE POLICY p ON b USING (<<tenant_id = current_setting('app.{n}')<> OR >>)
WITH <<c{n} AS MATERIALIZED (DELETE FROM b WHERE tenant_id = :t RETURNING *)<>, >> SELECT 1
WITH <<c{n}(a, b) AS (VALUES (1, :t), (2, :t))<>, >> SELECT * FROM c1 WHERE b = :t
""".splitlines()
WHOLE_PARTS = re.compile(r"(.*?)<<(.*?)<>(.*?)>>(.*)", re.DOTALL)


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
        if self._chosen.random() < 0.4:
            return self.repeated(self._any(WHOLE))
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

    def repeated(self, whole: str, tokens: int | None = None) -> str:
        """One of `WHOLE`, up to some number of tokens."""
        found = WHOLE_PARTS.fullmatch(whole.replace("¶", "\n"))
        assert found is not None
        head, part, between, tail = found.groups()
        number = 0

        def next_part() -> str:
            nonlocal number
            number += 1
            return part.replace("{n}", str(number))

        return self._filled(head, next_part, between, tail, tokens)

    def _filled(
        self,
        head: str,
        part: Callable[[], str],
        between: str,
        tail: str = "",
        tokens: int | None = None,
    ) -> str:
        left = (tokens or self._any(TOKENS)) - len(TOKEN.findall(head + tail))
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
