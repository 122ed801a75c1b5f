"""Every driver at once, over random bills and usage."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantmetrics.cost.allocate import Charge, Idle, allocate
from tenantmetrics.cost.drivers import Driver, consumer
from tenantmetrics.cost.statement import LineKind, Usage
from tenantmetrics.records import OVERFLOW, UNATTRIBUTED

CENT = Decimal("0.01")
CASES = 10_000
MEASURED = [
    Driver.SERVER_TIME, Driver.BILLED_REQUESTS, Driver.ROWS, Driver.BYTES, Driver.CALLS,
    Driver.STORAGE,
]  # fmt: skip

numbers = st.integers(0, 10**6) | st.integers(0, 10**15)
people = st.dictionaries(
    st.text("abcä_=<", max_size=4) | st.sampled_from([UNATTRIBUTED, OVERFLOW]),
    st.tuples(*[numbers] * 8),
    max_size=8,
)
bills = st.lists(
    st.tuples(
        st.sampled_from(Driver),
        st.decimals(-(10**6), 10**7, places=4),
        st.integers(0, 10**9),
        st.integers(0, 10**6),
    ),
    max_size=7,
)
idles = st.sampled_from(Idle)


def consumers(usage):
    return [
        consumer(
            tenant,
            Usage(n[0], 0, n[1], n[2], n[3], 0, n[4], 0),
            n[5],
            storage_bytes=n[6],
            fixed={f"p{i}": n[7] for i in range(9)},
        )
        for tenant, n in usage.items()
    ]


def charges(bill):
    return [
        Charge(f"p{i}", "", amount, driver, "", *((idle, unmetered) if driver in MEASURED else ()))
        for i, (driver, amount, idle, unmetered) in enumerate(bill)
    ]


def check_sums_and_signs(usage, bill, idle):
    pools, lines = allocate(charges(bill), consumers(usage), quantum=CENT, idle=idle)
    total = sum((amount for _, amount, *_ in bill), Decimal(0))
    assert sum(pool.amount for pool in pools) == round(Fraction(total) * 100) * CENT
    for index, pool in enumerate(pools):
        shares = [line.amounts[index] for line in lines]
        assert sum(shares, Decimal(0)) == pool.amount
        assert all(share * pool.amount >= 0 for share in shares)
    assert len({(line.kind, line.tenant) for line in lines}) == len(lines)
    assert {t for t in usage if t not in {UNATTRIBUTED, OVERFLOW}} == {
        line.tenant for line in lines if line.kind is LineKind.TENANT
    }


def check_order(usage, bill, idle, rnd):
    crowd = consumers(usage)
    before = allocate(charges(bill), crowd, quantum=CENT, idle=idle)
    rnd.shuffle(crowd)
    assert allocate(charges(bill), crowd, quantum=CENT, idle=idle) == before


def check_doubling(usage, bill, idle):
    twice = {tenant: tuple(2 * n for n in numbers) for tenant, numbers in usage.items()}
    doubled = [(d, a, 2 * i, 2 * u) for d, a, i, u in bill]
    one, two = (
        {
            (line.kind, line.tenant): line.amounts
            for line in allocate(charges(b), consumers(u), quantum=CENT, idle=idle)[1]
        }
        for u, b in ((usage, bill), (twice, doubled))
    )
    assert one == two


def check_splitting(usage, amount, driver, idle_weight):
    usage = {"whole": (3,) * 8, **{t: n for t, n in usage.items() if t != "whole"}}
    parts = {**usage, "whole": (1,) * 8, "whole2": (2,) * 8}
    bill = [(driver, amount, idle_weight, 0)]
    cost = [
        sum(
            line.total
            for line in allocate(charges(bill), consumers(u), quantum=CENT, idle=Idle.SEPARATE)[1]
            if line.tenant.startswith("whole")
        )
        for u in (usage, parts)
    ]
    assert abs(cost[0] - cost[1]) <= 2 * CENT


@given(people, bills, idles)
def test_lines_sum_to_the_bill_and_no_share_has_the_wrong_sign(usage, bill, idle):
    """For every driver, credits, idle and unmetered parts: exact sums, one line a name."""
    check_sums_and_signs(usage, bill, idle)


@given(people, bills, idles, st.randoms())
def test_order_does_not_matter_for_any_driver(usage, bill, idle, rnd):
    """Shuffled input, same lines."""
    check_order(usage, bill, idle, rnd)


@given(people, bills, idles)
def test_doubling_all_usage_changes_no_share_of_any_driver(usage, bill, idle):
    """Twice of everything, idle and unmetered included, is the same in proportion."""
    check_doubling(usage, bill, idle)


@given(people, st.decimals(0, 10**6, places=2), st.sampled_from(MEASURED), st.integers(0, 10**6))
def test_splitting_a_tenant_splits_its_cost_for_every_measured_driver(
    usage, amount, driver, idle_weight
):
    """One part and two parts cost together what three parts cost, but for rounding's cent."""
    check_splitting(usage, amount, driver, idle_weight)


@pytest.mark.long
@settings(max_examples=CASES)
@given(people, bills, idles, st.randoms(), st.sampled_from(MEASURED))
def test_ten_thousand_random_bills_hold_every_property(usage, bill, idle, rnd, driver):
    """All of the above, 10,000 times."""
    check_sums_and_signs(usage, bill, idle)
    check_order(usage, bill, idle, rnd)
    check_doubling(usage, bill, idle)
    check_splitting(usage, abs(bill[0][1]) if bill else Decimal(1), driver, 5)


def test_what_is_proportional_follows_the_other_pools():
    """A tax of 10 on costs of 30 and 70; a line without cost bears none of it."""
    bill = [
        Charge("taxes", "", Decimal(10), Driver.PROPORTIONAL),
        Charge("data_api", "", Decimal(100), Driver.BILLED_REQUESTS),
    ]
    crowd = [consumer("a", Usage(billed_requests=3)), consumer("b", Usage(billed_requests=7)),
             consumer("c", Usage())]  # fmt: skip
    _, lines = allocate(bill, crowd, quantum=CENT, idle=Idle.SEPARATE)
    assert {line.tenant: line.amounts[0] for line in lines} == {
        "a": 3, "b": 7, "c": 0, UNATTRIBUTED: 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        (Driver.EVEN, {"a": 5, "b": 5}),
        (Driver.FIXED, {"a": 10}),
        (Driver.STORAGE, {"b": 10}),
        (Driver.SERIES, {"a": 5, UNATTRIBUTED: 5}),
        (Driver.CALLS, {"a": Decimal("7.5"), UNATTRIBUTED: Decimal("2.5")}),
        (Driver.SHARED, {"__shared__": 10}),
        (Driver.UNCLASSIFIED, {"unclassified": 10}),
        (Driver.PROPORTIONAL, {"__shared__": 10}),
    ],
)
def test_each_driver_divides_by_what_it_says(driver, expected):
    """A called and has a fixed share, b only stores something, a call named nobody."""
    crowd = [
        consumer("a", Usage(calls=3), fixed={"x": 1}),
        consumer("b", Usage(), storage_bytes=9),
        consumer(UNATTRIBUTED, Usage(calls=1)),
    ]
    bill = [Charge("x", "", Decimal(10), driver)]
    _, lines = allocate(bill, crowd, quantum=CENT, idle=Idle.SEPARATE)
    assert {line.tenant: line.total for line in lines if line.total} == expected


def test_what_was_billed_and_never_measured_is_unattributed():
    """AWS counted 100 requests, the ledger 80: a fifth of the cost is nobody's."""
    bill = [Charge("data_api", "", Decimal(10), Driver.BILLED_REQUESTS, unmetered_weight=20)]
    _, lines = allocate(
        bill, [consumer("a", Usage(billed_requests=80))], quantum=CENT, idle=Idle.SEPARATE
    )
    assert {line.tenant: line.total for line in lines} == {"a": 8, UNATTRIBUTED: 2}


@pytest.mark.long
def test_a_tenant_with_one_call_among_a_hundred_thousand_keeps_its_line():
    """100,000 tenants: everyone has a line, and the cents still add up."""
    crowd = [consumer(f"t{n:06}", Usage(billed_requests=n % 977 + 1)) for n in range(100_000)]
    crowd.append(consumer("tiny", Usage(billed_requests=1)))
    bill = [Charge("data_api", "", Decimal("1234.56"), Driver.BILLED_REQUESTS)]
    _, lines = allocate(bill, crowd, quantum=CENT, idle=Idle.SEPARATE)
    assert len(lines) == 100_002
    assert sum(line.total for line in lines) == Decimal("1234.56")
    assert any(line.tenant == "tiny" for line in lines)


def test_credits_larger_than_charges_leave_a_negative_bill_that_adds_up():
    """Each pool keeps its own sign; the total is what AWS would pay back."""
    bill = [
        Charge("data_api", "", Decimal("10.01"), Driver.BILLED_REQUESTS),
        Charge("credits", "", Decimal("-25.005"), Driver.PROPORTIONAL),
    ]
    crowd = [consumer(name, Usage(billed_requests=1)) for name in "abc"]
    pools, lines = allocate(bill, crowd, quantum=CENT, idle=Idle.SEPARATE)
    assert sum(line.total for line in lines) == sum(pool.amount for pool in pools)
    assert sum(pool.amount for pool in pools) == Decimal("-15.00")
    assert all(line.amounts[1] <= 0 for line in lines)
