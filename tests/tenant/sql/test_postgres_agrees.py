"""PostgreSQL agrees: rows of tenants that the resolver did not name change nothing.

Each statement of the corpus is run on a real PostgreSQL with the rows of several tenants, under
row-level security, as a role that does not bypass it. Where the resolver names tenants, a query
must give the same rows when all other tenants' rows are gone; a change must leave their rows as
they were. So a tenant that was named wrongly, or not named at all, shows.
"""

from __future__ import annotations

import re

import psycopg
import pytest

from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.localapi.postgres import embedded
from tenantmetrics.sqltext import rewrite
from tests.tenant.sql.named import named_by_statement

TENANTS = ("acme", "bee", "a", "b", "c", "x", "42", "7")
TABLES = [
    "bookings",
    "users",
    "rooms",
    "members",
    "guests",
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "archive",
    "staging",
    "nodes",
    "raw",
    "shares",
    "stats",
    "docs",
    "payments",
    "jobs",
]
COLUMNS = (
    "id int, tenant_id text, \"tenantId\" text, status text DEFAULT 'open', room int, room_id int, "
    "user_id int, booking_id int, bid int, aid int, cid int, b_id int, parent int, owner int, "
    "size int DEFAULT 1, x int DEFAULT 1, name text, note text, public boolean DEFAULT false, "
    "data jsonb DEFAULT '{}', tags text[] DEFAULT '{}', at timestamptz DEFAULT '2026-01-01', "
    "created_at timestamptz DEFAULT '2026-01-01', amount int DEFAULT 1, rank int DEFAULT 1, "
    "n int DEFAULT 1, deleted_at timestamptz, tid text, day int"
)
HELD = [*TABLES, "tenants"]
IDEAS = {
    "reach", "tenants_table", "predicate", "undecided", "or_and_in", "cast", "join", "subquery",
    "cte", "union", "insert", "update", "delete", "merge", "orm", "looks_like",
}  # fmt: skip
# What is compared is rows by tenant, so these are out: the order of rows or the planner decides
# what comes back, the clock does, or the text is one of those that are no single statement.
LEFT_OUT = re.compile(
    r"LIMIT|OFFSET|FETCH|FOR UPDATE|row_number|rank\(|%s|\?|\$1|CURRENT_TIMESTAMP", re.IGNORECASE
)
AT_LEAST = 200
SQL_VALUES = {
    "t": "'acme'", "u": "'bee'", "n": "1", "nothing": "NULL", "1": "'acme'", "from": "'bee'",
    "select": "1", "arr": "ARRAY['a','b']", "nums": "ARRAY[1,2]", "arrtext": "'{a,b}'",
    "a": "1", "b": "2", "s": "'open'", "status_1": "'open'", "user_id_1": "1", "user_id_2": "11",
    "room": "1", "id": "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
}  # fmt: skip


@pytest.fixture(scope="module")
def database():
    with embedded() as url, psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE ROLE app NOLOGIN")
        for table in TABLES:
            admin.execute(f"CREATE TABLE {table} ({COLUMNS})")
            admin.execute(f"CREATE UNIQUE INDEX ON {table} (id)")
            admin.execute(f"CREATE UNIQUE INDEX ON {table} (tenant_id, id)")
            for number, tenant in enumerate(TENANTS):
                for row in (1, 2):
                    key = number * 10 + row
                    # Foreign keys stay inside the tenant, as an application's do.
                    admin.execute(
                        f'INSERT INTO {table} (id, tenant_id, "tenantId", room, room_id, '
                        "user_id, booking_id, bid, aid, cid, b_id, parent, owner, tid) "
                        "VALUES (%(k)s, %(t)s, %(t)s, %(k)s, %(k)s, %(k)s, %(k)s, %(k)s, %(k)s, "
                        "%(k)s, %(k)s, NULLIF(%(k)s - %(k)s %% 10 + 1, %(k)s), %(k)s, %(t)s)",
                        {"k": key, "t": tenant},
                    )
            admin.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            admin.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            admin.execute(
                f"CREATE POLICY p ON {table} USING (tenant_id = coalesce(nullif("
                "current_setting('app.current_tenant_id', true), ''), tenant_id))"
            )
        # What the tenant columns hold is this table's id.
        admin.execute(
            "CREATE TABLE tenants (id text, tenant_id text, slug text, parent_id text, owner text)"
        )
        for tenant in TENANTS:
            admin.execute(
                "INSERT INTO tenants (id, tenant_id, slug) VALUES (%(t)s, %(t)s, %(t)s)",
                {"t": tenant},
            )
        admin.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO app")
        admin.execute("CREATE TABLE audit (msg text)")
        admin.execute("GRANT ALL ON audit TO app")
        yield url


@pytest.fixture
def connection(database):
    with psycopg.connect(database) as connection:
        # An endless recursion of the corpus ends here; it counts as one that does not run.
        connection.execute("SET statement_timeout = '500ms'")
        connection.execute("SET ROLE app")
        connection.commit()
        yield connection


def rows_of(connection, sql):
    cursor = connection.execute(sql)
    return sorted(map(repr, cursor.fetchall())) if cursor.description else []


def contents(connection, tenants):
    """What the tables hold of these tenants, as text."""
    wanted = f"WHERE tenant_id = ANY(ARRAY{list(tenants)!r}::text[])"
    return rows_of(
        connection,
        " UNION ALL ".join(f"SELECT '{table}', r::text FROM {table} r {wanted}" for table in HELD),
    )


def interferes(connection, sql, named):
    """What other tenants' rows have to do with a statement, empty if nothing."""
    others = [tenant for tenant in TENANTS if tenant not in named]
    try:
        before = contents(connection, others)
        rows = rows_of(connection, sql)
        if contents(connection, others) != before:
            return "it changed rows of tenants that were not named"
        connection.rollback()
        gone = f"WHERE tenant_id = ANY(ARRAY{others!r}::text[])"
        connection.execute("; ".join(f"DELETE FROM {table} {gone}" for table in HELD))
        if rows_of(connection, sql) != rows:
            return "rows of tenants that were not named came back"
    finally:
        connection.rollback()
    return ""


def test_rows_of_tenants_that_were_not_named_change_nothing(
    cases, resolver, corpus_values, connection
):
    """For every statement of the corpus that runs on this schema and names somebody."""
    checked = 0
    wrong: list[str] = []
    for case in cases:
        if case.idea not in IDEAS or LEFT_OUT.search(case.sql):
            continue
        claims = resolver.claims(
            request_of("ExecuteStatement", {"sql": case.sql, "parameters": corpus_values})
        )
        named = named_by_statement(claims)
        if not named:
            continue
        sql = rewrite(case.sql, lambda found: SQL_VALUES.get(found.name, "NULL")).replace("%", "%%")
        try:
            how = interferes(connection, sql.replace("%%", "%"), named)
        except psycopg.Error as error:
            # It needs another schema than this one; whether enough ran is counted below.
            if error.sqlstate is None:
                raise
            continue
        checked += 1
        if how:
            wrong.append(f"{case.idea}/{case.name}: {how}: {case.sql}")
    assert not wrong, "\n".join(wrong)
    assert checked >= AT_LEAST


UNDECIDED_THAT_READ_OTHERS = (
    "SELECT * FROM bookings WHERE tenant_id <> 'acme'",
    "SELECT * FROM bookings WHERE NOT (tenant_id = 'acme')",
    "SELECT * FROM bookings WHERE tenant_id = 'acme' OR status = 'open'",
    "SELECT * FROM a LEFT JOIN b ON b.aid = a.id AND b.tenant_id = 'acme'",
    "SELECT * FROM a FULL JOIN b ON b.tenant_id = a.tenant_id AND a.tenant_id = 'acme'",
    "SELECT * FROM a RIGHT JOIN b ON b.aid = a.id AND a.tenant_id = 'acme'",
    "SELECT * FROM users WHERE id NOT IN (SELECT user_id FROM members WHERE tenant_id = 'acme')",
    "SELECT id FROM a WHERE tenant_id = 'acme' UNION SELECT id FROM b",
    "SELECT tenant_id = 'acme' FROM bookings",
    "SELECT * FROM users WHERE EXISTS (SELECT count(*) FROM members m WHERE m.tenant_id = 'acme')",
    "SELECT * FROM bookings WHERE (tenant_id = 'acme') IS FALSE",
    "SELECT * FROM a, b, c WHERE a.id = b.aid AND c.tenant_id = 'acme'",
    "SELECT * FROM a LEFT JOIN b ON true WHERE a.tenant_id = 'acme'",
    "SELECT * FROM docs WHERE 1 IN (SELECT user_id FROM members WHERE tenant_id = 'acme')",
    "UPDATE a SET x = 2 FROM b WHERE b.tenant_id = 'acme' AND a.status = 'open'",
    "DELETE FROM a USING b WHERE b.tenant_id = 'acme' AND a.x = 1",
    "SELECT * FROM a, b WHERE b.tenant_id = 'acme' AND a.id IN (SELECT id FROM c)",
    "SELECT * FROM a, b WHERE b.tenant_id = 'acme' AND a.id = ANY (SELECT id FROM c)",
    "SELECT * FROM a, b WHERE b.tenant_id = 'acme' AND EXISTS (SELECT 1 FROM c WHERE c.id = a.id)",
    (
        "SELECT * FROM a, b WHERE b.tenant_id = 'acme' "
        "AND a.id IN (SELECT id FROM c UNION SELECT id FROM d)"
    ),
    "UPDATE a SET x = 2 FROM b WHERE b.tenant_id = 'acme' AND a.id IN (SELECT id FROM c)",
    "DELETE FROM a USING b WHERE b.tenant_id = 'acme' AND a.id IN (SELECT id FROM c)",
    "WITH b AS (SELECT * FROM b WHERE tenant_id = 'acme') UPDATE b SET x = 2",
    "WITH b AS (SELECT * FROM b WHERE tenant_id = 'acme') DELETE FROM b",
    (
        "WITH b AS (SELECT * FROM b WHERE tenant_id = 'acme') "
        "MERGE INTO b USING c ON b.id = c.id WHEN MATCHED THEN DELETE"
    ),
)


@pytest.mark.parametrize("sql", UNDECIDED_THAT_READ_OTHERS)
def test_what_is_undecided_does_read_others(sql, resolver, connection):
    """The check above can fail: named for acme alone, each of these would."""
    claims = resolver.claims(request_of("ExecuteStatement", {"sql": sql}))
    assert claims.undecided
    assert not claims.named
    assert interferes(connection, sql, {"acme"})


SESSIONS = (
    "SET LOCAL app.current_tenant_id = 'acme'",
    "SELECT set_config('app.current_tenant_id', 'acme', true)",
    "SELECT 1, set_config('app.current_tenant_id', 'acme', true)",
    "SET app.current_tenant_id TO 'acme'",
)


@pytest.mark.parametrize("setting", SESSIONS)
def test_under_row_level_security_the_sessions_tenant_is_whose_rows_come_back(
    setting, resolver, connection
):
    """The variable that the policy asks for is the one that the resolver saw set."""
    (step,) = resolver.claims(
        request_of("ExecuteStatement", {"sql": setting, "transactionId": "t"})
    ).session
    connection.execute(setting)
    seen = {row[0] for row in connection.execute("SELECT DISTINCT tenant_id FROM bookings")}
    connection.rollback()
    assert seen == {step.tenant} == {"acme"}


def test_a_session_is_followed_as_postgresql_follows_it(connection, make_resolver):
    """Savepoints, resets, failures: what the model holds is what current_setting() says."""
    from tenantmetrics.tenant.session.session_variables import Session  # noqa: PLC0415

    resolver = make_resolver()
    model = Session(("app.tenant",))
    script = (
        "SET LOCAL app.tenant = 'a'", "SAVEPOINT s", "SET LOCAL app.tenant = 'b'",
        "SAVEPOINT s", "SET app.tenant = 'c'", "ROLLBACK TO s", "RELEASE s", "ROLLBACK TO s",
        "SET app.tenant = 'd'", "SELECT set_config('app.tenant', 'e', true)", "RESET app.tenant",
        "SET LOCAL app.tenant TO 'f'", "SET LOCAL app.tenant TO DEFAULT",
        "SET LOCAL app.tenant = 'g'", "SET app.tenant = ''", "SET LOCAL \"app\".tenant = 'h'",
        "RESET ALL", "SET APP.Tenant TO 'i'", "SET \"app.tenant\" = 'j'",
        "SET LOCAL app.tenant = + 5", "SET LOCAL app.tenant = 'k'\n'l'",
        "WITH s AS (SELECT set_config('app.tenant', 'm', true)) SELECT 1",
        "WITH s AS (SELECT set_config('app.tenant', 'n', true)) SELECT * FROM s",
    )  # fmt: skip
    for sql in script:
        connection.execute(sql)
        steps = resolver.claims(
            request_of("ExecuteStatement", {"sql": sql, "transactionId": "t"})
        ).session
        model.apply(steps, in_transaction=True)
        (held,) = connection.execute("SELECT current_setting('app.tenant', true)").fetchone()
        assert (model.current() or "") == (held or ""), sql
    connection.rollback()


def test_after_a_commit_what_was_set_for_the_session_holds_again(database, make_resolver):
    """SET LOCAL covers it for the transaction alone."""
    from tenantmetrics.tenant.session.session_variables import Session  # noqa: PLC0415

    resolver = make_resolver()
    model = Session(("app.tenant",))
    script = (
        "SET app.tenant = 'a'", "BEGIN", "SET LOCAL app.tenant = 'b'", "SET LOCAL app.tenant = 'c'",
        "COMMIT", "BEGIN", "SET LOCAL app.tenant = 'd'", "SET app.tenant = 'e'", "COMMIT",
        "BEGIN", "SET LOCAL app.tenant = 'f'", "ROLLBACK", "RESET app.tenant",
        "BEGIN", "SET LOCAL app.tenant = 'g'", "END",
    )  # fmt: skip
    with psycopg.connect(database, autocommit=True) as connection:
        for sql in script:
            connection.execute(sql)
            steps = resolver.claims(
                request_of("ExecuteStatement", {"sql": sql, "transactionId": "t"})
            ).session
            model.apply(steps, in_transaction=True)
            (held,) = connection.execute("SELECT current_setting('app.tenant', true)").fetchone()
            assert (model.current() or "") == (held or ""), sql
