"""CloudWatch metrics through PutMetricData.

Delivery contract: at most once. A request that surely was not taken (no connection, throttled,
credentials refused) is sent again, throttling within the deadline, the rest with the next export.
A request that may have been taken (500, a connection that broke, no answer in time) is not: its
window is counted as `export_uncertain`. PutMetricData is not idempotent: the alternative would be
numbers that are too high and cannot be taken back. What CloudWatch refuses for good, and windows
older than the 14 days that it takes, are given up and counted. A window of many requests remembers
which of them are done: a second try sends only the others.

Sums, sample counts, minima and maxima are exact; percentiles are within a histogram bucket.
"""

from __future__ import annotations

import gzip
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tenantmetrics import limits
from tenantmetrics.arns import region_of
from tenantmetrics.catalog import Form, Level
from tenantmetrics.export.aws import Clients, fate
from tenantmetrics.export.points import Group, Point, groups
from tenantmetrics.export.resume import Fate, Resumable, Undelivered
from tenantmetrics.records import Window

__all__ = ["JSON", "QUERY", "CloudWatchExporter", "Widths", "requests"]

_GZIP_LEVEL = 1
"""botocore's 9 takes four times the CPU, a quarter of an export's, for 30 % fewer bytes."""
_COMPRESS_NEVER_BYTES = 1_048_576
"""The most that botocore's threshold may be: larger than any request, which is compressed here."""
_BACKOFF_S = 0.2
_BACKOFF_MAX_S = 5.0


class CloudWatchExporter:
    """Sends each window's metrics, as many requests as it takes.

    Region, credentials and endpoint are boto3's own: AWS_DEFAULT_REGION, the shared config files,
    AWS_ENDPOINT_URL_CLOUDWATCH. They are looked up at the first export, on the exporter's thread.
    Where boto3 knows no region it is AWS_REGION's, else that of the cluster that was called.

    Args:
        namespace: CloudWatch namespace.
        level: ESSENTIAL or DETAILED.
        max_tenants: Tenants with metrics of their own.
        clock: Monotonic seconds; injected by tests.
        wall_clock: Seconds since the epoch; injected by tests.
    """

    name = "cloudwatch"

    def __init__(
        self,
        *,
        namespace: str,
        level: Level,
        max_tenants: int,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._namespace = namespace
        self._level = level
        self._max_tenants = max_tenants
        self._clock = clock
        self._wall_clock = wall_clock
        self._clients = Clients(
            "cloudwatch", clock=clock, request_min_compression_size_bytes=_COMPRESS_NEVER_BYTES
        )
        self._sender: Resumable[list[dict[str, Any]]] = Resumable(self._requests, self._send)
        self._closed = threading.Event()

    def export(self, windows: Sequence[Window], deadline_s: float) -> None:
        """Send the windows, as `Exporter.export` says."""
        if not self._clients.default_region:
            self._clients.default_region = _region(windows)
        self._sender.export(windows, deadline_s)

    def close(self) -> None:
        """Close the connections."""
        self._closed.set()
        self._clients.forget()

    def _requests(self, window: Window) -> Iterator[list[dict[str, Any]]]:
        return requests(
            window,
            level=self._level,
            max_tenants=self._max_tenants,
            widths=JSON if _speaks_json() else QUERY,
        )

    def _send(self, data: list[dict[str, Any]], deadline_s: float) -> None:
        """Send one request; a throttled one again until the deadline."""
        if data[0]["Timestamp"].timestamp() <= self._wall_clock() - limits.METRIC_MAX_AGE_S:
            raise Undelivered(Fate.REJECTED, ValueError("older than CloudWatch takes"))
        wait_s = _BACKOFF_S
        while True:
            try:
                client = self._clients.within(deadline_s)
            except Exception as error:  # noqa: BLE001 - no time, no region, an endpoint that is none
                raise Undelivered(Fate.FAILED, error) from None
            try:
                self._put(client, data)
            except Exception as error:  # noqa: BLE001 - read here, told to the fanout
                became = fate(error, "PutMetricData")
                if became is Fate.FAILED:
                    self._clients.forget()
                pause_s = random.uniform(wait_s / 2, wait_s)  # noqa: S311 - no secret
                if (
                    became is not Fate.THROTTLED
                    or self._clock() + pause_s >= deadline_s
                    or self._closed.wait(pause_s)
                ):
                    raise Undelivered(became, error) from None
                wait_s = min(2 * wait_s, _BACKOFF_MAX_S)
            else:
                return

    def _put(self, client: Any, data: list[dict[str, Any]]) -> None:
        """One PutMetricData call through boto3.

        botocore's serialiser walks every number in Python, which is half of an export's CPU. Where
        its protocol is plain JSON, the body is encoded here and put in by its `before-call` event,
        compressed; signing, endpoints and errors stay botocore's. botocore up to 1.41 speaks the
        query protocol, which it serialises itself.
        """
        body: Any = None
        if _speaks_json():
            body = json.dumps(
                {"Namespace": self._namespace, "MetricData": data}, default=datetime.timestamp
            ).encode()
            data = []

        def put_in(params: dict[str, Any], **_: Any) -> None:
            content = body or params["body"]
            if isinstance(content, dict):  # the query protocol, in older botocores
                content = urlencode(content, doseq=True).encode()
            if not client.meta.config.disable_request_compression:
                content = gzip.compress(content, _GZIP_LEVEL, mtime=0)
                params["headers"]["Content-Encoding"] = "gzip"
            params["body"] = content

        event = "before-call.cloudwatch.PutMetricData"
        client.meta.events.register(event, put_in)
        try:
            client.put_metric_data(Namespace=self._namespace, MetricData=data)
        finally:
            client.meta.events.unregister(event, put_in)


@lru_cache(maxsize=1)
def _speaks_json() -> bool:
    """Whether this botocore sends PutMetricData as JSON rather than as a query."""
    from botocore.session import Session  # noqa: PLC0415 - loaded with the first client

    model = Session().get_service_model("cloudwatch")
    return bool(getattr(model, "resolved_protocol", "query") == "json")


def _region(windows: Sequence[Window]) -> str:
    """The region of a cluster in the windows; empty where there is none."""
    regions = (region_of(key.resource_arn) for window in windows for key in window.series)
    return next(filter(None, regions), "")


class Widths(NamedTuple):
    """Bytes of a datum on the wire at most, by what it consists of.

    Attributes:
        datum: Names, braces, timestamp and statistics.
        dimension: A dimension without the characters of its value.
        character: A character of a value.
        pair: A value and its count.
    """

    datum: int
    dimension: int
    character: int
    pair: int


JSON = Widths(datum=160, dimension=48, character=2, pair=39)
"""A character may need a backslash; a double's longest form with its comma takes 26 bytes."""
QUERY = Widths(datum=480, dimension=120, character=3, pair=132)
"""Every number is preceded by its path: `MetricData.member.1000.Values.member.150=`."""


def requests(
    window: Window, *, level: Level, max_tenants: int, widths: Widths = JSON
) -> Iterator[list[dict[str, Any]]]:
    """A window's data in requests that CloudWatch takes: 1,000 metrics and 1 MB at most.

    Args:
        window: A closed window; the same requests in the same order every time.
        level: ESSENTIAL or DETAILED.
        max_tenants: Tenants with metrics of their own.
        widths: How much room data take in the protocol's form.

    Yields:
        `MetricData` of one PutMetricData request.
    """
    data: list[dict[str, Any]] = []
    size = 0
    # One object for all data: botocore takes longer over a number, for which it asks the time zone.
    at = datetime.fromtimestamp(window.start_s, UTC)
    for group in groups(
        window, level=level, max_tenants=max_tenants, values_max=limits.METRIC_VALUES_MAX
    ):
        for point in group.points:
            needs = _size(group, point, widths)
            if data and (
                len(data) == limits.METRIC_DATA_MAX
                or size + needs > limits.PUT_METRIC_DATA_MAX_BYTES
            ):
                yield data
                data, size = [], 0
            data.append(_datum(at, group, point))
            size += needs
    if data:
        yield data


def _size(group: Group, point: Point, widths: Widths) -> int:
    return (
        widths.datum
        + sum(widths.dimension + widths.character * len(value) for value in group.dimensions)
        + widths.pair * len(point.values)
    )


def _datum(at: datetime, group: Group, point: Point) -> dict[str, Any]:
    metric = point.metric
    datum: dict[str, Any] = {
        "MetricName": metric.name,
        "Timestamp": at,
        "Unit": metric.unit,
    }
    if group.dimensions:
        datum["Dimensions"] = [
            {"Name": name, "Value": value}
            for name, value in zip(metric.dimensions, group.dimensions, strict=True)
        ]
    if metric.form is Form.VALUES:
        datum["Values"] = [float(value) for value, _ in point.values]
        datum["Counts"] = [float(count) for _, count in point.values]
    elif metric.form in {Form.STATISTIC_SET, Form.LOAD}:
        datum["StatisticValues"] = {
            "SampleCount": float(sum(count for _, count in point.values)),
            "Sum": float(sum(value * count for value, count in point.values)),
            "Minimum": float(min(value for value, _ in point.values)),
            "Maximum": float(max(value for value, _ in point.values)),
        }
    else:
        datum["Value"] = float(point.values[0][0])
    return datum
