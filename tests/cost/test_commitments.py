"""What was paid ahead: billed when it was paid, worth something when it was used."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from decimal import Decimal

import pytest

from tenantmetrics.cost import monthly
from tenantmetrics.errors import ReportError
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import Series, SeriesKey, Source, Window
from tenantmetrics.report.focus import as_focus

HOUR = 1_795_168_800 // 3600  # 2026-11-20 10:00 UTC
CLUSTER = "arn:aws:rds:us-east-1:111122223333:cluster:prod"
ACU, INSTANCE = "Aurora:ServerlessV2Usage", "InstanceUsage:db.r6g.large"
PLAN = "savings_plan_savings_plan_effective_cost"
RESERVED = "reservation_effective_cost"


@pytest.fixture
def ledger(tmp_path):
    """Two tenants in each of two hours, a third and two thirds of the wall time."""
    exporter = LedgerExporter(tmp_path / "ledger")
    for number in range(2):
        series = {
            SeriesKey(name, "ExecuteStatement", "ok", Source.CONTEXT, CLUSTER, ""): Series(
                1, ns, billed_requests=1
            )
            for name, ns in (("a", 10**9), ("b", 2 * 10**9))
        }
        window = Window((HOUR + number) * 3600, 60, "w", number, series, {})
        exporter.export([window], float("inf"))
    return tmp_path / "ledger"


def cur(path, *charges, drop=()):
    """A CUR of (kind, usage type, billed, hour, more columns)."""
    base = {PLAN: "0", RESERVED: "0", "reservation_reservation_a_r_n": ""}
    base |= dict.fromkeys(
        ("savings_plan_total_commitment_to_date", "savings_plan_used_commitment",
         "reservation_unused_amortized_upfront_fee_for_billing_period",
         "reservation_unused_recurring_fee"), "0",
    )  # fmt: skip
    rows = [
        {
            "line_item_unblended_cost": billed, "line_item_line_item_type": kind,
            "line_item_usage_type": usage_type, "line_item_currency_code": "USD",
            "bill_billing_period_start_date": "2026-11-01T00:00:00Z",
            "line_item_usage_start_date": f"2026-11-20T{hour}:00:00Z",
            "line_item_usage_end_date": f"2026-11-20T{hour + 1}:00:00Z",
            "line_item_usage_amount": "1", "line_item_resource_id": CLUSTER,
            "line_item_product_code": "AmazonRDS", "bill_invoice_id": "1", **base, **more,
        }
        for kind, usage_type, billed, hour, more in charges
    ]  # fmt: skip
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [k for k in rows[0] if k not in drop], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def plan(folder):
    """Usage of 10.50 that a Savings Plan of 9 an hour covered, and 3 of it unused."""
    return cur(
        folder / "plan.csv",
        ("SavingsPlanCoveredUsage", ACU, "10.50", 10, {PLAN: "6"}),
        ("SavingsPlanNegation", ACU, "-10.50", 10, {}),
        ("SavingsPlanRecurringFee", "Aurora:ServerlessV2Usage", "9", 10,
         {"savings_plan_total_commitment_to_date": "9", "savings_plan_used_commitment": "6"}),
        ("Usage", ACU, "1.50", 11, {}),
    ), Decimal("10.50"), Decimal("10.50")  # fmt: skip


def reserved(folder):
    """Instance hours that were paid a year ago; nothing of them is billed."""
    return cur(
        folder / "reserved.csv",
        ("DiscountedUsage", INSTANCE, "0", 10, {RESERVED: "0.15"}),
        ("DiscountedUsage", INSTANCE, "0", 11, {RESERVED: "0.15"}),
    ), Decimal(0), Decimal("0.30")  # fmt: skip


def partly(folder):
    """A partly prepaid reservation: its monthly fee is billed, and half of it unused."""
    unused = "reservation_unused_recurring_fee"
    return cur(
        folder / "partly.csv",
        ("RIFee", "HeavyUsage:db.r6g.large", "100", 10, {unused: "50"}),
        ("DiscountedUsage", INSTANCE, "0", 10, {RESERVED: "30"}),
        ("DiscountedUsage", INSTANCE, "0", 11, {RESERVED: "45"}),
    ), Decimal(100), Decimal(125)  # fmt: skip


def none(folder):
    """No commitment at all."""
    return cur(folder / "none.csv", ("Usage", ACU, "3", 10, {}),
               ("Usage", ACU, "3", 11, {})), Decimal(6), Decimal(6)  # fmt: skip


def focus(folder):
    """A FOCUS file: usage is billed nothing and worth its part of the purchase."""
    columns = "BilledCost,EffectiveCost,BillingCurrency,BillingPeriodStart,ChargeCategory"
    lines = [f"{columns},ChargePeriodStart,ChargePeriodEnd,x_UsageType,ResourceId"]
    month = "2026-11-01T00:00:00Z"
    lines += [
        f"{billed},{worth},USD,{month},{category},2026-11-20T{hour}:00:00Z,"
        f"2026-11-20T{hour + 1}:00:00Z,{usage_type},{CLUSTER}"
        for billed, worth, category, hour, usage_type in (
            ("20", "0", "Purchase", 10, "HeavyUsage:db.r6g.large"),
            ("0", "7.25", "Usage", 10, INSTANCE),
            ("0", "7.25", "Usage", 11, INSTANCE),
            ("2", "2", "Usage", 11, "Aurora:StorageIOUsage"),
        )
    ]
    path = folder / "focus.csv"
    path.write_text("\n".join(lines) + "\n")
    return path, Decimal(22), Decimal("16.50")


def explorer(folder):
    """Cost Explorer's answer with both metrics."""
    groups = [
        {"Keys": [usage_type, kind],
         "Metrics": {"UnblendedCost": {"Amount": billed, "Unit": "USD"},
                     "AmortizedCost": {"Amount": worth, "Unit": "USD"}}}
        for usage_type, kind, billed, worth in (
            ("HeavyUsage:db.r6g.large", "RI Fee", "40", "0"),
            (INSTANCE, "DiscountedUsage", "0", "33.34"),
            ("Aurora:StorageUsage", "Usage", "1", "1"),
        )
    ]  # fmt: skip
    answer = {
        "GroupDefinitions": [{"Key": "USAGE_TYPE"}, {"Key": "RECORD_TYPE"}],
        "ResultsByTime": [{"TimePeriod": {"Start": "2026-11-01"}, "Groups": groups}],
    }
    path = folder / "ce.json"
    path.write_text(json.dumps(answer))
    return path, Decimal(41), Decimal("34.34")


BILLS = [plan, reserved, partly, none, focus, explorer]


@pytest.mark.parametrize("bill", BILLS)
@pytest.mark.parametrize("amortized", [False, True])
@pytest.mark.parametrize("idle", ["separate", "weighted"])
def test_billed_cost_stays_billed_and_effective_cost_amortized(
    ledger, tmp_path, bill, amortized, idle
):
    """Whichever of them the report divides, FOCUS has both, to the cent."""
    path, billed, worth = bill(tmp_path)
    statement = monthly(
        ledger, month="2026-11", bill=path, amortized=amortized, idle=idle,
        drivers={"compute": "wall_time"},
    )  # fmt: skip
    assert statement.total == (worth if amortized else billed)
    rows = list(csv.DictReader(io.StringIO(as_focus(statement))))
    assert sum(Decimal(row["BilledCost"]) for row in rows) == billed
    assert sum(Decimal(row["EffectiveCost"]) for row in rows) == worth
    ratios = defaultdict(Decimal)
    for row in rows:
        (element,) = json.loads(row["AllocatedMethodDetails"])["Elements"]
        ratios[row["AllocatedMethodId"]] += Decimal(str(element["AllocatedRatio"]))
        assert Decimal(row["ListCost"]) == Decimal(row["EffectiveCost"])
    assert all(abs(ratio - 1) < Decimal("1e-6") for ratio in ratios.values())


def test_one_ratio_divides_both_costs(ledger, tmp_path):
    """Tenants have the same part of what was billed and of what it is worth."""
    path, _, _ = partly(tmp_path)
    statement = monthly(
        ledger, month="2026-11", bill=path, amortized=True, idle="weighted",
        drivers={"compute": "wall_time"},
    )  # fmt: skip
    found = {
        row["x_TenantId"]: (row["BilledCost"], row["EffectiveCost"])
        for row in csv.DictReader(io.StringIO(as_focus(statement)))
    }
    assert found == {"a": ("33.33", "41.67"), "b": ("66.67", "83.33")}


@pytest.mark.parametrize(
    ("bill", "column"), [(plan, PLAN), (reserved, RESERVED), (partly, RESERVED)]
)
def test_amortized_needs_the_columns_that_tell(ledger, tmp_path, bill, column):
    """An export without the column would make what was paid ahead worth nothing, in silence."""
    path, _, _ = bill(tmp_path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [k for k in rows[0] if k != column], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(ReportError, match=column):
        monthly(ledger, month="2026-11", bill=path, amortized=True)
    statement = monthly(ledger, month="2026-11", bill=path, drivers={"compute": "wall_time"})
    assert all(pool.other is None for pool in statement.pools)


@pytest.mark.parametrize("bill", [plan, reserved, partly])
def test_a_bill_paid_ahead_says_use_amortized_once(ledger, tmp_path, bill):
    """One clear sentence, and none where amortized costs are divided."""
    path, _, _ = bill(tmp_path)
    for amortized, times in ((False, 1), (True, 0)):
        statement = monthly(ledger, month="2026-11", bill=path, amortized=amortized)
        words = " ".join((*statement.notes, *statement.draft))
        assert words.count("use amortized costs") == times
        assert "no compute" not in words


def test_another_currency_has_both_costs(ledger, tmp_path):
    """What was billed and what it is worth are converted by one rate, and add up."""
    path, billed, worth = partly(tmp_path)
    rates = tmp_path / "rates.csv"
    rates.write_text("date,from,to,rate,source\n2026-11-30,USD,EUR,0.5,ECB\n")
    statement = monthly(
        ledger, month="2026-11", bill=path, currency="EUR", rates=rates, now_s=1_796_090_000,
        drivers={"compute": "wall_time"},
    )  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(as_focus(statement))))
    assert sum(Decimal(row["BilledCost"]) for row in rows) == billed / 2
    assert sum(Decimal(row["EffectiveCost"]) for row in rows) == worth / 2


@pytest.mark.parametrize(
    ("numbers", "invoice"),
    [(("1",), "1"), (("1", "1"), "1"), (("1", "2"), ""), (("",), ""), (("9", "9", "8"), "")],
)
def test_an_invoice_is_named_where_there_is_one(ledger, tmp_path, numbers, invoice):
    """A pool of several invoices is on none in particular."""
    path = cur(
        tmp_path / "cur.csv",
        *(("Usage", ACU, "3", 10, {"bill_invoice_id": number}) for number in numbers),
    )  # fmt: skip
    statement = monthly(ledger, month="2026-11", bill=path, drivers={"compute": "wall_time"})
    rows = csv.DictReader(io.StringIO(as_focus(statement)))
    assert {row["InvoiceId"] for row in rows} == {invoice}
