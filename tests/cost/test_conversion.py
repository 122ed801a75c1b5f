"""A converted statement adds up to the cent, whatever the rate."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.cost import monthly
from tenantmetrics.cost.conversion import convert
from tenantmetrics.cost.precision import smallest_coin
from tenantmetrics.cost.rates import exact
from tenantmetrics.cost.statement import (
    ExchangeRate,
    Line,
    LineKind,
    Period,
    Pool,
    Statement,
    Usage,
)
from tenantmetrics.errors import ReportError

CENT = Decimal("0.01")
cents = st.integers(-(10**9), 10**12)


def statement(columns, quantum=CENT):
    """Of lines with these amounts by pool."""
    pools = tuple(
        Pool(f"pool{number}", "Pool", sum(column) * quantum, "calls")
        for number, column in enumerate(columns)
    )
    lines = tuple(
        Line(f"t{number}", LineKind.TENANT, Usage(), tuple(cell * quantum for cell in row))
        for number, row in enumerate(zip(*columns, strict=True))
    )
    period = Period("2026-11", 1793491200, 1796083200)
    return Statement(period, "USD", quantum, "a bill", False, pools, lines)


@given(
    st.lists(st.lists(cents, min_size=5, max_size=5), min_size=1, max_size=4),
    st.decimals("0.0000001", "100000", places=9).filter(bool),
    st.sampled_from(["EUR", "JPY", "KWD"]),
    st.booleans(),
    st.sampled_from([CENT, Decimal("0.000001")]),
)
def test_it_adds_up_and_no_amount_is_a_coin_away(columns, rate, currency, inverse, quantum):
    """Every line, pool and the total are the exact product, less than a coin apart."""
    before = statement(columns, quantum)
    found = ExchangeRate("USD", currency, rate, date(2026, 11, 30), "ECB", inverse=inverse)
    after = convert(before, found)
    factor, coin = exact(found), Fraction(after.quantum)
    assert after.currency == currency
    assert after.rate.total == before.total
    assert abs(Fraction(after.total) - Fraction(before.total) * factor) <= coin / 2
    for one, other in zip(before.pools, after.pools, strict=True):
        assert abs(Fraction(other.amount) - Fraction(one.amount) * factor) < coin
    for one, other in zip(before.lines, after.lines, strict=True):
        for was, is_ in zip(one.amounts, other.amounts, strict=True):
            assert abs(Fraction(is_) - Fraction(was) * factor) < 2 * coin
            assert was or not is_
            assert is_ % smallest_coin(currency) == 0 or quantum < CENT
    assert sum(line.total for line in after.lines) == after.total


RATES = "date,from,to,rate,source\n2026-11-30,EUR,USD,1.25,ECB\n"


@pytest.fixture
def of(ledger, write_hour, tmp_path):
    """A statement of two tenants, by a rate file."""
    write_hour("2026-11-20T10:00", {"acme": (3, 40), "bee": (1, 10)})
    rates = tmp_path / "rates.csv"
    rates.write_text(RATES)

    def make(**more):
        return monthly(
            ledger, month="2026-11", **{"currency": "EUR", "rates": rates, "now_s": 2e9, **more}
        )

    return make


def test_a_month_is_converted_by_its_rate(of):
    """A dollar is 80 cents where a euro is $1.25; the bill's own total stays beside it."""
    before, after = of(currency=None, rates=None), of()
    assert (before.currency, after.currency) == ("USD", "EUR")
    assert after.total == (before.total * Decimal("0.8")).quantize(after.quantum)
    assert after.rate.total == before.total


def test_the_bills_own_currency_needs_no_rate(of):
    """Nothing is converted, and nothing says so."""
    assert of(currency="usd", rates=None) == of(currency=None, rates=None)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"currency": "euro"}, "'euro' is unknown"),
        ({"currency": "XYZ"}, "'XYZ' is unknown"),
        ({"currency": ""}, "'' is unknown"),
        ({"currency": "GBP"}, "no rate from USD to GBP"),
        ({"rates": None}, "in USD: a file of rates is needed for EUR"),
        ({"currency": None}, "no currency to convert to"),
        ({"rates": "/none.csv"}, "cannot be read"),
    ],
)
def test_what_cannot_be_converted_is_an_error(of, fields, message):
    """One line, before anything is written."""
    with pytest.raises(ReportError) as caught:
        of(**fields)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
