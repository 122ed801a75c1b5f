"""A shop's tables with three tenants' rows, on several databases, and who compares them.

A key is equal inside a tenant alone; texts are equal in all. `remarks` have no tenant column.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import re

import psycopg

from tenantmetrics.localapi.postgres import embedded
from tests.tenant.sql.databases import Databases

__all__ = ["TABLES", "TENANTS", "Shop", "open_shop", "with_values"]

TENANTS = ("acme", "bee", "cat")
TABLES = {
    "projects": [("tenant_id", "tenant"), ("id", "key"), ("owner_id", "key"), ("title", "text")],
    "tasks": [
        *(("id", "key"), ("tenant_id", "tenant"), ("project_id", "key"), ("parent_id", "key")),
        *(("points", "number"), ("status", "text")),
    ],
    "remarks": [("id", "key"), ("task_id", "key"), ("body", "text")],
    "links": [("tenant_id", "tenant"), ("task_id", "key"), ("other_id", "key"), ("kind", "text")],
    "tickets": [("tenant_id", "tenant"), ("no", "key"), ("project_id", "key"), ("status", "text")],
    '"Orders"': [
        ('"Id"', "key"),
        ('"TenantId"', "tenant"),
        ('"ProjectId"', "key"),
        ("word", "text"),
    ],
    "orgs": [("id", "tenant"), ("title", "text")],
    "members": [("tenant_id", "tenant"), ("user_id", "key"), ("role", "text")],
    "users": [("id", "key"), ("email", "text")],
}
DEFINED = """
CREATE SCHEMA {0}; SET search_path = {0};
CREATE TABLE projects (tenant_id text, id int PRIMARY KEY, owner_id int, title text, budget int);
CREATE TABLE tasks (id int PRIMARY KEY, tenant_id text, project_id int, parent_id int, points int,
    status text);
CREATE TABLE remarks (id int PRIMARY KEY, task_id int, body text);
CREATE TABLE links (tenant_id text, task_id int, other_id int, kind text);
CREATE TABLE tickets (tenant_id text, no int, project_id int, status text,
    PRIMARY KEY (tenant_id, no));
CREATE TABLE "Orders" ("Id" int PRIMARY KEY, "TenantId" text, "ProjectId" int, word text);
CREATE TABLE orgs (id text PRIMARY KEY, title text);
CREATE TABLE members (tenant_id text, user_id int, role text);
CREATE TABLE users (id int PRIMARY KEY, email text);
CREATE VIEW open_tasks AS SELECT * FROM tasks WHERE status = 'open';
CREATE VIEW board AS SELECT t.id AS task_id, t.tenant_id, p.title FROM tasks t
    JOIN projects p ON p.id = t.project_id;
"""
HELD = " UNION ALL ".join(f"SELECT '{name}', row_to_json(r)::text FROM {name} r" for name in TABLES)
CHANGES = re.compile(r"\b(?:UPDATE (?!SET)|DELETE FROM|INSERT INTO|MERGE INTO)")
WAYS = ("only", "other", "more")
BY_A_KEY = re.compile(r"\b(?:PARTITION BY|DISTINCT ON)\b", re.IGNORECASE)


def _rows(tenant, way, *, full):
    """A tenant's rows; in another way, other ones.

    Args:
        tenant: The tenant.
        way: Which rows.
        full: A key of another table is in every row; only `parent_id` is NULL in some.
    """
    chosen = random.Random(f"{tenant}{way}")
    block = 10 * (TENANTS.index(tenant) + 1)
    keys = [block + number for number in ((1, 2, 3) if way != "more" else (2, 3, 5, 6))]

    def key(empty=0.0):
        return None if chosen.random() < empty else chosen.choice(keys[:2])

    def text():
        return chosen.choice(("open", "done", "x"))

    yield "orgs", (tenant, text())
    for number in keys:
        yield "users", (number, text())
        yield "projects", (tenant, number, key(), text(), chosen.randrange(4))
        yield "tasks", (number, tenant, key(), key(0.4), chosen.randrange(4), text())
        yield "remarks", (number, key(), text())
        yield "links", (tenant, key(), key(), text())
        yield "tickets", (tenant, number, key(0.0 if full else 0.1), text())
        yield '"Orders"', (number, tenant, key(), text())
        yield "members", (tenant, key(), text())


@contextlib.contextmanager
def open_shop():
    """Databases for each choice of tenants."""
    with embedded() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error; SET statement_timeout = '2s'")
        connection.execute("SET jit = off")
        for held, way in itertools.product(_choices(), WAYS):
            _fill(connection, held, way, full=False)
        yield Shop(connection)


def _fill(connection, held, way, *, full):
    """Make one database."""
    connection.execute(DEFINED.format(_schema(held, way, full=full)))
    for tenant in TENANTS:
        if tenant in held or way != "only":
            for table, row in _rows(tenant, "" if tenant in held else way, full=full):
                places = ", ".join(["%s"] * len(row))
                connection.execute(f"INSERT INTO {table} VALUES ({places})", row)


def _choices():
    return [chosen for n in range(4) for chosen in itertools.combinations(TENANTS, n)]


def _schema(held, way, *, full):
    return "_".join(("full" if full else "shop", way, *held))


def with_values(sql, values):
    """A statement with its parameters written out."""

    def written(found):
        value = values[found[1]]
        if value is None or isinstance(value, bool):
            return {None: "NULL", True: "true", False: "false"}[value]
        if isinstance(value, list):
            return "'{" + ",".join(map(str, value)) + "}'"
        return str(value) if isinstance(value, int) else f"'{value}'"

    return re.sub(rf"(?<!:):({'|'.join(values)})\b", written, sql) if values else sql


class Shop:
    """Runs a statement on several databases."""

    def __init__(self, connection):
        self._connection = connection
        self._databases = Databases(connection, CHANGES, HELD)
        self._full = set()

    def interferes(self, sql, named):
        """What tenants that were not named have to do with it; None where it does not run."""
        how = self._interferes(sql, named, full=False)
        if how and BY_A_KEY.search(sql):
            # Without the schema, a key of another table is taken to be in every row where windows
            # go by it: see `may_be_null`. Then the others must have no part in it.
            how = self._interferes(sql, named, full=True)
        return how

    def _interferes(self, sql, named, *, full):
        held = [tenant for tenant in TENANTS if tenant in named]
        if full:
            self._fill_once([(TENANTS, "only"), *((tuple(held), way) for way in WAYS)])
        try:
            whole = self._databases.run(_schema(TENANTS, "only", full=full), sql)
            others = [self._databases.run(_schema(held, way, full=full), sql) for way in WAYS]
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise
            return None
        touched = {_owner(row) for change in whole[1:] for row in change} - {None}
        if touched - set(named):
            return f"it changes rows of {touched - set(named)}"
        for way, found in zip(WAYS, others, strict=True):
            if found != whole:
                return f"with other rows of the others ({way}) it does another thing"
        return ""

    def _fill_once(self, databases):
        for held, way in databases:
            if (held, way) not in self._full:
                self._full.add((held, way))
                _fill(self._connection, held, way, full=True)


def _owner(row):
    """Whose a row is; by its key where it has no tenant column."""
    table, text = row
    found = json.loads(text)
    if table in {"remarks", "users"}:
        return TENANTS[found["id"] // 10 - 1] if 10 <= found["id"] < 40 else None
    return found["id"] if table == "orgs" else found.get("tenant_id", found.get("TenantId"))
