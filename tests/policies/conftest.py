"""Databases with a schema, on the embedded PostgreSQL and on Debian's."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from tenantmetrics import testing
from tenantmetrics.localapi import serve
from tenantmetrics.localapi.postgres import embedded
from tenantmetrics.localapi.programs import installed
from tenantmetrics.policies.source import DataApiConnection, PostgresConnection

data_api = testing.data_api

# PostgreSQL's roles are shared by all databases of a server: tests leave none behind.
_OWN_ROLES = "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres'"


@pytest.fixture(scope="session")
def data_api_endpoint():
    """With an application's role."""
    with serve(roles=["app"]) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def _debian():
    with embedded(programs=installed()) as url, psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE ROLE app LOGIN")
        yield url


@pytest.fixture
def made(data_api):
    """Run statements as the superuser; a connection of psycopg's, whose roles are dropped later."""
    with psycopg.connect(data_api.psycopg_url, autocommit=True) as connection:
        yield connection
    _drop_roles(data_api.psycopg_url)


def _drop_roles(url):
    with psycopg.connect(url, autocommit=True) as admin:
        for (name,) in admin.execute(_OWN_ROLES).fetchall():
            if name != "app":
                role = sql.Identifier(name)
                admin.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(role))
                admin.execute(sql.SQL("DROP ROLE {}").format(role))
            else:
                admin.execute("ALTER ROLE app NOSUPERUSER NOBYPASSRLS")


@pytest.fixture
def over_url(data_api, made):
    """The embedded PostgreSQL, over a connection."""
    with PostgresConnection(data_api.psycopg_url) as connection:
        yield connection, made


@pytest.fixture
def over_data_api(data_api, made):
    """The embedded PostgreSQL, over the Data API."""
    return DataApiConnection(data_api.client, **data_api.arguments), made


@pytest.fixture
def over_debian(require_postgres, request):
    """Debian's PostgreSQL, over a connection."""
    url = request.getfixturevalue("_debian")
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE checked")
    there = psycopg.conninfo.make_conninfo(url, dbname="checked")
    try:
        with (
            psycopg.connect(there, autocommit=True) as made,
            PostgresConnection(there) as connection,
        ):
            yield connection, made
        _drop_roles(there)
    finally:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("DROP DATABASE checked WITH (FORCE)")


@pytest.fixture(params=["over_url", "over_data_api", "over_debian"])
def database(request):
    """A connection of ours, and one of psycopg's to make things with: each server, each way."""
    return request.getfixturevalue(request.param)


@pytest.fixture(
    params=["over_url", pytest.param("over_data_api", marks=pytest.mark.long), "over_debian"]
)
def database_to_prove(request):
    """As `database`; hundreds of requests to the Data API are left for the long tests."""
    return request.getfixturevalue(request.param)
