"""Bills: CUR, FOCUS and Cost Explorer files, sorted into pools without losing a cent."""

from __future__ import annotations

import csv
import gzip
import io
import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tenantmetrics.cost import AllocationRequest, monthly
from tenantmetrics.cost.bill import BillFilter, load
from tenantmetrics.cost.bill.classify import pool_of
from tenantmetrics.cost.bill.table import key_of
from tenantmetrics.cost.period import parse_month
from tenantmetrics.errors import ReportError
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import Series, SeriesKey, Source, Window
from tenantmetrics.report.focus import as_focus

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


@pytest.fixture
def write(tmp_path):
    """Write rows as CSV or Parquet; the path."""

    def make(rows, name="bill.csv"):
        path = tmp_path / name
        text = path.with_suffix(".csv")
        with text.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        if path.suffix == ".parquet":
            types = ", ".join(
                f"{name}: 'DOUBLE'" for name in rows[0] if name.endswith(("Cost", "_cost"))
            )
            duckdb.sql(f"COPY (FROM read_csv('{text}', types={{{types}}})) TO '{path}'")
        return path

    return make


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


@pytest.fixture
def nise(tmp_path):
    """The file that koku-nise generated, its databases of a class that Aurora has."""
    path = tmp_path / NISE.name
    with gzip.open(NISE, "rt", newline="") as old, gzip.open(path, "wt", newline="") as new:
        new.write(old.read().replace("db.m5.xlarge", "db.r5.xlarge"))
    return path


def test_instances_of_a_class_that_aurora_does_not_have_are_excluded_and_told():
    """Nothing in koku-nise's file says of which engine its db.m5.xlarge are: the class does."""
    bill = load([NISE], parse_month("2026-10"))
    assert bill.pools.keys() == {"unclassified"}
    assert bill.total == 48
    assert any("not Aurora were excluded: 17.088 USD of AmazonRDS." in note for note in bill.notes)


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


def test_filters_keep_what_they_name_and_tell_what_they_left_out(write):
    """By account, by cluster, by tag; the rest is counted in a note."""
    rows = [
        cur_row("1", "Aurora:StorageUsage"),
        cur_row("2", "Aurora:StorageIOUsage", line_item_usage_account_id="777788889999"),
        cur_row("4", "Aurora:BackupUsage", line_item_resource_id="arn:other"),
        cur_row("8", "Data-API-Usage", resource_tags='{"user_team": "web"}'),
    ]
    path = write(rows)
    for only, total in (
        (BillFilter(account="444455556666"), 13),
        (BillFilter(cluster="cluster-ABC"), 11),
        (BillFilter(tag=("team", "booking")), 7),
    ):
        bill = load([path], NOVEMBER, only=only)
        assert bill.total == total
        assert any("The filter excluded 1 charge(s) of" in note for note in bill.notes)
    with pytest.raises(ReportError, match="no charge of 2026-11 passes"):
        load([path], NOVEMBER, only=BillFilter(account="1"))
    with pytest.raises(ReportError, match="KEY=VALUE"):
        BillFilter.of(None, None, "team")


@pytest.mark.parametrize("word", ["NULL", "null", "None", "\\N"])
def test_a_word_for_nothing_is_nothing(write, word):
    """No cluster, region or account is called None; an amount that is counted must be there."""
    rows = [
        cur_row("2", "Aurora:ServerlessV2Usage", line_item_resource_id=word, product_region=word,
                line_item_usage_amount=word),
        cur_row("1", "Aurora:StorageUsage", line_item_resource_id="", product_region="",
                line_item_usage_amount="3"),
    ]  # fmt: skip
    bill = load([write(rows)], NOVEMBER)
    assert bill.total == 3
    assert {place.resource for place in bill.places} == {""}
    rows[0]["line_item_unblended_cost"] = word
    with pytest.raises(ReportError, match="is not a number"):
        load([write(rows)], NOVEMBER)


def test_legacy_tags_are_columns(nise):
    """resourceTags/user:team in a legacy file answers the same filter."""
    bill = load([nise], parse_month("2026-10"), only=BillFilter(tag=("team", "booking")))
    assert bill.pools.keys() == {"compute"}


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


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"line_item_unblended_cost": "1,234.56"}, r"bill.csv' row 3, column 'line_item_unblended"),
        ({"line_item_unblended_cost": "NaN"}, r"row 3, column .* 'NaN' is not a number"),
        ({"line_item_unblended_cost": ""}, r"row 3, column 'line_item_unblended_cost'"),
        ({"line_item_currency_code": "EUR"}, "mixes currencies: EUR, USD"),
    ],
)
def test_a_wrong_value_is_named_with_file_row_and_column(write, change, error):
    """Thousands separators, nothing, two currencies: never a wrong total."""
    rows = [cur_row("1", "Aurora:StorageUsage"), cur_row("2", "Data-API-Usage", **change)]
    with pytest.raises(ReportError, match=error) as caught:
        load([write(rows)], NOVEMBER)
    assert "\n" not in str(caught.value)


def test_wrong_files_are_refused(write, tmp_path):
    """Another delimiter, no bill at all, a truncated Parquet file, nothing there."""
    good = write([cur_row("1", "Aurora:StorageUsage")], "bill.parquet")
    (tmp_path / "semicolon.csv").write_text("BilledCost;BillingCurrency\n1;USD\n")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "lacks.csv").write_text("BilledCost,ChargeCategory\n1,Usage\n")
    (tmp_path / "cut.parquet").write_bytes(good.read_bytes()[:-30])
    (tmp_path / "empty").mkdir()
    for name, error in (
        ("semicolon.csv", "unexpected delimiter"),
        ("other.csv", "neither CUR .* nor FOCUS"),
        ("lacks.csv", "'BillingCurrency' is missing"),
        ("cut.parquet", "cut.parquet' cannot be read"),
        ("none.csv", "none.csv' does not exist"),
        ("empty", "empty' holds no bill"),
    ):
        with pytest.raises(ReportError, match=error) as caught:
            load([tmp_path / name], NOVEMBER)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda text: text[:-90], r"bill.csv' row 41: \d+ values for 15 columns"),
        (lambda text: text.replace(b"id9", b'"id9', 1), "bill.csv' row 11: a quote is not closed"),
        (lambda text: text.replace(b"id7,", b"id7,x,", 1), "row 9: 16 values for 15 columns"),
        (lambda text: text.replace(b"\r\n", b"\r\n" + text.splitlines(True)[0], 20),
         "row 2, column 'line_item_unblended_cost': 'line_item_unblended_cost' is not a number"),
        (lambda text: text.decode().encode("utf-16"), "it is not UTF-8 text"),
        (lambda _: b"", "row 1: there is no header"),
        (lambda text: text.splitlines(True)[0], "holds nothing for 2026-11; its billing months: n"),
    ],
)  # fmt: skip
def test_a_damaged_csv_is_refused_with_the_row(write, spoil, error):
    """Cut off, an open quote, a stray comma, its header again, another encoding, nothing in it."""
    rows = [cur_row("1", "Aurora:StorageUsage", identity_line_item_id=f"id{n}") for n in range(40)]
    path = write(rows)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ReportError, match=error) as caught:
        load([path], NOVEMBER)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make_row", [cur_row, focus_row])
def test_exports_that_overlap_are_refused_and_parts_that_do_not_are_added(write, make_row):
    """The same charge in two files would be billed twice."""
    one = make_row("1", "Aurora:StorageUsage")
    two = make_row("2", "Data-API-Usage")
    first, second = write([one], "a.csv"), write([two], "b.csv")
    assert load([first, second], NOVEMBER).total == 3
    third = write([two, one], "c.csv")
    with pytest.raises(ReportError, match=r"a.csv' and .*c.csv' overlap"):
        load([first, third], NOVEMBER)


def test_a_few_charges_alike_in_the_parts_of_an_export_are_reported_not_refused(write):
    """FOCUS rows have no identity: two small taxes may be alike, and both are owed."""
    tax = focus_row("0.01", "", "Tax")
    first = write([focus_row(n, "Data-API-Usage") for n in range(1, 30)] + [tax], "a.csv")
    second = write([focus_row(n, "Data-API-Usage") for n in range(40, 60)] + [tax], "b.csv")
    bill = load([first, second], NOVEMBER)
    assert bill.total == sum(range(1, 30)) + sum(range(40, 60)) + Decimal("0.02")
    assert "1 charge(s) of 0.01 are identical in a.csv and b.csv and count in both." in bill.notes


def test_one_day_that_stands_in_two_exports_is_an_overlap(write):
    """Thirty days and thirty more that share one: a thirtieth of the rows, all of that day."""

    def days(first, last):
        return [
            focus_row(n + 1, "Data-API-Usage", ChargePeriodStart=f"2026-11-{day:02}T00:00:00Z")
            for day in range(first, last)
            for n in range(20)
        ]

    apart = [write(days(1, 15), "a.csv"), write(days(15, 30), "b.csv")]
    assert load(apart, NOVEMBER).total == 29 * 210
    shared = write(days(14, 30), "c.csv")
    with pytest.raises(ReportError, match=r"a.csv' and .*c.csv' overlap: they hold the same 20"):
        load([apart[0], shared], NOVEMBER)


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


def test_a_filter_that_leaves_one_currency_makes_a_bill_of_several(write):
    """Another account's euros are excluded and reported; without the filter the bill is refused."""
    rows = [
        focus_row("1", "Data-API-Usage"),
        focus_row("5", "Data-API-Usage", BillingCurrency="EUR", SubAccountId="9"),
    ]
    path = write(rows)
    with pytest.raises(ReportError, match="mixes currencies: EUR, USD; a filter"):
        load([path], NOVEMBER)
    bill = load([path], NOVEMBER, only=BillFilter(account="4444"))
    assert (bill.total, bill.currency) == (1, "USD")
    assert "The filter excluded 1 charge(s) of 5 EUR." in bill.notes


def test_parts_may_have_columns_of_their_own_but_not_lack_one_that_counts(write):
    """An export grows columns over the months; a part without amounts is named."""
    first = write([focus_row("1", "Data-API-Usage")], "a.csv")
    second = write([focus_row("2", "Data-API-Usage", x_New="y")], "b.csv")
    assert load([first, second], NOVEMBER).total == 3
    row = focus_row("2", "Data-API-Usage")
    del row["BilledCost"]
    third = write([row], "c.csv")
    with pytest.raises(ReportError, match=r"c.csv': column 'BilledCost' is missing"):
        load([first, third], NOVEMBER)


def test_a_date_in_another_form_is_named(write):
    """11/1/2026 may be January."""
    path = write([focus_row("1", "x", BillingPeriodStart="11/1/2026")])
    with pytest.raises(ReportError, match=r"row 2, column 'BillingPeriodStart': '11/1/2026' is"):
        load([path], NOVEMBER)


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


@pytest.mark.parametrize(
    ("cluster", "total"),
    [
        ("prod", 1), ("prod-eu", 2), ("preprod", 4), ("prod*", 3), ("cluster-ABC", 8),
        ("arn:aws:rds:us-east-1:1:cluster:prod", 1),
    ],
)  # fmt: skip
def test_a_cluster_is_named_as_a_whole(write, cluster, total):
    """A name that is part of another names it not; a pattern is asked for by its star."""
    names = ("prod", "prod-eu", "preprod", "cluster-ABC")
    rows = [
        cur_row(2**n, "Aurora:StorageUsage",
                line_item_resource_id=f"arn:aws:rds:us-east-1:1:cluster:{name}")
        for n, name in enumerate(names)
    ]  # fmt: skip
    assert load([write(rows)], NOVEMBER, only=BillFilter(cluster=cluster)).total == total


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


@pytest.mark.parametrize("moment", ["20.11.2026 10:00", "11/20/2026 10:00", "46346.4"])
def test_a_moment_that_a_spreadsheet_rewrote_is_refused(write, moment):
    """Its hour would be lost in silence."""
    rows = [cur_row(1, "x"), cur_row(2, "x", line_item_usage_start_date=moment)]
    with pytest.raises(ReportError, match=r"row 3, column 'line_item_usage_start_date': .* a time"):
        load([write(rows)], NOVEMBER)


@pytest.fixture
def versions(tmp_path):
    """Write deliveries of CUR 2.0, one charge each, at a place each: (folder, month)."""

    def make(*deliveries):
        for number, (folder, month) in enumerate(deliveries):
            row = cur_row(
                1, "x", bill_billing_period_start_date=f"{month}-01",
                identity_line_item_id=str(number),
            )  # fmt: skip
            path = tmp_path / folder / f"{number}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(row))
                writer.writeheader()
                writer.writerow(row)
        return tmp_path

    return make


ASSEMBLY = "{}-1111-2222-3333-444455556666"
EXECUTION = f"2026-11-05T10:00:00.000Z-{ASSEMBLY}"


@pytest.mark.parametrize(
    ("version", "advice"),
    [(ASSEMBLY, "manifest names: of the CUR its assemblyId"), (EXECUTION, "such as '{}'")],
)
def test_two_versions_of_one_export_are_refused(versions, version, advice):
    """Each has every charge, with identities of its own; parts and months are no versions."""
    one, other = version.format("0a1b2c3d"), version.format("ffffffff")
    month = "BILLING_PERIOD=2026-11"
    parts = [(f"{month}/{one}", "2026-11")] * 2
    path = versions(*parts, (f"BILLING_PERIOD=2026-10/{other}", "2026-10"))
    assert load([path], NOVEMBER).total == 2
    versions(*parts, (f"{month}/{other}", "2026-11"))
    error = f"{month}' holds 2 versions of one export of 2026-11, .*{advice.format(other)}"
    with pytest.raises(ReportError, match=error):
        load([path], NOVEMBER)


@pytest.mark.parametrize("version", [ASSEMBLY, EXECUTION])
def test_deliveries_of_two_months_beside_each_other_are_no_versions(versions, version):
    """As where somebody copied them out of their months' folders."""
    october, november = version.format("f" * 8), version.format("0" * 8)
    path = versions((f"cur/{october}", "2026-10"), (f"cur/{november}", "2026-11"))
    assert load([path], NOVEMBER).total == 1


def test_a_filter_that_is_blank_is_refused():
    """A variable that was not set would let the whole bill through."""
    for given in (("", None, None), (None, " ", None), (None, None, "")):
        with pytest.raises(ReportError, match="to filter the bill by is blank"):
            BillFilter.of(*given)
    with pytest.raises(ReportError, match="the bill's name is blank"):
        load([""], NOVEMBER)


def test_a_charge_without_a_currency_is_refused(write):
    """What it is worth is not known."""
    without = cur_row(1, "Data-API-Usage", line_item_currency_code="")
    with pytest.raises(ReportError, match=r"has charges without a currency: 1$"):
        load([write([without])], NOVEMBER)
    rows = [without, without, cur_row(1, "Aurora:StorageUsage")]
    with pytest.raises(ReportError, match="without a currency: 2; others are in USD; a filter"):
        load([write(rows)], NOVEMBER)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_an_amount_that_is_not_finite_is_refused(tmp_path, amount):
    """One line, no traceback."""
    path = tmp_path / "ce.json"
    path.write_text(json.dumps(explorer([(amount, "x", "Usage")])))
    with pytest.raises(ReportError, match="'x': the amount is not a number"):
        load([path], NOVEMBER)


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
