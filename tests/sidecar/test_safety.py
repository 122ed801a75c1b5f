"""Who may reach what; and HTTP that is broken on purpose, by raw sockets: no client makes such."""

import http.client
import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenantmetrics.errors import ConfigError
from tenantmetrics.sidecar import main
from tenantmetrics.sidecar.settings import Settings, read_keys, read_token

from .conftest import CLUSTER, SECRET

TOKEN = "0123456789abcdef-token"


@pytest.fixture
def shared(both):
    """One sidecar before a scripted endpoint that has seen nothing yet."""
    running, scripted = both
    scripted.seen.clear()
    scripted.asked = b""
    return running, scripted


def test_a_wrong_exporter_is_named_with_its_variable(monkeypatch):
    """Though the sidecar adds its own page to what the environment says."""
    monkeypatch.setenv("TENANTMETRICS_EXPORTERS", "frobnicate")
    with pytest.raises(ConfigError, match="from environment TENANTMETRICS_EXPORTERS"):
        main.run(Settings(port=0), print)


def code(answer):
    return answer.status, answer.headers.get("x-amzn-errortype")


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:8787"},
        {"host": "localhost.evil.example"},
        {"host": ""},
        {"origin": "http://127.0.0.1:8787"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_mode": "no-cors"},
    ],
)
def test_a_web_page_cannot_reach_the_database(shared, body, headers):
    """Neither by posting to loopback nor by a name of its own that leads there."""
    running, scripted = shared
    assert code(running.post(body=body(), **headers)) == (403, "AccessDeniedException")
    assert not scripted.seen


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8787", "LOCALHOST", "[::1]:1"])
def test_our_own_names_are_taken(shared, body, host):
    """With any port: one may be mapped."""
    running, _ = shared
    assert running.post(body=body(), host=host).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/Execute"),
        ("PUT", "/Execute"),
        ("OPTIONS", "/Execute"),
        ("POST", "/"),
        ("POST", "/Execute/"),
        ("POST", "/execute"),
        ("POST", "/%45xecute"),
        ("POST", "//Execute"),
        ("POST", "/a/../Execute"),
        ("POST", "/Execute?x=1"),
        ("POST", "http://evil.example/Execute"),
        ("POST", "/healthz"),
        ("POST", "/_local/requests"),
    ],
)
def test_nothing_but_the_data_apis_operations_is_forwarded(shared, body, method, path):
    """Nor to a host that the client chose."""
    running, scripted = shared
    assert running.post(path, body(), method=method, host="localhost").status == 404
    assert not scripted.seen


def test_lists_of_arns_hold(sidecar, scripted, body):
    """However the body is written."""
    running = sidecar(scripted.url, resource_arns=(CLUSTER,), secret_arns=(SECRET,))
    other = "arn:aws:rds:eu-west-1:123456789012:cluster:other"
    assert running.post(body=body()).status == 200
    refused = [
        body(resourceArn=other),
        body(secretArn=other),
        body(resourceArn=[CLUSTER]),
        b"[]",
        b"",
        b"not JSON",
        json.dumps({"sql": "SELECT 1"}).encode(),
        # Two names, of which the sidecar would read one and the endpoint the other.
        b'{"resourceArn": "%s", ' % other.encode() + body()[1:],
        b'{"resource\\u0041rn": "%s", ' % other.encode() + body()[1:],
        body()[:-1] + b', "resource\\u0041rn": "%s"}' % other.encode(),
    ]
    for content in refused:
        assert running.post(body=content).status in {400, 403}, content
    assert len(scripted.seen) == 1
    # ExecuteSql's members have other names.
    assert running.post("/ExecuteSql", body()).status == 403


def test_beyond_loopback_a_token_or_keys_are_needed():
    """Whoever reaches the port could run SQL."""
    for host in ("0.0.0.0", "192.168.1.1", "::", "sidecar.internal"):
        with pytest.raises(ConfigError, match="credentials"):
            Settings(host=host).check()
        Settings(host=host, token=TOKEN).check()
    for wrong in ("short", "with/slash-and-more-characters", "é" * 20):
        with pytest.raises(ConfigError, match="16 to 200"):
            Settings(token=wrong).check()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"port": 65_536}, "port 65536"),
        ({"upstream_timeout_s": float("nan")}, "upstream_timeout_s = nan"),
        ({"upstream_timeout_s": 0.0}, "upstream_timeout_s = 0"),
        ({"grace_s": -1.0}, "grace_s = -1"),
        ({"flush_timeout_s": float("inf")}, "flush_timeout_s = inf"),
        ({"max_calls": 0}, "max_calls = 0"),
        ({"resource_arns": ("my-cluster",)}, "'my-cluster'"),
        ({"secret_arns": ("arn:aws:secretsmanager:*",)}, "wildcards"),
        ({"hosts": ("http://sidecar:8787",)}, "http://sidecar:8787"),
        ({"tenant_header": "X-Tenant"}, "X-Tenant"),
        ({"upstream": "ftp://x"}, "ftp://x"),
    ],
)
def test_what_could_never_work_is_told_before_anything_starts(wrong, told):
    """A list that nothing matches would refuse every call; NaN is no number of seconds."""
    with pytest.raises(ConfigError, match=re.escape(told)):
        Settings(**wrong).check()
    Settings(hosts=("sidecar", "10.0.0.1", "[::1]", "a.b-c.svc.cluster.local")).check()


def test_the_token_is_the_first_part_of_the_path(sidecar, scripted, body):
    """One variable carries it to every SDK; without it nothing is there."""
    running = sidecar(scripted.url, token=TOKEN)
    assert running.client().execute_statement(**json.loads(body()))
    assert scripted.seen[-1].path == "/Execute"
    assert running.post(body=body()).status == 404
    assert running.post(f"/{TOKEN}x/Execute", body()).status == 404
    assert len(scripted.seen) == 1


def test_the_sdks_own_signature_is_checked(sidecar, scripted, body, tmp_path):
    """Against keys in a file; another secret, and none at all, are refused as AWS would."""
    file = tmp_path / "keys"
    file.write_text(
        "[app]\naws_access_key_id = APPLICATION\naws_secret_access_key = the application's secret\n"
    )
    running = sidecar(scripted.url, keys=read_keys(file))
    assert running.client().execute_statement(**json.loads(body()))
    wrong = sidecar(scripted.url, keys={"APPLICATION": "another"}).client()
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        wrong.execute_statement(**json.loads(body()))
    assert code(running.post(body=body())) == (403, "MissingAuthenticationTokenException")
    assert len(scripted.seen) == 1


def test_files_that_cannot_be_used_are_told(tmp_path):
    """By name, without what is in them."""
    file = tmp_path / "secret"
    with pytest.raises(ConfigError, match="cannot be read"):
        read_token(file)
    file.write_text("[app]\naws_access_key_id = A\n")
    with pytest.raises(ConfigError, match="lacks aws_secret_access_key"):
        read_keys(file)
    file.write_text("hello")
    with pytest.raises(ConfigError, match="not INI") as caught:
        read_keys(file)
    assert "hello" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["ftp://h", "http://", "http://u:p@h", "http://h/path", "http://h?q", "h:80", "http://h:0"],
)
def test_an_upstream_that_is_none_is_told(url):
    """Before anything starts."""
    with pytest.raises(ConfigError, match="upstream"):
        Settings(upstream=url).check()


HEAD = b"POST /Execute HTTP/1.1\r\nHost: localhost\r\n"
HIDDEN = b"POST /ExecuteSql HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
LAST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
SMUGGLED = {
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 90\r\n\r\n{}" + HIDDEN,
    "two equal lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + HIDDEN,
    "a list of lengths": HEAD + b"Content-Length: 2, 90\r\n\r\n{}" + HIDDEN,
    "length and chunks": HEAD
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunks and length": HEAD
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + HIDDEN,
    "odd chunked": HEAD + b"Transfer-Encoding: xchunked\r\nContent-Length: 2\r\n\r\n{}" + HIDDEN,
    "chunked, then identity": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"
    + HIDDEN,
    "a blank before the colon": HEAD + b"Content-Length : 2\r\n\r\n{}" + HIDDEN,
    "a sign": HEAD + b"Content-Length: +2\r\n\r\n{}" + HIDDEN,
    "hexadecimal": HEAD + b"Content-Length: 0x2\r\n\r\n{}" + HIDDEN,
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n{}" + HIDDEN,
    "an overflow": HEAD + b"Content-Length: 18446744073709551618\r\n\r\n{}" + HIDDEN,
    "a folded length": HEAD + b"Content-Length:\r\n 2\r\n\r\n{}" + HIDDEN,
    "a folded coding": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "a bare LF": HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 2\n\n{}" + HIDDEN,
    "a bare CR": HEAD + b"X: a\rContent-Length: 2\r\n\r\n{}" + HIDDEN,
    "NUL in a header": HEAD + b"X: a\0b\r\nContent-Length: 2\r\n\r\n{}" + HIDDEN,
    "a chunk of odd size": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n2x\r\n{}\r\n0\r\n\r\n" + HIDDEN,
    "a chunk that overflows": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n" + HIDDEN,
    "a chunk without its end": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}X0\r\n\r\n" + HIDDEN,
    "two hosts": HEAD + b"Host: evil.example\r\nContent-Length: 2\r\n\r\n{}" ,
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    "HTTP/0.9": b"POST /Execute\r\n\r\n" + HIDDEN,
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + HIDDEN,
}  # fmt: skip


@pytest.mark.parametrize("kind", SMUGGLED)
def test_a_hidden_request_is_never_forwarded(shared, kind):
    """One that a proxy in front would have taken for a body, or the other way round."""
    running, scripted = shared
    answer = running.raw(SMUGGLED[kind] + LAST, until_closed=False)
    assert all(seen.path == "/Execute" and seen.body in {b"", b"{}"} for seen in scripted.seen)
    forwarded_good = len(scripted.seen)
    assert forwarded_good <= 1
    if not forwarded_good:
        assert answer.startswith((b"HTTP/1.1 4", b"")), answer[:40]
    assert running.post(body=b"{}").status == 200  # it is still there


def test_trailers_and_extensions_of_chunks_go_no_further(shared):
    """They are allowed, and the endpoint gets one body with its length."""
    running, scripted = shared
    running.raw(
        HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1;a=b\r\n{\r\n1\r\n}\r\n0\r\nHost: evil.example\r\n\r\n",
        until_closed=False,
    )
    (seen,) = scripted.seen
    assert seen.body == b"{}"
    names = [name for name, _ in seen.headers]
    assert names.count("host") == 1
    assert "transfer-encoding" not in names


@settings(
    max_examples=settings.default.max_examples,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    start=st.sampled_from([b"", b"POST", b"POST /Execute HTTP/1.1\r\n", HEAD]),
    data=st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(
                [b"Content-Length: ", b"Transfer-Encoding: chunked", b"\r\n", b"\n", b" ", b"2",
                 b"0\r\n\r\n", b"{}", b":", b"Host: localhost", b"\t", b"\0", b"Connection: close",
                 b"Upgrade: h2c", b"Expect: 100-continue", HEAD]
            ),
            max_size=12,
        ).map(b"".join),
    ),
)  # fmt: skip
def test_random_bytes_end_in_an_answer_or_a_closed_connection(shared, start, data):
    """Never a crash, never a request of another kind at the endpoint."""
    running, scripted = shared
    sent = start + data
    # One whose connection was closed may reach the endpoint while later examples are sent.
    scripted.asked += b"\0" + sent
    answer = running.raw(sent)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 "), answer[:80]
    # What was forwarded stands in what was sent: as often as it was asked for, and no other body.
    forwarded = list(scripted.seen)
    assert len(forwarded) <= scripted.asked.count(b"POST /Execute HTTP/1.1")
    assert all(seen.path == "/Execute" for seen in forwarded)
    assert all(seen.body in scripted.asked for seen in forwarded)


def test_headers_without_end_are_cut_off(shared):
    """Memory is bounded by settings, never by traffic."""
    running, scripted = shared
    with socket.create_connection(running.address[:2], timeout=10) as connection:
        connection.sendall(HEAD)
        sent = 0
        try:
            while sent < 100 * 1024 * 1024:
                sent += connection.send(b"x-filler: " + b"y" * 4_000 + b"\r\n")
        except ConnectionError:
            pass
    assert sent < 10 * 1024 * 1024
    assert not scripted.seen


def test_a_request_that_does_not_come_in_time_is_cut_off(sidecar, scripted):
    """Neither in its headers nor in its body, nor before its first byte."""
    running = sidecar(scripted.url, read_timeout_s=0.3)
    beginnings = (b"", HEAD, HEAD + b"Content-Length: 10\r\n\r\n{")
    with ThreadPoolExecutor(len(beginnings)) as pool:
        answers = pool.map(lambda sent: running.raw(sent, until_closed=False), beginnings)
        assert list(answers) == [b""] * len(beginnings)
    assert not scripted.seen


def test_connections_are_bounded(sidecar, scripted, body):
    """One more is closed at once, and one that ends makes room."""
    running = sidecar(scripted.url, max_connections=3)
    held = [http.client.HTTPConnection("127.0.0.1", running.address[1]) for _ in range(3)]
    for connection in held:
        connection.request("POST", "/Execute", body())
        assert connection.getresponse().read()
    with pytest.raises(ConnectionError):
        running.post(body=body())
    assert len(scripted.seen) == 3
    for connection in held:
        connection.close()


def test_nothing_of_a_call_is_logged(sidecar, scripted, body):
    """No body, parameter, tenant or credential, whatever goes wrong."""
    secret = "do-not-log-me"
    with structlog.testing.capture_logs() as logs:
        running = sidecar(scripted.url, log_calls=True, tenant_header="x-tenant-id")
        content = body(f"SELECT '{secret}'", parameters=[{"name": secret, "value": {}}])
        for answer in (
            (200, [], secret.encode()),
            (400, [("x-amzn-ErrorType", "BadRequestException")], b'{"message": "do-not-log-me"}'),
            None,
        ):
            scripted.answer = lambda _, answer=answer: answer
            try:
                running.post(body=content, x_tenant_id=secret, authorization=secret)
            except (ConnectionError, http.client.HTTPException):
                assert answer is None
        running.recorded()
    assert any(line["event"] == "sidecar.call" for line in logs)
    assert secret not in repr(logs)
