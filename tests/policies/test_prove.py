"""`rls prove` names what is not isolated and nothing else, and leaves nothing behind."""

from __future__ import annotations

import psycopg
import pytest

from tenantmetrics.errors import RlsError
from tenantmetrics.policies.proof.prove import prove
from tenantmetrics.policies.scope import Settings
from tenantmetrics.policies.source import PostgresConnection
from tenantmetrics.testing import assert_isolated
from tests.policies.planted import PLANTED, RIGHT, SETTING, isolated, policy
from tests.policies.planted import made as made_sql

LEAKING = f"""
{made_sql("sound")}
CREATE VIEW leaking_view AS SELECT count(*) AS n FROM sound;
GRANT SELECT ON leaking_view TO app;
CREATE FUNCTION leaking_function(wanted text) RETURNS SETOF sound LANGUAGE sql SECURITY DEFINER
    AS 'SELECT * FROM sound WHERE tenant_id = wanted';
{policy("no_check", f"FOR SELECT TO app USING (tenant_id = {SETTING})")}
CREATE POLICY anything ON no_check FOR INSERT TO app WITH CHECK (true);
"""

HARD = """
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN short AS varchar(8) NOT NULL CHECK (VALUE ~ '^[a-z]{2,4}[0-9]+$');
CREATE DOMAIN positive AS numeric(6, 2) CHECK (VALUE > 0);
CREATE TABLE tenants (id uuid PRIMARY KEY, name text NOT NULL UNIQUE, CHECK (length(name) > 3));
CREATE TABLE values_of_all_kinds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants,
    a mood NOT NULL, b short, c positive NOT NULL, d mood[] NOT NULL, e int4range NOT NULL,
    f jsonb NOT NULL CHECK (jsonb_typeof(f) = 'array'), g char(3) NOT NULL CHECK (g = upper(g)),
    h text NOT NULL CHECK (h IN ('one', 'two')), i int NOT NULL CHECK (i BETWEEN 18 AND 99),
    j text NOT NULL CHECK (j ~* '^[^@ ]+@[^@ ]+\\.[a-z]{2,}$'), k bytea NOT NULL, l inet NOT NULL,
    m timestamptz NOT NULL, n date NOT NULL CHECK (n > '2000-01-01'), o time NOT NULL,
    p int GENERATED ALWAYS AS (i * 2) STORED, q bit(3) NOT NULL, r point NOT NULL,
    s boolean NOT NULL CHECK (s), t interval NOT NULL, u smallserial, v xid8 NOT NULL,
    starts int NOT NULL, ends int NOT NULL, CHECK (starts < ends), UNIQUE (tenant_id, u));
CREATE INDEX ON values_of_all_kinds (tenant_id);
CREATE TABLE tree (tenant_id uuid NOT NULL, id int NOT NULL, parent int NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, parent) REFERENCES tree (tenant_id, id));
CREATE TABLE hen (tenant_id uuid NOT NULL, id int NOT NULL, egg int NOT NULL,
    PRIMARY KEY (tenant_id, id));
CREATE TABLE egg (tenant_id uuid NOT NULL, id int NOT NULL, hen int, PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, hen) REFERENCES hen (tenant_id, id));
ALTER TABLE hen ADD FOREIGN KEY (tenant_id, egg) REFERENCES egg (tenant_id, id)
    DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE first (tenant_id uuid NOT NULL, id int NOT NULL, second int NOT NULL,
    PRIMARY KEY (tenant_id, id));
CREATE TABLE second (tenant_id uuid NOT NULL, id int NOT NULL, first int NOT NULL,
    PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, first) REFERENCES first (tenant_id, id));
ALTER TABLE first ADD FOREIGN KEY (tenant_id, second) REFERENCES second (tenant_id, id)
    DEFERRABLE;
CREATE TABLE numbered (tenant_id uuid NOT NULL, at date NOT NULL, n int NOT NULL)
    PARTITION BY RANGE (at);
CREATE TABLE numbered_1 PARTITION OF numbered FOR VALUES FROM ('1999-01-01') TO ('1999-02-01')
    PARTITION BY LIST (n);
CREATE TABLE numbered_2 PARTITION OF numbered_1 FOR VALUES IN (7, 8);
"""
UUID_SETTING = "(SELECT NULLIF(current_setting('app.current_tenant_id', true), '')::uuid)"
ISOLATED = "".join(
    f"""
    ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
    ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenant ON {table} TO app
        USING (tenant_id = {UUID_SETTING}) WITH CHECK (tenant_id = {UUID_SETTING});
    GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO app;
    """
    for table in ("values_of_all_kinds", "tree", "hen", "egg", "first", "second", "numbered")
)


def proof(connection, **settings):
    tables = settings.pop("tables", ())
    return prove(connection, Settings(**settings), tables=tables)


def objects(proved):
    return {one.object for one in proved}


def test_a_view_a_function_and_a_missing_check_are_named_and_nothing_else(database_to_prove):
    """Beside tables, views and functions of every kind that are right."""
    connection, admin = database_to_prove
    admin.execute(RIGHT)
    sound = proof(connection, user_column="owner_id")
    assert (sound.leaks, sound.unproved) == ([], [])
    admin.execute(LEAKING)
    found = proof(connection, user_column="owner_id")
    assert objects(found.leaks) == {
        "public.leaking_view",
        "function public.leaking_function(wanted text)",
        "public.no_check",
    }
    writes = {"INSERT", "MERGE"} if admin.info.server_version >= 150000 else {"INSERT"}
    assert {one.operation for one in found.leaks if one.object == "public.no_check"} == writes
    assert found.unproved == []


def test_rows_are_made_whatever_the_constraints_and_nothing_stays(database_to_prove):
    """Enums, domains, CHECKs, identity, generated columns, cycles of keys, partitions."""
    connection, admin = database_to_prove
    admin.execute(HARD + ISOLATED)
    admin.execute("SELECT setval('values_of_all_kinds_u_seq', 5)")
    found = proof(connection)
    assert (found.leaks, found.unproved) == ([], [])
    assert objects(found.proved) >= {"public.values_of_all_kinds", "public.first", "public.hen"}
    kept = admin.execute(
        "SELECT last_value, (SELECT count(*) FROM tenants) FROM values_of_all_kinds_u_seq"
    )
    assert kept.fetchone() == (5, 0)


LEAKS = {
    "RLS001": {"SELECT", "INSERT", "UPDATE", "DELETE", "UPSERT", "MERGE", "COPY"},
    "RLS004": {"SELECT", "COPY"},
    "RLS005": {"SELECT", "COPY"},
    "RLS009": {"SELECT", "INSERT", "MERGE"},
    "RLS010": {"SELECT", "DELETE", "UPDATE"},
    "RLS012": {"INSERT", "UPDATE", "MERGE"},  # UPDATE without WHERE: it reads no column
    "RLS020": {"UNIQUE f_email_key"},
    "RLS021": {"FOREIGN KEY f_across"},
    "RLS025": {"TRUNCATE"},
    "RLS026": {"SELECT"},
    "RLS027": {"SELECT"},
    "RLS028": {"CALL"},
}
"""Rule → operations that must be found, for faults through which another tenant is reached."""


def test_what_the_check_calls_an_error_the_proof_shows(over_url):
    """Each planted fault that lets a tenant through, and no other."""
    connection, admin = over_url
    admin.execute(RIGHT)
    names = {}
    for rule, (name, sql) in PLANTED.items():
        if rule not in {"RLS008", "RLS023", "RLS024"}:
            admin.execute(sql)
            names[name.removeprefix("policy p on ").rpartition(" on ")[2]] = rule
    found = proof(connection, user_column="owner_id")
    by_rule = {}
    for one in found.leaks:
        by_rule.setdefault(names[one.object], set()).add(one.operation)
    for rule, operations in LEAKS.items():
        assert operations <= by_rule.pop(rule), rule
    assert by_rule == {}


@pytest.mark.parametrize(
    ("words", "operation"),
    [
        (f"FOR ALL TO app USING (tenant_id = {SETTING} OR note IS NULL)", "SELECT"),
        ("FOR SELECT TO app USING (true)", "SELECT"),
        ("FOR INSERT TO app WITH CHECK (true)", "INSERT"),
        ("FOR UPDATE TO app USING (true) WITH CHECK (tenant_id IS NOT NULL)", "UPDATE"),
        ("FOR DELETE TO app USING (true)", "DELETE"),
    ],
)
def test_a_hole_for_one_command_is_found_there(over_url, words, operation):
    """Also where only a statement without WHERE gets through it: such reads no column."""
    connection, admin = over_url
    admin.execute(made_sql("b") + f"CREATE POLICY hole ON b {words}")
    leaks = {one.operation for one in proof(connection).leaks}
    assert operation in leaks
    assert ("SELECT" in leaks) == (operation == "SELECT")


def test_rows_that_are_seen_without_a_tenant_are_a_leak(over_url):
    """Policies that fall back to everything."""
    connection, admin = over_url
    unset = "current_setting('app.current_tenant_id', true) = ''"
    admin.execute(policy("b", f"TO app USING (tenant_id = {SETTING} OR (SELECT {unset}))"))
    (leak, *_) = proof(connection).leaks
    assert leak.why == "rows are seen where no tenant is set"


def test_a_function_that_writes_another_tenants_rows_is_found(over_url):
    """Whatever it answers; so is a procedure."""
    connection, admin = over_url
    admin.execute(made_sql("b"))
    body = "LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM b WHERE tenant_id = t'"
    admin.execute(f"CREATE FUNCTION f(t text) RETURNS void {body}")
    admin.execute(f"CREATE PROCEDURE p(t text) {body}")
    # PostgreSQL 14 and later write a procedure's arguments with their mode.
    found = {(one.object.replace("IN ", ""), one.why) for one in proof(connection).leaks}
    says = "it changes another tenant's rows"
    assert found == {("function public.f(t text)", says), ("function public.p(t text)", says)}


def test_the_application_and_an_owner_that_is_bound_can_prove_it_too(over_url, data_api):
    """Neither is a superuser: rows are then made as the tenants themselves."""
    _, admin = over_url
    admin.execute(
        made_sql("b") + "CREATE ROLE owns LOGIN; GRANT app TO owns; ALTER TABLE b OWNER TO owns"
    )
    for user in ("app", "owns"):
        url = psycopg.conninfo.make_conninfo(data_api.psycopg_url, user=user)
        with PostgresConnection(url) as connection:
            # Who the application is, the grants say.
            found = proof(connection)
            assert (found.leaks, found.unproved) == ([], [])
            assert objects(found.proved) == {"public.b"}
    admin.execute("REVOKE app FROM owns")
    with (
        PostgresConnection(url) as connection,
        pytest.raises(RlsError, match="cannot become 'app'"),
    ):
        proof(connection, roles=("app",))


def test_what_no_row_can_be_made_for_is_not_proved(over_url):
    """It is never called isolated."""
    connection, admin = over_url
    admin.execute(made_sql("b") + "ALTER TABLE b ADD CHECK (md5(tenant_id) = 'x')")
    found = proof(connection)
    assert found.leaks == []
    (one,) = found.unproved
    assert (one.object, one.why) == ("public.b", "no row can be made: SQLSTATE 23514")


def test_only_the_tables_that_were_named_are_tried(over_url):
    """With the views that read them; a name that is not there is an error."""
    connection, admin = over_url
    admin.execute(
        made_sql("b") + made_sql("c") + "CREATE VIEW v AS SELECT * FROM b; GRANT SELECT ON v TO app"
    )
    assert objects(proof(connection, tables=["b"]).proved) == {"public.b", "public.v"}
    assert objects(proof(connection, tables=["public.c"]).proved) == {"public.c"}
    with pytest.raises(RlsError, match="there is no table 'd'"):
        proof(connection, tables=["d"])


def test_a_test_of_ones_own_asserts_it_in_a_line(data_api, made):
    """The plugin's function: all that is not isolated is in the error, and nothing stays."""
    made.execute(made_sql("b") + made_sql("c") + "ALTER TABLE c DISABLE ROW LEVEL SECURITY")
    assert_isolated(data_api, "b", role="app")
    with pytest.raises(AssertionError, match=r"public\.c: SELECT: not isolated: another tenant's"):
        assert_isolated(data_api)
    with pytest.raises(RlsError, match="there is no table 'd'"):
        assert_isolated(data_api, "d")
    assert made.execute("SELECT count(*) FROM c").fetchone() == (0,)


@pytest.mark.parametrize(
    "view",
    [
        "SELECT sum(amount) FROM b",
        "SELECT id FROM b WHERE status = 'confirmed'",
        "SELECT id FROM b WHERE amount > 100 AND paid",
        "SELECT max(at) FROM b",
        "SELECT mood, count(*) FROM b GROUP BY mood HAVING mood = 'sad'",
    ],
)
def test_a_leaking_view_is_found_whatever_it_filters_and_sums(over_url, view):
    """The other tenant's rows have values in every column, and those that the view names."""
    connection, admin = over_url
    admin.execute("CREATE TYPE mood AS ENUM ('glad', 'sad')")
    columns = ", amount numeric(8, 2), status text, paid boolean, at date, mood mood"
    admin.execute(made_sql("b", columns) + f"CREATE VIEW v AS {view}; GRANT SELECT ON v TO app")
    found = proof(connection)
    assert objects(found.leaks) == {"public.v"}
    admin.execute("ALTER VIEW v SET (security_invoker = true)")
    assert proof(connection).leaks == []


@pytest.mark.parametrize(
    ("function", "leaks"),
    [
        ("f(id_ bigint) RETURNS text LANGUAGE sql AS 'SELECT note FROM b WHERE id = id_'", True),
        ("f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM b'", True),
        (
            """f(t text) RETURNS bigint LANGUAGE plpgsql AS $$DECLARE n bigint; BEGIN
            EXECUTE format('SELECT count(*) FROM %I', t) INTO n; RETURN n; END$$""",
            True,
        ),
        (
            f"""f() RETURNS bigint LANGUAGE sql AS
            $$SELECT count(*) FROM b WHERE tenant_id = {SETTING}$$""",
            False,
        ),
        ("f(a int, b text[]) RETURNS int LANGUAGE sql AS 'SELECT a'", False),
        ("f() RETURNS TABLE (a int, b text) LANGUAGE sql AS $$VALUES (1, 'x')$$", False),
    ],
)
def test_a_function_leaks_if_its_answer_depends_on_another_tenant(over_url, function, leaks):
    """Whatever it takes and gives; one that keeps to the tenant by itself is isolated."""
    connection, admin = over_url
    admin.execute(made_sql("b"))
    head, language, rest = function.partition(" LANGUAGE ")
    admin.execute(f"CREATE FUNCTION {head} SECURITY DEFINER{language}{rest}")
    found = proof(connection)
    assert bool(found.leaks) is leaks
    assert found.unproved == []


def test_tenants_are_named_as_the_constraints_want_them(over_url):
    """By a pattern, a list of partitions, a foreign key to a table of tenants, a number."""
    connection, admin = over_url
    admin.execute(
        "CREATE TABLE tenants (id varchar(6) PRIMARY KEY CHECK (id ~ '^t-[0-9]{3}$'));"
        "CREATE TABLE a (tenant_id varchar(6) NOT NULL REFERENCES tenants, n int);"
        "CREATE TABLE b (tenant_id text NOT NULL CHECK (tenant_id ~ '^t-[0-9]{3}$'));"
        "CREATE TABLE c (tenant_id text NOT NULL) PARTITION BY LIST (tenant_id);"
        "CREATE TABLE c1 PARTITION OF c FOR VALUES IN ('acme');"
        "CREATE TABLE c2 PARTITION OF c FOR VALUES IN ('globex');"
        "CREATE TABLE d (tenant_id text NOT NULL CHECK (tenant_id IN ('x', 'y')));"
        + "".join(isolated(table) for table in "abcd")
    )
    found = proof(connection)
    assert (found.leaks, found.unproved) == ([], [])
    assert objects(found.proved) == {f"public.{table}" for table in "abcd"}
