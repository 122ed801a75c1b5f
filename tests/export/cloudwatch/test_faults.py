"""What CloudWatch refuses or does not answer: nothing is lost in silence or counted twice."""

import json
import time

import pytest

from tenantmetrics.catalog import Level
from tenantmetrics.export.base import ExportError
from tenantmetrics.export.cloudwatch import requests
from tenantmetrics.records import Window
from tests.export.cloudwatch.sent import exporter, in_s


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
