"""Bad input: each gets the Data API's own error form, and the server stays up."""

import base64
import http.client
import json
import socket

import pytest

from tenantmetrics.dataapi.operations import PATHS

ARN = "arn:aws:rds:us-east-1:123456789012:cluster:local"


@pytest.fixture
def body(data_api):
    """A good body of ExecuteStatement, to be spoiled."""

    def body(**changes):
        return {**data_api.arguments, "sql": "SELECT :a", **changes}

    return body


@pytest.fixture
def refused(post, data_api):
    """Post what must be refused; returns (status, code, message) after checking the form."""

    def refused(path, content, **more):
        status, headers, answer = post(path, content, **more)
        assert 400 <= status < 500
        assert set(answer) == {"message"}
        assert answer["message"]
        assert "\n" not in answer["message"]
        assert headers["content-type"] == "application/json"
        assert headers["x-amzn-requestid"]
        alive = data_api.client.execute_statement(**data_api.arguments, sql="SELECT 1")
        assert alive["records"] == [[{"longValue": 1}]]
        return status, headers["x-amzn-errortype"], answer["message"]

    return refused


def value(**field):
    return [{"name": "a", "value": field}]


@pytest.mark.parametrize("content", [b"", b"{", b"nonsense", b"\xff", b'"text"', b"[]", b"null",
                                     b"[" * 100_000])  # fmt: skip
@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_is_no_json_object(refused, path, content):
    """Malformed JSON and JSON of another kind are told apart from a bad request."""
    status, code, message = refused(path, content)
    assert (status, code) == (400, "SerializationException")
    assert "JSON" in message


def test_a_wrong_content_type(refused, body):
    """Said before anything is read out of the body."""
    headers = {"Content-Type": "text/xml"}
    assert refused("/Execute", body(), headers=headers)[:2] == (
        415,
        "UnsupportedMediaTypeException",
    )


def test_a_web_page_of_another_site(refused, body):
    """A browser on this machine is not a way in for whatever page it shows."""
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert refused("/Execute", body(), headers=headers)[:2] == (403, "AccessDeniedException")


@pytest.mark.parametrize(("path", "method"), [("/", "POST"), ("/Execute/", "POST"),
                                             ("/execute", "POST"), ("/Nothing?x=1", "POST"),
                                             ("/Execute", "GET"), ("/Execute", "PUT")])  # fmt: skip
def test_an_unknown_path_or_method(refused, path, method):
    """Named in the message."""
    status, code, message = refused(path, {}, method=method)
    assert (status, code) == (404, "UnknownOperationException")
    assert method in message


@pytest.mark.parametrize("more", [1, 3_000_000])
def test_a_body_over_four_mebibytes(refused, body, more):
    """It is read to its end, so that the client hears the answer."""
    content = json.dumps(body(sql="x")).encode()
    content += b" " * (4 * 1024 * 1024 - len(content) + more)
    status, code, message = refused("/Execute", content)
    assert (status, code) == (413, "RequestEntityTooLargeException")
    assert "4194304" in message


def test_a_body_just_under_four_mebibytes_is_taken(post, body):
    """The limit counts the headers, and is no lower."""
    content = json.dumps(body(sql="SELECT 1")).encode()
    content += b" " * (4 * 1024 * 1024 - len(content) - 1024)
    assert post("/Execute", content)[0] == 200


@pytest.mark.parametrize("name", ["resourceArn", "secretArn", "sql"])
def test_a_missing_member(refused, body, name):
    """AWS's own text for a member that must not be null."""
    status, code, message = refused("/Execute", body(**{name: None}))
    assert (status, code) == (400, "ValidationException")
    assert f"'{name}'" in message
    assert "must not be null" in message


@pytest.mark.parametrize("content", [1, True, [], {}])
@pytest.mark.parametrize("name", ["resourceArn", "sql", "database", "transactionId"])
def test_a_member_of_the_wrong_type(refused, body, name, content):
    """Named, with what it must be."""
    status, _, message = refused("/Execute", body(**{name: content}))
    assert status == 400
    assert name in message


def test_an_unknown_cluster(refused, body):
    """Named, as not found."""
    unknown = ARN + "-other"
    status, code, message = refused("/Execute", body(resourceArn=unknown))
    assert (status, code) == (404, "DatabaseNotFoundException")
    assert unknown in message


def test_an_unknown_secret(refused, body):
    """Named, as a problem of the secret."""
    status, code, message = refused("/BeginTransaction", body(secretArn=ARN))
    assert (status, code) == (400, "SecretsErrorException")
    assert ARN in message


@pytest.mark.parametrize("content", ["a", "ab=c", "====", "é", "YQ", "YWI=\n", 5, None, []])
def test_a_blob_that_is_not_base64(refused, body, content):
    """Nothing is guessed, nothing is skipped."""
    status, _, message = refused("/Execute", body(parameters=value(blobValue=content)))
    assert status == 400
    assert "value" in message


@pytest.mark.parametrize(
    "field",
    [{}, {"stringValue": "a", "longValue": 1}, {"isNull": True, "stringValue": "a"},
     {"unknownValue": 1}, {"isNull": False}, {"stringValue": None}],
)  # fmt: skip
def test_a_union_without_exactly_one_member(refused, body, field):
    """Field is a union."""
    status, code, message = refused("/Execute", body(parameters=value(**field)))
    assert (status, code) == (400, "ValidationException")
    assert "parameters[0].value" in message


@pytest.mark.parametrize(
    "field",
    [{"longValue": 1.5}, {"longValue": True}, {"longValue": 2**63}, {"longValue": "1"},
     {"doubleValue": "1"}, {"doubleValue": True}, {"stringValue": 1}, {"stringValue": "\ud800"},
     {"booleanValue": "true"}, {"booleanValue": 1}, {"arrayValue": []}, {"arrayValue": {}},
     {"arrayValue": {"longValues": 1}}, {"arrayValue": {"longValues": ["a"]}},
     {"arrayValue": {"longValues": [1], "stringValues": ["a"]}},
     {"arrayValue": {"arrayValues": [1]}}, {"stringValue": "a\0b"}],
)  # fmt: skip
def test_a_value_of_the_wrong_type(refused, body, field):
    """Nothing is converted in silence."""
    assert refused("/Execute", body(parameters=value(**field)))[0] == 400


@pytest.mark.parametrize(
    "parameters",
    [{}, "a", [1], [[]], [{"name": "a"}], [{"value": {"longValue": 1}}],
     [{"name": 1, "value": {"longValue": 1}}], [{"name": "a", "value": 1}],
     [{"name": "a", "value": {"stringValue": "a"}, "typeHint": "INTERVAL"}],
     [{"name": "a", "value": {"stringValue": "a"}, "typeHint": 1}],
     [{"name": "", "value": {"longValue": 1}}]],
)  # fmt: skip
def test_parameters_that_are_not_parameters(refused, body, parameters):
    """The place is in the message."""
    assert refused("/Execute", body(parameters=parameters))[0] == 400


def test_a_parameter_twice(refused, body):
    """Neither value is preferred."""
    status, code, message = refused("/Execute", body(parameters=value(longValue=1) * 2))
    assert (status, code) == (400, "ValidationException")
    assert "'a'" in message


def test_a_missing_parameter(refused, body):
    """Named."""
    assert refused("/Execute", body())[2] == "Cannot find parameter: a"


@pytest.mark.parametrize(
    "changes",
    [{"resultSetOptions": 1}, {"resultSetOptions": {"decimalReturnType": "FLOAT"}},
     {"formatRecordsAs": "XML"}, {"includeResultMetadata": "yes"}, {"continueAfterTimeout": 1},
     {"resourceArn": "short"}, {"sql": "x" * 65_537}, {"database": "d" * 65},
     {"transactionId": "t" * 193}, {"sql": "SELECT '\0'"}, {"sql": "SELECT '\ud800'"},
     {"schema": "public"}],
)  # fmt: skip
def test_settings_outside_the_model(refused, body, changes):
    """Enumerations, lengths and types are those of the service model."""
    status, code, message = refused("/Execute", body(parameters=value(longValue=1), **changes))
    assert (status, code) in {(400, "ValidationException"), (400, "SerializationException")}
    assert len(message) < 300


@pytest.mark.parametrize("sets", [1, [1], [[1]], {"a": 1}])
def test_parameter_sets_that_are_not(refused, body, sets):
    """A batch's sets are lists of parameters."""
    assert refused("/BatchExecute", body(parameterSets=sets))[0] == 400


def test_what_is_not_in_the_model_is_ignored(post, body):
    """Newer SDKs may send more."""
    assert post("/Execute", body(sql="SELECT 1", somethingNew={"a": 1}))[0] == 200


def test_values_from_javascript_are_taken(post, body):
    """Nulls in arrays, whole floats and the texts that REST-JSON has for what is no number."""
    parameters = [
        {"name": "a", "value": {"arrayValue": {"longValues": [1, None, 2.0]}}},
        {"name": "b", "value": {"longValue": 1e15, "stringValue": None}},
        {"name": "c", "value": {"doubleValue": "Infinity"}},
        {"name": "d", "value": {"blobValue": base64.b64encode(b"\0x").decode()}},
    ]
    sql = "SELECT :a, :b, :c > 1e308, :d"
    assert post("/Execute", body(sql=sql, parameters=parameters))[2]["records"] == [
        [
            {"arrayValue": {"longValues": [1, None, 2]}},
            {"longValue": 10**15},
            {"booleanValue": True},
            {"blobValue": base64.b64encode(b"\0x").decode()},
        ],
    ]


def test_bytes_that_are_no_http(data_api, execute):
    """Answered or cut off, never fatal."""
    for noise in (
        b"\x16\x03\x01\x00\xa5",
        b"GET\r\n\r\n",
        b"\0" * 100,
        b"POST /Execute HTTP/9\r\n\r\n",
    ):
        with socket.create_connection((data_api.endpoint.host, data_api.endpoint.port)) as raw:
            raw.sendall(noise)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(4096):
                pass
    assert execute("SELECT 1")["records"] == [[{"longValue": 1}]]


def test_a_client_that_hangs_up_halfway(data_api, execute):
    """Counted as received, never answered."""
    before = data_api.endpoint.requests.total
    connection = http.client.HTTPConnection(data_api.endpoint.host, data_api.endpoint.port)
    connection.putrequest("POST", "/Execute")
    connection.putheader("Content-Length", "100")
    connection.endheaders(b"{")
    connection.close()
    while data_api.endpoint.requests.total == before:
        execute("SELECT 1")
    assert execute("SELECT 1")["records"] == [[{"longValue": 1}]]
