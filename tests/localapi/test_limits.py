"""Size and time limits, and what outlives them."""

import json

import psycopg
import pytest
from botocore.config import Config

from tenantmetrics.localapi import serve


@pytest.mark.parametrize(
    "sql",
    ["SELECT repeat('x', 60000) FROM generate_series(1, 18)", "SELECT repeat('x', 2000000)",
     "SELECT n FROM generate_series(1, 1000000) n", "SELECT '\\x00'::bytea, repeat('\"', 600000)"],
)  # fmt: skip
def test_a_response_over_one_mebibyte_is_refused(fails, sql):
    """By the code and with the texts that clients of version 2 look for."""
    code, message, status = fails(sql)
    assert (code, status) == ("UnsupportedResultException", 400)
    assert "Database response exceeded size limit" in message
    assert "The result exceeds the size limit 1 MB." in message


def test_a_response_over_the_limit_ends_its_statement(fails, execute):
    """A thousand million rows are not read to their end, and the connection can be used again."""
    sql = "SELECT generate_series(1, 1000000000)"
    assert fails(sql)[0] == "UnsupportedResultException"
    left = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = :running"
    assert execute(left, running={"stringValue": sql})["records"] == [[{"longValue": 0}]]


def test_a_response_just_under_one_mebibyte_is_given(execute):
    """The limit is on the answer's bytes."""
    response = execute("SELECT repeat('x', 60000) FROM generate_series(1, 17)")
    assert len(response["records"]) == 17


def test_a_refused_result_ends_its_transaction(call, execute, fails):
    """Its locks are gone with it; version 1 leaves it open, and a client pages there."""
    transaction = call("begin_transaction")["transactionId"]
    execute("SELECT pg_advisory_xact_lock(99)", transaction=transaction)
    fails("SELECT n FROM generate_series(1, 1000000) n", transaction=transaction)
    assert fails("SELECT 1", transaction=transaction)[0] == "TransactionNotFoundException"
    assert execute("SELECT pg_try_advisory_lock(99)")["records"] == [[{"booleanValue": True}]]


def test_formatted_records_may_be_larger(execute, fails):
    """Ten megabytes instead of one."""
    options = {"formatRecordsAs": "JSON"}
    sql = "SELECT repeat('x', 60000) AS x FROM generate_series(1, {})"
    assert len(json.loads(execute(sql.format(100), options=options)["formattedRecords"])) == 100
    assert "size limit" in fails(sql.format(200), options=options)[1]


def test_one_value_may_fill_the_answer(execute):
    """Values of half a megabyte come through."""
    response = execute("SELECT repeat('x', 500000), convert_to(repeat('x', 300000), 'UTF8')")
    assert [len(next(iter(field.values()))) for field in response["records"][0]] == [500000, 300000]


@pytest.fixture
def hurried(data_api_endpoint):
    """An endpoint whose calls may run a quarter of a second."""
    with serve(
        postgres=data_api_endpoint.psycopg_url,
        statement_timeout_s=0.25,
        reap_every_s=3600,
    ) as endpoint:
        client = endpoint.client(config=Config(retries={"total_max_attempts": 1}))
        arns = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}
        yield endpoint, client, arns
        client.close()


def running(endpoint, sql):
    """Backends that run a text right now."""
    with psycopg.connect(endpoint.psycopg_url) as connection:
        return connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = %s",
            [sql],
        ).fetchone()[0]


def test_a_statement_over_the_time_limit_is_cancelled(hurried):
    """StatementTimeoutException, and PostgreSQL has stopped working on it."""
    endpoint, client, arns = hurried
    sql = "SELECT pg_sleep(60) AS cancelled"
    with pytest.raises(client.exceptions.StatementTimeoutException, match="timed out"):
        client.execute_statement(**arns, sql=sql)
    assert running(endpoint, sql) == 0
    assert client.execute_statement(**arns, sql="SELECT 1")["records"] == [[{"longValue": 1}]]


def test_a_timeout_in_a_transaction_fails_the_transaction(hurried):
    """As any failed statement does."""
    _, client, arns = hurried
    transaction = client.begin_transaction(**arns)["transactionId"]
    with pytest.raises(client.exceptions.StatementTimeoutException):
        client.execute_statement(**arns, transactionId=transaction, sql="SELECT pg_sleep(60)")
    with pytest.raises(client.exceptions.DatabaseErrorException, match="25P02"):
        client.execute_statement(**arns, transactionId=transaction, sql="SELECT 1")
    client.rollback_transaction(**arns, transactionId=transaction)


def test_continue_after_timeout_lets_it_run(hurried):
    """The caller gets the timeout, the statement goes on and takes effect."""
    endpoint, client, arns = hurried
    with psycopg.connect(endpoint.psycopg_url) as gate:
        gate.execute("SELECT pg_advisory_lock(815)")
        sql = "SELECT pg_advisory_lock(815), set_config('app.done', 'yes', false)"
        with pytest.raises(client.exceptions.StatementTimeoutException):
            client.execute_statement(**arns, sql=sql, continueAfterTimeout=True)
        assert running(endpoint, sql) == 1
        gate.execute("SELECT pg_advisory_unlock(815)")
        gate.commit()
        while running(endpoint, sql):
            pass


def test_a_transaction_stays_busy_while_its_statement_continues(hurried):
    """Until it ends, other calls are refused."""
    endpoint, client, arns = hurried
    transaction = client.begin_transaction(**arns)["transactionId"]
    inside = {**arns, "transactionId": transaction}
    with psycopg.connect(endpoint.psycopg_url, autocommit=True) as gate:
        gate.execute("SELECT pg_advisory_lock(816)")
        with pytest.raises(client.exceptions.StatementTimeoutException):
            client.execute_statement(
                **inside,
                sql="SELECT pg_advisory_xact_lock(816)",
                continueAfterTimeout=True,
            )
        with pytest.raises(client.exceptions.DatabaseErrorException, match="still running"):
            client.commit_transaction(**inside)
        gate.execute("SELECT pg_advisory_unlock(816)")
    while True:
        try:
            assert (
                client.commit_transaction(**inside)["transactionStatus"] == "Transaction Committed"
            )
            break
        except client.exceptions.DatabaseErrorException as error:
            assert "still running" in str(error)  # noqa: PT017 - until the statement has ended
