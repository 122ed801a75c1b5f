"""A statement is workless only if running it is free in the database, whatever its values are."""

from __future__ import annotations

import pytest

from tenantmetrics import config
from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.sqltext.fingerprint import fingerprint
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.plan import Plan
from tenantmetrics.tenant.sql.planner import plan_of
from tenantmetrics.tenant.sql.template import skeleton

VOCABULARY = Vocabulary(config.load({}))

WORKLESS = [
    "SELECT 1",
    "select 1 AS ping;",
    "SELECT 'x', -1, NULL, TRUE",
    "SELECT :a, :b::uuid",
    "SELECT $1::int8",
    "SELECT CAST(:a AS varchar(40))",
    "SELECT now(), version(), current_user, current_schema()",
    "SELECT current_setting('app.tenant', true)",
    "SELECT NULLIF(current_setting('app.tenant', true), '')",
    "SELECT set_config('app.current_tenant_id', :t, true)",
    "SELECT pg_catalog.set_config('app.a', 'x', true), set_config('app.b', 'y', false) AS b",
    "SET LOCAL app.current_tenant_id = 'acme'",
    "SET search_path TO tenant_1, public",
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SET ROLE acme",
    "RESET ALL",
    "SHOW server_version",
    "BEGIN",
    "START TRANSACTION READ ONLY",
    "SAVEPOINT a",
    "RELEASE SAVEPOINT a",
    "ROLLBACK TO a",
    "ROLLBACK",
    "ABORT",
    "BEGIN; SET LOCAL app.current_tenant_id = 'acme'; SELECT 1",
    "/* ping */ SELECT 1 -- ping",
    "SET TRANSACTION READ ONLY",
    "SELECT set_config('app.tenant_id', :t, true), set_config('app.user', 'u', true)",
]
WORK = [
    "",
    "-- ping",
    "not SQL at all",
    "INSERT INTO big VALUES (1)",
    "SELECT 1 UNION SELECT 2",
    "SELECT pg_sleep(5)",
    "SELECT 1, pg_sleep(5)",
    "SELECT (SELECT count(*) FROM big)",
    "SELECT 1 WHERE (SELECT count(*) FROM big) > 0",
    "SELECT 1 WHERE pg_sleep(5) IS NULL",
    "SELECT set_config('app.a', (SELECT count(*) FROM big)::text, true)",
    "SELECT set_config('app.a', 'x', true) WHERE EXISTS (SELECT 1 FROM big)",
    "SELECT set_config('app.a', 'x', true) FROM big",
    "SELECT set_config('app.a', upper(repeat('x', 100000000)), true)",
    "SELECT app.set_config('app.a', 'x', true)",
    'SELECT "Set_Config"(1)',
    'SELECT "PG_CATALOG".set_config(1)',
    "SELECT nextval('ids')",
    "SELECT pg_advisory_lock(1)",
    "SELECT app.do_it(1)",
    "SELECT count(*)",
    "SELECT repeat('x', 1000000000)",
    "SELECT :a || :b",
    "SELECT 'x'::app.kind",
    "SELECT 'x'::kind",
    "SELECT 'x'::regclass",
    "SELECT generate_series(1, 1000000000)",
    "SELECT 1 FROM generate_series(1, 1000000000)",
    "SELECT 1 INTO t",
    "SELECT 1 UNION SELECT count(*) FROM big",
    "WITH d AS (DELETE FROM big RETURNING 1) SELECT 1",
    "SELECT x",
    "SELECT *",
    "TABLE big",
    "VALUES (1)",
    "DO $$BEGIN PERFORM pg_sleep(5); END$$",
    "COMMIT",
    "END",
    "COMMIT PREPARED 'a'",
    "ROLLBACK PREPARED 'a'",
    "PREPARE TRANSACTION 'a'",
    "SET CONSTRAINTS ALL IMMEDIATE",
    "DISCARD ALL",
    "EXPLAIN ANALYZE SELECT 1 FROM big",
    "CALL do_it(1)",
    "VACUUM big",
    "BEGIN; SELECT pg_sleep(5)",
    "SELECT 1; SELECT 1 FROM big",
    "SELECT 1 FROM",
    "SELECT set_config('app.a', 'x', true) FROM big WHERE " + " AND ".join(["x = 1"] * 2_000),
]


def planned(sql: str) -> Plan:
    return plan_of(skeleton(sql).template, VOCABULARY)


@pytest.mark.parametrize("sql", WORKLESS)
def test_statements_without_work_are_told(sql):
    """Constants, the session's own state, transaction control but COMMIT."""
    assert planned(sql).workless


@pytest.mark.parametrize("sql", WORK)
def test_what_might_do_work_is_work(sql):
    """A function that is not known, a table, a subquery, a clause, COMMIT: not workless."""
    assert not planned(sql).workless


@pytest.mark.parametrize(
    ("operation", "workless", "number"),
    [
        ("BeginTransaction", True, 0),
        ("RollbackTransaction", True, 0),
        ("CommitTransaction", False, fingerprint("COMMIT")),
    ],
)
def test_the_apis_own_begin_and_rollback_are_workless(resolver, operation, workless, number):
    """They carry no SQL; CommitTransaction writes to the log, as the COMMIT that a server tells."""
    claims = resolver.claims(request_of(operation, {"transactionId": "t"}))
    assert (claims.workless, claims.fingerprint) == (workless, number)


def test_claims_carry_what_the_plan_says(resolver):
    """Under a context too, whose claims are made anew."""
    for sql in ("SELECT 1", "SELECT * FROM bookings WHERE tenant_id = :t"):
        params = {"sql": sql, "database": "app", "schema": "tenant_7"}
        claims = resolver.claims(request_of("ExecuteStatement", params))
        assert claims.fingerprint == fingerprint(sql) > 0
        assert claims.workless is (sql == "SELECT 1")


def test_a_template_has_the_fingerprint_of_its_text(cases_of_file):
    """Slots and blanks are what literals and comments are folded to anyhow."""
    for case in cases_of_file:
        assert planned(case.sql).fingerprint == fingerprint(case.sql), case.name


def test_a_statement_of_many_rows_has_the_fingerprint_of_one_row():
    """Rows are not counted, so they need not be read."""
    one = "INSERT INTO b (id, tenant_id) VALUES (1, 'x')"
    many = one + ", (2, 'y')" * 3_000
    assert planned(many).fingerprint == planned(one).fingerprint == fingerprint(one)


def test_texts_that_are_too_long_have_no_fingerprint():
    """Bounded time; cut texts would share one."""
    assert planned("SELECT 1 WHERE " + " AND ".join(["x = y"] * 4_000)).fingerprint == 0
    assert planned("SELECT $$a$$" + ", $1" * 20_000).fingerprint == 0
