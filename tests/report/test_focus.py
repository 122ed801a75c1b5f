"""FOCUS rows."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

from tenantmetrics.cost.statement import Line, LineKind, Pool, Usage
from tenantmetrics.report.focus import COLUMNS
from tenantmetrics.report.focus import as_focus as render

MANDATORY_1_2 = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
]


def rows(statement):
    return list(csv.DictReader(io.StringIO(render(statement))))


def test_all_mandatory_and_allocated_columns_are_there():
    """Those of 1.2, the five of 1.3's split, and the tenant."""
    assert set(MANDATORY_1_2) < set(COLUMNS)
    assert {
        "AllocatedMethodId", "AllocatedMethodDetails", "AllocatedResourceId",
        "AllocatedResourceName", "AllocatedTags", "x_TenantId",
    } < set(COLUMNS)  # fmt: skip


def test_of_each_pool_costs_sum_to_the_pool_and_ratios_to_one(make_statement):
    """Allocated charges sum to the origin charge; so do the ratios."""
    statement = make_statement({f"t{n}": (n, 7 * n) for n in range(1, 60)})
    cost, ratio = defaultdict(Decimal), defaultdict(Decimal)
    for row in rows(statement):
        cost[row["AllocatedMethodId"]] += Decimal(row["BilledCost"])
        (element,) = json.loads(row["AllocatedMethodDetails"])["Elements"]
        ratio[row["AllocatedMethodId"]] += Decimal(str(element["AllocatedRatio"]))
    for pool in statement.pools:
        assert cost[f"tenantmetrics:{pool.name}"] == pool.amount
        assert abs(ratio[f"tenantmetrics:{pool.name}"] - 1) < Decimal("1e-9")


def test_only_tenants_have_a_tenant_and_nothing_runs_as_a_formula(make_statement):
    """Idle cost names no consumer; a name with a leading = is disarmed."""
    found = rows(make_statement({"=1+1": (1, 1)}, draft=("x",)))
    assert {row["x_TenantId"] for row in found} == {"'=1+1", ""}
    assert {row["x_LineKind"] for row in found} == {"tenant", "unattributed", "idle"}
    assert {row["x_Status"] for row in found} == {"DRAFT ESTIMATE"}
    assert {row["BillingPeriodStart"] for row in found} == {"2026-11-01T00:00:00Z"}
    assert {row["ChargeClass"] for row in found} == {""}


def test_a_tax_has_no_quantity(make_statement):
    """FOCUS 1.2: PricingQuantity and PricingUnit are null where the charge is a tax."""
    statement = make_statement({"a": (1, 1)})
    pool = Pool("taxes", "Taxes", Decimal(1), "calls")
    line = Line("a", LineKind.TENANT, Usage(1), (Decimal(1),))
    (row,) = csv.DictReader(io.StringIO(render(replace(statement, pools=(pool,), lines=(line,)))))
    assert (row["ChargeCategory"], row["PricingQuantity"], row["PricingUnit"]) == ("Tax", "", "")
    assert row["ServiceName"] == "unspecified"
