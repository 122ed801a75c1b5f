"""A gated statement gives what it gives in a transaction, on PostgreSQL 15 and 18.

Each statement is run in three ways on one connection that has another tenant and another user left
over from somebody who set them without LOCAL: gated, behind `set_config` and behind `SET LOCAL`.
Rows, what the tables hold afterwards, and errors have to be the same. Two of the tables are
partitioned, one of them by the tenant, where a gate in the wrong place would let the left-over
tenant choose; one has a policy without a column.
"""

from __future__ import annotations

import contextlib
from collections import Counter

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenantmetrics.errors import LocalApiError
from tenantmetrics.localapi.postgres import embedded
from tenantmetrics.localapi.programs import installed
from tenantmetrics.rls.gate import condition, gated, parameters
from tenantmetrics.sqltext import rewrite
from tests.parts import lacking
from tests.tenant.conftest import corpus
from tests.tenant.sql import test_postgres_agrees as agrees
from tests.tenant.sql.conftest import Statements

VARIABLE = "app.current_tenant_id"
USER = "app.current_user_id"
GATE = {VARIABLE: "acme", USER: "u1"}
OF_THE_FORM = {"0A000", "42601", "42804", "42883", "42P18", "22P02"}
COLUMNS = "id int, tenant_id text NOT NULL, aid int, bid int, status text"
SCHEMA = f"""
CREATE ROLE app NOLOGIN;
CREATE TABLE a ({COLUMNS});
CREATE TABLE b ({COLUMNS}) PARTITION BY LIST (tenant_id);
CREATE TABLE b_acme PARTITION OF b FOR VALUES IN ('acme');
CREATE TABLE b_bee PARTITION OF b FOR VALUES IN ('bee');
CREATE TABLE b_rest PARTITION OF b DEFAULT;
CREATE TABLE c ({COLUMNS}) PARTITION BY HASH (id);
CREATE TABLE c_0 PARTITION OF c FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE c_1 PARTITION OF c FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE d ({COLUMNS}, PRIMARY KEY (tenant_id, id));
CREATE INDEX ON a (tenant_id, id);
CREATE POLICY users ON d AS RESTRICTIVE
    USING ((SELECT current_setting('app.current_user_id', true)) = 'u1');
"""
ROWS = """
INSERT INTO {table} SELECT n, t, n, 10 + n % 3, (ARRAY['open', 'new'])[1 + n % 2]
FROM unnest(ARRAY['acme', 'bee', 'cat']) WITH ORDINALITY u(t, o), generate_series(10, 13) k,
LATERAL (SELECT (k + 4 * (o - 1))::int) l(n);
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON {table}
    USING (tenant_id = (SELECT current_setting('app.current_tenant_id', true)))
    WITH CHECK (tenant_id = (SELECT current_setting('app.current_tenant_id', true)));
GRANT ALL ON {table} TO app;
"""
CONTENTS = " UNION ALL ".join(f"SELECT '{table}', r::text FROM {table} r" for table in "abcd")


@contextlib.contextmanager
def _programs(version):
    """The embedded PostgreSQL 18, or the one that is installed."""
    folder = None
    if version == "installed":
        try:
            folder = installed()
        except LocalApiError:
            lacking("no PostgreSQL is installed: apt-get install -y postgresql")
    with embedded(programs=folder) as url:
        yield url


@pytest.fixture(scope="module", params=["embedded", "installed"])
def url(request):
    with _programs(request.param) as url:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(SCHEMA + "".join(ROWS.format(table=table) for table in "abcd"))
        yield url


def _of_psycopg(sql):
    """A text with the gate's parameters as psycopg takes them."""
    return rewrite(sql.replace("%", "%%"), lambda found: f"%({found.name})s::text")


class Ways:
    """Runs a statement in each of three ways, and undoes it."""

    def __init__(self, connection, contents=CONTENTS):
        self.connection, self.contents = connection, contents
        self.counts = Counter()
        self.leave_others()

    def leave_others(self):
        """What somebody set without LOCAL, to be found by whoever comes next."""
        for name, left_over in ((VARIABLE, "bee"), (USER, "u2")):
            self.connection.execute("SELECT set_config(%s, %s, false)", [name, left_over])
        self.connection.execute("SET statement_timeout = '2s'")
        self.connection.commit()

    def run(self, sql, before=None, values=None):
        """Rows, contents and error of a statement as the application's role."""
        try:
            self.connection.execute("SET LOCAL ROLE app")
            if before:
                self.connection.execute(before)
            cursor = self.connection.execute(sql, values)
            rows = sorted(map(repr, cursor.fetchall())) if cursor.description else []
            columns = [(c.name, c.type_code) for c in cursor.description or ()]
            found = rows, columns, cursor.rowcount
            self.connection.execute("RESET ROLE")
            return found, sorted(self.connection.execute(self.contents).fetchall()), None
        except psycopg.Error as error:
            return None, None, error.sqlstate
        finally:
            self.connection.rollback()

    def check(self, sql):
        """The three agree; or the statement is refused, or falls back."""
        form = gated(sql)
        if form.refused:
            self.counts["refused" if form.applies else "no query"] += 1
            return
        local = self.run(sql, "; ".join(f"SET LOCAL {n} = '{v}'" for n, v in GATE.items()))
        calls = ", ".join(f"set_config('{n}', '{v}', true)" for n, v in GATE.items())
        transaction = self.run(sql, f"SELECT {calls}")
        text = f"{form.before}{condition(len(GATE))}{form.after}"
        alone = self.run(_of_psycopg(text), values=parameters(GATE))
        if "57014" in {local[2], transaction[2], alone[2]}:
            self.counts["takes too long"] += 1
            return
        assert transaction == local, sql
        if alone[2] in OF_THE_FORM and alone != transaction:
            self.counts["falls back"] += 1
        else:
            assert alone == transaction, sql
            self.counts["failed" if alone[2] else "gated"] += 1


@pytest.fixture
def ways(url):
    with psycopg.connect(url) as connection:
        yield Ways(connection)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**40))
def test_generated_statements_give_the_same_in_three_ways(ways, seed):
    """Joins, subqueries, WITH, set operations, changes."""
    ways.check(Statements(seed).one())


PLANNERS = {
    "": 4_580,
    "enable_partitionwise_join = on; enable_partitionwise_aggregate = on": 200,
    "enable_partition_pruning = off; enable_mergejoin = off; enable_material = off": 200,
    "parallel_setup_cost = 0; parallel_tuple_cost = 0; min_parallel_table_scan_size = 0": 20,
}
"""Settings that have PostgreSQL choose plans that it would not choose for such small tables; for
how many statements each."""


@pytest.mark.long
def test_five_thousand_statements_give_the_same_in_three_ways(ways):
    """However they are planned; most are gated, though many change rows in WITH."""
    source = Statements(20_261_129)
    for planner, statements in PLANNERS.items():
        for setting in filter(None, planner.split("; ")):
            ways.connection.execute(f"SET {setting}")
        ways.connection.commit()
        for _ in range(statements):
            ways.check(source.one())
        ways.connection.execute("RESET ALL")
        ways.leave_others()
    assert ways.counts["gated"] > 3_000, ways.counts
    assert ways.counts["takes too long"] < 25, ways.counts


WRITTEN = [
    "SELECT * FROM b",
    "SELECT count(*) FROM b",
    "SELECT max(tenant_id) FROM b HAVING count(*) > 0",
    "SELECT * FROM b ORDER BY id DESC LIMIT 2",
    "SELECT * FROM a ORDER BY id LIMIT (SELECT count(*) FROM b) OFFSET (SELECT 1 FROM b LIMIT 1)",
    "SELECT a.id, b.id FROM a JOIN b ON EXISTS (SELECT 1 FROM c) AND a.id = b.id",
    "SELECT a.id FROM a WHERE EXISTS (SELECT 1 FROM b) AND (SELECT count(*) FROM c) > 2",
    "SELECT a.id, a.id, b.tenant_id FROM a FULL JOIN b USING (id)",
    "SELECT (SELECT count(*) FROM b), (SELECT max(id) FROM c)",
    "SELECT current_setting('app.current_tenant_id'), current_user",
    "SELECT id, count(*) OVER (PARTITION BY aid ORDER BY id) FROM c",
    "SELECT 'x' AS x, NULL AS n, 1 AS i, 1.5 AS f",
    "SELECT * FROM generate_series(1, (SELECT count(*)::int FROM b)) n",
    "SELECT * FROM a FOR UPDATE",
    "SELECT b FROM b",
    "TABLE b",
    "(SELECT id FROM a) EXCEPT (SELECT id FROM b) ORDER BY 1",
    "SELECT id FROM a UNION ALL SELECT id FROM b UNION ALL SELECT id FROM c",
    "WITH x AS (SELECT * FROM b) SELECT * FROM x, x y",
    "WITH x AS MATERIALIZED (SELECT * FROM b), y AS NOT MATERIALIZED (SELECT id FROM x) TABLE y",
    "WITH x AS (DELETE FROM b RETURNING id) SELECT count(*) FROM x",
    "WITH x AS (UPDATE b SET status = 'y') SELECT count(*) FROM c",
    "WITH x AS (INSERT INTO a VALUES (1, 'acme')) INSERT INTO b VALUES (2, 'acme')",
    "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x WHERE n < 3) SELECT * FROM x",
    "WITH update AS (SELECT 1 AS one) SELECT * FROM update",
    "INSERT INTO b VALUES (90, 'acme', 1, 2, 'open') RETURNING *",
    "INSERT INTO b (id, tenant_id) VALUES (90, 'acme'), (91, 'acme')",
    "INSERT INTO b (id, tenant_id) VALUES (90, 'bee')",
    "INSERT INTO b (id, tenant_id) VALUES (90, 'acme'), (91, 'bee')",
    "INSERT INTO b (id, tenant_id) SELECT 90, 'bee' FROM a",
    "INSERT INTO b SELECT * FROM a RETURNING id",
    "INSERT INTO b (SELECT * FROM a)",
    "INSERT INTO b SELECT * FROM a UNION ALL SELECT * FROM c",
    "INSERT INTO b WITH x AS (SELECT * FROM a) SELECT * FROM x",
    "INSERT INTO b (id, tenant_id, aid) VALUES ('90', 'acme', NULL)",
    "INSERT INTO b (id, tenant_id) VALUES ('90', 'acme'), ('91', 'acme')",
    "INSERT INTO a (id, tenant_id, status) VALUES (1, 'acme', '01'), (2, 'acme', 2)",
    "INSERT INTO a (id, tenant_id, status) VALUES (1, 'acme', (SELECT max(status) FROM b))",
    """INSERT INTO d (id, tenant_id) VALUES (10, 'acme') ON CONFLICT (tenant_id, id) DO UPDATE
    SET status = (SELECT max(status) FROM b) WHERE d.id = 10 RETURNING d.*""",
    "INSERT INTO d (id, tenant_id) SELECT id, tenant_id FROM a ON CONFLICT DO NOTHING",
    "INSERT INTO d (id, tenant_id) VALUES (14, 'bee') ON CONFLICT (tenant_id, id) DO NOTHING",
    "INSERT INTO a (id, tenant_id) VALUES (1, DEFAULT)",
    "INSERT INTO a (id, tenant_id) OVERRIDING USER VALUE VALUES (1, 'acme')",
    "UPDATE b SET status = 'z'",
    "UPDATE b SET status = 'z' WHERE id > 10 RETURNING *",
    "UPDATE b SET tenant_id = 'bee'",
    "UPDATE b x SET status = c.status FROM c WHERE x.id = c.id RETURNING x.id, c.id",
    """UPDATE ONLY a AS x SET (aid, bid) = (SELECT 1, 2), status = CASE WHEN x.id IS DISTINCT FROM 1
    THEN 'u' END FROM b, c LEFT JOIN d ON d.id = c.id WHERE x.id = b.id OR x.id = c.id""",
    "UPDATE a SET status = 'v' FROM (SELECT * FROM b) s WHERE s.id = a.id -- the end",
    "UPDATE a SET aid = 1 WHERE id = 10 OR true",
    "DELETE FROM b",
    "DELETE FROM b WHERE id = 10 OR true RETURNING *",
    "DELETE FROM b AS x USING c WHERE x.id = c.id RETURNING *",
    "DELETE FROM a USING b, c WHERE b.id = c.id AND a.id = b.id RETURNING *",
    "DELETE FROM a USING b JOIN c ON b.id = c.id, d WHERE a.id = b.id OR a.id = d.id",
    "UPDATE a SET aid = 1 FROM b, c JOIN d USING (id), b e WHERE a.id = d.id AND e.id = b.id",
    "VALUES (1, 'a'), (2, 'b')",
    "VALUES ((SELECT count(*) FROM b))",
    "DELETE FROM c USING a JOIN b ON a.id = b.id WHERE c.id = a.id",
    "DELETE FROM a WHERE id IN (SELECT id FROM b) AND EXISTS (SELECT 1 FROM c)",
    "SELECT 1/0 FROM a",
    "SELECT nowhere FROM a",
    "SELECT * FROM b -- no end",
    "/* a 'quote */ SELECT ';', \"id\" FROM a /* -- */ ;",
    "SELECT $$ ) AS x; $$ FROM a",
]  # fmt: skip


def test_written_statements_give_the_same_in_three_ways(ways):
    """What the generator does not make."""
    for sql in WRITTEN:
        ways.check(sql)
    assert ways.counts["gated"] > 40, ways.counts


def test_a_gate_in_where_alone_would_not_do(ways):
    """It stands in each partition, below what chooses among them by the left-over tenant."""
    text = f"SELECT DISTINCT tenant_id FROM b WHERE {condition(len(GATE))}"
    (rows, _, _), _, _ = ways.run(_of_psycopg(text), values=parameters(GATE))
    assert rows == ["('bee',)"], "PostgreSQL plans it better than it did: see `gate`"


def test_a_condition_of_no_column_beside_the_gate_would_be_asked_first(ways):
    """Merged with the statement, it stands before the gate: the left-over tenant would answer."""
    where = "WHERE a.id = b.id AND a.tenant_id = 'acme'"
    source = "b JOIN c ON b.id = c.id AND NOT EXISTS (SELECT 1 FROM d)"
    own = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in GATE.items())
    (_, _, alone), _, _ = ways.run(f"DELETE FROM a USING {source} {where}", f"SELECT {own}")
    text = f"DELETE FROM a USING (SELECT WHERE true OFFSET 0) AS g, {source} {where}"
    gate = f"{condition(len(GATE))} AND"
    text = text.replace("WHERE a.id", f"WHERE {gate} a.id")
    (_, _, behind), _, _ = ways.run(_of_psycopg(text), values=parameters(GATE))
    assert alone == 0
    assert behind == 4, "PostgreSQL asks the gate first now: see `gate`"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM a",
        "UPDATE a SET aid = 1",
        "DELETE FROM b USING a WHERE a.id = b.id",
        "INSERT INTO a SELECT * FROM a",
        "SELECT * FROM a",
    ],
)
def test_a_policy_of_no_column_is_asked_behind_the_gate(ways, sql):
    """It costs PostgreSQL as little as the gate, and stands in the same filter."""
    form = gated(sql)
    ways.connection.execute(
        "CREATE POLICY known ON a AS RESTRICTIVE USING (EXISTS "
        "(SELECT 1 FROM d WHERE current_setting('app.current_user_id', true) = 'u1'))"
    )
    text = f"{form.before}{condition(len(GATE))}{form.after}"
    found, _, error = ways.run(_of_psycopg(text), values=parameters(GATE))
    assert error is None
    assert found[2] == 4


def test_a_policy_without_its_select_shows_no_row_of_another(ways):
    """The left-over tenant may choose a partition, and never shows what is in it."""
    unwrapped = "tenant_id = current_setting('app.current_tenant_id', true)"
    ways.connection.execute(f"ALTER POLICY own ON b USING ({unwrapped}) WITH CHECK ({unwrapped})")
    form = gated("SELECT DISTINCT tenant_id FROM b")
    text = f"{form.before}{condition(len(GATE))}{form.after}"
    ways.connection.execute("SET LOCAL ROLE app")
    found = ways.connection.execute(_of_psycopg(text), parameters(GATE)).fetchall()
    ways.connection.rollback()
    assert found in ([], [("acme",)])


ENDINGS = [
    "SELECT * FROM b) AS tenantmetrics_gate OFFSET 0) AS x; --",
    "SELECT * FROM b) AS q WHERE true; DELETE FROM b; --",
    "SELECT * FROM b WHERE true) OR (true",
    "UPDATE b SET status = 'x' WHERE true) OR (true",
    "DELETE FROM b WHERE (true",
    "INSERT INTO b VALUES (1, 'acme') WHERE true",
    "SELECT * FROM b; SELECT * FROM a",
    "SELECT * FROM b /* not closed",
    "SELECT * FROM b WHERE id = 'not closed",
    "SELECT * INTO x FROM b",
    "WITH x AS (DELETE FROM b RETURNING *) SELECT 1 WHERE false",
    "WITH x AS (UPDATE b SET status = 'x') UPDATE a SET status = 'y' WHERE id = 1 AND id = 2",
    "SELECT set_config('app.current_tenant_id', 'bee', true), b.* FROM b",
    "SELECT tenantmetrics_gate.* FROM b tenantmetrics_gate",
    "MERGE INTO b USING a ON true WHEN MATCHED THEN DELETE",
    "UPDATE b SET status = 'x' WHERE CURRENT OF cursor",
    "DELETE FROM a USING b JOIN c ON NOT EXISTS (SELECT 1 FROM d) WHERE a.id = b.id",
    "DELETE FROM a USING (SELECT id FROM b WHERE (SELECT count(*) = 0 FROM c)) s WHERE a.id = s.id",
    "UPDATE a SET status = 'x' FROM b JOIN c ON ARRAY(SELECT id FROM d) IS NULL WHERE a.id = b.id",
    "WITH x AS (SELECT 1 WHERE EXISTS (SELECT 1 FROM b)) DELETE FROM a USING x WHERE a.id = 1",
    "",
    ";",
    "WITH",
    "EXPLAIN ANALYZE DELETE FROM b",
    "COPY b TO STDOUT",
    "CALL p()",
    "DO $$ BEGIN END $$",
    "x" * 40_000,
    "SELECT " + "(" * 500 + "1" + ")" * 500,
]


@pytest.mark.parametrize("sql", ENDINGS, ids=range(len(ENDINGS)))
def test_what_is_not_understood_is_not_gated(sql):
    """Brackets that close the gate's, several statements, what sets variables itself."""
    assert gated(sql).refused


@given(st.text())
def test_no_text_raises(text):
    """It is refused, or gated."""
    for sql in (text, f"SELECT {text} FROM b", f"UPDATE b SET {text}", f"INSERT INTO b {text}"):
        form = gated(sql)
        assert form.refused or form.before


def test_less_than_a_fifth_of_the_corpus_is_refused():
    """Of the statements that are queries or changes of rows."""
    forms = [gated(case.sql) for case in corpus()]
    of_its_kind = [form for form in forms if form.applies]
    assert len(of_its_kind) > 600
    assert sum(bool(form.refused) for form in of_its_kind) < 0.2 * len(of_its_kind)


@pytest.fixture(scope="module", params=["embedded", "installed"])
def corpus_url(request):
    """Tables for the corpus, with rows of several tenants."""
    with _programs(request.param) as url, psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE ROLE app NOLOGIN")
        for table in agrees.TABLES:
            admin.execute(
                f"CREATE TABLE {table} ({agrees.COLUMNS}); "
                f"INSERT INTO {table} (id, tenant_id, room_id, user_id, booking_id, bid, aid) "
                "SELECT n * 10 + k, t, n, n * 10 + k, n * 10 + k, n * 10 + k, n * 10 + k FROM "
                "unnest(ARRAY['acme', 'bee', 'a', 'b']) WITH ORDINALITY u(t, n), "
                "generate_series(1, 2) k; "
                f"CREATE UNIQUE INDEX ON {table} (id); "
                f"CREATE UNIQUE INDEX ON {table} (tenant_id, id); "
                f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; "
                f"CREATE POLICY own ON {table} USING (tenant_id = "
                "(SELECT current_setting('app.current_tenant_id', true)))"
            )
        admin.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO app")
        yield url


@pytest.mark.long
def test_the_corpus_gives_the_same_in_three_ways(corpus_url):
    """Every statement of it that runs on these tables and that no order and no clock decides."""
    contents = " UNION ALL ".join(
        f"SELECT '{table}', r::text FROM {table} r" for table in agrees.TABLES
    )
    with psycopg.connect(corpus_url) as connection:
        ways = Ways(connection, contents)
        for case in corpus():
            if case.idea in agrees.IDEAS and not agrees.LEFT_OUT.search(case.sql):
                ways.check(
                    rewrite(case.sql, lambda found: agrees.SQL_VALUES.get(found.name, "NULL"))
                )
    assert ways.counts["gated"] >= agrees.AT_LEAST, ways.counts
