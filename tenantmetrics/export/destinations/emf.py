"""CloudWatch embedded metric format, to stdout or the agent: see `export.emf`."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tenantmetrics.catalog import Level
from tenantmetrics.config import Config
from tenantmetrics.export.base import Exporter
from tenantmetrics.export.checks import Finding, State, connect
from tenantmetrics.export.destination import Destination, Estimate, Sample, no_argument
from tenantmetrics.export.destinations.cloudwatch import metrics_of

__all__ = ["DESTINATION"]

_LOGS_GB = Decimal("0.50")
"""CloudWatch Logs, a GB ingested (CloudWatch pricing page, us-east-1)."""


def _make(rest: str, config: Config) -> Exporter:
    from tenantmetrics.export.emf import EmfExporter  # noqa: PLC0415 - 250 ms to import

    no_argument("emf", rest)
    return EmfExporter(
        namespace=config.namespace,
        level=Level(config.metric_level),
        max_tenants=config.max_metric_tenants,
    )


def _check(rest: str, config: Config) -> Iterator[Finding]:
    from tenantmetrics.export.emf import agent_address  # noqa: PLC0415 - 250 ms to import

    no_argument("emf", rest)
    address = agent_address()
    if address is None:
        yield Finding("emf: stdout", State.OK, f"namespace {config.namespace}")
        return
    scheme, (host, port) = address
    if scheme == "udp":
        yield Finding(
            "emf: agent", State.WARNING, f"udp://{host}:{port}: UDP is never acknowledged"
        )
        return
    yield connect("emf: agent", host, port)


def _estimate(sample: Sample) -> Iterator[Estimate]:
    for level in (Level.ESSENTIAL, Level.DETAILED):
        metrics = metrics_of(sample, level)
        size = _bytes(sample, level) / sample.window_tenants * sample.shown
        gb = size * sample.windows_a_month / 1e9
        cost = sample.metric_months(metrics) + _LOGS_GB * Decimal(gb)
        yield Estimate(f"emf {level}", f"{sample.shown + 1:,} documents", metrics, gb, cost)


def _bytes(sample: Sample, level: Level) -> int:
    from tenantmetrics.export.emf import documents  # noqa: PLC0415 - 250 ms to import

    return sum(
        len(document) + 1
        for document in documents(
            sample.window,
            namespace="TenantMetrics",
            level=level,
            max_tenants=sample.window_tenants,
            meta={},
        )
    )


DESTINATION = Destination(name="emf", forms="emf", make=_make, check=_check, estimate=_estimate)
