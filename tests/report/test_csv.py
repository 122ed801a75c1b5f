"""CSV for spreadsheets and programs."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal

import duckdb

from tenantmetrics.report.csv import as_csv as render
from tenantmetrics.report.csv import write


def test_every_line_is_a_row_and_a_columns_sum_is_the_bill(make_statement):
    """No total row, no rounding, one column a pool."""
    statement = make_statement({f"t{n}": (n, 2 * n) for n in range(1, 200)})
    rows = list(csv.DictReader(io.StringIO(render(statement))))
    assert len(rows) == 201
    assert sum(Decimal(row["total_cost"]) for row in rows) == statement.total
    assert sum(Decimal(row["compute_cost"]) for row in rows) == statement.pools[1].amount
    assert {row["status"] for row in rows} == {"ESTIMATE"}
    assert rows[0]["wall_time_s"] == "10.000000000"


def test_the_status_says_draft_or_final(make_statement):
    """A program that reads the file can tell."""
    draft = make_statement({"a": (1, 1)}, draft=("the month is not over",), estimate=False)
    final = make_statement({"a": (1, 1)}, estimate=False)
    assert [r["status"] for r in csv.DictReader(io.StringIO(render(draft)))] == ["DRAFT"] * 3
    assert [r["status"] for r in csv.DictReader(io.StringIO(render(final)))] == ["FINAL"] * 3


def test_names_with_commas_quotes_newlines_and_formulas_come_out_as_text(make_statement, tmp_path):
    """Another program reads the very names back, formulas disarmed."""
    names = ['a,"b"', "two\nlines", "=1+1", "@SUM(A1)", "-5", "+5", "שלום 🏨", "<b>"]
    write(make_statement(dict.fromkeys(names, (1, 1))), tmp_path / "bill.csv")
    read = duckdb.sql(f"SELECT tenant FROM read_csv('{tmp_path}/bill.csv')").fetchall()
    expected = ['a,"b"', "two\nlines", "'=1+1", "'@SUM(A1)", "'-5", "'+5", "שלום 🏨", "<b>"]
    assert [tenant for (tenant,) in read][:8] == expected


def test_groups_revenue_and_margin_are_columns(make_statement):
    """For a pivot table; empty where nothing is known."""
    statement = make_statement({"a": (100, 50), "b": (1, 1)})
    first, *rest = statement.lines
    known = replace(first, groups=("=pro",), revenue=Decimal("9.99"))
    statement = replace(statement, group_names=("plan",), lines=(known, *rest))
    rows = list(csv.DictReader(io.StringIO(render(statement))))
    assert [(r["revenue"], r["margin"], r["group_plan"]) for r in rows[:2]] == [
        ("9.99", "8.49", "'=pro"), ("", "", ""),
    ]  # fmt: skip
