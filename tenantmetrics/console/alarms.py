"""The set of alarms.

How low volume is kept from paging: an average over a minute is above 5 % as soon as one call of
it failed, but "8 of 10 minutes" needs eight such minutes, and so at least eight failed calls. One
failure of one call is never an incident, and no second query is needed: an alarm has only one.
The alarms on the whole fleet can do metric math, and look at the number of calls as well.
"""

from __future__ import annotations

from tenantmetrics.catalog import Metric, metric
from tenantmetrics.console.alarm import Alarm, Missing, Needs, Query, Severity

__all__ = ["ALARMS", "names"]

_TENANT_BOARD = "dashboard ${Prefix}-tenant"
_FLEET_BOARD = "dashboard ${Prefix}-fleet"
_PIPELINE_BOARD = "dashboard ${Prefix}-pipeline"


def names(prefix: str) -> list[str]:
    """Names of the alarms that every deployment has, in order."""
    return [f"{prefix}-{one.id}" for one in ALARMS if one.needs is Needs.NOTHING]


def _stat(one: Metric, stat: str, name: str = "m1", *, returned: bool = False) -> Query:
    return Query(id=name, namespace="${Namespace}", metric=one.name, stat=stat, returned=returned)


def _rds(name: str, stat: str, query_id: str = "m1", *, returned: bool = False) -> Query:
    return Query(
        id=query_id,
        namespace="AWS/RDS",
        metric=name,
        dimensions=(("DBClusterIdentifier", "${ClusterId}"),),
        stat=stat,
        returned=returned,
    )


def _math(expression: str, label: str, name: str = "watched") -> Query:
    return Query(id=name, expression=expression, label=label, returned=True)


def _series(one: Metric, function: str, by: str, where: str = "") -> tuple[Query, ...]:
    """One query whose every series is watched: GROUP BY and ORDER BY are both needed for that."""
    schema = ", ".join(['"${Namespace}"', *one.dimensions])
    text = f"SELECT {function}({one.name}) FROM SCHEMA({schema})"  # noqa: S608 - no input in it
    if where:
        text += f" WHERE {where}"
    text += f" GROUP BY {by} ORDER BY {function}() DESC"
    return (_math(text, f"{one.name} by {by}", "q1"),)


_DURATION, _ERRORS, _BILLED = (
    metric(name) for name in ("DatabaseDuration", "DatabaseErrors", "BilledRequests")
)
_ALL_DURATION, _ALL_ERRORS, _ALL_BILLED = (
    metric(one.name, fleet=True) for one in (_DURATION, _ERRORS, _BILLED)
)
_OPERATIONS = metric("DatabaseOperations")


def _code(name: str, code: str, threshold: str, means: str, do: str) -> Alarm:
    """An error code that a tenant's calls end with; only the detailed metrics know of it."""
    return Alarm(
        id=name,
        means=means,
        look=f"{_TENANT_BOARD}, calls by outcome, for the tenant named as contributor.",
        do=do,
        queries=_series(_OPERATIONS, "SUM", "TenantId", f"StatusCode = '{code}'"),
        threshold=f"${{{threshold}}}",
        comparison="GreaterThanOrEqualToThreshold",
        periods=5,
        datapoints=3,
        needs=Needs.DETAILED,
        tenants=True,
    )


_FLEET = (
    Alarm(
        id="fleet-error-rate",
        means="More than ${ErrorRatePercent} % of all Data API calls failed in 4 of 5 minutes.",
        look=f"{_FLEET_BOARD}, top tenants by error rate: one tenant or all?",
        do="One tenant: its last deployment or data. All: cluster events, credentials, schema "
        "migrations; roll back what changed last.",
        queries=(
            _stat(_ALL_ERRORS, "Average", "rate"),
            _stat(_ALL_ERRORS, "SampleCount", "calls"),
            _math("IF(calls >= ${MinimumCalls}, 100 * rate, 0)", "errors, %"),
        ),
        threshold="${ErrorRatePercent}",
        periods=5,
        datapoints=4,
    ),
    Alarm(
        id="fleet-latency",
        means="The average call took more than ${LatencyMs} ms in 4 of 5 minutes.",
        look=f"{_FLEET_BOARD}, latency and noisy neighbour, then capacity and CPU.",
        do="Capacity at its maximum: raise it. One tenant ahead of all: see noisy-neighbour. "
        "Neither: slow statements in Performance Insights.",
        queries=(
            _stat(_ALL_DURATION, "Average", "latency"),
            _stat(_ALL_ERRORS, "SampleCount", "calls"),
            _math("IF(calls >= ${MinimumCalls}, latency, 0)", "average latency, ms"),
        ),
        threshold="${LatencyMs}",
        periods=5,
        datapoints=4,
    ),
    Alarm(
        id="fleet-latency-p99",
        means="One call in a hundred took more than ${LatencyPeakMs} ms in 8 of 10 minutes.",
        look=f"{_FLEET_BOARD}, top tenants by average latency.",
        do="Find the tenant's slow statement; add an index or a limit. Locks: end the session "
        "that holds them.",
        queries=(_stat(_ALL_DURATION, "p99", returned=True),),
        threshold="${LatencyPeakMs}",
        periods=10,
        datapoints=8,
        low_samples="ignore",
    ),
    _code(
        "throttling",
        "ThrottlingException",
        "ThrottledCalls",
        "The Data API turned a tenant's calls away for their number.",
        "Slow that tenant's job down, batch its statements, or ask AWS for a higher quota.",
    ),
    _code(
        "statement-timeouts",
        "StatementTimeoutException",
        "TimedOutCalls",
        "A tenant's statements ran into the Data API's 45 seconds.",
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

_TENANTS = (
    Alarm(
        id="tenant-error-rate",
        means="A tenant's calls failed by more than ${TenantErrorRatio} of 1 in 8 of 10 minutes, "
        "at least 8 failures; the contributor is the tenant.",
        look=f"{_TENANT_BOARD} for it, error rate and calls by outcome.",
        do="Its own deployment or data: tell its owner. Permissions or row-level security: check "
        "the role's grants.",
        queries=_series(_ERRORS, "AVG", "TenantId"),
        threshold="${TenantErrorRatio}",
        periods=10,
        datapoints=8,
        tenants=True,
    ),
    Alarm(
        id="tenant-latency",
        means="A tenant's average call took more than ${TenantLatencyMs} ms in 8 of 10 minutes; "
        "the contributor is the tenant.",
        look=f"{_TENANT_BOARD} for it, latency; {_FLEET_BOARD}, noisy neighbour.",
        do="Alone: its statements or its data's size. With others: capacity or a noisy neighbour.",
        queries=_series(_DURATION, "AVG", "TenantId"),
        threshold="${TenantLatencyMs}",
        periods=10,
        datapoints=8,
        tenants=True,
    ),
    Alarm(
        id="tenant-database-time",
        severity=Severity.SILENT,
        means="A tenant used more than ${NoisyDatabaseMs} ms of database time a minute in 4 of 5; "
        "names the tenant for noisy-neighbour.",
        look=f"{_FLEET_BOARD}, top tenants by database time.",
        do="Nothing by itself; see noisy-neighbour.",
        queries=_series(_DURATION, "SUM", "TenantId"),
        threshold="${NoisyDatabaseMs}",
        periods=5,
        datapoints=4,
        tenants=True,
    ),
    Alarm(
        id="largest-share",
        severity=Severity.SILENT,
        means="One tenant had more than ${NoisySharePercent} % of all database time in 4 of 5 "
        "minutes.",
        look=f"{_FLEET_BOARD}, noisy neighbour.",
        do="Nothing by itself; see noisy-neighbour.",
        queries=(
            # MAX makes one series of many, which is what metric math in an alarm must return.
            Query(id="q1", expression=_series(_DURATION, "SUM", "TenantId")[0].expression),
            _stat(_ALL_DURATION, "Sum", "busy"),
            _math("100 * MAX(q1) / busy", "largest share, %"),
        ),
        threshold="${NoisySharePercent}",
        periods=5,
        datapoints=4,
    ),
    Alarm(
        id="latency-raised",
        severity=Severity.SILENT,
        means="The average call took more than ${OthersLatencyMs} ms in 4 of 5 minutes.",
        look=f"{_FLEET_BOARD}, latency.",
        do="Nothing by itself; see noisy-neighbour.",
        queries=(_stat(_ALL_DURATION, "Average", returned=True),),
        threshold="${OthersLatencyMs}",
        periods=5,
        datapoints=4,
    ),
    Alarm(
        id="noisy-neighbour",
        means="One tenant takes most of the database time while latency is up for the fleet; the "
        "contributors of tenant-database-time name it.",
        look=f"{_FLEET_BOARD}, noisy neighbour and average latency by tenant.",
        do="Slow that tenant down (its job, its rate limit), or raise the cluster's capacity; "
        "then its statements.",
        rule='ALARM("${Prefix}-tenant-database-time") AND ALARM("${Prefix}-largest-share") AND '
        'ALARM("${Prefix}-latency-raised")',
    ),
)

_D = '{"db.client.operation.duration"}'
_B = '{"tenantmetrics.billed_requests"}'
_BY = 'sum by ("tenant.id")'


def _time(window: str, whose: str = "sum") -> str:
    return f"{whose} (histogram_sum(rate({_D}[{window}])))"


def _calls(window: str, whose: str = "sum") -> str:
    return f"{whose} (histogram_count(rate({_D}[{window}])))"


_EXACT = (
    Alarm(
        id="noisy-neighbour-exact",
        means="A tenant takes more than ${NoisySharePercent} % of all database time, and the calls "
        "of all the others take more than ${OthersLatencyMs} ms on average.",
        look=f"{_TENANT_BOARD} for the contributor.",
        do="Slow that tenant down (its job, its rate limit), or raise the cluster's capacity; "
        "then its statements.",
        promql=f"({_time('5m', _BY)} / scalar({_time('5m')}) > ${{NoisySharePercent}} / 100)"
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
        look=f"{_TENANT_BOARD} for the contributor, billed requests and cost to date.",
        do="A new job or a loop that calls without end: tell its owner; growth: its plan.",
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


def _anomaly(name: str, one: Metric, what: str) -> Alarm:
    return Alarm(
        id=name,
        means=f"{what} of the fleet is far above what is usual for this hour of the week.",
        look=f"{_FLEET_BOARD}, top tenants by billed requests and by database time.",
        do="Find the tenant that rose; a loop or a new job: tell its owner; growth: its plan.",
        queries=(
            _stat(one, "Sum", returned=True),
            Query(
                id="band",
                expression="ANOMALY_DETECTION_BAND(m1, ${AnomalyBand})",
                label="usual",
                returned=True,
            ),
        ),
        comparison="GreaterThanUpperThreshold",
        band="band",
        period_s=300,
        periods=6,
        datapoints=5,
    )


_COST = (
    _anomaly("billed-requests-anomaly", _ALL_BILLED, "The number of billed requests"),
    _anomaly("database-time-anomaly", _ALL_DURATION, "Database time"),
    Alarm(
        id="fleet-spend",
        means="Data API and compute of the last day come to more than ${FleetUsdADay} USD at the "
        "prices set here (an estimate).",
        look=f"{_FLEET_BOARD}, estimated cost a day; tenantmetrics report for whose it is.",
        do="Expected growth: raise the threshold. Else the tenant that rose, or the cluster's "
        "maximum capacity.",
        queries=(
            _stat(_ALL_BILLED, "Sum", "billed"),
            _rds("ServerlessDatabaseCapacity", "Average", "acu"),
            _math(
                "billed * ${UsdPerMillionRequests} / 1000000 + acu * 24 * ${UsdPerAcuHour}",
                "USD a day",
            ),
        ),
        threshold="${FleetUsdADay}",
        period_s=86_400,
    ),
)

_SECURITY = (
    Alarm(
        id="tenant-conflicts",
        means="Calls named two tenants, or one reached into another tenant's rows: maybe one "
        "customer sees another's data.",
        look="the application's log, tenantmetrics.tenant_misuse with the statement's summary; "
        "then tenantmetrics explain on that statement.",
        do="Real: stop the deployment, tell security, keep the ledger. Not real: fix what names "
        "the second tenant.",
        queries=(_stat(metric("TenantConflicts"), "Sum", returned=True),),
        threshold="0",
    ),
    Alarm(
        id="unattributed-share",
        means="More than ${UnattributedPercent} % of the calls name no tenant in 8 of 10 minutes: "
        "costs and alarms per tenant miss them.",
        look=f"{_PIPELINE_BOARD}; the newest deployment's statements with tenantmetrics explain.",
        do="Set the tenant in the session or with tenantmetrics.tenant(), or exempt what has none.",
        queries=(
            _stat(metric("UnattributedCalls"), "Sum", "unknown"),
            _stat(_ALL_ERRORS, "SampleCount", "calls"),
            _math("IF(calls >= ${MinimumCalls}, 100 * unknown / calls, 0)", "unattributed, %"),
        ),
        threshold="${UnattributedPercent}",
        periods=10,
        datapoints=8,
    ),
)

_CLUSTER = (
    Alarm(
        id="cluster-cpu",
        means="The cluster's CPU is above ${CpuPercent} % for 15 minutes.",
        look=f"{_FLEET_BOARD}, cluster and top tenants by database time.",
        do="One tenant: slow it down. All: raise the maximum capacity.",
        queries=(_rds("CPUUtilization", "Average", returned=True),),
        threshold="${CpuPercent}",
        period_s=300,
        periods=3,
        datapoints=3,
    ),
    Alarm(
        id="cluster-connections",
        means="More than ${ConnectionsPercent} % of ${MaxConnections} connections are in use.",
        look=f"{_FLEET_BOARD}, connections; pg_stat_activity for who holds them.",
        do="End idle sessions of other clients, or raise max_connections with the capacity.",
        queries=(
            _rds("DatabaseConnections", "Maximum", "connections"),
            _math("100 * connections / ${MaxConnections}", "connections, %"),
        ),
        threshold="${ConnectionsPercent}",
        period_s=300,
        periods=3,
        datapoints=2,
    ),
    Alarm(
        id="cluster-acu",
        means="Capacity is above ${AcuPercent} % of the cluster's maximum for 15 minutes.",
        look=f"{_FLEET_BOARD}, capacity against calls and database time.",
        do="Expected load: raise the maximum. Else the tenant or statement that rose.",
        queries=(_rds("ACUUtilization", "Average", returned=True),),
        threshold="${AcuPercent}",
        period_s=300,
        periods=3,
        datapoints=3,
    ),
)

_PIPELINE = (
    Alarm(
        id="calls-lost",
        means="Calls are missing in the numbers; the contributor is the reason.",
        look=f"{_PIPELINE_BOARD}, calls lost by reason; the log line tenantmetrics.loss.",
        do="queue_full: a larger queue_size. export_dropped: the exporter's endpoint. Others: "
        "report them with the log line.",
        queries=_series(metric("CallsDropped"), "SUM", "Reason"),
        threshold="0",
    ),
    Alarm(
        id="export-failures",
        means="An exporter did not deliver in 3 of 5 minutes; the contributor is the exporter.",
        look=f"{_PIPELINE_BOARD}, windows not delivered; the log line tenantmetrics.loss.",
        do="Its endpoint, credentials and quota; the ledger keeps what CloudWatch missed.",
        queries=_series(metric("ExportFailures"), "SUM", "Exporter"),
        threshold="0",
        periods=5,
        datapoints=3,
    ),
    Alarm(
        id="series-overflow",
        means="Calls were folded into __overflow__: more series than max_series in a minute.",
        look=f"{_PIPELINE_BOARD}; the number of tenants a minute.",
        do="Raise max_series, or find what makes tenant names without end.",
        queries=(_stat(metric("SeriesOverflow"), "Sum", returned=True),),
        threshold="0",
        periods=5,
        datapoints=3,
    ),
    Alarm(
        id="no-data",
        means="No window arrived for 15 minutes: nothing is exported, or nothing calls.",
        look=f"{_PIPELINE_BOARD}, windows that arrived; the application's own health.",
        do="Application down: bring it up. Up: exporter's credentials, region, namespace. Quiet "
        "at night by design: widen the periods.",
        queries=(_stat(metric("UnattributedCalls"), "SampleCount", returned=True),),
        threshold="1",
        comparison="LessThanThreshold",
        periods=15,
        datapoints=15,
        missing=Missing.BAD,
    ),
)

_PAGE = Alarm(
    id="page",
    severity=Severity.PAGE,
    means="Customers are hurt now: calls fail, all are slow, one tenant may see another's rows, "
    "or nothing is seen at all.",
    look="the alarm of ${Prefix} that is in ALARM; its description says where next.",
    do="What that alarm's description says; all other alarms can wait until the morning.",
    rule='ALARM("${Prefix}-fleet-error-rate") OR ALARM("${Prefix}-fleet-latency") OR '
    'ALARM("${Prefix}-noisy-neighbour") OR ALARM("${Prefix}-tenant-conflicts") OR '
    'ALARM("${Prefix}-no-data")',
)

ALARMS: tuple[Alarm, ...] = (
    *_FLEET,
    *_TENANTS,
    *_EXACT,
    *_COST,
    *_SECURITY,
    *_CLUSTER,
    *_PIPELINE,
    _PAGE,
)
"""Every alarm; those that a composite names stand before it."""
