"""What botocore's events tell of a call: its attempts, its waiting, its connection."""

import contextlib
import random
import subprocess
import sys
from enum import StrEnum
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError
from botocore.stub import Stubber

from tenantmetrics.capture.finished import call_maker
from tenantmetrics.capture.recorder import Entries, Recorder
from tenantmetrics.capture.request import IDLE_NS
from tenantmetrics.config import load
from tenantmetrics.health import Health
from tenantmetrics.instrumentation import botocore as adapter
from tenantmetrics.instrumentation.botocore import BotocoreInstrumentation
from tenantmetrics.localapi.faults import Fault
from tenantmetrics.records import Claims, Transition
from tenantmetrics.tenant.resolve import Resolver


def _into(calls):
    """Takes finished requests and keeps the calls that are made of them."""
    call_of = call_maker("request+response")
    return lambda request: calls.append(call_of(request))


@pytest.fixture
def calls():
    """What the recorder hands on."""
    return []


@pytest.fixture
def metered(endpoint, calls):
    """A client of the endpoint behind a recorder of its own."""
    recorder = Recorder()
    resolver = Resolver(load(exporters=["none"]), Health())
    recorder.bind(Entries(resolver.claims, _into(calls), Health(), examine=resolver.examine))
    client = endpoint.client()
    BotocoreInstrumentation(recorder).register(client.meta.events)
    yield client
    client.close()


def test_a_call_of_one_attempt_waited_for_nothing(metered, target, calls):
    """All of its time is its answer's."""
    metered.execute_statement(**target, sql="SELECT 1")
    (call,) = calls
    assert (call.attempts, call.waited_ns, call.http_status) == (1, 0, 200)
    assert call.duration_ns > 0


def test_throttled_attempts_and_back_off_are_waiting(metered, target, calls, endpoint):
    """From the first send to the last one; what remains is the attempt that was answered."""
    endpoint.faults.add(Fault(kind="ThrottlingException", operation="ExecuteStatement", count=2))
    metered.execute_statement(**target, sql="SELECT 1")
    (call,) = calls
    assert (call.attempts, call.outcome) == (3, "ok")
    assert 0 < call.waited_ns < call.duration_ns


def test_a_call_without_an_answer_is_waiting_as_a_whole(calls, metered, target, unused_port):
    """Nobody can say whether the server ran it."""
    with contextlib.suppress(EndpointConnectionError):
        events = metered.meta.events

        def elsewhere(request, **_):
            request.url = f"http://127.0.0.1:{unused_port}/Execute"

        events.register_first("before-send.rds-data", elsewhere)
        metered.execute_statement(**target, sql="SELECT 1")
    (call,) = calls
    assert (call.http_status, call.billed_requests) == (0, 0)
    assert call.waited_ns == call.duration_ns


@pytest.mark.parametrize("seed", range(20))
def test_connections_are_counted_as_a_pool_of_them_would_be(seed, calls, monkeypatch):
    """More at once than ever since the last long quiet, or the first after one."""
    now_ns = [5]
    monkeypatch.setattr(adapter, "monotonic_ns", lambda: now_ns[0])
    recorder = Recorder()
    resolver = Resolver(load(exporters=["none"]), Health())
    recorder.bind(Entries(resolver.claims, _into(calls), Health(), examine=resolver.examine))
    metering = BotocoreInstrumentation(recorder)
    chance = random.Random(seed)
    under_way, expected, most, quiet_since_ns = [], {}, 0, -IDLE_NS
    for number in range(60):
        now_ns[0] += chance.choice((1_000, 1_000, IDLE_NS // 3, IDLE_NS + 2))
        if under_way and chance.random() < 0.55:
            context = under_way.pop(chance.randrange(len(under_way)))
            answer = SimpleNamespace(status_code=200, _content=b"")
            metering._on_response(http_response=answer, parsed={"records": []}, context=context)
            if not under_way:
                quiet_since_ns = now_ns[0]
            continue
        context = {}
        params = {"resourceArn": str(number), "sql": "SELECT 1"}
        metering._on_params(
            params=params,
            model=SimpleNamespace(name="ExecuteStatement"),
            context=context,
            event_name="before-parameter-build.rds-data.ExecuteStatement",
        )
        metering._on_attempt(
            request=SimpleNamespace(context=context, url="amazonaws.com", data=b"", headers={})
        )
        under_way.append(context)
        many = len(under_way)
        opens = many > most or (many == 1 and now_ns[0] - quiet_since_ns > IDLE_NS)
        most = many if opens else most
        expected[str(number)] = opens
    assert calls
    assert all(call.opened_connection is expected[call.resource_arn] for call in calls)


def test_the_first_call_opens_a_connection_and_the_next_one_uses_it(metered, target, calls):
    """One after the other, as urllib3's pool hands it out."""
    for _ in range(3):
        metered.execute_statement(**target, sql="SELECT 1")
    assert [call.opened_connection for call in calls] == [True, False, False]


def test_a_transactions_calls_carry_its_session_and_what_they_do_to_it(metered, target, calls):
    """BEGIN has the session that it opened."""
    transaction = metered.begin_transaction(**target)["transactionId"]
    metered.execute_statement(**target, sql="SELECT 1", transactionId=transaction)
    metered.rollback_transaction(
        resourceArn=target["resourceArn"],
        secretArn=target["secretArn"],
        transactionId=transaction,
    )
    assert [call.session for call in calls] == [transaction] * 3
    assert [call.transition for call in calls] == [
        Transition.BEGIN,
        Transition.NONE,
        Transition.ROLLBACK,
    ]


def test_a_stubbed_call_is_measured_and_was_never_sent(metered, target, calls):
    """Answers and errors alike, without a connection."""
    with Stubber(metered) as stub:
        stub.add_response("execute_statement", {"records": []})
        stub.add_client_error("execute_statement", "ThrottlingException", "slow down", 429)
        metered.execute_statement(**target, sql="SELECT 1")
        with pytest.raises(ClientError):
            metered.execute_statement(**target, sql="SELECT 1")
    assert [call.outcome for call in calls] == ["ok", "ThrottlingException"]
    assert not any(call.opened_connection or call.waited_ns for call in calls)


class _Name(StrEnum):
    DATABASE = "postgres"


def test_members_of_a_strenum_are_plain_strings_afterwards(metered, target, calls):
    """Botocore takes them for strings, on the short way and on the long one."""
    metered.execute_statement(**(target | {"database": _Name.DATABASE}), sql="SELECT 1")
    metered.begin_transaction(**(target | {"database": _Name.DATABASE}))
    assert [(call.database, type(call.database)) for call in calls] == [("postgres", str)] * 2


def test_a_refused_call_is_not_counted_and_changes_nothing(metered, calls, target):
    """Botocore refuses what is not a string, after our handler has seen it."""
    for wrong in ({"sql": ["SELECT 1"]}, {"database": 5}, {"transactionId": {}}, {"schema": []}):
        with pytest.raises(ParamValidationError):
            metered.execute_statement(**(target | {"sql": "SELECT 1"} | wrong))
    metered.execute_statement(**target, sql="SELECT 1")
    assert [call.opened_connection for call in calls] == [True]


def test_what_another_adapter_covers_is_not_counted_twice(endpoint, target):
    """Only while it runs, and only in its own thread or task."""
    calls = []
    recorder = Recorder()
    recorder.bind(Entries(lambda _: Claims(), _into(calls), Health()))
    client = endpoint.client()
    BotocoreInstrumentation(recorder).register(client.meta.events)
    with recorder.covering():
        client.execute_statement(**target, sql="SELECT 1")
    assert calls == []
    client.execute_statement(**target, sql="SELECT 1")
    assert len(calls) == 1
    client.close()


def test_an_instrumented_call_imports_no_extra_and_no_local_endpoint():
    """Neither does `import tenantmetrics`: an application pays for what it uses."""
    program = """
import sys, tenantmetrics
from benchmarks._stub import CLUSTER, SECRET, client
tenantmetrics.configure(exporters=["none"])
with tenantmetrics.tenant("acme"):
    tenantmetrics.instrument(client()).execute_statement(
        resourceArn=CLUSTER, secretArn=SECRET, sql="SELECT 1 FROM b WHERE tenant_id = :t",
        parameters=[{"name": "t", "value": {"stringValue": "acme"}}],
    )
assert tenantmetrics.stats()["calls"] == 1
unwanted = ("tenantmetrics.localapi", "psycopg", "duckdb", "pyarrow", "typer", "jinja2", "moto")
found = [name for name in sys.modules if name.startswith(unwanted)]
sys.exit(f"imported: {found}" if found else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
