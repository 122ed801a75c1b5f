"""What groups of statements get where the server says one number for all."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.cost.server_time.known import LEAST_NS, Cell, Known
from tenantmetrics.cost.server_time.totals import group_totals
from tenantmetrics.servertime import Overhead, OverheadSource, Work

OVERHEAD = Overhead(24e6, 2e14, 0.4e6, OverheadSource.WORKLESS)
LOOK_UPS = Work(0.2e6, 0.2e6, 0.1)
REPORTS = Work(150e6, 6e6, 1.0)


def known(total_ns, works):
    return Known(OVERHEAD, total_ns, by_total=True, works=works)


def groups(calls):
    return {number: [Cell("t", number, count, 0.0, count)] for number, count in calls.items()}


def test_what_is_too_much_is_taken_from_long_statements_before_look_ups():
    """A busy machine keeps long ones waiting, and that look-ups take next to nothing is known."""
    works = {1: LOOK_UPS, 2: REPORTS}
    totals, _ = group_totals(groups({1: 3000, 2: 200}), known(28e9, works))
    assert math.fsum(totals.values()) == pytest.approx(28e9)
    assert totals[1] >= 3000 * LEAST_NS
    assert 30e9 - totals[2] > 0.6 * 2.6e9


def test_load_above_the_record_may_be_in_part_of_nobodys_calls():
    """A few percent of autovacuum are not told apart from the tenants' own: half a step is made."""
    works = {1: LOOK_UPS, 2: REPORTS}
    totals, parts = group_totals(groups({1: 3000, 2: 200}), known(32e9, works))
    assert 30.6e9 < math.fsum(totals.values()) < 32e9
    assert 0 < math.fsum(parts.values()) < 1


def test_load_above_the_record_goes_to_what_may_work_before_what_is_known_to_be_quick():
    """A plan that flipped: the record could not tell whether the statement works for 3 ms."""
    works = {1: LOOK_UPS, 2: REPORTS, 3: Work(1e6, 1.4e6, 0.1)}
    before = {1: 0.6e9, 2: 30e9, 3: 2e9}
    totals, _ = group_totals(groups({1: 3000, 2: 200, 3: 2000}), known(34e9, works))
    more = {group: totals[group] - ns for group, ns in before.items()}
    assert more[3] > 5 * more[1]


@given(
    st.dictionaries(st.integers(1, 6), st.integers(1, 10**6), min_size=1),
    st.lists(
        st.builds(Work, st.floats(LEAST_NS, 1e9), st.floats(0, 1e8), st.floats(0, 1)),
        min_size=6,
        max_size=6,
    ),
    st.floats(0, 1e15),
)
def test_no_group_gets_less_than_its_calls_take(calls, works, total):
    """Whatever the server's number is; and none is asked for what it cannot give."""
    found, parts = group_totals(groups(calls), known(total, dict(enumerate(works, 1))))
    assert all(found[group] >= count * LEAST_NS * 0.999 for group, count in calls.items())
    assert all(0 <= part <= 1 for part in parts.values())
