"""What the dashboards draw, each quantity in CloudWatch's language and in PromQL."""

from __future__ import annotations

from typing import Any

from tenantmetrics.console.boards.cloudwatch import CloudWatch, expression
from tenantmetrics.console.boards.model import Quantity, Unit
from tenantmetrics.console.boards.promql import PromQL, percent, top

__all__ = [
    "ACU", "AVERAGE_LATENCY_BY_TENANT", "BILLED", "BILLED_BY_TENANT", "CALLS", "CALLS_A_SECOND",
    "CALLS_BY_OPERATION", "CALLS_BY_OUTCOME", "CALLS_BY_TENANT", "COMPUTE_BY_TENANT",
    "COST_A_DAY", "COST_NOW", "COST_OF_THE_TENANT", "COST_TO_DATE", "COUNTED_CALLS",
    "ERROR_PERCENT", "ERROR_PERCENT_BY_TENANT",
    "FAILED_BY_CODE", "LATENCY_P99", "LATENCY_QUANTILES", "LOAD", "LOAD_BY_TENANT", "MS",
    "PERCENT", "REFUSED", "REQUESTS", "SESSIONS", "SHARE_BY_TENANT", "SHARE_OF_LOAD",
    "STORAGE_LATENCY", "TROUBLE", "USD", "cluster", "counted",
]  # fmt: skip

_DAY_S = 86_400

CALLS_A_SECOND = Unit("calls {per}", "reqps")
COUNTED_CALLS = Unit("calls {per}", "cps")
REQUESTS = Unit("requests {per}", "reqps")
PERCENT = Unit("%", "percent", "%")
SESSIONS = Unit("sessions", "short")
MS = Unit("ms", "s", "ms")
USD = Unit("USD", "currencyUSD", "USD")

_PRICE = "* $usd_per_million_requests / 1000000"
"""The reader's price in Grafana, a variable there."""


CALLS = Quantity(
    cloudwatch=lambda source: [source.line("DatabaseErrors", "SampleCount", label="calls")],
    promql=lambda source: [(source.calls(), "calls")],
)

CALLS_BY_TENANT = Quantity(
    cloudwatch=lambda source: [source.top("DatabaseErrors", "COUNT")],
    promql=lambda source: [(top(source.calls(source.tenant)), source.legend("tenant.id"))],
)

ERROR_PERCENT = Quantity(
    cloudwatch=lambda source: [
        source.line("DatabaseErrors", "Average", id="rate", visible=False),
        expression("100 * rate", "errors, %", id="percent"),
    ],
    promql=lambda source: [(percent(source.rate("DatabaseErrors"), source.calls()), "errors")],
)

ERROR_PERCENT_BY_TENANT = Quantity(
    cloudwatch=lambda source: [
        source.top("DatabaseErrors", "AVG", visible=False),
        expression("100 * q1", id="e1"),
    ],
    promql=lambda source: [
        (
            top(
                f"100 * {source.rate('DatabaseErrors', source.tenant)}"
                f" / {source.calls(source.tenant)}"
            ),
            source.legend("tenant.id"),
        )
    ],
)


def _latency(percentile: float) -> Quantity:
    return Quantity(
        cloudwatch=lambda source: [
            source.line("DatabaseDuration", f"p{percentile:g}", label=f"p{percentile:g}")
        ],
        promql=lambda source: [(source.quantile(percentile / 100), f"p{percentile:g}")],
    )


LATENCY_P99 = _latency(99)
LATENCY_QUANTILES = (_latency(50), _latency(95), LATENCY_P99)

AVERAGE_LATENCY_BY_TENANT = Quantity(
    cloudwatch=lambda source: [source.top("DatabaseDuration", "AVG")],
    promql=lambda source: [
        (
            top(f"{source.seconds(source.tenant)} / {source.calls(source.tenant)}"),
            source.legend("tenant.id"),
        )
    ],
)

LOAD = Quantity(
    cloudwatch=lambda source: [
        source.line("DatabaseLoad", "Sum", id="busy", visible=False),
        expression("busy / 1000 / PERIOD(busy)", "average active sessions", id="load"),
    ],
    promql=lambda source: [(source.rate("DatabaseLoad"), "average active sessions")],
)

LOAD_BY_TENANT = Quantity(
    cloudwatch=lambda source: [
        source.top("DatabaseLoad", "SUM", visible=False),
        source.line("DatabaseLoad", "Sum", id="busy", visible=False),
        expression("q1 / 1000 / PERIOD(busy)", id="load"),
    ],
    promql=lambda source: [
        (top(source.rate("DatabaseLoad", source.tenant)), source.legend("tenant.id"))
    ],
)

SHARE_OF_LOAD = Quantity(
    cloudwatch=lambda source: [
        source.line("DatabaseLoad", "Sum", id="mine", visible=False),
        source.line("DatabaseLoad", "Sum", fleet=True, id="busy", visible=False),
        expression("100 * mine / busy", "share, %", id="share"),
    ],
    promql=lambda source: [
        (f"100 * {source.rate('DatabaseLoad')} / {source.everybody.rate('DatabaseLoad')}", "share")
    ],
)

SHARE_BY_TENANT = Quantity(
    cloudwatch=lambda source: [
        source.top("DatabaseLoad", "SUM", visible=False),
        source.line("DatabaseLoad", "Sum", id="busy", visible=False),
        expression("100 * q1 / busy", id="share"),
    ],
    promql=lambda source: [
        (
            top(
                f"100 * {source.rate('DatabaseLoad', source.tenant)}"
                f" / scalar({source.rate('DatabaseLoad')})"
            ),
            source.legend("tenant.id"),
        )
    ],
)

BILLED = Quantity(
    cloudwatch=lambda source: [source.line("DatabaseLoad", "SampleCount", label="billed requests")],
    promql=lambda source: [(source.rate("BilledRequests"), "billed requests")],
)

BILLED_BY_TENANT = Quantity(
    cloudwatch=lambda source: [source.top("DatabaseLoad", "COUNT")],
    promql=lambda source: [
        (top(source.rate("BilledRequests", source.tenant)), source.legend("tenant.id"))
    ],
)


def _cost_a_day(source: CloudWatch) -> list[list[Any]]:
    """What the Data API and the compute cost a day at this pace."""
    price = source.settings.usd_per_million_requests
    requests = f"billed * {_DAY_S} / PERIOD(billed)"
    return [
        source.line("DatabaseLoad", "SampleCount", id="billed", visible=False),
        source.rds("ServerlessDatabaseCapacity", id="acu", visible=False),
        expression(f"{requests} * {price} / 1000000", "Data API", id="api"),
        expression(f"acu * 24 * {source.settings.usd_per_acu_hour}", "compute", id="compute"),
    ]


def _cost_to_date(source: CloudWatch) -> list[list[Any]]:
    """The tenant's requests, and its share of the compute by load."""
    settings = source.settings
    requests = f"FILL(billed, 0) * {settings.usd_per_million_requests} / 1000000"
    hours = "PERIOD(busy) / 3600"
    compute = f"FILL(mine, 0) / busy * acu * {hours} * {settings.usd_per_acu_hour}"
    return [
        source.line("DatabaseLoad", "SampleCount", id="billed", visible=False),
        source.line("DatabaseLoad", "Sum", id="mine", visible=False),
        source.line("DatabaseLoad", "Sum", fleet=True, id="busy", visible=False),
        source.rds("ServerlessDatabaseCapacity", id="acu", visible=False),
        expression(f"RUNNING_SUM({requests})", "Data API", id="api"),
        expression(f"RUNNING_SUM({compute})", "compute", id="compute"),
    ]


def _compute_by_tenant(source: CloudWatch) -> list[list[Any]]:
    """The compute of a day, divided among the highest tenants by load."""
    price = source.settings.usd_per_acu_hour
    return [
        source.top("DatabaseLoad", "SUM", visible=False),
        source.line("DatabaseLoad", "Sum", id="busy", visible=False),
        source.rds("ServerlessDatabaseCapacity", id="acu", visible=False),
        expression(f"q1 / busy * acu * 24 * {price}", id="cost"),
    ]


def _requests_a_day(source: PromQL) -> list[tuple[str, str]]:
    return [(f"{_DAY_S} * {source.rate('BilledRequests')} {_PRICE}", "Data API")]


def _requests_of_the_range(source: PromQL) -> list[tuple[str, str]]:
    return [(f"{source.increase('BilledRequests', window='$__range')} {_PRICE}", "")]


COST_A_DAY = Quantity(cloudwatch=_cost_a_day, promql=_requests_a_day)
COST_TO_DATE = Quantity(cloudwatch=_cost_to_date, promql=_requests_a_day)
COST_NOW = Quantity(cloudwatch=_cost_a_day, promql=_requests_of_the_range)
COST_OF_THE_TENANT = Quantity(cloudwatch=_cost_to_date, promql=_requests_of_the_range)
COMPUTE_BY_TENANT = Quantity(cloudwatch=_compute_by_tenant)


def _by(dimension: str, attribute: str, name: str = "DatabaseOperations") -> Quantity:
    """A tenant's calls by one of their dimensions."""

    def grouped(source: PromQL) -> list[tuple[str, str]]:
        label = {"db.operation.name": source.operation, "error.type": source.error}[attribute]
        return [(source.rate(name, label), source.legend(attribute))]

    return Quantity(
        cloudwatch=lambda source: [
            expression(
                source.insights(name, "SUM", dimension, where={"TenantId": str(source.tenant)}),
                id="q1",
            )
        ],
        promql=grouped,
    )


CALLS_BY_OPERATION = _by("Operation", "db.operation.name")
CALLS_BY_OUTCOME = _by("StatusCode", "error.type")

FAILED_BY_CODE = Quantity(
    promql=lambda source: [
        (source.rate("DatabaseErrors", source.error), source.legend("error.type"))
    ]
)

REFUSED = Quantity(
    cloudwatch=lambda source: [
        expression(source.insights("RefusedCalls", "SUM", "Reason", limit=10), id="refused")
    ],
    promql=lambda source: [
        (source.rate("RefusedCalls", source.reason), source.legend("tenantmetrics.reason"))
    ],
)

TROUBLE = Quantity(
    cloudwatch=lambda source: [
        expression(
            "SEARCH('{"
            f'"{source.settings.namespace}",TenantId,Operation,StatusCode'
            '} MetricName="DatabaseOperations" '
            'StatusCode=("ThrottlingException" OR "StatementTimeoutException" OR '
            "\"DatabaseResumingException\")', 'Sum', 60)",
            id="trouble",
        )
    ]
)

ACU = Quantity(cloudwatch=lambda source: [source.rds("ServerlessDatabaseCapacity", label="ACU")])

STORAGE_LATENCY = Quantity(
    cloudwatch=lambda source: [
        source.rds("ReadLatency", id="read", visible=False),
        source.rds("WriteLatency", id="write", visible=False),
        expression("1000 * read", "read", id="read_ms"),
        expression("1000 * write", "write", id="write_ms"),
    ]
)


def cluster(name: str, label: str, stat: str = "Average") -> Quantity:
    """A metric of the cluster's own, which only CloudWatch has."""
    return Quantity(cloudwatch=lambda source: [source.rds(name, stat, label=label)])


def counted(name: str, label: str, *, histogram: bool = False) -> Quantity:
    """The sum of one of our own counters.

    Args:
        name: The metric.
        label: Its label and legend.
        histogram: Whether it is a histogram in PromQL, of which the sum is wanted.
    """
    return Quantity(
        cloudwatch=lambda source: [source.own(name, "Sum", label=label)],
        promql=lambda source: [(source.sum_of(name) if histogram else source.rate(name), label)],
    )
