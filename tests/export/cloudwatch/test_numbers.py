"""CloudWatch: what it holds equals the window, and requests keep its limits."""

import gzip
import json
import re
from collections import defaultdict
from pathlib import Path

import boto3
import botocore
import pytest
from botocore.config import Config

from tenantmetrics import limits
from tenantmetrics.catalog import OTHER, Level
from tenantmetrics.export import cloudwatch
from tenantmetrics.export.cloudwatch import CloudWatchExporter, requests
from tenantmetrics.health import Health
from tenantmetrics.records import OK, Series, Window
from tests.export.cloudwatch.sent import exporter, in_s


def expected(window):
    """Per tenant, "" the fleet: duration, calls, longest (ns), errors, billed requests, load."""
    sums = defaultdict(lambda: [0, 0, 0, 0, 0, 0])
    for key, one in window.series.items():
        for name in (key.tenant, ""):
            row = sums[name]
            row[0] += one.duration_ns
            row[1] += one.calls
            row[2] = max(row[2], one.duration_max_ns)
            row[3] += one.calls if key.outcome != OK else 0
            row[4] += one.billed_requests
    for tenant, load_ns in window.load_ns.items():
        for name in (tenant, ""):
            sums[name][5] += load_ns
    return dict(sums)


STATS = (
    ("DatabaseDuration", "Sum"),
    ("DatabaseDuration", "SampleCount"),
    ("DatabaseDuration", "Maximum"),
    ("DatabaseErrors", "Sum"),
    ("DatabaseLoad", "SampleCount"),
    ("DatabaseLoad", "Sum"),
)


def read_metrics(metrics, start_s):
    """Every statistic of (metric, tenant) pairs from GetMetricData, durations in ns."""
    client = boto3.client("cloudwatch", config=Config(read_timeout=300))
    wanted = [(name, tenant, stat) for name, tenant in metrics for of, stat in STATS if of == name]
    found = {}
    for first in range(0, len(wanted), 500):
        chunk = wanted[first : first + 500]
        answer = client.get_metric_data(
            StartTime=start_s - 60,
            EndTime=start_s + 120,
            MetricDataQueries=[
                {
                    "Id": f"q{number}",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": "Shop",
                            "MetricName": name,
                            "Dimensions": [{"Name": "TenantId", "Value": tenant}],
                        },
                        "Period": 60,
                        "Stat": stat,
                    },
                }
                for number, (name, tenant, stat) in enumerate(chunk)
            ],
        )
        for (name, tenant, stat), result in zip(chunk, answer["MetricDataResults"], strict=True):
            (value,) = result["Values"]
            in_ns = name in {"DatabaseDuration", "DatabaseLoad"} and stat != "SampleCount"
            found[tenant, name, stat] = round(value * 1e6) if in_ns else value
    client.close()
    return found


def tenant_rows(found):
    """What was read, as rows like those of `expected`."""
    rows = defaultdict(list)
    for name, stat in STATS:
        for (tenant, of, statistic), value in found.items():
            if (of, statistic) == (name, stat):
                rows[tenant].append(value)
    return dict(rows)


def read_back(tenants, start_s):
    """Every statistic of every tenant, as rows like those of `expected`."""
    pairs = [(name, tenant) for tenant in tenants for name in sorted({name for name, _ in STATS})]
    return tenant_rows(read_metrics(pairs, start_s))


def fleet_on_the_wire(server):
    """The metrics without dimensions as sent: moto answers such a query with all that have any."""
    data = [
        one
        for seen in server.seen
        if b"MetricData" in seen.content
        for one in json.loads(seen.content).get("MetricData", ())
    ]
    bare = {one["MetricName"]: one for one in data if "Dimensions" not in one}
    duration, errors = bare["DatabaseDuration"], bare["DatabaseErrors"]["StatisticValues"]
    pairs = list(zip(duration["Values"], duration["Counts"], strict=True))
    assert errors["SampleCount"] == sum(duration["Counts"])
    return [
        round(sum(value * count for value, count in pairs) * 1e6),
        sum(duration["Counts"]),
        round(max(duration["Values"]) * 1e6),
        errors["Sum"],
        bare["DatabaseLoad"]["StatisticValues"]["SampleCount"],
        round(bare["DatabaseLoad"]["StatisticValues"]["Sum"] * 1e6),
    ]


@pytest.mark.parametrize(
    "tenants", [60, pytest.param(2_000, marks=pytest.mark.long)], ids=["60", "2000"]
)
def test_what_cloudwatch_holds_equals_the_window_exactly(moto, real_window, tenants, monkeypatch):
    """Sums, sample counts and maxima of each tenant and of the fleet, read with GetMetricData."""
    # Moto's queries scan all that a region holds. So each request, its body untouched, is signed
    # over to a region of its own, and its tenants are read back from there.
    regions = boto3.Session().get_available_regions("cloudwatch")
    unused = iter(regions)
    moto.reroute = lambda headers: headers.update(
        Authorization=headers["Authorization"].replace("us-east-1", next(unused))
    )
    window = real_window(tenants)
    sink = exporter()
    sink.export([window], in_s(60))
    sink.close()
    moto.reroute = lambda _: None

    sent = list(moto.seen)
    sums = expected(window)
    assert fleet_on_the_wire(moto) == sums.pop("")
    found = {}
    for region, seen in zip(regions, sent, strict=False):
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        data = json.loads(seen.content)["MetricData"]
        here = [
            (one["MetricName"], one["Dimensions"][0]["Value"])
            for one in data
            if "Dimensions" in one
        ]
        for key, value in read_metrics(here, window.start_s).items():
            assert key not in found
            found[key] = value
    assert tenant_rows(found) == sums


def test_requests_on_the_wire_are_gzip_and_within_the_limits(moto, real_window):
    """1,000 metrics and 1 MB a request, and no more requests than that needs."""
    window = real_window(900)
    sink = exporter(level=Level.DETAILED)
    sink.export([window], in_s(60))
    sink.close()

    sizes, counts = [], []
    for seen in moto.seen:
        assert seen.headers["content-encoding"] == "gzip"
        sizes.append(len(seen.content))
        counts.append(len(json.loads(seen.content)["MetricData"]))
    assert max(counts) == limits.METRIC_DATA_MAX
    assert max(sizes) <= limits.PUT_METRIC_DATA_MAX_BYTES
    assert len(counts) == -(-sum(counts) // limits.METRIC_DATA_MAX)
    assert sum(len(seen.body) for seen in moto.seen) < sum(sizes) / 3


def test_the_body_is_what_botocore_itself_would_have_sent(moto, real_window, monkeypatch):
    """Encoded here for speed; the same to the last number."""
    window = real_window(30)
    exporter(level=Level.DETAILED).export([window], in_s(30))
    monkeypatch.setattr(
        CloudWatchExporter,
        "_put",
        lambda _, client, data: client.put_metric_data(Namespace="Shop", MetricData=data),
    )
    exporter(level=Level.DETAILED).export([window], in_s(30))
    ours, botocores = moto.seen
    assert json.loads(ours.content) == json.loads(botocores.content)
    # botocore names the features it used in the user agent, its own compression among them.
    unlike = {
        *("authorization", "x-amz-date", "amz-sdk-invocation-id", "content-length", "user-agent"),
        "content-encoding",
    }
    assert {name: value for name, value in ours.headers.items() if name not in unlike} == {
        name: value for name, value in botocores.headers.items() if name not in unlike
    }


@pytest.fixture
def _query(aws, monkeypatch, tmp_path):
    """Botocore as it was up to 1.41: the same model, spoken in the query protocol."""
    (found,) = Path(botocore.__file__).parent.glob("data/cloudwatch/*/service-2.json.gz")
    model = json.loads(gzip.decompress(found.read_bytes()))
    model["metadata"]["protocol"] = "query"
    model["metadata"]["protocols"] = ["query"]
    target = tmp_path / "models" / "cloudwatch" / found.parent.name / "service-2.json"
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps(model))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path / "models"))
    cloudwatch._speaks_json.cache_clear()
    assert not cloudwatch._speaks_json()
    yield
    cloudwatch._speaks_json.cache_clear()


@pytest.mark.usefixtures("_query")
def test_older_botocores_deliver_the_same_within_the_limits(server, answer, real_window):
    """Each number then comes with its path: the same metrics need more requests."""
    server.standing = answer(200, b"<PutMetricDataResponse/>", "text/xml")
    window = wide_window(real_window, 150)
    sink = exporter()
    sink.export([window], in_s(60))
    sink.close()
    assert len(server.seen) > 1
    for seen in server.seen:
        assert seen.headers["content-encoding"] == "gzip"
        assert seen.content.startswith(b"Action=PutMetricData&")
        assert len(seen.content) <= limits.PUT_METRIC_DATA_MAX_BYTES + 1_000
    sent = re.findall(
        rb"StatisticValues.SampleCount=([0-9.]+)", b"&".join(seen.content for seen in server.seen)
    )
    counted = sum(one.calls + one.billed_requests for one in window.series.values())
    assert sum(map(float, sent)) == 2 * counted  # each tenant's, and the fleet's


def wide_window(real_window, tenants):
    """Histograms and names as wide as they come."""
    window = real_window(tenants)
    wide = {}
    for number, (key, one) in enumerate(window.series.items()):
        buckets = {1_500 + n: 1 + n for n in range(140)}
        calls = sum(buckets.values())
        low, high = int(2 ** (1_500 / 64)) + 1, int(2 ** (1_640 / 64))
        spread = Series(
            calls=calls,
            duration_ns=calls * (low + high) // 2,
            duration_min_ns=low,
            duration_max_ns=high,
            billed_requests=one.billed_requests,
            scale=6,
            buckets=buckets,
        )
        wide[key._replace(tenant=f'{number:04d}"' + '\\"' * 500)] = spread
    return Window(window.start_s, 60, "w", 0, wide, {})


def test_long_names_and_full_histograms_stay_below_the_size_limit(real_window):
    """The estimate is an upper bound of the JSON that is sent."""
    window = wide_window(real_window, 400)
    made = list(requests(window, level=Level.ESSENTIAL, max_tenants=10_000))
    assert len(made) > 1
    for data in made:
        body = json.dumps(
            {"Namespace": "Shop" * 60, "MetricData": data}, default=lambda at: at.timestamp()
        )
        assert len(body) <= limits.PUT_METRIC_DATA_MAX_BYTES + 1_000


def test_tenants_past_the_cap_fold_into_other_and_the_sums_hold(moto, real_window):
    """Those with the most database time keep their own metrics; `__other__` has the rest."""
    window = real_window(50)
    sink = exporter(max_tenants=5)
    sink.export([window], in_s(30))
    sink.close()

    sums = expected(window)
    fleet = sums.pop("")
    top = sorted(sums, key=lambda name: -sums[name][0])[:5]
    found = read_back([*top, OTHER], window.start_s)
    assert {name: found[name] for name in top} == {name: sums[name] for name in top}
    assert fleet_on_the_wire(moto) == fleet
    rest = [sums[name] for name in sums if name not in top]
    assert found[OTHER] == [
        sum(row[0] for row in rest),
        sum(row[1] for row in rest),
        max(row[2] for row in rest),
        sum(row[3] for row in rest),
        sum(row[4] for row in rest),
        sum(row[5] for row in rest),
    ]


def test_losses_conflicts_and_failures_are_metrics(moto, real_window):
    """What was lost is told where the numbers are, by reason and by exporter."""
    window = real_window(
        2,
        losses={"queue_full": 7, "series_cap": 3, "export_failed": 9},
        misuses={"sources_disagree": 2, "other_tenants_rows": 1, "set_without_local": 50},
        export_failures={"otlp": 4},
    )
    sink = exporter()
    sink.export([window], in_s(30))
    sink.close()
    data = [one for seen in moto.seen for one in json.loads(seen.content)["MetricData"]]
    found = {
        (one["MetricName"], *(d["Value"] for d in one.get("Dimensions", ()))): one["Value"]
        for one in data
        if "Value" in one
    }
    assert found["CallsDropped", "queue_full"] == 7
    assert ("CallsDropped", "series_cap") not in found
    assert found["SeriesOverflow",] == 3
    assert found["TenantConflicts",] == 3
    assert found["ExportFailures", "otlp"] == 4
    assert found["UnattributedCalls",] == 0


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("acme", "acme"),
        ("Zürich", "Z\\xfcrich"),
        (":colon", "\\x3acolon"),
        ("", "\\empty"),
        (" ", "\\x20"),
        ("tab\there", "tab\\there"),
        ("half \ud800", "half \\ud800"),
    ],
)
def test_every_tenant_name_becomes_one_that_cloudwatch_takes(moto, real_window, name, sent):
    """Visible ASCII without a colon in front; different names stay apart."""
    window = real_window(1)
    series = {key._replace(tenant=name): one for key, one in window.series.items()}
    sink = exporter()
    sink.export([Window(window.start_s, 60, "w", 0, series, {})], in_s(30))
    sink.close()
    data = [one for seen in moto.seen for one in json.loads(seen.content)["MetricData"]]
    assert {d["Value"] for one in data for d in one.get("Dimensions", ())} == {sent}


def test_a_name_too_long_is_cut_and_still_its_own(real_window):
    """Two names that differ only past the limit do not become one tenant."""
    from tenantmetrics.dimension import dimension_value  # noqa: PLC0415

    first, second = (dimension_value("x" * 2_000 + end) for end in "ab")
    assert len(first) == len(second) == limits.DIMENSION_VALUE_MAX_CHARS
    assert first != second


def test_health_knows_nothing_of_a_success(moto, real_window):
    """The pipeline's counters stay empty where all went well."""
    from tenantmetrics.export.fanout import Fanout  # noqa: PLC0415

    health = Health()
    fanout = Fanout([exporter()], health)
    assert fanout.export([real_window(3)], in_s(20))
    assert fanout.close(in_s(5))
    assert health.counts() == {}
