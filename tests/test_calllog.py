"""Slow and failed calls in the log: who, what, how long; never data, never a flood."""

import json
import subprocess
import sys
import threading
import time
from datetime import datetime

import pytest
import structlog
from structlog.testing import capture_logs

import tenantmetrics
from tenantmetrics.calllog import LINES_PER_MINUTE, CallLog
from tenantmetrics.health import Health
from tenantmetrics.records import OK, Attribution, Call, Claims, Source

ACME = Attribution((("acme", 1),), Source.STATEMENT)


@pytest.fixture(autouse=True)
def _configured():
    """An application that has set structlog up, and only for this test."""
    structlog.configure()
    yield
    structlog.reset_defaults()


def call(duration_ms=5.0, outcome=OK, **more):
    facts = {
        "operation": "ExecuteStatement",
        "ended_at_ns": 0,
        "duration_ns": int(duration_ms * 1e6),
        "outcome": outcome,
        "sqlstate": "",
        "http_status": 200,
        "attempts": 1,
        "request_bytes": 1,
        "response_bytes": 1,
        "billed_requests": 1,
        "rows_returned": 3,
        "rows_written": 0,
        "session": "tx-1",
        "resource_arn": "arn",
        "database": "app",
        "claims": Claims("SELECT bookings"),
        "trace": (0xAB, 0xCD),
        **more,
    }
    return Call(**facts)


def test_a_slow_call_is_one_line_with_all_that_helps():
    """Tenant, summary, duration, rows, transaction, trace."""
    log = CallLog(slow_s=0.1, errors=False)
    with capture_logs() as lines:
        log.add(call(99.9), ACME)
        log.add(call(250.5), ACME)
    (line,) = lines
    assert {name: value for name, value in line.items() if value is not None} == {
        "event": "tenantmetrics.slow_call",
        "log_level": "info",
        "tenant": "acme",
        "operation": "ExecuteStatement",
        "summary": "SELECT bookings",
        "started_at": "1969-12-31T23:59:59.749Z",
        "ended_at": "1970-01-01T00:00:00.000Z",
        "duration_ms": 250.5,
        "rows_returned": 3,
        "rows_written": 0,
        "transaction_id": "tx-1",
        "trace_id": f"{0xAB:032x}",
        "span_id": f"{0xCD:016x}",
    }


def test_a_failed_call_is_a_warning_with_its_code():
    """The error's code and SQLSTATE, not its text, which may quote a literal."""
    log = CallLog(slow_s=0, errors=True)
    with capture_logs() as lines:
        log.add(call(), ACME)
        log.add(call(outcome="BadRequestException", sqlstate="23505"), ACME)
    (line,) = lines
    assert (line["log_level"], line["error"], line["sqlstate"]) == (
        "warning",
        "BadRequestException",
        "23505",
    )


def test_nothing_is_logged_unless_asked_for():
    """By default neither slow nor failed calls."""
    assert not CallLog(slow_s=0, errors=False).wanted
    with capture_logs() as lines:
        CallLog(slow_s=0, errors=False).add(call(10**6, outcome="x"), ACME)
    assert lines == []


def test_a_flood_is_cut_and_the_next_line_says_by_how_much():
    """A database that is down must not fill the disk."""
    now = [0.0]
    log = CallLog(slow_s=0, errors=True, clock=lambda: now[0])
    with capture_logs() as lines:
        for _ in range(1_000):
            log.add(call(outcome="x"), ACME)
        now[0] = 60.0
        log.add(call(outcome="x"), ACME)
    assert len(lines) == LINES_PER_MINUTE + 1
    assert lines[-1]["lines_left_out"] == 1_000 - LINES_PER_MINUTE


def test_a_logger_that_fails_harms_nothing():
    """The application's processors are its own."""

    def broken(*_):
        raise RuntimeError("processor")

    structlog.configure(processors=[broken])
    CallLog(slow_s=0, errors=True).add(call(outcome="x"), ACME)


def test_losses_are_logged_once_a_minute_for_each_reason():
    """However many there are."""
    now = [0.0]
    health = Health(clock=lambda: now[0])
    with capture_logs() as lines:
        for _ in range(500):
            health.count("queue_full", where="worker")
            health.count("closed", error=ValueError("secret literal"))
        now[0] = 61.0
        health.count("queue_full")
    assert [(line["reason"], line["total"]) for line in lines] == [
        ("queue_full", 1),
        ("closed", 1),
        ("queue_full", 501),
    ]
    assert "secret" not in str(lines)


def test_without_a_configured_structlog_lines_go_to_stderr_and_not_to_stdout():
    """Stdout is the application's, and in Lambda it is EMF's."""
    script = "from tenantmetrics.health import Health; Health().count('queue_full', 3)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    line = json.loads(done.stderr)
    assert (line["event"], line["reason"], line["total"]) == ("tenantmetrics.loss", "queue_full", 3)


def test_failures_of_exporters_are_counted_by_exporter():
    """What `ExportFailures` shows."""
    health = Health()
    health.count("export_failed", 2, where="otlp")
    health.count("export_uncertain", 1, where="otlp")
    health.count("export_failed", 4, where="cloudwatch")
    health.count("export_dropped", 9, where="cloudwatch")
    assert health.export_failures() == {"otlp": 3, "cloudwatch": 4}


def test_a_slow_call_is_logged_within_a_second_with_its_own_times(fresh_pipeline, endpoint, target):
    """Not at the end of the minute; by the times of the call, not of the line."""
    written = threading.Event()
    lines = []

    def keep(_logger, _name, line):
        lines.append((time.time(), line))
        written.set()
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    tenantmetrics.configure(exporters=["none"], slow_call_s=0.2, flush_interval_s=3600)
    client = tenantmetrics.instrument(endpoint.client())
    before = time.time()
    client.execute_statement(**target, sql="SELECT pg_sleep(0.3)")
    ended = time.time()
    client.close()
    assert written.wait(20)
    at, line = lines[0]
    assert at - ended < 10  # 0.5 s and what a busy machine needs; it was up to an hour
    started_at, ended_at = (
        datetime.fromisoformat(line[name]).timestamp() for name in ("started_at", "ended_at")
    )
    assert before - 0.01 <= started_at <= ended_at <= ended + 0.01
    assert ended_at - started_at >= 0.3
