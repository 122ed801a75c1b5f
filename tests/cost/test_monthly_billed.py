"""A month's statement of a real bill: adds up to it, to the cent."""

from __future__ import annotations

import csv
from decimal import Decimal

import pytest

from tenantmetrics.cost import BillFilter, Capacity, monthly, read_capacity
from tenantmetrics.cost.statement import LineKind
from tenantmetrics.errors import ReportError
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import IDLE, UNATTRIBUTED, Series, SeriesKey, Source, Window

COLUMNS = [
    "BilledCost", "EffectiveCost", "BillingAccountId", "BillingCurrency", "BillingPeriodStart",
    "ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd", "ConsumedQuantity", "RegionId",
    "x_UsageType",
]  # fmt: skip


@pytest.fixture
def focus(tmp_path):
    """Write a FOCUS file of (amount, usage type, category, hour or None, quantity)."""

    def make(*charges, currency="USD", region="us-east-1"):
        path = tmp_path / "bill.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for amount, usage_type, category, hour, quantity in charges:
                start = "2026-11-01T00:00:00Z" if hour is None else f"2026-11-20T{hour:02}:00:00Z"
                end = "2026-12-01T00:00:00Z" if hour is None else f"2026-11-20T{hour + 1:02}:00:00Z"
                writer.writerow([amount, amount, "1111", currency, "2026-11-01T00:00:00Z", category,
                                 start, end, quantity, region, usage_type])  # fmt: skip
        return path

    return make


ACU = "Aurora:ServerlessV2Usage"


def amounts(statement):
    names = [pool.name for pool in statement.pools]
    return {
        line.tenant: {n: a for n, a in zip(names, line.amounts, strict=True) if a}
        for line in statement.lines
    }


def test_the_lines_add_up_to_the_bill_with_credits_taxes_and_what_nobody_knows(
    ledger, write_hour, focus
):
    """Every pool by its driver; the rest on lines of its own; the sum is the bill's."""
    write_hour("2026-11-20T10:00", {"acme": (30, 60), "bee": (10, 20)})
    write_hour("2026-11-20T11:00", {"bee": (10, 1)})
    bill = focus(
        (Decimal("80.00"), ACU, "Usage", 10, 1),
        (Decimal("20.00"), ACU, "Usage", 11, 1),
        (Decimal("7.00"), ACU, "Usage", 12, 1),
        (Decimal("5.00"), "Data-API-Usage", "Usage", 10, 50),
        (Decimal("10.00"), "Aurora:StorageIOUsage", "Usage", None, 1),
        (Decimal("9.99"), "BoxUsage:m5.large", "Usage", None, 1),
        (Decimal("-12.20"), "", "Credit", None, 0), (Decimal("1.005"), "", "Tax", None, 0),
    )  # fmt: skip
    statement = monthly(ledger, month="2026-11", bill=bill, now_s=1_796_083_200)
    assert statement.total == Decimal("120.80") == sum(line.total for line in statement.lines)
    found = amounts(statement)
    assert found["acme"] == {
        "compute": 60, "data_api": 3, "io": 6,
        "credits": Decimal("-6.38"), "taxes": Decimal("0.53"),
    }  # fmt: skip
    assert found["bee"]["compute"] == 40
    assert found[IDLE]["compute"] == 7
    assert found["unclassified"]["unclassified"] == Decimal("9.99")
    assert not statement.estimate
    assert statement.draft == ()
    assert statement.account == "1111"


def test_requests_that_aws_billed_and_nobody_measured_are_unattributed(ledger, write_hour, focus):
    """80 of 100 requests went through the client; the note says so."""
    write_hour("2026-11-20T10:00", {"acme": (80, 1)})
    bill = focus((Decimal(10), "Data-API-Usage", "Usage", 10, 100))
    statement = monthly(ledger, month="2026-11", bill=bill)
    assert amounts(statement) == {"acme": {"data_api": 8}, UNATTRIBUTED: {"data_api": 2}}
    assert any("billed 100 Data API requests and the ledger holds 80" in n for n in statement.notes)


def test_more_requests_in_the_ledger_than_on_the_bill_are_noted(ledger, write_hour, focus):
    """It may be the wrong bill."""
    write_hour("2026-11-20T10:00", {"acme": (80, 1)})
    bill = focus((Decimal(10), "Data-API-Usage", "Usage", 10, 10))
    statement = monthly(ledger, month="2026-11", bill=bill)
    assert statement.total == 10
    assert any("may be of another cluster" in note for note in statement.notes)


def test_measured_capacity_gives_the_hours_where_the_bill_does_not(
    ledger, write_hour, focus, tmp_path
):
    """A monthly bill of 30, capacity 2:1 over two hours, one of them half idle."""
    write_hour("2026-11-20T10:00", {"acme": (1, 7)})
    write_hour("2026-11-20T11:00", {"bee": (1, 1)})
    bill = focus((Decimal(30), ACU, "Usage", None, 1))
    path = tmp_path / "acu.csv"
    path.write_text("hour,acu,utilization_percent\n2026-11-20T10,2,50\n2026-11-20T11,1,\n")
    capacity = Capacity(hourly=read_capacity(path))
    statement = monthly(ledger, month="2026-11", bill=bill, capacity=capacity)
    assert amounts(statement) == {
        "acme": {"compute": 10}, "bee": {"compute": 10}, IDLE: {"compute": 10}, UNATTRIBUTED: {},
    }  # fmt: skip
    flat = monthly(ledger, month="2026-11", bill=bill)
    assert amounts(flat)["acme"] == {"compute": Decimal("26.25")}


def test_another_currency_is_kept_with_its_own_smallest_coin(ledger, write_hour, focus):
    """Yen have no cents."""
    write_hour("2026-11-20T10:00", {"a": (1, 1), "b": (1, 1), "c": (1, 1)})
    bill = focus((Decimal(1000), ACU, "Usage", None, 1), currency="JPY")
    statement = monthly(ledger, month="2026-11", bill=bill)
    assert (statement.currency, statement.quantum) == ("JPY", 1)
    assert sorted(line.total for line in statement.lines) == [0, 333, 333, 334]


def test_a_bill_of_zero_and_one_with_larger_credits_still_add_up(ledger, write_hour, focus):
    """Nothing to pay, or money back."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    zero = monthly(ledger, month="2026-11", bill=focus((0, ACU, "Usage", None, 1)))
    assert zero.total == 0
    assert [line.tenant for line in zero.lines] == ["acme", UNATTRIBUTED]
    back = monthly(
        ledger,
        month="2026-11",
        bill=focus((1, ACU, "Usage", None, 1), (-5, "", "Credit", None, 0)),
    )
    assert amounts(back)["acme"] == {"compute": 1, "credits": -5}


def test_a_bill_of_another_region_than_the_usage_is_noted(ledger, focus):
    """Its charges are divided all the same, and the note stands out."""
    arn = "arn:aws:rds:us-east-1:123456789012:cluster:shared"
    key = SeriesKey("acme", "ExecuteStatement", "ok", Source.CONTEXT, arn, "")
    window = Window(1_795_168_800, 60, "w", 0, {key: Series(1, 1, billed_requests=1)}, {})
    LedgerExporter(ledger).export([window], float("inf"))
    bill = focus((1, ACU, "Usage", None, 1), region="eu-west-1")
    statement = monthly(ledger, month="2026-11", bill=bill)
    assert any("of eu-west-1 and the usage of us-east-1" in note for note in statement.notes)


def test_hours_that_the_bill_lacks_make_a_draft(ledger, write_hour, focus):
    """Compute was billed for two hours and calls came in a third."""
    for hour in (10, 11, 15):
        write_hour(f"2026-11-20T{hour}:00", {"acme": (1, 1)})
    bill = focus((1, ACU, "Usage", 10, 1), (1, ACU, "Usage", 11, 1))
    statement = monthly(ledger, month="2026-11", bill=bill)
    assert any("no compute for 1 hour " in reason for reason in statement.draft)


def test_an_unmeasured_pool_without_its_driver_is_shared(ledger, write_hour, focus):
    """Storage on the bill and nobody measured it: on a line of its own, not spread."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    bill = focus((3, "Aurora:StorageUsage", "Usage", None, 1))
    statement = monthly(ledger, month="2026-11", bill=bill, bill_filter=BillFilter())
    assert amounts(statement)["__shared__"] == {"storage": 3}
    assert statement.lines[-1].kind is LineKind.SHARED


ARN = "arn:aws:rds:us-east-1:{}:cluster:{}"


@pytest.fixture
def of_two_clusters(ledger):
    """Tenant `a` on cluster alpha and tenant `b` on beta."""
    for number, name in enumerate(("alpha", "beta")):
        arn = ARN.format("111122223333", name)
        key = SeriesKey(name[0], "ExecuteStatement", "ok", Source.CONTEXT, arn, "")
        window = Window(
            1_795_168_800, 60, name, number, {key: Series(9, 10**9, billed_requests=9)}, {}
        )
        LedgerExporter(ledger).export([window], float("inf"))
    return ledger


@pytest.fixture
def of_cluster(tmp_path):
    """A FOCUS file of $25 of a cluster's compute."""

    def make(account, *names):
        path = tmp_path / "bill.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*COLUMNS, "SubAccountId", "ResourceId"])
            for name in names:
                writer.writerow([25, 25, "1111", "USD", "2026-11-01T00:00:00Z", "Usage",
                                 "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", 1, "us-east-1",
                                 ACU, account, ARN.format(account, name)])  # fmt: skip
        return path

    return make


def test_a_tenant_of_another_cluster_than_the_bills_pays_nothing(of_two_clusters, of_cluster):
    """The filter of the bill filters the usage, and says so."""
    bill = of_cluster("111122223333", "alpha", "beta")
    for name, tenant in (("alpha", "a"), ("beta", "b")):
        only = BillFilter(cluster=name)
        statement = monthly(of_two_clusters, month="2026-11", bill=bill, bill_filter=only)
        assert amounts(statement) == {tenant: {"compute": 25}, UNATTRIBUTED: {}}
        assert any("other clusters than the bill's is left out" in n for n in statement.notes)
    both = monthly(of_two_clusters, month="2026-11", bill=bill)
    assert amounts(both) == {"a": {"compute": 25}, "b": {"compute": 25}, UNATTRIBUTED: {}}
    assert any("alpha: 25; beta: 25" in note for note in both.notes)
    with pytest.raises(ReportError, match=r"the usage is of .*alpha, .*beta: name the one"):
        monthly(of_two_clusters, month="2026-11", bill=of_cluster("1", "gamma"),
                bill_filter=BillFilter(cluster="gamma"))  # fmt: skip


def test_a_bill_of_an_account_that_no_cluster_is_of_is_refused(of_two_clusters, of_cluster):
    """Unless the account is named."""
    bill = of_cluster("444455556666", "alpha")
    with pytest.raises(ReportError, match="of account 444455556666 and the usage is of 1111"):
        monthly(of_two_clusters, month="2026-11", bill=bill)


def test_inputs_that_divide_nothing_are_named(ledger, write_hour, focus, tmp_path):
    """Measured bytes without a pool; hours of another month, which take nothing off a bill."""
    write_hour("2026-11-20T10:00", {"acme": (30, 60)})
    stored, hours = tmp_path / "stored.csv", tmp_path / "hours.csv"
    stored.write_text("tenant,bytes\nghost,7\n")
    hours.write_text("hour,acu\n2026-10-20T10,1\n")
    bill = focus((8, ACU, "Usage", None, 1))
    capacity = Capacity(hourly=read_capacity(hours))
    statement = monthly(ledger, month="2026-11", bill=bill, storage=stored, capacity=capacity)
    assert amounts(statement)["acme"] == {"compute": 8}
    notes = " ".join(statement.notes)
    assert "No pool of the month is divided by the measured bytes." in notes
    assert "1 hour of the capacity's is outside the month and not used." in notes
    assert "neither in the total" not in notes
