"""Compute divided by server time: from real ledgers and the server's own tables to a statement."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pytest

from tenantmetrics.cost import AllocationRequest, Capacity, ServerTimeSource, monthly
from tenantmetrics.cost.inputs import HourlyCapacity
from tenantmetrics.cost.server_time import Method
from tenantmetrics.errors import LedgerError, ReportError
from tenantmetrics.records import IDLE, UNATTRIBUTED, UNMETERED
from tenantmetrics.serverside import tables

ARN = "arn:aws:rds:us-east-1:123456789012:cluster:shared"
START_S = 1_795_168_800  # 2026-11-20 10:00 UTC


def say_load(ledger, seconds):
    """DBLoad of both hours: so many seconds of work in each."""
    for hour in range(2):
        start_s = START_S + hour * 3600
        row = {
            "start_s": start_s, "period_s": 3600, "resource_arn": ARN, "instance": "i",
            "load_aas": seconds / 3600, "cpu_aas": 0.0, "non_cpu_aas": 0.0,
        }  # fmt: skip
        tables.write(ledger, tables.DB_LOAD, start_s, "test", [row])


def asked(ledger, **more):
    capacity = Capacity(acu=Decimal(100))
    return AllocationRequest(usage=ledger, month="2026-11", capacity=capacity, **more)


def compute(statement):
    return {line.tenant: line.amounts[1] for line in statement.lines}


def test_the_tenant_that_worked_pays_and_not_the_one_that_waited(worked_ledger):
    """By the record alone: the chatty tenant has most of wall time and next to none of the work."""
    statement = monthly(asked(worked_ledger, idle="weighted"))
    shares = compute(statement)
    assert shares["heavy"] / 24 > Decimal("0.9")
    assert [one.method for one in statement.server_time.methods] == [Method.RECORD]
    assert statement.server_time.methods[0].hours == 2
    wall = compute(monthly(asked(worked_ledger, drivers={"compute": "wall_time"})))
    assert wall["chatty"] / 24 > Decimal("0.6")
    assert sum(shares.values()) == sum(wall.values()) == 24


def test_load_that_no_call_caused_is_a_line_and_is_spread_over_nobody(worked_ledger):
    """The tenants' 12 s an hour, and 12 s of somebody else."""
    say_load(worked_ledger, 24)
    statement = monthly(asked(worked_ledger, idle="weighted"))
    shares = compute(statement)
    assert Decimal("0.4") < shares[UNMETERED] / 24 < Decimal("0.6")
    assert statement.server_time.unmetered_ns == pytest.approx(24e9, rel=0.25)
    assert statement.server_time.methods[0].explained == pytest.approx(0.5, abs=0.1)
    calls = compute(monthly(asked(worked_ledger, drivers={"compute": "calls"})))
    assert UNMETERED not in calls


def test_the_old_division_asks_for_no_estimate(worked_ledger):
    """`wall_time` is what it was, and the statement says nothing of server time."""
    statement = monthly(asked(worked_ledger, drivers={"compute": "wall_time"}))
    assert statement.server_time is None
    assert statement.pools[1].driver == "share of wall time"
    wall = {line.tenant: line.usage.duration_ns for line in statement.lines}
    part = Decimal(wall["chatty"]) / (wall["chatty"] + wall["heavy"])
    assert compute(statement)["chatty"] / 24 == pytest.approx(part, abs=Decimal("0.001"))


def test_a_ledger_of_version_1_is_divided_by_wall_time_and_says_so(
    ledger, write_hour, as_version_1
):
    """Nothing of such a month changes."""
    as_version_1(write_hour("2026-11-20T10:00", {"acme": (1, 1), "bee": (1, 3)}))
    statement = monthly(asked(ledger))
    old = monthly(asked(ledger, drivers={"compute": "wall_time"}))
    assert compute(statement) == compute(old) == {"acme": 3, "bee": 9, UNATTRIBUTED: 0}
    assert [one.method for one in statement.server_time.methods] == [Method.WALL]
    assert any("In all hours server time is the wall time" in note for note in statement.notes)


@pytest.fixture
def older_ledger(worked_ledger, as_version_1):
    """The same two hours, written before there were statements."""
    for path in sorted(worked_ledger.glob("date=*/*/*.parquet")):
        as_version_1(path)
    shutil.rmtree(worked_ledger / "_statements")
    return worked_ledger


@pytest.mark.parametrize("has_snapshots", [False, True])
def test_hours_of_version_1_are_divided_by_the_servers_number_where_there_is_one(
    older_ledger, has_snapshots
):
    """Load alone: what calls took beyond it is overhead, the same for each; and that is said.

    Snapshots of `pg_stat_statements` are of no use to them, and stand in nothing's way.
    """
    say_load(older_ledger, 12)
    if has_snapshots:
        row = {
            "start_s": START_S, "end_s": START_S + 7200, "resource_arn": ARN, "database": "app",
            "fingerprint": 1, "queryid": 1, "summary": "SELECT x", "calls": 9, "exec_ns": 9,
            "rows": 0, "blocks_read": 0, "blocks_hit": 0, "gap": "",
        }  # fmt: skip
        tables.write(older_ledger, tables.STATEMENTS, START_S, "test", [row])
    statement = monthly(asked(older_ledger, idle="weighted"))
    shares = compute(statement)
    assert shares["heavy"] / sum(shares.values()) > Decimal("0.9")
    heavy = statement.server_time.tenants["heavy"]
    assert heavy.weight_low < heavy.weight < heavy.weight_high
    assert [(one.method, one.hours) for one in statement.server_time.methods] == [
        (Method.DB_LOAD, 2)
    ]
    assert any("2 of 2 hours have no statements" in note for note in statement.notes)


def test_load_that_no_call_can_have_caused_is_unmetered_where_nothing_else_tells_it(older_ledger):
    """A call waits for its statement: load beyond all waiting, three sessions each, is not ours."""
    say_load(older_ledger, 5_000)
    statement = monthly(asked(older_ledger, idle="weighted"))
    (used,) = statement.server_time.methods
    assert used.load_ns == pytest.approx(10_000e9)
    assert used.metered_ns == pytest.approx(3 * used.wall_ns, rel=0.05)
    shares = compute(statement)
    unmetered = 1 - used.metered_ns / 10_000e9
    assert float(shares[UNMETERED] / sum(shares.values())) == pytest.approx(unmetered, rel=0.01)


@pytest.mark.parametrize("dimension", ["application", "user"])
def test_hours_of_version_1_whose_tenants_the_server_names_are_divided_by_its_word(
    older_ledger, dimension
):
    """One hour named, the other by wall time; each method says how many hours it covers."""
    row = {
        "start_s": START_S, "period_s": 3600, "resource_arn": ARN, "instance": "i",
        "dimension": dimension,
    }  # fmt: skip
    loads = {"": 12, "chatty": 3, "heavy": 9}
    rows = [{**row, "name": name, "load_aas": s / 3600} for name, s in loads.items()]
    tables.write(older_ledger, tables.PERFORMANCE_INSIGHTS, START_S, "test", rows)
    statement = monthly(asked(older_ledger))
    server_time = statement.server_time
    assert [(one.method, one.hours) for one in server_time.methods] == [
        (Method.PERFORMANCE_INSIGHTS, 1),
        (Method.WALL, 1),
    ]
    wall = {line.tenant: line.usage.duration_ns / 2 for line in statement.lines}
    for tenant, seconds in (("chatty", 3), ("heavy", 9)):
        expected = seconds * 1e9 + wall[tenant]
        assert server_time.tenants[tenant].server_ns == pytest.approx(expected, rel=0.05)
    for words in ("1 of 2 hours have no statements", "In 1 of the hours"):
        assert any(words in note for note in statement.notes)
    with pytest.raises(ReportError, match="server time by db-load cannot be had") as error:
        monthly(asked(older_ledger, server_time="db-load"))
    assert "no cluster that was called" not in str(error.value)


@pytest.mark.parametrize("method", ["statements", "performance-insights", "db-load", "activity"])
def test_a_method_without_data_is_one_clear_error(worked_ledger, method):
    """Asked for by name, it is not replaced by another in silence."""
    with pytest.raises(ReportError, match=f"server time by {method} cannot be had"):
        monthly(asked(worked_ledger, server_time=method))


def test_wall_time_that_was_asked_for_is_not_put_down_to_the_ledger(worked_ledger):
    """The ledger holds something better, so the note must not say that it does not."""
    say_load(worked_ledger, 12)
    statement = monthly(asked(worked_ledger, server_time="wall"))
    assert [one.method for one in statement.server_time.methods] == [Method.WALL]
    (note,) = (note for note in statement.notes if "In all hours" in note)
    assert "it was asked for" in note
    assert "nothing better" not in note


def test_a_method_that_does_not_exist_is_refused_before_anything_is_read():
    """With those that there are."""
    with pytest.raises(ReportError, match="server_time 'guess' is none of auto, statements"):
        asked("/nowhere", server_time="guess")


def test_idle_hours_stay_idle_whatever_compute_is_divided_by(worked_ledger, write_hour):
    """An hour without a call is nobody's work."""
    write_hour("2026-11-20T13:00", {"heavy": (1, 1)})
    by_work = monthly(asked(worked_ledger))
    by_wall = monthly(asked(worked_ledger, drivers={"compute": "wall_time"}))
    assert compute(by_wall)[IDLE] == 12
    # Of the hours with calls, what the load left of 25 sessions; of the one whose load nothing
    # tells, nothing.
    worked = sum(one.server_ns for one in by_work.server_time.tenants.values()) - 10**6
    left = 2 - Decimal(worked) / (25 * 3600 * 10**9)
    assert compute(by_work)[IDLE] == pytest.approx(12 * (1 + left), abs=Decimal("0.01"))
    for words in ("1 hour without a call", "the capacity of 2 hours", "of 1 hour with calls"):
        assert words in by_work.idle_by


def quiet(ledger, sessions):
    """DBLoad of the hour after the calls."""
    start_s = START_S + 2 * 3600
    row = {
        "start_s": start_s, "period_s": 3600, "resource_arn": ARN, "instance": "i",
        "load_aas": sessions, "cpu_aas": 0.0, "non_cpu_aas": 0.0,
    }  # fmt: skip
    tables.write(ledger, tables.DB_LOAD, start_s, "test", [row])


@pytest.mark.parametrize(
    ("used", "unmetered"),
    [
        # 100 ACU keep 25 sessions running, and 12.5 did.
        ({}, 6),
        ({START_S // 3600 + 2: Decimal("0.25")}, 3),
    ],
)
def test_an_hour_of_load_without_a_call_is_unmetered_by_its_load(worked_ledger, used, unmetered):
    """Its measured part, else load by capacity; the rest of it is idle, and nobody pays more."""
    acu = {START_S // 3600 + hour: Decimal(100) for hour in range(3)}
    capacity = Capacity(hourly=HourlyCapacity(acu=acu, used=used))
    request = AllocationRequest(usage=worked_ledger, month="2026-11", capacity=capacity)
    before = compute(monthly(request))
    quiet(worked_ledger, 12.5)
    statement = monthly(request)
    shares = compute(statement)
    assert (shares[UNMETERED], before[IDLE] - shares[IDLE]) == (unmetered, unmetered)
    assert {tenant: shares[tenant] for tenant in ("chatty", "heavy")} == {
        tenant: before[tenant] for tenant in ("chatty", "heavy")
    }
    assert any("without a metered call the server had load" in note for note in statement.notes)


def test_load_after_the_last_call_lengthens_no_assumed_capacity(worked_ledger):
    """The same ACU from the first call to the last: the total does not hang on the load."""
    before = compute(monthly(asked(worked_ledger)))
    quiet(worked_ledger, 12.5)
    statement = monthly(asked(worked_ledger))
    assert compute(statement) == before
    assert statement.server_time.unmetered_ns == 0


def test_from_s3_the_statement_is_the_same(worked_ledger, upload):
    """Statements and the server's tables are fetched with the ledger."""
    say_load(worked_ledger, 24)
    assert monthly(asked(upload())) == monthly(asked(worked_ledger))


def test_statements_of_a_ledger_below_the_folder_count_as_its_calls_do(worked_ledger, tmp_path):
    """A folder of several ledgers, one a service, was divided by wall time without a word."""
    alone = monthly(asked(worked_ledger))
    above = tmp_path / "ledgers"
    above.mkdir()
    shutil.move(worked_ledger, above / "shop")
    below = monthly(asked(above))
    assert below == alone
    assert [one.method for one in below.server_time.methods] == [Method.RECORD]


def test_what_the_server_says_below_a_ledger_of_the_folder_counts_once(worked_ledger, tmp_path):
    """It lies beside the calls of one service; a second service may have asked AWS the same."""
    say_load(worked_ledger, 24)
    alone = monthly(asked(worked_ledger))
    above = tmp_path / "ledgers"
    above.mkdir()
    shutil.move(worked_ledger, above / "service=shop")
    assert monthly(asked(above)) == alone
    say_load(above / "service=bar", 24)
    both = monthly(asked(above))
    assert both == alone
    assert [one.method for one in both.server_time.methods] == [Method.DB_LOAD]


def test_a_broken_file_of_statements_is_named(worked_ledger):
    """Without it some calls would have no statement."""
    bad = next((worked_ledger / "_statements").rglob("*.parquet"))
    bad.write_bytes(bad.read_bytes()[:-20])
    with pytest.raises(LedgerError, match=bad.name):
        monthly(asked(worked_ledger))


def test_every_tenant_has_an_interval_around_its_share(worked_ledger):
    """The overhead's spread says how sure the record is."""
    server = monthly(asked(worked_ledger, server_time=ServerTimeSource.RECORD)).server_time
    for tenant in server.tenants.values():
        assert tenant.weight_low <= tenant.weight <= tenant.weight_high
        assert tenant.weight_low < tenant.weight_high
