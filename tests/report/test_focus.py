"""FOCUS rows."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

import pytest

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


def cost_of(made, pools):
    """Billed, contracted, effective and list cost by line, of a statement with other pools."""
    found = rows(replace(made, pools=pools))
    names = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
    return {row["x_TenantId"] or row["x_LineKind"]: [row[name] for name in names] for row in found}


def one_pool(*lines, others=(), **pool):
    """A statement of one pool in cents."""
    amounts = [Decimal(amount) for _, amount in lines]
    pool = Pool("compute", "Compute", sum(amounts), "calls", **pool)
    made = tuple(
        Line(
            name, LineKind.TENANT, Usage(1), (amount,),
            others=(Decimal(others[place]),) if others else (),
        )
        for place, (name, amount) in enumerate(zip([n for n, _ in lines], amounts, strict=True))
    )  # fmt: skip
    return pool, made


@pytest.mark.parametrize(
    ("lines", "others", "listed", "contracted", "expected"),
    [
        # The bill's own, by the same shares; cents that do not divide go by largest remainder.
        ([("a", "6.00"), ("b", "3.00")], (), "12", "10", ["8.00 6.67", "4.00 3.33"]),
        # Where the bill has none: what it is worth.
        ([("a", "6.00"), ("b", "3.00")], (), None, None, ["6.00 6.00", "3.00 3.00"]),
        ([("a", "6.00"), ("b", "3.00")], (), "12", None, ["8.00 6.00", "4.00 3.00"]),
        # Paid ahead: nothing is billed, and the shares are those of what was used.
        ([("a", "0"), ("b", "0")], ("2.00", "1.00"), "6", "3", ["4.00 2.00", "2.00 1.00"]),
        # Credits, and a refund beside a charge.
        ([("a", "-6.00"), ("b", "-3.00")], (), "-12", "-9", ["-8.00 -6.00", "-4.00 -3.00"]),
        ([("a", "6.00"), ("b", "-3.00")], (), "6", "1.5", ["12.00 3.00", "-6.00 -1.50"]),
        # A third of a millionth is less than a cent.
        ([("a", "1.00"), ("b", "1.00"), ("c", "1.00")], (), "1.0000003", "0.01",
         ["0.34 0.01", "0.33 0.00", "0.33 0.00"]),
    ],
)  # fmt: skip
def test_list_and_contracted_cost_are_the_bills_own(
    make_statement, lines, others, listed, contracted, expected
):
    """Divided as the pool is, and each sums to what the bill says."""
    pool, made = one_pool(
        *lines, others=others,
        listed=None if listed is None else Decimal(listed),
        contracted=None if contracted is None else Decimal(contracted),
        other=sum(map(Decimal, others)) if others else None,
    )  # fmt: skip
    found = cost_of(replace(make_statement({"a": (1, 1)}), lines=made), (pool,))
    told = [f"{costs[3]} {costs[1]}" for costs in found.values()]
    assert told == expected
