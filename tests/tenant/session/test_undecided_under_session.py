"""A call billed to its session's or context's tenant, whose text may touch another's, is counted.

The statements are those of public reports about libraries that add the tenant for the application
and left it out, in our own words: each ran for one tenant and touched every tenant's rows.
"""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

import tenantmetrics
from tenantmetrics import config
from tenantmetrics.aggregate.totals import Totals
from tenantmetrics.dataapi.capture import TRANSITIONS, request_of
from tenantmetrics.health import Health
from tenantmetrics.records import Misuse, Source
from tenantmetrics.tenant.identity.tenant_context import tenant
from tenantmetrics.tenant.resolve import Resolver
from tenantmetrics.tenant.session.attribution import Attributor

UNDECIDED = Misuse.UNDECIDED_UNDER_SESSION
COLUMNS = ("tenant_id", "account_id", "company_id", "corporation_id")
SET_ACME = "SET LOCAL app.current_tenant_id = 'acme'"
OWN = "SELECT * FROM bookings WHERE tenant_id = 'acme'"
OPEN = "UPDATE bookings SET room = 'B' WHERE id = 7"

LEAKS = {
    "django-multitenant #11: an UPDATE finds its row by the key alone": (
        'UPDATE "store" SET "name" = \'x\' WHERE "store"."id" = 2'
    ),
    "django-multitenant #15: a bulk DELETE has the ids and no tenant": (
        'DELETE FROM "store" WHERE "store"."id" IN (2, 3)'
    ),
    "django-multitenant #14: a join by the id alone": (
        'SELECT "product"."id" FROM "product" INNER JOIN "store" '
        'ON ("product"."store_id" = "store"."id") WHERE "store"."is_open" = FALSE'
    ),
    "django-multitenant #59: the filter is gone once the choices are ordered": (
        'SELECT "events"."id" FROM "events" WHERE "events"."active" ORDER BY "events"."name"'
    ),
    "django-multitenant #230: a widget's queryset was made before there was a tenant": (
        'SELECT "contacts"."id", "contacts"."account_id", "contacts"."name" FROM "contacts" '
        'WHERE "contacts"."deleted" IS NULL ORDER BY "contacts"."name" ASC'
    ),
    "activerecord-multi-tenant #30: update_all has no tenant": (
        'UPDATE "tasks" SET "done" = TRUE WHERE "tasks"."name" = \'x\''
    ),
    "activerecord-multi-tenant #168: the tenant is missing in a join with a type": (
        'SELECT "comments".* FROM "comments" INNER JOIN "tasks" ON "tasks"."id" = '
        '"comments"."commentable_id" AND "comments"."commentable_type" = \'Task\''
    ),
    "acts_as_tenant #37: the joined table has a tenant, the first one has none": (
        'SELECT "services".* FROM "services" INNER JOIN "service_texts" '
        'ON "service_texts"."service_id" = "services"."id"'
    ),
    "acts_as_tenant #227: a tenant without an id scopes nothing": (
        'SELECT "projects".* FROM "projects"'
    ),
    "acts_as_tenant #354: raw SQL is not scoped": (
        "UPDATE projects SET account_id = 2 WHERE projects.id = 7"
    ),
    "HHH-20883: an update goes by the id and the version": (
        "UPDATE account SET balance = 1, version = 2 WHERE id = 7 AND version = 1"
    ),
    "HHH-20883: a delete goes by the id": "DELETE FROM account WHERE id = 7 AND version = 2",
    "fisher #51: a query without a condition": "SELECT d.data FROM notes AS d",
    "EFCore.BulkExtensions #545: a merge deletes what it did not bring": (
        "MERGE INTO items AS t USING (VALUES (1, 'acme')) AS s(id, tenant_id) ON t.id = s.id "
        "WHEN NOT MATCHED BY SOURCE THEN DELETE"
    ),
    "customermates #69: an update by id, the tenant checked on reads alone": (
        'UPDATE "Contact" SET "name" = \'x\' WHERE "id" = 7 RETURNING "id"'
    ),
    "aspnetboilerplate #2529: the filter is left out for a derived entity": (
        'SELECT f."Id", f."Value" FROM "Features" AS f '
        "WHERE f.\"Discriminator\" = 'TenantFeatureSetting'"
    ),
    "a UNION with one open branch": (
        f"{OWN} UNION ALL SELECT * FROM bookings_archive WHERE guest = 'x'"
    ),
    "whether there is a row, of anybody's": "SELECT EXISTS (SELECT 1 FROM notes WHERE public)",
    "a count in the select list": "SELECT (SELECT count(*) FROM notes)",
    "a condition without rows of its own": "SELECT 1 WHERE 3 IN (SELECT id FROM notes)",
    "a function's rows, if there is a row": (
        "SELECT * FROM unnest(ARRAY['acme']) AS x(tenant_id) WHERE EXISTS (SELECT 1 FROM notes)"
    ),
    "an OR that opens the filter": "SELECT * FROM notes WHERE tenant_id = 'acme' OR public",
}


@pytest.fixture
def attributed(make_call):
    """The attribution of a statement, in a transaction or under a context."""
    resolver = Resolver(config.load({}, tenant_columns=COLUMNS), Health())

    def ask(sql, *, set_=(SET_ACME,), context=None, **settings):
        attributor = Attributor(config.load({}, **settings), Health())
        key = "" if context else "tx"
        settled = []
        for text in ("BeginTransaction", *set_, sql):
            if text in TRANSITIONS:
                claims = resolver.claims(request_of(text, {}))
                call = make_call(claims, operation=text, transaction=key)
            else:
                params = {"sql": text, "parameters": []}
                params |= {"transactionId": key} if key else {}
                with tenant(context) if context else _nothing():
                    claims = resolver.claims(request_of("ExecuteStatement", params))
                call = make_call(claims, transaction=key)
            settled += attributor.submit(call)
        settled += attributor.drain()
        return settled[-1][1]

    return ask


class _nothing:  # noqa: N801 - in the place of a context
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize("sql", LEAKS.values(), ids=LEAKS)
def test_a_leak_that_others_reported_is_counted(attributed, sql):
    """Under the session's tenant and under a context's."""
    for context in (None, "acme"):
        found = attributed(sql, set_=() if context else (SET_ACME,), context=context)
        assert found.shares == (("acme", 1),)
        assert found.source is (Source.CONTEXT if context else Source.SESSION)
        assert UNDECIDED in found.misuses


@pytest.mark.parametrize(
    "sql",
    [
        OWN,
        "SELECT * FROM bookings WHERE tenant_id = current_setting('app.current_tenant_id')",
        "INSERT INTO bookings (tenant_id, room) VALUES ('acme', 'A')",
        "INSERT INTO bookings (room) VALUES ('A')",
        "SELECT 1",
        "SELECT count(*) FROM pg_class",
        "SELECT * FROM information_schema.tables WHERE table_name = 'x'",
        "SAVEPOINT s",
    ],
)
def test_what_touches_the_tenants_rows_or_nobodys_is_not_counted(attributed, sql):
    """Its text says so itself, or it reads no table of the application."""
    assert UNDECIDED not in attributed(sql).misuses


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO notes (id) VALUES (1) RETURNING (SELECT count(*) FROM bookings)",
        "INSERT INTO notes (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET n = (SELECT 1 FROM b)",
        "INSERT INTO notes SELECT 1, 'x' ON CONFLICT DO NOTHING",
        "INSERT INTO notes VALUES (1, 'x') ON CONFLICT DO NOTHING",
        "SELECT b.id FROM unnest(ARRAY['x']) v(tenant_id) LEFT JOIN b ON lower(tenant_id) = 'x'",
    ],
)
def test_what_an_insert_or_a_list_reads_of_everybody_is_counted(attributed, sql):
    """Nobody is named, and others' rows have a part in it."""
    assert UNDECIDED in attributed(sql).misuses


def test_who_is_named_by_the_rest_of_the_transaction_is_no_proof_either(attributed):
    """The statement before it names acme; this one names a row."""
    found = attributed(OPEN, set_=(OWN,))
    assert found.shares == (("acme", 1),)
    assert found.misuses == (UNDECIDED,)


def test_nobodys_call_is_not_counted_twice(attributed):
    """It is unattributed, which has a number of its own."""
    found = attributed(OPEN, set_=())
    assert found.source is Source.UNATTRIBUTED
    assert not found.misuses


def test_the_totals_have_it_by_summary_and_stay_small():
    """As many statements as there are, some hundred of them by name."""
    totals = Totals()
    for number in range(1_000):
        totals.note((UNDECIDED,), f"UPDATE t{number}")
    totals.note((UNDECIDED,), "UPDATE t7")
    assert totals.misuses == {UNDECIDED: 1_001}
    assert totals.undecided["UPDATE t7"] == 2
    assert len(totals.undecided) <= 257
    assert sum(totals.undecided.values()) == 1_001


def test_stats_and_log_have_it_with_its_summary(endpoint, target, fresh_pipeline):
    """Through a real client: no value is in either."""
    client = tenantmetrics.instrument(endpoint.client())
    client.execute_statement(**target, sql="CREATE TABLE IF NOT EXISTS leaks (id int, note text)")
    with capture_logs() as lines, tenantmetrics.tenant("acme"):
        for _ in range(3):
            client.execute_statement(
                **target,
                sql="UPDATE leaks SET note = 'secret' WHERE id = :id",
                parameters=[{"name": "id", "value": {"longValue": 7}}],
            )
        stats = tenantmetrics.stats()
    client.close()
    assert stats["misuses"] == {"undecided_under_session": 3}
    assert stats["undecided_under_session"] == {"UPDATE leaks": 3}
    (line,) = [line for line in lines if line["event"] == "tenantmetrics.tenant_misuse"]
    assert (line["kind"], line["statement"]) == ("undecided_under_session", "UPDATE leaks")
    assert "secret" not in str(lines)
