"""List and contracted cost beside the billed one."""

from __future__ import annotations

import csv
import io

import pytest

from tenantmetrics.cost import AllocationRequest, monthly
from tenantmetrics.cost.bill import load
from tenantmetrics.errors import ReportError
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import Series, SeriesKey, Source, Window
from tenantmetrics.report.focus import as_focus
from tests.cost.bill.rows import NOVEMBER, cur_row, focus_row


def told_of(bill, pool):
    """List and contracted cost of a pool."""
    found = bill.pools[pool]
    return found.listed, found.contracted


def test_list_and_contracted_cost_of_focus_are_kept(write):
    """By pool; where a charge says none, it is what the charge is worth."""
    costs = {"ListCost": "20", "ContractedCost": "15"}
    rows = [
        focus_row("10", "Aurora:ServerlessV2Usage", **costs),
        focus_row("4", "Aurora:ServerlessV2Usage", ListCost="", ContractedCost="3"),
        focus_row("-2", "Aurora:ServerlessV2Usage", "Credit", ListCost="-2", ContractedCost=""),
    ]
    bill = load([write(rows)], NOVEMBER)
    assert told_of(bill, "compute") == (24, 18)
    assert told_of(bill, "credits") == (-2, -2)
    assert bill.total == 12
    without = load([write([focus_row("10", "Aurora:ServerlessV2Usage")])], NOVEMBER)
    assert told_of(without, "compute") == (None, None)
    rows[0]["ListCost"] = "1,234"
    with pytest.raises(ReportError, match="column 'ListCost': '1,234' is not a number"):
        load([write(rows)], NOVEMBER)


def test_the_list_cost_of_a_cur_is_what_usage_costs_on_demand(write):
    """A negation, a fee and a tax have none of their own; agreed prices are not in a CUR."""
    plan = {
        "savings_plan_savings_plan_effective_cost": "0",
        "savings_plan_total_commitment_to_date": "0", "savings_plan_used_commitment": "0",
        "reservation_effective_cost": "0",
    }  # fmt: skip
    acu = "Aurora:ServerlessV2Usage"

    def charge(amount, kind, listed, effective="0"):
        more = {"savings_plan_savings_plan_effective_cost": effective}
        return cur_row(amount, acu, kind, pricing_public_on_demand_cost=listed, **{**plan, **more})

    rows = [
        charge("10", "SavingsPlanCoveredUsage", "10", effective="7"),
        charge("-10", "SavingsPlanNegation", "-10"),
        charge("5", "Usage", "6"),
        charge("1", "Tax", ""),
    ]
    bill = load([write(rows)], NOVEMBER)
    assert told_of(bill, "compute") == (16, None)
    assert told_of(bill, "taxes") == (1, None)
    assert bill.pools["compute"].amount == 5
    assert told_of(load([write(rows)], NOVEMBER, amortized=True), "compute") == (16, None)


def test_focus_out_has_the_bills_own_list_and_contracted_cost(write, tmp_path):
    """From a bill to FOCUS rows: what the file says, divided among the tenants that used it."""
    arn = "arn:aws:rds:us-east-1:4444:cluster:c"
    series = {
        SeriesKey(name, "ExecuteStatement", "ok", Source.SESSION, arn, "a"): Series(
            calls, 10**9, billed_requests=calls
        )
        for name, calls in (("acme", 3), ("bee", 1))
    }
    start_s = 1_795_132_800  # 2026-11-20
    LedgerExporter(tmp_path / "ledger").export(
        [Window(start_s, 60, "w", 0, series, {})], float("inf")
    )
    rows = [focus_row("10", "Data-API-Usage", ConsumedQuantity="4", ResourceId="", ListCost="16",
                      ContractedCost="12")]  # fmt: skip
    made = monthly(AllocationRequest(usage=tmp_path / "ledger", month="2026-11", bill=write(rows)))
    found = list(csv.DictReader(io.StringIO(as_focus(made))))
    assert [(row["x_TenantId"], row["BilledCost"], row["ListCost"], row["ContractedCost"])
            for row in found] == [
        ("acme", "7.50", "12.00", "9.00"), ("bee", "2.50", "4.00", "3.00"),
    ]  # fmt: skip
