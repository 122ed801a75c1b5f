"""OTLP: every tenant arrives, equal to the window; what may have arrived is not counted twice."""

import contextlib
import importlib.util
import math
import os
import re
import socket
import subprocess
import threading
import time
from collections import defaultdict
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as service_grpc

# Loaded with the first export, whose deadline here is a second.
import tenantmetrics.export.otlp_data
import tenantmetrics.export.otlp_http  # noqa: F401
from tenantmetrics import limits
from tenantmetrics.errors import ConfigError
from tenantmetrics.export.base import ExportError
from tenantmetrics.export.otlp import OtlpExporter
from tenantmetrics.export.otlp_target import target
from tenantmetrics.records import OK, Exemplar, Window

DELTA = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}
NO_LIMIT = 10**9


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """Nothing of the developer's own OpenTelemetry settings."""
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)


def exporter(url, environ=DELTA, **settings):
    return OtlpExporter(target(url, environ), max_series=NO_LIMIT, **settings)


def in_s(seconds):
    return time.monotonic() + seconds


def decoded(bodies):
    return [service.ExportMetricsServiceRequest.FromString(body) for body in bodies]


def points(requests):
    """(metric, attributes, point) of everything in some requests."""
    for request in requests:
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    kind = metric.WhichOneof("data")
                    for point in getattr(metric, kind).data_points:
                        attributes = {one.key: one.value.string_value for one in point.attributes}
                        yield metric, attributes, point


def totals(requests):
    """Per tenant: calls, duration in ns, billed requests, rows, errors, histogram counts, load."""
    sums = defaultdict(lambda: [0, 0, 0, 0, 0, 0, 0])
    for metric, attributes, point in points(requests):
        row = sums[attributes.get("tenant.id", "")]
        if metric.name == "tenantmetrics.operations":
            row[0] += point.as_int
        elif metric.name == "db.client.operation.duration":
            row[1] += round(point.sum * 1e9)
            row[5] += sum(point.positive.bucket_counts)
            assert point.count == sum(point.positive.bucket_counts)
        elif metric.name == "tenantmetrics.billed_requests":
            row[2] += point.as_int
        elif metric.name == "db.client.response.returned_rows":
            row[3] += round(point.sum)
        elif metric.name == "tenantmetrics.errors":
            row[4] += point.as_int
        elif metric.name == "tenantmetrics.database.load":
            row[6] += round(point.as_double * 1e9)
    sums.pop("", None)
    return dict(sums)


def expected(*windows):
    sums = defaultdict(lambda: [0, 0, 0, 0, 0, 0, 0])
    for window in windows:
        for key, one in window.series.items():
            row = sums[key.tenant]
            row[0] += one.calls
            row[1] += one.duration_ns
            row[2] += one.billed_requests
            row[3] += one.rows_returned
            row[4] += one.calls if key.outcome != OK else 0
            row[5] += sum(one.buckets.values())
        for tenant, load_ns in window.load_ns.items():
            sums[tenant][6] += load_ns
    return dict(sums)


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


def test_cumulative_sums_grow_from_one_start(server, real_window):
    """OpenTelemetry's default: each export has everything since the first, with its start time."""
    first, second = (
        real_window(30, seed=seed, start_s=1_795_209_300 + 60 * seed) for seed in (1, 2)
    )
    first = Window(first.start_s, 60, "w", 1, first.series, {})
    second = Window(second.start_s, 60, "w", 2, second.series, {})
    sink = exporter(server.url, {})
    sink.export([first], in_s(10))
    sink.export([second], in_s(10))
    sink.close()
    requests = decoded(seen.content for seen in server.seen)
    assert totals(requests[:1]) == expected(first)
    assert totals(requests[1:]) == expected(first, second)
    for metric, _, point in points(requests[1:]):
        data = getattr(metric, metric.WhichOneof("data"))
        assert data.aggregation_temporality == 2
        assert point.start_time_unix_nano in {first.start_s * 10**9, second.start_s * 10**9}


def test_a_failed_cumulative_export_is_made_good_by_the_next(server, answer, real_window):
    """Repeats are harmless: the window is offered again and added once."""
    window, later = real_window(5, seed=1), real_window(5, seed=2)
    sink = exporter(server.url, {})
    server.answers = [answer(500)]
    with pytest.raises(ExportError) as caught:
        sink.export([window], in_s(10))
    assert caught.value.failed == (window,)
    server.seen.clear()
    sink.export([window, later], in_s(10))
    sink.close()
    assert totals(decoded(seen.content for seen in server.seen)) == expected(window, later)


def test_cumulative_state_is_bounded_by_what_was_silent_longest(server, make_window):
    """Past the bound series start anew; what came with the latest window never goes."""
    sink = OtlpExporter(target(server.url, {}), max_series=3)
    for number, tenants in enumerate((["a", "b"], ["c", "d"], ["a", *"efghi"])):
        server.seen.clear()
        sink.export([make_window(*tenants, sequence=number)], in_s(10))
        sent = totals(decoded(seen.content for seen in server.seen))
        assert set(sent) == ({"a", "b"}, {"b", "c", "d"}, {"a", *"efghi"})[number]
    assert sent["a"] == sent["e"]  # "a" went and came back
    sink.close()


def test_silent_series_stand_at_the_latest_time(server, make_window):
    """A point that does not move on is taken for one that has gone."""
    first = make_window("acme")
    second = Window(first.start_s + 600, 60, "host-1", 1, make_window("bee").series, {})
    sink = exporter(server.url, {})
    sink.export([first, second], in_s(10))
    sink.close()
    found = {
        (attributes["tenant.id"], point.start_time_unix_nano, point.time_unix_nano)
        for metric, attributes, point in points(decoded(seen.content for seen in server.seen))
        if metric.name == "db.client.operation.duration"
    }
    end_ns = (second.start_s + 60) * 10**9
    assert found == {
        ("acme", first.start_s * 10**9, end_ns),
        ("bee", second.start_s * 10**9, end_ns),
    }


@pytest.mark.parametrize("status", [400, 500])
def test_a_request_that_the_receiver_cannot_digest_holds_up_no_other(
    server, answer, real_window, status
):
    """The sums behind it arrive, with the same export."""
    window = real_window(300)
    sink = exporter(server.url, {})
    server.answers = [answer(status)]
    with pytest.raises(ExportError) as caught:
        sink.export([window], in_s(30))
    sink.close()
    assert caught.value.failed == ((window,) if status == 500 else ())
    assert caught.value.rejected == ((window,) if status == 400 else ())
    everything = totals(decoded(seen.content for seen in server.seen))
    assert everything == expected(window)


FAULTS = {
    "500": ((500,), "uncertain"),
    "502": ((502,), "uncertain"),
    "503": ((503,), "failed"),
    "throttled": ((429,), "failed"),
    "400": ((400,), "rejected"),
    "redirect": ((302,), "rejected"),
    "expired credentials": ((403,), "failed"),
    "points refused": (
        (
            200,
            service.ExportMetricsServiceResponse(
                partial_success={"rejected_data_points": 3}
            ).SerializeToString(),
        ),
        "rejected",
    ),
    "reset": ("reset", "uncertain"),
    "no answer": ("hang", "uncertain"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_over_http_is_read_for_what_it_says(server, answer, make_window, fault):
    """The stock exporter retries by itself; what may have arrived is not sent a second time."""
    what, fate = FAULTS[fault]
    server.standing = answer(trouble=what) if isinstance(what, str) else answer(*what)
    window = make_window("acme")
    sink = exporter(server.url)
    started = time.monotonic()
    with pytest.raises(ExportError) as caught:
        sink.export([window], in_s(1))
    sink.close()
    assert time.monotonic() - started < 5
    became = {name: getattr(caught.value, name) for name in ("failed", "uncertain", "rejected")}
    assert became == {name: (window,) if name == fate else () for name in became}
    if fate != "failed":
        assert len(server.seen) == 1


def test_nobody_listening_is_a_failure_that_may_be_tried_again(server, make_window):
    """Connection refused, over HTTP and over gRPC."""
    server.close()
    window = make_window("acme")
    for url in (server.url, server.url.replace("http", "grpc")):
        sink = exporter(url)
        with pytest.raises(ExportError) as caught:
            sink.export([window], in_s(3))
        sink.close()
        assert caught.value.failed == (window,)


def test_a_second_try_sends_only_the_requests_that_are_not_done(server, answer, real_window):
    """Delta points that arrived are not sent again."""
    window = real_window(400)
    sink = exporter(server.url)
    server.answers = [answer(), answer(403)]
    with pytest.raises(ExportError):
        sink.export([window], in_s(10))
    taken = server.seen[0].content
    server.seen.clear()
    sink.export([window], in_s(10))
    sink.close()
    bodies = [taken, *(seen.content for seen in server.seen)]
    assert totals(decoded(bodies)) == expected(window)


class Receiver(service_grpc.MetricsServiceServicer):
    def __init__(self):
        self.requests = []
        self.trouble = []

    def Export(self, request, context):  # noqa: N802 - the RPC
        if self.trouble:
            context.abort(self.trouble.pop(0), "no")
        self.requests.append(request)
        return service.ExportMetricsServiceResponse()


@pytest.fixture
def grpc_receiver():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    receiver = Receiver()
    service_grpc.add_MetricsServiceServicer_to_server(receiver, server)
    receiver.url = f"grpc://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield receiver
    server.stop(None).wait()


def test_tenants_arrive_over_grpc(grpc_receiver, real_window):
    """The same numbers through the other stock exporter."""
    window = real_window(500)
    sink = exporter(grpc_receiver.url)
    sink.export([window], in_s(30))
    sink.close()
    assert totals(grpc_receiver.requests) == expected(window)


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ""),
        (grpc.StatusCode.UNAUTHENTICATED, "failed"),
        (grpc.StatusCode.INVALID_ARGUMENT, "rejected"),
        (grpc.StatusCode.INTERNAL, "uncertain"),
        (grpc.StatusCode.UNAVAILABLE, "uncertain"),
    ],
)
def test_each_grpc_status_is_read_for_what_it_says(grpc_receiver, make_window, status, fate):
    """Only throttling is tried again at once."""
    grpc_receiver.trouble = [status]
    window = make_window("acme")
    sink = exporter(grpc_receiver.url)
    if fate:
        with pytest.raises(ExportError) as caught:
            sink.export([window], in_s(5))
        assert getattr(caught.value, fate) == (window,)
        assert grpc_receiver.requests == []
    else:
        sink.export([window], in_s(5))
        assert len(grpc_receiver.requests) == 1
    sink.close()


def test_a_grpc_receiver_that_never_answers_costs_no_more_than_the_deadline(make_window):
    """A port that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sink = exporter(f"grpc://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(ExportError):
            sink.export([make_window("acme")], in_s(0.5))
        sink.close()
        assert time.monotonic() - started < 4


def signature(url, seen):
    """What the receiver computes from the bytes that arrived, to compare with what was sent."""
    names = re.search("SignedHeaders=([^,]+)", seen.headers["authorization"]).group(1).split(";")
    headers = {name: seen.headers[name] for name in names if name != "host"}
    request = AWSRequest("POST", url + seen.path, headers=headers, data=seen.body)
    request.context["timestamp"] = seen.headers["x-amz-date"]
    signer = SigV4Auth(Credentials("testing", "testing", "token"), "monitoring", "eu-central-1")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return f"Signature={signer.signature(text, request)}"


def test_requests_to_cloudwatch_are_signed_and_gzip(aws, server, real_window, monkeypatch):
    """SigV4 for the service `monitoring`, the body under the signature, 1,000 points at most."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    window = real_window(300)
    sink = exporter(f"{server.url}/v1/metrics", region="eu-central-1")
    sink.export([window], in_s(30))
    sink.close()
    for seen in server.seen:
        assert seen.headers["content-encoding"] == "gzip"
        scope = "/eu-central-1/monitoring/aws4_request"
        assert scope in seen.headers["authorization"]
        assert "content-type;host;x-amz-date" in seen.headers["authorization"]
        assert seen.headers["x-amz-security-token"] == "token"
        assert seen.headers["authorization"].endswith(signature(server.url, seen))
    requests = decoded(seen.content for seen in server.seen)
    assert totals(requests) == expected(window)
    assert max(sum(1 for _ in points([one])) for one in requests) == 1_000


def test_credentials_are_looked_up_once_and_again_after_a_refusal(
    aws, server, answer, make_window, monkeypatch
):
    """A metadata service is not asked every minute; renewed credentials are found."""
    sink = exporter(server.url, region="eu-central-1")
    keys = []
    for number, key in enumerate(["first", "second", "third"]):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        if number == 1:
            server.answers = [answer(403)]
            with pytest.raises(ExportError):
                sink.export([make_window("acme", sequence=number)], in_s(10))
        else:
            sink.export([make_window("acme", sequence=number)], in_s(10))
        keys.append(re.search(r"Credential=(\w+)/", server.seen[-1].headers["authorization"])[1])
    sink.close()
    assert keys == ["first", "first", "third"]


def test_the_cloudwatch_endpoint_is_known_by_its_name():
    """Its region is in the host; any other host is not signed for."""
    assert target("https://monitoring.eu-west-1.amazonaws.com/v1/metrics", {}).region == "eu-west-1"
    assert target("https://collector.example/v1/metrics", {}).region == ""


@pytest.mark.parametrize(
    ("url", "environ", "expects"),
    [
        ("", {}, ("http://localhost:4318/v1/metrics", False)),
        (
            "",
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1/"},
            ("http://c:1/v1/metrics", False),
        ),
        (
            "",
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            ("http://c:1", True),
        ),
        ("", {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c/x"}, ("http://c/x", False)),
        ("grpcs://c:2", {}, ("https://c:2", True)),
        ("https://c:2", {}, ("https://c:2/v1/metrics", False)),
    ],
)
def test_the_endpoint_comes_from_the_argument_or_the_environment(url, environ, expects):
    """OpenTelemetry's own rules for its own variables."""
    found = target(url, environ)
    assert (found.url, found.grpc) == expects


@pytest.mark.parametrize(
    ("url", "environ", "says"),
    [
        ("localhost:4318", {}, "otlp endpoint 'localhost:4318'"),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("", {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "http/json"),
        (
            "",
            {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "sometimes"},
            "cumulative, delta or lowmemory",
        ),
    ],
)
def test_what_is_not_understood_is_one_clear_error(url, environ, says):
    """Named at start, with where it came from."""
    with pytest.raises(ConfigError, match=says):
        target(url, environ)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("COMPRESSION", "zstd", "OTEL_EXPORTER_OTLP_COMPRESSION is 'zstd': must be none, gzip"),
        ("METRICS_CERTIFICATE", "/no/ca", "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE is '/no/ca'"),
        ("HEADERS", "api-key hunter2", "OTEL_EXPORTER_OTLP_HEADERS is not name=value"),
    ],
)
def test_what_would_fail_at_every_export_is_told_at_start(name, value, says):
    """The stock exporters find out late or log the header, secret and all."""
    with pytest.raises(ConfigError, match=re.escape(says)) as caught:
        target("http://h", {f"OTEL_EXPORTER_OTLP_{name}": value})
    assert "hunter2" not in str(caught.value)


def test_headers_of_every_usual_form_are_taken():
    """Encoded or not, with spaces and equals signs in the value."""
    for headers in ("a=b", "Authorization=Bearer abc==", "x-key=a%20b, y = c", ",a=b,"):
        assert target("http://h", {"OTEL_EXPORTER_OTLP_HEADERS": headers}).url


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
