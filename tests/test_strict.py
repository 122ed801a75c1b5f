"""`strict=True` through a real client: what is refused was never sent."""

import pytest

import tenantmetrics
from tenantmetrics.errors import TenantRefusedError
from tenantmetrics.tenant.session.strict import Strict

VARIABLE = "SELECT set_config('app.current_tenant_id', :tenant, true)"


@pytest.fixture
def strict(fresh_pipeline):
    tenantmetrics.configure(exporters=["none"], strict=True)


@pytest.fixture
def client(endpoint, strict):
    made = tenantmetrics.instrument(endpoint.client())
    yield made
    made.close()


def named(tenant):
    return [{"name": "tenant", "value": {"stringValue": tenant}}]


def test_a_call_without_a_tenant_is_refused_before_it_is_sent(client, target, endpoint):
    """The error says what to do; nothing reached the network; nothing was metered."""
    before = endpoint.requests.total
    with pytest.raises(TenantRefusedError, match="nothing names a tenant"):
        client.execute_statement(**target, sql="SELECT 1")

    assert endpoint.requests.total == before
    assert tenantmetrics.stats()["calls"] == 0


def test_a_call_with_a_tenant_passes(client, target):
    """From whatever source."""
    with tenantmetrics.tenant("acme"):
        client.execute_statement(**target, sql="SELECT 1")
    client.execute_statement(**target, sql="SELECT 1 /*tenant_id='acme'*/")

    assert tenantmetrics.stats()["calls"] == 2


def test_an_rls_transaction_passes_and_ends_with_its_session(client, target):
    """BEGIN, SET and COMMIT need no tenant of their own; the query runs as the session's."""
    ids = {name: target[name] for name in ("resourceArn", "secretArn")}
    transaction = client.begin_transaction(**target)["transactionId"]
    with pytest.raises(TenantRefusedError):
        client.execute_statement(**target, sql="SELECT 1", transactionId=transaction)
    client.execute_statement(
        **target, sql=VARIABLE, parameters=named("acme"), transactionId=transaction
    )
    client.execute_statement(**target, sql="SELECT 1", transactionId=transaction)
    client.commit_transaction(**ids, transactionId=transaction)

    stats = tenantmetrics.stats()
    assert (stats["calls"], stats["unattributed_calls"], stats["losses"]) == (4, 0, {})


def test_a_statement_for_another_tenant_than_the_sessions_is_refused(client, target, endpoint):
    """A cross-tenant read that never happens."""
    ids = {name: target[name] for name in ("resourceArn", "secretArn")}
    transaction = client.begin_transaction(**target)["transactionId"]
    client.execute_statement(
        **target, sql=VARIABLE, parameters=named("acme"), transactionId=transaction
    )
    before = endpoint.requests.total
    with pytest.raises(TenantRefusedError, match="other_tenants_rows"):
        client.execute_statement(
            **target,
            sql="SELECT * FROM rooms WHERE tenant_id = :tenant",
            parameters=named("bee"),
            transactionId=transaction,
        )
    assert endpoint.requests.total == before
    client.rollback_transaction(**ids, transactionId=transaction)


def test_a_bug_of_ours_refuses_nothing(client, target, monkeypatch):
    """Strictness fails open: the query runs, and the failure is counted."""

    def broken(*_):
        raise RuntimeError

    monkeypatch.setattr(Strict, "check", broken)
    client.execute_statement(**target, sql="SELECT 1")

    assert tenantmetrics.stats()["losses"] == {"tenant_error": 1}
