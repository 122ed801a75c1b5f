"""One request and its answer on the wire: what is no answer yet, and what is none at all."""

import http.client
import socket
import threading

import pytest

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def wire():
    """An endpoint that answers each request of a connection with the next bytes it is given."""
    listener = socket.create_server(("127.0.0.1", 0))
    accepted, answers = [], []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            accepted.append(connection)
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection):
        with connection:
            while answers and _request(connection):
                connection.sendall(answers.pop(0))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    yield url, answers, accepted
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


def _request(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return False
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return True


def test_a_connection_is_kept_for_the_next_call(sidecar, wire, body):
    """And let go where the endpoint says so."""
    url, answers, accepted = wire
    running = sidecar(url)
    closing = OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    answers += [OK, OK, closing, OK]
    for _ in range(4):
        assert running.post(body=body()).body == b"{}"
    assert len(accepted) == 2


def test_what_comes_before_an_answer_is_passed_over(sidecar, wire, body):
    """Status 1xx: the endpoint is still at it (RFC 9110, section 15.2)."""
    url, answers, _ = wire
    answers.append(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK)
    got = sidecar(url).post(body=body())
    assert (got.status, got.body) == (200, b"{}")


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n{}",
        b"",
    ],
)
def test_what_is_no_answer_ends_the_connection_and_is_recorded(sidecar, wire, body, answer):
    """The client sees what it would have seen without a sidecar, and can try again."""
    url, answers, _ = wire
    answers.append(answer)
    running = sidecar(url)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        running.post(body=body())
    assert running.recorded().calls(outcome="ConnectionClosedError") == 1
    answers.append(OK)
    assert running.post(body=body()).status == 200


def test_a_proxy_in_the_environment_is_gone_through(sidecar, scripted, body, monkeypatch):
    """As botocore would; the headers are the same few."""
    monkeypatch.setenv("http_proxy", scripted.url)
    monkeypatch.setenv("no_proxy", "")
    running = sidecar("http://rds-data.example")
    assert running.post(body=body()).status == 200
    (seen,) = scripted.seen
    assert seen.path == "http://rds-data.example/Execute"
    assert {name for name, _ in seen.headers} >= {"authorization", "x-amz-date"}
    assert dict(seen.headers)["host"] == "rds-data.example"
    assert "user-agent" not in dict(seen.headers)
