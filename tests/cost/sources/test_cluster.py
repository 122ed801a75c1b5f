"""A cluster's hours from CloudWatch's own metrics of it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import boto3
import pytest

from tenantmetrics.cost import Capacity, monthly, read_capacity
from tenantmetrics.errors import ReportError
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import IDLE, SHARED, UNATTRIBUTED


def at(moment):
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()


NOW_S = at("2026-12-03T00:00")
CLUSTER = Capacity(cluster="shared")
GB = 2**30


@pytest.fixture
def hour(cloudwatch):
    """Put an hour's metrics: `hour("2026-11-20T10", acu=2, cpu=10, of_maximum=20, reads=5)`."""
    client = boto3.client("cloudwatch")
    names = {
        "acu": "ServerlessDatabaseCapacity", "cpu": "CPUUtilization",
        "of_maximum": "ACUUtilization", "reads": "VolumeReadIOPs", "writes": "VolumeWriteIOPs",
        "volume": "VolumeBytesUsed",
    }  # fmt: skip

    def put(moment, instance=None, **values):
        name = "DBInstanceIdentifier" if instance else "DBClusterIdentifier"
        start_s = at(f"{moment}:00")
        client.put_metric_data(
            Namespace="AWS/RDS",
            MetricData=[
                {
                    "MetricName": names[key],
                    "Value": value,
                    "Timestamp": start_s + minutes * 60,
                    "Dimensions": [{"Name": name, "Value": instance or "shared"}],
                }
                for key, value in values.items()
                for minutes in range(0, 60, 30)
            ],
        )

    yield put
    client.close()


@pytest.fixture
def ledger(tmp_path, window):
    """Calls of two tenants in one hour, none in the next."""
    LedgerExporter(tmp_path / "ledger").export(
        [window("2026-11-20T10:00", {"acme": 3, "bee": 5})], float("inf")
    )
    return tmp_path / "ledger"


def pools(statement):
    return {pool.name: pool.amount for pool in statement.pools if pool.name != "data_api"}


def amounts(statement, name):
    names = [pool.name for pool in statement.pools]
    lines = {line.tenant: line.amounts[names.index(name)] for line in statement.lines}
    return {tenant: amount for tenant, amount in lines.items() if amount}


def test_capacity_io_and_storage_are_charged_at_list_prices(ledger, hour, tmp_path):
    """Half of 100 ACU used in one hour, 20 ACU without a call; 2 million I/O; 3.6 TB for 2 h."""
    hour("2026-11-20T10", acu=100, cpu=20, of_maximum=40, reads=500_000, writes=250_000)
    hour("2026-11-20T10", volume=3600 * GB)
    hour("2026-11-20T11", acu=20, reads=250_000, writes=0, volume=3600 * GB)
    statement = monthly(ledger, month="2026-11", capacity=CLUSTER, now_s=NOW_S)
    assert pools(statement) == {
        "compute": Decimal("14.40"),
        "io": Decimal("0.40"),
        "storage": Decimal("1.00"),
    }
    assert amounts(statement, "compute")[IDLE] == Decimal("8.4")
    assert set(amounts(statement, "io")) == {"acme", "bee"}
    assert amounts(statement, "storage") == {SHARED: Decimal("1.00")}
    assert statement.draft == ()
    assert any("the part that CPU did not use is idle" in note for note in statement.notes)
    measured = tmp_path / "storage.csv"
    measured.write_text("tenant,bytes\nacme,3\nbee,1\n")
    divided = monthly(ledger, month="2026-11", capacity=CLUSTER, storage=measured, now_s=NOW_S)
    assert amounts(divided, "storage") == {"acme": Decimal("0.75"), "bee": Decimal("0.25")}


def test_the_same_hours_in_a_file_give_the_same_statement(ledger, hour, tmp_path):
    """What CloudWatch says, written down by hand."""
    hour("2026-11-20T10", acu=2.5, cpu=20, of_maximum=40, reads=1, writes=2, volume=36 * GB)
    hour("2026-11-20T11", acu=0, reads=3, writes=4, volume=36 * GB)
    path = tmp_path / "hours.csv"
    path.write_text(
        "hour,acu,utilization_percent,io_requests,volume_bytes\n"
        f"2026-11-20T10:00Z,2.5,50,6,{36 * GB}\n2026-11-20T11:00Z,0,,14,{36 * GB}\n"
    )
    found = monthly(ledger, month="2026-11", capacity=CLUSTER, now_s=NOW_S)
    by_file = Capacity(hourly=read_capacity(path))
    wanted = monthly(ledger, month="2026-11", capacity=by_file, now_s=NOW_S)
    assert found.lines == wanted.lines
    assert found.pools == wanted.pools


def test_io_optimized_storage_has_no_charge_for_io(ledger, hour):
    """And another price of compute and of storage."""
    hour("2026-11-20T10", acu=100, reads=10**6, writes=0, volume=7200 * GB)
    io_optimized = Capacity(cluster="shared", io_optimized=True)
    statement = monthly(ledger, month="2026-11", capacity=io_optimized, now_s=NOW_S)
    assert pools(statement) == {"compute": Decimal("15.6"), "storage": Decimal("2.25")}


def test_a_clusters_instances_are_added_up(ledger, hour):
    """The cluster's own metric is their average; one that is gone is in that average still."""
    rds = boto3.client("rds")
    rds.create_db_cluster(
        DBClusterIdentifier="shared", Engine="aurora-postgresql", MasterUsername="x",
        MasterUserPassword="long enough", ServerlessV2ScalingConfiguration={
            "MinCapacity": 0.5, "MaxCapacity": 64},
    )  # fmt: skip
    for name in ("writer", "reader"):
        rds.create_db_instance(
            DBInstanceIdentifier=name, DBClusterIdentifier="shared", Engine="aurora-postgresql",
            DBInstanceClass="db.serverless",
        )  # fmt: skip
    rds.close()
    hour("2026-11-20T10", acu=3)
    hour("2026-11-20T10", "writer", acu=4)
    hour("2026-11-20T10", "reader", acu=2)
    hour("2026-11-20T11", acu=5)
    statement = monthly(ledger, month="2026-11", capacity=CLUSTER, now_s=NOW_S)
    assert "11 ACU-hours in 2 measured hours" in statement.pools[1].detail
    assert not any("average instance" in note for note in statement.notes)


def test_without_leave_to_list_instances_the_note_says_what_capacity_is(ledger, hour):
    """There is no such cluster in RDS any more, and CloudWatch has its metrics still."""
    hour("2026-11-20T10", acu=3)
    statement = monthly(ledger, month="2026-11", capacity=CLUSTER, now_s=NOW_S)
    assert any("average instance" in note for note in statement.notes)
    assert not any("did not use" in note for note in statement.notes)


def test_missing_hours_make_a_draft(ledger, hour):
    """An hour with calls, and a gap between two hours that are there; I/O apart."""
    hour("2026-11-20T11", acu=1, reads=1, writes=1)
    hour("2026-11-20T14", acu=1)
    statement = monthly(ledger, month="2026-11", capacity=CLUSTER, now_s=NOW_S)
    assert statement.draft == (
        "the capacity lacks 1 hour in which there were calls",
        "the cluster's capacity lacks 2 hours between the first and the last",
        "the cluster's I/O lacks 3 hours between the first and the last",
    )
    assert amounts(statement, "compute") == {IDLE: Decimal("0.24")}


def test_hours_with_capacity_and_no_calls_are_idle_all_month(ledger, hour):
    """A paused cluster costs nothing in an hour, and the hour is not missing."""
    hour("2026-11-20T09", acu=0)
    hour("2026-11-20T10", acu=0.5)
    hour("2026-11-20T11", acu=1)
    hour("2026-12-01T00", acu=100)
    statement = monthly(ledger, month="2026-11", capacity=CLUSTER, now_s=NOW_S)
    assert statement.draft == ()
    assert amounts(statement, "compute")[IDLE] == Decimal("0.12")
    assert pools(statement) == {"compute": Decimal("0.18")}


def test_an_hour_that_a_half_hour_zone_cuts_is_billed_once(hour, tmp_path, window):
    """October and November in Kolkata share an hour: half of it in each."""
    ledger = tmp_path / "ledger"
    windows = [window("2026-10-31T18:00", {"acme": 3}), window("2026-10-31T18:45", {"acme": 3})]
    LedgerExporter(ledger).export(windows, float("inf"))
    hour("2026-10-31T18", acu=1, reads=1_000_000, writes=0)
    months = [
        monthly(ledger, month=month, timezone="Asia/Kolkata", capacity=CLUSTER, now_s=NOW_S)
        for month in ("2026-10", "2026-11")
    ]
    assert [pools(one) for one in months] == [
        {"compute": Decimal("0.06"), "io": Decimal("0.2")},
        {"compute": Decimal("0.06"), "io": Decimal("0.2")},
    ]
    flat = Capacity(acu=Decimal(1))
    for month in ("2026-10", "2026-11"):
        statement = monthly(ledger, month=month, timezone="Asia/Kolkata", capacity=flat)
        assert pools(statement) == {"compute": Decimal("0.06")}


def test_a_cluster_that_is_not_there_or_two_answers_are_one_clear_error(ledger, cloudwatch):
    """What to check stands in it."""
    with pytest.raises(ReportError, match="no ServerlessDatabaseCapacity of cluster 'shared' in"):
        monthly(ledger, month="2026-11", capacity=CLUSTER, now_s=NOW_S)
    with pytest.raises(ReportError, match="keeps metrics for 455 days"):
        monthly(ledger, month="2026-11", capacity=CLUSTER, now_s=at("2028-03-01"))
    with pytest.raises(ReportError, match="capacity is given more than once"):
        Capacity(cluster="shared", acu=Decimal(1))


def test_with_a_bill_the_clusters_hours_give_the_proportions(ledger, hour, tmp_path, window):
    """The amount is the bill's, and who was there in which hour comes from CloudWatch."""
    later = window("2026-11-20T11:00", {"cat": 1}, writer="v")
    LedgerExporter(ledger).export([later], float("inf"))
    hour("2026-11-20T10", acu=1)
    hour("2026-11-20T11", acu=3)
    bill = tmp_path / "focus.csv"
    bill.write_text(
        "BilledCost,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,x_UsageType\n"
        "8,USD,2026-11-01T00:00:00Z,Usage,2026-11-01T00:00:00Z,Aurora:ServerlessV2Usage\n"
    )
    statement = monthly(ledger, month="2026-11", capacity=CLUSTER, bill=bill, now_s=NOW_S)
    assert statement.total == 8
    assert amounts(statement, "compute")["cat"] == 6
    assert UNATTRIBUTED not in amounts(statement, "compute")


@pytest.mark.parametrize(
    ("spans", "missing"),
    [
        (["2026-11-01T00:00:00Z,2026-12-01T00:00:00Z"], True),
        (["2026-11-20T10:00:00Z,2026-11-20T11:00:00Z", "2026-11-20T11:00:00Z,2026-11-20T12:00:00Z"],
         False),
    ],
)  # fmt: skip
def test_with_a_bill_only_the_hours_that_it_needs_make_a_draft(
    ledger, hour, tmp_path, spans, missing
):
    """A bill by the hour needs none; one by the month needs capacity, and never I/O."""
    hour("2026-11-20T10", acu=1, reads=1, writes=1)
    hour("2026-11-20T12", acu=3)
    bill = tmp_path / "focus.csv"
    bill.write_text(
        "BilledCost,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,"
        "ChargePeriodEnd,x_UsageType\n"
        + "".join(
            f"8,USD,2026-11-01T00:00:00Z,Usage,{span},Aurora:ServerlessV2Usage\n" for span in spans
        )
    )
    statement = monthly(ledger, month="2026-11", capacity=CLUSTER, bill=bill, now_s=NOW_S)
    lacks = ("the cluster's capacity lacks 1 hour between the first and the last",)
    assert statement.draft == (lacks if missing else ())
