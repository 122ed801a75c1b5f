"""Settings that tell more tenants: tables of tenants, shared rows, rows that an ORM saves."""

from __future__ import annotations

import pytest

from tenantmetrics import config
from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.errors import ConfigError
from tests.tenant.sql.named import named_by_statement

TABLES = {"tenant_tables": ["organizations:id", "billing.accounts:account_key"]}
SHARED = {"tenant_shared_rows": True}
TRUSTED = {"tenant_trust_updates": True}


@pytest.fixture
def named(make_resolver, corpus_values):
    """Whom a statement names with some settings; "?" where that is not decided."""

    def ask(settings, sql):
        params = {"sql": sql, "parameters": corpus_values, "transactionId": "t"}
        claims = make_resolver(**settings).claims(request_of("ExecuteStatement", params))
        return " ".join(sorted(named_by_statement(claims))) or ("?" if claims.undecided else "-")

    return ask


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM organizations WHERE id = :t", "acme"),
        ("SELECT * FROM organizations WHERE organizations.id = :t AND active", "acme"),
        ('SELECT "o"."id", "o"."name" FROM "organizations" AS "o" WHERE "o"."id" = :t', "acme"),
        ("SELECT * FROM public.organizations WHERE id = :t::text", "acme"),
        ("SELECT * FROM organizations WHERE id IN (:t, :u)", "acme bee"),
        ("SELECT * FROM organizations WHERE name = :t", "-"),
        ("SELECT * FROM organizations", "-"),
        ("SELECT * FROM organizations WHERE id <> :t", "?"),
        ("SELECT * FROM organizations WHERE id = :t OR public", "?"),
        ("SELECT * FROM billing.accounts WHERE account_key = :u", "bee"),
        ("SELECT * FROM accounts WHERE id = :u", "-"),
        ("SELECT * FROM users WHERE id = :t", "-"),
        ("UPDATE organizations SET name = 'x' WHERE id = :t", "acme"),
        ("UPDATE organizations SET name = 'x'", "-"),
        ("DELETE FROM organizations o WHERE o.id = :t", "acme"),
        ("INSERT INTO organizations (id, name) VALUES (:t, 'x')", "acme"),
        ("INSERT INTO organizations (name) VALUES ('x')", "-"),
        (
            (
                "SELECT * FROM organizations o JOIN projects p ON p.organization_id = o.id "
                "WHERE o.id = :t"
            ),
            "acme",
        ),
        (
            (
                "SELECT p.* FROM organizations o JOIN projects p ON p.tenant_id = o.id "
                "WHERE p.tenant_id = :t"
            ),
            "acme",
        ),
        ("SELECT * FROM organizations o, projects p WHERE o.id = :t", "?"),
        (
            (
                "SELECT * FROM organizations o WHERE o.id = :t AND EXISTS "
                "(SELECT 1 FROM members m WHERE m.organization_id = o.id AND m.user_id = :n)"
            ),
            "acme",
        ),
        ("SELECT x.id FROM (SELECT id FROM organizations) x WHERE x.id = :t", "acme"),
        ("WITH o AS (SELECT * FROM organizations WHERE id = :t) SELECT * FROM o", "acme"),
        ("WITH organizations AS (SELECT 1 AS id) SELECT * FROM organizations WHERE id = 1", "-"),
        (
            (
                "SELECT * FROM organizations o JOIN projects p ON p.id = :u AND p.tenant_id = o.id "
                "WHERE o.id = :t"
            ),
            "acme",
        ),
    ],
)
def test_a_tenants_own_row_is_its(named, sql, expected):
    """`organizations.id` is a tenant column like any other."""
    assert named(TABLES, sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM plans WHERE tenant_id IS NULL OR tenant_id = :t", "acme"),
        ("SELECT * FROM plans WHERE (tenant_id = :t OR tenant_id IS NULL) AND active", "acme"),
        ("SELECT * FROM plans p WHERE p.tenant_id IN (:t, :u) OR p.tenant_id IS NULL", "acme bee"),
        ("SELECT * FROM plans WHERE NOT (tenant_id IS NOT NULL AND tenant_id <> :t)", "acme"),
        (
            (
                "SELECT * FROM plans p JOIN prices c ON c.plan_id = p.id "
                "WHERE (p.tenant_id IS NULL OR p.tenant_id = :t) AND c.tenant_id = :t"
            ),
            "acme",
        ),
        (
            (
                "SELECT * FROM plans p JOIN bookings b ON b.plan_id = p.id "
                "WHERE p.tenant_id IS NULL OR p.tenant_id = :t"
            ),
            "?",  # everybody books a plan of everybody
        ),
        (
            (
                "SELECT * FROM plans p, bookings b WHERE b.plan_id = p.id "
                "AND (p.tenant_id IS NULL OR b.tenant_id = :t)"
            ),
            "?",
        ),
        ("SELECT * FROM plans WHERE tenant_id IS NULL OR active", "?"),
        ("SELECT * FROM plans WHERE tenant_id IS NULL", "?"),
        ("SELECT * FROM plans WHERE tenant_id IS NOT NULL OR tenant_id = :t", "?"),
        ("SELECT * FROM plans WHERE parent_id IS NULL OR tenant_id = :t", "?"),
        (
            (
                "SELECT * FROM plans p LEFT JOIN prices c ON c.plan_id = p.id "
                "WHERE c.tenant_id IS NULL OR c.tenant_id = :t"
            ),
            "?",
        ),
    ],
)
def test_shared_rows_are_nobodys(named, sql, expected):
    """Beside one tenant's rows they change nothing; without the setting it is undecided."""
    assert named(SHARED, sql) == expected
    assert named({}, sql) == "?"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("UPDATE bookings SET tenant_id = :t, room = 'A' WHERE id = :n", "acme"),
        ('UPDATE "bookings" SET "tenant_id" = :t WHERE "bookings"."id" = :n', "acme"),
        ("UPDATE bookings SET room = 'A', tenant_id = :t WHERE id = :n AND version = 3", "acme"),
        ("UPDATE bookings SET tenant_id = :t WHERE booking_id = :n", "acme"),
        ("UPDATE bookings SET tenant_id = :t::text WHERE uuid = :id RETURNING id", "acme"),
        ("UPDATE bookings SET tenant_id = :t WHERE room = 'A'", "?"),
        ("UPDATE bookings SET tenant_id = :t", "?"),
        ("UPDATE bookings SET tenant_id = :t WHERE id = :n OR room = 'A'", "?"),
        ("UPDATE bookings SET tenant_id = :t FROM guests g WHERE bookings.id = 1", "?"),
        ("UPDATE bookings SET tenant_id = lower(:t) WHERE id = :n", "?"),
    ],
)
def test_a_saved_row_is_the_tenants_that_is_written(named, sql, expected):
    """Only for those who trust their ORM with the id."""
    assert named(TRUSTED, sql) == expected
    assert named({}, sql) == "?"


@pytest.mark.parametrize("value", [["organizations"], ["a:b:c"], ["a b:id"], [":id"], ["a:"]])
def test_a_table_without_its_column_is_refused(value):
    """The message says what is allowed."""
    with pytest.raises(ConfigError, match="organizations:id"):
        config.load({}, tenant_tables=value)
