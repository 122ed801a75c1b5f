"""The table in a terminal of any width, or in none."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from tenantmetrics.report.terminal import as_text as render


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_the_money_is_whole(make_statement, width):
    """Columns go before digits do; every tenant's total and the sum stay in sight."""
    tenants = {f"tenant-with-a-long-name-{n:03}": (n * 1_000_000, n * 7) for n in range(1, 20)}
    statement = make_statement(tenants)
    text = render(statement, width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert f"{statement.total:,.2f}" in text
    for line in statement.lines:
        assert f"{line.total:,.2f}" in text


def test_at_80_columns_both_pools_are_shown(make_statement):
    """The usual terminal shows where the money went."""
    text = render(make_statement({"acme": (100, 200)}), width=80)
    assert "Data API" in text
    assert "Compute" in text


def test_the_rows_shown_add_up_to_the_total(make_statement):
    """Beyond `top` tenants fold into one row, which has their sum."""
    statement = make_statement({f"t{n:02}": (100 - n, n) for n in range(50)})
    text = render(statement, width=70, top=5)
    assert "45 more tenants" in text
    body = text[text.index("─\n") : text.index("\nTotal")]
    amounts = re.findall(r"(\d+\.\d\d) +\d+\.\d %", body)
    assert len(amounts) == 5 + 1 + 2
    assert sum(map(Decimal, amounts)) == statement.total


def test_a_tenants_name_cannot_drive_the_terminal_or_its_markup(make_statement):
    """Escape sequences, line breaks and rich's own markup come out as plain text."""
    text = render(make_statement({"\x1b[31mred\nnew": (1, 1), "[bold]x[/bold]": (1, 1)}), width=120)
    assert "\x1b" not in text
    assert "\ufffd[31mred\ufffdnew" in text
    assert "[bold]x[/bold]" in text


def test_draft_estimate_and_notes_are_in_sight(make_statement):
    """What makes the figures uncertain stands with them."""
    text = render(make_statement({"a": (1, 1)}, draft=("the month is not over",)), width=100)
    assert "DRAFT" in text.splitlines()[0]
    assert "ESTIMATE" in text.splitlines()[0]
    assert "Draft: the month is not over." in text
    assert "Note: A note on the data." in text
    assert "calls that named no tenant" in text


def test_where_the_columns_of_the_pools_do_not_fit_their_sums_are_told(make_statement):
    """Narrow or wide, where the money went is in sight."""
    statement = make_statement({"tenant-with-a-long-name": (123_456_700, 200)})
    told = f"Data API {statement.pools[0].amount:,.2f}, Compute {statement.pools[1].amount:,.2f}"
    assert told in render(statement, width=60)
    assert told not in render(statement, width=160)
