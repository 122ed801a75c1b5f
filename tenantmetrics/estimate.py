"""What delivery sends, and what it costs a month: measured on a sample window, at list prices.

The sample is made and packed by the exporters' own code, so sizes are what goes over the wire
before compression. Prices are estimates for us-east-1, before discounts and free tiers. What each
destination makes of the sample it says itself: see `Destination.estimate`.
"""

from __future__ import annotations

import random

from tenantmetrics.cost import prices
from tenantmetrics.export.destination import Estimate, Sample
from tenantmetrics.export.registry import built_in
from tenantmetrics.histogram import record
from tenantmetrics.records import Series, SeriesKey, Source, Window

__all__ = ["Estimate", "estimate"]

_SAMPLE_TENANTS = 200
_WINDOWS_A_MONTH = 60 * 730


def estimate(tenants: int, processes: int = 1, *, max_metric_tenants: int = 500) -> list[Estimate]:
    """What each exporter would send and cost, if every tenant is active in every minute.

    Args:
        tenants: How many there are.
        processes: Processes that export.
        max_metric_tenants: As in the settings.
    """
    price = prices.built_in("us-east-1")
    sample = Sample(
        window=_window(),
        window_tenants=_SAMPLE_TENANTS,
        tenants=tenants,
        shown=min(tenants, max_metric_tenants) + (tenants > max_metric_tenants),
        windows_a_month=_WINDOWS_A_MONTH * processes,
        metric_months=lambda metrics: price.tiered_cost("metric_month", metrics),
    )
    return [found for destination in built_in() for found in destination.estimate(sample)]


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
    loads = {key.tenant: 20_000_000 for key in series}
    return Window(1_795_209_300, 60, "estimate", 0, series, {}, load_ns=loads)
