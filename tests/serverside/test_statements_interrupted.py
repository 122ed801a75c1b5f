"""What a series of snapshots loses: resets, restarts, missing snapshots, runs that died or met."""

from __future__ import annotations

import time

import pytest

from tenantmetrics.config import load
from tenantmetrics.errors import LedgerError, ServerLoadError
from tenantmetrics.serverside import tables
from tenantmetrics.serverside.sql import Postgres
from tenantmetrics.serverside.statements import state, take
from tests.serverside.statement_series import ARN, LOOKUP


def test_a_reset_is_no_progress_and_the_stretch_begins_there(series):
    """Counters that began anew are counted from the reset on; what ran before it is not guessed."""
    series.server.run(*[LOOKUP] * 5, database="app")
    series.take()
    series.pass_time()
    series.server.run(*[LOOKUP] * 9, "SELECT pg_stat_statements_reset()", LOOKUP, database="app")
    outcome = series.take()
    row = series.row(LOOKUP)
    assert (row["calls"], row["gap"]) == (1, "reset")
    assert row["end_s"] - row["start_s"] < 300
    assert "what ran before that is lost" in outcome.notes[-1]


def test_one_statement_that_was_reset_is_counted_from_there(series):
    """pg_stat_statements_reset of one query id leaves the others, and says nothing of when."""
    series.server.run(*[LOOKUP] * 5, "SELECT max(id) FROM bookings", database="app")
    series.take()
    series.pass_time()
    series.server.run(
        "SELECT pg_stat_statements_reset(0, 0, queryid) FROM pg_stat_statements "
        "WHERE query LIKE 'SELECT price FROM%'",
        *[LOOKUP] * 2,
        "SELECT max(id) FROM bookings",
        database="app",
    )
    series.take()
    assert (series.row(LOOKUP)["calls"], series.row(LOOKUP)["gap"]) == (2, "reset")
    assert series.row("SELECT max(id) FROM bookings")["calls"] == 1


def test_statements_pushed_out_of_the_view_make_it_a_lower_bound(debian_series):
    """More statements than the view holds: what is left is counted, and the row says so."""
    debian_series.server.run(*[LOOKUP] * 50, database="app")
    debian_series.take()
    debian_series.pass_time()
    several = [
        "SELECT " + ", ".join("id" if n >> bit & 1 else "price" for bit in range(12))
        for n in range(2_200)
    ]
    debian_series.server.run(
        *(f"{columns} FROM bookings LIMIT 1" for columns in several),
        *[LOOKUP] * 50,
        database="app",
    )
    outcome = debian_series.take()
    row = debian_series.row(LOOKUP)
    assert (row["calls"], row["gap"]) == (50, "evicted")
    assert 1_500 < outcome.statements <= 2_000  # more than a page
    assert len(debian_series.rows()) > 1_500
    assert outcome.notes[-1].endswith("it is a lower bound (pg_stat_statements.max is 2000)")


def test_a_restart_that_keeps_the_statistics_loses_nothing(series):
    """PostgreSQL writes them down as it stops."""
    series.server.run(*[LOOKUP] * 5, database="app")
    series.take()
    series.pass_time()
    series.server.run(LOOKUP, database="app")
    series.server.stop()
    series.server.start()
    series.server.run(LOOKUP, database="app")
    series.take()
    row = series.row(LOOKUP)
    assert (row["calls"], row["gap"]) == (2, "")


def test_a_crash_that_loses_them_is_told_apart_from_a_reset(series):
    """What ran since the restart is counted, and only that."""
    series.server.run(*[LOOKUP] * 5, database="app")
    series.take()
    series.pass_time()
    series.server.crash()
    series.server.start()
    series.server.run(LOOKUP, database="app")
    outcome = series.take()
    row = series.row(LOOKUP)
    assert (row["calls"], row["gap"]) == (1, "restart")
    assert "restarted and lost its statistics" in outcome.notes[-1]


def test_a_missing_snapshot_is_noted(debian_series):
    """The sum is right all the same; by the hour it cannot be told."""
    debian_series.take()
    debian_series.pass_time(3_600)
    debian_series.server.run(LOOKUP, database="app")
    outcome = debian_series.take()
    assert (debian_series.row(LOOKUP)["calls"], debian_series.row(LOOKUP)["gap"]) == (1, "missing")
    assert "snapshots are missing" in outcome.notes[-1]


def test_after_a_day_without_snapshots_nothing_is_written(debian_series):
    """A new series begins, and the next stretch is an ordinary one."""
    debian_series.take()
    debian_series.pass_time(26 * 3_600)
    debian_series.server.run(LOOKUP, database="app")
    outcome = debian_series.take()
    assert "the last snapshot is 26 hours old: snapshots are missing" in outcome.began_anew
    assert debian_series.files() == []
    debian_series.pass_time()
    debian_series.server.run(LOOKUP, database="app")
    debian_series.take()
    assert debian_series.row(LOOKUP)["calls"] == 1


def test_another_clusters_statistics_are_refused(debian_series):
    """The system identifier tells; the last snapshot stays as it is."""
    debian_series.take()
    debian_series.pass_time()
    debian_series.change(lambda document: document["server"].__setitem__(0, "7000000000000000000"))
    with pytest.raises(ServerLoadError, match="statistics of another database cluster"):
        debian_series.take()
    assert debian_series.files() == []
    assert debian_series.take(start_anew=True).stretch is None


def test_statistics_of_another_time_are_refused(debian_series):
    """A restored backup, or a clock that was set back, must not give a negative stretch."""
    debian_series.take()
    debian_series.pass_time(-7_200)
    with pytest.raises(ServerLoadError, match="statistics of another time"):
        debian_series.take()
    assert debian_series.files() == []


def test_a_run_that_died_before_the_state_was_kept_counts_nothing_twice(debian_series):
    """The stretch is written again, longer, in the place of the first."""
    debian_series.take()
    debian_series.pass_time()
    debian_series.server.run(LOOKUP, database="app")
    path = debian_series.ledger / state.state_path(tables.source_id(ARN))
    before = path.read_bytes()
    debian_series.take()
    path.write_bytes(before)
    debian_series.server.run(LOOKUP, database="app")
    debian_series.take()
    assert len(debian_series.files()) == 1
    assert debian_series.row(LOOKUP)["calls"] == 2


def test_two_runs_at_the_same_time_do_not_both_write(debian_series):
    """The slower one notices, and writes nothing."""
    debian_series.take()
    debian_series.pass_time()
    debian_series.server.run(LOOKUP, database="app")

    class Slow(Postgres):
        def rows(self, sql, values=None):
            if "pg_database" in sql:
                debian_series.take()
            return super().rows(sql, values)

    with (
        Slow(debian_series.server.url("app")) as database,
        pytest.raises(ServerLoadError, match="another run took a snapshot of this cluster"),
    ):
        take(database, debian_series.ledger, ARN, load(), every_s=300)
    assert len(debian_series.files()) == 1
    assert debian_series.row(LOOKUP)["calls"] == 1


def test_a_damaged_state_is_named(debian_series):
    """Half a file, and one of a newer release."""
    debian_series.take()
    debian_series.change(lambda document: document.update(version=2))
    with pytest.raises(ServerLoadError, match="taken by a newer tenantmetrics"):
        debian_series.take()
    debian_series.change(lambda document: document.pop("entries"))
    debian_series.change(lambda document: document.update(version=1))
    with pytest.raises(ServerLoadError, match=r"_state/.*json\.gz\) is damaged"):
        debian_series.take()
    assert debian_series.take(start_anew=True).statements > 0


def test_a_ledger_that_cannot_be_written_keeps_the_last_snapshot(debian_series):
    """What was not written now is written the next time."""
    debian_series.take()
    debian_series.pass_time()
    debian_series.server.run(LOOKUP, database="app")
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 300))
    in_the_way = debian_series.ledger / f"_server/statements/date={day}"
    in_the_way.write_text("")
    with pytest.raises(LedgerError, match="cannot be written"):
        debian_series.take()
    in_the_way.unlink()
    debian_series.take()
    assert debian_series.row(LOOKUP)["calls"] == 1
