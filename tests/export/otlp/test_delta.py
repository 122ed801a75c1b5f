"""OTLP: every tenant arrives, equal to the window, in the conventions' names and units."""

import contextlib
import importlib.util
import math
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tenantmetrics import limits
from tenantmetrics.records import Exemplar, Window
from tests.export.otlp.points import decoded, expected, exporter, in_s, points, totals


@pytest.mark.long
def test_5000_tenants_arrive_over_http_and_none_is_folded(server, real_window):
    """Past the SDK's 2,000 series a metric, decoded with opentelemetry-proto, all equal."""
    window = real_window(5_000)
    sink = exporter(server.url)
    sink.export([window], in_s(120))
    sink.close()
    assert {seen.path for seen in server.seen} == {"/v1/metrics"}
    requests = decoded(seen.content for seen in server.seen)
    assert totals(requests) == expected(window)
    assert max(sum(1 for _ in points([one])) for one in requests) <= 1_000
    assert max(len(seen.content) for seen in server.seen) <= limits.OTLP_CLOUDWATCH_MAX_BYTES


def test_attributes_and_units_follow_the_database_conventions(server, make_window):
    """Stable names, seconds, a region and a server out of the cluster's ARN."""
    window = make_window("acme")
    series = {
        key._replace(
            resource_arn="arn:aws:rds:eu-west-1:1:cluster:c", outcome="BadRequestException"
        ): one
        for key, one in window.series.items()
    }
    sink = exporter(server.url)
    sink.export([Window(window.start_s, 60, "w-7", 0, series, {})], in_s(10))
    sink.close()
    (request,) = decoded(seen.content for seen in server.seen)
    (found,) = (
        (metric, attributes, point)
        for metric, attributes, point in points([request])
        if metric.name == "db.client.operation.duration"
    )
    metric, attributes, point = found
    assert metric.unit == "s"
    assert metric.exponential_histogram.aggregation_temporality == 1
    assert attributes == {
        "tenant.id": "acme",
        "db.system.name": "postgresql",
        "db.namespace": "app",
        "db.operation.name": "ExecuteStatement",
        "error.type": "BadRequestException",
        "server.address": "rds-data.eu-west-1.amazonaws.com",
        "cloud.region": "eu-west-1",
        "cloud.resource_id": "arn:aws:rds:eu-west-1:1:cluster:c",
    }
    assert point.start_time_unix_nano == window.start_s * 10**9
    assert point.time_unix_nano == (window.start_s + 60) * 10**9
    assert (point.min, point.max) == (0.004, 0.006)
    resource = {
        one.key: one.value.string_value for one in request.resource_metrics[0].resource.attributes
    }
    assert resource["service.instance.id"] == "w-7"


def test_buckets_lie_where_the_durations_are(server, real_window):
    """In seconds, the counted durations are inside their buckets, half a bucket's width allowed."""
    window = real_window(20)
    sink = exporter(server.url)
    sink.export([window], in_s(10))
    sink.close()
    for metric, _, point in points(decoded(seen.content for seen in server.seen)):
        if metric.name != "db.client.operation.duration":
            continue
        base = 2 ** (2.0**-point.scale)
        low = base**point.positive.offset
        high = base ** (point.positive.offset + len(point.positive.bucket_counts))
        slack = math.sqrt(base) * 1.001
        assert low / slack <= point.min <= low * base * slack
        assert high / base / slack <= point.max <= high * slack


def test_an_exemplar_is_sent_once_it_is_not_a_sum(server, make_window):
    """Cumulative points repeat their sums; a trace of hours ago is none of this minute's."""
    first, second = make_window("acme"), make_window("acme", sequence=1)
    for one in first.series.values():
        one.exemplar = Exemplar(0xAB, 0xCD, 6_000_000, 1_795_209_310 * 10**9)
    sink = exporter(server.url, {})
    sink.export([first], in_s(10))
    sink.export([second], in_s(10))
    sink.close()
    exemplars = [
        len(point.exemplars)
        for metric, _, point in points(decoded(seen.content for seen in server.seen))
        if metric.name == "db.client.operation.duration"
    ]
    assert exemplars == [1, 0]


def test_exemplars_carry_the_trace(server, make_window):
    """The slowest traced call of a series points at its trace."""
    window = make_window("acme")
    for one in window.series.values():
        one.exemplar = Exemplar(0xABC, 0xDEF, 6_000_000, window.start_s * 10**9)
    sink = exporter(server.url)
    sink.export([window], in_s(10))
    sink.close()
    (found,) = (
        point.exemplars[0]
        for metric, _, point in points(decoded(seen.content for seen in server.seen))
        if metric.name == "db.client.operation.duration"
    )
    assert found.trace_id == (0xABC).to_bytes(16)
    assert found.span_id == (0xDEF).to_bytes(8)
    assert found.as_double == 0.006


def wait_for_port(port, deadline_s):
    """Return once something listens."""
    while time.monotonic() < deadline_s:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        threading.Event().wait(0.02)
    pytest.fail("nothing listens")


ROTEL = importlib.util.find_spec("rotel")


@pytest.mark.long
def test_5000_tenants_pass_through_a_live_collector(server, real_window, tmp_path):
    """rotel, a collector in a process of its own, takes every point and hands it on unchanged."""
    agent = Path(ROTEL.submodule_search_locations[0]) / "rotel-agent"
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        http_port, grpc_port = one.getsockname()[1], two.getsockname()[1]
    window = real_window(5_000)
    with (tmp_path / "log").open("wb") as log:
        collector = subprocess.Popen(
            [
                agent,
                "start",
                f"--otlp-http-endpoint=127.0.0.1:{http_port}",
                f"--otlp-grpc-endpoint=127.0.0.1:{grpc_port}",
                "--exporter=otlp",
                f"--otlp-exporter-endpoint={server.url}",
                "--otlp-exporter-protocol=http",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        sink = exporter(f"http://127.0.0.1:{http_port}")
        wait_for_port(http_port, in_s(30))
        sink.export([window], in_s(60))
        sink.close()
        collector.terminate()  # it hands on what it holds before it ends
        assert collector.wait(30) == 0, (tmp_path / "log").read_text()
    finally:
        collector.kill()
        collector.wait()
    assert totals(decoded(seen.content for seen in server.seen)) == expected(window)
