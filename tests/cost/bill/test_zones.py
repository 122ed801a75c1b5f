"""A month whose borders are not AWS's: the neighbouring file has the rest of it."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tenantmetrics.cost.bill import load
from tenantmetrics.cost.period import billing_months, parse_month
from tenantmetrics.errors import ReportError

COLUMNS = (
    "BilledCost", "EffectiveCost", "BillingCurrency", "BillingPeriodStart", "ChargeCategory",
    "ChargePeriodStart", "ChargePeriodEnd", "x_UsageType",
)  # fmt: skip
ACU = "Aurora:ServerlessV2Usage"
AHEAD = ["Asia/Kolkata", "Asia/Kathmandu", "Australia/Adelaide", "Pacific/Auckland", "Asia/Tokyo"]
BEHIND = ["America/New_York", "America/St_Johns", "Pacific/Honolulu", "America/Los_Angeles"]


@pytest.fixture
def hours(tmp_path):
    """A file of a month's hours at a dollar each, and a tax of 7.20 over all of it."""

    def make(month):
        path = tmp_path / f"{month}.csv"
        period = parse_month(month)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            first = datetime.fromtimestamp(period.start_s, UTC)
            last = datetime.fromtimestamp(period.end_s, UTC)
            for hour in range((period.end_s - period.start_s) // 3600):
                start = first + timedelta(hours=hour)
                end = start + timedelta(hours=1)
                writer.writerow(_row(1, first, "Usage", start, end, ACU))
            writer.writerow(_row("7.20", first, "Tax", first, last, ""))
        return path

    return make


def _row(amount, month, category, start, end, usage_type):
    moments = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (month, start, end))
    billed, begin, stop = moments
    return [amount, amount, "USD", billed, category, begin, stop, usage_type]


@pytest.mark.parametrize("zone", [*AHEAD, *BEHIND])
def test_each_hour_counts_in_the_month_of_the_zone_with_the_part_that_is_in_it(hours, zone):
    """Of 30 days every hour, whichever of two files it stands in."""
    files = [hours(month) for month in ("2026-10", "2026-11", "2026-12")]
    period = parse_month("2026-11", zone)
    bill = load(files, period)
    length = Decimal(period.end_s - period.start_s) / 3600
    assert bill.pools["compute"].amount == length
    assert sum(bill.compute_by_hour.values()) == length
    assert set(bill.compute_by_hour) == set(period.hours)
    assert "neighbour" not in "".join(bill.notes)


@pytest.mark.parametrize("zone", [*AHEAD, *BEHIND])
def test_three_months_of_a_zone_hold_every_cent_of_the_one_between(hours, zone):
    """What lasts a month counts by its time: no cent is lost between two months, none twice."""
    files = [hours(month) for month in ("2026-09", "2026-10", "2026-11", "2026-12", "2027-01")]
    taxes = [
        load(files, parse_month(month, zone)).pools["taxes"].amount
        for month in ("2026-10", "2026-11", "2026-12")
    ]
    assert all(abs(tax - Decimal("7.20")) < Decimal("0.01") for tax in taxes)


def test_each_charge_is_of_one_month_where_the_clocks_are_put_forward(tmp_path):
    """London's March ends an hour before AWS's: its last hour there is of April."""
    march, april = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    hour = timedelta(hours=1)
    moments = [
        (10, march, march + timedelta(days=9)), (1, march, april - hour),
        (20, april, april + timedelta(days=9)),
        # A correction of February is on March's bill.
        (5, march, march - 9 * hour),
    ]  # fmt: skip
    rows = [
        *(_row(amount, month, "Usage", at, at + hour, ACU) for amount, month, at in moments),
        # What is of more than its billing month is within it all the same.
        _row("7.44", march, "Purchase", march, march + timedelta(days=365), ""),
    ]
    path = tmp_path / "bill.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])

    def totals(zone):
        periods = [parse_month(month, zone) for month in ("2026-03", "2026-04")]
        return [str(round(load([path], period).total, 2)) for period in periods]

    assert totals("UTC") == ["23.44", "20.00"]
    assert totals("Europe/London") == ["22.43", "21.01"]
    # The first hour of March in UTC is of February there.
    assert totals("Atlantic/Azores") == ["23.43", "20.00"]


def test_what_is_of_no_hour_is_by_the_hour_of_one_month_too(hours):
    """Each file has a tax of all of its month."""
    files = [hours(month) for month in ("2026-10", "2026-11")]
    bill = load(files, parse_month("2026-11", "Asia/Tokyo"), by_hour=True)
    assert bill.by_hour[None] == {"taxes": Decimal("7.20")}


@pytest.mark.parametrize(
    ("zone", "missing"), [*((z, "2026-10") for z in AHEAD), *((z, "2026-12") for z in BEHIND)]
)
def test_a_month_whose_neighbour_is_not_given_is_refused(hours, zone, missing):
    """The time zone is named, and so is the month."""
    with pytest.raises(ReportError, match=f"nothing for {missing}.*time zone {zone}") as caught:
        load([hours("2026-11")], parse_month("2026-11", zone))
    assert caught.value.fields == ("timezone",)


@pytest.mark.parametrize(
    "zone", ["UTC", "Etc/UTC", "Africa/Abidjan", "Europe/London", "Atlantic/Reykjavik"]
)
def test_a_zone_whose_month_is_aws_needs_no_other_file(hours, zone):
    """Its borders decide, not its name."""
    period = parse_month("2026-11", zone)
    assert billing_months(period) == ["2026-11"]
    assert load([hours("2026-11")], period).total == Decimal("727.20")


def test_cost_explorer_is_by_the_month_in_utc(tmp_path):
    """Another zone's month cannot be cut out of it."""
    group = {"Keys": [ACU], "Metrics": {"UnblendedCost": {"Amount": "5", "Unit": "USD"}}}
    result = {"TimePeriod": {"Start": "2026-11-01"}, "Groups": [group]}
    answer = {
        "GroupDefinitions": [{"Type": "DIMENSION", "Key": "USAGE_TYPE"}],
        "ResultsByTime": [result],
    }
    path = tmp_path / "ce.json"
    path.write_text(json.dumps(answer))
    assert load([path], parse_month("2026-11")).total == 5
    with pytest.raises(ReportError, match="time zone Asia/Kolkata"):
        load([path], parse_month("2026-11", "Asia/Kolkata"))
