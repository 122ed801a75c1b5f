"""How many decimals amounts have."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.cost.precision import finer, says_enough, steps

CENT = Decimal("0.01")


@pytest.mark.parametrize(
    ("coin", "expected"),
    [
        ("0.01", ["0.01", "0.0001", "0.000001"]),
        ("1", ["1", "0.01", "0.0001", "0.000001"]),
        ("0.001", ["0.001", "0.00001", "0.000001"]),
    ],
)
def test_steps_are_of_two_decimals_and_end_at_a_millionth(coin, expected):
    """A dollar's, a yen's and a dinar's."""
    assert [f"{step:f}" for step in steps(Decimal(coin))] == expected


@pytest.mark.parametrize(
    ("amounts", "enough"),
    [
        (["0.10"], True),
        (["0.09"], False),
        # What makes nine tenths counts, and the rest does not.
        (["0.90", "0.05", "0.05"], True),
        (["0.89", "0.06", "0.05"], False),
        (["0.10"] * 50, True),
        (["0.01"] * 5000, False),
        (["100", *["0.01"] * 1000], True),
        (["100", *["0.01"] * 2000], False),
        (["0.00", "0.00"], False),
        ([], False),
    ],
)
def test_amounts_of_nine_tenths_have_two_digits(amounts, enough):
    """Whatever their order."""
    found = [Decimal(amount) for amount in amounts]
    assert says_enough(found, CENT) == says_enough(found[::-1], CENT) == enough


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=50).filter(any))
def test_where_enough_is_said_rounding_takes_no_tenth_of_the_whole(units):
    """Amounts rounded down to a cent still make more than eight tenths of their sum."""
    exact = [Decimal(one) / 10_000 for one in units]
    rounded = [amount.quantize(CENT, "ROUND_DOWN") for amount in exact]
    if says_enough(exact, CENT):
        assert sum(rounded) > Decimal("0.8") * sum(exact)


@pytest.mark.parametrize(
    ("coin", "quantum", "expected"),
    [
        ("1", "0.01", "1"),
        ("1", "0.0001", "0.01"),
        ("1", "0.000001", "0.0001"),
        ("0.001", "0.000001", "0.000001"),
    ],
)
def test_in_another_currency_amounts_are_as_fine(coin, quantum, expected):
    """A hundredth of a cent becomes a hundredth of a yen."""
    assert finer(Decimal(coin), Decimal(quantum), CENT) == Decimal(expected)
