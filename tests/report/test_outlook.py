"""Budgets and forecasts, in every format, the worst first."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import replace
from decimal import Decimal

import jsonschema
import pytest

from tenantmetrics.cost.budget_model import Budget, BudgetState, Forecast, Outlook
from tenantmetrics.report import json as as_json
from tenantmetrics.report.formats import Format, in_format
from tenantmetrics.report.terminal import as_text


def forecast(low, amount, high):
    """From 12 days and a month."""
    return Forecast(Decimal(amount), Decimal(low), Decimal(high), 12, ("2026-10",))


STATES = (
    BudgetState(Budget(Decimal(1), "=cmd"), Decimal("1.50"), forecast(2, 3, 4)),
    BudgetState(Budget(Decimal(5), groups=(("plan", "<b>"),)), Decimal(2), forecast(4, 6, 7)),
    BudgetState(Budget(Decimal(5), pool="compute"), Decimal(2), forecast(3, 4, 6)),
    BudgetState(Budget(Decimal(0)), Decimal(0), unknown="nothing was spent"),
)
OUTLOOK = Outlook(STATES, forecast(8, 9, 10), notes=("A note on days.",))


@pytest.fixture
def statement(make_statement):
    """With budgets over, about to be, perhaps, and within."""
    return make_statement(
        {"=cmd": (100, 50), "bee": (1, 1)}, outlook=OUTLOOK, group_names=("plan",)
    )


@pytest.mark.parametrize("kind", [Format.TABLE, Format.CSV, Format.HTML, Format.JSON])
def test_every_text_format_has_them_the_worst_first(statement, kind):
    """Status by status, with amounts, forecast and interval."""
    text = in_format(statement, kind).decode()
    places = [text.index(word) for word in ("over", "will be over", "may be over", "within")]
    assert places == sorted(places)
    assert "A note on days." in text or kind is Format.CSV
    for amount in ("1.50", "3", "4", "9", "10"):
        assert amount in text


def test_the_workbook_has_a_sheet_of_them(statement):
    """With formulas for what is left."""
    book = zipfile.ZipFile(io.BytesIO(in_format(statement, Format.XLSX)))
    assert b'name="Budgets"' in book.read("xl/workbook.xml")
    sheet = book.read("xl/worksheets/sheet4.xml").decode()
    assert "<f>C2-D2</f>" in sheet
    assert "will be over" in sheet
    assert "Forecast for the month: 9.00 USD" in sheet


def test_json_keeps_its_schema(statement, make_statement):
    """With budgets, with a forecast alone, and with neither."""
    for one in (statement, make_statement({"a": (1, 1)}), replace(statement, outlook=Outlook())):
        document = json.loads(in_format(one, Format.JSON))
        jsonschema.validate(document, as_json.schema())
    budgets = json.loads(in_format(statement, Format.JSON))["outlook"]["budgets"]
    assert [budget["status"] for budget in budgets] == [
        "over", "will be over", "may be over", "within",
    ]  # fmt: skip
    assert budgets[1]["groups"] == {"plan": "<b>"}


def test_the_csv_still_sums_up_to_the_bill(statement, make_statement):
    """Budgets are rows of their own kind, with nothing in the columns of the lines."""
    rows = list(csv.DictReader(in_format(statement, Format.CSV).decode().splitlines()))
    assert sum(Decimal(row["total_cost"]) for row in rows) == statement.total
    budgets = [row for row in rows if row["kind"] == "budget"]
    assert [row["budget_of"] for row in budgets] == ["'=cmd", "plan=<b>", "compute", "everything"]
    assert all(row["tenant"] == "" for row in budgets)
    assert [row["forecast"] for row in rows if row["kind"] == "forecast"] == ["9"]
    assert "budget" not in in_format(make_statement({"a": (1, 1)}), Format.CSV).decode()


def test_names_are_escaped_for_where_they_land(statement):
    """A group is not markup."""
    assert "plan=<b>" not in in_format(statement, Format.HTML).decode()


@pytest.mark.parametrize("width", [30, 60, 100])
def test_a_narrow_terminal_shows_every_budget(statement, width):
    """Sentences break; no figure is cut."""
    text = as_text(statement, width=width)
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    assert "over by 0.50; forecast 3.00 (2.00 to 4.00)" in words
    assert "No forecast of everything: nothing was spent." in words


def test_past_the_top_budgets_are_counted(make_statement):
    """Thousands of tenants' budgets do not hide the rest."""
    many = tuple(BudgetState(Budget(Decimal(9), f"t{n}"), Decimal(1)) for n in range(40))
    text = as_text(make_statement({"a": (1, 1)}, outlook=Outlook(many)), top=30)
    assert "10 more budgets, 10 of them within." in text


def test_a_month_that_is_over_has_budgets_and_no_columns_of_a_forecast(statement):
    """Nothing empty stands where a forecast would."""
    outlook = statement.outlook
    states = tuple(replace(state, forecast=None) for state in outlook.budgets)
    over = replace(statement, outlook=replace(outlook, budgets=states, total=None, unknown=""))
    page, before = (in_format(one, Format.HTML).decode() for one in (over, statement))
    assert '<h2 id="budgets">Budgets</h2>' in page
    assert "95 % interval" in before
    assert "95 % interval" not in page
