"""What reaches the endpoint, and what comes back."""

import gzip
import http.client
import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenantmetrics.localapi import serve

from .conftest import CLUSTER, OWN, SECRET

TOKENS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
HEADERS = st.lists(
    st.tuples(st.sampled_from(["x-amzn-RequestId", "x-one", "Date", "Server", "X-Two"]), TOKENS),
    max_size=5,
)
ANSWERS = st.one_of(
    st.binary(max_size=300),
    st.builds(lambda rows: json.dumps({"records": rows}).encode(), st.lists(st.just([]))),
    st.integers(60_000, 1_048_576).map(lambda size: b'{"formattedRecords":"' + b"x" * size + b'"}'),
)


def exchanged(port, path, body, headers):
    """A request to a port and all of the answer that counts."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    kept = [(name.lower(), value) for name, value in response.getheaders()]
    return response.status, [pair for pair in kept if pair[0] != "connection"], content


@settings(
    max_examples=settings.default.max_examples // 2,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    path=st.sampled_from(["/Execute", "/BatchExecute", "/CommitTransaction", "/ExecuteSql"]),
    body=st.one_of(
        st.binary(max_size=200),
        st.dictionaries(st.text(max_size=8), st.text(max_size=50), max_size=4).map(
            lambda found: json.dumps({"resourceArn": CLUSTER, **found}).encode()
        ),
    ),
    status=st.sampled_from([200, 200, 200, 400, 403, 404, 413, 429, 500, 503, 504]),
    headers=HEADERS,
    answer=ANSWERS,
)
def test_bodies_and_answers_are_the_same_through_and_direct(
    shared, path, body, status, headers, answer
):
    """Byte for byte: what the endpoint gets and what the client gets, status and headers too."""
    running, scripted = shared
    scripted.answer = lambda _: (status, headers, answer)
    sent = {"content-type": "application/json", "user-agent": "a/1 b/2"}
    direct = exchanged(scripted.server_address[1], path, body, sent)
    through = exchanged(running.address[1], path, body, sent)
    assert through == direct
    asked, forwarded = scripted.seen[-2:]
    assert (forwarded.path, forwarded.body) == (asked.path, asked.body)
    assert dict(forwarded.headers)["user-agent"] == "a/1 b/2"


@pytest.fixture
def shared(sidecar, scripted):
    """One sidecar before a scripted endpoint."""
    return sidecar(scripted.url), scripted


def test_a_call_is_signed_anew_with_few_headers(shared, body):
    """What the SDK signed with does not go on; cookies, tenants and addresses do not either."""
    running, scripted = shared
    running.post(
        body=body(),
        authorization="AWS4-HMAC-SHA256 Credential=THEIRS",
        x_amz_date="20200101T000000Z",
        x_amz_security_token="theirs",
        x_amz_content_sha256="theirs",
        cookie="a=b",
        x_tenant_id="acme",
        x_forwarded_for="1.2.3.4",
        x_envoy_expected_rq_timeout_ms="1",
        via="1.1 somebody",
        connection="keep-alive, X-Amz-Date, Authorization",
        amz_sdk_invocation_id="1-2-3",
        amz_sdk_request="attempt=1; max=3",
        x_amz_user_agent="aws-sdk-js/3",
        accept="*/*",
        accept_encoding="identity",
    )
    got = dict(scripted.seen[-1].headers)
    authorization = got.pop("authorization")
    assert got.pop("x-amz-date") != "20200101T000000Z"
    assert got == {
        "host": scripted.url.removeprefix("http://"),
        "content-length": str(len(body())),
        "content-type": "application/json",
        "x-amz-security-token": "its token",
        "amz-sdk-invocation-id": "1-2-3",
        "amz-sdk-request": "attempt=1; max=3",
        "x-amz-user-agent": "aws-sdk-js/3",
        "accept": "*/*",
        "accept-encoding": "identity",
        "x-tenantmetrics-metered": "1",
    }
    assert "Credential=SIDECAR/" in authorization
    assert "/eu-west-1/rds-data/aws4_request" in authorization
    signed = authorization.split("SignedHeaders=")[1].split(",")[0]
    assert signed == "content-type;host;x-amz-date;x-amz-security-token"


def test_what_gateways_add_is_neither_signed_nor_sent(shared, body):
    """The next hop rewrites it, and a signature over it holds no more (toolhive#4670)."""
    running, scripted = shared
    added = {
        "x_forwarded_for": "1.2.3.4",
        "x_forwarded_host": "gateway.example",
        "x_forwarded_proto": "https",
        "x_forwarded_port": "443",
        "x_real_ip": "1.2.3.4",
        "forwarded": "for=1.2.3.4;proto=https",
        "x_amzn_trace_id": "Root=1-2-3",
        "te": "trailers",
    }
    assert running.post(body=body(), **added).status == 200
    got = dict(scripted.seen[-1].headers)
    assert not {name.replace("_", "-") for name in added} & got.keys() - {"x-amzn-trace-id"}
    signed = got["authorization"].split("SignedHeaders=")[1].split(",")[0]
    assert signed == "content-type;host;x-amz-date;x-amz-security-token"


@pytest.mark.parametrize("size", [49_152, 49_153, 1 << 20, (1 << 20) + 1, 4 * 1024 * 1024 - 4_096])
def test_bodies_up_to_the_limits_go_through_byte_for_byte(shared, size):
    """1 MB is what the Data API answers at most, 4 MiB what it takes; at once and in chunks."""
    running, scripted = shared
    content = random.Random(size).randbytes(size)
    scripted.answer = lambda seen: (200, [], seen.body)
    for body in (content, iter([content[: size // 3], content[size // 3 :]])):
        connection = http.client.HTTPConnection("127.0.0.1", running.address[1], timeout=30)
        connection.request("POST", "/Execute", body)
        assert connection.getresponse().read() == content
        connection.close()
        assert scripted.seen[-1].body == content


def test_an_answer_without_end_is_cut_off(shared, body):
    """With a length and without: no endpoint fills the memory, and nobody gets half an answer."""
    running, scripted = shared
    part = b"x" * 65_536
    too_long = 17 * 1024 * 1024
    chunk = b"%x\r\n%s\r\n" % (len(part), part)
    chunked = chunk * (too_long // len(part)) + b"0\r\n\r\n"
    for headers, content in (
        ([], b"x" * too_long),
        ([("Transfer-Encoding", "chunked")], chunked),
    ):
        scripted.answer = lambda _, answer=(200, headers, content): answer
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            running.post(body=body())
    assert running.recorded().calls(outcome="ConnectionClosedError") == 2


def everything(client, target):
    """Results of every operation, the ids that differ from one time to the next apart."""
    text = {"name": "t", "value": {"stringValue": "é\\\"'"}}
    target = {name: target[name] for name in ("resourceArn", "secretArn")}
    seen = []

    def note(operation, **arguments):
        try:
            answer = getattr(client, operation)(**target, **arguments)
        except client.exceptions.ClientError as error:
            answer = error.response
        metadata = answer.pop("ResponseMetadata")
        seen.append(
            (operation, metadata["HTTPStatusCode"], sorted(metadata["HTTPHeaders"]), answer)
        )
        return answer.pop("transactionId", None)

    note("execute_statement", sql="CREATE TEMP TABLE IF NOT EXISTS nothing ()")
    note(
        "execute_statement",
        sql="SELECT :t::text, NULL, 1.5::numeric, ARRAY[1, 2]",
        parameters=[text],
    )
    note(
        "execute_statement", sql="SELECT 1 AS a", formatRecordsAs="JSON", includeResultMetadata=True
    )
    note("execute_statement", sql="SELECT repeat('x', 1000000)")
    note("execute_statement", sql="SELECT repeat('x', 2000000)")
    note("execute_statement", sql="SELECT 1/0")
    note("execute_statement", sql="SELEC")
    sets = [[{"name": "n", "value": {"longValue": number}}] for number in range(3)]
    begun = note("begin_transaction")
    note("execute_statement", sql="CREATE TABLE through (n int)", transactionId=begun)
    note("batch_execute_statement", sql="INSERT INTO through VALUES (:n)", parameterSets=sets,
         transactionId=begun)  # fmt: skip
    note("execute_statement", sql="SELECT sum(n) FROM through", transactionId=begun)
    note("rollback_transaction", transactionId=begun)
    note("execute_statement", sql="SELECT * FROM through")
    begun = note("begin_transaction")
    note("batch_execute_statement", sql="SELECT :n / 0", parameterSets=sets, transactionId=begun)
    note("commit_transaction", transactionId=begun)
    note("commit_transaction", transactionId="none")
    return seen


def test_every_operation_has_the_same_results_through_and_direct(sidecar, endpoint, target):
    """Transactions, batches, errors, 1 MB and above; and each is counted as the endpoint did."""
    running = sidecar(endpoint.url)
    direct = everything(endpoint.client(), target)
    before = endpoint.requests.total
    through = everything(running.client(), target)
    assert through == direct
    kept = running.recorded()
    assert kept.calls() == endpoint.requests.total - before == len(direct)


def test_an_endpoint_that_verifies_takes_what_the_sidecar_signs(sidecar):
    """Before `local --verify`, whose keys the application does not have."""
    with serve(verify={OWN.access_key: OWN.secret_key}) as endpoint:
        running = sidecar(endpoint.url)
        target = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}
        client = running.client()
        begun = client.begin_transaction(**target)["transactionId"]
        sql = "SELECT set_config('app.tenant_id', :t, true)"
        parameters = [{"name": "t", "value": {"stringValue": "acme"}}]
        client.execute_statement(**target, sql=sql, parameters=parameters, transactionId=begun)
        rows = client.execute_statement(
            **target, sql="SELECT generate_series(1, 3)", transactionId=begun
        )["records"]
        client.commit_transaction(**target, transactionId=begun)
        with pytest.raises(client.exceptions.DatabaseErrorException, match="22012"):
            client.execute_statement(**target, sql="SELECT 1/0")
        assert len(rows) == 3
        kept = running.recorded()
        assert kept.calls() == endpoint.requests.total == 5
        assert kept.calls(tenant="acme") == 4
        assert kept.total("rows_returned", tenant="acme") == 4
        assert kept.calls(outcome="DatabaseErrorException") == 1


def test_hop_by_hop_headers_stay_on_their_hop(shared, body):
    """Those that the endpoint's Connection names too; chunks become one body with its length."""
    running, scripted = shared
    scripted.answer = lambda _: (
        200,
        [("Connection", "keep-alive, X-Mine"), ("Keep-Alive", "timeout=5"), ("X-Mine", "1"),
         ("X-Kept", "2"), ("Transfer-Encoding", "chunked")],
        b'5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n',
    )  # fmt: skip
    got = running.post(body=body())
    assert got.body == b'{"a":1}'
    assert got.headers == {"x-kept": "2", "content-length": "7"}


def test_a_packed_answer_stays_packed_and_its_rows_are_counted(shared, body):
    """Nobody asked the sidecar to unpack it."""
    running, scripted = shared
    packed = gzip.compress(json.dumps({"records": [[], []]}).encode())
    scripted.answer = lambda _: (200, [("Content-Encoding", "gzip")], packed)
    got = running.post(body=body(), accept_encoding="gzip")
    assert got.body == packed
    assert got.headers["content-encoding"] == "gzip"
    assert running.recorded().total("rows_returned") == 2


def test_a_redirect_is_handed_back_and_not_followed(shared, body):
    """No request to a host that somebody else chose."""
    running, scripted = shared
    scripted.answer = lambda _: (307, [("Location", "http://127.0.0.1:1/Execute")], b"")
    assert running.post(body=body()).status == 307
    assert len(scripted.seen) == 1


def test_a_body_over_the_limit_gets_the_data_apis_error(shared, body):
    """And is not forwarded."""
    running, scripted = shared
    got = running.post(body=body(sql="x" * (4 * 1024 * 1024)))
    assert (got.status, got.headers["x-amzn-errortype"]) == (413, "RequestEntityTooLargeException")
    assert not scripted.seen


def test_a_cluster_without_a_region_gets_an_error_and_no_guess(sidecar, body, monkeypatch):
    """Where nobody said where to."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    running = sidecar()
    for arn in ("", "local", "arn:aws:rds:evil.example/:1:cluster:c", "arn:aws:rds:xx-no-1:1:c:c"):
        got = running.post(body=body(resourceArn=arn, secretArn=SECRET))
        assert (got.status, got.headers["x-amzn-errortype"]) == (400, "BadRequestException")
    endpoint = running.sidecar._upstream.endpoint("arn:aws-cn:rds:cn-north-1:1:cluster:c")
    assert endpoint.host == "rds-data.cn-north-1.amazonaws.com.cn"
    assert running.sidecar._upstream.endpoint(CLUSTER).host == "rds-data.eu-west-1.amazonaws.com"
