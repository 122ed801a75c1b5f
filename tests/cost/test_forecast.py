"""The forecast's interval holds what came as often as it says, measured on months made up."""

from __future__ import annotations

import math
import random

import pytest

from tenantmetrics.cost.forecast import FEWEST, FEWEST_ALONE, MonthDays, rest_of

WEEK = (1.3, 1.2, 1.2, 1.1, 1.1, 0.6, 0.5)
DAYS = (31, 30, 31, 30)


def months(kind, count, source):
    """So many months, with a level of their own each, 20 % apart, and 15 % of noise a day."""
    correlation = {"correlated": 0.5, "very correlated": 0.8}.get(kind, 0.0)
    weekday, error, found = source.randrange(7), 0.0, []
    for number in range(count):
        level = 100 * math.exp(source.gauss(0, 0.2))
        trend = {"growth": 0.006, "drift": source.gauss(0, 0.004)}.get(kind, 0.0)
        costs = []
        for day in range(DAYS[number % 4]):
            error = correlation * error + math.sqrt(1 - correlation**2) * source.gauss(0, 0.15)
            cost = level * WEEK[(weekday + day) % 7] * math.exp(trend * day)
            if kind == "month's end" and day >= 27:
                cost *= 3
            if kind == "heavy":
                cost *= math.exp(source.gauss(0, 0.5) - 0.125)
            elif kind == "spikes":
                cost *= 1 + source.gauss(0, 0.1)
                cost += 4 * level if source.random() < 0.03 else 0
            else:
                cost += level * error
            costs.append(max(0.0, cost))
        found.append((weekday, costs))
        weekday = (weekday + len(costs)) % 7
    return found


def coverage(kind, earlier, so_far, times):
    """The part of the intervals that hold what came, and the middle half width by what came."""
    source = random.Random(f"{kind} {earlier} {so_far}")
    held, widths = 0, []
    for _ in range(times):
        *before, (weekday, costs) = months(kind, earlier + 1, source)
        this = MonthDays(weekday, len(costs), costs[:so_far])
        rest = rest_of(this, [MonthDays(first, len(one), one) for first, one in before])
        came = sum(costs[so_far:])
        held += abs(came - rest.amount) <= rest.half_width
        widths.append(rest.half_width / came)
    return held / times, sorted(widths)[times // 2]


USUAL = ("weekdays", "heavy", "correlated")
OTHERS = {"very correlated": 0.83, "drift": 0.85, "spikes": 0.7, "growth": 0.88}
"""The least of what was measured; growth after a month of history."""


@pytest.mark.parametrize("kind", USUAL)
def test_an_interval_of_95_percent_holds_nine_in_ten_and_is_of_use(kind):
    """Of noise, of skewed noise, and of days that take after the day before."""
    for earlier, so_far in ((0, 14), (1, 7), (3, 14)):
        part, width = coverage(kind, earlier, so_far, 60)
        assert part >= 0.85
        assert width < (0.8 if kind == "heavy" else 0.5)


@pytest.mark.long
@pytest.mark.parametrize("kind", [*USUAL, *OTHERS])
def test_what_the_docstring_says_of_its_coverage_holds(kind):
    """More months, and the kinds of months that it is not made for."""
    for earlier in (0, 1, 3):
        for so_far in (7, 14, 24):
            if kind == "growth" and not earlier:
                continue
            part, _ = coverage(kind, earlier, so_far, 200)
            assert part >= OTHERS.get(kind, 0.88), (earlier, so_far, part)


def test_a_habit_of_the_months_end_is_learnt_from_the_month_before():
    """Three times the cost in the last days: nobody can know in the first month."""
    unseen, _ = coverage("month's end", 0, 14, 40)
    seen, _ = coverage("month's end", 1, 14, 40)
    assert unseen < 0.5
    assert seen > 0.9


def test_the_same_every_day_goes_on_exactly():
    """Nothing to be unsure of."""
    rest = rest_of(MonthDays(0, 30, [2.0] * 10), [])
    assert (rest.amount, rest.half_width) == (pytest.approx(40), pytest.approx(0))


def test_too_few_days_or_none_of_cost_are_no_forecast():
    """With an earlier month three will do."""
    month = MonthDays(0, 31, [1.0, 2.0] * 15 + [1.0])
    assert rest_of(MonthDays(3, 30, [1.0] * (FEWEST_ALONE - 1)), []) is None
    assert rest_of(MonthDays(3, 30, [1.0] * (FEWEST - 1)), [month]) is None
    assert rest_of(MonthDays(3, 30, [1.0] * FEWEST), [month]) is not None
    assert rest_of(MonthDays(3, 30, [0.0] * 20), [month]) is None
    assert rest_of(MonthDays(3, 30, [None] * 20), [month]) is None


def test_a_day_that_is_not_known_is_no_day_of_nothing():
    """The level is that of the others."""
    rest = rest_of(MonthDays(0, 30, [2.0, None] * 8), [])
    assert rest.amount == pytest.approx(28)


def test_scale_changes_nothing_but_scale():
    """Cents or dollars, the forecast is the same."""
    source = random.Random(5)
    costs = [source.uniform(1, 2) for _ in range(45)]
    one = rest_of(MonthDays(2, 31, costs[:15]), [MonthDays(0, 30, costs[15:])])
    other = rest_of(
        MonthDays(2, 31, [100 * cost for cost in costs[:15]]),
        [MonthDays(0, 30, [7 * cost for cost in costs[15:]])],
    )
    assert other.amount == pytest.approx(100 * one.amount)
    assert other.half_width == pytest.approx(100 * one.half_width)
