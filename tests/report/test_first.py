"""What a reader sees first."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tenantmetrics.cost.statement import LineKind, Period
from tenantmetrics.report.coins import given, left
from tenantmetrics.report.first import MARGIN, first
from tenantmetrics.report.formats import Format, in_format
from tenantmetrics.report.model import build
from tenantmetrics.report.terminal import as_text

OCTOBER = Period("2026-10", 1790812800, 1793491200)
LOSS = "a (pays 1.00, costs 5.01)"


def paying(statement, revenue):
    """The statement with revenue by tenant."""
    lines = tuple(
        replace(line, revenue=Decimal(revenue[line.tenant])) if line.tenant in revenue else line
        for line in statement.lines
    )
    return replace(statement, lines=lines)


@pytest.mark.parametrize(
    ("now", "then", "revenue", "words"),
    [
        ({"a": (1, 1)}, None, {"a": "9"}, []),
        ({"a": (500, 1)}, None, {"a": "1"},
         [f"1 tenant costs more than it pays: {LOSS}."]),
        ({"a": (500, 1), "b": (900, 0)}, None, {"a": "1", "b": "2"},
         [f"2 tenants cost more than they pay: b (pays 2.00, costs 9.00), {LOSS}."]),
        ({"a": (500, 0), "b": (1, 0)}, {"a": (100, 0), "b": (900, 0)}, {},
         ["Moved most since 2026-10: b -8.99 (to 0.01), a +4.00 (to 5.00)."]),
        ({"a": (5, 0), "new": (700, 0)}, {"a": (5, 0), "gone": (3, 0)}, {},
         [f"{what} since 2026-10, 1 tenant: {one}." for what, one in
          (("New", "new (7.00)"), ("Gone", "gone (0.03)"))]),
        ({"a": (5, 0)}, {"a": (5, 0)}, {}, []),
    ],
)  # fmt: skip
def test_losses_movers_new_and_gone_come_first(make_statement, now, then, revenue, words):
    """In this order, the largest first, and nothing where there is nothing."""
    statement = paying(make_statement(now), revenue)
    if then is not None:
        statement = replace(statement, previous=make_statement(then, period=OCTOBER))
    assert list(first(build(statement))) == words


def test_a_long_list_says_how_many_more(make_statement):
    """Ten by name."""
    many = {f"t{n:02}": (100 + n, 0) for n in range(14)}
    statement = replace(make_statement(many), previous=make_statement({}, period=OCTOBER))
    (sentence,) = first(build(statement))
    assert sentence.startswith("New since 2026-10, 14 tenants: t13 (1.13)")
    assert sentence.endswith("t04 (1.04) and 4 more.")


def test_text_xlsx_and_html_have_it_before_the_table(make_statement):
    """And the margin says what it knows."""
    statement = paying(make_statement({"a": (500, 1), "b": (10, 0)}), {"a": "1", "b": "3"})
    statement = replace(statement, previous=make_statement({"a": (1, 1)}, period=OCTOBER))
    text = " ".join(in_format(statement, Format.TABLE).decode().split())
    assert text.index("1 tenant costs more than it pays") < text.index("Tenant Calls")
    assert "Margin: -1.11 of 4.00 USD revenue." in text
    assert MARGIN in text
    page = in_format(statement, Format.HTML).decode()
    assert page.index("1 tenant costs more than it pays") < page.index("What changed most")
    assert page.index("What changed most") < page.index("Where the money went")
    assert MARGIN in page


def test_credits_are_drawn_to_the_left_of_the_axis(make_statement):
    """A bar of 4.00 charged and 1.00 credited has its axis at a fifth."""
    statement = make_statement({"a": (400, -100), "b": (200, 0)})
    page = in_format(statement, Format.HTML).decode()
    assert '<rect x="0.00" width="200.00" height="10" class="p1"/>' in page
    assert '<rect x="200.00" width="800.00" height="10" class="p0"/>' in page
    assert "credits are drawn to the left of the line" in page
    plain = in_format(make_statement({"a": (400, 100)}), Format.HTML).decode()
    assert "credits are drawn" not in plain


def test_small_estimates_name_their_unit(make_statement):
    """More decimals than coins have need a word; cents need none."""
    small = make_statement({"a": (1, 1)}, quantum=Decimal("0.000001"))
    assert (
        "Amounts have 6 decimals: in steps of 0.01 USD they would say little."
        in build(small).caveats
    )
    plain = build(make_statement({"a": (1, 1)}))
    assert not any("decimals" in caveat for caveat in plain.caveats)
    assert LineKind.TENANT in {row.kind for row in build(small).rows}


def test_what_tenants_pay_is_in_cents_whatever_their_costs_are_in(make_statement):
    """More decimals are for costs whose cents say little; revenue and budgets have cents."""
    small = make_statement({"a": (1, 1)}, quantum=Decimal("0.000001"))
    lines = tuple(replace(line, revenue=Decimal(9)) if line.tenant == "a" else line
                  for line in small.lines)  # fmt: skip
    statement = replace(small, lines=lines)
    text, page = as_text(statement), in_format(statement, Format.HTML).decode()
    assert "Margin: 8.98 of 9.00 USD revenue." in text
    assert "9.000000" not in text + page
    assert 'data-label="Revenue">9.00<' in page
    assert "0.020000" in text
    assert given(Decimal("0.0005"), statement) == "0.0005"
    assert left(Decimal("-0.0005"), statement) == "-0.000500"
    assert given(Decimal("1234.5"), make_statement({"a": (1, 1)})) == "1,234.50"
