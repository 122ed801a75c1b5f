"""How the overhead moves within an hour, against calls of known truth."""

import math
import random
import statistics
from collections import defaultdict

import pytest

from tenantmetrics.servertime import LONG_S, Moments, Stretches, drift

MS = 1e6
MEDIAN_MS, SIGMA = 20.0, 0.6
WINDOWS = 60
SEEDS = range(40)


def lived(seed, calls, overhead_of, medians=(MEDIAN_MS,)):
    """An hour's calls without work: the moments of each writer's windows.

    Args:
        seed: Of all that is random.
        calls: How many a writer makes.
        overhead_of: Times the median, by minute.
        medians: By writer, ms.
    """
    source = random.Random(seed)
    found = [defaultdict(Moments) for _ in medians]
    for writer, median in enumerate(medians):
        for _ in range(calls):
            minute = source.randrange(WINDOWS)
            ns = source.lognormvariate(math.log(median * MS), SIGMA) * overhead_of(minute)
            found[writer][minute] = found[writer][minute].plus(Moments(1, ns, (ns / 1e3) ** 2))
    return found


def sums(windows, minutes):
    """What the record has of a writer's stretches of so many minutes."""
    by_stretch = defaultdict(Moments)
    for minute, moments in windows.items():
        by_stretch[minute // minutes] = by_stretch[minute // minutes].plus(moments)
    whole = Moments()
    for moments in by_stretch.values():
        whole = whole.plus(moments)
    return Stretches(
        len(by_stretch),
        sum(one.calls**2 for one in by_stretch.values()),
        sum((one.wall_ns / 1e3) ** 2 / one.calls for one in by_stretch.values()),
        whole,
    )


def told(writers):
    return drift([sums(one, 1) for one in writers], [sums(one, LONG_S // 60) for one in writers])


def constant(_):
    return 1.0


def rising(minute):
    return 1 + 2 * minute / WINDOWS


def bursts(minute):
    return 4.0 if minute % 10 == 3 else 1.0


@pytest.mark.parametrize("overhead_of", [rising, bursts])
@pytest.mark.parametrize("calls", [600, 6_000])
def test_the_spread_between_windows_is_right(overhead_of, calls):
    """On average over hours, or a little less: what may be chance is left out."""
    mean_ms = MEDIAN_MS * math.exp(SIGMA**2 / 2)
    true = statistics.pvariance(mean_ms * overhead_of(minute) for minute in range(WINDOWS))
    found = [
        drift([sums(one, 1) for one in lived(seed, calls, overhead_of)]).spread_ns2 / MS**2
        for seed in SEEDS
    ]
    assert statistics.mean(found) == pytest.approx(true, rel=0.1 if calls > 1_000 else 0.3)


def test_one_overhead_all_hour_long_is_no_spread():
    """What is found by chance is a small part of a window's own error."""
    parts = []
    for seed in SEEDS:
        found = drift([sums(one, 1) for one in lived(seed, 1_200, constant)])
        parts.append(found.spread_ns2 / (found.spread_ns2 + found.noise_ns2 * WINDOWS / 1_200))
    assert statistics.mean(parts) < 0.05


def test_writers_in_two_places_are_no_drift():
    """Each writer's windows differ from its own mean."""
    apart = [told(lived(seed, 1_200, constant, (20.0, 80.0))) for seed in SEEDS]
    assert statistics.mean(math.sqrt(one.spread_ns2) for one in apart) < MS


def estimated(windows, found):
    """Each minute's overhead, by what `drift` says, and the square of its error as that says."""
    minutes = 1 if found.length_s == 0 else found.length_s // 60
    whole = sums(windows, 1).moments
    by_stretch = defaultdict(Moments)
    for minute, moments in windows.items():
        by_stretch[minute // minutes] = by_stretch[minute // minutes].plus(moments)
    result = {}
    for minute in range(WINDOWS):
        mine = by_stretch[minute // minutes]
        below = found.spread_ns2 * mine.calls + found.noise_ns2
        beyond = mine.wall_ns - mine.calls * whole.mean_ns
        shift = found.spread_ns2 * beyond / below if found.spread_ns2 else 0.0
        unknown = found.spread_ns2 * found.noise_ns2 / below if found.spread_ns2 else 0.0
        result[minute] = whole.mean_ns + shift, unknown + found.untold_ns2
    return result


@pytest.mark.parametrize("calls", [40, 200, 1_200])
@pytest.mark.parametrize("overhead_of", [rising, bursts])
def test_a_minute_is_known_better_than_by_the_hour_and_as_well_as_it_says(overhead_of, calls):
    """What is wrong by its own mean, squared, beside what is by the hour's, and what is said."""
    mean_ns = MEDIAN_MS * math.exp(SIGMA**2 / 2) * MS
    errors, said, of_hour = [], [], []
    for seed in SEEDS:
        (windows,) = lived(seed, calls, overhead_of)
        found = told([windows])
        whole = sums(windows, 1).moments
        for minute, (ns, unknown) in estimated(windows, found).items():
            true = mean_ns * overhead_of(minute)
            errors.append((ns - true) ** 2)
            of_hour.append((whole.mean_ns - true) ** 2)
            said.append(unknown + whole.variance_ns2 / whole.calls)
    assert statistics.mean(errors) < statistics.mean(of_hour)
    if calls >= 200:
        assert statistics.mean(errors) < 0.5 * statistics.mean(of_hour)
        assert statistics.mean(errors) < 2 * statistics.mean(said)


@pytest.mark.parametrize("calls", [20, 40, 200, 1_200])
def test_where_nothing_moves_chance_does_little(calls):
    """A minute is wrong by hardly more than the hour's mean is, 3 ms of 24 of a few calls."""
    mean_ns = MEDIAN_MS * math.exp(SIGMA**2 / 2) * MS
    errors, of_hour = [], []
    for seed in SEEDS:
        (windows,) = lived(seed, calls, constant)
        found = told([windows])
        of_hour.append((sums(windows, 1).moments.mean_ns - mean_ns) ** 2)
        errors += [(ns - mean_ns) ** 2 for ns, _ in estimated(windows, found).values()]
    assert statistics.mean(errors) < 2 * statistics.mean(of_hour)


def test_ten_minutes_are_taken_where_windows_have_few_calls():
    """A slow rise is told by ten minutes of few calls, a burst of a minute by many."""
    slow = [told(lived(seed, 200, rising)).length_s for seed in SEEDS]
    assert statistics.mean(length == LONG_S for length in slow) > 0.8
    quick = [told(lived(seed, 6_000, bursts)).length_s for seed in SEEDS[:5]]
    assert not any(quick)


@pytest.mark.parametrize(
    "writers",
    [
        [],
        [Stretches()],
        [Stretches(1, 100, 4e10, Moments(10, 200e6, 5e10))],
        [Stretches(3, 3, 3 * 4e8, Moments(3, 60e6, 1.2e9))],
        [Stretches(2, 50, 10 * 4e8, Moments(10, 200e6, 10 * 4e8))],
    ],
    ids=["nobody", "no call", "one window", "one call each", "no spread"],
)
def test_what_cannot_be_told_is_no_drift(writers):
    found = drift(writers, writers)
    assert found.spread_ns2 == found.most_ns == found.unknown_ns2 == 0


@pytest.mark.parametrize("overhead_of", [rising, bursts])
def test_no_window_is_further_from_the_hour_than_the_most(overhead_of):
    """Sums are kept in units that hold it."""
    for seed in SEEDS:
        (windows,) = lived(seed, 300, overhead_of)
        found = drift([sums(windows, 1)])
        mean = sums(windows, 1).moments.mean_ns
        furthest = max(abs(ns - mean) for ns, _ in estimated(windows, found).values())
        assert furthest <= found.most_ns
