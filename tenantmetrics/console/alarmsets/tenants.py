"""One tenant: failing, slow, or in the way of the others; the contributor is the tenant."""

from __future__ import annotations

from tenantmetrics.console.alarm import Alarm, Needs, Query, Severity
from tenantmetrics.console.alarmsets.parts import (
    ALL_DURATION,
    ALL_LOAD,
    DURATION,
    ERRORS,
    FLEET_BOARD,
    LOAD,
    TENANT_BOARD,
    math,
    series,
    stat,
)

__all__ = ["ALARMS", "EXACT"]

ALARMS: tuple[Alarm, ...] = (
    Alarm(
        id="tenant-error-rate",
        means="A tenant's calls failed by more than ${TenantErrorRatio} of 1 in 8 of 10 minutes, "
        "at least 8 failures; the contributor is the tenant.",
        look=f"{TENANT_BOARD} for it, error rate and calls by outcome.",
        do="Its own deployment or data: tell its owner. Permissions or row-level security: check "
        "the role's grants.",
        queries=series(ERRORS, "AVG", "TenantId"),
        threshold="${TenantErrorRatio}",
        periods=10,
        datapoints=8,
        tenants=True,
    ),
    Alarm(
        id="tenant-latency",
        means="A tenant's average call took more than ${TenantLatencyMs} ms in 8 of 10 minutes; "
        "the contributor is the tenant.",
        look=f"{TENANT_BOARD} for it, latency; {FLEET_BOARD}, noisy neighbour.",
        do="Alone: its statements or its data's size. With others: capacity or a noisy neighbour.",
        queries=series(DURATION, "AVG", "TenantId"),
        threshold="${TenantLatencyMs}",
        periods=10,
        datapoints=8,
        tenants=True,
    ),
    Alarm(
        id="tenant-database-time",
        severity=Severity.SILENT,
        means="A tenant used more than ${NoisyDatabaseMs} ms of estimated server time a minute "
        "in 4 of 5; names the tenant for noisy-neighbour.",
        look=f"{FLEET_BOARD}, top tenants by load.",
        do="Nothing by itself; see noisy-neighbour.",
        queries=series(LOAD, "SUM", "TenantId"),
        threshold="${NoisyDatabaseMs}",
        periods=5,
        datapoints=4,
        tenants=True,
    ),
    Alarm(
        id="largest-share",
        severity=Severity.SILENT,
        means="One tenant had more than ${NoisySharePercent} % of the load (estimated server time) "
        "in 4 of 5 minutes.",
        look=f"{FLEET_BOARD}, noisy neighbour.",
        do="Nothing by itself; see noisy-neighbour.",
        queries=(
            # MAX makes one series of many, which is what metric math in an alarm must return.
            Query(id="q1", expression=series(LOAD, "SUM", "TenantId")[0].expression),
            stat(ALL_LOAD, "Sum", "busy"),
            math("100 * MAX(q1) / busy", "largest share, %"),
        ),
        threshold="${NoisySharePercent}",
        periods=5,
        datapoints=4,
    ),
    Alarm(
        id="latency-raised",
        severity=Severity.SILENT,
        means="The average call took more than ${OthersLatencyMs} ms in 4 of 5 minutes.",
        look=f"{FLEET_BOARD}, latency.",
        do="Nothing by itself; see noisy-neighbour.",
        queries=(stat(ALL_DURATION, "Average", returned=True),),
        threshold="${OthersLatencyMs}",
        periods=5,
        datapoints=4,
    ),
    Alarm(
        id="noisy-neighbour",
        means="One tenant causes most of the load while latency is up for the fleet; the "
        "contributors of tenant-database-time name it.",
        look=f"{FLEET_BOARD}, noisy neighbour and average latency by tenant.",
        do="Slow that tenant down (its job, its rate limit), or raise the cluster's capacity; "
        "then its statements.",
        rule='ALARM("${Prefix}-tenant-database-time") AND ALARM("${Prefix}-largest-share") AND '
        'ALARM("${Prefix}-latency-raised")',
    ),
)

_D = '{"db.client.operation.duration"}'
_L = '{"tenantmetrics.database.load"}'
_B = '{"tenantmetrics.billed_requests"}'
_BY = 'sum by ("tenant.id")'


def _load(window: str, whose: str = "sum") -> str:
    return f"{whose} (rate({_L}[{window}]))"


def _time(window: str, whose: str = "sum") -> str:
    return f"{whose} (histogram_sum(rate({_D}[{window}])))"


def _calls(window: str, whose: str = "sum") -> str:
    return f"{whose} (histogram_count(rate({_D}[{window}])))"


EXACT: tuple[Alarm, ...] = (
    Alarm(
        id="noisy-neighbour-exact",
        means="A tenant causes more than ${NoisySharePercent} % of the load, and the calls of all "
        "the others take more than ${OthersLatencyMs} ms on average.",
        look=f"{TENANT_BOARD} for the contributor.",
        do="Slow that tenant down (its job, its rate limit), or raise the cluster's capacity; "
        "then its statements.",
        promql=f"({_load('5m', _BY)} / scalar({_load('5m')}) > ${{NoisySharePercent}} / 100)"
        f" and ((scalar({_time('5m')}) - {_time('5m', _BY)})"
        f" / (scalar({_calls('5m')}) - {_calls('5m', _BY)}) > ${{OthersLatencyMs}} / 1000)",
        pending_s=180,
        recovery_s=300,
        needs=Needs.OTLP,
        tenants=True,
    ),
    Alarm(
        id="tenant-spend",
        means="A tenant's billed requests of the last hour are more than ${SpendFactor} times its "
        "usual hour of the day before, and more than ${SpendFloorRequests}.",
        look=f"{TENANT_BOARD} for the contributor, billed requests and cost to date.",
        do="A new job or an endless loop: tell its owner; growth: its plan.",
        promql=f"({_BY} (increase({_B}[1h]))"
        f" > ${{SpendFactor}} * {_BY} (increase({_B}[1d] offset 1h)) / 24)"
        f" and ({_BY} (increase({_B}[1h])) > ${{SpendFloorRequests}})"
        # Who was not there a day ago has no usual hour yet.
        f" and ({_BY} (increase({_B}[1h] offset 1d)) > 0)",
        pending_s=600,
        recovery_s=900,
        needs=Needs.OTLP,
        tenants=True,
    ),
)
