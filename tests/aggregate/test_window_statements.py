"""Statements of a window, and what is counted of those that reached the database."""

from collections import Counter

import pytest

from tenantmetrics.records import Claims
from tests.aggregate.calls import MINUTE_NS, aggregator, by, call


def test_statements_are_bounded_over_all_open_windows_together():
    """Memory is bounded by the setting, however many minutes are open."""
    one = aggregator(max_series=10_000, max_statement_series=1_600)
    for n in range(40_000):
        texts = Claims(f"SELECT t{n % 90}", fingerprint=1 + n % 90)
        one.add(call(n % 50 * MINUTE_NS, duration_ns=1, claims=texts), by((f"t{n % 70}", 1)))
    windows = one.close()
    assert len(windows) == 50
    assert sum(len(w.statements) for w in windows) <= 1_600 + 200 + 1_024 + 50
    assert sum(row.sums[0] for w in windows for row in w.statements.rows()) == 40_000


def statement_kinds(*calls):
    one = aggregator()
    for each in calls:
        one.add(each, by(("acme", 1)))
    (window,) = one.close()
    kinds = Counter()
    for row in window.statements.rows():
        kinds[row.key[4]] += row.sums[0]
    return kinds


def test_statements_are_of_the_calls_that_reached_the_database():
    """Throttled and unanswered ones, and those of a paused cluster, did no work there."""
    setter = Claims(summary="SET", fingerprint=5, workless=True)
    assert statement_kinds(
        call(),
        call(opened_connection=True),
        call(claims=setter),
        call(claims=setter, opened_connection=True),
        call(claims=setter, outcome="BadRequestException", sqlstate="42704", http_status=400),
        call(outcome="ThrottlingException", http_status=400),
        call(outcome="DatabaseResumingException", http_status=400),
        call(outcome="EndpointConnectionError", http_status=0),
    ) == {"work": 1, "failed": 1, "cold_work": 1, "workless": 1, "cold_workless": 1}


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"outcome": "DatabaseErrorException"}, "failed"),
        ({"outcome": "BadRequestException", "sqlstate": "23505"}, "failed"),
        ({"outcome": "UnsupportedResultException"}, "work"),
        ({"outcome": "BadRequestException"}, "work"),
        ({"outcome": "StatementTimeoutException"}, "work"),
        (
            {"outcome": "DatabaseErrorException", "operation": "BatchExecuteStatement"},
            "work",
        ),
        ({"outcome": "StatementTimeoutException", "claims": Claims("SET", workless=True)}, "work"),
    ],
)
def test_only_what_postgresql_refused_has_failed(facts, kind):
    """It counts no execution of that; of a result that is too large, of sets before a wrong one."""
    assert statement_kinds(call(http_status=400, **facts)) == {kind: 1}


def test_load_is_wall_time_less_what_calls_without_work_take():
    """A tenant that waits for HTTP has none; it is of whole windows and never lost."""
    one = aggregator()
    ms = 1_000_000
    for minute in range(1, 11):
        for n in range(60):
            at = minute * MINUTE_NS + n * 10**6 + 30 * 10**9
            one.add(
                call(at, duration_ns=20 * ms, claims=Claims("SET", fingerprint=1, workless=True)),
                by(("chatty", 1)),
            )
            look_up = Claims("SELECT a", fingerprint=2)
            one.add(call(at, duration_ns=20 * ms, claims=look_up), by(("chatty", 1)))
            heavy = Claims("SELECT b", fingerprint=3)
            one.add(call(at, duration_ns=120 * ms, claims=heavy), by(("heavy", 1)))
        (window,) = one.close()
    assert set(window.load_ns) == {"chatty", "heavy"}
    assert window.load_ns["heavy"] == pytest.approx(60 * 100 * ms, rel=0.01)
    assert window.load_ns["chatty"] < 60 * ms


def test_load_before_the_window_of_the_end_is_in_the_window_with_the_request():
    """CloudWatch takes no sum without samples, and the samples are the billed requests."""
    one = aggregator()
    one.add(call(10 * MINUTE_NS + 10**9, duration_ns=31 * 10**9), by(("acme", 1)))
    before, after = one.close()
    assert before.load_ns == {}
    assert after.load_ns == {"acme": 31 * 10**9}
