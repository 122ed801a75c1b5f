"""Windows as the aggregator makes them, and what the exporters write of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tenantmetrics.catalog import Level
from tenantmetrics.export.emf import documents
from tenantmetrics.histogram import record
from tenantmetrics.records import Series, SeriesKey, Source, Window

ARN = "arn:aws:rds:us-east-1:123456789012:cluster:shared"


def seconds(moment: str) -> int:
    """A UTC time in ISO form, as seconds since the epoch."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())


def series_of(rng: random.Random, calls: int) -> Series:
    """The sums of some calls, histogram and all."""
    one = Series()
    for _ in range(calls):
        duration_ns = int(rng.lognormvariate(16.5, 1.2))
        record(one, duration_ns)
        one.calls += 1
        one.duration_ns += duration_ns
        one.attempts += 1
        one.request_bytes += rng.randint(100, 900)
        one.response_bytes += rng.randint(100, 90_000)
        one.billed_requests += rng.randint(1, 3)
        one.rows_returned += rng.randint(0, 50)
        one.rows_written += rng.randint(0, 2)
    return one


@pytest.fixture
def window() -> Callable[..., Window]:
    """Make a window: `window("2026-11-20T21:45", {"acme": 3, "bee": 5})`, calls by tenant."""
    sequences: dict[str, int] = {}

    def make(
        start: str, tenants: dict[str, int], *, failed: int = 1, writer: str = "w", **more: Any
    ) -> Window:
        rng = random.Random(f"{start} {writer} {sorted(tenants)}")
        series = {}
        for tenant, calls in tenants.items():
            key = SeriesKey(tenant, "ExecuteStatement", "ok", Source.SESSION, ARN, "app")
            series[key] = series_of(rng, calls)
            wrong = key._replace(outcome="BadRequestException")
            series[wrong] = series_of(rng, failed)
        sequence = sequences[writer] = sequences.get(writer, -1) + 1
        losses = more.pop("losses", {})
        return Window(seconds(start), 60, writer, sequence, series, losses, **more)

    return make


@pytest.fixture
def lines() -> Callable[..., list[str]]:
    """The EMF exporter's documents of windows, one line of JSON each."""

    def write(
        *windows: Window,
        level: Level = Level.DETAILED,
        max_tenants: int = 500,
        namespace: str = "Shop",
    ) -> list[str]:
        return [
            document
            for one in windows
            for document in documents(
                one, namespace=namespace, level=level, max_tenants=max_tenants, meta={}
            )
        ]

    return write
