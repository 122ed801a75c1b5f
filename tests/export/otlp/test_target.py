"""Where to, and with whose credentials: arguments, environment, CloudWatch's own endpoint."""

import re

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tenantmetrics.errors import ConfigError
from tenantmetrics.export.base import ExportError
from tenantmetrics.export.otlp_target import target
from tests.export.otlp.points import decoded, expected, exporter, in_s, points, totals


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
