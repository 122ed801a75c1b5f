"""Bills that AWS is asked for: exports on S3 and Cost Explorer, served over HTTP by moto."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import boto3
import pytest

from tenantmetrics.cost.bill import BillFilter, load
from tenantmetrics.cost.period import parse_month
from tenantmetrics.errors import ReportError

NOVEMBER = parse_month("2026-11")


@pytest.fixture
def bucket(aws_account):
    """An S3 client and the bucket `exports`."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="exports")
    yield client
    client.close()


def focus(amount, month="2026-11"):
    """A FOCUS file of one charge."""
    out = io.StringIO()
    row = {
        "BilledCost": amount, "BillingCurrency": "USD", "BillingPeriodStart": f"{month}-01",
        "ChargeCategory": "Usage", "ChargePeriodStart": f"{month}-02T00:00:00Z",
        "x_UsageType": "Data-API-Usage",
    }  # fmt: skip
    writer = csv.DictWriter(out, list(row))
    writer.writeheader()
    writer.writerow(row)
    return out.getvalue().encode()


@pytest.mark.parametrize(
    "layout",
    ["focus/data/BILLING_PERIOD={0}-{1}/x.csv", "cur/{0}{1}01-20991231/id/x.csv",
     "athena/year={0}/month={1}/x.csv"],
)  # fmt: skip
def test_an_exports_month_is_found_in_every_layout(bucket, layout):
    """Data exports, legacy CUR and its Athena form; other months are not even fetched."""
    for month in ("10", "11"):
        key = layout.format("2026", month)
        bucket.put_object(Bucket="exports", Key=key, Body=focus(month, f"2026-{month}"))
    bucket.put_object(Bucket="exports", Key=f"{key}.metadata.json", Body=b"{}")
    bill = load(["s3://exports/" + layout.split("/")[0]], NOVEMBER)
    assert bill.total == 11
    assert not bill.notes


def test_an_error_names_the_object_as_the_user_knows_it(bucket):
    """Not the temporary file that it was read from."""
    bucket.put_object(Bucket="exports", Key="a/bad.csv", Body=focus("1,234"))
    with pytest.raises(ReportError, match=r"^'s3://exports/a/bad.csv' row 2, column 'BilledCost'"):
        load(["s3://exports/a"], NOVEMBER)
    with pytest.raises(ReportError, match="no CSV or Parquet file of 2026-11 below that prefix"):
        load(["s3://exports/nothing"], NOVEMBER)
    with pytest.raises(ReportError, match="bill 's3://nowhere/a' cannot be read: NoSuchBucket"):
        load(["s3://nowhere/a"], NOVEMBER)


def result(*charges, estimated=False):
    """A month of GetCostAndUsage, by usage type and record type."""
    groups = [
        {
            "Keys": [usage_type, kind],
            "Metrics": {
                "UnblendedCost": {"Amount": amount, "Unit": "USD"},
                "AmortizedCost": {"Amount": "9", "Unit": "USD"},
                "UsageQuantity": {"Amount": "3", "Unit": "N/A"},
            },
        }
        for amount, usage_type, kind in charges
    ]
    return {
        "TimePeriod": {"Start": "2026-11-01", "End": "2026-12-01"},
        "Groups": groups,
        "Estimated": estimated,
    }


def queue(post, *pages, **more):
    results = [{"ResultsByTime": [page], "DimensionValueAttributes": []} for page in pages]
    results[0] |= more
    post("/moto-api/static/ce/cost-and-usage-results", {"results": results})


def test_cost_explorer_is_asked_for_the_month(aws_account):
    """Amounts are exact, credits a pool, Estimated kept; amortised is another metric of it."""
    charges = [("12.0000000351", "Aurora:ServerlessV2Usage", "Usage"), ("-2", "", "Credit")]
    queue(aws_account, result(*charges, estimated=True))
    bill = load(["cost-explorer"], NOVEMBER)
    assert bill.total == Decimal("10.0000000351")
    assert bill.pools["credits"].amount == -2
    assert bill.pools["compute"].quantity == 3
    assert bill.estimated
    assert load(["cost-explorer"], NOVEMBER, amortized=True).total == 18


def test_account_and_tag_are_part_of_the_question(aws_account):
    """Another filter is another question, to which moto answers the next result of its queue."""
    queue(aws_account, result(("1", "x", "Usage")), result(("2", "x", "Usage")))
    assert load(["cost-explorer"], NOVEMBER, only=BillFilter(account="1")).total == 1
    both = BillFilter(account="1", tag=("team", "booking"))
    assert load(["cost-explorer"], NOVEMBER, only=both).total == 2


def test_a_month_of_several_pages_is_all_of_them(aws_account):
    """Each page has some groups of the same month."""
    first = result(("1", "Aurora:StorageUsage", "Usage"))
    second = result(("2", "Aurora:StorageUsage", "Tax"), estimated=True)
    queue(aws_account, first, second, NextPageToken="more")
    bill = load(["cost-explorer"], NOVEMBER)
    assert bill.total == 3
    assert bill.estimated
    assert not bill.draft


@pytest.mark.parametrize("zone", ["Europe/London", "Europe/Lisbon", "Atlantic/Azores"])
def test_a_month_that_is_an_hour_off_is_another_than_cost_explorers(aws_account, zone):
    """Clocks are put forward in it: it is within one month in UTC, and not all of it."""
    march = parse_month("2026-03", zone)
    with pytest.raises(
        ReportError, match=r"2026-03 in the time zone .* is from 2026-03-01 0"
    ) as no:
        load(["cost-explorer"], march)
    assert no.value.fields == ("timezone",)
    queue(aws_account, result(("1", "x", "Usage")))
    assert load(["cost-explorer"], parse_month("2026-11", "Europe/London")).total == 1


def test_what_cost_explorer_cannot_do_is_one_clear_error(aws_account):
    """No filter by cluster, no months of another zone, nothing for the month."""
    for only, period, error in (
        (BillFilter(cluster="c"), NOVEMBER, "cannot filter a month by cluster"),
        (None, parse_month("2026-11", "Europe/Berlin"), "has months in UTC only"),
        (None, NOVEMBER, "Cost Explorer's answer holds nothing for 2026-11"),
    ):
        with pytest.raises(ReportError, match=error):
            load(["cost-explorer"], period, only=only)
    with pytest.raises(ReportError, match="cost-explorer or files, not both"):
        load(["cost-explorer", "x.csv"], NOVEMBER)
