"""CloudWatch metrics by PutMetricData: see `export.cloudwatch`."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tenantmetrics.catalog import Level
from tenantmetrics.config import Config
from tenantmetrics.export.base import Exporter
from tenantmetrics.export.checks import Finding, aws_call, aws_client
from tenantmetrics.export.destination import Destination, Estimate, Sample, no_argument

__all__ = ["DESTINATION", "metrics_of"]

_PUT_METRIC_DATA_1K = Decimal("0.01")
"""PutMetricData, a thousand requests (CloudWatch pricing page, us-east-1)."""


def _make(rest: str, config: Config) -> Exporter:
    from tenantmetrics.export.cloudwatch import CloudWatchExporter  # noqa: PLC0415 - when used

    no_argument("cloudwatch", rest)
    return CloudWatchExporter(
        namespace=config.namespace,
        level=Level(config.metric_level),
        max_tenants=config.max_metric_tenants,
    )


def _check(rest: str, config: Config) -> Iterator[Finding]:
    no_argument("cloudwatch", rest)
    yield from aws_call(
        "cloudwatch: permission",
        # No data at all: refused for what it lacks by whoever would be allowed to send it.
        lambda: aws_client("cloudwatch").put_metric_data(Namespace=config.namespace, MetricData=[]),
        "cloudwatch:PutMetricData",
        refused_is_fine=True,
    )


def _estimate(sample: Sample) -> Iterator[Estimate]:
    for level in (Level.ESSENTIAL, Level.DETAILED):
        metrics = metrics_of(sample, level)
        requests = -(-metrics // 1_000)
        cost = sample.metric_months(metrics)
        cost += _PUT_METRIC_DATA_1K * requests * sample.windows_a_month / 1_000
        sends = "1 request" if requests == 1 else f"{requests:,} requests"
        yield Estimate(f"cloudwatch {level}", sends, metrics, 0.0, cost)


def metrics_of(sample: Sample, level: Level) -> int:
    """How many CloudWatch metrics there are, by the sample."""
    from tenantmetrics.export.cloudwatch import requests  # noqa: PLC0415 - when used

    data = [
        datum
        for request in requests(sample.window, level=level, max_tenants=sample.window_tenants)
        for datum in request
    ]
    fleet = sum("Dimensions" not in datum for datum in data)
    return fleet + round((len(data) - fleet) / sample.window_tenants * sample.shown)


DESTINATION = Destination(
    name="cloudwatch",
    forms="cloudwatch",
    make=_make,
    check=_check,
    estimate=_estimate,
    uses_aws=lambda _: True,
)
