"""The division: exact, fair, and nothing vanishes."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.cost.allocate import Charge, Idle, allocate, apportion, split
from tenantmetrics.cost.drivers import Driver, consumer
from tenantmetrics.cost.statement import LineKind, Usage
from tenantmetrics.records import IDLE, UNATTRIBUTED

CENT = Decimal("0.01")

weights = st.lists(st.integers(0, 10**15), min_size=1, max_size=30).filter(any)
money = st.decimals(-(10**7), 10**7, places=6)
usages = st.dictionaries(
    st.text(max_size=5) | st.just(UNATTRIBUTED),
    st.tuples(st.integers(0, 10**9), st.integers(0, 10**15)),
    max_size=12,
)
idles = st.sampled_from(Idle)


def consumers(usage):
    return [consumer(t, Usage(billed_requests=n), w) for t, (n, w) in usage.items()]


def charges(data_api, compute, idle_weight=0):
    return [
        Charge("data_api", "Data API", data_api, Driver.BILLED_REQUESTS),
        Charge("compute", "Compute", compute, Driver.SERVER_TIME, idle_weight=idle_weight),
    ]


@given(st.integers(-(10**12), 10**12), weights)
def test_shares_sum_to_the_whole_and_none_is_off_by_a_unit(units, weights):
    """Largest remainder: exact in sum, each within one unit of its exact share, right in sign."""
    shares = split(units, weights)
    assert sum(shares) == units
    total = sum(weights)
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - Fraction(units * weight, total)) < 1
        assert share * units >= 0
        assert weight or not share


@given(st.lists(money, max_size=10))
def test_rounded_pools_sum_to_the_rounded_bill(amounts):
    """The pools of a bill are whole cents, and together they are the bill's cents."""
    units = apportion(amounts, CENT)
    assert sum(units) == round(Fraction(sum(amounts, Decimal(0))) * 100)
    for unit, amount in zip(units, amounts, strict=True):
        assert abs(unit - Fraction(amount) * 100) < 1


@given(usages, money, money, st.integers(0, 10**15), idles)
def test_every_cent_ends_on_a_line(usage, data_api, compute, idle_weight, idle):
    """Whatever the usage, credits included, lines sum to each pool and pools to the bill."""
    pools, lines = allocate(
        charges(data_api, compute, idle_weight), consumers(usage), quantum=CENT, idle=idle
    )
    for index, pool in enumerate(pools):
        assert sum(line.amounts[index] for line in lines) == pool.amount
        assert all(line.amounts[index] * pool.amount >= 0 for line in lines)
    total = round(Fraction(data_api + compute) * 100)
    assert sum(pool.amount for pool in pools) == total * CENT
    assert any(line.tenant == UNATTRIBUTED for line in lines)


@given(usages, money, st.integers(0, 10**15), idles, st.randoms())
def test_the_order_of_the_input_does_not_matter(usage, compute, idle_weight, idle, rnd):
    """Shuffled consumers give the same lines."""
    people = consumers(usage)
    bill = charges(Decimal("123.45"), compute, idle_weight)
    before = allocate(bill, people, quantum=CENT, idle=idle)
    rnd.shuffle(people)
    assert allocate(bill, people, quantum=CENT, idle=idle) == before


@given(usages, money, st.integers(1, 9))
def test_multiplying_all_usage_changes_no_share(usage, compute, factor):
    """Shares depend on proportions only."""
    more = {t: (n * factor, w * factor) for t, (n, w) in usage.items()}
    amounts = [
        {line.tenant: line.amounts for line in lines}
        for _, lines in (
            allocate(charges(compute, compute), consumers(u), quantum=CENT, idle=Idle.SEPARATE)
            for u in (usage, more)
        )
    ]
    assert amounts[0] == amounts[1]


@given(
    usages.filter(lambda u: "acme" not in u), money, st.integers(2, 10**6), st.integers(1, 10**6)
)
def test_splitting_a_tenant_in_two_splits_its_cost(usage, compute, first, second):
    """Two tenants with a tenant's usage cost what it cost, to the cent that rounding moves."""
    whole = {**usage, "acme": (0, first + second)}
    halves = {**usage, "acme": (0, first), "acme2": (0, second)}
    cost = []
    for u in (whole, halves):
        _, lines = allocate(
            charges(Decimal(0), compute), consumers(u), quantum=CENT, idle=Idle.SEPARATE
        )
        cost.append(sum(line.total for line in lines if line.tenant.startswith("acme")))
    assert abs(cost[0] - cost[1]) <= 2 * CENT


@pytest.mark.parametrize("idle", Idle)
def test_capacity_that_nobody_used_does_not_vanish(idle):
    """A month without a call still costs, whoever was to bear it."""
    _, lines = allocate(
        charges(Decimal(0), Decimal("43.20"), idle_weight=10), [], quantum=CENT, idle=idle
    )
    assert {line.tenant: line.total for line in lines} == {
        UNATTRIBUTED: Decimal(0),
        IDLE: Decimal("43.20"),
    }


def test_idle_goes_where_it_is_told_to_go():
    """Half of 60.00 is idle: on its own line, by usage (3:1, nobody's calls too), or evenly."""
    usage = {"acme": (0, 60), "bee": (0, 20), UNATTRIBUTED: (0, 20)}
    expected = {
        Idle.SEPARATE: {"acme": 18, "bee": 6, UNATTRIBUTED: 6, IDLE: 30},
        Idle.WEIGHTED: {"acme": 36, "bee": 12, UNATTRIBUTED: 12},
        Idle.EVEN: {"acme": 33, "bee": 21, UNATTRIBUTED: 6},
    }
    for idle, wanted in expected.items():
        _, lines = allocate(
            charges(Decimal(0), Decimal(60), idle_weight=100),
            consumers(usage),
            quantum=CENT,
            idle=idle,
        )
        assert {line.tenant: line.total for line in lines} == wanted


def test_requests_that_nobody_made_are_unattributed_and_not_spread():
    """A charge without any usage to divide it by stays visible."""
    _, lines = allocate(
        charges(Decimal("1.23"), Decimal(0)),
        consumers({"acme": (0, 5)}),
        quantum=CENT,
        idle=Idle.SEPARATE,
    )
    assert {line.tenant: line.total for line in lines} == {
        "acme": 0,
        UNATTRIBUTED: Decimal("1.23"),
    }


def test_tenants_come_first_by_cost_then_by_name_then_the_lines_that_are_nobodys():
    """The order is the same in every format and does not depend on anything but the figures."""
    usage = {"b": (1, 0), "a": (1, 0), "c": (2, 0), UNATTRIBUTED: (9, 0)}
    _, lines = allocate(
        charges(Decimal(13), Decimal(1), idle_weight=1),
        consumers(usage),
        quantum=CENT,
        idle=Idle.SEPARATE,
    )
    assert [line.tenant for line in lines] == ["c", "a", "b", UNATTRIBUTED, IDLE]
    assert [line.kind for line in lines[-2:]] == [LineKind.UNATTRIBUTED, LineKind.IDLE]
