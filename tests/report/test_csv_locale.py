"""The CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest

from tenantmetrics.errors import ReportError
from tenantmetrics.report.csv import as_csv
from tenantmetrics.report.formats import Format, in_format


@pytest.mark.parametrize(
    ("locale", "delimiter", "mark"),
    [
        ("de_DE", ";", ","), ("fr-CA", ";", ","), ("pt_BR", ";", ","), ("pl", ";", ","),
        ("en_US", ",", "."), ("en-GB", ",", "."), ("ja", ",", "."), ("de_CH", ";", "."),
        ("it-CH", ";", "."), ("ar_EG", ",", "."),
    ],
)  # fmt: skip
def test_separator_mark_and_encoding_are_the_locales(make_statement, locale, delimiter, mark):
    """Numbers have its mark, names are what they were, and Excel sees that it is UTF-8."""
    statement = make_statement({"Söhne 1.5; a,b": (123, 45)}, group_names=("x_cost",))
    content = in_format(statement, Format.CSV, csv_locale=locale)
    assert content.startswith(b"\xef\xbb\xbf")
    found = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")), delimiter=delimiter))
    plain = list(csv.DictReader(io.StringIO(as_csv(statement))))
    for row, before in zip(found, plain, strict=True):
        for name in ("tenant", "period", "kind", "calls", "status"):
            assert row[name] == before[name]
        for name in ("total_cost", "data_api_cost", "wall_time_s"):
            assert row[name] == before[name].replace(".", mark)
    assert sum(Decimal(row["total_cost"].replace(mark, ".")) for row in found) == statement.total


def test_a_locale_that_does_not_exist_is_refused(make_statement):
    """With one that does."""
    with pytest.raises(ReportError, match="locale 'xx_nowhere' is unknown: write one such as"):
        in_format(make_statement({"a": (1, 1)}), Format.CSV, csv_locale="xx_nowhere")
