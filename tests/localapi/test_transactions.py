"""Transactions: isolated, one call at a time, and gone when nobody comes back."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from botocore.config import Config

from tenantmetrics.localapi import serve


@pytest.fixture
def begin(call):
    return lambda **arguments: call("begin_transaction", **arguments)["transactionId"]


def test_commit_keeps_and_rollback_forgets(call, execute, begin):
    """The statuses are AWS's own texts."""
    execute("CREATE TABLE t (id int)")
    kept, dropped = begin(), begin()
    assert 0 < len(kept) <= 192
    # A command line would take it for an option.
    assert not kept.startswith("-")
    execute("INSERT INTO t VALUES (1)", transaction=kept)
    execute("INSERT INTO t VALUES (2)", transaction=dropped)
    assert execute("SELECT id FROM t")["records"] == []
    assert call("commit_transaction", transactionId=kept) == {
        "transactionStatus": "Transaction Committed",
    }
    assert call("rollback_transaction", transactionId=dropped) == {
        "transactionStatus": "Rollback Complete",
    }
    assert execute("SELECT id FROM t")["records"] == [[{"longValue": 1}]]


def test_a_finished_or_unknown_transaction_is_not_found(data_api, call, fails, begin):
    """404, for every operation that takes an id."""
    ended = begin()
    call("commit_transaction", transactionId=ended)
    for identity in (ended, "unknown"):
        code, message, status = fails("SELECT 1", transaction=identity)
        assert (code, status) == ("TransactionNotFoundException", 404)
        assert identity in message
        for method in ("commit_transaction", "rollback_transaction"):
            with pytest.raises(data_api.client.exceptions.TransactionNotFoundException):
                call(method, transactionId=identity)


def test_after_a_failed_statement_nothing_works_and_nothing_is_kept(call, execute, fails, begin):
    """PostgreSQL's 25P02 until the end; the commit claims success all the same, as on AWS."""
    transaction = begin()
    execute("CREATE TABLE kept ()", transaction=transaction)
    fails("SELECT 1/0", transaction=transaction)
    assert "SQLState: 25P02" in fails("SELECT 1", transaction=transaction)[1]
    assert call("commit_transaction", transactionId=transaction) == {
        "transactionStatus": "Transaction Committed",
    }
    assert execute("SELECT to_regclass('kept')::text")["records"] == [[{"isNull": True}]]


def test_a_deferred_constraint_fails_the_commit(data_api, call, execute, fails, begin):
    """The error is PostgreSQL's, and the transaction is over."""
    execute("CREATE TABLE t (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    transaction = begin()
    execute("INSERT INTO t VALUES (1), (1)", transaction=transaction)
    with pytest.raises(data_api.client.exceptions.DatabaseErrorException, match="23505"):
        call("commit_transaction", transactionId=transaction)
    assert fails("SELECT 1", transaction=transaction)[0] == "TransactionNotFoundException"


def test_another_secret_does_not_find_the_transaction(data_api, call, begin):
    """An id alone opens nothing."""
    transaction = begin()
    other = f"{data_api.endpoint.secret_arn}-other"
    with pytest.raises(data_api.client.exceptions.TransactionNotFoundException):
        call("commit_transaction", transactionId=transaction, secretArn=other)
    call("rollback_transaction", transactionId=transaction)


def test_fifty_transactions_at_once_are_isolated(data_api, execute, call):
    """Each sees its own row and setting and nobody else's, whatever the interleaving."""
    execute("CREATE TABLE t (owner int)")
    count = 50
    client = data_api.endpoint.client(config=Config(max_pool_connections=count))
    together = threading.Barrier(count)
    arguments = data_api.arguments

    def one(number):
        transaction = client.begin_transaction(**arguments)["transactionId"]

        def run(sql):
            value = [{"name": "n", "value": {"longValue": number}}]
            return client.execute_statement(
                **arguments,
                transactionId=transaction,
                sql=sql,
                parameters=value,
            ).get("records")

        run("INSERT INTO t VALUES (:n)")
        run("SELECT set_config('app.owner', :n::text, true)")
        together.wait(60)
        seen = run("SELECT owner, current_setting('app.owner') FROM t")
        together.wait(60)
        ends = {k: v for k, v in arguments.items() if k != "database"}
        (client.commit_transaction if number % 2 else client.rollback_transaction)(
            **ends,
            transactionId=transaction,
        )
        return seen

    with ThreadPoolExecutor(count) as threads:
        seen = list(threads.map(one, range(count)))
    client.close()
    assert seen == [[[{"longValue": n}, {"stringValue": str(n)}]] for n in range(count)]
    assert execute("SELECT count(*), sum(owner % 2) FROM t")["records"] == [
        [{"longValue": 25}, {"longValue": 25}],
    ]


def test_a_busy_transaction_refuses_and_survives(data_api, call, execute, fails, begin):
    """The second call fails at once; the first and the transaction go on."""
    execute("CREATE TABLE t (id int)")
    transaction = begin()
    execute("INSERT INTO t VALUES (1)", transaction=transaction)
    with psycopg.connect(data_api.psycopg_url) as blocker, ThreadPoolExecutor(1) as thread:
        blocker.execute("SELECT pg_advisory_xact_lock(7)")
        waiting = thread.submit(execute, "SELECT pg_advisory_xact_lock(7)", transaction=transaction)
        _wait_for_lock(data_api, blocker)
        expected = ("DatabaseErrorException", "Transaction is still running a query", 400)
        assert fails("SELECT 1", transaction=transaction) == expected
        with pytest.raises(
            data_api.client.exceptions.DatabaseErrorException, match="still running"
        ):
            call("commit_transaction", transactionId=transaction)
        blocker.rollback()
        assert len(waiting.result(30)["records"]) == 1
    call("commit_transaction", transactionId=transaction)
    assert execute("SELECT id FROM t")["records"] == [[{"longValue": 1}]]


def _wait_for_lock(data_api, connection):
    """Until another backend waits for a lock."""
    for _ in range(10_000):
        waiting = connection.execute(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
        ).fetchone()
        if waiting:
            return
    pytest.fail("nobody waits")


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clocked(data_api_endpoint):
    """An endpoint of its own, with a clock of ours, over the session's PostgreSQL."""
    clock = Clock()
    with serve(postgres=data_api_endpoint.psycopg_url, clock=clock, reap_every_s=3600) as endpoint:
        client = endpoint.client(config=Config(retries={"total_max_attempts": 1}))
        yield clock, endpoint, client
        client.close()


def test_a_client_that_vanishes_leaves_no_lock_behind(clocked):
    """After 180 s without a call the transaction is rolled back and its locks are free."""
    clock, endpoint, client = clocked
    arns = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}
    transaction = client.begin_transaction(**arns)["transactionId"]
    lock = "SELECT pg_advisory_xact_lock(4711)"
    client.execute_statement(**arns, sql=lock, transactionId=transaction)
    with psycopg.connect(endpoint.psycopg_url) as other:
        attempt = "SELECT pg_try_advisory_xact_lock(4711)"
        clock.now += 179.9
        endpoint.reap()
        assert other.execute(attempt).fetchone() == (False,)
        other.rollback()
        clock.now += 0.1
        endpoint.reap()
        assert other.execute(attempt).fetchone() == (True,)
    with pytest.raises(client.exceptions.TransactionNotFoundException):
        client.commit_transaction(**arns, transactionId=transaction)
    assert endpoint.open_transactions == 0


def test_each_call_restarts_the_idle_time_but_not_the_lifetime(clocked):
    """A transaction in use lives on, up to 24 hours."""
    clock, endpoint, client = clocked
    arns = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}
    transaction = client.begin_transaction(**arns)["transactionId"]
    for _ in range(24 * 60 // 2 - 1):
        clock.now += 120
        client.execute_statement(**arns, sql="SELECT 1", transactionId=transaction)
    clock.now += 120
    with pytest.raises(client.exceptions.TransactionNotFoundException):
        client.execute_statement(**arns, sql="SELECT 1", transactionId=transaction)


def test_begin_sent_as_a_statement_holds_no_connection(execute):
    """Outside a transaction it opens one that nobody could ever end; it ends with the call."""
    execute("CREATE TABLE t (id int)")
    execute("BEGIN")
    execute("INSERT INTO t VALUES (1)")
    assert execute("SELECT count(*) FROM t")["records"] == [[{"longValue": 1}]]


@pytest.mark.parametrize(("pool", "seen"), [("reset", ""), ("leaky", "acme")])
def test_what_set_leaves_behind_depends_on_the_pool(data_api_endpoint, pool, seen):
    """Reset clears a session between calls; leaky shows what a SET without LOCAL can do."""
    with serve(postgres=data_api_endpoint.psycopg_url, pool=pool) as endpoint:
        client = endpoint.client()
        arns = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}
        client.execute_statement(**arns, sql="SET app.current_tenant_id = 'acme'")
        sql = "SELECT coalesce(current_setting('app.current_tenant_id', true), '')"
        response = client.execute_statement(**arns, sql=sql)
        client.close()
    assert response["records"] == [[{"stringValue": seen}]]
