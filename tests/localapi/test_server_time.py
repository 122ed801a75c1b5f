"""PostgreSQL's own account of what each call took."""

import json
import urllib.error
import urllib.request
from collections import Counter

import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tenantmetrics.localapi import ServerTime, label_calls, serve, servertime
from tenantmetrics.localapi.app import SERVER_TIME_PATH
from tenantmetrics.localapi.servertime import Meter
from tenantmetrics.sqltext.fingerprint import fingerprint

ROLE = "one_of_many"


@pytest.fixture(scope="module")
def timing():
    """An endpoint that keeps the account, over a PostgreSQL that reports durations."""
    with serve(time_statements=True, roles=[ROLE]) as endpoint:
        yield endpoint


@pytest.fixture
def account(timing):
    timing.server_time.clear()
    timing.faults.clear()
    return timing.server_time


@pytest.fixture
def run(timing, account):
    """Run a statement of `label`, as the superuser or as a role."""
    label = [""]
    client = timing.client(config=Config(retries={"total_max_attempts": 1}))
    label_calls(client, lambda: label[0])

    def run(sql, of="", secret=None, method="execute_statement", **more):
        label[0] = of
        arns = {"resourceArn": timing.resource_arn, "secretArn": secret or timing.secret_arn}
        return getattr(client, method)(**arns, **({"sql": sql} if sql else {}), **more)

    yield run
    client.close()


def test_each_label_has_the_time_that_postgresql_spent_on_it(run, account, timing):
    """Sleeping in the database counts, waiting outside of it does not."""
    timing.faults.add("overhead:median=1")
    run("SELECT pg_sleep(0.2)::text", of="sleeper")
    run("SELECT 1", of="waiter")

    times = account.by_label()
    assert set(times) == {"sleeper", "waiter"}
    assert times["sleeper"] >= 200_000_000
    assert times["waiter"] < 1_000_000_000
    (slept,) = [row for row in account.rows() if row.label == "sleeper"]
    assert 0 < slept.server_ns < slept.socket_ns


def test_without_a_label_the_role_tells(run, account, timing):
    """Sessions of a role are its own."""
    run("SELECT pg_sleep(0.05)::text", secret=timing.secret_arns[ROLE])
    run("SELECT 1")
    assert account.by_label().keys() == {ROLE, ""}
    assert account.by_label()[ROLE] >= 50_000_000


def test_a_call_has_the_statements_that_it_ran_and_no_more(run, account, timing):
    """BEGIN and COMMIT are calls; the reset between calls is nobody's."""
    begun = run("", of="a", method="begin_transaction")["transactionId"]
    run("SELECT 1 AS n", of="a", transactionId=begun)
    run("SELECT 1 AS m", of="a")
    arns = {"resourceArn": timing.resource_arn, "secretArn": timing.secret_arn}
    client = timing.client()
    client.commit_transaction(**arns, transactionId=begun)
    client.close()

    rows = account.rows()
    assert [(row.label, row.operation, row.calls, row.statements) for row in rows] == [
        ("", "CommitTransaction", 1, 1),
        ("a", "BeginTransaction", 1, 1),
        ("a", "ExecuteStatement", 1, 1),
        ("a", "ExecuteStatement", 1, 1),
    ]
    assert {row.fingerprint for row in rows} == {
        0,
        fingerprint("SELECT 1 AS n"),
        fingerprint("SELECT 1 AS m"),
    }
    assert all(0 < row.server_ns <= row.socket_ns for row in rows)


def test_statements_that_differ_in_values_are_one_row(run, account):
    """As in the ledger."""
    for number in range(3):
        run(f"SELECT {number}", of="a")
    (row,) = account.rows()
    assert (row.calls, row.statements, row.fingerprint) == (3, 3, fingerprint("SELECT 1"))


def test_a_statement_that_fails_has_the_sockets_time(run, account):
    """PostgreSQL reports the parts that succeeded, and would leave out the sleep."""
    with pytest.raises(ClientError, match="22012"):
        run("SELECT pg_sleep(0.1)::text, 1 / (random() * 0)::int", of="a")
    (row,) = account.rows()
    assert row.server_ns == row.socket_ns >= 100_000_000


def test_another_process_reads_the_same_account(run, account, timing):
    """Over HTTP, as it reads the request counts."""
    run("SELECT 1", of="a")
    with urllib.request.urlopen(timing.url + SERVER_TIME_PATH) as response:
        assert json.load(response) == account.as_json()


def test_a_postgresql_that_reports_nothing_is_timed_on_the_socket(data_api_endpoint):
    """By URL, without a superuser's `log_duration`."""
    with serve(postgres=data_api_endpoint.psycopg_url, time_statements=True) as endpoint:
        client = endpoint.client()
        arns = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}
        client.execute_statement(**arns, sql="SELECT pg_sleep(0.05)::text")
        client.close()
        (row,) = endpoint.server_time.rows()
    assert row.server_ns == row.socket_ns >= 50_000_000


def test_without_the_option_nothing_is_asked_and_nothing_is_there(data_api, execute):
    """Sessions are as PostgreSQL opens them, and the address is no operation."""
    assert data_api.endpoint.server_time is None
    for name, value in (("client_min_messages", "notice"), ("log_duration", "off")):
        assert execute(f"SHOW {name}")["records"] == [[{"stringValue": value}]]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(data_api.endpoint.url + SERVER_TIME_PATH)


def test_the_log_does_not_grow_with_the_reports(timing):
    """They go to the session that asked for them."""
    with psycopg.connect(timing.psycopg_url) as connection:
        shown = connection.execute("SHOW log_min_messages").fetchone()
    assert shown == ("fatal",)


def test_the_account_is_bounded_and_its_sums_stay_exact(monkeypatch):
    """A suite that writes literals into its SQL for days does not fill the memory."""
    monkeypatch.setattr(servertime, "MAX_ROWS", 10)
    account = ServerTime()
    for number in range(100):
        meter = Meter()
        meter.add(number, number)
        account.add(
            meter,
            label=str(number),
            role="r",
            database="",
            operation="ExecuteStatement",
            sql=f"SELECT x{number}",
        )
    rows = account.rows()
    assert len(rows) == 11
    totals = Counter()
    for row in rows:
        totals.update(calls=row.calls, server_ns=row.server_ns)
    assert totals == {"calls": 100, "server_ns": sum(range(100))}
