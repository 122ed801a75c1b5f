"""Rows of bills as AWS exports them."""

from __future__ import annotations

from pathlib import Path

from tenantmetrics.cost.period import parse_month

__all__ = ["CHARGES", "NISE", "NOVEMBER", "cur_row", "focus_row"]

NOVEMBER = parse_month("2026-11")
NISE = Path(__file__).parent / "data" / "nise-2026-10.csv.gz"


def cur_row(amount, usage_type, kind="Usage", **more):
    """One line item of CUR 2.0."""
    row = {
        "identity_line_item_id": f"{usage_type}{more.get('hour', 0)}{kind}",
        "identity_time_interval": "x",
        "bill_billing_period_start_date": "2026-11-01 00:00:00",
        "bill_payer_account_id": "111122223333",
        "line_item_usage_account_id": "444455556666",
        "line_item_line_item_type": kind,
        "line_item_usage_type": usage_type,
        "line_item_usage_start_date": f"2026-11-20 {more.pop('hour', 0):02}:00:00",
        "line_item_usage_amount": "1",
        "line_item_currency_code": "USD",
        "line_item_unblended_cost": str(amount),
        "line_item_resource_id": "arn:aws:rds:us-east-1:444455556666:cluster:cluster-ABC",
        "product_region_code": "us-east-1",
        "resource_tags": '{"user_team": "booking"}',
    }
    row["line_item_usage_end_date"] = row["line_item_usage_start_date"].replace(":00:00", ":59:59")
    return {**row, **more}


def focus_row(amount, usage_type, category="Usage", **more):
    """One row of FOCUS 1.2 as AWS exports it."""
    return {
        "BilledCost": str(amount), "EffectiveCost": str(amount), "BillingAccountId": "1111",
        "BillingCurrency": "USD", "BillingPeriodStart": "2026-11-01T00:00:00Z",
        "ChargeCategory": category, "ChargePeriodStart": "2026-11-20T00:00:00Z",
        "ChargePeriodEnd": "2026-11-20T01:00:00Z", "ConsumedQuantity": "2", "RegionId": "us-east-1",
        "ResourceId": "cluster-ABC", "SubAccountId": "4444", "x_UsageType": usage_type,
        "Tags": '{"team": "booking"}', **more,
    }  # fmt: skip


CHARGES = [
    ("12.34", "EUW2-Aurora:ServerlessV2Usage", "Usage"),
    ("0.0000000351", "Data-API-Usage", "Usage"),
    ("3.5", "Aurora:StorageUsage", "Usage"),
    ("1.25", "Aurora:StorageIOUsage", "Usage"),
    ("0.4", "USE1-AWSSecretsManager-Secrets", "Usage"),
    ("7", "BoxUsage:m5.large", "Usage"),
    ("-2", "Aurora:ServerlessV2Usage", "Credit"),
    ("1.9", "", "Tax"),
]
