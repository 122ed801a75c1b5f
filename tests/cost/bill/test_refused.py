"""Files that are no bill, or not a whole one: refused by file, row and column."""

from __future__ import annotations

import pytest

from tenantmetrics.cost.bill import load
from tenantmetrics.errors import ReportError
from tests.cost.bill.rows import NOVEMBER, cur_row, focus_row


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


@pytest.mark.parametrize("moment", ["20.11.2026 10:00", "11/20/2026 10:00", "46346.4"])
def test_a_moment_that_a_spreadsheet_rewrote_is_refused(write, moment):
    """Its hour would be lost in silence."""
    rows = [cur_row(1, "x"), cur_row(2, "x", line_item_usage_start_date=moment)]
    with pytest.raises(ReportError, match=r"row 3, column 'line_item_usage_start_date': .* a time"):
        load([write(rows)], NOVEMBER)


def test_a_charge_without_a_currency_is_refused(write):
    """What it is worth is not known."""
    without = cur_row(1, "Data-API-Usage", line_item_currency_code="")
    with pytest.raises(ReportError, match=r"has charges without a currency: 1$"):
        load([write([without])], NOVEMBER)
    rows = [without, without, cur_row(1, "Aurora:StorageUsage")]
    with pytest.raises(ReportError, match="without a currency: 2; others are in USD; a filter"):
        load([write(rows)], NOVEMBER)
