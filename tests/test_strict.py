"""`strict=True` through a real client: what is refused was never sent."""

import contextlib

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

import tenantmetrics
from tenantmetrics.catalog import Level
from tenantmetrics.errors import TenantRefusedError
from tenantmetrics.export.otlp_rows import rows as otlp_rows
from tenantmetrics.export.points import groups
from tenantmetrics.tenant.session.strict import Strict
from tests.ledgers import ledger_rows

QUERY = "SELECT count(*) FROM pg_class"
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
        client.execute_statement(**target, sql=QUERY)

    assert endpoint.requests.total == before
    assert tenantmetrics.stats()["calls"] == 0


def test_a_call_with_a_tenant_passes(client, target):
    """From whatever source."""
    with tenantmetrics.tenant("acme"):
        client.execute_statement(**target, sql=QUERY)
    client.execute_statement(**target, sql="SELECT count(*) FROM pg_class /*tenant_id='acme'*/")

    assert tenantmetrics.stats()["calls"] == 2


def test_an_rls_transaction_passes_and_ends_with_its_session(client, target):
    """BEGIN, SET and COMMIT need no tenant of their own; the query runs as the session's."""
    ids = {name: target[name] for name in ("resourceArn", "secretArn")}
    transaction = client.begin_transaction(**target)["transactionId"]
    with pytest.raises(TenantRefusedError):
        client.execute_statement(**target, sql=QUERY, transactionId=transaction)
    client.execute_statement(
        **target, sql=VARIABLE, parameters=named("acme"), transactionId=transaction
    )
    client.execute_statement(**target, sql=QUERY, transactionId=transaction)
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
    client.execute_statement(**target, sql=QUERY)

    assert tenantmetrics.stats()["losses"] == {"tenant_error": 1}


CROSS = "SELECT * FROM rooms WHERE tenant_id = 'bee'"


class Kept:
    """An exporter that keeps what it gets."""

    name = "kept"

    def __init__(self):
        self.windows = []

    def export(self, windows, deadline_s):
        self.windows += windows

    def close(self):
        pass


def test_what_is_refused_is_counted_by_reason(fresh_pipeline, endpoint, target, tmp_path):
    """Statistics, metrics, the conflict alarm's metric, ledger and log; no call was made of it."""
    kept = Kept()
    tenantmetrics.configure(exporters=[kept, f"ledger:{tmp_path}"], strict=True)
    client = tenantmetrics.instrument(endpoint.client())
    with capture_logs() as lines:
        for sql in [CROSS, CROSS, "SELECT * FROM rooms"]:
            with contextlib.ExitStack() as stack:
                if sql is CROSS:
                    stack.enter_context(tenantmetrics.tenant("acme"))
                with pytest.raises(TenantRefusedError):
                    client.execute_statement(**target, sql=sql)
    client.close()
    stats = tenantmetrics.stats()
    assert stats["refused"] == {"sources_disagree": 2, "no_tenant": 1}
    assert (stats["calls"], stats["unattributed_calls"], stats["would_refuse"]) == (0, 0, {})
    assert stats["misuses"] == {"sources_disagree": 2}
    assert [(line["event"], line["reason"], line["statement"]) for line in lines] == [
        *[("tenantmetrics.call_refused", "sources_disagree", "SELECT rooms")] * 2,
        ("tenantmetrics.call_refused", "no_tenant", "SELECT rooms"),
    ]
    assert lines[0]["found"] == {"context": ["acme"], "statement": ["bee"]}

    assert tenantmetrics.flush(20)
    found = {}
    for window in kept.windows:
        for group in groups(window, level=Level.ESSENTIAL, max_tenants=10, values_max=10):
            for point in group.points:
                name = (point.metric.name, *group.dimensions)
                found[name] = found.get(name, 0) + point.values[0][0]
    assert found["RefusedCalls", "refused_sources_disagree"] == 2
    assert found["RefusedCalls", "refused_no_tenant"] == 1
    assert found["TenantConflicts",] == 2
    assert not [name for name in found if name[0] == "DatabaseErrors"]
    twins = {
        (row.twin, *(value for _, value in row.attributes)): row.value
        for window in kept.windows
        for row in otlp_rows(window)
    }
    assert twins["tenantmetrics.refused_calls", "refused_no_tenant"] == 1
    rows = [row for row in ledger_rows(tmp_path) if row["lost"]]
    assert sorted((row["outcome"], row["tenant"], row["calls"], row["lost"]) for row in rows) == [
        ("refused_no_tenant", "__unattributed__", 0, 1),
        ("refused_sources_disagree", "acme", 0, 2),
    ]
    assert {row["operation"] for row in rows} == {"ExecuteStatement"}


def test_a_process_whose_calls_were_all_refused_exports_that_at_its_end(
    fresh_pipeline, endpoint, target, tmp_path
):
    """No call ever started the background thread."""
    tenantmetrics.configure(exporters=[f"ledger:{tmp_path}"], strict=True)
    client = tenantmetrics.instrument(endpoint.client())
    with pytest.raises(TenantRefusedError):
        client.execute_statement(**target, sql="SELECT * FROM rooms")
    client.close()
    tenantmetrics.shutdown(20)
    assert [(row["outcome"], row["lost"]) for row in ledger_rows(tmp_path)] == [
        ("refused_no_tenant", 1)
    ]


def test_warn_sends_all_and_counts_what_it_would_refuse(fresh_pipeline, endpoint, target, tmp_path):
    """A call that went out is a call of the statistics, its conflict is counted once."""
    tenantmetrics.configure(exporters=[f"ledger:{tmp_path}"], strict="warn")
    client = tenantmetrics.instrument(endpoint.client())
    with capture_logs() as lines:
        with tenantmetrics.tenant("acme"):
            client.execute_statement(**target, sql=f"{QUERY} /*tenant_id='bee'*/")
        client.execute_statement(**target, sql=QUERY)
    client.close()
    stats = tenantmetrics.stats()
    assert stats["would_refuse"] == {"sources_disagree": 1, "no_tenant": 1}
    assert (stats["calls"], stats["refused"]) == (2, {})
    assert stats["misuses"] == {"sources_disagree": 1}
    assert {line["event"] for line in lines} >= {"tenantmetrics.would_refuse_call"}
    tenantmetrics.shutdown(20)
    assert not [row for row in ledger_rows(tmp_path) if row["lost"]]


@pytest.mark.parametrize("more", [{}, {"isolation_level": "SERIALIZABLE"}, {"pool_pre_ping": True}])
def test_what_sqlalchemy_asks_as_it_connects_passes(client, endpoint, more):
    """Its first connection has no tenant yet; the statement that follows must have one."""
    engine = sa.create_engine(
        "postgresql+auroradataapi://:@/postgres",
        connect_args={
            "aurora_cluster_arn": endpoint.resource_arn,
            "secret_arn": endpoint.secret_arn,
            "rds_data_client": client,
        },
        **more,
    )
    with engine.connect() as connection:
        connection.execute(sa.text("SET LOCAL app.current_tenant_id = 'acme'"))
        assert connection.execute(sa.text(QUERY)).scalar() > 42
    with engine.connect() as connection, pytest.raises(TenantRefusedError):
        connection.execute(sa.text(QUERY))
    assert tenantmetrics.stats()["refused"] == {"no_tenant": 1}
    engine.dispose()


@pytest.mark.parametrize(
    "sql", ["SELECT 1", "select 'up' as state, null, -1, true", "SELECT 1::int /* health */"]
)
def test_a_ping_needs_no_tenant(client, target, sql):
    """Constants are nobody's rows: pools and health checks ask for them without a request."""
    with contextlib.suppress(client.exceptions.BadRequestException):
        client.execute_statement(**target, sql=sql)
    assert tenantmetrics.stats()["refused"] == {}


@pytest.mark.parametrize(
    "sql",
    ["SELECT pg_sleep(0)", "SELECT 1 FROM pg_class", "SELECT (SELECT 1)", "SELECT nextval('s')"],
)
def test_what_does_work_is_no_ping(client, target, sql):
    """A function, a table or a subquery may read anybody's rows."""
    with pytest.raises(TenantRefusedError):
        client.execute_statement(**target, sql=sql)
