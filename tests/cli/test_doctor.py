"""`tenantmetrics doctor` says what is wrong and what to do, and writes nothing anywhere."""

import json
import os
import socket
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.config import load
from tenantmetrics.doctor import State, examine
from tenantmetrics.estimate import estimate


class Endpoint:
    """An AWS endpoint that refuses what cannot be carried out, or what is not allowed."""

    def __init__(self):
        self.denied = False
        self.refusal = "MissingParameter"
        self.skew = timedelta()
        self.seen = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                outer.seen.append((self.path, body))
                sts = b"GetCallerIdentity" in body
                status, code = (403, "AccessDenied") if outer.denied else (400, outer.refusal)
                answer = json.dumps({"__type": code, "message": "no"}).encode()
                if sts and not outer.denied:
                    status = 200
                    answer = (
                        b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
                        b"<GetCallerIdentityResult><Arn>arn:aws:iam::1:user/x</Arn>"
                        b"<UserId>x</UserId><Account>1</Account></GetCallerIdentityResult>"
                        b"</GetCallerIdentityResponse>"
                    )
                elif "s3" in self.headers.get("authorization", ""):
                    code = "AccessDenied" if outer.denied else "BadDigest"
                    answer = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
                self.send_response_only(status)
                self.send_header("date", format_datetime(datetime.now(UTC) + outer.skew))
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_PUT = do_POST  # noqa: N815 - the base class's names

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def endpoint(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith(("AWS_", "OTEL_", "TENANTMETRICS_")):
            monkeypatch.delenv(name)
    made = Endpoint()
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-show")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    yield made
    made.close()


def findings(*exporters, **settings):
    return {one.what: one for one in examine(load({}, exporters=exporters, **settings))}


def test_where_all_is_well_every_line_says_ok(endpoint, tmp_path):
    """Credentials, identity, both permissions, the folder."""
    found = findings(
        "cloudwatch",
        "ledger:s3://bucket/x",
        f"ledger:{tmp_path / 'l'}",
        spool_path=str(tmp_path / "spool"),
    )
    assert {one.state for one in found.values()} <= {State.OK, State.WARNING}, found
    assert found["cloudwatch: permission"].state is State.OK
    assert found["ledger: permission"].state is State.OK
    assert found["aws: credentials"].state is State.OK
    assert not any(b"MetricName" in body for _, body in endpoint.seen)


def test_a_missing_permission_is_named(endpoint, tmp_path):
    """The action to allow, for CloudWatch and for S3."""
    endpoint.denied = True
    found = findings("cloudwatch", "ledger:s3://bucket/x", spool_path=str(tmp_path / "spool"))
    assert found["cloudwatch: permission"].state is State.FAILED
    assert "cloudwatch:PutMetricData: AccessDenied" in found["cloudwatch: permission"].says
    assert "s3:PutObject on s3://bucket/x/" in found["ledger: permission"].says


def test_a_clock_that_is_off_is_told(endpoint):
    """Five minutes off, and AWS refuses every signature."""
    endpoint.skew = timedelta(minutes=7)
    found = findings("cloudwatch")
    assert found["aws: clock"].state is State.FAILED
    assert "set this machine's clock" in found["aws: clock"].says
    endpoint.skew = timedelta(minutes=2)
    assert findings("cloudwatch")["aws: clock"].state is State.WARNING


def test_no_credentials_are_told(endpoint, monkeypatch):
    """Before anything is tried without them."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "none found" in findings("cloudwatch")["aws: credentials"].says


def test_an_endpoint_out_of_reach_is_told(endpoint, monkeypatch):
    """OTLP over HTTP and gRPC, the EMF agent."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    for spec in (f"otlp:http://127.0.0.1:{port}", f"otlp:grpc://127.0.0.1:{port}"):
        found = findings(spec)["otlp: endpoint"]
        assert found.state is State.FAILED
        assert "refused" in found.says


def test_an_otlp_receiver_is_tried_with_an_empty_request(endpoint):
    """What it answers is told; 400 means that it refuses even that."""
    assert findings(f"otlp:{endpoint.url}")["otlp: request"].state is State.FAILED
    assert endpoint.seen[-1] == ("/v1/metrics", b"")


def test_a_wrong_exporter_is_a_line_and_not_the_end(endpoint):
    """The others are checked all the same."""
    found = findings("cloudwash", "cloudwatch")
    assert found["cloudwash"].state is State.FAILED
    assert found["cloudwatch: permission"].state is State.OK


def test_the_command_prints_checks_and_costs_and_fails_if_one_does(endpoint, monkeypatch):
    """Exit code 1, no secret on the screen."""
    monkeypatch.setenv("TENANTMETRICS_EXPORTERS", "cloudwatch")
    good = CliRunner().invoke(app, ["doctor", "--tenants", "300"])
    assert good.exit_code == 0, good.output
    assert "cloudwatch essential" in good.output
    assert "do-not-show" not in good.output
    endpoint.denied = True
    bad = CliRunner().invoke(app, ["doctor"])
    assert bad.exit_code == 1
    assert "AccessDenied" in bad.output


@pytest.mark.parametrize("columns", ["30", "60", "200"])
def test_every_figure_is_there_in_a_terminal_of_any_width(monkeypatch, columns, tmp_path):
    """Where the table does not fit, lines stand in its place; nothing is cut."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", columns)
    shown = CliRunner().invoke(app, ["doctor", "--tenants", "100000"])
    assert shown.exit_code == 0, shown.output
    assert "…" not in shown.output
    for one in estimate(100_000):
        assert one.name in shown.output
        if one.dollars_month is not None:
            assert f"{one.dollars_month:,.2f}" in shown.output


def test_a_region_in_aws_region_alone_is_enough(endpoint, monkeypatch):
    """ECS sets no other, and boto3 does not read it."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    found = findings("cloudwatch")
    assert found["aws: credentials"].says.endswith("region eu-west-1")
    assert found["cloudwatch: permission"].state is State.OK


def test_a_region_that_does_not_exist_is_told(endpoint, monkeypatch):
    """Otherwise all that is seen is an endpoint out of reach."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-easy-1")
    assert findings("cloudwatch")["aws: region"].says.startswith(
        "'us-easy-1' is not a region that boto3"
    )
    monkeypatch.setenv("AWS_DEFAULT_REGION", "cn-north-1")
    assert "aws: region" not in findings("cloudwatch")


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException"])
def test_a_refusal_of_credentials_with_400_is_no_permission(endpoint, code):
    """As AWS's JSON protocols answer, which PutMetricData speaks."""
    endpoint.refusal = code
    found = findings("cloudwatch")["cloudwatch: permission"]
    assert (found.state, found.says) == (State.FAILED, f"cloudwatch:PutMetricData: {code}")


def test_the_estimate_follows_the_list_prices():
    """Three metrics a tenant and six for the fleet at $0.30, one request a minute."""
    (essential,) = (one for one in estimate(100) if one.name == "cloudwatch essential")
    assert essential.metrics == 306
    assert essential.dollars_month == Decimal("0.3") * 306 + Decimal("0.01") * 43_800 / 1_000
    by_name = {one.name: one for one in estimate(100)}
    assert by_name["cloudwatch detailed"].metrics > 700
    assert by_name["emf essential"].dollars_month > essential.dollars_month


def test_the_estimate_stops_growing_at_the_cap():
    """100,000 tenants cost what 500 and `__other__` cost."""
    few, many = (
        next(one for one in estimate(tenants) if one.name == "cloudwatch essential")
        for tenants in (1_000, 100_000)
    )
    assert few == many
    assert few.metrics == 501 * 3 + 6


def test_a_misspelt_setting_in_the_environment_is_named(monkeypatch):
    """Otherwise nobody would notice that `strict` is off."""
    monkeypatch.setenv("TENANTMETRICS_STRCT", "1")
    found = next(finding for finding in examine(load({})) if finding.what.startswith("setting"))
    assert (found.state, found.says) == (
        State.WARNING,
        "unknown: did you mean TENANTMETRICS_STRICT?",
    )


@pytest.mark.parametrize("inner", ["ledger", "a/b/ledger"])
def test_a_folder_that_is_missing_is_not_made(tmp_path, inner):
    """The command says that nothing is written, and where it would be made."""
    folder = tmp_path / inner
    finding = findings(f"ledger:{folder}")["ledger: folder"]
    assert finding.state is State.OK
    assert f"{folder} will be made in {tmp_path}" in finding.says
    assert not any(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    """A file is in its way."""
    (tmp_path / "file").write_text("mine")
    (finding,) = findings(f"ledger:{tmp_path}/file/ledger").values()
    assert finding.state is State.FAILED
    assert "file is not a folder" in finding.says
