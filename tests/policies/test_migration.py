"""`rls sql` isolates tables, as often as it is applied, and its undo leaves no trace."""

from __future__ import annotations

import psycopg
import pytest
from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.errors import RlsError
from tenantmetrics.policies.check import check
from tenantmetrics.policies.migration import MigrationPlan, migration
from tenantmetrics.policies.read import read
from tenantmetrics.policies.scope import Settings
from tenantmetrics.policies.selection import selected
from tests.policies.planted import SETTING

PLAIN = """
CREATE SCHEMA "Other Schema";
CREATE TYPE plan AS ENUM ('free', 'paid');
CREATE DOMAIN tenant_name AS varchar(20) CHECK (VALUE <> '');
CREATE TABLE plain (id serial PRIMARY KEY, tenant_id text, user_id text);
CREATE TABLE by_uuid (id int PRIMARY KEY, tenant_id uuid NOT NULL);
CREATE TABLE by_number (tenant_id bigint NOT NULL, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE by_enum (tenant_id plan NOT NULL);
CREATE TABLE by_domain (tenant_id tenant_name);
CREATE TABLE by_char (tenant_id char(8) NOT NULL);
CREATE TABLE "Other Schema"."Select ""It"" now" (tenant_id varchar(9), "user" int);
CREATE TABLE parts (tenant_id text, at date) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE parts_2 PARTITION OF parts DEFAULT PARTITION BY LIST (tenant_id);
CREATE TABLE parts_2_1 PARTITION OF parts_2 DEFAULT;
CREATE TABLE heir (more int) INHERITS (plain);
CREATE TABLE a_table_whose_name_is_almost_as_long_as_postgres_lets_it_be_123 (tenant_id text);
CREATE TABLE countries (code text PRIMARY KEY);
"""


def catalogue(connection):
    with connection.transaction(read_only=True):
        return read(connection)


def written(connection, *, roles=("app",), settings=None, every=True, tables=(), **plan):
    found = catalogue(connection)
    settings = settings or Settings()
    chosen, _ = selected(found, settings.column, every=every, tables=tables)
    return migration(found, MigrationPlan(chosen, settings, roles, **plan))


def test_what_it_writes_passes_the_check_and_its_undo_leaves_no_trace(database):
    """Applied twice; every type of tenant column, quoted names, partitions, children."""
    connection, admin = database
    admin.execute(PLAIN)
    before = catalogue(connection)
    made = written(connection)
    admin.execute(made.up)
    once = catalogue(connection)
    admin.execute(made.up)
    assert catalogue(connection) == once
    assert check(connection, Settings()).findings == []
    assert check(connection, Settings(roles=("app",))).findings == []
    admin.execute(made.down)
    assert catalogue(connection) == before


def test_the_role_that_was_named_sees_its_tenant_alone(over_url, data_api):
    """Through the parent and by a partition's own name; no tenant, no row."""
    connection, admin = over_url
    admin.execute(PLAIN)
    admin.execute(written(connection).up)
    admin.execute("INSERT INTO parts VALUES ('a', '2026-05-05'), ('b', '2026-05-05')")
    admin.execute("INSERT INTO by_uuid SELECT n, gen_random_uuid() FROM generate_series(1, 2) n")
    admin.execute("GRANT SELECT ON parts_1 TO app")
    ((tenant,), _) = admin.execute("SELECT tenant_id::text FROM by_uuid").fetchall()
    url = psycopg.conninfo.make_conninfo(data_api.psycopg_url, user="app")
    with psycopg.connect(url) as client:
        counts = "SELECT (SELECT count(*) FROM {}), (SELECT count(*) FROM by_uuid)"
        for value, seen in {"a": (1, 0), tenant: (0, 1), "": (0, 0)}.items():
            client.execute("SELECT set_config('app.current_tenant_id', %s, true)", [value])
            for table in ("parts", "parts_1"):
                rows = "SELECT count(*) FROM " + table
                assert client.execute(rows).fetchone() == (seen[0],)
            if value != "a":
                assert client.execute(counts.format("parts")).fetchone() == seen
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute("INSERT INTO parts VALUES ('b', '2026-05-05')")


def test_a_role_that_is_not_there_is_made_and_one_that_bypasses_is_bound(over_url):
    """And both are given back by the undo."""
    connection, admin = over_url
    admin.execute("CREATE TABLE t (tenant_id text); ALTER ROLE app BYPASSRLS")
    before = catalogue(connection)
    made = written(connection, roles=("app", "New Role"))
    admin.execute(made.up)
    after = catalogue(connection)
    assert not after.roles["app"].bypass
    assert not after.roles["New Role"].login
    assert check(connection, Settings()).findings == []
    admin.execute(made.down)
    assert catalogue(connection) == before


def test_policies_that_are_there_stay_and_are_not_widened(over_url):
    """The new one is restrictive beneath them; the undo has the text of one of the same name."""
    connection, admin = over_url
    admin.execute("CREATE TABLE t (tenant_id text NOT NULL, owner text)")
    admin.execute("CREATE POLICY mine ON t FOR SELECT USING (owner = current_setting('a.b', true))")
    admin.execute("CREATE POLICY tenant_isolation ON t AS RESTRICTIVE FOR UPDATE USING (true)")
    before = catalogue(connection)
    made = written(connection)
    assert any("'mine'" in text for text in made.warnings)
    admin.execute(made.up)
    (table,) = catalogue(connection).tables.values()
    assert [policy.permissive for policy in table.policies] == [True, False]
    admin.execute(made.down)
    assert catalogue(connection) == before


def test_the_undo_of_what_is_there_already_takes_all_of_it_away(over_url):
    """Whoever lost the undo gets it by asking again."""
    connection, admin = over_url
    admin.execute("CREATE TABLE t (tenant_id text NOT NULL); GRANT SELECT ON t TO app")
    before = catalogue(connection)
    admin.execute(written(connection).up)
    admin.execute(written(connection).down)
    assert catalogue(connection) == before


def test_an_owner_is_told_what_force_does_to_its_jobs(over_url):
    """A superuser is not bound, and not told."""
    connection, admin = over_url
    admin.execute("CREATE TABLE t (tenant_id text); CREATE ROLE jobs")
    assert written(connection).warnings == []
    admin.execute("ALTER TABLE t OWNER TO jobs")
    (text,) = written(connection).warnings
    assert "FORCE applies policies to the owner 'jobs' of public.t, too" in text
    assert "pg_dump fails" in text


def test_the_user_is_tied_too_where_a_table_has_the_column(over_url):
    """Another column, another variable."""
    connection, admin = over_url
    admin.execute("CREATE TABLE t (tenant_id text NOT NULL, user_id int); CREATE TABLE u (LIKE t)")
    admin.execute("ALTER TABLE u DROP COLUMN user_id")
    settings = Settings(user_column="user_id", variable="a.t'x", user_variable="a.user")
    admin.execute(written(connection, settings=settings).up)
    tables = {table.name: table for table in catalogue(connection).tables.values()}
    assert "'a.user'" in tables["t"].policies[0].using
    assert "'a.user'" not in tables["u"].policies[0].using
    assert "'a.t''x'" in tables["u"].policies[0].using


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none", "there is no table 'none'"),
        ("t", "may be one of one.t, two.t"),
        ("v", "there is no table 'v'"),
        ("one.bare", "has no column 'tenant_id'"),
    ],
)
def test_a_name_that_is_no_table_of_tenants_is_an_error(over_url, name, says):
    """It says what it is instead."""
    connection, admin = over_url
    admin.execute("CREATE SCHEMA one; CREATE SCHEMA two; CREATE TABLE one.bare ()")
    admin.execute("CREATE TABLE one.t (tenant_id text); CREATE TABLE two.t (tenant_id text)")
    admin.execute("CREATE VIEW v AS SELECT * FROM one.t")
    with pytest.raises(RlsError, match=says):
        written(connection, every=False, tables=[name])


def test_names_are_found_as_they_stand_and_in_lower_case(over_url):
    """As PostgreSQL reads them; what stands in quotes too."""
    connection, admin = over_url
    admin.execute('CREATE TABLE "Bookings" (tenant_id text); CREATE TABLE rooms (tenant_id text)')
    for name in ("Bookings", '"Bookings"', "public.Bookings", "Rooms", "PUBLIC.rooms"):
        up = written(connection, every=False, tables=[name]).up
        assert up.count("CREATE POLICY") == 1


def test_the_command_prints_either_half_or_writes_both(data_api, made, tmp_path):
    """By pattern; warnings go to stderr and into the file."""
    made.execute("CREATE TABLE book_a (tenant_id text); CREATE TABLE book_b (id int)")
    made.execute("CREATE TABLE other (tenant_id text); GRANT SELECT ON book_a TO app")

    def run(*more):
        return CliRunner().invoke(app, ["rls", "sql", "--url", data_api.psycopg_url, *more])

    done = run("--pattern", "book*")
    assert done.exit_code == 0, done.output
    head = "CREATE POLICY tenant_isolation ON public.book_a TO app\n"
    assert f"{head}    USING (tenant_id = {SETTING})" in done.stdout
    assert "other" not in done.stdout
    assert "public.book_b has no column 'tenant_id'" in done.stderr
    assert "DISABLE ROW LEVEL SECURITY" in run("--table", "book_a", "--undo").stdout
    file = tmp_path / "isolate.sql"
    run("--all", "--concurrently", "--output", str(file))
    text = file.read_text()
    assert text.index("CREATE INDEX CONCURRENTLY") < text.index("BEGIN;")
    assert "DROP POLICY" in (tmp_path / "isolate.undo.sql").read_text()
    assert run().exit_code == 2
