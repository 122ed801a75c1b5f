"""CloudWatch: exact numbers, requests within the limits, no repeats that could count double."""

import gzip
import json
import re
import time
from collections import defaultdict
from pathlib import Path

import boto3
import botocore
import pytest
from botocore.config import Config

from tenantmetrics import limits
from tenantmetrics.catalog import OTHER, Level
from tenantmetrics.export import cloudwatch
from tenantmetrics.export.base import ExportError
from tenantmetrics.export.cloudwatch import CloudWatchExporter, requests
from tenantmetrics.health import Health
from tenantmetrics.records import OK, Series, Window


def exporter(**settings):
    return CloudWatchExporter(
        **{"namespace": "Shop", "level": Level.ESSENTIAL, "max_tenants": 10_000, **settings}
    )


def in_s(seconds):
    return time.monotonic() + seconds


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


def error(code, status):
    return status, json.dumps({"__type": f"com.amazonaws#{code}", "message": "no"}).encode()


FAULTS = {
    "500": (error("InternalServiceFault", 500), "uncertain"),
    "503": (error("ServiceUnavailable", 503), "failed"),
    "throttled": (error("ThrottlingException", 400), "failed"),
    "429": (error("TooManyRequestsException", 429), "failed"),
    "400": (error("InvalidParameterValue", 400), "rejected"),
    "expired credentials": (error("ExpiredTokenException", 403), "failed"),
    # AWS's JSON protocols, which PutMetricData speaks, answer 400 here where others answer 403.
    "expired credentials as 400": (error("ExpiredTokenException", 400), "failed"),
    "unknown credentials": (error("UnrecognizedClientException", 400), "failed"),
    "not allowed": (error("AccessDeniedException", 400), "failed"),
    "clock skew": (error("RequestExpired", 400), "failed"),
    "reset": ("reset", "uncertain"),
    "no answer": ("hang", "uncertain"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_read_for_what_it_says(aws, server, answer, make_window, fault):
    """What surely did not arrive fails, what may have is uncertain, what never will is refused."""
    what, fate = FAULTS[fault]
    server.standing = answer(trouble=what) if isinstance(what, str) else answer(*what)
    window = make_window("acme", sequence=1)
    recent = Window(int(time.time()) // 60 * 60, 60, "w", 1, window.series, {})
    sink = exporter()
    started = time.monotonic()
    with pytest.raises(ExportError) as caught:
        sink.export([recent], in_s(0.6))
    sink.close()
    assert time.monotonic() - started < 5
    became = {name: getattr(caught.value, name) for name in ("failed", "uncertain", "rejected")}
    assert became == {name: (recent,) if name == fate else () for name in became}
    if fate != "failed":
        assert len(server.seen) == 1


def test_nobody_listening_is_a_failure_that_may_be_tried_again(aws, server, make_window):
    """Connection refused: nothing was sent."""
    server.close()
    recent = Window(int(time.time()) // 60 * 60, 60, "w", 1, make_window("acme").series, {})
    sink = exporter()
    with pytest.raises(ExportError) as caught:
        sink.export([recent], in_s(2))
    sink.close()
    assert caught.value.failed == (recent,)


def test_throttling_is_waited_out_within_the_deadline(aws, server, answer, make_window):
    """Two refusals, then success: delivered once, nothing counted."""
    server.answers = [answer(*FAULTS["throttled"][0]), answer(*FAULTS["503"][0])]
    recent = Window(int(time.time()) // 60 * 60, 60, "w", 1, make_window("acme").series, {})
    sink = exporter()
    sink.export([recent], in_s(10))
    sink.close()
    assert len(server.seen) == 3
    assert len({seen.body for seen in server.seen}) == 1


def test_a_second_try_sends_only_the_requests_that_are_not_done(aws, server, answer, real_window):
    """Of three requests one is refused for now: the retry sends that one and what follows."""
    window = real_window(700)
    sink = exporter()
    server.answers = [answer(), answer(*FAULTS["expired credentials"][0])]
    with pytest.raises(ExportError) as caught:
        sink.export([window], in_s(20))
    assert caught.value.failed == (window,)
    first_try = [seen.content for seen in server.seen]
    server.seen.clear()
    sink.export([window], in_s(20))
    sink.close()
    second_try = [seen.content for seen in server.seen]
    assert first_try[0] not in second_try
    assert second_try[0] == first_try[1]
    whole = list(requests(window, level=Level.ESSENTIAL, max_tenants=10_000))
    assert [json.loads(body)["MetricData"] for body in [first_try[0], *second_try]] == [
        json.loads(json.dumps(data, default=lambda at: at.timestamp())) for data in whole
    ]


def test_an_uncertain_request_is_not_repeated_when_its_window_is(aws, server, answer, real_window):
    """The part that may have arrived is done with; the window is reported once it is over."""
    window = real_window(700)
    sink = exporter()
    server.answers = [answer(*FAULTS["500"][0]), answer(*FAULTS["expired credentials"][0])]
    with pytest.raises(ExportError) as caught:
        sink.export([window], in_s(20))
    assert (caught.value.failed, caught.value.uncertain) == ((window,), ())
    maybe = server.seen[0].content
    server.seen.clear()
    with pytest.raises(ExportError) as caught:
        sink.export([window], in_s(20))
    sink.close()
    assert (caught.value.failed, caught.value.uncertain) == ((), (window,))
    assert maybe not in [seen.content for seen in server.seen]


def test_windows_older_than_cloudwatch_takes_are_given_up(aws, server, make_window):
    """Two weeks of outage: refused without a request."""
    window = make_window("acme")
    old = Window(int(time.time()) - 15 * 86_400, 60, "w", 0, window.series, {})
    sink = exporter()
    with pytest.raises(ExportError) as caught:
        sink.export([old], in_s(5))
    assert caught.value.rejected == (old,)
    assert server.seen == []


def test_without_region_or_credentials_nothing_is_lost(aws, monkeypatch, make_window):
    """A process that is configured later delivers later."""
    recent = Window(int(time.time()) // 60 * 60, 60, "w", 1, make_window("acme").series, {})
    for missing in (("AWS_DEFAULT_REGION",), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")):
        for name in missing:
            monkeypatch.delenv(name)
        sink = exporter()
        with pytest.raises(ExportError) as caught:
            sink.export([recent], in_s(5))
        sink.close()
        assert caught.value.failed == (recent,)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.mark.parametrize(
    "environ",
    [
        {"AWS_ENDPOINT_URL": "localhost:4566"},
        {"AWS_PROFILE": "nobody"},
        {"AWS_STS_REGIONAL_ENDPOINTS": "nowhere"},
    ],
    ids=lambda environ: next(iter(environ)),
)
def test_a_client_that_cannot_be_made_loses_nothing(aws, monkeypatch, make_window, environ):
    """No request went out: it is tried again, not called uncertain."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    recent = Window(int(time.time()) // 60 * 60, 60, "w", 1, make_window("acme").series, {})
    sink = exporter()
    with pytest.raises(ExportError) as caught:
        sink.export([recent], in_s(2))
    sink.close()
    assert caught.value.failed == (recent,)


def test_a_role_that_cannot_be_assumed_loses_nothing(
    aws, server, answer, monkeypatch, tmp_path, make_window
):
    """STS refuses with 400: that was not CloudWatch's answer to the window."""
    (tmp_path / "config").write_text(
        "[profile x]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = y\n"
        "[profile y]\naws_access_key_id = a\naws_secret_access_key = b\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "x")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    refusal = b"<ErrorResponse><Error><Code>MalformedPolicyDocument</Code></Error></ErrorResponse>"
    server.standing = answer(400, refusal, "text/xml")
    recent = Window(int(time.time()) // 60 * 60, 60, "w", 1, make_window("acme").series, {})
    sink = exporter()
    with pytest.raises(ExportError) as caught:
        sink.export([recent], in_s(5))
    sink.close()
    assert caught.value.failed == (recent,)
    assert {b"AssumeRole" in seen.body for seen in server.seen} == {True}


@pytest.mark.parametrize(("environ", "region"), [("eu-west-1", "eu-west-1"), (None, "us-west-2")])
def test_without_a_region_of_boto3s_it_is_aws_regions_or_the_clusters(
    aws, server, monkeypatch, make_window, environ, region
):
    """An application that names the region to its client only is metered all the same."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    if environ:
        monkeypatch.setenv("AWS_REGION", environ)
    ((key, one),) = make_window("acme").series.items()
    series = {key._replace(resource_arn="arn:aws:rds:us-west-2:123456789012:cluster:c"): one}
    sink = exporter()
    sink.export([Window(int(time.time()) // 60 * 60, 60, "w", 1, series, {})], in_s(5))
    sink.close()
    assert {f"/{region}/monitoring/" in seen.headers["authorization"] for seen in server.seen} == {
        True
    }


def test_credentials_that_were_renewed_are_found(aws, server, answer, monkeypatch, make_window):
    """After a refusal the next export looks them up anew."""
    recent = Window(int(time.time()) // 60 * 60, 60, "w", 1, make_window("acme").series, {})
    server.answers = [answer(*FAULTS["expired credentials"][0])]
    sink = exporter()
    with pytest.raises(ExportError):
        sink.export([recent], in_s(5))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "renewed")
    sink.export([recent], in_s(5))
    sink.close()
    assert "Credential=renewed/" in server.seen[-1].headers["authorization"]


def test_health_knows_nothing_of_a_success(moto, real_window):
    """The pipeline's counters stay empty where all went well."""
    from tenantmetrics.export.fanout import Fanout  # noqa: PLC0415

    health = Health()
    fanout = Fanout([exporter()], health)
    assert fanout.export([real_window(3)], in_s(20))
    assert fanout.close(in_s(5))
    assert health.counts() == {}
