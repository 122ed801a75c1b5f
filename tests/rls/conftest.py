"""One endpoint for this folder: an application's role, and connections that keep what is set."""

from types import SimpleNamespace

import psycopg
import pytest

from tenantmetrics import testing
from tenantmetrics.dataapi.responses import rows_of
from tenantmetrics.localapi import serve

data_api = testing.data_api

SCHEMA = """
CREATE TABLE b (tenant_id text NOT NULL, note text);
INSERT INTO b VALUES ('acme', 'a1'), ('acme', 'a2'), ('globex', 'g1');
ALTER TABLE b ENABLE ROW LEVEL SECURITY;
ALTER TABLE b FORCE ROW LEVEL SECURITY;
CREATE POLICY isolated ON b
    USING (tenant_id = (SELECT current_setting('app.current_tenant_id', true)))
    WITH CHECK (tenant_id = (SELECT current_setting('app.current_tenant_id', true)));
GRANT SELECT, INSERT, UPDATE, DELETE ON b TO app;
"""


@pytest.fixture(scope="session")
def data_api_endpoint():
    """With the leaky pool, a setting that outlived its transaction would be seen."""
    with serve(roles=["app"], pool="leaky") as endpoint:
        yield endpoint


@pytest.fixture
def app(data_api):
    """Bookings of two tenants under row-level security; the application's role.

    `target` names it; `sent` is what its client was asked to send; `rows()` are all tenants' rows,
    as the superuser sees them; `alone(sql)` runs a statement as the application, outside of any
    transaction.
    """
    with psycopg.connect(data_api.psycopg_url, autocommit=True) as connection:
        connection.execute(SCHEMA)
    client = data_api.client
    target = data_api.arguments | {"secretArn": data_api.endpoint.secret_arns["app"]}
    sent = []

    def record(params, model, **_):
        sent.append((model.name, dict(params)))

    client.meta.events.register("before-parameter-build.rds-data", record)

    def rows():
        sql = "SELECT tenant_id, note FROM b ORDER BY note"
        return rows_of(client.execute_statement(**data_api.arguments, sql=sql))

    def alone(sql):
        return rows_of(client.execute_statement(**target, sql=sql))

    return SimpleNamespace(
        client=client,
        target=target,
        arns={name: target[name] for name in ("resourceArn", "secretArn")},
        sent=sent,
        rows=rows,
        alone=alone,
        endpoint=data_api.endpoint,
        url=data_api.psycopg_url,
    )


ALL = [["acme", "a1"], ["acme", "a2"], ["globex", "g1"]]


@pytest.fixture
def unchanged(app):
    """Nothing was written, and no transaction is left open."""

    def check():
        assert app.rows() == ALL
        assert app.endpoint.open_transactions == 0

    return check
