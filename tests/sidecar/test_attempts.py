"""An SDK's attempts are one call; what merely looks like one is not."""

import json

import pytest

from tenantmetrics.sidecar import attempts

THROTTLED = (400, [("x-amzn-ErrorType", "ThrottlingException")], b'{"message": "slow down"}')
GOOD = (200, [("Content-Type", "application/json")], b'{"records": [[]]}')


@pytest.fixture
def shared(sidecar, scripted):
    """One sidecar before a scripted endpoint that gives the answers of a list, then good ones."""
    scripted.script = []
    scripted.answer = lambda _: scripted.script.pop(0) if scripted.script else GOOD
    return sidecar(scripted.url), scripted


def test_attempts_of_boto3_are_one_call(shared, body):
    """Throttled, cut and failed attempts; time from the first to the last."""
    running, scripted = shared
    scripted.script = [THROTTLED, None, (503, [], b""), GOOD]
    client = running.client(retries={"total_max_attempts": 6, "mode": "standard"})
    answer = client.execute_statement(**json.loads(body("SELECT /* tenant='acme' */ 1")))
    assert answer["ResponseMetadata"]["RetryAttempts"] == 3
    kept = running.recorded()
    assert (kept.calls(), kept.total("attempts")) == (1, 4) == (1, len(scripted.seen))
    assert kept.calls(outcome="ok", tenant="acme") == 1
    assert kept.total("waited_ns") > 0


def test_the_last_attempt_of_an_sdk_ends_its_call(shared, body):
    """Nothing is waited for that will not come."""
    running, scripted = shared
    scripted.script = [THROTTLED] * 2
    client = running.client(retries={"total_max_attempts": 2, "mode": "standard"})
    with pytest.raises(client.exceptions.ClientError, match="slow down"):
        client.execute_statement(**json.loads(body()))
    assert running.waiting() == 0
    kept = running.recorded()
    assert (kept.calls(outcome="ThrottlingException"), kept.total("attempts")) == (1, 2)


def test_calls_without_an_id_are_calls_of_their_own(shared, body):
    """curl, or an SDK of long ago."""
    running, scripted = shared
    scripted.script = [THROTTLED]
    for _ in range(3):
        running.post(body=body())
    assert running.recorded().calls() == 3


def test_an_id_that_is_used_again_for_something_else_is_another_call(shared, body):
    """Its tenant is found anew: an id is no way around `strict`, nor to another's bill."""
    running, scripted = shared
    scripted.script = [THROTTLED]
    for tenant in ("acme", "bee"):
        sql = f"SELECT 1 /* tenant='{tenant}' */"
        running.post(body=body(sql), amz_sdk_invocation_id="the-same")
    kept = running.recorded()
    assert kept.calls() == 2
    assert kept.tenants() == {"acme", "bee"}


def test_a_failed_call_is_recorded_before_its_transaction_goes_on(shared, body):
    """Its order in the session is kept, without waiting for an attempt that does not come."""
    running, scripted = shared
    scripted.script = [(500, [], b"")]
    inside = {"transactionId": "t1"}
    running.post(body=body("SELECT 1", **inside), amz_sdk_invocation_id="a")
    running.post(body=body("SELECT 2", **inside), amz_sdk_invocation_id="b")
    assert running.waiting() == 0
    running.post("/CommitTransaction", body(**inside))
    assert running.recorded().calls() == 3


def test_calls_that_wait_are_bounded_and_expire(shared, body, monkeypatch):
    """Ids without end fill no memory; what is evicted is recorded."""
    monkeypatch.setattr(attempts, "MAX_WAITING", 10)
    running, scripted = shared
    scripted.answer = lambda _: (500, [], b"")
    for number in range(25):
        running.post(body=body(f"SELECT {number}"), amz_sdk_invocation_id=f"id-{number}")
    assert running.waiting() == 10
    assert running.pipeline.flush(10)
    assert running.kept.calls() == 15
    assert running.recorded().calls() == 25


def test_an_attempt_that_comes_while_the_first_still_runs_is_the_same_call(shared, body):
    """The client's own time-out was shorter than the endpoint's patience."""
    import threading  # noqa: PLC0415

    running, scripted = shared
    first, free = threading.Event(), threading.Event()

    def answer(_):
        if not first.is_set():
            first.set()
            assert free.wait(10)
            return GOOD
        free.set()
        return GOOD

    scripted.answer = answer
    sent = {"amz_sdk_invocation_id": "x", "amz_sdk_request": "attempt=1; max=3"}
    slow = threading.Thread(target=running.post, kwargs={"body": body(), **sent})
    slow.start()
    assert first.wait(10)
    running.post(body=body(), **sent)
    slow.join(10)
    kept = running.recorded()
    assert (kept.calls(), kept.total("attempts")) == (1, 2)
