"""Against known truth: unbiased, sure of itself as much as it may be, and better than wall time."""

import math
import random
import statistics
from functools import cache

import pytest
from simulation import MEAN_NS, Sums, World, moved

from tenantmetrics.servertime import (
    MISFIT,
    Common,
    Estimated,
    Metered,
    Moments,
    OverheadSource,
    Part,
    Verdict,
    divide,
    intervals,
    metered,
    overhead,
)

SEEDS = range(25)


@cache
def world(seed):
    return World(seed)


def estimated(one, method):
    """Each tenant's estimate and interval by one method, as the report does it."""
    known = overhead(one.idle.moments)
    total, calls = sum(one.truth()), sum(sums.calls for sums in one.cells.values())
    mean, error = known.mean_ns, known.error_ns
    if method == "load":
        wall = sum(sums.wall_ns for sums in one.cells.values())
        mean, error = (wall - total) / calls, math.sqrt(known.variance_ns2 / calls)
    if method == "statements":
        error = 0.0
    found = [[0.0, 0.0, 0] for _ in range(one.tenants)]
    for statement in one.statements:
        cells = one.of_statement(statement)
        parts = [
            Part(sums.calls, sums.wall_ns - sums.calls * mean, sums.calls * known.variance_ns2)
            for _, sums in cells
        ]
        whole = sum(sums.server_ns for _, sums in cells) if method == "statements" else None
        for (tenant, sums), part in zip(cells, divide(parts, whole), strict=True):
            found[tenant][0] += part.server_ns
            found[tenant][1] += part.variance_ns2
            found[tenant][2] += sums.calls
    estimates = [Estimated(max(0.0, ns), variance) for ns, variance, _ in found]
    common = Common([calls for _, _, calls in found], error)
    return [one.server_ns for one in estimates], intervals(estimates, [common])


@pytest.mark.parametrize(
    ("method", "most"), [("record", 0.06), ("load", 0.04), ("statements", 0.02)]
)
def test_the_part_that_lands_on_the_wrong_tenant_is_small(method, most):
    """Each method keeps what it promises, where wall time moves a third."""
    worlds = [world(seed) for seed in SEEDS]
    part = statistics.mean(moved(estimated(one, method)[0], one.truth()) for one in worlds)
    wall = statistics.mean(
        moved(
            [sum(s.wall_ns for (t, _), s in one.cells.items() if t == n) for n in range(12)],
            one.truth(),
        )
        for one in worlds
    )
    assert part <= most
    assert wall > 1 / 3


@pytest.mark.parametrize("method", ["record", "load", "statements"])
def test_the_true_share_lies_within_its_interval(method):
    """Of all tenants of all runs, at least nine in ten."""
    inside = []
    for seed in SEEDS:
        one = world(seed)
        estimates, bounds = estimated(one, method)
        total, truth = sum(estimates), one.truth()
        inside += [
            low / total <= true / sum(truth) <= high / total
            for (low, high), true in zip(bounds, truth, strict=True)
        ]
    assert sum(inside) / len(inside) >= 0.9


@pytest.mark.parametrize("method", ["record", "load", "statements"])
def test_no_kind_of_tenant_is_favoured(method):
    """Over many runs, chatty tenants are charged what they caused, and so are heavy ones."""
    errors = {"chatty": [], "heavy": []}
    for seed in SEEDS:
        one = world(seed)
        estimates, _ = estimated(one, method)
        truth = one.truth()
        calls = [
            sum(sums.calls for (t, _), sums in one.cells.items() if t == tenant)
            for tenant in range(one.tenants)
        ]
        by_calls = sorted(range(one.tenants), key=calls.__getitem__)
        for kind, tenants in (("heavy", by_calls[:6]), ("chatty", by_calls[6:])):
            share = sum(estimates[t] for t in tenants) / sum(estimates)
            errors[kind].append(share - sum(truth[t] for t in tenants) / sum(truth))
    for found in errors.values():
        mean = statistics.mean(found)
        standard_error = statistics.stdev(found) / math.sqrt(len(found))
        assert abs(mean) <= max(3 * standard_error, 0.005)


def test_errors_fall_with_the_length_of_the_run():
    """Four times the calls, and half as much lands on the wrong tenant."""

    def part(calls, workless):
        runs = [World(seed, calls=calls, workless=workless) for seed in range(12)]
        return statistics.mean(moved(estimated(one, "record")[0], one.truth()) for one in runs)

    assert part(400, 1200) < 0.65 * part(100, 300)


def test_the_mean_overhead_is_right_and_so_is_its_error():
    """The distance is what its standard error says, where calls with work are a bit different."""
    away = []
    for seed in range(100):
        one = World(seed, tenants=1, calls=1, workless=200)
        known = overhead(one.idle.moments)
        assert known.source is OverheadSource.WORKLESS
        true_ns = MEAN_NS * (1 + random.Random(seed).gauss(0, MISFIT))
        away.append((known.mean_ns - true_ns) / known.error_ns)
    assert abs(statistics.mean(away)) < 0.4
    assert 0.8 < statistics.stdev(away) < 1.3


def test_unmetered_load_is_told_apart_from_the_metered():
    """A client that nobody meters adds 40 % to the server's load, and that much is found."""
    parts = []
    for seed in SEEDS:
        one = world(seed)
        known = overhead(one.idle.moments)
        truth = sum(one.truth())
        calls = sum(sums.calls for sums in one.cells.values())
        record = sum(sums.wall_ns for sums in one.cells.values()) - calls * known.mean_ns
        error = math.sqrt(calls * known.variance_ns2 + (calls * known.error_ns) ** 2)
        found = metered(truth * 1.4, record, error)
        assert found.metered_ns + found.unmetered_ns == pytest.approx(truth * 1.4)
        parts.append(found.unmetered_ns / truth)
        assert metered(truth, record, error).verdict in set(Verdict)
    assert statistics.mean(parts) == pytest.approx(0.4, abs=0.1)


def test_load_below_the_metered_is_said():
    """Numbers of another cluster: the server did half of what our calls must have caused."""
    one = world(1)
    truth = sum(one.truth())
    assert metered(truth / 2, truth, truth / 20) == Metered(truth / 2, 0.0, Verdict.BELOW)
    assert metered(truth * 0.95, truth, truth / 20).verdict is Verdict.AGREE


def test_statements_that_are_called_once_each_tell_the_overhead_together():
    """As people write them: 200 look-ups and 60 that work for long, none of them twice."""
    world = World(3, calls=0, workless=0)
    found = overhead(
        Moments(),
        (
            Moments(1, wall_ns, (wall_ns / 1000) ** 2)
            for wall_ns in (world.overhead() + (n % 4 == 0) * 300e6 for n in range(260))
        ),
    )
    assert found.source is OverheadSource.STATEMENTS
    assert found.mean_ns == pytest.approx(MEAN_NS, rel=0.15)
    assert found.error_ns < MEAN_NS / 4


def test_without_calls_that_do_no_work_the_overhead_is_an_upper_bound():
    """The look-ups stand in for them, and that is said; a few workless calls are said to be few."""
    one = world(2)
    statements = []
    for number in one.statements:
        total = Sums().moments
        for _, sums in one.of_statement(number):
            total = total.plus(sums.moments)
        statements.append(total)
    bound = overhead(Sums().moments, statements)
    assert bound.source is OverheadSource.STATEMENTS
    assert bound.mean_ns + 3 * bound.error_ns > MEAN_NS
    few = Sums()
    for _ in range(5):
        few.add(one.overhead(), 0.0)
    assert overhead(few.moments).source is OverheadSource.FEW_WORKLESS
    assert overhead(Sums().moments).source is OverheadSource.UNKNOWN
