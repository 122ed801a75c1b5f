"""Every panel of Grafana's dashboards in a real Prometheus: data, and the traffic's figures."""

import json
import shutil
import socket
import struct
import subprocess
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from tenantmetrics.console.alarm import resolve
from tenantmetrics.console.alarms import ALARMS
from tenantmetrics.console.checks import grafana as checks
from tenantmetrics.console.checks.promql import expand, parse_promql
from tenantmetrics.console.parameters import PARAMETERS
from tenantmetrics.console.rehearsal import promeval, scenario
from tenantmetrics.console.rehearsal.store import MetricStore
from tenantmetrics.export.otlp_data import batches
from tenantmetrics.export.otlp_rows import Cumulative
from tests.parts import lacking

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "dashboards/grafana").rglob("*.json"))
BODIES = {str(path.relative_to(ROOT)): json.loads(path.read_text("utf-8")) for path in FILES}
FLEET = "dashboards/grafana/fleet.json"
TRAFFIC = """
minutes = 30
tenants = { acme = 120, bee = 60, cat = 30 }
error_rate = 0.1
during = [
  { from = 2, to = 28, tenant = "acme", unattributed = 10, conflicts = 2, undecided = 1 },
  { from = 2, to = 28, losses = { queue_full = 3, series_cap = 2 } },
  { from = 2, to = 28, export_failures = { cloudwatch = 1 } },
  { from = 2, to = 28, refused = { no_tenant = 4 } },
]
"""


def field(number, kind, payload):
    return varint(number << 3 | kind) + payload


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def zigzag(number):
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def block(number, payload):
    return field(number, 2, varint(len(payload)) + payload)


def double(number, value):
    return field(number, 1, struct.pack("<d", value))


def stamp(point, number=2):
    return field(number, 0, varint(point.time_unix_nano // 1_000_000))


def native_histogram(point):
    """prometheus.Histogram of remote write 1.0, its buckets as differences."""
    counts = list(point.positive.bucket_counts)
    deltas = b"".join(
        zigzag(count - before) for before, count in zip([0, *counts], counts, strict=False)
    )
    # Prometheus numbers a bucket by its upper edge, OpenTelemetry by its lower.
    span = field(1, 0, zigzag(point.positive.offset + 1)) + field(2, 0, varint(len(counts)))
    return (
        field(1, 0, varint(point.count))
        + double(3, point.sum)
        + field(4, 0, zigzag(point.scale))
        + double(5, 1e-9)
        + block(11, span)
        + block(12, deltas)
        + stamp(point, 15)
    )


def prometheus_name(metric, kind):
    """OpenTelemetry's rules, written down apart from the package's own."""
    name = metric.name.replace(".", "_")
    for unit, word in (("s", "seconds"), ("By", "bytes")):
        if metric.unit == unit:
            name += f"_{word}"
    return name + ("_total" if kind == "Sum" else "")


def time_series(metric):
    """Encoded TimeSeries of one OTLP metric."""
    kind = type(metric.data).__name__
    name = prometheus_name(metric, kind)
    for point in metric.data.data_points:
        labels = {key.replace(".", "_"): value for key, value in point.attributes.items()}
        if kind == "ExponentialHistogram":
            yield series({"__name__": name, **labels}, block(4, native_histogram(point)))
        elif kind == "Histogram":
            for suffix, value in (("sum", point.sum), ("count", point.count)):
                sample = double(1, float(value)) + stamp(point)
                yield series({"__name__": f"{name}_{suffix}", **labels}, block(2, sample))
        else:
            sample = double(1, float(point.value)) + stamp(point)
            yield series({"__name__": name, **labels}, block(2, sample))


def series(labels, payload):
    encoded = b"".join(
        block(1, block(1, name.encode()) + block(2, value.encode()))
        for name, value in sorted(labels.items())
    )
    return block(1, encoded + payload)


def snappy(data):
    """The block format with literals only: valid, and nothing is gained."""
    out = varint(len(data))
    for start in range(0, len(data), 65_536):
        chunk = data[start : start + 65_536]
        out += b"\xf4" + struct.pack("<H", len(chunk) - 1) + chunk
    return out


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """A Prometheus on a free port that holds the traffic; its address and the last moment."""
    binary = shutil.which("prometheus")
    if binary is None:
        lacking("Prometheus is missing: apt-get install -y --no-install-recommends prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "prometheus.yml").write_text("global: {}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [
        binary,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-remote-write-receiver",
        "--enable-feature=native-histograms",
        "--log.level=warn",
    ]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _ready(address, server)
        yield address, _feed(address)
    finally:
        server.terminate()
        server.wait(20)


def _ready(address, server):
    deadline_s = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"{address}/-/ready", timeout=5):
                return
        except OSError:
            assert server.poll() is None, "prometheus ended"
            assert time.monotonic() < deadline_s, "prometheus is not ready after 30 s"
            server.poll()


def _feed(address):
    """Write every minute's cumulative state; returns the last minute's end, s."""
    described = tomllib.loads(TRAFFIC)
    end_s = int(time.time()) // 60 * 60
    start = time.gmtime(end_s - 60 * described["minutes"])
    described["start"] = tomllib.loads(f"t = {time.strftime('%Y-%m-%dT%H:%M:%SZ', start)}")["t"]
    state = Cumulative(10_000)
    scope = InstrumentationScope("tenantmetrics")
    for window in scenario.windows(described):
        state.add(window)
        now_ns = (window.start_s + 60) * 10**9
        # An exporter sends every series each time, at the time of the export.
        rows = [row._replace(end_ns=now_ns) for row in state.rows()]
        body = b""
        for data in batches(
            rows,
            Resource.create({}),
            scope,
            cumulative=True,
            max_points=1_000,
            max_bytes=1_000_000,
        ):
            for metric in data.resource_metrics[0].scope_metrics[0].metrics:
                body += b"".join(time_series(metric))
        request = urllib.request.Request(
            f"{address}/api/v1/write",
            data=snappy(body),
            headers={"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 204
    return end_s


def ask(prometheus, query):
    address, at_s = prometheus
    text = urllib.parse.urlencode({"query": query, "time": at_s})
    try:
        with urllib.request.urlopen(f"{address}/api/v1/query?{text}", timeout=30) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        pytest.fail(f"{query}: {error.read().decode()}")
    return found["data"]["result"]


PANELS = [
    pytest.param(text, id=f"{Path(name).stem}-{title}-{number}")
    for name, body in BODIES.items()
    if "cloudwatch" not in name
    for number, (title, text) in enumerate(checks.queries(body))
]


@pytest.mark.parametrize("text", PANELS)
def test_every_panel_returns_data_from_a_real_prometheus(prometheus, text):
    """Each of its queries, its variables replaced as Grafana does."""
    query = expand(text, {"tenant": "acme", "usd_per_million_requests": "0.35"})
    found = ask(prometheus, query)
    assert found, query
    for one in found:
        value = one.get("value") or one.get("histogram")
        assert value[1] != "NaN", query


def test_the_figures_are_those_of_the_traffic(prometheus):
    """Calls, error rate, latency and shares as described in the scenario."""
    queries = dict(checks.queries(BODIES[FLEET]))

    def figure(title, **variables):
        (one,) = ask(prometheus, expand(queries[title], variables))
        return float(one["value"][1])

    # Within what extrapolation and the last minutes of calls without a tenant make.
    assert figure("Calls") == pytest.approx(210 / 60, rel=0.05)
    assert figure("Error rate") == pytest.approx(10, rel=0.05)
    (latency,) = ask(
        prometheus,
        expand(
            "histogram_quantile(0.5, sum(rate("
            "db_client_operation_duration_seconds{tenant_id='acme'}[5m])))"
        ),
    )
    assert float(latency["value"][1]) == pytest.approx(0.020, rel=0.05)
    shares = ask(prometheus, expand(queries["Noisy neighbour: share of the load"]))
    found = {one["metric"]["tenant_id"]: float(one["value"][1]) for one in shares}
    assert found["acme"] == pytest.approx(100 * 120 / 212, rel=0.05)
    money = figure("Estimated Data API cost a day", usd_per_million_requests="1000000")
    assert money == pytest.approx(210 * 60 * 24, rel=0.05)


@pytest.mark.parametrize(("others_ms", "who"), [(10, ["acme"]), (100, [])])
def test_the_noisy_neighbours_rule_means_the_same_to_prometheus(prometheus, promql, others_ms, who):
    """The alarm's PromQL, with Prometheus' names in it, beside the rehearsal's answer."""
    alarm = next(one for one in ALARMS if one.id == "noisy-neighbour-exact")
    given = {"OthersLatencyMs": others_ms, "NoisySharePercent": 50}
    text = alarm.filled(resolve(PARAMETERS, given)).promql
    theirs = (
        text.replace('{"db.client.operation.duration"}', "db_client_operation_duration_seconds")
        .replace('{"tenantmetrics.database.load"}', "tenantmetrics_database_load_seconds_total")
        .replace('"tenant.id"', "tenant_id")
    )  # fmt: skip
    found = {one["metric"]["tenant_id"]: float(one["value"][1]) for one in ask(prometheus, theirs)}
    assert list(found) == who
    store = MetricStore()
    store.add_windows(scenario.windows(tomllib.loads(TRAFFIC)))
    ours = promeval.evaluate(parse_promql(text), store, store.end_s)
    assert {labels[0][1]: value for labels, value in ours.items()} == pytest.approx(found, rel=0.05)
