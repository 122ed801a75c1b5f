"""Bytes by tenant, measured over the Data API on a real PostgreSQL."""

from __future__ import annotations

import pytest

from tenantmetrics import config, testing
from tenantmetrics.cost.storage import Reader, measure
from tenantmetrics.cost.storage.reader import QueryFailedError
from tenantmetrics.errors import ReportError
from tenantmetrics.localapi import serve
from tenantmetrics.records import SHARED
from tenantmetrics.tenant.identity.configured_names import Vocabulary

data_api = testing.data_api

MIB = 2**20


@pytest.fixture(scope="module")
def data_api_endpoint():
    """An endpoint with a role that owns nothing."""
    with serve(roles=["reader"]) as endpoint:
        yield endpoint


@pytest.fixture
def execute(data_api):
    """Run one statement."""

    def run(sql):
        return data_api.client.execute_statement(**data_api.arguments, sql=sql).get("records")

    return run


@pytest.fixture
def measured(data_api):
    """Measure the database; settings are `Config`'s."""

    def run(count_bytes=64 * MIB, secret=None, **settings):
        arguments = data_api.arguments
        reader = Reader(
            data_api.client,
            arguments["resourceArn"],
            secret or arguments["secretArn"],
            data_api.database,
        )
        names = Vocabulary(config.load({}, exporters=["none"], **settings))
        return measure([reader], names, count_bytes=count_bytes)

    return run


def size_of(execute, table):
    return execute(f"SELECT pg_total_relation_size('{table}')")[0][0]["longValue"]


def table(storage, name):
    (found,) = [one for one in storage.tables if one.name == name]
    return found


def test_a_tables_bytes_are_divided_by_rows_and_add_up_to_the_database(execute, measured):
    """Three rows to one, indexes included; tables without a tenant and the rest are shared."""
    execute("CREATE TABLE bookings (tenant_id text, note text)")
    execute("CREATE INDEX ON bookings (tenant_id)")
    execute(
        "INSERT INTO bookings SELECT CASE WHEN n % 4 = 0 THEN 'bee' ELSE 'acme' END, "
        "repeat('x', 200) FROM generate_series(1, 4000) AS n"
    )
    execute("CREATE TABLE plans (name text)")
    execute("INSERT INTO plans VALUES ('pro')")
    storage = measured()
    size = size_of(execute, "bookings")
    assert storage.bytes_by_tenant["acme"] == pytest.approx(size * 3 / 4, abs=1)
    assert storage.bytes_by_tenant["bee"] == pytest.approx(size / 4, abs=1)
    whole = execute("SELECT pg_database_size(current_database())")[0][0]["longValue"]
    assert sum(storage.bytes_by_tenant.values()) == pytest.approx(whole, rel=0.01)
    assert table(storage, "public.plans").how == "no tenant column"
    assert table(storage, "public.bookings").tenants == 2


def test_tenants_are_named_as_in_the_ledger(execute, measured):
    """A uuid in lower case, a number in digits, NULL and '' nobody, a reserved name escaped."""
    execute("CREATE TABLE a (tenant_id uuid)")
    execute("INSERT INTO a VALUES ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11')")
    execute('CREATE TABLE b ("TenantId" bigint)')
    execute("INSERT INTO b VALUES (42), (NULL)")
    execute("CREATE TABLE c (tenant text)")
    execute("INSERT INTO c VALUES ('__idle__'), (''), ('=cmd()')")
    found = set(measured().bytes_by_tenant)
    assert found == {
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "42", "\\__idle__", "=cmd()", SHARED,
    }  # fmt: skip


def test_a_tenants_own_schema_is_its_own(execute, measured):
    """Schema-per-tenant needs no column; the pattern is the configuration's."""
    execute("CREATE SCHEMA tenant_7")
    execute("CREATE TABLE tenant_7.bookings (note text)")
    execute("INSERT INTO tenant_7.bookings VALUES ('x')")
    execute("CREATE SCHEMA hotel_acme")
    execute("CREATE TABLE hotel_acme.bookings (note text)")
    execute("INSERT INTO hotel_acme.bookings VALUES ('x')")
    assert measured().bytes_by_tenant["7"] == size_of(execute, "tenant_7.bookings")
    storage = measured(tenant_schema_pattern="hotel_(.+)")
    assert storage.bytes_by_tenant["acme"] == size_of(execute, "hotel_acme.bookings")
    assert "7" not in storage.bytes_by_tenant


def test_partitions_and_materialised_views_are_measured_once(execute, measured):
    """A partitioned parent holds nothing of its own; each part is divided by its own rows."""
    execute("CREATE TABLE events (tenant_id text, day int) PARTITION BY RANGE (day)")
    execute("CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10)")
    execute("CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20)")
    execute("INSERT INTO events VALUES ('acme', 1), ('bee', 11)")
    execute("CREATE MATERIALIZED VIEW totals AS SELECT tenant_id, count(*) FROM events GROUP BY 1")
    storage = measured()
    assert table(storage, "public.events_1").tenants == 1
    assert table(storage, "public.totals").tenants == 2
    assert not [one for one in storage.tables if one.name == "public.events"]
    assert storage.bytes_by_tenant["acme"] >= size_of(execute, "events_1")


def test_large_tables_are_sampled_and_say_so(execute, measured):
    """A twentieth of the pages is near the truth, and the same at every run."""
    execute("CREATE TABLE big (tenant_id text, note text)")
    execute(
        "INSERT INTO big SELECT 't' || (n * 7919) % 4, repeat('x', 400) "
        "FROM generate_series(1, 40000) AS n"
    )
    storage = measured(count_bytes=MIB)
    assert table(storage, "public.big").is_estimate
    assert table(storage, "public.big").how == "a sample of rows by tenant_id"
    size = size_of(execute, "big")
    for tenant in ("t0", "t1", "t2", "t3"):
        assert storage.bytes_by_tenant[tenant] == pytest.approx(size / 4, rel=0.25)
    assert measured(count_bytes=MIB) == storage


def test_more_tenants_than_a_response_holds_are_all_counted(execute, measured):
    """20,000 tenants with long names are 2 MB, twice what one response may have."""
    execute("CREATE TABLE wide (tenant_id text)")
    execute("INSERT INTO wide SELECT repeat('n', 100) || n FROM generate_series(1, 20000) AS n")
    assert table(measured(), "public.wide").tenants == 20_000


def test_rows_hidden_by_row_level_security_are_never_guessed(execute, measured, data_api_endpoint):
    """A role under a policy sees a part of the rows: the table is shared, and is said to be."""
    execute("CREATE TABLE bookings (tenant_id text)")
    execute("INSERT INTO bookings VALUES ('acme'), ('bee')")
    execute("ALTER TABLE bookings ENABLE ROW LEVEL SECURITY")
    execute("CREATE POLICY own ON bookings USING (tenant_id = 'acme')")
    execute("CREATE TABLE secrets (tenant_id text)")
    execute("INSERT INTO secrets VALUES ('acme')")
    execute("GRANT SELECT ON bookings TO reader")
    storage = measured(secret=data_api_endpoint.secret_arns["reader"])
    assert set(storage.bytes_by_tenant) == {SHARED}
    bookings, secrets = (table(storage, f"public.{name}") for name in ("bookings", "secrets"))
    assert "row-level security" in bookings.how
    assert secrets.how == "this role may not read it"
    assert bookings.is_blind
    assert secrets.is_blind
    assert set(measured().bytes_by_tenant) == {"acme", "bee", SHARED}


def test_nothing_can_be_written_and_no_transaction_stays_open(execute, data_api):
    """A function that writes when it is called is refused, whatever the role may do."""
    execute("CREATE TABLE log (line text)")
    execute(
        "CREATE FUNCTION spy() RETURNS text LANGUAGE sql VOLATILE AS "
        "$$ INSERT INTO log VALUES ('seen') RETURNING line $$"
    )
    arguments = data_api.arguments
    reader = Reader(
        data_api.client, arguments["resourceArn"], arguments["secretArn"], data_api.database
    )
    with pytest.raises(QueryFailedError, match="read-only transaction"):
        reader.rows("SELECT spy()")
    assert execute("SELECT count(*) FROM log")[0][0]["longValue"] == 0
    assert data_api.endpoint.open_transactions == 0


def test_a_wrong_database_is_one_clear_error(data_api, measured):
    """The API's own words, in one line."""
    arguments = data_api.arguments
    reader = Reader(data_api.client, arguments["resourceArn"], arguments["secretArn"], "nowhere")
    names = Vocabulary(config.load({}, exporters=["none"]))
    with pytest.raises(ReportError, match="cannot read database 'nowhere': ") as caught:
        measure([reader], names, count_bytes=MIB)
    assert "\n" not in str(caught.value)
