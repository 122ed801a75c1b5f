"""`rls check` finds what is wrong and nothing else, over the Data API and over a connection."""

from __future__ import annotations

import pytest

from tenantmetrics.errors import RlsError
from tenantmetrics.policies.check import check
from tenantmetrics.policies.rules import RULES
from tenantmetrics.policies.scope import Settings
from tenantmetrics.policies.source import RefusedError
from tests.policies.planted import PLANTED, RIGHT, SETTING, isolated, made, policy


def found(connection, **settings):
    return check(connection, Settings(**settings)).findings


def keys(findings):
    return {finding.key for finding in findings}


def test_each_fault_is_found_and_nothing_else_and_its_mend_mends_it(database):
    """All faults at once, beside a schema without any; each SQL that is given is run as it is."""
    connection, admin = database
    admin.execute(RIGHT)
    assert found(connection) == []
    for _, sql in PLANTED.values():
        admin.execute(sql)
    findings = found(connection)
    assert keys(findings) == {(rule, name) for rule, (name, _) in PLANTED.items()}
    for finding in findings:
        admin.execute(finding.mend)
    assert found(connection) == []


def test_every_rule_is_planted():
    """The superuser is a test of its own: it cannot stand beside the others."""
    assert {rule.id for rule in RULES} - set(PLANTED) == {"RLS022"}


def test_ids_and_names_are_unique():
    """Baselines know rules by them."""
    assert len({rule.id for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)


def test_an_application_that_is_a_superuser_is_found(over_url):
    """Named, or as the only one who has any right; the mend makes it an ordinary role."""
    connection, admin = over_url
    admin.execute(made("b"))
    assert found(connection) == []
    admin.execute("ALTER ROLE app SUPERUSER")
    (finding,) = found(connection)
    assert finding.key == ("RLS022", "role app")
    admin.execute(finding.mend)
    assert found(connection) == []
    assert keys(found(connection, roles=("postgres",))) == {("RLS022", "role postgres")}
    admin.execute("REVOKE ALL ON b FROM app")
    assert ("RLS022", "role postgres") in keys(found(connection))


def test_nothing_can_be_written_while_it_looks(database):
    """PostgreSQL itself refuses it."""
    connection, _ = database
    with connection.transaction(read_only=True), pytest.raises(RefusedError) as refused:
        connection.rows("CREATE TABLE t ()")
    assert refused.value.sqlstate == "25006"


def test_a_schema_or_a_role_that_is_not_there_is_an_error(over_url):
    """As is a database without any table of tenants: a check that looks at nothing passes."""
    connection, admin = over_url
    with pytest.raises(RlsError, match="no table has a column 'tenant_id'"):
        found(connection)
    admin.execute(made("b"))
    with pytest.raises(RlsError, match="no role 'nobody'"):
        found(connection, roles=("nobody",))
    with pytest.raises(RlsError, match="no schema 'none'"):
        found(connection, schemas=("none",))


def test_only_the_schemas_that_were_named_are_looked_at(over_url):
    """And tables by whatever column holds the tenant, in its odd spelling."""
    connection, admin = over_url
    admin.execute('CREATE SCHEMA other; CREATE TABLE other.t ("Tenant Id" uuid NOT NULL)')
    admin.execute(made("b"))
    assert found(connection) == []
    wanted = {("RLS001", "other.t"), ("RLS007", "other.t")}
    findings = found(connection, schemas=("other",), column="Tenant Id")
    assert wanted <= keys(findings)
    for finding in findings:
        if finding.key in wanted:
            admin.execute(finding.mend)
    assert not wanted & keys(found(connection, schemas=("other",), column="Tenant Id"))


@pytest.mark.parametrize(
    "text",
    [
        f"USING ({SETTING} = tenant_id) WITH CHECK (tenant_id = {SETTING})",
        f"USING (tenant_id IN ({SETTING})) WITH CHECK (tenant_id = ANY (ARRAY[{SETTING}]))",
        f"""USING (tenant_id = {SETTING} AND (note = 'a' OR note = 'b'))
        WITH CHECK (tenant_id = {SETTING})""",
        f"""USING (tenant_id = {SETTING} AND note = 'a' OR tenant_id = {SETTING})
        WITH CHECK (tenant_id = {SETTING})""",
        f"USING (NOT tenant_id IS DISTINCT FROM {SETTING}) WITH CHECK (tenant_id = {SETTING})",
        f"""USING (CASE WHEN note = 'x' THEN false ELSE tenant_id = {SETTING} END)
        WITH CHECK (tenant_id = {SETTING})""",
        f"FOR SELECT TO app USING (tenant_id = {SETTING})",
        f"""USING (tenant_id IN (SELECT m.tenant_id FROM members m))
        WITH CHECK (tenant_id = {SETTING})""",
        f"""USING (EXISTS (SELECT FROM members m WHERE m.tenant_id = t.tenant_id))
        WITH CHECK (tenant_id = {SETTING})""",
    ],
)
def test_a_policy_that_ties_the_row_to_the_tenant_is_right_in_whatever_words(over_url, text):
    """No false alarm."""
    connection, admin = over_url
    admin.execute(made("members"))
    admin.execute(policy("t", text))
    assert found(connection) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("USING (true)", "RLS010"),
        ("USING ('a' = 'a') WITH CHECK (false)", "RLS010"),
        (f"USING (tenant_id = {SETTING}) WITH CHECK (true)", "RLS010"),
        ("FOR INSERT WITH CHECK (1 = 1)", "RLS010"),
        ("USING (tenant_id = 'acme') WITH CHECK (false)", "RLS012"),
        ("USING (tenant_id IS NOT NULL) WITH CHECK (false)", "RLS012"),
        ("USING (tenant_id = note) WITH CHECK (false)", "RLS012"),
        (f"USING (tenant_id <> {SETTING}) WITH CHECK (false)", "RLS012"),
        ("USING (EXISTS (SELECT FROM members m WHERE m.note = 'x')) WITH CHECK (false)", "RLS012"),
        (
            f"""USING (CASE WHEN note = 'x' THEN true ELSE tenant_id = {SETTING} END)
            WITH CHECK (false)""",
            "RLS012",
        ),
        (f"USING (note = 'x' OR tenant_id = {SETTING}) WITH CHECK (false)", "RLS011"),
        (f"FOR INSERT WITH CHECK (note = 'x' OR tenant_id = {SETTING})", "RLS011"),
        (f"FOR UPDATE USING (tenant_id = {SETTING})", "RLS013"),
        ("USING (random() > 2 AND tenant_id = 'x') WITH CHECK (false)", "RLS014"),
    ],
)
def test_a_policy_that_does_not_is_found_in_whatever_words(over_url, text, rule):
    """By the rule that says why."""
    connection, admin = over_url
    admin.execute(made("members"))
    admin.execute(policy("t", text))
    assert (rule, "policy p on public.t") in keys(found(connection))


def test_a_restrictive_policy_is_a_floor_only_for_its_commands_and_roles(over_url):
    """One for SELECT does not hold an INSERT; one for another role holds nobody."""
    connection, admin = over_url
    floor = f"AS RESTRICTIVE {{}} USING (tenant_id = {SETTING})"
    for name, words in {"t1": "FOR SELECT TO app", "t2": "TO postgres"}.items():
        admin.execute(policy(name, "TO app USING (true) WITH CHECK (true)"))
        admin.execute(f"CREATE POLICY floor ON {name} {floor.format(words)}")
    admin.execute(policy("t3", "TO app USING (true) WITH CHECK (true)"))
    admin.execute(f"CREATE POLICY floor ON t3 {floor.format('')}")
    names = {name for rule, name in keys(found(connection)) if rule == "RLS010"}
    assert names == {"policy p on public.t1", "policy p on public.t2"}


def test_what_a_role_inherits_it_has(over_url):
    """At any remove: BYPASSRLS by SET ROLE, and a privilege of a group's."""
    connection, admin = over_url
    admin.execute(made("b"))
    admin.execute("CREATE ROLE top BYPASSRLS; CREATE ROLE middle IN ROLE top; GRANT middle TO app")
    assert keys(found(connection, roles=("app",))) == {
        ("RLS023", "role app"),
        ("RLS023", "role top"),
    }
    admin.execute("ALTER ROLE top NOBYPASSRLS")
    admin.execute("CREATE TABLE p (tenant_id text NOT NULL, n int) PARTITION BY LIST (n)")
    admin.execute("CREATE TABLE p1 PARTITION OF p DEFAULT; CREATE INDEX ON p (tenant_id)")
    admin.execute(isolated("p") + "GRANT SELECT ON p1 TO top")
    assert keys(found(connection, roles=("app",))) == {("RLS004", "public.p1")}


def test_a_function_that_builds_its_statements_is_a_warning(over_url):
    """What it reads cannot be known; one that no policy binds could read all."""
    connection, admin = over_url
    admin.execute(made("b"))
    admin.execute(
        "CREATE FUNCTION f(t text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS"
        " $$BEGIN EXECUTE 'DELETE FROM ' || t; END$$"
    )
    (finding,) = found(connection)
    assert (finding.rule.id, finding.severity) == ("RLS028", "warning")
    admin.execute("ALTER FUNCTION f OWNER TO app")
    assert found(connection) == []


def test_the_catalogue_of_many_tables_is_read_in_pages(over_data_api):
    """The Data API hands over 1 MiB at most: no table is lost on the way."""
    connection, admin = over_data_api
    wide = ", ".join(f"a_column_with_a_long_name_{n} numeric(12, 2) DEFAULT 0" for n in range(60))
    admin.execute(f"CREATE TABLE t0 (tenant_id text NOT NULL, {wide})")
    for number in range(1, 120):
        admin.execute(f"CREATE TABLE t{number} (LIKE t0)")
    report = check(connection, Settings())
    assert len(report.tables) == 120


def test_an_application_that_owns_one_of_its_tables_is_found(over_url):
    """Told by its grants on the others; the mend gives the table to nobody who logs in."""
    connection, admin = over_url
    admin.execute(made("a") + made("b") + "ALTER TABLE b OWNER TO app")
    (finding,) = found(connection)
    assert finding.key == ("RLS024", "role app")
    assert "is the owner of public.b" in finding.why
    admin.execute(finding.mend)
    assert found(connection) == []


@pytest.mark.parametrize(
    "words",
    [
        "is_admin",
        "current_setting('app.is_admin', true) = 'true'",
        "current_setting('app.is_admin', true)::boolean",
        "pg_has_role(current_user, 'app', 'member')",
        "current_user = 'admin'",
        "(SELECT current_setting('app.role', true)) IN ('admin', 'support')",
    ],
)
def test_an_or_for_administrators_is_one_finding_however_it_asks(over_url, words):
    """And no second one about how the branch is evaluated."""
    connection, admin = over_url
    admin.execute(made("b", ", is_admin boolean") + "DROP POLICY tenant ON b")
    admin.execute(f"CREATE POLICY p ON b TO app USING (tenant_id = {SETTING} OR {words})")
    assert keys(found(connection)) == {("RLS011", "policy p on public.b")}
