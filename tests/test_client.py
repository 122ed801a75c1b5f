"""Whatever made the client, it behaves the same: one module run against plain and instrumented.

Each test states what botocore does; `plain` proves the statement, the others prove that metering
changes nothing.
"""

import boto3
import botocore.session
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError
from botocore.stub import Stubber

import tenantmetrics
from tenantmetrics.errors import ConfigError

STANDARD = Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=2)


def plain(**arguments):
    return boto3.client("rds-data", **arguments)


def swapped(**arguments):
    return tenantmetrics.client("rds-data", **arguments)


def instrumented_later(**arguments):
    return tenantmetrics.instrument(boto3.client("rds-data", **arguments))


def instrumented_twice(**arguments):
    return tenantmetrics.instrument(tenantmetrics.client("rds-data", **arguments))


def of_a_session(**arguments):
    return tenantmetrics.instrument(boto3.Session()).client("rds-data", **arguments)


def of_a_botocore_session(**arguments):
    session = tenantmetrics.instrument(botocore.session.get_session())
    return session.create_client("rds-data", **arguments)


def uninstrumented(**arguments):
    return tenantmetrics.uninstrument(tenantmetrics.client("rds-data", **arguments))


MAKERS = [
    plain,
    swapped,
    instrumented_later,
    instrumented_twice,
    of_a_session,
    of_a_botocore_session,
    uninstrumented,
]
METERED_TIMES = {plain: 0, uninstrumented: 0}


@pytest.fixture(params=MAKERS, ids=lambda maker: maker.__name__)
def maker(request):
    return request.param


@pytest.fixture
def client(maker, endpoint):
    made = maker(
        region_name="us-east-1",
        endpoint_url=endpoint.url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=STANDARD,
    )
    yield made
    made.close()


def test_the_client_is_botocores_own(client):
    """Type, service, operations and exceptions are the ones that boto3 made."""
    assert isinstance(client, BaseClient)
    assert type(client).__name__ == "RDSDataService"
    assert client.meta.service_model.service_name == "rds-data"
    assert issubclass(client.exceptions.BadRequestException, ClientError)
    assert not client.can_paginate("execute_statement")


def test_a_result_comes_back_as_it_is(client, target):
    """Values, metadata and the keys of the answer."""
    answer = client.execute_statement(
        **target,
        sql="SELECT :n AS n, :t AS t",
        parameters=[
            {"name": "n", "value": {"longValue": 7}},
            {"name": "t", "value": {"stringValue": "seven"}},
        ],
        includeResultMetadata=True,
    )

    assert answer["records"] == [[{"longValue": 7}, {"stringValue": "seven"}]]
    assert [column["name"] for column in answer["columnMetadata"]] == ["n", "t"]
    assert set(answer) == {
        "ResponseMetadata",
        "records",
        "columnMetadata",
        "numberOfRecordsUpdated",
    }


def test_response_metadata_is_complete(client, target):
    """What support asks for is all there."""
    metadata = client.execute_statement(**target, sql="SELECT 1")["ResponseMetadata"]

    assert set(metadata) == {"RequestId", "HTTPStatusCode", "HTTPHeaders", "RetryAttempts"}
    assert (metadata["HTTPStatusCode"], metadata["RetryAttempts"]) == (200, 0)


def test_a_database_error_is_botocores_exception(client, target):
    """Its class, its code, PostgreSQL's own text."""
    with pytest.raises(ClientError) as caught:
        client.execute_statement(**target, sql="SELECT * FROM no_such_table")

    assert caught.value.response["Error"]["Code"] == "DatabaseErrorException"
    assert "SQLState: 42P01" in str(caught.value)
    assert caught.value.operation_name == "ExecuteStatement"


def test_an_unknown_transaction_is_its_modelled_exception(client, target):
    """`client.exceptions` works as a filter in `except`."""
    with pytest.raises(client.exceptions.TransactionNotFoundException):
        client.execute_statement(**target, sql="SELECT 1", transactionId="nobody-knows-it")


def test_wrong_parameters_never_reach_the_network(client, target):
    """Validation is botocore's own, before anything is sent."""
    with pytest.raises(ParamValidationError, match="Unknown parameter"):
        client.execute_statement(**target, sql="SELECT 1", no_such_parameter=1)


def test_an_unreachable_endpoint_is_botocores_exception(maker, unused_port):
    """After its retries, and with its own text."""
    client = maker(
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{unused_port}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=STANDARD,
    )
    with pytest.raises(EndpointConnectionError, match="Could not connect"):
        client.execute_statement(resourceArn="a" * 20, secretArn="b" * 20, sql="SELECT 1")
    client.close()


def test_a_stubber_answers_in_the_place_of_the_network(maker, client, target, fresh_pipeline):
    """Answers and errors, in order, with its checks on the parameters; metered like any other."""
    with Stubber(client) as stub:
        stub.add_response("begin_transaction", {"transactionId": "stubbed"}, target)
        stub.add_client_error("execute_statement", "ThrottlingException", "slow down", 429)

        assert client.begin_transaction(**target)["transactionId"] == "stubbed"
        with pytest.raises(ClientError, match="slow down"):
            client.execute_statement(**target, sql="SELECT 1")
        stub.add_response("commit_transaction", {"transactionStatus": "Transaction Committed"})
        client.commit_transaction(
            resourceArn=target["resourceArn"],
            secretArn=target["secretArn"],
            transactionId="stubbed",
        )
        stub.assert_no_pending_responses()
    stats = fresh_pipeline.stats()
    assert stats["calls"] == 3 * METERED_TIMES.get(maker, 1)
    assert stats["losses"] == {}
    assert stats["average_duration_ms"] < 60_000


def test_a_transaction_works_through_all_its_calls(client, target):
    """Begin, write, read back, roll back, and the row is gone."""
    ids = {name: target[name] for name in ("resourceArn", "secretArn")}
    transaction = client.begin_transaction(**target)["transactionId"]
    client.execute_statement(
        **target, sql="CREATE TEMPORARY TABLE t (a int)", transactionId=transaction
    )
    client.batch_execute_statement(
        **target,
        sql="INSERT INTO t VALUES (:a)",
        parameterSets=[[{"name": "a", "value": {"longValue": n}}] for n in range(3)],
        transactionId=transaction,
    )
    answer = client.execute_statement(
        **target, sql="SELECT count(*) FROM t", transactionId=transaction
    )
    assert answer["records"] == [[{"longValue": 3}]]
    done = client.rollback_transaction(**ids, transactionId=transaction)
    assert done["transactionStatus"] == "Rollback Complete"


def test_a_call_is_metered_once_however_often_it_was_instrumented(
    maker, client, target, fresh_pipeline
):
    """Not at all by a plain or uninstrumented client, once by any other."""
    client.execute_statement(**target, sql="SELECT 1")

    assert fresh_pipeline.stats()["calls"] == METERED_TIMES.get(maker, 1)


def test_other_services_pass_through_untouched():
    """`tenantmetrics.client("s3")` is `boto3.client("s3")`, with no handler of ours."""
    arguments = {
        "region_name": "us-east-1",
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }
    made = tenantmetrics.client("s3", **arguments)

    assert type(made).__name__ == "S3"
    assert tenantmetrics.instrument(made) is made
    assert tenantmetrics.uninstrument(made) is made


@pytest.mark.parametrize("target", ["rds-data", None, boto3, object()])
def test_what_is_neither_client_nor_session_is_refused_with_a_reason(target):
    """A set-up mistake: one clear line."""
    with pytest.raises(ConfigError, match="takes a boto3 client, a"):
        tenantmetrics.instrument(target)
