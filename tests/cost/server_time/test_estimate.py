"""The estimate of a period against known truth: each method, and what it says where it must."""

import random
from statistics import mean

import pytest

from tenantmetrics.cost.server_time import Method, ServerTimeSource, estimated

SEEDS = range(5)
WORLDS = {
    "plain": {},
    "three hours": {"hours": 3, "rate": 60},
    "two places": {"medians_ms": (20, 60)},
    "cold connections": {"cold": 0.1},
    "large answers": {"byte_ns": 40},
    "no calls without work": {"workless": 0},
    "throttled": {"waits": True},
    "calls that fail at once": {"fails_ms": 0.0},
}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_each_method_moves_little_where_wall_time_moves_a_third(month, world):
    """On average over worlds; and nine of ten true shares lie within their intervals."""
    results = {method: [] for method in ("record", "db-load", "statements")}
    wall = []
    for seed in SEEDS:
        one = month(seed, **world)
        one.say_statements()
        one.say_load()
        wall.append(one.moved_by_wall())
        for method, found in results.items():
            found.append(one.judged(ServerTimeSource(method)))
    assert mean(wall) > 1 / 3
    most = {"record": 0.06, "db-load": 0.04, "statements": 0.04}
    for method, found in results.items():
        assert mean(moved for moved, _ in found) <= most[method], method
        assert mean(held for _, held in found) >= 0.9, method


@pytest.mark.parametrize("method", ["record", "db-load", "statements"])
def test_the_order_of_an_engines_rows_changes_nothing(month, method):
    """Not even the last digit: threads bring them in another order each time."""
    one = month(3, hours=4, rate=60, medians_ms=(20, 60), cold=0.1, waits=True)
    one.say_statements()
    one.say_load()
    told = set()
    for seed in range(5):
        made, tenants = one.divided(ServerTimeSource(method), order=random.Random(seed))
        told.add(repr((made.hours, made.methods, made.notes, tenants)))
    assert len(told) == 1


def test_the_best_method_that_is_there_is_taken(month):
    """Statements, else Performance Insights, else DBLoad, else the record."""
    one = month(1)
    taken = [one.estimate().methods[0].method]
    one.say_load()
    taken.append(one.estimate().methods[0].method)
    one.say_applications({"": sum(one.truth.values()), **one.truth})
    taken.append(one.estimate().methods[0].method)
    one.say_statements()
    taken.append(one.estimate().methods[0].method)
    assert taken == [
        Method.RECORD,
        Method.DB_LOAD,
        Method.PERFORMANCE_INSIGHTS,
        Method.STATEMENTS,
    ]


@pytest.mark.parametrize("method", ["record", "db-load", "statements", "performance-insights"])
def test_tenants_add_up_to_the_hours(month, method):
    """Weighted or not, whatever an hour's capacity cost; and nobody gets less than nothing."""
    one = month(2, hours=3, rate=60)
    one.say_statements()
    one.say_load()
    one.say_applications({"": sum(one.truth.values()), "t01": one.truth["t01"]})
    made = one.estimate(ServerTimeSource(method))
    factors = {hour: 10.0 ** (3 * n) for n, hour in enumerate(one.hours)}
    made, tenants = one.divided(ServerTimeSource(method), factors)
    total = sum(hour.metered_ns for hour in made.hours.values())
    weight = sum(hour.metered_ns * factors[number] for number, hour in made.hours.items())
    assert sum(found.server_ns for found in tenants.values()) == pytest.approx(total, rel=1e-6)
    assert sum(found.weight for found in tenants.values()) == pytest.approx(weight, rel=1e-6)
    for found in tenants.values():
        assert 0 <= found.weight_low <= found.weight <= found.weight_high


def test_the_same_rows_in_another_order_give_the_same(month):
    """Sums of whole numbers do not depend on the order."""
    one = month(3)
    one.say_statements()
    first = one.divided()[1]
    one.rows.reverse()
    assert one.divided()[1] == first


def test_texts_that_are_sent_once_are_not_taken_for_look_ups(month):
    """Of each it cannot be told; of all of them it can, so nothing of their time is lost."""
    one = month(3, ad_hoc=500)
    _, tenants = one.divided(ServerTimeSource.RECORD)
    total = sum(found.server_ns for found in tenants.values())
    assert total == pytest.approx(sum(one.truth.values()), rel=0.05)
    moved, held = one.judged(ServerTimeSource.RECORD)
    assert moved < 0.03
    assert held >= 0.9


def test_load_that_nobody_metered_is_a_line_of_its_own(month):
    """By statements that are none of ours, and by DBLoad above what ours account for."""
    one = month(4)
    total = sum(one.truth.values())
    one.say_load(1.5)
    made, _ = one.divided(ServerTimeSource.DB_LOAD)
    unmetered = sum(hour.unmetered_ns for hour in made.hours.values())
    assert unmetered / total == pytest.approx(0.5, abs=0.15)
    one.say_statements(stranger=0.5)
    made, _ = one.divided(ServerTimeSource.STATEMENTS)
    unmetered = sum(hour.unmetered_ns for hour in made.hours.values())
    assert unmetered / total == pytest.approx(0.5, abs=0.01)
    assert any("SELECT s77 (33.3%)" in note for note in made.notes)
    (coverage,) = made.methods
    assert coverage.explained == pytest.approx(2 / 3, abs=0.01)


def test_load_below_the_metered_is_said(month):
    """Two thirds of what our calls must have caused: it may be, on a busy machine."""
    one = month(7, workless=200)
    one.say_load(0.7)
    made = one.estimate()
    assert any("below what the metered calls" in note for note in made.notes)


def test_too_few_calls_without_work_are_said(month):
    """The look-ups stand in for them; no load is said to be unmetered."""
    one = month(8, workless=0)
    one.say_load(3.0)
    made = one.estimate()
    assert any("no calls without work" in note for note in made.notes)
    assert sum(hour.unmetered_ns for hour in made.hours.values()) == 0


def test_an_hour_of_an_older_version_is_divided_by_wall_time(month):
    """The table of statements holds a part of its calls only."""
    one = month(11, hours=2, rate=60)
    late = one.hours[1]
    usage = one.usage
    one.rows = [row for row in one.rows if row[0] // 3600 != late or row[4] > "t07"]
    made = one.estimate(usage=usage)
    assert made.usage_hours == {late}
    assert made.hours[late].metered_ns == usage[late].net_ns
    assert any("older version" in note for note in made.notes)


def test_named_load_is_the_tenants_own(month):
    """Performance Insights names three tenants; the others share what is left, by the record."""
    one = month(12)
    named = {name: one.truth[name] for name in ("t01", "t02", "t05")}
    one.say_applications({"": sum(one.truth.values()), "psql": 0.0, **named})
    _, tenants = one.divided(ServerTimeSource.PERFORMANCE_INSIGHTS)
    for name, ns in named.items():
        assert tenants[name].server_ns == pytest.approx(ns, rel=0.25)
    assert one.judged(ServerTimeSource.PERFORMANCE_INSIGHTS)[0] < 0.06


def test_samples_of_activity_name_tenants_where_nothing_better_is_there(month):
    """Their own time, and the others share what is left; with DBLoad there, that is taken."""
    one = month(12, rate=1_500)
    named = {name: one.truth[name] for name in ("t01", "t02", "t05")}
    rest = sum(one.truth.values()) - sum(named.values())
    one.say_activity({"": rest, **named})
    made, tenants = one.divided()
    assert [used.method for used in made.methods] == [Method.ACTIVITY]
    assert made.methods[0].load_ns == pytest.approx(sum(one.truth.values()), rel=0.05)
    for name, ns in named.items():
        assert tenants[name].server_ns == pytest.approx(ns, abs=6e9)
        assert tenants[name].weight_low < tenants[name].weight < tenants[name].weight_high
    assert one.judged(ServerTimeSource.ACTIVITY)[0] < 0.06
    one.say_load()
    assert [used.method for used in one.estimate().methods] == [Method.DB_LOAD]


def test_rarer_samples_are_less_sure(month):
    """A session seen stands for the time to the next sample."""
    widths = []
    for every_s in (1, 20):
        one = month(12, rate=1_500)
        one.say_activity(dict(one.truth), every_s)
        _, tenants = one.divided(ServerTimeSource.ACTIVITY)
        t01 = tenants["t01"]
        widths.append((t01.weight_high - t01.weight_low) / t01.weight)
    assert widths[1] > 2 * widths[0]


@pytest.mark.parametrize("say", ["say_load", "say_statements", "say_activity"])
def test_an_hour_with_load_and_no_call_is_unmetered(month, say):
    """Whatever tells the load; calls of other hours change nothing of it."""
    one = month(14, hours=3, rate=80)
    getattr(one, say)(*([{"": sum(one.truth.values())}] if say == "say_activity" else []))
    silent = one.hours[1]
    one.rows = [row for row in one.rows if row[0] // 3600 != silent]
    made = one.estimate()
    assert made.hours[silent].metered_ns == 0
    assert made.hours[silent].unmetered_ns == pytest.approx(one.total(silent), rel=0.5)
    assert any("in 1 hour without a metered call the server had load" in n for n in made.notes)
    by_record = one.estimate(ServerTimeSource.RECORD)
    assert silent not in by_record.hours


def test_each_cluster_has_its_own_overhead_and_method(month):
    """One is far away and has statements; the other is near and has nothing but the record."""
    one = month(13, hours=2, rate=80, medians_ms=(20, 60))
    near = one.rows[0][5].replace("shared", "near")
    # Tenants take turns with the writers: the even ones are the near writer's.
    for (hour, statement), sums in one.ran.items():
        mine = [row for row in one.rows if row[0] // 3600 == hour and row[7] == statement]
        far = sum(row[10] for row in mine if row[2] == "writer-1" and row[9] == "work")
        sums[1] *= far / sums[0] if sums[0] else 0.0
        sums[0] = far
    one.say_statements()
    one.rows = [(*row[:5], near, *row[6:]) if row[2] == "writer-0" else row for row in one.rows]
    made, tenants = one.divided()
    assert [(m.method, m.hours) for m in made.methods] == [
        (Method.STATEMENTS, 2),
        (Method.RECORD, 2),
    ]
    metered = sum(hour.metered_ns for hour in made.hours.values())
    assert sum(found.server_ns for found in tenants.values()) == pytest.approx(metered, rel=1e-6)
    even = {name for name in one.truth if int(name[1:]) % 2 == 0}
    found = sum(tenants[name].server_ns for name in even)
    assert found == pytest.approx(sum(one.truth[name] for name in even), rel=0.15)


def test_what_failed_is_a_group_of_its_own_in_a_month_of_many_calls(month, monkeypatch):
    """There writers are not kept apart, and rows are summed by statement first."""
    one = month(4, fails_ms=5_000.0)
    one.say_statements()
    kept = one.divided(ServerTimeSource.STATEMENTS)[1]
    monkeypatch.setattr(estimated, "_MOST_KEPT_APART", 0)
    summed = one.divided(ServerTimeSource.STATEMENTS)[1]
    for tenant, found in kept.items():
        assert summed[tenant].server_ns == pytest.approx(found.server_ns, rel=1e-6)
    assert summed["t00"].weight_high == pytest.approx(kept["t00"].weight_high, rel=0.01)
