"""The estimate of a period against known truth: each method, and what it says where it must."""

from statistics import mean

import pytest

from tenantmetrics.cost.server_time import Method, ServerTimeSource
from tenantmetrics.errors import ReportError

SEEDS = range(5)
WORLDS = {
    "plain": {},
    "three hours": {"hours": 3, "rate": 60},
    "two places": {"medians_ms": (20, 60)},
    "cold connections": {"cold": 0.1},
    "large answers": {"byte_ns": 40},
    "no calls without work": {"workless": 0},
    "throttled": {"waits": True},
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


def test_a_statement_that_the_view_does_not_show_is_estimated_and_named(month):
    """The heaviest one is missing: its tenants do not go free."""
    one = month(5)
    one.say_statements(without=(5,))
    made, tenants = one.divided(ServerTimeSource.STATEMENTS)
    assert any("SELECT s5" in note for note in made.notes)
    assert one.judged(ServerTimeSource.STATEMENTS)[0] < 0.06
    total = sum(found.server_ns for found in tenants.values())
    assert total == pytest.approx(sum(one.truth.values()), rel=0.1)


def test_a_statement_under_another_name_is_not_counted_twice(month):
    """The view shows it with a text that does not match: the rest's time is ours after all."""
    one = month(6)
    heavy = sum(ns for (_, statement), (_, ns) in one.ran.items() if statement == 5)
    one.say_statements(without=(5,), stranger=heavy / sum(one.truth.values()))
    made, _ = one.divided(ServerTimeSource.STATEMENTS)
    total = sum(hour.total_ns for hour in made.hours.values())
    assert total == pytest.approx(sum(one.truth.values()), rel=0.05)
    assert one.judged(ServerTimeSource.STATEMENTS)[0] < 0.06
    assert sum(hour.unmetered_ns for hour in made.hours.values()) < 0.05 * total


def test_load_below_the_metered_is_said(month):
    """Numbers of another cluster: half of what our calls must have caused."""
    one = month(7, workless=200)
    one.say_load(0.3)
    made = one.estimate()
    assert any("below what the metered calls" in note for note in made.notes)


def test_too_few_calls_without_work_are_said(month):
    """The look-ups stand in for them, as an upper bound; no load is said to be unmetered."""
    one = month(8, workless=0)
    one.say_load(3.0)
    made = one.estimate()
    assert any("no 30 calls without work" in note for note in made.notes)
    assert sum(hour.unmetered_ns for hour in made.hours.values()) == 0


def test_evicted_statements_are_said(month):
    """Their time is a lower bound."""
    one = month(9)
    one.say_statements(gap="evicted")
    assert any("lower bound" in note for note in one.estimate().notes)


def test_hours_without_snapshots_are_estimated_by_the_record(month):
    """Each hour has the best that it has; asked for by name, what is lacking is said."""
    one = month(10, hours=3, rate=60)
    one.say_statements(hours=[one.hours[1]])
    assert [(m.method, m.hours) for m in one.estimate().methods] == [
        (Method.STATEMENTS, 1),
        (Method.RECORD, 2),
    ]
    made = one.estimate(ServerTimeSource.STATEMENTS)
    assert any("not there for 2 of 3 hours" in note for note in made.notes)
    with pytest.raises(ReportError, match="performance-insights cannot be had"):
        one.estimate(ServerTimeSource.PERFORMANCE_INSIGHTS)


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
