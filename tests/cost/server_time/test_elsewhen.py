"""What the server says of other times or of other clusters: not used, and said."""

import pytest

from tenantmetrics.cost.server_time import Method, ServerTimeSource
from tenantmetrics.errors import ReportError
from tenantmetrics.serverside import tables


@pytest.mark.parametrize(
    ("say", "asked"),
    [("say_statements", ServerTimeSource.STATEMENTS), ("say_load", ServerTimeSource.DB_LOAD)],
)
def test_statistics_of_another_time_are_said_with_both_times(month, say, asked):
    """Asked for by name, they are refused; else the record divides, and says why."""
    one = month(8)
    called = one.hours
    one.hours = [called[0] + 30]
    one.ran = {(one.hours[0], statement): sums for (_, statement), sums in one.ran.items()}
    getattr(one, say)()
    one.hours = range(called[0], called[0] + 48)
    words = (
        "what is there of it is of 2026-11-02 06:00:00 to 07:00:00 UTC, and the calls are of "
        "2026-11-01 00:10:00 to 00:40:00 UTC"
    )
    with pytest.raises(ReportError, match=f"by {asked} cannot be had: {words}"):
        one.estimate(asked)
    made = one.estimate()
    assert [used.method for used in made.methods] == [Method.RECORD]
    assert any(f"{asked} was not used: {words}" in note for note in made.notes)


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


def test_numbers_of_a_cluster_that_nobody_called_are_named_and_not_used(month):
    """Neither in its place nor as load of hours without calls; asked for by name, an error."""
    one = month(15, hours=2, rate=60)
    one.say_load()
    one.rows = [(*row[:5], "arn:of:another", *row[6:]) for row in one.rows]
    made = one.estimate()
    assert [used.method for used in made.methods] == [Method.RECORD]
    assert sum(hour.unmetered_ns for hour in made.hours.values()) == 0
    assert any("cluster:shared' is of no cluster that was called" in n for n in made.notes)
    with pytest.raises(ReportError, match="cluster:shared' is of no cluster that was called"):
        one.estimate(ServerTimeSource.DB_LOAD)


def test_a_snapshot_missing_in_the_middle_takes_the_hour_and_says_so(month):
    """Half an hour that nothing speaks of: the hour is estimated by the record."""
    one = month(16, hours=2, rate=60)
    one.say_statements(hours=[one.hours[0]])
    late = one.hours[1] * 3600
    for start_s in (late, late + 2700):
        row = {
            "start_s": start_s, "end_s": start_s + 900, "resource_arn": one.rows[0][5],
            "database": "app", "fingerprint": 1, "queryid": 1, "summary": "SELECT s1", "calls": 9,
            "exec_ns": 10**9, "rows": 0, "blocks_read": 0, "blocks_hit": 0, "gap": "",
        }  # fmt: skip
        tables.write(one.folder, tables.STATEMENTS, start_s, "test", [row])
    made = one.estimate(ServerTimeSource.STATEMENTS)
    assert [(used.method, used.hours) for used in made.methods] == [
        (Method.STATEMENTS, 1),
        (Method.RECORD, 1),
    ]
    assert any("not there for 1 of 2 hours" in note for note in made.notes)
