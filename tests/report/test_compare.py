"""Two months side by side."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tenantmetrics.cost.statement import Period, Pool
from tenantmetrics.errors import ReportError
from tenantmetrics.report.compare import _pool_change, compare
from tenantmetrics.report.html import as_html as html
from tenantmetrics.report.terminal import as_text as terminal


@pytest.fixture
def earlier(make_statement):
    """October: acme 5.00, bee 1.00, gone 2.00."""
    return replace(
        make_statement({"acme": (300, 200), "bee": (50, 50), "gone": (100, 100)}),
        period=Period("2026-10", 1790812800, 1793491200),
    )


def with_quantities(statement, *quantities):
    pools = [
        replace(pool, quantity=None if q is None else Decimal(q))
        for pool, q in zip(statement.pools, quantities, strict=True)
    ]
    return replace(statement, pools=tuple(pools))


def test_price_and_volume_add_up_to_the_change(make_statement, earlier):
    """Twice the requests at three quarters of the price; compute of unknown quantity."""
    now = with_quantities(make_statement({"acme": (676, 200)}), 200, None)
    result = compare(now, with_quantities(earlier, 100, None))
    api, compute = result.pools
    assert (api.before, api.after) == (Decimal("4.51"), Decimal("6.77"))
    assert api.by_volume == Decimal("4.51")
    assert api.by_price == Decimal("-2.25")
    assert api.by_price + api.by_volume == api.change
    assert (compute.by_price, compute.by_volume) == (None, None)
    assert result.change == now.total - earlier.total


def test_tenants_stand_out_when_their_cost_moved_by_half_and_it_matters(make_statement, earlier):
    """Grown, new and gone tenants, the largest change first, with the pool that moved it."""
    now = make_statement({"acme": (310, 200), "bee": (50, 550), "new": (30, 10)})
    assert [(a.tenant, a.change, a.pool) for a in compare(now, earlier).anomalies] == [
        ("bee", Decimal(5), "Compute"),
        ("gone", Decimal(-2), "Compute"),
        ("new", Decimal("0.40"), "Data API"),
    ]


def test_a_pool_that_is_new_or_gone_is_compared_with_nothing(make_statement, earlier):
    """Taxes that were not there before."""
    now = make_statement({"acme": (1, 1)})
    now = replace(now, pools=(replace(now.pools[0], name="taxes", title="Taxes"), now.pools[1]))
    changes = {pool.title: (pool.before, pool.after) for pool in compare(now, earlier).pools}
    assert changes["Taxes"] == (0, now.pools[0].amount)
    assert changes["Data API"] == (earlier.pools[0].amount, 0)


def test_two_currencies_cannot_be_compared(make_statement, earlier):
    """Euros are not dollars."""
    now = make_statement({"acme": (1, 1)}, currency="EUR")
    with pytest.raises(ReportError, match="2026-11 is in EUR and 2026-10 in USD"):
        compare(now, earlier)


def test_the_page_and_the_terminal_show_the_comparison(make_statement, earlier):
    """The earlier month, the change, and who stands out, escaped."""
    now = make_statement({"acme": (310, 200), "<b>": (500, 0)}, previous=earlier)
    page = html(now)
    assert "Against 2026-10" in page
    assert "Tenants that stand out" in page
    assert "<bdi>&lt;b&gt;</bdi>: 0.00 to 5.00 (+5.00), mostly Data API" in page
    assert "against 2026-10." in terminal(now, width=80)


def test_groups_and_margins_stand_on_the_page(make_statement):
    """Tenants by plan, with what they pay and what is left."""
    statement = make_statement({"acme": (100, 200), "bee": (50, 50), "cat": (1, 1)})
    facts = {"acme": ("pro", Decimal(10)), "bee": ("pro", None), "cat": ("", None)}
    lines = tuple(
        replace(line, groups=(facts[line.tenant][0],), revenue=facts[line.tenant][1])
        if line.tenant in facts
        else replace(line, groups=("",))
        for line in statement.lines
    )
    page = html(replace(statement, lines=lines, group_names=("plan",)))
    assert "By <bdi>plan</bdi>" in page
    assert '<td role="cell" data-label="Margin">7.00</td>' in page
    assert '<td role="cell" data-label="Margin">6.00</td>' in page
    assert "not known" in page


@pytest.mark.parametrize(
    ("before", "after", "old", "new", "price"),
    [
        ("1.00", "3.01", "3", "9", "0.00"),
        ("0.33", "0.67", "1", "2", "0.00"),
        ("10.00", "20.00", "5", "10", "0.00"),
        ("10.00", "11.00", "5", "5", "1.00"),
        ("10.00", "5.01", "10", "5", "0.00"),
        ("100.00", "210.00", "10", "20", "10.00"),
    ],
)
def test_what_rounding_explains_is_no_change_of_the_price(before, after, old, new, price):
    """At constant prices nothing is by price, though both amounts were rounded to cents."""
    pools = [
        Pool("io", "I/O", Decimal(amount), "rows", quantity=Decimal(quantity))
        for amount, quantity in ((before, old), (after, new))
    ]
    change = _pool_change(*pools, Decimal("0.01"))
    assert change.by_price == Decimal(price)
    assert change.by_price + change.by_volume == change.change
