"""Files that hold the same charges: no charge is billed twice."""

from __future__ import annotations

import csv
from decimal import Decimal

import pytest

from tenantmetrics.cost.bill import load
from tenantmetrics.errors import ReportError
from tests.cost.bill.rows import NOVEMBER, cur_row, focus_row


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
