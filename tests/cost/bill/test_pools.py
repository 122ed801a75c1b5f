"""What nobody would see: charges of no pool, of other providers, without a usage type."""

from __future__ import annotations

import csv
import json
from decimal import Decimal

import pytest

from tenantmetrics.cost.bill import load
from tenantmetrics.cost.bill.classify import pool_of
from tenantmetrics.cost.period import parse_month
from tenantmetrics.errors import ReportError

NOVEMBER = parse_month("2026-11")
ACU = "Aurora:ServerlessV2Usage"


@pytest.fixture
def focus(tmp_path):
    """A FOCUS file of charges: (amount, usage type, more columns)."""

    def make(*charges, drop=()):
        rows = [
            {
                "BilledCost": amount, "EffectiveCost": amount, "BillingCurrency": "USD",
                "BillingPeriodStart": "2026-11-01T00:00:00Z", "ChargeCategory": "Usage",
                "ChargePeriodStart": "2026-11-20T00:00:00Z",
                "ChargePeriodEnd": "2026-11-20T01:00:00Z", "ProviderName": "AWS",
                "ServiceName": "", "x_UsageType": usage_type, **more,
            }
            for amount, usage_type, more in charges
        ]  # fmt: skip
        path = tmp_path / "focus.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(
                file, [k for k in rows[0] if k not in drop], extrasaction="ignore"
            )
            writer.writeheader()
            writer.writerows(rows)
        return path

    return make


@pytest.mark.parametrize(
    ("usage_type", "pool"),
    [
        ("ExtendedSupport:Yr1-Yr2:AuroraPostgreSQL11", "extended_support"),
        ("EUW1-ExtendedSupport:Yr3:AuroraMySQL2", "extended_support"),
        ("RDS:ProxyUsage", "proxy"), ("USE1-RDS:ProxyUsage", "proxy"),
        ("EUW2-RDS:Proxy-ASv2-Usage", "proxy"),
        ("USE1:PI_LTR:T3", "insights"), ("EUC1-PI_LTR:R6G", "insights"),
        ("USE1:PI_API", "insights"),
        ("EUW2-RDS:PerformanceInsights", "insights"),
        ("Aurora:SnapshotExportToS3", "export"), ("EUW2-Aurora:SnapshotExport", "export"),
        ("Aurora:BacktrackUsage", "backtrack"), ("APN1-Aurora:BacktrackUsage", "backtrack"),
        ("Aurora:Limitless-StorageIOUsage", "io"), ("Aurora:LimitlessStorageIOUsage", "io"),
        ("USW2-Aurora:ReplicatedWriteIO", "io"), ("Aurora:StorageIOUsage", "io"),
        ("HeavyUsage:db.r6g.large", "compute"), ("EUW1-InstanceUsage:db.r6g.large", "compute"),
        ("Data-API-Usage", "data_api"), ("USE1-Data-API-Usage", "data_api"),
        ("EUW2-RDS:DataAPIUsage", "data_api"), ("DataAPI-Usage", "data_api"),
        ("EU-Aurora:ServerlessUsage", "compute"),
        ("BoxUsage:m5.large", "unclassified"), ("Aurora:Surprise", "unclassified"),
    ],
)  # fmt: skip
def test_what_belongs_to_a_cluster_has_a_pool(usage_type, pool):
    """As AWS's price list and bills spell it, with a region before it or not."""
    assert pool_of("Usage", usage_type) == pool


@pytest.mark.parametrize("kind", ["Tax", "Credit", "Refund"])
@pytest.mark.parametrize("service", ["Acme Dashboards", "Customer Records", "Gift Cards"])
def test_a_service_that_has_rds_somewhere_in_its_name_is_another(kind, service):
    """What it is taxed is none of the tenants'."""
    assert pool_of(kind, "", service) == "unclassified"
    assert pool_of(kind, "", "AmazonRDS") != "unclassified"


def test_the_operation_tells_the_data_api_where_the_usage_type_does_not():
    """However it is spelt."""
    assert pool_of("Usage", "USE1-Something", "AmazonRDS", "DataAPI") == "data_api"
    assert pool_of("Usage", "USE1-Something", "AmazonS3", "DataAPI") == "unclassified"


@pytest.mark.parametrize(
    "provider", ["Microsoft", "Google Cloud", "Oracle", "Tencent", "Databricks"]
)
def test_charges_of_another_provider_are_excluded_and_told(focus, provider):
    """A file of several clouds is no AWS bill as a whole."""
    path = focus(("5", ACU, {}), ("8", ACU, {"ProviderName": provider}))
    bill = load([path], NOVEMBER)
    assert bill.total == 5
    assert f"8 USD of {provider}" in " ".join(bill.notes)
    with pytest.raises(ReportError, match=f"excluded: 8 USD of {provider}"):
        load([focus(("8", ACU, {"ProviderName": provider}))], NOVEMBER)


@pytest.mark.parametrize(
    "provider", ["AWS", "Amazon Web Services", "aws", "Amazon Web Services, Inc.", ""]
)
def test_aws_is_known_by_any_of_its_names(focus, provider):
    """FOCUS leaves the spelling to the provider."""
    assert load([focus(("8", ACU, {"ProviderName": provider}))], NOVEMBER).total == 8


def test_the_provider_of_focus_1_3_is_read_too(focus):
    """The column has another name there."""
    path = focus(
        ("8", ACU, {"ProviderName": "", "ServiceProviderName": "Google Cloud"}),
        ("5", ACU, {"ServiceProviderName": ""}),
    )
    assert load([path], NOVEMBER).total == 5


def test_a_bill_without_usage_types_is_a_draft(focus):
    """Nothing of it could be told apart: that is the column's fault and not another cluster's."""
    bill = load([focus(("5", ACU, {}), drop=("x_UsageType",))], NOVEMBER)
    assert bill.total == 5
    assert any("SkuMeter, x_UsageType" in reason for reason in bill.draft)


@pytest.mark.parametrize(
    ("known", "unknown", "is_draft", "is_noted"),
    [(5, 95, True, False), (45, 55, True, False), (80, 20, False, True), (99, 1, False, False),
     (100, 0, False, False)],
)  # fmt: skip
def test_how_much_is_unclassified_is_said(focus, known, unknown, is_draft, is_noted):
    """Most of a bill: a draft. Some of it: a note."""
    path = focus((known, ACU, {}), (unknown, "Aurora:Surprise", {"ServiceName": "Amazon RDS"}))
    bill = load([path], NOVEMBER)
    assert any("Surprise" in reason for reason in bill.draft) == is_draft
    assert any("Surprise" in note for note in bill.notes) == is_noted


def test_charges_of_services_without_a_pool_are_named_with_their_part(focus):
    """A whole company's bill is no draft for that."""
    path = focus((10, ACU, {}), (190, "BoxUsage", {"ServiceName": "Amazon Elastic Compute Cloud"}))
    bill = load([path], NOVEMBER)
    assert bill.draft == ()
    assert any("190 (95% of what was charged)" in n and "Compute Cloud" in n for n in bill.notes)


def test_extended_support_of_other_engines_is_not_auroras(focus):
    """A PostgreSQL of plain RDS has it, too."""
    path = focus((10, ACU, {}), (4, "ExtendedSupport:Yr1-Yr2:PostgreSQL13", {}))
    bill = load([path], NOVEMBER)
    assert bill.total == 10
    assert "ExtendedSupport" in " ".join(bill.notes)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "sNaN", "1,5", "1e400"])
def test_cost_explorer_amounts_that_are_no_numbers_are_refused(tmp_path, amount):
    """By name, and not with a traceback."""
    with pytest.raises(ReportError, match="not a number"):
        load([_answer(tmp_path, amount, "USD")], NOVEMBER)
    path = _answer(tmp_path, "1", "USD")
    path.write_text(path.read_text().replace('"1"', amount))
    with pytest.raises(ReportError):
        load([path], NOVEMBER)


@pytest.mark.parametrize("currency", ["", " "])
def test_a_blank_currency_is_refused(tmp_path, currency):
    """Money without a currency is none."""
    with pytest.raises(ReportError, match="without a currency"):
        load([_answer(tmp_path, "1", currency)], NOVEMBER)


def _answer(tmp_path, amount, currency):
    group = {"Keys": [ACU], "Metrics": {"UnblendedCost": {"Amount": amount, "Unit": currency}}}
    path = tmp_path / "ce.json"
    path.write_text(json.dumps({
        "GroupDefinitions": [{"Type": "DIMENSION", "Key": "USAGE_TYPE"}],
        "ResultsByTime": [{"TimePeriod": {"Start": "2026-11-01"}, "Groups": [group]}],
    }))  # fmt: skip
    return path


def _cur(tmp_path, *rows):
    path = tmp_path / "cur.csv"
    columns = (
        "line_item_line_item_type", "line_item_usage_type", "line_item_currency_code",
        "bill_billing_period_start_date", "line_item_usage_start_date",
        "line_item_usage_end_date", "line_item_unblended_cost", "line_item_usage_amount",
        "reservation_effective_cost", "reservation_unused_recurring_fee",
        "savings_plan_savings_plan_effective_cost",
    )  # fmt: skip
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for kind, usage_type, amount, quantity, effective, unused, plan in rows:
            moments = ("2026-11-01 00:00:00", "2026-11-20 01:00:00", "2026-11-20 02:00:00")
            numbers = (amount, quantity, effective, unused, plan)
            writer.writerow([kind, usage_type, "USD", *moments, *numbers])
    return path


def test_a_reserved_instance_is_paid_where_it_is_used(tmp_path):
    """Unblended: the fee is compute and one sentence says what is better. Amortized: by use."""
    path = _cur(
        tmp_path,
        ("RIFee", "HeavyUsage:db.r6g.large", "100", "0", "0", "10", "0"),
        ("DiscountedUsage", "InstanceUsage:db.r6g.large", "0", "1", "90", "0", "0"),
    )
    paid = load([path], NOVEMBER)
    assert paid.pools["compute"].amount == 100
    assert sum("use amortized costs" in note for note in paid.notes) == 1
    used = load([path], NOVEMBER, amortized=True)
    assert used.pools["compute"].amount == 100
    assert used.compute_by_hour == {} or sum(used.compute_by_hour.values()) == 90
    assert not any("amortized" in note for note in used.notes)


def test_a_negation_does_not_double_the_quantity(tmp_path):
    """10 hours under a savings plan are 10 hours."""
    rows = [
        ("SavingsPlanCoveredUsage", ACU, "1.2", "10", "0", "0", "0.9"),
        ("SavingsPlanNegation", ACU, "-1.2", "10", "0", "0", "0"),
        ("PrivateRateDiscount", ACU, "-0.1", "10", "0", "0", "0"),
    ]
    pools = load([_cur(tmp_path, *rows)], NOVEMBER, amortized=True).pools
    assert pools["compute"].quantity == 10
    assert pools["compute"].amount == Decimal("0.9")


@pytest.mark.parametrize(
    ("more", "is_open"),
    [
        ({"InvoiceId": ""}, True), ({"InvoiceId": "INV-1"}, False), ({}, False),
        ({"BillingPeriodStatus": "Open"}, True), ({"BillingPeriodStatus": "Closed"}, False),
        ({"x_BillingPeriodStatus": "open", "InvoiceId": "INV-1"}, True),
        ({"BillingPeriodStatus": "Closed", "InvoiceId": ""}, True),
    ],
)  # fmt: skip
def test_a_focus_file_of_an_open_period_is_a_draft(focus, more, is_open):
    """No invoice yet, or a period that says it is open."""
    bill = load([focus(("3", ACU, more), ("4", "Aurora:StorageUsage", more))], NOVEMBER)
    assert bill.estimated is is_open
