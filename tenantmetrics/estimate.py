"""What delivery sends, and what it costs a month: measured on a sample window, at list prices.

The sample is made and packed by the exporters' own code, so sizes are what goes over the wire
before compression. Prices are estimates for us-east-1, before discounts and free tiers.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import NamedTuple

from tenantmetrics.catalog import Level
from tenantmetrics.cost import prices
from tenantmetrics.export.cloudwatch import requests
from tenantmetrics.histogram import record
from tenantmetrics.records import Series, SeriesKey, Source, Window

__all__ = ["Estimate", "estimate"]

_SAMPLE_TENANTS = 200
_WINDOWS_A_MONTH = 60 * 730
_PUT_METRIC_DATA_1K = Decimal("0.01")
"""PutMetricData, a thousand requests (CloudWatch pricing page, us-east-1)."""
_LOGS_GB = Decimal("0.50")
"""CloudWatch Logs, a GB ingested (CloudWatch pricing page, us-east-1)."""
_S3_PUT_1K = Decimal("0.005")
"""S3 Standard, a thousand PUT requests (S3 pricing page, us-east-1)."""


class Estimate(NamedTuple):
    """One way of delivery over a month.

    Attributes:
        name: Exporter, and the level where it has one.
        sends: What goes out a minute and process, in words.
        metrics: CloudWatch custom metrics that exist.
        gb_month: Gigabytes a month before compression.
        dollars_month: At list prices; None where the price is not known to us.
    """

    name: str
    sends: str
    metrics: int
    gb_month: float
    dollars_month: Decimal | None


def estimate(tenants: int, processes: int = 1, *, max_metric_tenants: int = 500) -> list[Estimate]:
    """What each exporter would send and cost, if every tenant is active in every minute.

    Args:
        tenants: How many there are.
        processes: Processes that export.
        max_metric_tenants: As in the settings.
    """
    found = []
    shown = min(tenants, max_metric_tenants) + (tenants > max_metric_tenants)
    minutes = _WINDOWS_A_MONTH * processes
    price = prices.built_in("us-east-1")
    sample = _window()
    for level in (Level.ESSENTIAL, Level.DETAILED):
        data = [
            one
            for request in requests(sample, level=level, max_tenants=_SAMPLE_TENANTS)
            for one in request
        ]
        bare = sum("Dimensions" not in one for one in data)
        metrics = bare + round((len(data) - bare) / _SAMPLE_TENANTS * shown)
        calls = -(-metrics // 1_000)
        monthly = price.tiered_cost("metric_month", metrics)
        cost = monthly + _PUT_METRIC_DATA_1K * calls * minutes / 1_000
        found.append(
            Estimate(
                f"cloudwatch {level}",
                "1 request" if calls == 1 else f"{calls:,} requests",
                metrics,
                0.0,
                cost,
            )
        )
        gb = _emf_bytes(sample, level) / _SAMPLE_TENANTS * shown * minutes / 1e9
        cost = monthly + _LOGS_GB * Decimal(gb)
        found.append(Estimate(f"emf {level}", f"{shown + 1:,} documents", metrics, gb, cost))
    size, points = _otlp_size(sample)
    gb = size / _SAMPLE_TENANTS * tenants * minutes / 1e9
    sends = f"{round(points / _SAMPLE_TENANTS * tenants):,} data points"
    found.append(Estimate("otlp", sends, 0, gb, None))
    cost = _S3_PUT_1K * minutes / 1_000
    found.append(Estimate("ledger on S3", "1 object", 0, 0.0, cost))
    return found


def _window() -> Window:
    """A busy minute: each tenant reads, writes and fails now and then."""
    rng = random.Random(1)  # noqa: S311 - no secret
    series: dict[SeriesKey, Series] = {}
    for number in range(_SAMPLE_TENANTS):
        for operation, outcome, share in (
            ("ExecuteStatement", "ok", 1.0),
            ("BatchExecuteStatement", "ok", 0.5),
            ("ExecuteStatement", "BadRequestException", 0.1),
        ):
            if rng.random() > share:
                continue
            key = SeriesKey(
                f"tenant-{number:08d}",
                operation,
                outcome,
                Source.STATEMENT,
                "arn:aws:rds:us-east-1:123456789012:cluster:shared",
                "app",
            )
            one = series[key] = Series()
            for _ in range(20):
                duration_ns = int(rng.lognormvariate(16.5, 0.6))
                record(one, duration_ns)
                one.calls += 1
                one.duration_ns += duration_ns
                one.request_bytes += 400
                one.response_bytes += 2_000
                one.billed_requests += 1
                one.rows_returned += 5
                one.rows_written += 1
    return Window(1_795_209_300, 60, "estimate", 0, series, {})


def _emf_bytes(window: Window, level: Level) -> int:
    from tenantmetrics.export.emf import documents  # noqa: PLC0415 - 250 ms to import

    return sum(
        len(document) + 1
        for document in documents(
            window, namespace="TenantMetrics", level=level, max_tenants=_SAMPLE_TENANTS, meta={}
        )
    )


def _otlp_size(window: Window) -> tuple[int, int]:
    """Bytes and data points of the window over OTLP."""
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import (  # noqa: PLC0415
        encode_metrics,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415

    from tenantmetrics.export.otlp_data import batches, rows  # noqa: PLC0415

    given = list(rows(window))
    made = batches(
        given,
        Resource.create({}),
        InstrumentationScope("tenantmetrics"),
        cumulative=False,
        max_points=10**6,
        max_bytes=10**9,
    )
    return sum(encode_metrics(data).ByteSize() for data in made), len(given)
