"""Windows as the aggregator makes them, and what the exporters write of them."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from tenantmetrics.catalog import Level
from tenantmetrics.export.emf import documents
from tenantmetrics.histogram import record
from tenantmetrics.records import Series, SeriesKey, Source, Window

ARN = "arn:aws:rds:us-east-1:123456789012:cluster:shared"


@dataclass
class Pages:
    """How CloudWatch answers GetMetricData, and what it was asked.

    Attributes:
        size: Datapoints of one page.
        status: Status of what is complete.
        requests: Queries of each request.
        forgotten: Dimension values that ListMetrics knows no more.
    """

    size: int = 100_800
    status: str = "Complete"
    requests: list[int] = field(default_factory=list)
    forgotten: set[str] = field(default_factory=set)


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


@pytest.fixture
def cloudwatch(aws_account: object, monkeypatch: pytest.MonkeyPatch) -> Pages:
    """CloudWatch of the test's own.

    What moto leaves out is added: a series is its exact dimensions, a request holds 500 queries,
    and an answer comes in pages.
    """
    pages = Pages()
    listed = CloudWatchBackend.get_filtered_metrics
    backend, response = CloudWatchBackend.get_metric_data, CloudWatchResponse.get_metric_data

    def exact(self: Any, queries: list[Any], **span: Any) -> list[Any]:
        found = []
        for query in queries:
            metric = query["MetricStat"]["Metric"]
            wanted = {(one["Name"], one["Value"]) for one in metric.get("Dimensions", ())}
            one = copy.copy(self)
            one.aws_metric_data_provider = None
            one.metric_data = [
                datum
                for datum in self.metric_data
                if (datum.namespace, datum.name) == (metric["Namespace"], metric["MetricName"])
                and {(d.name, d.value) for d in datum.dimensions} == wanted
            ]
            found += backend(one, [query], **span)
        return found

    def paged(self: Any) -> ActionResult:
        asked = self._get_params()
        queries = asked["MetricDataQueries"]
        assert len(queries) <= 500
        pages.requests.append(len(queries))
        whole = response(self).result["MetricDataResults"]
        points = [
            (one["id"], at, value)
            for one in whole
            for at, value in zip(one["timestamps"], one["values"], strict=True)
        ]
        first = int(asked.get("NextToken") or 0)
        part, rest = points[first : first + pages.size], len(points) > first + pages.size
        results = []
        for one in whole:
            mine = [(at, value) for name, at, value in part if name == one["id"]]
            code = "PartialData" if rest and one is whole[-1] else pages.status
            results.append(
                {
                    **one,
                    "timestamps": [at for at, _ in mine],
                    "values": [value for _, value in mine],
                    "status_code": code,
                }
            )
        answer = {"MetricDataResults": results}
        return ActionResult(answer | ({"NextToken": str(first + pages.size)} if rest else {}))

    def remembered(self: Any, *arguments: Any) -> list[Any]:
        found = listed(self, *arguments)
        return [one for one in found if not pages.forgotten & {d.value for d in one.dimensions}]

    monkeypatch.setattr(CloudWatchBackend, "get_filtered_metrics", remembered)
    monkeypatch.setattr(CloudWatchBackend, "get_metric_data", exact)
    monkeypatch.setattr(CloudWatchResponse, "get_metric_data", paged)
    return pages
