"""The workbook, read back from its own XML."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from decimal import Decimal

import pytest

from tenantmetrics.report import xlsx
from tenantmetrics.report.xlsx import _letter
from tenantmetrics.report.xlsx import as_workbook as render


def column(cells, letter):
    return {place: cell for place, cell in cells.items() if re.fullmatch(rf"{letter}\d+", place)}


def test_totals_are_formulas_over_the_lines_and_their_values_are_right(make_statement, sheets):
    """Every sum can be recomputed by the spreadsheet; what it shows before is the same."""
    statement = make_statement({"acme": (100, 250), "bee": (1, 2)})
    read = sheets(render(statement))
    lines, summary = read["Lines"], read["Summary"]
    assert [lines[f"{c}1"][0] for c in "ABIJK"] == [
        "Tenant", "Kind", "Data API, USD", "Compute, USD", "Total, USD",
    ]  # fmt: skip
    assert lines["K2"] == ("3.5", "SUM(I2:J2)")
    assert lines["K6"] == (str(float(statement.total)), "SUM(K2:K5)")
    assert lines["I6"] == ("1.02", "SUM(I2:I5)")
    by_formula = {formula: value for value, formula in summary.values() if formula}
    assert by_formula["SUM(Lines!I2:I5)"] == "1.02"
    assert any(formula.startswith("ROUND(B") for formula in by_formula)


def test_names_are_text_cells_whatever_they_begin_with(make_statement, sheets):
    """No cell with a tenant's name holds a formula, and the name is whole."""
    names = ["=1+1", "+5", "-5", "@SUM(A1)", "<b>&", "שלום 🏨", "http://x.example"]
    read = sheets(render(make_statement(dict.fromkeys(names, (1, 1)))))
    found = column(read["Lines"], "A")
    assert all(formula is None for value, formula in found.values())
    assert {value for value, _ in found.values()} >= set(names)
    assert "hyperlink" not in read["Lines.xml"]


def test_a_name_that_looks_like_the_files_own_xml_is_text(make_statement, sheets):
    """Neither is the file broken by it, nor does it become formatted text."""
    names = ["<r>a</r>", "<r><t>b</t></r>", "<r>&</x></r>"]
    read = sheets(render(make_statement(dict.fromkeys(names, (1, 1)))))
    found = {value.rstrip() for value, _ in column(read["Lines"], "A").values()}
    assert found >= set(names)


def test_the_header_is_frozen_and_numbers_have_a_format(make_statement, sheets):
    """Scrolling keeps the names of the columns in sight; money has its cents."""
    content = render(make_statement({"acme": (1, 1)}))
    assert 'state="frozen"' in sheets(content)["Lines.xml"]
    styles = zipfile.ZipFile(io.BytesIO(content)).read("xl/styles.xml").decode()
    assert "#,##0.00;[Red]-#,##0.00" in styles


def test_the_status_stands_on_the_first_sheet(make_statement, sheets):
    """DRAFT and ESTIMATE, with the reasons below."""
    read = sheets(render(make_statement({"a": (1, 1)}, draft=("the month is not over",))))
    assert read["Summary"]["A2"][0] == "DRAFT ESTIMATE"
    assert read["Summary"]["A3"][0] == "Draft: the month is not over."


def test_past_the_bound_lines_keep_values_and_sums_stay_formulas(
    make_statement, sheets, monkeypatch
):
    """A very long sheet trades the lines' own formulas for speed, not the totals'."""
    monkeypatch.setattr(xlsx, "FORMULA_ROWS", 2)
    read = sheets(render(make_statement({"acme": (100, 250)})))
    assert read["Lines"]["K2"] == ("3.5", None)
    assert read["Lines"]["K5"][1] == "SUM(K2:K4)"


def test_columns_past_z_have_two_letters():
    """The 27th column is AA, the 703rd AAA."""
    assert [_letter(n) for n in (0, 25, 26, 51, 52, 701, 702)] == [
        "A", "Z", "AA", "AZ", "BA", "ZZ", "AAA",
    ]  # fmt: skip


def test_the_trend_sheet_recomputes_what_changed(make_statement, sheets):
    """By pool and for the tenants that stand out; without another month there is no such sheet."""
    now = make_statement({"=acme": (300, 250), "bee": (1, 1)})
    before = make_statement({"=acme": (100, 250), "bee": (1, 1)})
    assert "Trend" not in sheets(render(now))
    trend = sheets(render(replace(now, previous=before)))["Trend"]
    assert trend["D2"] == ("2.0", "C2-B2")
    assert trend["D4"][1] == "SUM(D2:D3)"
    assert trend["A6"] == ("=acme", None)
    assert trend["D6"] == ("2.0", "C6-B6")


def test_revenue_and_margin_have_totals_and_the_sheet_prints(make_statement, sheets):
    """Sums of the tenants whose revenue is known; the head and the tenant stand on every page."""
    statement = make_statement({"acme": (100, 250), "bee": (1, 2)})
    lines = tuple(
        replace(line, revenue=Decimal(9)) if line.tenant in {"acme", "bee"} else line
        for line in statement.lines
    )
    content = render(replace(statement, lines=lines))
    read = sheets(content)
    margin = sum(float(9 - line.total) for line in lines if line.revenue is not None)
    assert read["Lines"]["M6"] == ("18.0", "SUM(M2:M5)")
    assert read["Lines"]["N6"][1] == "SUM(N2:N5)"
    assert abs(float(read["Lines"]["N6"][0]) - margin) < 1e-9
    book = zipfile.ZipFile(io.BytesIO(content)).read("xl/workbook.xml").decode()
    assert book.count("_xlnm.Print_Area") == book.count("<sheet ")
    assert "Lines!$A:$A,Lines!$1:$1" in book
    assert 'orientation="landscape"' in read["Lines.xml"]


@pytest.mark.parametrize("cents", [123, 10**9, 10**15 + 1])
def test_no_column_is_too_narrow_for_its_numbers(make_statement, sheets, cents):
    """A spreadsheet shows ### instead; past 15 digits it rounds, and the summary says so."""
    now = make_statement({"acme": (cents, 250)})
    read = sheets(render(replace(now, previous=make_statement({"acme": (1, 1)}))))
    longest = len(f"{Decimal(cents) / 100:,.2f}")
    for name, column in (("Lines", 9), ("Lines", 11), ("Summary", 2), ("Trend", 3)):
        widths = re.findall(r'col min="(\d+)" max="(\d+)" width="([\d.]+)"', read[f"{name}.xml"])
        (width,) = (float(w) for low, high, w in widths if int(low) <= column <= int(high))
        assert width >= longest * 1.2
    cells = [text for text, _ in read["Summary"].values()]
    assert any("keeps 15 digits" in str(text) for text in cells) == (cents > 10**15)
