"""capture → tenant → aggregate → export over the real endpoint, and with each part broken."""

import contextlib

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import tenantmetrics
from tenantmetrics.capture.recorder import recorder
from tenantmetrics.errors import ConfigError
from tenantmetrics.localapi import Fault, serve
from tenantmetrics.process import current
from tests.ledgers import calls_by, ledger_rows

VARIABLE = "SELECT set_config('app.current_tenant_id', :tenant, true)"


def text(name, value):
    return {"name": name, "value": {"stringValue": value}}


@pytest.fixture
def ledger(tmp_path, fresh_pipeline):
    """A folder that this test's calls are written to."""
    folder = tmp_path / "ledger"
    tenantmetrics.configure(exporters=[f"ledger:{folder}"], flush_interval_s=3600)
    return folder


@pytest.fixture
def client(endpoint, ledger):
    made = tenantmetrics.client(
        "rds-data",
        endpoint_url=endpoint.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"mode": "standard"}),
    )
    yield made
    made.close()


@pytest.fixture(scope="module", autouse=True)
def rooms(endpoint):
    """A tenant table."""
    with contextlib.closing(endpoint.client()) as plain:
        plain.execute_statement(
            resourceArn=endpoint.resource_arn,
            secretArn=endpoint.secret_arn,
            sql="CREATE TABLE rooms (tenant_id text, room int)",
        )


def test_every_call_of_an_rls_transaction_is_its_tenants(client, target, ledger):
    """BEGIN came before the tenant was known, COMMIT carries no SQL: all four are acme's."""
    ids = {name: target[name] for name in ("resourceArn", "secretArn")}
    transaction = client.begin_transaction(**target)["transactionId"]
    client.execute_statement(
        **target, sql=VARIABLE, parameters=[text("tenant", "acme")], transactionId=transaction
    )
    client.execute_statement(**target, sql="SELECT 1", transactionId=transaction)
    client.commit_transaction(**ids, transactionId=transaction)

    assert tenantmetrics.flush()
    assert calls_by(ledger, "tenant", "operation") == {
        ("acme", "BeginTransaction"): 1,
        ("acme", "ExecuteStatement"): 2,
        ("acme", "CommitTransaction"): 1,
    }


@pytest.mark.parametrize(
    "sql",
    [
        "SET LOCAL app.current_tenant_id = 'acme'",
        "SET app.current_tenant_id = 'acme'",
        "SET LOCAL application_name = 'acme'",
        "select set_config('app.current_tenant_id', 'acme', true)",
    ],
)
def test_each_way_to_set_the_variable_names_the_tenant(client, target, ledger, sql):
    """The forms that applications use, in a transaction that is rolled back."""
    ids = {name: target[name] for name in ("resourceArn", "secretArn")}
    transaction = client.begin_transaction(**target)["transactionId"]
    client.execute_statement(**target, sql=sql, transactionId=transaction)
    client.execute_statement(**target, sql="SELECT 1", transactionId=transaction)
    client.rollback_transaction(**ids, transactionId=transaction)

    assert tenantmetrics.flush()
    assert calls_by(ledger, "tenant") == {("acme",): 4}


def test_the_statement_the_context_and_nobody(client, target, ledger):
    """Three calls, three sources, each recorded with its call."""
    client.execute_statement(
        **target,
        sql="SELECT room FROM rooms WHERE tenant_id = :tenant",
        parameters=[text("tenant", "acme")],
    )
    with tenantmetrics.tenant("bee"):
        client.execute_statement(**target, sql="SELECT 1")
    client.execute_statement(**target, sql="SELECT 1")

    assert tenantmetrics.flush()
    assert calls_by(ledger, "tenant", "source") == {
        ("acme", "statement"): 1,
        ("bee", "context"): 1,
        ("__unattributed__", "unattributed"): 1,
    }


def test_parameters_changed_right_after_the_call_change_nothing(client, target, ledger):
    """A caller may reuse its list: what counted is what was sent."""
    parameters = [text("tenant", "acme")]
    client.execute_statement(
        **target,
        sql="INSERT INTO rooms (tenant_id, room) VALUES (:tenant, 1)",
        parameters=parameters,
    )
    parameters[0]["value"]["stringValue"] = "mallory"
    parameters.clear()

    assert tenantmetrics.flush()
    assert calls_by(ledger, "tenant") == {("acme",): 1}


def test_the_facts_of_a_call_reach_the_ledger(client, target, ledger, endpoint):
    """Sizes, rows, attempts, units, cluster, database, outcome: as sent and received."""
    blob = b"x" * 50_000
    with tenantmetrics.tenant("acme"):
        client.execute_statement(**target, sql="SELECT generate_series(1, 3)", parameters=[])
        client.execute_statement(
            **target,
            sql="SELECT length(:blob)",
            parameters=[{"name": "blob", "value": {"blobValue": blob}}],
        )
        with pytest.raises(ClientError):
            client.execute_statement(**target, sql="SELECT 1/0")

    assert tenantmetrics.flush()
    rows = {row["outcome"]: row for row in ledger_rows(ledger)}
    good = rows.pop("ok")
    ((code, bad),) = rows.items()
    assert (good["calls"], good["attempts"], good["rows_returned"]) == (2, 2, 4)
    # Base64 makes 66,668 characters of the blob: three steps of 32 KB, and one for the other call.
    assert good["billed_requests"] == 1 + 3
    assert good["request_bytes"] > 66_668
    assert good["resource_arn"] == endpoint.resource_arn
    assert good["database"] == endpoint.database
    assert code in {"BadRequestException", "DatabaseErrorException"}
    assert (bad["calls"], bad["rows_returned"]) == (1, 0)


def test_a_retried_call_is_one_call_with_its_attempts_counted_apart(
    client, target, ledger, endpoint
):
    """Two throttled attempts before a good one: one call, three attempts, three HTTP requests."""
    before = endpoint.requests.total
    endpoint.faults.add(Fault(kind="ThrottlingException", operation="ExecuteStatement", count=2))
    with tenantmetrics.tenant("acme"):
        client.execute_statement(**target, sql="SELECT 1")

    assert tenantmetrics.flush()
    (row,) = ledger_rows(ledger)
    assert (row["calls"], row["attempts"], row["outcome"]) == (1, 3, "ok")
    assert 0 < row["waited_ns"] < row["duration_ns"]
    assert endpoint.requests.total - before == 3


def test_all_six_operations_are_captured(ledger):
    """The deprecated ExecuteSql too, whose parameters have other names."""
    with (
        serve(version=1) as old,
        contextlib.closing(tenantmetrics.instrument(old.client())) as client,
        tenantmetrics.tenant("acme"),
    ):
        secret = {"secretArn": old.secret_arn}
        where = {"resourceArn": old.resource_arn, **secret}
        client.execute_statement(**where, sql="SELECT 1")
        client.batch_execute_statement(**where, sql="CREATE TABLE t (a int)")
        for end in (client.commit_transaction, client.rollback_transaction):
            transaction = client.begin_transaction(**where)["transactionId"]
            end(**where, transactionId=transaction)
        client.execute_sql(
            awsSecretStoreArn=old.secret_arn,
            dbClusterOrInstanceArn=old.resource_arn,
            sqlStatements="SELECT 1; SELECT generate_series(1, 2)",
        )
        assert tenantmetrics.flush()

    assert calls_by(ledger, "tenant", "operation", "resource_arn") == {
        ("acme", operation, old.resource_arn): calls
        for operation, calls in {
            "ExecuteStatement": 1,
            "BatchExecuteStatement": 1,
            "BeginTransaction": 2,
            "CommitTransaction": 1,
            "RollbackTransaction": 1,
            "ExecuteSql": 1,
        }.items()
    }
    (of_sql,) = [row for row in ledger_rows(ledger) if row["operation"] == "ExecuteSql"]
    assert of_sql["rows_returned"] == 3


class BrokenError(Exception):
    """Raised on purpose."""


def broken(*_, **__):
    raise BrokenError("with a secret: hunter2")


@pytest.mark.parametrize(
    ("part", "reason", "still_counted"),
    [
        ("recorder", "hook_error", 0),
        ("parser", "tenant_error", 1),
        ("attributor", "tenant_error", 1),
        ("aggregator", "aggregate_error", 0),
        ("exporter", "export_failed", 1),
    ],
)
def test_a_bug_of_ours_never_reaches_the_caller_and_is_counted(
    client, target, ledger, monkeypatch, capfd, part, reason, still_counted
):
    """Whatever part breaks: the query's answer comes back, one loss is counted, nothing leaks."""
    pipeline = current()
    if part == "recorder":
        monkeypatch.setattr(recorder, "record", broken)
    elif part == "parser":
        monkeypatch.setattr(recorder, "examine", broken)
        monkeypatch.setattr(recorder, "_claims", broken)
    elif part == "attributor":
        monkeypatch.setattr(pipeline._attributor, "submit", broken)
    elif part == "aggregator":
        monkeypatch.setattr(pipeline._aggregator, "add", broken)
    else:
        monkeypatch.setattr("tenantmetrics.export.ledger.LedgerExporter.export", broken)

    answer = client.execute_statement(**target, sql="SELECT 7")
    delivered = tenantmetrics.flush()

    assert answer["records"] == [[{"longValue": 7}]]
    assert delivered is (part != "exporter")
    stats = tenantmetrics.stats()
    assert stats["losses"] == {reason: 1}
    assert stats["calls"] == still_counted
    assert "hunter2" not in "".join(capfd.readouterr())


def test_a_wrong_setting_leaves_the_running_pipeline_as_it_was(client, target, ledger):
    """`configure` fails as a whole or works as a whole."""
    before = current()
    with pytest.raises(ConfigError, match=r"'carrier-pigeon'.*unknown exporter"):
        tenantmetrics.configure(exporters=["carrier-pigeon"])

    assert current() is before
    client.execute_statement(**target, sql="SELECT 1")
    assert tenantmetrics.flush()
    assert sum(row["calls"] for row in ledger_rows(ledger)) == 1


def test_configuring_anew_hands_over_what_was_pending(client, target, ledger, tmp_path):
    """Nothing recorded is lost between two configurations, and clients follow by themselves."""
    client.execute_statement(**target, sql="SELECT 1")
    second = tmp_path / "second"
    tenantmetrics.configure(exporters=[f"ledger:{second}"])
    client.execute_statement(**target, sql="SELECT 1")
    assert tenantmetrics.flush()

    assert sum(row["calls"] for row in ledger_rows(ledger)) == 1
    assert sum(row["calls"] for row in ledger_rows(second)) == 1


def test_statements_of_a_transaction_reach_the_ledger(client, target, ledger):
    """With their fingerprints, calls without work apart, none of them twice."""
    ids = {name: target[name] for name in ("resourceArn", "secretArn")}
    transaction = client.begin_transaction(**target)["transactionId"]
    client.execute_statement(
        **target, sql=VARIABLE, parameters=[text("tenant", "acme")], transactionId=transaction
    )
    for room in (1, 2):
        client.execute_statement(
            **target, sql=f"SELECT * FROM rooms WHERE room = {room}", transactionId=transaction
        )
    client.commit_transaction(**ids, transactionId=transaction)
    assert tenantmetrics.flush(10)

    rows = ledger_rows(ledger / "_statements")
    assert {row["tenant"] for row in rows} == {"acme"}
    assert sum(row["calls"] for row in rows) == 5
    calls = {}
    for row in rows:
        name = (row["summary"], row["kind"].removeprefix("cold_"))
        calls[name] = calls.get(name, 0) + row["calls"]
    assert calls["SELECT rooms", "work"] == 2
    assert sum(number for (_, kind), number in calls.items() if kind == "workless") == 2
    assert len({row["fingerprint"] for row in rows if row["summary"] == "SELECT rooms"}) == 1
    both = zip(rows, ledger_rows(ledger), strict=False)
    assert {(one["writer"], one["sequence"]) for one, _ in both} == {
        (row["writer"], row["sequence"]) for row in ledger_rows(ledger)
    }
    for measure in ("duration_ns", "waited_ns", "duration_us2", "response_bytes"):
        assert sum(r[measure] for r in rows) == sum(r[measure] for r in ledger_rows(ledger))


def test_a_snapshot_shows_what_nobody_has_flushed_yet(client, target, ledger):
    """And sends nothing."""
    with tenantmetrics.tenant("acme"):
        client.execute_statement(**target, sql="SELECT * FROM rooms")
    found = current().snapshot()
    (window,) = found.open
    assert [key.tenant for key in window.series] == ["acme"]
    assert set(window.load_ns) == {"acme"}
    assert not list(ledger.rglob("*.parquet"))
    assert tenantmetrics.flush(10)
    assert current().snapshot().open == ()
    assert calls_by(ledger, "tenant") == {("acme",): 1}


class Failing:
    """A sink with a bug."""

    def add(self, call, attribution):
        raise RuntimeError("no")


def test_a_sink_that_fails_keeps_no_call_from_the_others(client, target, ledger):
    """It is counted by name; the numbers are whole."""
    pipeline = current()
    taken = []

    class Taking:
        def add(self, call, attribution):
            taken.append((call.operation, attribution.shares))

    pipeline._sinks[:0] = [Failing()]
    pipeline._sinks.append(Taking())
    with tenantmetrics.tenant("acme"):
        client.execute_statement(**target, sql="SELECT * FROM rooms")
    assert tenantmetrics.flush(10)
    assert taken == [("ExecuteStatement", (("acme", 1),))]
    assert calls_by(ledger, "tenant") == {("acme",): 1, ("__unattributed__",): 0}
    assert tenantmetrics.stats()["losses"] == {"aggregate_error": 1}
