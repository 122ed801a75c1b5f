"""Every format shows the exchange rate, its date and its source."""

from __future__ import annotations

import csv
import json
from datetime import date
from decimal import Decimal

import jsonschema
import pytest

from tenantmetrics.cost.conversion import convert
from tenantmetrics.cost.statement import ExchangeRate
from tenantmetrics.report import json as as_json
from tenantmetrics.report.formats import Format, in_format

RATE = ExchangeRate("USD", "EUR", Decimal("1.25"), date(2026, 11, 30), "=ECB", inverse=True)


@pytest.fixture
def converted(make_statement):
    """A statement of 4.18 dollars in euros."""
    return convert(make_statement({"acme": (100, 64), "bee": (1, 1)}), RATE)


@pytest.mark.parametrize("kind", [kind for kind in Format if kind is not Format.XLSX])
def test_text_formats_name_rate_date_and_source(converted, kind):
    """A reader can do the sum again."""
    text = in_format(converted, kind).decode()
    for part in ("1.25", "2026-11-30", "ECB", "USD", "EUR"):
        assert part in text


def test_the_workbook_has_it_on_its_first_page(converted, sheets):
    """Beside the other things that a reader must know."""
    cells = sheets(in_format(converted, Format.XLSX))["Summary"]
    assert any("1 EUR = 1.25 USD, the rate of 2026-11-30" in str(v) for v, _ in cells.values())


def test_json_has_the_bills_total_too(converted):
    """By its schema."""
    document = json.loads(in_format(converted, Format.JSON))
    jsonschema.validate(document, as_json.schema())
    assert document["exchange_rate"] == {
        "billed_currency": "USD", "billed_total": "4.18", "rate": "1.25", "from": "EUR",
        "to": "USD", "date": "2026-11-30", "source": "=ECB",
    }  # fmt: skip
    assert document["currency"] == "EUR"
    assert document["total"] == "3.34"


def test_csv_columns_are_there_only_when_something_was_converted(converted, make_statement):
    """And a source that would run as a formula does not."""
    rows = list(csv.DictReader(in_format(converted, Format.CSV).decode().splitlines()))
    assert {row["exchange_rate"] for row in rows} == {"1.25 USD/EUR"}
    assert {row["exchange_rate_source"] for row in rows} == {"'=ECB"}
    assert sum(Decimal(row["total_cost"]) for row in rows) == Decimal("3.34")
    assert "exchange_rate" not in in_format(make_statement({"a": (1, 1)}), Format.CSV).decode()
