"""The overhead that kinds of calls have in common, and what each of them works."""

import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantmetrics.servertime import Kind, Moments, OverheadSource, level, overhead

MS = 1e6
OVERHEAD_MS = 24.0


def kind(mean_ms, error_ms=0.3, misfit=0.03, *, works=True):
    return Kind(mean_ms * MS, error_ms * MS, misfit, works)


def drawn(source, statements, look_ups=0.8):
    """Statements of an application: mostly look-ups, the others of any length, all measured."""
    found = []
    for _ in range(statements):
        longer = math.exp(source.uniform(math.log(0.5), math.log(10_000)))
        server = source.uniform(0.02, 0.5) if source.random() < look_ups else longer
        error = source.uniform(0.1, 1.5)
        off = OVERHEAD_MS * source.gauss(0, 0.03) + source.gauss(0, error)
        found.append((kind(OVERHEAD_MS + server + off, error), server))
    return found


@pytest.mark.parametrize("sets", [True, False], ids=["with calls without work", "with none"])
def test_the_level_and_its_error_are_right(sets):
    """Over many applications it is unbiased, and as far from the truth as it says."""
    away, miss = [], []
    for seed in range(60):
        source = random.Random(seed)
        known = [one for one, _ in drawn(source, 8)]
        sure = [kind(OVERHEAD_MS * source.gauss(1, 0.05), misfit=0.05, works=False)] if sets else []
        found = level([*known, *sure], sure)
        away.append((found.mean_ns - OVERHEAD_MS * MS) / found.error_ns)
        miss.append(found.mean_ns / MS - OVERHEAD_MS)
    assert abs(statistics.mean(miss)) < 0.25
    assert statistics.mean(abs(one) < 1.96 for one in away) >= 0.9


def test_what_statements_work_adds_up():
    """What cheap ones took above and below by chance is not charged; what long ones work is."""
    charged = true = 0.0
    for seed in range(60):
        every = drawn(random.Random(seed), 8)
        found = level([one for one, _ in every])
        cheap = [(one, server) for one, server in every if server < 1]
        charged += sum(found.work(one).server_ns / MS for one, _ in cheap)
        true += sum(server for _, server in cheap)
        for one, server in every:
            if server > 50:
                assert found.work(one).server_ns == pytest.approx(server * MS, rel=0.2)
    assert charged / true < 2.5, "a look-up's 0.26 ms stay below a millisecond"


def test_a_statement_that_lies_alone_says_little():
    """It may be a look-up or work for milliseconds: that is told by the error."""
    assert level([kind(24)]).error_ns > 0.1 * 24 * MS
    together = level([kind(24), kind(24.3), kind(23.8), kind(24.1)])
    assert together.error_ns < 0.03 * 24 * MS


def test_a_statement_just_above_the_others_is_not_charged_what_chance_left_it():
    """It is less likely that it works for 0.4 ms than that its calls met a busy minute."""
    cheap = [kind(24, 0.1), kind(24.1, 0.1), kind(23.9, 0.1)]
    found = level([*cheap, kind(24.5, 0.4)])
    assert found.work(kind(24.5, 0.4)).server_ns < 0.3 * MS
    assert found.work(kind(23.5, 0.4)).server_ns >= 0.1 * MS
    assert found.work(kind(34, 0.4)).server_ns == pytest.approx(10.2 * MS, rel=0.05)


def test_a_statement_of_some_milliseconds_is_no_look_up_that_waited_longer():
    """Long ones may wait for a quarter longer; a look-up is none, whatever its calls took."""
    found = level([kind(24), kind(24.3), kind(23.8), kind(24.1)])
    long = Kind(34 * MS, 0.9 * MS, 0.03, longer=0.12)
    assert found.work(long).server_ns == pytest.approx(9.5 * MS, rel=0.1)
    assert found.work(long).error_ns > 2 * MS
    alike = Kind(34 * MS, 0.9 * MS, 0.12)
    assert found.work(alike).server_ns < 8 * MS


def test_look_ups_near_calls_without_work_are_hardly_charged_for_what_they_took_longer():
    """By a twelfth it is chance, by three times it is work. What it may be stays in the error."""
    sure = kind(23, 0.4, 0.05, works=False)
    near = [kind(25), kind(25.2), kind(24.9)]
    found = level([sure, *near], [sure])
    charged = found.work(near[0])
    assert charged.server_ns < 0.5 * MS
    error_ns = math.hypot(charged.error_ns, charged.moved * found.error_ns)
    assert charged.server_ns + 2 * error_ns > 2 * MS
    far = [kind(72.2), kind(72.4), kind(72.1)]
    found = level([sure, *far], [sure])
    assert found.work(far[0]).server_ns == pytest.approx(49 * MS, rel=0.05)


def test_where_cheap_statements_and_calls_without_work_disagree_both_readings_stay_possible():
    """As if look-ups worked for 4 ms, or SETs were quicker on their way: the error holds both."""
    sure = kind(20.4, 0.2, 0.05, works=False)
    found = level([sure, kind(24), kind(24.2), kind(23.9)], [sure])
    low, high = found.mean_ns - 2 * found.error_ns, found.mean_ns + 2 * found.error_ns
    assert low < 21.5 * MS
    assert high > 23.8 * MS


def test_calls_without_work_alone_are_the_overhead():
    """Nothing else is known, and they do not work."""
    sure = kind(20, 0.5, 0.05, works=False)
    found = level([sure], [sure])
    assert found.mean_ns == pytest.approx(20 * MS)
    assert found.error_ns == pytest.approx(math.hypot(0.5, 1.0) * MS, rel=0.02)
    assert found.work(sure).server_ns == 0


sums = st.builds(
    lambda calls, mean_us, spread_us: Moments(
        calls, calls * mean_us * 1e3, calls * (mean_us**2 + spread_us**2)
    ),
    st.integers(0, 10**7),
    st.one_of(st.just(0.0), st.floats(-1e6, 1e9)),
    st.one_of(st.just(0.0), st.floats(0, 1e8)),
)


@settings(max_examples=settings.default.max_examples // 4)
@given(sums, st.lists(sums, max_size=5))
def test_whatever_the_sums_are_there_is_an_overhead(workless, statements):
    """Calls that took no time, a clock that went back, one call of each: finite numbers."""
    found = overhead(workless, statements)
    if found.source is OverheadSource.UNKNOWN:
        return
    assert 0 <= found.mean_ns < math.inf
    assert 0 <= found.error_ns < math.inf
    for one in statements:
        work = found.work(one.mean_ns, one.calls)
        assert 0 <= work.server_ns < math.inf
        assert 0 <= work.error_ns < math.inf
        assert 0 <= work.moved <= 1
