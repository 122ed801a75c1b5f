"""Cost Explorer's answer as a bill."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tenantmetrics.cost.bill import load
from tenantmetrics.errors import ReportError
from tests.cost.bill.rows import CHARGES, NOVEMBER


def explorer(groups, **more):
    """What GetCostAndUsage answers."""
    return {
        "GroupDefinitions": [
            {"Type": "DIMENSION", "Key": "USAGE_TYPE"},
            {"Type": "DIMENSION", "Key": "RECORD_TYPE"},
        ],
        "ResultsByTime": [
            {
                "TimePeriod": {"Start": "2026-11-01", "End": "2026-12-01"},
                "Estimated": True,
                "Groups": [
                    {
                        "Keys": [usage_type, kind],
                        "Metrics": {"UnblendedCost": {"Amount": amount, "Unit": "USD"}},
                    }
                    for amount, usage_type, kind in groups
                ],
            }
        ],
        **more,
    }


def test_cost_explorers_answer_is_a_bill(tmp_path):
    """Amounts are exact, and Estimated is kept."""
    path = tmp_path / "ce.json"
    path.write_text(json.dumps(explorer(CHARGES)))
    bill = load([path], NOVEMBER)
    assert bill.total == sum(Decimal(amount) for amount, *_ in CHARGES)
    assert bill.estimated
    assert bill.pools["credits"].amount == -2


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("{", "cannot be read"),
        ("[]", "no ResultsByTime"),
        (json.dumps(explorer(CHARGES, NextPageToken="x")), "one page of several"),
        (
            json.dumps(explorer(CHARGES, GroupDefinitions=[])),
            "grouped by the dimension",
        ),
        (json.dumps(explorer([("1,5", "x", "Usage")])), "'x': the amount is not a number"),
        (json.dumps(explorer([])), "holds nothing for 2026-11"),
    ],
)
def test_a_wrong_answer_is_refused(tmp_path, content, error):
    """One line that says what is wrong with it."""
    path = tmp_path / "ce.json"
    path.write_text(content)
    with pytest.raises(ReportError, match=error):
        load([path], NOVEMBER)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_an_amount_that_is_not_finite_is_refused(tmp_path, amount):
    """One line, no traceback."""
    path = tmp_path / "ce.json"
    path.write_text(json.dumps(explorer([(amount, "x", "Usage")])))
    with pytest.raises(ReportError, match="'x': the amount is not a number"):
        load([path], NOVEMBER)
