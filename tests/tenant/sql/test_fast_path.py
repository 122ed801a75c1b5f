"""Statements that are read without the parser have the very plan of the whole analysis."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot.dialects.postgres import Postgres

from tenantmetrics import config
from tenantmetrics.sqltext.fingerprint import fingerprint
from tenantmetrics.sqltext.lexer import plain_tokens
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.fast_path.plain_plan import plain_plan
from tenantmetrics.tenant.sql.plan import Plan
from tenantmetrics.tenant.sql.planner import analysed_plan, plan_of
from tenantmetrics.tenant.sql.template import skeleton
from tests.tenant.sql.queries_in_queries import QueriesInQueries

VOCABULARIES = [
    Vocabulary(config.load(values))
    for values in (
        {},
        {"tenant_tables": "organizations:id,b:id", "tenant_shared_rows": "true"},
        {"tenant_columns": "account_id,tenant_id", "tenant_schema_pattern": "tenant_(.+)"},
        {"tenant_trust_updates": "true", "tenant_functions": "visible_to:1"},
    )
]
KEYWORDS = sorted(word.lower() for word in Postgres.tokenizer_class.KEYWORDS if word.isidentifier())
WORDS = [
    *("x", "id", "tenant_id", "tenant", "account_id", "status", "Room", "created_at", "b", "c"),
    *("connect_by_root", "if", "prior", "user", "variadic", "count", "max", "now", "lateral"),
    *('"id"', '"tenant_id"', '"Tenant_ID"', '"a b"', '"order"', '"a""b"', '"a.b"', "ü", "_", "a$"),
]
VALUES = [
    *(":t", ":u", ":1", ":kw__t", ":limit", ":between", "'acme'", "'it''s'", "7", "-7", "1.5"),
    *("null", "true", "now()", "default", ":t::uuid", "'7'::int", ":t::varchar(3)", "'a'::text"),
    *(":t::b_status", "x", "b.tenant_id", "(SELECT 1)", "1e5", "E'a'", "$1", "0x2A", ":t::date"),
]
PLACES = [
    "SELECT {0} FROM b WHERE tenant_id = :t",
    "SELECT id AS {0}, b.{0} FROM b AS {0} WHERE {0}.tenant_id = 1 ORDER BY {0} DESC LIMIT :{0}",
    "SELECT max({0}), {0}(id) FROM b GROUP BY {0}",
    "SELECT {0}(id) FROM b",
    "SELECT id FROM b {0} WHERE {0} IS NULL AND tenant_id = :{0}",
    "SELECT id FROM {0}.{0} WHERE {0} LIKE 'x' AND tenant_id IN (:a, :{0})",
    "SELECT id FROM b WHERE tenant_id = :t::{0}",
    "SELECT id FROM b WHERE tenant_id = {0}",
    "SELECT id FROM b WHERE {0} BETWEEN 1 AND 2 AND x = 'a'::{0} AND tenant_id = :t",
    "SELECT id FROM b WHERE tenant_id = :t {0}",
    "SELECT id {0} FROM b",
    "SELECT b.id FROM b {0} JOIN c ON c.id = b.id",
    "SELECT {0}.id FROM b JOIN c {0} ON {0}.{0} = b.{0} WHERE b.tenant_id = :t AND {0} = 1",
    "UPDATE b {0} SET {0} = {0} + 1 WHERE {0}.tenant_id = :t RETURNING {0}",
    "UPDATE b SET {0} = {0}.{0} FROM {0} WHERE b.id = {0}.bid AND {0}.tenant_id = :t",
    "DELETE FROM b USING {0} WHERE b.id = {0}.{0} AND b.tenant_id = :t",
    "SELECT {0}, {0}() OVER (PARTITION BY {0} ORDER BY {0}) {0} FROM b WHERE tenant_id = :t",
    "INSERT INTO {0} ({0}, tenant_id) SELECT {0}, tenant_id FROM {0} WHERE tenant_id = :t",
    "INSERT INTO c (id, {0}) SELECT id, {0} FROM b WHERE tenant_id = :t AND {0} = :{0}",
    "SELECT b.id FROM b JOIN c USING ({0}) WHERE b.tenant_id = :t AND c.{0} = 1",
    "UPDATE {0} SET x = :{0} WHERE {0} IN (1, 2) AND tenant_id = :t",
    "DELETE FROM {0} WHERE tenant_id = :t AND {0} = true",
    "INSERT INTO {0} ({0}, tenant_id) VALUES (:{0}, :t) ON CONFLICT ({0}) DO NOTHING",
    "INSERT INTO b (id, tenant_id) VALUES ({0}, :t), (1, {0})",
    "SELECT 1 FROM b {0} WHERE EXISTS (SELECT {0} FROM c {0} WHERE {0}.bid = b.{0})",
    "SELECT id FROM b WHERE tenant_id = :t AND {0} IN (SELECT {0} FROM c WHERE tenant_id = :t)",
    "WITH {0} AS (SELECT id, {0} FROM b WHERE tenant_id = :t) SELECT {0}.id FROM {0}",
    "SELECT x.{0} FROM (SELECT {0}, max(id) AS {0} FROM b WHERE tenant_id = :t GROUP BY {0}) x",
    "SELECT b.id FROM b LEFT {0} JOIN c {0} ON {0}.id = b.{0} WHERE b.tenant_id = :t",
    "SELECT id FROM b WHERE tenant_id = :t UNION {0} SELECT {0} FROM c WHERE tenant_id = :t",
    "SELECT {0}({0}), coalesce({0}, 0) FROM b WHERE {0}(x) = 1 AND tenant_id = {0}(:t)",
    "SELECT id FROM b WHERE tenant_id = :t ORDER BY {0} NULLS {0} FOR UPDATE {0} LOCKED",
    "INSERT INTO b (tenant_id) VALUES (:t) ON CONFLICT (id) DO UPDATE SET {0} = excluded.{0}",
]

words = st.sampled_from([*WORDS, *KEYWORDS]) | st.sampled_from(WORDS)
values = st.sampled_from(VALUES)
columns = words | st.tuples(st.sampled_from(["b", "c", '"b"', "d"]), words).map(".".join)
conditions = st.one_of(
    st.builds("{} {} {}".format, columns, st.sampled_from(["=", "=", "<>", ">=", "!="]), values),
    st.builds("{} = {}".format, columns, columns),
    st.builds("{} IN ({}, {})".format, columns, values, values),
    st.builds("{} {}".format, columns, st.sampled_from(["IS NULL", "is not null", "LIKE 'a%'"])),
    st.builds("{} NOT IN ({})".format, columns, values),
    st.builds("({} = {})".format, columns, values),
    st.builds("({} = {} OR {} IS NULL)".format, columns, values, columns),
    st.builds("{} {}".format, st.sampled_from(["", "NOT"]), columns),
    st.builds("NOT {} = {}".format, columns, values),
    st.builds("{}({}) = {}".format, st.sampled_from(["lower", "coalesce", "x"]), columns, values),
    st.builds("{} ->> 'k' = {}".format, columns, values),
    st.builds("{} = ANY({})".format, columns, values),
    st.builds("{} > now() - interval {}".format, columns, values),
    st.builds("({} OR :q IS NULL)".format, columns),
)
connectives = st.sampled_from([" AND ", " AND ", " AND ", " OR "])
wheres = st.tuples(connectives, st.lists(conditions, max_size=3)).map(
    lambda found: " WHERE " + found[0].join(found[1]) if found[1] else ""
)
tables = st.sampled_from(
    [
        "b",
        "b b",
        "b AS c",
        "app.b",
        "tenant_7.b",
        "information_schema.tables",
        "pg_class",
        '"b"',
        "organizations",
        "B",
        '"a b" b',
    ]
)
joins = st.lists(
    st.builds(
        " {} {} ON {}".format,
        st.sampled_from(["JOIN", "join", "INNER JOIN", "LEFT JOIN", "CROSS JOIN"]),
        st.sampled_from(["c", "c d", "app.c AS d", "b e", "d"]),
        st.lists(conditions, min_size=1, max_size=2).map(" AND ".join),
    ),
    max_size=2,
).map("".join)
tails = st.sampled_from(
    [
        *("", "", " ORDER BY id DESC LIMIT 10", " LIMIT :n OFFSET 5", " GROUP BY x", ";"),
        *(" GROUP BY 1 ORDER BY count(*) NULLS LAST", " FOR UPDATE", " FOR UPDATE SKIP LOCKED"),
    ]
)
statements = st.one_of(
    st.builds("SELECT {}, {} FROM {}{}{}{}".format, columns, columns, tables, joins, wheres, tails),
    st.builds("select count(*) from {}{}{}".format, tables, joins, wheres),
    st.builds("UPDATE {} SET {} = {}{}".format, tables, words, values, wheres),
    st.builds("DELETE FROM {}{}{}".format, tables, wheres, st.sampled_from(["", " RETURNING *"])),
    st.builds(
        "INSERT INTO {} ({}, {}) VALUES ({}, {}), ({}, {})".format,
        tables, words, words, values, values, values, values,
    ),
    st.builds("INSERT INTO b ({}, tenant_id) VALUES ({}, {})".format, words, values, values),
)  # fmt: skip


def taken(sql: str, vocabulary: Vocabulary) -> Plan | None:
    """The plan without the parser, None where it takes the whole analysis."""
    template = skeleton(sql).template
    tokens = plain_tokens(template)
    return plain_plan(template, tokens, vocabulary) if tokens else None


FOUND_TO_DIFFER = [
    # Unquoted schemas are read in lower case.
    "DELETE FROM INFORMATION_SCHEMA.tables",
    'SELECT x FROM "Information_Schema".tables',
    "UPDATE Tenant_7.b SET x = 1",
    'SELECT id FROM "Tenant_7".b WHERE tenant_id = :t',
    # What stands before a dot is no tenant column.
    "DELETE FROM TENANT_ID.b",
    'SELECT "tenant_id".x FROM b',
    "SELECT count(*) FROM b WHERE b.tenant_id.c = x",
    'SELECT B.* FROM "B" WHERE B.id = tenant_id."ACCOUNT_ID"',
    # A colon in a quoted name begins no parameter.
    'UPDATE ":1" SET x = :t',
    'DELETE FROM ":between" WHERE tenant_id = :limit',
    # The second column without its table's name ties as the first does.
    """SELECT a.count FROM a WHERE a.tenant_id = :t AND EXISTS (SELECT 1 FROM b AS t1
       WHERE t1.tenant_id = :t AND "id" = (a.count) AND t1.id = (id))""",
    # A column without its table's name is not of a derived table that does not list it.
    """SELECT y.id FROM (SELECT DISTINCT t2.account_id FROM app.a t2) t1 LEFT JOIN d y
       ON y.tenant_id = :u AND y."ID" = t1.account_id WHERE count = :t""",
    # A column asked for by a schema that more than one table may be of.
    "SELECT 1 FROM app.b WHERE EXISTS (SELECT 1 FROM c b WHERE app.b.tenant_id = :t AND b.id = 1)",
    "SELECT app.b.id FROM app.b WHERE app.b.tenant_id = :t",
    "SELECT old.b.id FROM app.b WHERE old.b.tenant_id = :t",
    "UPDATE app.b SET x = 1 WHERE App.b.tenant_id = :t RETURNING app.b.id, app.b.x",
    "SELECT 1 FROM app.b WHERE app.b.id IN (SELECT b.id FROM old.b WHERE old.b.tenant_id = :t)",
    # Keys that are equal to one parameter tie their tables.
    """SELECT a.x FROM a JOIN b ON a.id = :x AND b.aid = :x
       WHERE a.tenant_id = :t AND b.tenant_id = :u""",
    """INSERT INTO c (id, tenant_id) SELECT a.id, a.tenant_id FROM a JOIN b ON a.id = :x
       AND b.aid = :x WHERE a.tenant_id = :t""",
    """SELECT q.k FROM (SELECT id AS k, tenant_id FROM a) q
       JOIN (SELECT aid AS k, tenant_id FROM b) r ON q.tenant_id = :t AND r.tenant_id = :u
       WHERE q.k = :x AND r.k = :x""",
]


def is_the_same(sql: str) -> bool:
    """Whether it is taken by any vocabulary; fails where the two ways differ."""
    plans = [taken(sql, vocabulary) for vocabulary in VOCABULARIES]
    for plan, vocabulary in zip(plans, VOCABULARIES, strict=True):
        if plan is not None:
            assert plan == analysed_plan(skeleton(sql).template, vocabulary), sql
    return any(plans)


@settings(max_examples=5 * settings.default.max_examples)
@given(sql=statements)
def test_any_statement_has_the_plan_of_the_whole_analysis(sql):
    """Names that are keywords, odd values, tenant columns in odd places: the same or not taken."""
    is_the_same(sql)


@given(chosen=st.randoms(use_true_random=False), computes=st.booleans())
def test_queries_in_queries_have_the_plan_of_the_whole_analysis(chosen, computes):
    """EXISTS, IN, WITH, derived tables, joins, windows, UNION, computed values, in each other."""
    is_the_same(QueriesInQueries(chosen, computes=computes).one())


@given(chosen=st.randoms(use_true_random=False))
def test_windows_and_lateral_in_from_have_the_plan_of_the_whole_analysis(chosen):
    """What a window's rows are restricted by, and what LATERAL refers to."""
    is_the_same(QueriesInQueries(chosen).lateral_or_windowed())


@pytest.mark.long
@pytest.mark.parametrize(("computes", "least"), [(False, 1_600), (True, 1_200)])
def test_thousands_of_queries_in_queries_have_the_plan_of_the_whole_analysis(seed, computes, least):
    """Others each time; a failure prints what repeats them."""
    source = QueriesInQueries(random.Random(seed), computes=computes)
    taken = sum(is_the_same(source.one()) for _ in range(10_000))
    assert taken > least


@pytest.mark.long
def test_thousands_of_windows_and_lateral_have_the_plan_of_the_whole_analysis(seed):
    """The same of derived tables alone."""
    source = QueriesInQueries(random.Random(seed), computes=True)
    assert sum(is_the_same(source.lateral_or_windowed()) for _ in range(10_000)) > 600


def test_every_statement_of_the_corpus_has_the_plan_of_the_whole_analysis(cases):
    """An eighth of them, which were chosen for being unusual, is read without the parser."""
    assert sum(is_the_same(case.sql) for case in cases) > len(cases) / 8


@pytest.mark.parametrize("sql", FOUND_TO_DIFFER)
def test_what_was_found_to_differ_does_so_no_more(sql):
    """Statements at random for which the two ways had two plans, cut down to what told them."""
    is_the_same(sql)


@pytest.mark.parametrize("place", PLACES)
def test_a_word_of_the_parser_is_a_name_only_where_it_takes_it_for_one(place):
    """Each of its keywords, in each place of a name."""
    for word in [*KEYWORDS, *WORDS]:
        is_the_same(place.format(word))


@pytest.mark.long
def test_statements_that_postgresql_judges_have_the_plan_of_the_whole_analysis(
    statements_at_random,
):
    """Those of the fuzzer."""
    source = statements_at_random(11)
    assert sum(is_the_same(source.one()) for _ in range(5_000)) > 0


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, name FROM bookings WHERE tenant_id = :t AND status = 'open' LIMIT 10",
        "INSERT INTO bookings (id, tenant_id, room) VALUES (:id, :t, :room) RETURNING id",
        "UPDATE bookings SET status = 'paid', at = now() WHERE tenant_id = :t AND id = :id;",
        'DELETE FROM "app"."bookings" WHERE ("tenant_id" = :t::uuid AND "id" IN (1, 2, 3))',
        """SELECT b.id, r.name FROM bookings b JOIN rooms r ON r.id = b.room_id
           AND r.tenant_id = b.tenant_id WHERE b.tenant_id = :t ORDER BY b.at DESC LIMIT 10""",
        "SELECT id FROM b WHERE tenant_id = :t AND (status = 'open' OR room IS NULL) AND NOT gone",
        "SELECT count(*) AS n\nFROM bookings\nWHERE bookings.tenant_id = :tenant_id_1",
        """SELECT id FROM rooms r WHERE tenant_id = :t AND EXISTS (SELECT 1 FROM bookings b
           WHERE b.room_id = r.id AND b.tenant_id = r.tenant_id LIMIT 1)""",
        "SELECT * FROM rooms WHERE id IN (SELECT room_id FROM bookings WHERE tenant_id = :t)",
        """SELECT id FROM rooms r WHERE tenant_id = :t AND NOT EXISTS
           (SELECT 1 FROM bookings WHERE room_id = r.id AND tenant_id = :t)""",
        """WITH q AS (SELECT id, tenant_id FROM bookings WHERE tenant_id = :t)
           SELECT * FROM q JOIN rooms r ON r.id = q.id AND r.tenant_id = q.tenant_id""",
        """SELECT b.id FROM bookings b LEFT OUTER JOIN rooms r ON r.id = b.room_id
           AND r.tenant_id = b.tenant_id WHERE b.tenant_id = :t ORDER BY b.at LIMIT 10""",
        """SELECT x.room_id, x.n FROM (SELECT room_id, tenant_id, count(*) AS n FROM bookings
           GROUP BY room_id, tenant_id) x WHERE x.tenant_id = :t""",
        """SELECT id FROM bookings WHERE tenant_id = :t UNION ALL
           SELECT id FROM archive WHERE tenant_id = :t ORDER BY id""",
        """SELECT b.id, r.name FROM bookings b JOIN rooms r USING (tenant_id, room_id)
           WHERE b.tenant_id = :t""",
        """SELECT id, row_number() OVER (PARTITION BY room_id ORDER BY at DESC) AS n,
           count(*) OVER () FROM bookings WHERE tenant_id = :t LIMIT 10""",
        """UPDATE bookings b SET room = r.name FROM rooms r WHERE r.id = b.room_id
           AND r.tenant_id = b.tenant_id AND b.tenant_id = :t""",
        """DELETE FROM bookings b USING rooms r WHERE r.id = b.room_id
           AND r.tenant_id = b.tenant_id AND b.tenant_id = :t AND r.closed""",
        """INSERT INTO archive (id, tenant_id, room) SELECT id, tenant_id, room FROM bookings
           WHERE tenant_id = :t AND at < :d RETURNING id""",
        "INSERT INTO rooms (tenant_id, name) SELECT :t, name FROM defaults",
        "DELETE FROM bookings WHERE id IN (SELECT id FROM expired WHERE tenant_id = :t)",
        "SELECT x, count(*) AS n FROM b WHERE tenant_id = :t GROUP BY 1 ORDER BY count(*) DESC",
        "SELECT coalesce(sum(amount), 0), count(DISTINCT room) FROM b WHERE tenant_id = :t",
        "SELECT id FROM b WHERE tenant_id = :t AND lower(name) = :n AND data ->> 'kind' = 'x'",
        "SELECT id FROM b WHERE tenant_id = ANY(:ids) AND at > now() - interval '1 day'",
        "SELECT id FROM b WHERE tenant_id = :t AND (x = :q OR :q IS NULL) ORDER BY at NULLS LAST",
        "SELECT EXISTS (SELECT 1 FROM b WHERE tenant_id = :t AND id = :i) AS found",
        """INSERT INTO b (id, tenant_id, x) VALUES (gen_random_uuid(), :t, :x)
           ON CONFLICT (tenant_id, id) DO UPDATE SET x = excluded.x, at = now() RETURNING id""",
        """SELECT "public"."Order"."id" FROM "public"."Order" WHERE
           ("public"."Order"."tenantId" = :t AND "public"."Order"."total" > 3) LIMIT 1 OFFSET 0""",
        """(SELECT "a"."id" FROM "a" WHERE "a"."tenant_id" = :t ORDER BY "a"."id" LIMIT 3) UNION ALL
           (SELECT "b"."id" FROM "b" WHERE "b"."tenant_id" = :t) LIMIT 10""",
        """SELECT "b"."id" FROM "b" WHERE ("b"."tenant_id" = :t AND NOT (EXISTS(SELECT 1 AS "a"
           FROM "c" U1 WHERE (U1."bid" = ("b"."id") AND U1."tenant_id" = :t) LIMIT 1)))""",
        'SELECT b."Id" FROM "Blogs" AS b WHERE b."TenantId" = :t AND NOT (b."IsDeleted")',
        """SELECT id, CASE WHEN paid AND amount > 0 THEN 'paid' ELSE 'open' END AS state, n * 2 AS m
           FROM b WHERE tenant_id = :t ORDER BY CASE WHEN :q = 'at' THEN at END DESC""",
        """SELECT room_id, count(*) FROM b WHERE tenant_id = :t GROUP BY room_id
           HAVING count(*) > 3 AND max(at) < :d""",
        """SELECT r.id, (SELECT count(*) FROM b WHERE b.room_id = r.id AND b.tenant_id = :t) AS n,
           EXISTS (SELECT 1 FROM c WHERE c.room_id = r.id AND c.tenant_id = r.tenant_id) AS found
           FROM rooms r WHERE r.tenant_id = :t""",
        """UPDATE b SET n = coalesce(n, 0) + 1, m = CASE WHEN x THEN :m ELSE m END
           WHERE tenant_id = :t""",
        """SELECT x.* FROM (SELECT id, tenant_id, row_number() OVER (PARTITION BY tenant_id, room_id
           ORDER BY at DESC) AS n FROM b) x WHERE x.n = 1 AND x.tenant_id = :t""",
        """SELECT r.id, x.at FROM rooms r LEFT JOIN LATERAL (SELECT b.at FROM b
           WHERE b.room_id = r.id AND b.tenant_id = r.tenant_id ORDER BY b.at LIMIT 1) x ON true
           WHERE r.tenant_id = :t""",
        """UPDATE jobs SET status = 'running', n = coalesce(n, 0) WHERE tenant_id = :t AND id =
           (SELECT id FROM jobs WHERE tenant_id = :t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)""",
    ],
)
def test_what_applications_write_is_read_without_the_parser(sql):
    """And has the same fingerprint."""
    assert is_the_same(sql)
    assert plan_of(skeleton(sql).template, VOCABULARIES[0]).fingerprint == fingerprint(sql)
