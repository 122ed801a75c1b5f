"""Calls, whose they are, and an aggregator for them."""

from tenantmetrics.aggregate.window import Aggregator
from tenantmetrics.health import Health
from tenantmetrics.records import Attribution, Call, Claims, Source

MINUTE_NS = 60_000_000_000


def call(ended_at_ns=0, **changes):
    usual = {
        "operation": "ExecuteStatement",
        "ended_at_ns": ended_at_ns,
        "duration_ns": 1_000_000,
        "outcome": "ok",
        "sqlstate": "",
        "http_status": 200,
        "attempts": 1,
        "request_bytes": 300,
        "response_bytes": 100,
        "billed_requests": 1,
        "rows_returned": 2,
        "rows_written": 0,
        "session": "",
        "resource_arn": "arn:aws:rds:us-east-1:123456789012:cluster:c",
        "database": "hotel",
        "claims": Claims(),
    }
    return Call(**(usual | changes))


def by(*shares, source=Source.STATEMENT, misuses=()):
    return Attribution(shares, source, misuses)


def aggregator(health=None, **settings):
    return Aggregator(
        **(
            {
                "window_s": 60,
                "max_series": 100,
                "health": health or Health(),
                "writer": "w",
                "clock_ns": lambda: 7 * MINUTE_NS + 1,
            }
            | settings
        )
    )
