"""CUR and FOCUS files, sorted into pools without losing a cent."""

from __future__ import annotations

import csv
import gzip
from decimal import Decimal

import duckdb
import pytest

from tenantmetrics.cost.bill import BillFilter, load
from tenantmetrics.cost.bill.table import key_of
from tenantmetrics.cost.period import parse_month
from tenantmetrics.errors import ReportError
from tests.cost.bill.rows import CHARGES, NISE, NOVEMBER, cur_row, focus_row


def test_a_column_is_known_in_every_form_of_its_name():
    """Legacy CUR's slashes, CUR 2.0's underscores, FOCUS's capitals, Athena's lower case."""
    for names in (
        ("lineItem/UnblendedCost", "line_item_unblended_cost", "LINEITEMUNBLENDEDCOST"),
        ("resourceTags/user:cost-center", "resource_tags_user_cost_center"),
        ("BilledCost", "billed_cost", "billedcost", "Billed Cost"),
        ("reservation/ReservationARN", "reservation_reservation_a_r_n"),
        ("x_UsageType", "x_usage_type"),
    ):
        assert len(set(map(key_of, names))) == 1


@pytest.mark.parametrize("name", ["bill.csv", "bill.parquet"])
@pytest.mark.parametrize("make_row", [cur_row, focus_row])
def test_every_charge_is_in_a_pool_and_the_total_is_the_files(write, make_row, name):
    """CUR and FOCUS, CSV and Parquet: the sum of the pools is the plain sum of the file."""
    path = write([make_row(*charge) for charge in CHARGES], name)
    bill = load([path], NOVEMBER)
    assert bill.total == sum(Decimal(amount) for amount, *_ in CHARGES).quantize(Decimal("1e-18"))
    assert {pool: charge.amount for pool, charge in bill.pools.items()} == {
        "compute": Decimal("12.34"), "data_api": Decimal("0.0000000351"),
        "storage": Decimal("3.5"), "io": Decimal("1.25"), "secrets": Decimal("0.4"),
        "unclassified": Decimal(7),
        "credits": Decimal(-2), "taxes": Decimal("1.9"),
    }  # fmt: skip
    assert bill.currency == "USD"
    assert bill.regions == {"us-east-1"}
    assert bill.account in {"111122223333", "1111"}


def test_a_cur_that_koku_nise_generated_has_the_total_of_a_plain_sum(nise):
    """96 line items in the legacy form, of many regions; the engine that is not named is noted."""
    bill = load([nise], parse_month("2026-10"))
    assert any("does not say of which engine these instances are" in note for note in bill.notes)
    with gzip.open(NISE, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 96
    assert bill.total == sum(Decimal(row["lineItem/UnblendedCost"] or 0) for row in rows)
    compute = [row for row in rows if "InstanceUsage:db." in row["lineItem/UsageType"]]
    assert bill.pools["compute"].rows == len(compute) == 48
    assert len(bill.compute_by_hour) == 48
    assert len(bill.regions) > 10


def test_amortized_moves_commitments_to_where_they_are_used(nise):
    """The savings plans of koku-nise's file: covered usage counts by its effective cost."""
    bill = load([nise], parse_month("2026-10"), amortized=True)
    with gzip.open(NISE, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = sum(
        Decimal(row["savingsPlan/SavingsPlanEffectiveCost"] or 0)
        if row["lineItem/LineItemType"] == "SavingsPlanCoveredUsage"
        else Decimal(row["lineItem/UnblendedCost"])
        for row in rows
    )
    assert bill.total == expected


def test_amortized_reservations_count_their_use_and_what_went_unused(write):
    """DiscountedUsage by its effective cost, RIFee by its unused part, upfront fees not at all."""
    reserved = {
        "reservation_effective_cost": "0", "reservation_reservation_a_r_n": "",
        "reservation_unused_amortized_upfront_fee_for_billing_period": "0",
        "reservation_unused_recurring_fee": "0",
    }  # fmt: skip
    usage = {**reserved, "reservation_effective_cost": "4"}
    unused = {**reserved, "reservation_unused_recurring_fee": "1.5"}
    fee = {**reserved, "reservation_reservation_a_r_n": "arn:x"}
    db = "InstanceUsage:db.r6g.large"
    path = write(
        [
            cur_row("0", db, "DiscountedUsage", **usage),
            cur_row("50", db, "RIFee", **unused),
            cur_row("100", db, "Fee", **fee),
            cur_row("2", "Aurora:StorageUsage", **reserved),
        ]
    )
    assert load([path], NOVEMBER).total == 152
    assert load([path], NOVEMBER, amortized=True).total == Decimal("7.5")


def test_compute_is_known_by_the_hour_where_the_export_is_hourly(write):
    """Two hours; a daily export has none, so that nobody takes midnight for the whole day."""
    rows = [cur_row(h + 1, "Aurora:ServerlessV2Usage", hour=h) for h in (3, 4)]
    bill = load([write(rows)], NOVEMBER)
    assert {hour % 24: cost for hour, cost in bill.compute_by_hour.items()} == {3: 4, 4: 5}
    for row in rows:
        row["line_item_usage_end_date"] = "2026-11-21 00:00:00"
    assert load([write(rows)], NOVEMBER).compute_by_hour == {}


def test_charges_of_other_months_are_left_out_and_told(write):
    """A file of two billing months bills one."""
    path = write(
        [
            cur_row("1", "Aurora:StorageUsage"),
            cur_row("2", "Data-API-Usage", bill_billing_period_start_date="2026-10-01 00:00:00"),
        ]
    )
    bill = load([path], NOVEMBER)
    assert bill.total == 1
    assert any("other billing months were excluded: 2026-10" in note for note in bill.notes)
    with pytest.raises(ReportError, match=r"nothing for 2026-09; .* 2026-10, 2026-11"):
        load([path], parse_month("2026-09"))


def test_values_are_read_in_the_forms_that_exporters_write_them(write):
    """NULL where nothing is, exponents, names in lower case, a meter instead of a usage type."""
    rows = [
        focus_row("1.5E-7", "Data-API-Usage", ConsumedQuantity="NULL", Tags="NULL"),
        focus_row(" 2 ", "NULL", SkuMeter="EU-Aurora:StorageUsage", Tags="no json"),
        focus_row("0E-18", "NULL", SkuMeter="NULL"),
    ]
    rows[0]["SkuMeter"] = "NULL"
    lower = [{name.lower(): value for name, value in row.items()} for row in rows]
    for name, form in (("a.csv", rows), ("b.csv", lower)):
        bill = load([write(form, name)], NOVEMBER)
        assert bill.total == Decimal("2.00000015")
        assert {pool: charge.amount for pool, charge in bill.pools.items()} == {
            "data_api": Decimal("1.5E-7"), "storage": 2, "unclassified": 0,
        }  # fmt: skip
        with pytest.raises(ReportError, match="no charge of 2026-11 passes"):
            load([write(form, name)], NOVEMBER, only=BillFilter(tag=("team", "web")))


def test_parquet_types_are_read_as_they_are(tmp_path):
    """Decimals, doubles, timestamps with a zone, tags in a map: as AWS writes them."""
    path = tmp_path / "focus.parquet"
    duckdb.sql(f"""COPY (
        SELECT cost AS "BilledCost", cost::DOUBLE AS "EffectiveCost", 'USD' AS "BillingCurrency",
          TIMESTAMPTZ '2026-11-01 00:00:00+00' AS "BillingPeriodStart", 'Usage' AS "ChargeCategory",
          TIMESTAMPTZ '2026-11-20 05:00:00+00' AS "ChargePeriodStart",
          TIMESTAMPTZ '2026-11-20 06:00:00+00' AS "ChargePeriodEnd", 2.0 AS "ConsumedQuantity",
          'Aurora:ServerlessV2Usage' AS "x_UsageType", MAP {{'team': team}} AS "Tags"
        FROM (VALUES (0.1234567890123456::DECIMAL(38, 16), 'booking'), (3.0, 'web'))
          AS t(cost, team)
    ) TO '{path}'""")
    assert load([path], NOVEMBER).total == Decimal("3.1234567890123456")
    only = BillFilter(tag=("team", "booking"))
    assert load([path], NOVEMBER, only=only).total == Decimal("0.1234567890123456")
    bill = load([path], NOVEMBER, amortized=True)
    assert bill.total == Decimal("3.1234567890123456")


def test_a_month_that_aws_has_not_closed_is_estimated(write):
    """Its charges have no invoice yet."""
    rows = [cur_row(1, "Aurora:StorageUsage", bill_invoice_id=one) for one in ("123", "")]
    assert load([write(rows)], NOVEMBER).estimated
    assert not load([write(rows[:1])], NOVEMBER).estimated


def test_a_negation_is_no_volume(write):
    """A savings plan's negation repeats the quantity that it takes back."""
    kinds = (("10", "SavingsPlanCoveredUsage"), ("-10", "SavingsPlanNegation"))
    rows = [cur_row(amount, "Aurora:ServerlessV2Usage", kind) for amount, kind in kinds]
    assert load([write(rows)], NOVEMBER).pools["compute"].quantity == 1
