"""Calls a second through the background thread's work, on one core: attribution and aggregation.

Calls are made beforehand; what is measured is what the background thread does with them, drained
from the queue on the measuring thread. The figure with attribution is the one that holds in a
process; the other is the aggregator alone.

Goal: at least 300,000 calls a second through the aggregator.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median

from tenantmetrics.aggregate.window import Aggregator
from tenantmetrics.config import load
from tenantmetrics.health import Health
from tenantmetrics.records import OK, Attribution, Call, Claim, Claims, Source
from tenantmetrics.tenant.session.attribution import Attributor

ROUNDS = 7
CALLS = 200_000
GOAL = 300_000
TENANTS = (1, 100, 1_000, 50_000)


def _calls(tenants: int) -> list[Call]:
    now = time.time_ns()
    claims = [
        Claims("SELECT bookings", (Claim(Source.STATEMENT, ((f"tenant-{n}", 1),)),))
        for n in range(tenants)
    ]
    return [
        Call(
            operation="ExecuteStatement",
            ended_at_ns=now + n,
            duration_ns=3_000_000 + (n * 7_919) % 40_000_000,
            outcome=OK if n % 50 else "BadRequestException",
            sqlstate="",
            http_status=200,
            attempts=1,
            request_bytes=400,
            response_bytes=2_000,
            billed_requests=1,
            rows_returned=5,
            rows_written=0,
            session="",
            resource_arn="arn:aws:rds:us-east-1:123456789012:cluster:bench",
            database="app",
            claims=claims[n % tenants],
        )
        for n in range(CALLS)
    ]


def _aggregator() -> Aggregator:
    return Aggregator(window_s=60, max_series=65_536, health=Health(), writer="bench")


def _alone(calls: list[Call]) -> Callable[[], None]:
    """Aggregation of calls whose tenant is settled."""
    settled = [(call, Attribution(call.claims.named[0].shares, Source.STATEMENT)) for call in calls]

    def run() -> None:
        aggregator = _aggregator()
        for call, attribution in settled:
            aggregator.add(call, attribution)
        aggregator.close()

    return run


def _attributed(calls: list[Call]) -> Callable[[], None]:
    """What the thread does: every call attributed first."""

    def settle(attributor: Attributor) -> Iterator[tuple[Call, Attribution]]:
        for call in calls:
            yield from attributor.submit(call)

    def run() -> None:
        aggregator, health = _aggregator(), Health()
        for call, attribution in settle(Attributor(load({}, exporters=[]), health)):
            aggregator.add(call, attribution)
        aggregator.close()

    return run


def main() -> None:
    """Print the table."""
    print(f"{'tenants':>10}{'aggregation':>18}{'with attribution':>20}")
    for tenants in TENANTS:
        calls = _calls(tenants)
        figures = []
        for make in (_alone, _attributed):
            run = make(calls)
            times = []
            for _ in range(ROUNDS):
                started = time.process_time()
                run()
                times.append(time.process_time() - started)
            figures.append(CALLS / median(times))
        print(f"{tenants:>10,}{figures[0]:>14,.0f} /s{figures[1]:>16,.0f} /s")
    print(f"goal: {GOAL:,} /s through the aggregator; medians of {ROUNDS}x{CALLS:,} calls")
