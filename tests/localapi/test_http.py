"""The HTTP layer: headers, one piece an answer, counts, the log, signatures."""

import http.client
import json
import socket
import urllib.request
import uuid

import pytest
import structlog
from botocore.config import Config
from botocore.exceptions import ClientError

from tenantmetrics.localapi import serve
from tenantmetrics.localapi.app import COUNTS_PATH


def test_an_answer_has_a_request_id_and_a_type(post, data_api):
    """What the SDKs read into ResponseMetadata."""
    status, headers, body = post("/Execute", {**data_api.arguments, "sql": "SELECT 1"})
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert uuid.UUID(headers["x-amzn-requestid"])
    assert body["records"] == [[{"longValue": 1}]]


def test_an_answer_arrives_in_one_piece(data_api):
    """Headers and body are one send: a first read has it all, a hundred times over."""
    body = json.dumps({**data_api.arguments, "sql": "SELECT 1"}).encode()
    head = f"POST /Execute HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection((data_api.endpoint.host, data_api.endpoint.port)) as raw:
        for _ in range(100):
            raw.sendall(head + body)
            first = raw.recv(65536)
            headers, _, content = first.partition(b"\r\n\r\n")
            assert f"content-length: {len(content)}".encode() in headers
            assert json.loads(content)["records"]


def test_pipelined_requests_are_answered_in_order(data_api):
    """Two requests in one send."""

    def request(number):
        body = json.dumps({**data_api.arguments, "sql": f"SELECT {number}"}).encode()
        return b"POST /Execute HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    with socket.create_connection((data_api.endpoint.host, data_api.endpoint.port)) as raw:
        raw.sendall(request(1) + request(2))
        answers = b""
        while answers.count(b'"records"') < 2:
            answers += raw.recv(65536)
    assert answers.index(b'"longValue":1') < answers.index(b'"longValue":2')


def test_every_request_is_counted_once(data_api, execute, fails, post):
    """By operation, status and error; another process reads the same numbers over HTTP."""
    requests = data_api.endpoint.requests
    before, total = requests.by_key(), requests.total
    execute("SELECT 1")
    execute("SELECT 1")
    fails("SELECT 1/0")
    post("/nowhere", {})
    delta = {key: n - before.get(key, 0) for key, n in requests.by_key().items()}
    assert {tuple(key): n for key, n in delta.items() if n} == {
        ("ExecuteStatement", 200, ""): 2,
        ("ExecuteStatement", 400, "DatabaseErrorException"): 1,
        ("", 404, "UnknownOperationException"): 1,
    }
    assert requests.total == total + 4
    with urllib.request.urlopen(data_api.endpoint.url + COUNTS_PATH) as response:
        assert json.load(response) == requests.as_json()


def test_the_log_has_neither_values_nor_sql(data_api_endpoint):
    """A request is logged by operation, status and sizes; what was in it stays out."""
    secret = "s3cr3t-value"
    with (
        structlog.testing.capture_logs() as log,
        serve(postgres=data_api_endpoint.psycopg_url, log=True) as endpoint,
    ):
        client = endpoint.client(config=Config(retries={"total_max_attempts": 1}))
        arns = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}
        value = [{"name": "a", "value": {"stringValue": secret}}]
        client.execute_statement(**arns, sql=f"SELECT :a, '{secret}'", parameters=value)
        with pytest.raises(ClientError, match=secret):
            client.execute_statement(**arns, sql=f"SELECT '{secret}'::int")
        client.close()
    assert [(entry["operation"], entry["status"], entry["sqlstate"]) for entry in log] == [
        ("ExecuteStatement", 200, None),
        ("ExecuteStatement", 400, "22P02"),
    ]
    assert secret not in repr(log)
    assert "SELECT" not in repr(log)


@pytest.fixture
def verifying(data_api_endpoint):
    with serve(postgres=data_api_endpoint.psycopg_url, verify={"AKID": "right"}) as endpoint:
        yield endpoint


def test_a_good_signature_passes(verifying):
    """Made by botocore, made again here."""
    client = verifying.client(aws_access_key_id="AKID", aws_secret_access_key="right")
    arns = {"resourceArn": verifying.resource_arn, "secretArn": verifying.secret_arn}
    for sql in ("SELECT 1", "SELECT 'é'"):
        assert client.execute_statement(**arns, sql=sql)["records"]
    client.close()


@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [("AKID", "wrong", "InvalidSignatureException"), ("other", "x", "UnrecognizedClientException")],
)
def test_a_bad_signature_is_refused(verifying, key, secret, code):
    """403, told apart by whose key it is."""
    client = verifying.client(aws_access_key_id=key, aws_secret_access_key=secret)
    arns = {"resourceArn": verifying.resource_arn, "secretArn": verifying.secret_arn}
    with pytest.raises(ClientError) as caught:
        client.execute_statement(**arns, sql="SELECT 1")
    client.close()
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize("header", [None, "Bearer x", "AWS4-HMAC-SHA256 Credential=a"])
def test_no_signature_is_refused(verifying, header):
    """Before the body is looked at."""
    connection = http.client.HTTPConnection(verifying.host, verifying.port)
    connection.request("POST", "/Execute", b"{}", {"Authorization": header} if header else {})
    assert connection.getresponse().status == 403
    connection.close()
