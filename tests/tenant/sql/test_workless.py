"""Calls that make the server do no work are told apart, for what they say of the way there."""

import pytest

from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.sqltext.fingerprint import fingerprint

WORKLESS = [
    "SELECT 1",
    "select :a::int AS a, 'x', NULL, -1",
    "SELECT set_config('app.tenant_id', :t, true)",
    "SELECT set_config('app.tenant_id', :t, true), set_config('app.user', 'u', true)",
    "SET LOCAL app.tenant_id = 'acme'",
    "SET TRANSACTION READ ONLY",
    "RESET ALL",
    "SHOW search_path",
    "BEGIN",
    "START TRANSACTION READ ONLY",
    "ROLLBACK",
    "ABORT",
    "BEGIN; SET LOCAL app.tenant_id = 'acme'",
]
WORK = [
    "COMMIT",
    "END",
    "SET CONSTRAINTS ALL IMMEDIATE",
    "ROLLBACK PREPARED 'x'",
    "SELECT 1 FROM rooms",
    "SELECT now()",
    "SELECT pg_sleep(1)",
    "SELECT set_config('app.tenant_id', (SELECT id FROM tenants LIMIT 1), true)",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM rooms)",
    "SELECT 1 UNION SELECT 2",
    "WITH a AS (DELETE FROM rooms RETURNING 1) SELECT 1",
    "INSERT INTO rooms VALUES (1)",
    "DISCARD ALL",
    "SAVEPOINT a",
    "BEGIN; UPDATE rooms SET a = 1",
    "EXPLAIN ANALYZE SELECT 1",
    "not SQL at all",
    "",
]


@pytest.mark.parametrize("sql", WORKLESS)
def test_what_only_sets_shows_begins_or_undoes_is_workless(resolver, sql):
    """Whatever its values."""
    assert resolver.claims(request_of("ExecuteStatement", {"sql": sql})).workless


@pytest.mark.parametrize("sql", WORK)
def test_what_may_read_write_or_wait_is_not(resolver, sql):
    """COMMIT waits for the disk; a function may do anything."""
    assert not resolver.claims(request_of("ExecuteStatement", {"sql": sql})).workless


@pytest.mark.parametrize(
    ("operation", "workless"),
    [("BeginTransaction", True), ("RollbackTransaction", True), ("CommitTransaction", False)],
)
def test_the_apis_own_begin_and_rollback_are_workless(resolver, operation, workless):
    """They carry no SQL, and their fingerprint is 0."""
    claims = resolver.claims(request_of(operation, {"transactionId": "t"}))
    assert (claims.workless, claims.fingerprint) == (workless, 0)


def test_a_call_carries_the_fingerprint_of_its_text(case, resolver):
    """It is made of the template once, and is the text's own whatever values are written in it."""
    claims = resolver.claims(
        request_of("ExecuteStatement", {"sql": case.sql, "transactionId": "t"})
    )
    assert claims.fingerprint == fingerprint(case.sql)
