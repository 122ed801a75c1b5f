"""What the view of statements says against what was called: what it lacks, or has beyond it."""

import pytest

from tenantmetrics.cost.server_time import Method, ServerTimeSource
from tenantmetrics.sqltext.fingerprint import fingerprint


def test_what_failed_is_not_in_the_view_and_is_said(month):
    """The view gives nobody time of it; the record gives it to whom it was; chance is not said."""
    plain, late = month(4, fails_ms=0.0), month(4, fails_ms=5_000.0)
    notes = {}
    for name, one in (("plain", plain), ("late", late)):
        one.say_statements()
        made, tenants = one.divided(ServerTimeSource.STATEMENTS)
        total = sum(found.server_ns for found in tenants.values())
        assert total == pytest.approx(sum(one.truth.values()), rel=1e-6)
        assert tenants["t00"].weight_low <= tenants["t00"].weight <= tenants["t00"].weight_high
        notes[name] = [note for note in made.notes if "that failed" in note]
    assert notes["plain"] == []
    assert len(notes["late"]) == 1
    assert "the 10 calls that did took 50." in notes["late"][0]
    # As much as those calls worked, the tenant may have more.
    high = [one.divided(ServerTimeSource.STATEMENTS)[1]["t00"] for one in (plain, late)]
    assert high[1].weight_high > 2 * high[0].weight_high
    by_record = [one.divided(ServerTimeSource.RECORD)[1]["t00"].server_ns for one in (plain, late)]
    assert by_record[1] - by_record[0] == pytest.approx(50e9, rel=0.1)


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


def wrong(one, calls, ns):
    """Statistics with so many times the executions and the time."""
    for sums in one.ran.values():
        sums[0] = round(sums[0] * calls)
        sums[1] *= ns
    one.say_statements()


@pytest.mark.parametrize("method", ["statements", "db-load"])
def test_numbers_far_below_the_metered_are_said_and_not_used(month, method):
    """Another cluster's: what little they leave would go to those whose calls take longest."""
    one = month(7, workless=200)
    wrong(one, 1.0, 0.1)
    one.say_load()
    asked = ServerTimeSource(method)
    made = one.estimate(asked)
    assert [used.method for used in made.methods] == [Method.RECORD]
    assert any("of another cluster, instance or period" in note for note in made.notes)
    assert one.judged(asked) == one.judged(ServerTimeSource.RECORD)


def test_executions_that_were_not_counted_are_made_up_for_and_said(month):
    """A reset took nine tenths of them: the calls' own time tells that they ran."""
    one = month(8, workless=200)
    truth = sum(one.truth.values())
    wrong(one, 0.1, 0.1)
    made = one.estimate(ServerTimeSource.STATEMENTS)
    assert made.methods[0].method is Method.STATEMENTS
    assert sum(hour.metered_ns for hour in made.hours.values()) == pytest.approx(truth, rel=0.1)
    assert any("executions fewer than there were calls" in note for note in made.notes)
    assert one.judged(ServerTimeSource.STATEMENTS)[0] < 0.04


def test_calls_that_failed_are_not_made_up_for(month):
    """The view counts no failed execution: what it says of the others is all there was."""
    one = month(8, workless=200)
    truth = sum(one.truth.values())
    calls = sum(count for count, _ in one.ran.values())
    wrong(one, 0.5, 1.0)
    one.failed = calls - sum(count for count, _ in one.ran.values())
    made = one.estimate(ServerTimeSource.STATEMENTS)
    assert sum(hour.metered_ns for hour in made.hours.values()) == pytest.approx(truth, rel=0.01)
    assert not any("executions fewer" in note for note in made.notes)


def test_rows_written_are_no_failed_calls(month):
    """Where the view lacks a few executions, writes of many rows are divided as reads are."""
    reads, writes = month(8, workless=200), month(8, workless=200)
    writes.rows = [(*row[:-1], 100 * row[10]) for row in writes.rows]
    for one in (reads, writes):
        wrong(one, 0.95, 0.95)
    asked = ServerTimeSource.STATEMENTS
    assert writes.judged(asked) == reads.judged(asked)


def test_executions_that_no_call_was_are_said(month):
    """Others run the same statements, or the view is another cluster's: half of it is nobody's."""
    one = month(8, workless=200)
    one.say_statements()
    assert not any("executions more than" in note for note in one.estimate().notes)
    truth, calls = sum(one.truth.values()), sum(count for count, _ in one.ran.values())
    other = month(8, workless=200)
    wrong(other, 2.0, 2.0)
    made = other.estimate(ServerTimeSource.STATEMENTS)
    (note,) = (note for note in made.notes if "executions more than" in note)
    assert f"has {calls:,} executions more than there were calls" in note
    assert sum(hour.unmetered_ns for hour in made.hours.values()) == pytest.approx(truth, rel=0.2)


def test_no_statement_works_for_longer_than_its_calls_took(month):
    """The rest is nobody's, and that is said."""
    one = month(9, workless=200)
    wall = sum(row[11] for row in one.rows)
    wrong(one, 1.0, 20.0)
    made = one.estimate(ServerTimeSource.STATEMENTS)
    assert sum(hour.metered_ns for hour in made.hours.values()) <= 1.02 * wall
    assert sum(hour.unmetered_ns for hour in made.hours.values()) > wall
    assert any("says more time of some statements than" in note for note in made.notes)


def test_evicted_statements_are_said(month):
    """Their time is a lower bound."""
    one = month(9)
    one.say_statements(gap="evicted")
    assert any("lower bound" in note for note in one.estimate().notes)


def test_the_time_of_commit_is_matched(month):
    """The operation has no text; the view shows COMMIT."""
    one = month(17)
    commit = fingerprint("COMMIT")
    one.rows = [(*row[:7], commit, "", *row[9:]) if row[7] == 3 else row for row in one.rows]
    one.ran = {(h, commit if s == 3 else s): sums for (h, s), sums in one.ran.items()}
    one.say_statements()
    made, _ = one.divided(ServerTimeSource.STATEMENTS)
    assert made.methods[0].explained == 1
    one.say_statements(without=(commit,))
    made, _ = one.divided(ServerTimeSource.STATEMENTS)
    assert any("COMMIT (" in note for note in made.notes)
