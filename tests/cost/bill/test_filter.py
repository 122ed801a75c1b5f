"""Part of a bill: by account, cluster or tag."""

from __future__ import annotations

import pytest

from tenantmetrics.cost.bill import BillFilter, load
from tenantmetrics.cost.period import parse_month
from tenantmetrics.errors import ReportError
from tests.cost.bill.rows import NOVEMBER, cur_row, focus_row


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


def test_legacy_tags_are_columns(nise):
    """resourceTags/user:team in a legacy file answers the same filter."""
    bill = load([nise], parse_month("2026-10"), only=BillFilter(tag=("team", "booking")))
    assert bill.pools.keys() == {"compute"}


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


def test_a_filter_that_is_blank_is_refused():
    """A variable that was not set would let the whole bill through."""
    for given in (("", None, None), (None, " ", None), (None, None, "")):
        with pytest.raises(ReportError, match="to filter the bill by is blank"):
            BillFilter.of(*given)
    with pytest.raises(ReportError, match="the bill's name is blank"):
        load([""], NOVEMBER)
