"""All tenants together: failures, latency, and what the Data API answers when it is in trouble."""

from __future__ import annotations

from tenantmetrics.catalog import metric
from tenantmetrics.console.alarm import Alarm, Needs
from tenantmetrics.console.alarmsets.parts import (
    ALL_DURATION,
    ALL_ERRORS,
    FLEET_BOARD,
    TENANT_BOARD,
    math,
    series,
    stat,
)

__all__ = ["ALARMS"]

_OPERATIONS = metric("DatabaseOperations")


def _code(name: str, code: str, threshold: str, means: str, do: str) -> Alarm:
    """An error code that a tenant's calls end with; only the detailed metrics know of it."""
    return Alarm(
        id=name,
        means=means,
        look=f"{TENANT_BOARD}, calls by outcome, for the tenant named as contributor.",
        do=do,
        queries=series(_OPERATIONS, "SUM", "TenantId", f"StatusCode = '{code}'"),
        threshold=f"${{{threshold}}}",
        comparison="GreaterThanOrEqualToThreshold",
        periods=5,
        datapoints=3,
        needs=Needs.DETAILED,
        tenants=True,
    )


ALARMS: tuple[Alarm, ...] = (
    Alarm(
        id="fleet-error-rate",
        means="More than ${ErrorRatePercent} % of all Data API calls failed in 4 of 5 minutes.",
        look=f"{FLEET_BOARD}, top tenants by error rate: one tenant or all?",
        do="One tenant: its last deployment or data. All: cluster events, credentials, schema "
        "migrations; roll back what changed last.",
        queries=(
            stat(ALL_ERRORS, "Average", "rate"),
            stat(ALL_ERRORS, "SampleCount", "calls"),
            math("IF(calls >= ${MinimumCalls}, 100 * rate, 0)", "errors, %"),
        ),
        threshold="${ErrorRatePercent}",
        periods=5,
        datapoints=4,
    ),
    Alarm(
        id="fleet-latency",
        means="The average call took more than ${LatencyMs} ms in 4 of 5 minutes.",
        look=f"{FLEET_BOARD}, latency and noisy neighbour, then capacity and CPU.",
        do="Capacity at its maximum: raise it. One tenant ahead of all: see noisy-neighbour. "
        "Neither: slow statements in Performance Insights.",
        queries=(
            stat(ALL_DURATION, "Average", "latency"),
            stat(ALL_ERRORS, "SampleCount", "calls"),
            math("IF(calls >= ${MinimumCalls}, latency, 0)", "average latency, ms"),
        ),
        threshold="${LatencyMs}",
        periods=5,
        datapoints=4,
    ),
    Alarm(
        id="fleet-latency-p99",
        means="One call in a hundred took more than ${LatencyPeakMs} ms in 8 of 10 minutes.",
        look=f"{FLEET_BOARD}, top tenants by average latency.",
        do="Find the tenant's slow statement; add an index or a limit. Locks: end the session "
        "that holds them.",
        queries=(stat(ALL_DURATION, "p99", returned=True),),
        threshold="${LatencyPeakMs}",
        periods=10,
        datapoints=8,
        low_samples="ignore",
    ),
    _code(
        "throttling",
        "ThrottlingException",
        "ThrottledCalls",
        "The Data API throttled a tenant's calls.",
        "Slow that tenant's job down, batch its statements, or ask AWS for a higher quota.",
    ),
    _code(
        "statement-timeouts",
        "StatementTimeoutException",
        "TimedOutCalls",
        "A tenant's statements hit the Data API's limit of 45 seconds.",
        "Find the statement and give it an index, a limit or continueAfterTimeout.",
    ),
    _code(
        "database-resuming",
        "DatabaseResumingException",
        "ResumingCalls",
        "Calls met a database that was paused and had to wake up.",
        "Raise the minimum capacity above 0 ACU, or let clients wait and call again.",
    ),
)
