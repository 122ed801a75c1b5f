"""The demo's fourth check: can it fail, and does it know when it cannot tell."""

from decimal import Decimal

import pytest

from tenantmetrics.demo.shares import PROMISED, Shares, TenantShares, moved


def shares(billed, *, by_chance):
    """Two tenants that PostgreSQL worked for alike, the first billed for a part."""
    return Shares(
        (
            TenantShares("a", 0.5, billed, 0.9),
            TenantShares("b", 0.5, 1 - billed, 0.1),
        ),
        by_chance,
    )


def test_what_moved_is_half_the_sum_of_the_differences():
    """What one tenant has too much, others have too little."""
    assert moved([(0.7, 0.5), (0.2, 0.3), (0.1, 0.2)]) == pytest.approx(0.2)
    assert moved([(0.25, 0.25)] * 4) == 0
    assert shares(0.6, by_chance=0).moved_by_bill == pytest.approx(0.1)
    assert shares(0.6, by_chance=0).moved_by_wall == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("billed", "by_chance", "holds"),
    [
        (0.5 + PROMISED / 2, 0.0, True),
        (0.5 + PROMISED * 1.1, 0.0, False),
        (0.6, 0.11, True),
        (0.6, 0.09, False),
        (0.9, None, True),
    ],
)
def test_it_fails_on_more_than_was_promised_and_more_than_chance(billed, by_chance, holds):
    """Where there are too few calls for a verdict, nothing was said that could be wrong."""
    assert shares(billed, by_chance=by_chance).holds is holds


def test_the_bill_of_a_wall_time_division_would_fail():
    """What the check is there to find, however unsure the intervals are."""
    by_wall = shares(0.9, by_chance=0.15)
    assert not by_wall.holds
    assert not shares(0.9, by_chance=0.9).holds
    assert Decimal(by_wall.moved_by_bill) == Decimal(by_wall.moved_by_wall)
