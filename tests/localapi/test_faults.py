"""Failures on demand."""

import statistics
import threading
import time

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from tenantmetrics.dataapi.errors import STATUS
from tenantmetrics.errors import LocalApiError
from tenantmetrics.localapi import Fault
from tenantmetrics.localapi.faults import FaultPlan


@pytest.fixture
def faults(data_api):
    yield data_api.endpoint.faults
    data_api.endpoint.faults.clear()


@pytest.mark.parametrize(
    "code",
    ["DatabaseResumingException", "ThrottlingException", "DatabaseUnavailableException",
     "InternalServerErrorException", "StatementTimeoutException", "timeout"],
)  # fmt: skip
def test_an_injected_error_is_the_services_own(faults, execute, fails, code):
    """Once, with its code and status, and the statement is not run."""
    execute("CREATE TABLE t (id int)")
    faults.add(Fault(kind=code, operation="ExecuteStatement", count=1))
    got, message, status = fails("INSERT INTO t VALUES (1)")
    expected = "StatementTimeoutException" if code == "timeout" else code
    assert (got, status) == (expected, STATUS[expected])
    # The model gives these two no message.
    assert message or code in {"DatabaseUnavailableException", "InternalServerErrorException"}
    assert execute("SELECT * FROM t")["records"] == []


def test_a_fault_strikes_only_its_operation(faults, call, fails):
    """Others go on."""
    faults.add("BeginTransaction:ThrottlingException")
    with pytest.raises(ClientError, match="ThrottlingException"):
        call("begin_transaction")
    assert call("execute_statement", sql="SELECT 1")["records"]
    faults.add("ThrottlingException")
    assert fails("SELECT 1")[0] == "ThrottlingException"


def test_a_cut_connection_is_botocores_own_error(data_api, faults, execute):
    """No answer comes; the request is counted as received, with status 0."""
    before = data_api.endpoint.requests.total
    faults.add("cut:count=1")
    with pytest.raises(ConnectionClosedError):
        execute("SELECT 1")
    assert execute("SELECT 1")["records"] == [[{"longValue": 1}]]
    assert data_api.endpoint.requests.total == before + 2
    cuts = [key for key in data_api.endpoint.requests.by_key() if key.error == "cut"]
    assert [key.status for key in cuts] == [0]


def test_a_retrying_client_gets_through(data_api, faults):
    """The SDK retries throttling; each attempt is a request here."""
    client = data_api.endpoint.client(
        config=Config(retries={"total_max_attempts": 3, "mode": "standard"}),
    )
    before = data_api.endpoint.requests.total
    faults.add("ExecuteStatement:ThrottlingException:count=2")
    response = client.execute_statement(**data_api.arguments, sql="SELECT 1")
    client.close()
    assert response["ResponseMetadata"]["RetryAttempts"] == 2
    assert data_api.endpoint.requests.total == before + 3


def test_a_slow_answer_comes_late_and_holds_up_nobody(faults, execute):
    """While one call waits, another is answered."""
    faults.add(Fault(kind="slow", delay_s=1, count=1))
    slow = threading.Thread(target=execute, args=("SELECT 1",))
    slow.start()
    while not faults.struck():
        slow.join(0.01)
    assert execute("SELECT 2")["records"] == [[{"longValue": 2}]]
    assert slow.is_alive()
    slow.join()


def test_rate_count_and_after_are_exact():
    """A rate is a probability, repeatable by seed; count and after are numbers of calls."""
    plan = FaultPlan(["*:ThrottlingException:rate=0.25:after=10:count=100"], seed=7)
    again = FaultPlan(["*:ThrottlingException:rate=0.25:after=10:count=100"], seed=7)
    struck = [plan.pick("ExecuteStatement") is not None for _ in range(1000)]
    assert struck == [again.pick("ExecuteStatement") is not None for _ in range(1000)]
    assert not any(struck[:10])
    assert sum(struck) == 100
    assert 300 < struck.index(True, 0) + 1000 - struck[::-1].index(True) < 1000


def test_an_overhead_is_log_normal_and_repeats_by_its_seed():
    """Median and 99th percentile are those asked for; the spread is that of the logarithm."""
    plan, again = (FaultPlan(["overhead:median=0.02:p99=0.08"], seed=7) for _ in range(2))
    drawn = [plan.overhead_s("ExecuteStatement") for _ in range(20_000)]

    assert drawn == [again.overhead_s("ExecuteStatement") for _ in range(20_000)]
    cuts = statistics.quantiles(drawn, n=100)
    assert cuts[49] == pytest.approx(0.02, rel=0.03)
    assert cuts[98] == pytest.approx(0.08, rel=0.08)
    # Symmetric in the logarithm: the first percentile is as far below the median.
    assert cuts[0] == pytest.approx(0.005, rel=0.08)


def test_without_a_p99_every_call_has_the_same_overhead():
    """On the operation it names, and on no other."""
    plan = FaultPlan(["BeginTransaction:overhead:median=0.25"])
    assert plan.overhead_s("BeginTransaction") == 0.25
    assert plan.overhead_s("ExecuteStatement") == 0
    assert plan.pick("BeginTransaction") is None


def test_an_overhead_stands_beside_other_faults_and_changes_none_of_their_strikes():
    """The same calls are throttled with it and without it."""
    throttled = "ThrottlingException:rate=0.3"
    alone = FaultPlan([throttled], seed=3)
    beside = FaultPlan(["overhead:median=0.02:p99=0.08", throttled], seed=3)
    for _ in range(200):
        assert beside.overhead_s("ExecuteStatement") > 0
        assert (alone.pick("ExecuteStatement") is None) == (beside.pick("ExecuteStatement") is None)


def test_an_overhead_is_wall_time_outside_the_database(faults, execute):
    """The client waits; PostgreSQL's own clock does not, and the session is not held meanwhile."""
    faults.add("overhead:median=0.3")
    started = time.monotonic()
    sql = "SELECT extract(epoch FROM clock_timestamp() - statement_timestamp())::float8"
    ((field,),) = execute(sql)["records"]
    assert time.monotonic() - started >= 0.3
    assert field["doubleValue"] < 0.3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("", "unknown fault"), ("Nonsense", "unknown fault"), ("Nothing:cut", "unknown operation"),
     ("cut:rate=2", "between 0 and 1"), ("cut:rate=x", "not a number"), ("slow", "delay"),
     ("cut:speed=1", "unknown setting"), ("a:b:c", "write"), ("cut:count=-1", "not negative"),
     ("overhead", "median in seconds"), ("overhead:median=0", "median in seconds"),
     ("overhead:median=inf", "median in seconds"), ("overhead:median=0.1:p99=0.05", "at least its"),
     ("overhead:median=0.1:p99=inf", "at least its"), ("slow:delay=1:median=1", "settings of over"),
     ("slow:delay=inf", "not negative"), ("slow:delay=nan", "not negative")],
)  # fmt: skip
def test_a_wrong_fault_is_one_clear_line(text, complaint):
    """What was wrong, and what is allowed."""
    with pytest.raises(LocalApiError, match=complaint) as caught:
        Fault.parse(text)
    assert "\n" not in str(caught.value)
