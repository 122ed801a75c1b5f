"""Who goes away while a call runs: its client, the endpoint, PostgreSQL."""

import contextlib
import http.client
import json
import os
import signal

import psutil
import psycopg
import pytest
from botocore.config import Config
from structlog.testing import capture_logs

from tenantmetrics.localapi import serve

ONE_ATTEMPT = Config(retries={"total_max_attempts": 1})
SLEEPERS = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ~ '^SELECT pg_s'"


@pytest.fixture(scope="module")
def endpoint():
    with serve() as endpoint:
        yield endpoint


@pytest.fixture
def admin(endpoint):
    with psycopg.connect(endpoint.psycopg_url, autocommit=True) as connection:
        yield lambda sql: connection.execute(sql).fetchone()[0]


def send(endpoint, sql, **arguments):
    """A call whose answer nobody waits for; returns its connection."""
    body = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn, "sql": sql}
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=60)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/Execute", json.dumps(body | arguments), headers)
    return connection


def arguments(endpoint):
    return {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}


def abandoned(endpoint):
    return sum(
        count
        for key, count in endpoint.requests.by_key().items()
        if key.error == "ClientDisconnected"
    )


def test_the_statements_of_clients_that_left_are_cancelled(endpoint, admin, eventually):
    """Those that run, and those that wait for their turn never start."""
    before = abandoned(endpoint)
    connections = [send(endpoint, "SELECT pg_sleep(600)") for _ in range(120)]
    eventually(lambda: admin(SLEEPERS) == 100)
    for connection in connections:
        connection.close()
    eventually(lambda: abandoned(endpoint) == before + 120)
    assert admin(SLEEPERS) == 0
    client = endpoint.client()
    assert client.execute_statement(sql="SELECT 1", **arguments(endpoint))["records"]


def test_a_statement_that_continues_after_its_time_continues_without_its_client(
    endpoint, admin, eventually
):
    """That is what continueAfterTimeout asks for."""
    sql = "SELECT pg_sleep(0.5), set_config('application_name', 'went on', false)"
    connection = send(endpoint, sql, continueAfterTimeout=True)
    running = f"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = $${sql}$$"
    eventually(lambda: admin(running) == 1)
    connection.close()
    eventually(lambda: admin(running) == 0)
    done = "SELECT count(*) FROM pg_stat_activity WHERE query = 'DISCARD ALL'"
    eventually(lambda: admin(done) > 0)


def test_a_transaction_whose_client_left_a_statement_is_failed_and_can_be_rolled_back(
    endpoint, admin, eventually
):
    """As after any statement that PostgreSQL cancelled."""
    client = endpoint.client(config=ONE_ATTEMPT)
    transaction = client.begin_transaction(**arguments(endpoint))["transactionId"]
    connection = send(endpoint, "SELECT pg_sleep(600)", transactionId=transaction)
    eventually(lambda: admin(SLEEPERS) == 1)
    before = abandoned(endpoint)
    connection.close()
    eventually(lambda: abandoned(endpoint) == before + 1)
    with pytest.raises(client.exceptions.DatabaseErrorException, match="25P02"):
        client.execute_statement(sql="SELECT 1", transactionId=transaction, **arguments(endpoint))
    client.rollback_transaction(transactionId=transaction, **arguments(endpoint))


def test_stopping_ends_what_runs_with_an_answer(eventually, capfd):
    """No traceback, no bare 500."""
    with (
        serve() as endpoint,
        psycopg.connect(endpoint.psycopg_url, autocommit=True) as connection,
    ):
        waiting = send(endpoint, "SELECT pg_sleep(600)")
        eventually(lambda: connection.execute(SLEEPERS).fetchone()[0] == 1)
    response = waiting.getresponse()
    assert (response.status, json.loads(response.read())) == (
        503,
        {"message": "The endpoint is being stopped."},
    )
    assert "Traceback" not in capfd.readouterr().err


def test_connections_of_other_databases_make_room(endpoint):
    """PostgreSQL takes 300; as many transactions as that leave room when they have ended."""
    client = endpoint.client(config=ONE_ATTEMPT)
    same = arguments(endpoint)
    opened = []
    with contextlib.suppress(client.exceptions.DatabaseErrorException):
        while True:
            opened.append(client.begin_transaction(**same)["transactionId"])
    assert len(opened) > 250
    for transaction in opened:
        client.rollback_transaction(transactionId=transaction, **same)
    counted = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rds-data-api'"
    found = client.execute_statement(sql=counted, database="template1", **same)
    assert found["records"][0][0]["longValue"] <= 101


def test_idle_connections_make_room_in_a_small_postgresql(eventually):
    """Whatever its limit is, and whoever else is connected."""
    with serve() as outer, psycopg.connect(outer.psycopg_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE small LOGIN CONNECTION LIMIT 1")
        connection.execute("CREATE DATABASE second")
        url = psycopg.conninfo.make_conninfo(outer.psycopg_url, user="small")
        with serve(postgres=url) as endpoint:
            client = endpoint.client(config=ONE_ATTEMPT)
            for database in ["postgres", "second"] * 3:
                found = client.execute_statement(
                    sql="SELECT current_database()::text",
                    database=database,
                    **arguments(endpoint),
                )
                assert found["records"] == [[{"stringValue": database}]]


def test_a_postgresql_that_was_killed_is_started_again_with_its_data(eventually):
    """It is logged; after four deaths whoever started the endpoint is told instead."""
    ends = []
    with capture_logs() as logs, serve(on_death=ends.append) as endpoint:
        client = endpoint.client(config=ONE_ATTEMPT)
        same = arguments(endpoint)
        client.execute_statement(sql="CREATE TABLE kept AS SELECT 7 AS n", **same)

        def answers():
            with contextlib.suppress(client.exceptions.ClientError):
                return client.execute_statement(sql="SELECT n FROM kept", **same)["records"]

        for number in range(4):
            eventually(lambda: answers() == [[{"longValue": 7}]])
            os.kill(postmaster(), signal.SIGKILL)
            eventually(lambda: len(logs) == number + 1)  # noqa: B023 - asked at once
        eventually(lambda: len(ends) == 1)
    assert [log["event"] for log in logs] == ["postgres_restarted"] * 3 + ["postgres_died"]
    assert ends == ["it was ended by signal 9, for the 4th time"]


def postmaster():
    """The server of this process's newest endpoint."""
    keepers = [p for p in psutil.Process().children() if "keeper.py" in " ".join(p.cmdline())]
    newest = max(keepers, key=lambda keeper: keeper.create_time())
    return newest.children()[0].pid
