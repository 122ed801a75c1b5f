"""A transaction as a `with` block, on a real PostgreSQL."""

import pytest
from botocore.exceptions import ClientError

from tenantmetrics.dataapi import Transaction, TransactionRolledBackError
from tenantmetrics.dataapi.responses import rows_of


@pytest.fixture
def table(data_api):
    """A table with a unique number; gives its rows, read outside of any transaction."""

    def run(sql):
        return rows_of(data_api.client.execute_statement(**data_api.arguments, sql=sql))

    run("CREATE TABLE t (n int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, note text)")
    return lambda: run("SELECT n FROM t ORDER BY n")


def insert(transaction, number):
    return transaction.execute("INSERT INTO t (n) VALUES (:n)", {"n": number})


def test_the_end_of_the_block_commits(data_api, table):
    """Nothing is seen outside before."""
    with Transaction(data_api.client, **data_api.arguments) as transaction:
        assert insert(transaction, 1)["numberOfRecordsUpdated"] == 1
        transaction.batch_execute("INSERT INTO t (n) VALUES (:n)", [{"n": 2}, {"n": 3}])
        raw = [{"name": "n", "value": {"longValue": 3}}]
        answer = transaction.execute(
            "SELECT n FROM t WHERE n = :n", raw, includeResultMetadata=True
        )
        assert answer["columnMetadata"][0]["name"] == "n"
        assert rows_of(answer) == [[3]]
        assert table() == []
    assert table() == [[1], [2], [3]]
    assert data_api.endpoint.open_transactions == 0


@pytest.fixture
def within(data_api):
    """Run a function in a transaction's block."""

    def within(work):
        with Transaction(data_api.client, **data_api.arguments) as transaction:
            work(transaction)

    return within


class _LeftError(BaseException):
    """What is no Exception either, as Ctrl-C."""


@pytest.mark.parametrize("error", [ValueError("theirs"), _LeftError()])
def test_an_exception_rolls_back_and_is_raised_again(data_api, table, within, error):
    """The very one."""

    def work(transaction):
        insert(transaction, 1)
        raise error

    with pytest.raises(type(error)) as caught:
        within(work)
    assert caught.value is error
    assert table() == []
    assert data_api.endpoint.open_transactions == 0


def test_a_rollback_that_fails_hides_no_error(data_api, within):
    """The block's own error is what the caller must see."""
    left = []

    def work(transaction):
        left.append(transaction.id)
        data_api.endpoint.faults.add("RollbackTransaction:InternalServerErrorException")
        raise ValueError("theirs")

    with pytest.raises(ValueError, match="theirs"):
        within(work)
    data_api.endpoint.faults.clear()
    arns = {name: data_api.arguments[name] for name in ("resourceArn", "secretArn")}
    data_api.client.rollback_transaction(**arns, transactionId=left[0])


def test_a_swallowed_error_does_not_look_like_a_commit(data_api, table, within):
    """PostgreSQL keeps nothing after a failed statement; the API would answer as for a commit."""

    def work(transaction):
        insert(transaction, 1)
        with pytest.raises(ClientError, match="22012"):
            transaction.execute("SELECT 1/0")

    with pytest.raises(TransactionRolledBackError, match="savepoint"):
        within(work)
    assert table() == []
    assert data_api.endpoint.open_transactions == 0


def test_a_savepoint_makes_good_for_an_error(data_api, table):
    """After ROLLBACK TO, the transaction goes on, and is committed."""
    with Transaction(data_api.client, **data_api.arguments) as transaction:
        insert(transaction, 1)
        transaction.execute("SAVEPOINT before")
        with pytest.raises(ClientError, match="22012"):
            transaction.execute("SELECT 1/0")
        transaction.execute("ROLLBACK TO SAVEPOINT before")
    assert table() == [[1]]


def test_an_error_that_is_not_postgresqls_ends_no_transaction(data_api, table):
    """A throttled call was never run: the block may go on."""
    with Transaction(data_api.client, **data_api.arguments) as transaction:
        insert(transaction, 1)
        data_api.endpoint.faults.add("ExecuteStatement:ThrottlingException:count=1")
        with pytest.raises(ClientError, match="ThrottlingException"):
            insert(transaction, 2)
    assert table() == [[1]]


def test_a_commit_that_fails_is_raised(table, within):
    """A deferred constraint is checked there."""

    def work(transaction):
        insert(transaction, 1)
        insert(transaction, 1)

    with pytest.raises(ClientError, match="23505"):
        within(work)
    assert table() == []


def test_a_transaction_serves_one_block(data_api):
    """Its id is of a transaction that has ended."""
    transaction = Transaction(data_api.client, **data_api.arguments)
    with transaction:
        pass
    with pytest.raises(RuntimeError, match="one `with` block"), transaction:
        pass


def test_a_value_that_cannot_be_sent_rolls_back(data_api, within):
    """The caller's mistake ends the block as any other."""
    with pytest.raises(TypeError, match="'n'"):
        within(lambda transaction: insert(transaction, [1]))
    assert data_api.endpoint.open_transactions == 0
