"""Where architectures break even."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.cost.alternatives import (
    Setup,
    Workload,
    alternatives,
    at_volume,
    clusters,
)
from tenantmetrics.cost.break_even import break_evens, requests_for
from tenantmetrics.cost.period import parse_month
from tenantmetrics.cost.prices import built_in

PRICES = built_in("us-east-1")
# November has 720 hours; half a unit of capacity in each is 360.
NOVEMBER = Workload(
    period=parse_month("2026-11"),
    requests=10_000_000,
    acu_hours=Decimal(360),
    peak_acu=Decimal("0.5"),
    storage_gb=Decimal(100),
    io_requests=Decimal(10_000_000),
)
SETUP = Setup(instance="db.t4g.medium")


@given(
    st.decimals(0, 10**5, places=2),
    st.decimals(0, 5000, places=1),
    st.decimals(0, 10**4, places=1),
    st.booleans(),
)
def test_at_a_break_even_volume_both_sides_cost_the_same(acu_hours, storage, nat_gb, optimized):
    """Priced again at the volume that was answered, the two totals are one."""
    work = replace(NOVEMBER, acu_hours=acu_hours, storage_gb=storage, io_optimized=optimized)
    setup = replace(SETUP, nat_gb=nat_gb)
    rows = alternatives(work, setup, PRICES)
    today = next(place for place, row in enumerate(rows) if row.current)
    others = [today + 1, 5, 7]
    for one, other in zip(break_evens(work, setup, PRICES)[:3], others, strict=True):
        if one.value is None:
            there = at_volume(work, setup, PRICES, 0)
            assert one.always == "PostgreSQL, NAT gateway"
            assert there[today] > there[other]
            continue
        there = at_volume(work, setup, PRICES, int(one.value))
        # Less than a whole request lies between.
        assert 0 <= there[other] - there[today] < Decimal("0.000001")


def test_io_and_capacity_break_evens_hold_when_priced_again():
    """I/O-Optimized against standard, and Serverless against an instance."""
    found = break_evens(NOVEMBER, SETUP, PRICES)
    work = replace(NOVEMBER, io_requests=found[3].value)
    standard, optimized, *_ = clusters(work, SETUP, PRICES)
    assert standard.total == optimized.total
    acu = replace(NOVEMBER, acu_hours=found[5].value * 720)
    serverless, _, made, _ = clusters(acu, SETUP, PRICES)
    assert abs(serverless.total - made.total) < Decimal("1e-20")


def test_what_money_buys_of_requests_crosses_the_price_tiers():
    """$350 buys the first thousand million; what is beyond costs less."""
    assert requests_for(PRICES, Decimal(0)) == 0
    assert requests_for(PRICES, Decimal("0.35")) == 1_000_000
    assert requests_for(PRICES, Decimal(350)) == 1_000_000_000
    assert requests_for(PRICES, Decimal(370)) == 1_100_000_000
