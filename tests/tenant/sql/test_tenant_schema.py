"""With the database's schema, keys decide which rows belong together."""

from __future__ import annotations

import json

import psycopg
import pytest

from tenantmetrics import config
from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.errors import ConfigError
from tenantmetrics.localapi.postgres import embedded
from tenantmetrics.policies.read import read
from tenantmetrics.policies.source import PostgresConnection
from tenantmetrics.policies.tenant_schema import tenant_schema
from tenantmetrics.tenant.identity.schema_file import load_schema
from tests.tenant.sql.named import named_by_statement

TABLES = """
CREATE TABLE organizations (id text PRIMARY KEY, name text);
CREATE TABLE countries (id int PRIMARY KEY, code text);
CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE);
CREATE TABLE rooms (
    id int PRIMARY KEY, tenant_id text REFERENCES organizations, number int, floor int,
    country_id int REFERENCES countries, user_id int REFERENCES users, UNIQUE (tenant_id, number));
CREATE TABLE bookings (
    id int PRIMARY KEY, tenant_id text REFERENCES organizations, code text, ref int, status text,
    room_id int REFERENCES rooms, user_id int REFERENCES users, country_id int REFERENCES countries,
    UNIQUE (tenant_id, code));
CREATE TABLE notes (id int PRIMARY KEY, booking_id int REFERENCES bookings, body text);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes FORCE ROW LEVEL SECURITY;
CREATE TABLE events (id int, tenant_id text, kind text, PRIMARY KEY (tenant_id, id));
CREATE TABLE parts (
    id int, tenant_id text, event_id int, PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES events (tenant_id, id));
CREATE TABLE invoices (id int PRIMARY KEY, owner text);
"""
UPSERT = "INSERT INTO bookings (id, tenant_id, status) VALUES (1, 'acme', 'x') ON CONFLICT "
OF_ACME = "WHERE b.tenant_id = 'acme'"


@pytest.fixture(scope="module")
def described():
    """The file as the command writes it, of a real database."""
    with embedded() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(TABLES)
        with PostgresConnection(url) as connection, connection.transaction(read_only=True):
            catalogue = read(connection)
    return tenant_schema(catalogue, ("tenant_id", "owner"), shared=("count*",))


@pytest.fixture(scope="module")
def path(described, tmp_path_factory):
    file = tmp_path_factory.mktemp("schema") / "schema.json"
    file.write_text(json.dumps(described))
    return str(file)


@pytest.fixture
def claims(make_resolver, path):
    resolvers = {"with": make_resolver(tenant_schema=path), "without": make_resolver()}
    return lambda sql, which="with": resolvers[which].claims(
        request_of("ExecuteStatement", {"sql": sql, "transactionId": "t"})
    )


@pytest.fixture
def named(claims):
    def ask(sql, which="with"):
        found = claims(sql, which)
        return " ".join(sorted(named_by_statement(found))) or ("?" if found.undecided else "-")

    return ask


def test_the_file_has_what_the_catalogue_says(described):
    """Tenant columns, keys, foreign keys; no row of any table."""
    tables = described["tables"]
    assert tables["public.organizations"]["tenant"] == "id"  # what tenant columns point at
    assert tables["public.invoices"]["tenant"] == "owner"
    assert tables["public.bookings"]["keys"] == {
        "bookings_pkey": ["id"], "bookings_tenant_id_code_key": ["tenant_id", "code"],
    }  # fmt: skip
    assert tables["public.parts"]["foreign_keys"] == [
        {
            "columns": ["tenant_id", "event_id"],
            "parent": "public.events",
            "parent_columns": ["tenant_id", "id"],
        }
    ]
    assert [name for name, one in tables.items() if one["shared"]] == ["public.countries"]
    assert [name for name, one in tables.items() if one["guarded"]] == ["public.notes"]


@pytest.mark.parametrize(
    ("sql", "expected", "without"),
    [
        (f"SELECT * FROM bookings b JOIN rooms r ON r.id = b.room_id {OF_ACME}", "acme", "acme"),
        (f"SELECT * FROM bookings b JOIN notes n ON n.booking_id = b.id {OF_ACME}", "acme", "acme"),
        (f"SELECT * FROM bookings b JOIN rooms r ON r.floor = b.ref {OF_ACME}", "?", "?"),
        (f"SELECT * FROM bookings b JOIN bookings c ON c.ref = b.ref {OF_ACME}", "?", "?"),
        (f"SELECT * FROM bookings b JOIN bookings c ON c.id = b.id {OF_ACME}", "acme", "acme"),
        (f"SELECT * FROM bookings b JOIN bookings c ON c.code = b.code {OF_ACME}", "?", "?"),
        (f"SELECT * FROM bookings b JOIN rooms r ON r.id = b.id {OF_ACME}", "?", "acme"),
        (f"SELECT * FROM bookings b JOIN users u ON u.id = b.user_id {OF_ACME}", "acme", "acme"),
        (
            (
                "SELECT * FROM bookings b JOIN users u ON u.id = b.user_id "
                f"JOIN rooms r ON r.user_id = u.id {OF_ACME}"
            ),
            "?",
            "acme",
        ),
        (
            f"SELECT * FROM bookings b JOIN rooms r ON r.user_id = b.user_id {OF_ACME}",
            "?",
            "acme",
        ),
        (
            f"SELECT * FROM bookings b JOIN rooms r ON r.country_id = b.country_id {OF_ACME}",
            "?",
            "acme",
        ),
        (f"SELECT * FROM bookings b CROSS JOIN countries {OF_ACME}", "acme", "?"),
        (f"SELECT * FROM bookings b CROSS JOIN users {OF_ACME}", "?", "?"),
        (
            (
                "SELECT * FROM notes n JOIN notes m ON m.booking_id = n.booking_id "
                f"JOIN bookings b ON b.id = m.booking_id {OF_ACME}"
            ),
            "acme",
            "acme",
        ),
        (
            "SELECT * FROM events e JOIN parts p ON p.event_id = e.id WHERE e.tenant_id = 'acme'",
            "?",
            "acme",
        ),
        (
            (
                "SELECT * FROM events e JOIN parts p ON (p.tenant_id, p.event_id) = "
                "(e.tenant_id, e.id) WHERE e.tenant_id = 'acme'"
            ),
            "acme",
            "acme",
        ),
        (
            (
                "WITH q AS (SELECT user_id FROM bookings WHERE tenant_id = 'acme') "
                "SELECT * FROM rooms r JOIN q ON q.user_id = r.user_id"
            ),
            "?",
            "acme",
        ),
        (
            (
                "WITH q AS (SELECT room_id FROM bookings WHERE tenant_id = 'acme') "
                "SELECT * FROM rooms r JOIN q ON q.room_id = r.id"
            ),
            "acme",
            "acme",
        ),
        (
            "DELETE FROM rooms WHERE floor IN (SELECT ref FROM bookings WHERE tenant_id = 'acme')",
            "?",
            "?",
        ),
        (
            ("UPDATE notes SET body = 'x' FROM bookings b WHERE b.id = booking_id "
            "AND tenant_id = 'acme'"),
            "acme",
            "acme",
        ),
        (f"SELECT * FROM bookings b JOIN seen v ON v.booking_id = b.id {OF_ACME}", "acme", "acme"),
        # A column that the inner table has not is the outer one's.
        (
            ("SELECT * FROM notes WHERE id IN (SELECT booking_id FROM bookings "
            "WHERE tenant_id = 'acme')"),
            "?",
            "acme",
        ),
        (
            ("SELECT * FROM bookings WHERE id IN (SELECT booking_id FROM notes "
            "WHERE booking_id IN (SELECT id FROM bookings WHERE tenant_id = 'acme'))"),
            "acme",
            "acme",
        ),
        (
            ("SELECT * FROM notes n WHERE EXISTS (SELECT 1 FROM bookings "
            "WHERE bookings.id = booking_id AND tenant_id = 'acme')"),
            "acme",
            "?",
        ),
        (
            ("SELECT * FROM notes n WHERE EXISTS (SELECT 1 FROM bookings AS b(id, x, y, z) "
            "WHERE b.id = booking_id AND b.x = 'acme')"),
            "-",
            "-",
        ),
        (
            ("SELECT * FROM bookings WHERE EXISTS (SELECT 1 FROM users "
            "WHERE users.id = user_id AND tenant_id = 'acme')"),
            "acme",
            "?",
        ),
        ("SELECT * FROM bookings, users WHERE room_id = user_id AND tenant_id = 'acme'", "?", "?"),
        ("SELECT * FROM bookings b, users WHERE room_id = b.id AND tenant_id = 'acme'", "?", "?"),
        (
            "SELECT * FROM bookings b, users u WHERE user_id = u.id AND tenant_id = 'acme'",
            "acme",
            "acme",
        ),
        (
            ("SELECT * FROM notes n JOIN users u USING (id) WHERE EXISTS (SELECT 1 FROM rooms r "
            "WHERE r.user_id = u.id AND tenant_id = 'acme')"),
            "?",
            "acme",
        ),
        # A column keeps what it is in its table, whatever a query in between calls it.
        (
            ("SELECT * FROM rooms r JOIN (SELECT id AS k_id FROM bookings WHERE tenant_id = 'acme' "
            "UNION SELECT room_id FROM bookings WHERE tenant_id = 'acme') q ON q.k_id = r.id"),
            "?",
            "acme",
        ),
        (
            ("SELECT * FROM rooms r JOIN (SELECT id AS k_id FROM rooms WHERE tenant_id = 'acme' "
            "UNION SELECT room_id FROM bookings WHERE tenant_id = 'acme') q ON q.k_id = r.id"),
            "acme",
            "acme",
        ),
        (
            ("SELECT * FROM rooms r JOIN bookings AS b(k_id, o_id) ON r.id = b.k_id "
            "WHERE r.tenant_id = 'acme'"),
            "?",
            "?",
        ),
        ("SELECT * FROM organizations WHERE id = 'acme'", "acme", "-"),
        ("SELECT * FROM invoices WHERE owner = 'acme'", "acme", "-"),
        ("SELECT * FROM bookings WHERE owner = 'acme'", "-", "-"),
    ],
)  # fmt: skip
def test_keys_decide_what_belongs_together(named, sql, expected, without):
    """And what is said without a schema, where names have to do."""
    assert named(sql) == expected
    assert named(sql, "without") == without


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("(id) DO UPDATE SET status = excluded.status", "?"),
        ("ON CONSTRAINT bookings_pkey DO UPDATE SET status = 'x'", "?"),
        ("(id) DO UPDATE SET status = 'x' WHERE bookings.status = 'new'", "?"),
        ("(id) DO UPDATE SET status = 'x' WHERE excluded.tenant_id = 'acme'", "?"),
        ("(id) DO UPDATE SET status = 'x' WHERE bookings.tenant_id = excluded.tenant_id", "acme"),
        ("(id) DO UPDATE SET status = 'x' WHERE bookings.tenant_id = 'acme'", "acme"),
        ("(tenant_id, code) DO UPDATE SET status = excluded.status", "acme"),
        ("ON CONSTRAINT bookings_tenant_id_code_key DO UPDATE SET status = 'x'", "acme"),
        ("(id) DO NOTHING", "acme"),
    ],
)
def test_what_is_there_already_may_be_anothers(named, end, expected):
    """Unless its key has the tenant, or the condition holds it."""
    assert named(UPSERT + end) == expected
    assert named(UPSERT + end, "without") == "acme"


def test_what_is_guarded_or_shared_is_no_silent_leak(claims):
    """Row-level security holds for notes; countries are everybody's."""
    assert not claims("SELECT * FROM notes WHERE id = 1").exposed
    assert not claims("SELECT * FROM countries").exposed
    assert claims("SELECT * FROM bookings WHERE id = 1").exposed
    assert claims("SELECT * FROM notes JOIN users ON true").exposed
    assert claims("SELECT * FROM notes WHERE id = 1", "without").exposed


def test_a_name_in_two_schemas_is_not_told(tmp_path):
    """Which one is meant, the search path decides."""
    file = tmp_path / "schema.toml"
    file.write_text('[tables."a.rooms"]\ntenant = "t"\n[tables."b.rooms"]\n[tables.Plain]\n')
    schema = load_schema(str(file))
    assert schema.table("rooms") is None
    assert schema.table("rooms", "a").tenant == "t"
    assert schema.table("plain").name == "public.plain"


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", '{"tables": []}', '{"tables": {"a": 1}}', '{"tables": {"a": {"keyz": {}}}}',
        '{"tables": {"a": {"columns": "id"}}}', '{"tables": {"a": {"foreign_keys": [{}]}}}',
        ('{"tables": {"a": {"foreign_keys": [{"columns": ["x"], "parent": "b", '
        '"parent_columns": []}]}}}'),
    ],
)  # fmt: skip
def test_a_file_that_is_no_schema_is_refused_at_the_start(tmp_path, make_resolver, text):
    """The message has its name."""
    file = tmp_path / "schema.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"schema\.json"):
        make_resolver(tenant_schema=str(file))
    with pytest.raises(ConfigError, match="cannot be read"):
        make_resolver(tenant_schema=str(tmp_path / "none.json"))


def test_a_path_is_a_setting_like_any_other(tmp_path):
    """From the environment, too."""
    found = config.load({"TENANTMETRICS_TENANT_SCHEMA": str(tmp_path / "x.json")})
    assert found.tenant_schema == str(tmp_path / "x.json")
