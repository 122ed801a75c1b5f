"""What is recorded is what the endpoint saw, call for call, whatever happens meanwhile."""

import contextlib
import http.client
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.credentials import Credentials

from tenantmetrics.sidecar import credentials, server

from .conftest import scripting

CLIENTS = 64
CALLS = 4
ATTEMPTS = 3
GOOD = (200, [("Content-Type", "application/json")], b'{"records": [[]]}')
THROTTLED = (400, [("x-amzn-ErrorType", "ThrottlingException")], b'{"message": "slow down"}')
EXPIRED = (403, [("x-amzn-ErrorType", "ExpiredTokenException")], b'{"message": "old"}')


class Client:
    """An SDK's way of trying again, without its pauses; one connection, opened anew where cut."""

    def __init__(self, running, body, number, keep=True):
        self._running = running
        self._body = body
        self._number = number
        self._keep = keep
        self._connection = None
        self.unanswered = 0

    def call(self, turn):
        """Whether one of the attempts was answered with 200."""
        for attempt in range(1, ATTEMPTS + 1):
            status = self._attempt(turn, attempt)
            if status == 200:
                return True
        return False

    def _attempt(self, turn, attempt):
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                "127.0.0.1", self._running.address[1], timeout=30
            )
        headers = {
            "content-type": "application/json",
            "amz-sdk-invocation-id": f"{self._number}-{turn}",
            "amz-sdk-request": f"attempt={attempt}; max={ATTEMPTS}",
        }
        try:
            self._connection.request("POST", "/Execute", self._body, headers)
            answer = self._connection.getresponse()
            answer.read()
        except (ConnectionError, http.client.HTTPException):
            self.unanswered += 1
            self.close()
            return 0
        if not self._keep:
            self.close()
        return answer.status

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def all_calls(running, content, keep=True, meanwhile=lambda _: None):
    """64 clients at once; how many of their calls went well."""

    def one(number):
        client = Client(running, content, number, keep)
        good = 0
        for turn in range(CALLS):
            meanwhile(next(turns))
            good += client.call(turn)
        client.close()
        return good

    turns = itertools.count()
    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(one, range(CLIENTS)))


def by_turns(*answers):
    """One answer after the other, whoever asks."""
    turn = itertools.cycle(answers)
    lock = threading.Lock()

    def answer(_):
        with lock:
            found = next(turn)
        return found() if callable(found) else found

    return answer


@pytest.mark.parametrize(
    ("answers", "settings"),
    [
        pytest.param([THROTTLED, GOOD, GOOD], {}, id="throttling"),
        pytest.param([None, GOOD, GOOD], {}, id="cut"),
        pytest.param([(500, [], b""), GOOD, None, THROTTLED, GOOD], {}, id="all of it"),
        pytest.param(
            # Not before all have their connections, and for no other reason than this one.
            [*[GOOD] * 100, *[lambda: threading.Event().wait(2.5) or GOOD] * 8, *[GOOD] * 1_000],
            {"upstream_timeout_s": 2.0},
            id="slow",
        ),
    ],
)
def test_counts_are_the_endpoints_while_it_fails(sidecar, scripted, body, answers, settings):
    """64 clients; an SDK's attempts are one call each, and no attempt is missing."""
    scripted.answer = by_turns(*answers)
    running = sidecar(scripted.url, **settings)
    good = all_calls(running, body())
    kept = running.recorded()
    assert good > CLIENTS * CALLS // 2
    assert kept.total("attempts") == len(scripted.seen) > CLIENTS * CALLS
    assert kept.calls() == CLIENTS * CALLS
    assert kept.calls(outcome="ok") == good


def test_counts_are_the_endpoints_while_it_goes_away_and_comes_back(sidecar, body):
    """Nobody can connect for a while, and some whose connection was taken are never read.

    What has no answer is counted by how it ended, and never billed.
    """
    with contextlib.ExitStack() as later, scripting() as first:
        given = []

        def answer(_):
            given.append(None)
            return GOOD

        first.answer = answer
        running = sidecar(first.url)
        lock = threading.Lock()

        def meanwhile(turn):
            with lock:
                if turn == CLIENTS:
                    first.answer = lambda _: None
                    first.shutdown()
                    first.server_close()
                if turn == 2 * CLIENTS:
                    later.enter_context(scripting(first.server_address[1], answer))

        good = all_calls(running, body(), keep=False, meanwhile=meanwhile)
        kept = running.recorded()
        unanswered = running.operations._unanswered
        assert set(unanswered) <= {
            ("ExecuteStatement", reason)
            for reason in ("EndpointConnectionError", "ConnectionClosedError")
        }
        assert unanswered["ExecuteStatement", "EndpointConnectionError"] > 0
        assert kept.calls(outcome="ok") == good == len(given) == kept.total("billed_requests")
        assert kept.total("attempts") == good + sum(unanswered.values())
        assert kept.calls() == CLIENTS * CALLS


def test_counts_are_the_endpoints_while_it_is_told_to_stop(sidecar, scripted, body, monkeypatch):
    """Old connections and new ones go on until the last client has gone."""
    monkeypatch.setattr(server, "QUIET_S", 0.2)
    running = sidecar(scripted.url, grace_s=60)

    def meanwhile(turn):
        if turn == CLIENTS:
            running.stop()

    good = all_calls(running, body(), keep=False, meanwhile=meanwhile)
    running.wait()
    assert good == running.kept.calls() == len(scripted.seen) == CLIENTS * CALLS


def test_counts_are_the_endpoints_while_credentials_rotate(sidecar, scripted, body, monkeypatch):
    """Each set is refused once it is old; no call is lost, counted twice, or sent unsigned."""
    monkeypatch.setattr(credentials, "_AGAIN_S", 0.02)
    valid = [0]
    running = sidecar(scripted.url, find=lambda: Credentials(f"KEY{valid[0]}", "secret", "token"))

    def answer(seen):
        named = dict(seen.headers)["authorization"]
        return GOOD if f"Credential=KEY{valid[0]}/" in named else EXPIRED

    def meanwhile(turn):
        if turn % 50 == 49:
            valid[0] += 1

    scripted.answer = answer
    good = all_calls(running, body(), meanwhile=meanwhile)
    kept = running.recorded()
    assert good > 0
    assert kept.total("attempts") == len(scripted.seen)
    assert kept.calls(outcome="ok") == good
    client = running.client()
    while running.post(body=body()).status == 403:
        pass
    client.close()
    assert f"KEY{valid[0]}" in dict(scripted.seen[-1].headers)["authorization"]
