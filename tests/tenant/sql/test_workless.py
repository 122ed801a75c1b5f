"""Which statements give the database no work, and which one number stands for a statement."""

import pytest

from tenantmetrics import config
from tenantmetrics.dataapi.requests import request_of
from tenantmetrics.health import Health
from tenantmetrics.sqltext.fingerprint import fingerprint
from tenantmetrics.tenant.resolve import Resolver

RESOLVER = Resolver(config.load({}), Health())


def claims(sql, operation="ExecuteStatement"):
    return RESOLVER.claims(request_of(operation, {"sql": sql, "transactionId": "t"}))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1", "select 'x' AS ok", "SELECT 1::int, -2, true, NULL", "SELECT :p",
        "SELECT set_config('app.tenant', :t, true)",
        "SELECT set_config('app.a', :a, true), set_config('app.b', :b, true)",
        "SELECT current_setting('app.tenant', true)", "SELECT CURRENT_USER",
        "SET LOCAL app.tenant = 'acme'", "RESET app.tenant", "SHOW search_path", "BEGIN",
        "START TRANSACTION", "ROLLBACK", "SAVEPOINT a", "ROLLBACK TO a", "RELEASE a", "SET ROLE a",
        "/* ping */ SELECT 1",
    ],
)  # fmt: skip
def test_what_only_sets_or_shows_has_no_work(sql):
    """Its wall time is overhead and nothing else."""
    assert claims(sql).workless


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_sleep(5)", "SELECT (SELECT count(*) FROM big)", "SELECT nextval('s')",
        "DO $$ BEGIN PERFORM 1; END $$", "COMMIT", "END", "VACUUM", "CALL p()", "SELECT now(), f()",
        "SELECT set_config('a.b', (SELECT x FROM t), true)", "SELECT * FROM t", "SELECT count(*)",
        "SELECT * FROM generate_series(1, 100000000)", "SELECT generate_series(1, 100000000)",
        "WITH q AS (SELECT pg_sleep(1)) SELECT 1", "SELECT 1 UNION SELECT 2", "VALUES (1)",
        "INSERT INTO t VALUES (1)", "SELECT repeat('x', 100000000)", "SELECT 1 FROM a",
        "EXPLAIN ANALYZE SELECT 1", "CREATE TABLE t (a int)", "SELECT 'a' ~ '(a+)+b'",
        "SELECT EXISTS (SELECT 1 FROM t)", "this is no SQL", "SET LOCAL a.b = 1; DELETE FROM t",
        "SELECT lo_get(1)", "SELECT current_setting(f())", "SELECT 1 WHERE pg_sleep(1) IS NULL",
        "PREPARE p AS SELECT 1", "EXECUTE p", "LOCK TABLE t", "DISCARD ALL",
    ],
)  # fmt: skip
def test_what_may_work_is_not_called_workless(sql):
    """Taken for overhead, its time would be charged to nobody."""
    assert not claims(sql).workless


@pytest.mark.parametrize(
    ("operation", "workless"),
    [("BeginTransaction", True), ("RollbackTransaction", True), ("CommitTransaction", False)],
)
def test_of_calls_without_sql_only_commit_has_work(operation, workless):
    """It waits for the disk."""
    assert RESOLVER.claims(request_of(operation, {})).workless is workless


def test_a_calls_fingerprint_is_its_texts_whatever_its_values_are():
    """Literals, comments and lists fold, as in the database's own text of the statement."""
    one = claims("SELECT a FROM b WHERE id = 7 AND c IN ('x', 'y') /* :p */").fingerprint
    two = claims("select a from b where id = -12 and c in ('z')").fingerprint
    assert one == two == fingerprint("SELECT a FROM b WHERE id = $1 AND c IN ($2, $3)")
    assert claims("SELECT a FROM b WHERE id = 7").fingerprint != one
