"""What a charge is for: its pool, by its usage type, and whose database it was."""

from __future__ import annotations

import pytest

from tenantmetrics.cost.bill import load
from tenantmetrics.cost.bill.classify import pool_of
from tenantmetrics.cost.period import parse_month
from tests.cost.bill.rows import NISE, NOVEMBER, cur_row


@pytest.mark.parametrize(
    ("usage_type", "pool"),
    [
        ("Aurora:ServerlessV2Usage", "compute"),
        ("APS1-Aurora:ServerlessV2IOOptimizedUsage", "compute"),
        ("EUW2-InstanceUsage:db.r6g.large", "compute"),
        ("USGwest-InstanceUsage:db.m5.xlarge", "compute"),
        ("Aurora:StorageUsage", "storage"),
        ("EU-Aurora:IO-OptimizedStorageUsage", "storage"),
        ("Aurora:StorageIOUsage", "io"),
        ("USW2-Aurora:BackupUsage", "backup"),
        ("USE1-Data-API-Usage", "data_api"),
        ("AWSSecretsManagerAPIRequest", "secrets"),
        ("EUC1-CW:MetricMonitorUsage", "observability"),
        ("CW:GMD-Metrics", "observability"),
        ("BoxUsage:m5.large", "unclassified"),
        ("NotAurora:StorageUsage", "unclassified"),
        ("Aurora:StorageUsageExtra", "unclassified"),
        ("", "unclassified"),
    ],
)
def test_a_usage_type_belongs_to_one_pool_by_its_end(usage_type, pool):
    """Any region's prefix; whatever matches none stays visible."""
    assert pool_of("Usage", usage_type) == pool


@pytest.mark.parametrize(
    ("kind", "pool"), [("Credit", "credits"), ("Refund", "credits"), ("EdpDiscount", "credits"),
                       ("Tax", "taxes"), ("Adjustment", "credits")]
)  # fmt: skip
def test_credits_and_taxes_have_pools_of_their_own(kind, pool):
    """Whatever they are for."""
    assert pool_of(kind, "Aurora:StorageUsage") == pool


def test_instances_of_a_class_that_aurora_does_not_have_are_excluded_and_told():
    """Nothing in koku-nise's file says of which engine its db.m5.xlarge are: the class does."""
    bill = load([NISE], parse_month("2026-10"))
    assert bill.pools.keys() == {"unclassified"}
    assert bill.total == 48
    assert any("not Aurora were excluded: 17.088 USD of AmazonRDS." in note for note in bill.notes)


@pytest.mark.parametrize(
    "more",
    [
        {"line_item_product_code": "AmazonDocDB"},
        {"line_item_product_code": "AmazonNeptune"},
        {"line_item_product_code": "AmazonRDS", "product_database_engine": "PostgreSQL"},
        {"line_item_product_code": "AmazonRDS", "line_item_operation": "CreateDBInstance:0014"},
        {"line_item_product_code": "AmazonRDS", "line_item_operation": "CreateDBInstance:0002"},
        # Classes, standbys and storage that Aurora does not have.
        {"line_item_usage_type": "EUW2-InstanceUsage:db.t4g.micro"},
        {"line_item_usage_type": "InstanceUsage:db.m6g.large"},
        {"line_item_usage_type": "HeavyUsage:db.m5.xlarge"},
        {"line_item_usage_type": "EU-Multi-AZUsage:db.r6g.large"},
        {"line_item_usage_type": "Multi-AZClusterUsage:db.r6gd.large"},
        {"line_item_usage_type": "RDS:GP3-Storage"},
        {"line_item_usage_type": "USW2-RDS:Multi-AZ-GP2-Storage"},
        {"line_item_usage_type": "RDS:PIOPS-Storage-IO2"},
        {"line_item_usage_type": "RDS:ChargedBackupUsage"},
    ],
)
def test_databases_that_are_not_aurora_are_left_out_and_told(write, more):
    """Their usage types are spelt as Aurora's, and one daily row spoils no hours."""
    blank = dict.fromkeys(
        ("line_item_product_code", "product_database_engine", "line_item_operation"), ""
    )
    aurora = {**blank, "line_item_operation": "CreateDBInstance:0021"}
    other = {**blank, "line_item_usage_end_date": "2026-11-21 00:00:00", **more}
    usage_type = "InstanceUsage:db.r6g.large"
    rows = [cur_row(hour, usage_type, hour=hour, **aurora) for hour in (1, 2)]
    charge = cur_row(15, usage_type, **other)
    bill = load([write([*rows, charge])], NOVEMBER)
    assert bill.total == 3
    assert len(bill.compute_by_hour) == 2
    assert any("not Aurora were excluded: 15 USD of" in note for note in bill.notes)


@pytest.mark.parametrize("kind", ["PrivateRateDiscount", "EdpDiscount", "Credit", "Refund", "Tax"])
def test_what_belongs_to_another_service_stays_with_it(write, kind):
    """A discount of EC2 lowers nothing of Aurora's."""
    ec2 = {"line_item_product_code": "AmazonEC2"}
    rds = {"line_item_product_code": "AmazonRDS"}
    rows = [
        cur_row(30, "Aurora:ServerlessV2Usage", **rds),
        cur_row(-3, "Aurora:ServerlessV2Usage", "Credit", **rds),
        cur_row(40, "BoxUsage:m5.large", **ec2), cur_row(-9, "BoxUsage:m5.large", kind, **ec2),
    ]  # fmt: skip
    pools = load([write(rows)], NOVEMBER).pools
    assert {name: pool.amount for name, pool in pools.items()} == {
        "compute": 30, "credits": -3, "unclassified": 31,
    }  # fmt: skip


def test_cost_explorers_names_of_discounts_are_known():
    """With spaces, as its console and API write them."""
    for kind in ("Enterprise Discount Program Discount", "Private Rate Discount",
                 "Bundled Discount", "RI Volume Discount"):  # fmt: skip
        assert pool_of(kind, "Aurora:StorageUsage") == "credits"
        assert pool_of(kind, "BoxUsage:m5.large") == "unclassified"
