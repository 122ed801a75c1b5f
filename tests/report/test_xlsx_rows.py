"""Rows of very large workbooks: the same bytes as XlsxWriter's own."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest

from tenantmetrics.report import xlsx

NAMES = (
    "acme", "=cmd()", 'q"uo,te', "<b>&amp;", "x\ny", "\ttab", "a\x07b\x1f", "_x0041_", " lead",
    "trail ", "Zoë ✓ 😀", "\u202ertl", "\ufffe", "", "0", "<r>x</r>", "<r></is>",
)  # fmt: skip


@pytest.fixture
def large(make_statement):
    """Tenants with hostile names, in two groups, some with revenue, one with a credit."""
    statement = make_statement({name: (n * 7 - 5, n * 3) for n, name in enumerate(NAMES)})
    lines = tuple(
        replace(line, groups=(f"<{n % 3}>", "x"), revenue=(None, Decimal(n), line.total)[n % 3])
        for n, line in enumerate(statement.lines)
    )
    return replace(statement, lines=lines, group_names=("plan", "region"))


def parts(statement):
    with zipfile.ZipFile(io.BytesIO(xlsx.render(statement))) as book:
        assert book.testzip() is None
        return {name: book.read(name).decode() for name in book.namelist()}


def test_every_part_is_what_xlsxwriter_writes(large, monkeypatch):
    """But for each line's own total, which in a large workbook is a number and no formula."""
    small = parts(large)
    monkeypatch.setattr(xlsx, "FORMULA_ROWS", 0)
    big = parts(large)
    lines = "xl/worksheets/sheet2.xml"
    row_total = re.compile(r"<f>SUM\([A-Z]+(\d+):[A-Z]+\1\)</f>")
    small[lines], replaced = row_total.subn("", small[lines])
    assert replaced == len(large.lines)
    del small["docProps/core.xml"], big["docProps/core.xml"]  # the second in which it was made
    assert big == small


def test_a_name_that_looks_like_xlsxwriters_own_xml_is_text(large, monkeypatch):
    """It must neither run as XML nor break the sheet, however many lines there are."""
    for rows in (20_000, 0):
        monkeypatch.setattr(xlsx, "FORMULA_ROWS", rows)
        root = ET.fromstring(parts(large)["xl/worksheets/sheet2.xml"])
        texts = {"".join(cell.itertext()) for cell in root.iter() if cell.tag.endswith("}is")}
        assert {"<r>x</r> ", "<r></is>"} <= texts
