"""`tenantmetrics server-load`, as a user types it."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys

import boto3
import pytest
from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.cli.server_load.target import is_elsewhere

ARN = "arn:aws:rds:us-east-1:123456789012:cluster:shop"
LOOKUP = "SELECT price FROM bookings WHERE id = 7"


def run(*arguments):
    return CliRunner().invoke(app, ["server-load", *map(str, arguments)])


@pytest.fixture
def statements(debian_server, tmp_path):
    """The command, against a connection."""
    target = ["--ledger", tmp_path, "--resource-arn", ARN, "--url", debian_server.url("app")]
    return lambda *more: run("statements", *target, *more)


def rds(**scaling):
    """A cluster of one instance."""
    client = boto3.client("rds")
    client.create_db_cluster(
        DBClusterIdentifier="shop",
        Engine="aurora-postgresql",
        MasterUsername="root",
        MasterUserPassword="hunter2hunter2",
        **({"ServerlessV2ScalingConfiguration": scaling} if scaling else {}),
    )
    client.close()


def test_the_first_snapshot_says_what_comes_next_and_the_second_writes(
    statements, debian_server, tmp_path
):
    """Both in one line; one that is too early is refused in one."""
    first = statements()
    assert first.exit_code == 0, first.output
    assert "first snapshot of shop: " in first.stdout
    assert "the next run writes what runs from now on" in first.stdout
    (kept,) = tmp_path.rglob("*.json.gz")
    document = json.loads(gzip.decompress(kept.read_bytes()))
    document["taken_s"] += 60
    kept.write_bytes(gzip.compress(json.dumps(document).encode()))
    assert "not older than this one" in str(statements().exception)
    document["taken_s"] -= 360
    kept.write_bytes(gzip.compress(json.dumps(document).encode()))
    debian_server.run(LOOKUP, database="app")
    again = statements()
    assert "wrote 1 statements of shop, 0.0" in again.stdout
    assert f"UTC: {tmp_path}/_server/statements/date=" in again.stdout


def test_a_cluster_that_may_pause_is_left_alone(statements, aws_account):
    """A minimum of 0 ACU; told to, it is asked all the same."""
    rds(MinCapacity=0, MaxCapacity=4)
    refused = statements()
    assert "pauses when nobody uses it" in str(refused.exception)
    assert "give --keep-awake" in str(refused.exception)
    assert statements("--keep-awake").exit_code == 0


def test_a_cluster_that_never_pauses_is_asked(statements, aws_account):
    """A minimum above 0, without a warning."""
    rds(MinCapacity=0.5, MaxCapacity=4)
    result = statements()
    assert result.exit_code == 0
    assert result.stderr == ""


def test_who_may_not_look_the_cluster_up_is_told_what_to_allow(statements, aws_account):
    """The snapshot is taken; that it may keep the cluster awake is said."""
    result = statements()
    assert result.exit_code == 0
    assert "whether the cluster may pause is not known: cluster 'shop'" in result.stderr


@pytest.mark.parametrize(
    ("url", "elsewhere"),
    [
        ("", False),
        ("https://rds-data.eu-west-1.amazonaws.com", False),
        ("https://vpce-0a-b.rds-data.eu-west-1.vpce.amazonaws.com", False),
        ("http://127.0.0.1:8080", True),
        ("http://amazonaws.com.example.org", True),
    ],
)
def test_a_private_endpoint_of_aws_is_still_aws(url, elsewhere, monkeypatch):
    """A VPC endpoint is no local one: clusters behind it may pause."""
    monkeypatch.delenv("AWS_ENDPOINT_URL_RDS_DATA", raising=False)
    assert is_elsewhere(url or None) is elsewhere
    if url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_RDS_DATA", url)
        assert is_elsewhere(None) is elsewhere


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--ledger", "x", "--resource-arn", ARN], "give --secret-arn and --database"),
        (
            ["--ledger", "x", "--resource-arn", ARN, "--url", "x", "--database", "app"],
            "--url cannot be combined with --database",
        ),
        (["--ledger", "x", "--resource-arn", ARN, "--every", "1"], "'--every'"),
        (["--resource-arn", ARN], "--ledger"),
        (["--ledger", "x", "--resource-arn", "", "--url", "x"], "--resource-arn is empty"),
    ],
)
def test_wrong_arguments_are_a_usage_error(arguments, says, aws_at, unused_port, monkeypatch):
    """Exit code 2, and the option by name."""
    monkeypatch.setenv("COLUMNS", "200")
    aws_at(f"http://127.0.0.1:{unused_port}")
    monkeypatch.setenv("AWS_ENDPOINT_URL_RDS_DATA", f"http://127.0.0.1:{unused_port}")
    monkeypatch.delenv("TENANTMETRICS_SECRET_ARN", raising=False)
    result = run("statements", *arguments)
    assert result.exit_code == 2
    assert says in result.output


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://meter:hunter%zz@h/app",
        "postgresql://meter:pass@hunter@h/app",
        "postgresql://meter:pass@hunter/x@127.0.0.1:1/app",
        "postgresql://meter:pass@pass:hunter@127.0.0.1:1/app",
        "postgresql://meter:hun ter@h/app",
        "meter:hunter@h/app",
        "host=h password=pass hunter dbname=app",
    ],
)
def test_a_url_that_cannot_be_read_is_not_quoted(url, tmp_path):
    """Part of it may be a password."""
    result = run(
        "statements", "--ledger", tmp_path, "--resource-arn", ARN, "--keep-awake", "--url", url
    )
    assert "its URL cannot be read" in str(result.exception)
    assert "hun" not in result.output + str(result.exception)
    assert not list(tmp_path.iterdir())


def test_on_the_data_api_the_embedded_postgresql_lacks_the_extension(
    endpoint, unused_port, tmp_path
):
    """One line on stderr, exit code 1, nothing written: as a user sees it."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tenantmetrics", "server-load", "statements"),
            *("--ledger", str(tmp_path / "ledger")),
            *("--resource-arn", endpoint.resource_arn, "--secret-arn", endpoint.secret_arn),
            *("--database", endpoint.database, "--endpoint-url", endpoint.url),
        ],
        # RDS is nowhere: whether a local endpoint's cluster pauses is not worth a warning.
        env=os.environ
        | endpoint.environment
        | {"AWS_ENDPOINT_URL_RDS": f"http://127.0.0.1:{unused_port}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("tenantmetrics: database 'postgres' has no extension")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "ledger").exists()


def test_ctrl_c_ends_a_repeated_run_quietly(debian_server, tmp_path):
    """What was written stays; no traceback."""
    command = [
        *(sys.executable, "-m", "tenantmetrics", "server-load", "statements", "--repeat"),
        *("--ledger", str(tmp_path), "--resource-arn", "arn:aws:x:cluster:shop"),
        *("--url", debian_server.url("app")),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert "first snapshot" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == ""
    assert len(list(tmp_path.rglob("*.json.gz"))) == 1
