"""Splitting an integer by share."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.aggregate.split import split

weights = st.lists(st.integers(1, 1_000), min_size=1, max_size=20)


@given(st.integers(0, 10**15), weights, st.integers(0, 100))
def test_parts_sum_to_the_amount_and_lie_within_one_of_the_exact_share(amount, weights, turn):
    """Nothing is lost, nothing made up, and nobody is off by a whole unit."""
    parts = split(amount, weights, turn)

    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(amount * weight, sum(weights))) < 1


@given(st.integers(1, 12), st.integers(1, 5))
def test_equal_tenants_get_equal_parts_over_as_many_turns_as_there_are_tenants(n, rounds):
    """The odd unit of an even split goes round: no tenant pays for the others."""
    totals = [0] * n
    for turn in range(n * rounds):
        totals = [a + b for a, b in zip(totals, split(1, [1] * n, turn), strict=True)]

    assert totals == [rounds] * n


def test_the_larger_remainder_is_served_first():
    """Hamilton's method: 10 units by 3:3:1 are 4.29, 4.29, 1.43, so the last gets the odd unit."""
    assert split(10, [3, 3, 1]) == [4, 4, 2]
