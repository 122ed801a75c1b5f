"""Price lists: complete or refused."""

from __future__ import annotations

from decimal import Decimal
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.cost.prices import FLAT, OPTIONAL, TIERED, built_in, load
from tenantmetrics.errors import PriceError


@pytest.fixture
def changed(tmp_path):
    """The built-in list with one text replaced, as a user's file."""
    folder = resources.files("tenantmetrics.cost.prices")
    original = (folder / "us-east-1.toml").read_text("utf-8")

    def change(old, new):
        assert old in original
        path = tmp_path / "prices.toml"
        path.write_text(original.replace(old, new))
        return path

    return change


def test_the_built_in_list_is_dated_and_holds_every_price():
    """us-east-1 at 35 cents a million requests and 12 cents an ACU-hour."""
    prices = built_in("us-east-1")
    assert set(prices.flat) == {*FLAT, *OPTIONAL}
    assert set(prices.tiers) == set(TIERED)
    assert prices.flat["acu_hour"] == Decimal("0.12")
    assert (prices.currency, prices.dated.year) == ("USD", 2026)


def test_a_region_without_a_list_is_refused_with_those_that_have_one():
    """A price of another region is never taken in silence."""
    with pytest.raises(PriceError, match="there are us-east-1"):
        built_in("eu-west-2")


def test_requests_past_a_thousand_million_cost_less():
    """The first 1,000 million at 0.35 and the rest at 0.20 a million."""
    prices = built_in("us-east-1")
    assert prices.tiered_cost("data_api_million", 0) == 0
    assert prices.tiered_cost("data_api_million", 1) == Decimal("0.00000035")
    assert prices.tiered_cost("data_api_million", 1_000_000_000) == Decimal(350)
    assert prices.tiered_cost("data_api_million", 1_500_000_000) == Decimal(450)


@given(st.integers(0, 10**12), st.integers(0, 10**9))
def test_more_never_costs_less(quantity, more):
    """Tiered cost rises with the quantity."""
    prices = built_in("us-east-1")
    cost = prices.tiered_cost("metric_month", quantity)
    assert prices.tiered_cost("metric_month", quantity + more) >= cost


@pytest.mark.parametrize(
    ("old", "new", "entry", "what"),
    [
        ("acu_hour = 0.12\n", "", "prices.acu_hour", "missing"),
        ("acu_hour = 0.12\n", "acu_hour = -0.12\n", "prices.acu_hour", "negative"),
        ("acu_hour = 0.12\n", "acu_hour = nan\n", "prices.acu_hour", "not a number"),
        ("acu_hour = 0.12\n", "acu_hour = inf\n", "prices.acu_hour", "not a number"),
        ("acu_hour = 0.12\n", 'acu_hour = "0,12"\n', "prices.acu_hour", "not a number"),
        ("acu_hour = 0.12\n", "acu_hour = true\n", "prices.acu_hour", "not a number"),
        ("acu_hour = 0.12\n", "acu_hour = 0.12\nacu_hours = 1\n", "prices.acu_hours", "unknown"),
        ("{ price = 0.20 }", "{ price = -0.20 }", "prices.data_api_million[2].price", "negative"),
        ("{ price = 0.20 }", "{ up_to = 5 }", "prices.data_api_million[2]", "no up_to"),
        ("{ price = 0.20 }", "{ }", "prices.data_api_million[2].price", "missing"),
        ("{ price = 0.20 }", "0.2", "prices.data_api_million[2]", "must have a price"),
        ("up_to = 1_000_000_000", "up_to = 0", "prices.data_api_million[1].up_to", "above 0"),
        ('currency = "USD"', 'currency = "usd"', "currency", "a code such as USD"),
        ('currency = "USD"', "", "currency", "missing"),
        ("dated = 2026-03-31", 'dated = "soon"', "dated", "a date"),
        ("[prices]", "[price]", "prices", "missing"),
    ],
)
def test_a_wrong_entry_is_named_with_its_file(changed, old, new, entry, what):
    """Missing, negative, not a number, unknown: one line that names file and entry."""
    path = changed(old, new)
    with pytest.raises(PriceError) as caught:
        load(path)
    text = str(caught.value)
    assert str(path) in text
    assert f"entry {entry} " in text.replace(":", " ")
    assert what in text
    assert "\n" not in text


def test_a_file_that_is_no_toml_or_not_there_is_named(tmp_path):
    """One line, with the line number where TOML has one."""
    path = tmp_path / "prices.toml"
    with pytest.raises(PriceError, match="cannot be read: No such file"):
        load(path)
    path.write_text("prices = ]")
    with pytest.raises(PriceError, match=r"prices.toml' is not valid TOML: .*line 1"):
        load(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PriceError, match="not UTF-8"):
        load(path)
