"""The estimate that the background thread keeps: right over time, never negative, bounded."""

import math
import random

import pytest

from tenantmetrics.servertime import Cell, LiveLoad, Moments
from tenantmetrics.servertime.live import MAX_DEBTS

CLUSTER = "arn:aws:rds:us-east-1:123456789012:cluster:one"


def cell(tenant, times, *, statement=1, workless=False, cold=False):
    moments = Moments(len(times), sum(times), sum((time / 1e3) ** 2 for time in times))
    return Cell(tenant, CLUSTER, statement, workless, cold, moments)


def test_over_many_windows_each_tenant_has_what_it_caused():
    """A chatty tenant's cut-off negatives are paid back, so its sum does not drift upwards."""
    source = random.Random(3)

    def times(count, server):
        return [source.lognormvariate(math.log(20e6), 0.6) + server for _ in range(count)]

    live, sums = LiveLoad(), {"chatty": 0, "heavy": 0}
    for _ in range(200):
        window = [
            cell("chatty", times(100, 0.05e6)),
            cell("heavy", times(2, 200e6), statement=2),
            cell("chatty", times(40, 0.0), statement=0, workless=True),
        ]
        found = live.window(window)
        assert all(amount >= 0 for amount in found.values())
        for tenant, amount in found.items():
            sums[tenant] += amount
    heavy = 200 * 2 * 200e6
    assert abs(sums["heavy"] - heavy) < 0.03 * heavy
    assert sums["chatty"] < 0.05 * heavy


def test_calls_that_open_a_connection_are_taken_apart():
    """Without cold calls that do no work, a cold call is worth what the tenant's others are."""
    live = LiveLoad()
    found = live.window(
        [
            cell("a", [20e6] * 40, statement=0, workless=True),
            cell("a", [30e6] * 10),
            cell("b", [30e6] * 5),
            cell("b", [180e6] * 5, cold=True),
        ]
    )
    assert found == pytest.approx({"a": 100_000_000, "b": 100_000_000})
    found = live.window(
        [
            cell("b", [170e6] * 30, statement=0, workless=True, cold=True),
            cell("b", [180e6] * 5, cold=True),
        ]
    )
    assert found["b"] == pytest.approx(50_000_000, rel=0.01)


def test_without_calls_that_do_no_work_the_cheapest_statement_is_the_overhead():
    """The look-ups come to next to nothing, the aggregate to what it takes more than they."""
    found = LiveLoad().window([cell("a", [20e6] * 50), cell("b", [120e6] * 50, statement=2)])
    assert found["a"] < 0.01 * found["b"]
    assert abs(found["b"] - 5e9) < 0.01 * 5e9


def test_memory_does_not_grow_with_the_tenants_seen():
    """Debts are remembered of the largest only, and of clusters that fell silent nothing."""
    live = LiveLoad()
    base = [cell("a", [20e6] * 40, statement=0, workless=True)]
    live.window(base + [cell(f"t{n}", [5e6], statement=n + 1) for n in range(MAX_DEBTS + 50)])
    assert len(live._debts) == MAX_DEBTS
    for _ in range(100):
        live.window([])
    assert not live._debts
    assert not live._clusters
