"""Other people's clients see through the sidecar what they see without it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tenantmetrics.localapi import serve
from tests.localapi import test_aws_cli
from tests.parts import lacking

from .conftest import OWN

aws = test_aws_cli.aws
HERE = Path(__file__).with_name("js")
GO = Path("/usr/share/gocode")
"""Where Debian puts libraries of Go."""


@pytest.fixture(scope="session")
def javascript(npm_ci):
    """A folder with the clients installed by lock."""
    return npm_ci(HERE)


@pytest.fixture
def verifying():
    """An endpoint that takes no call but those that one of two signed: us, and the application."""
    keys = {OWN.access_key: OWN.secret_key, "application": "its secret"}
    with serve(verify=keys) as endpoint:
        yield endpoint


def environment(endpoint, url):
    return {
        **os.environ,
        **endpoint.environment,
        "AWS_ACCESS_KEY_ID": "application",
        "AWS_SECRET_ACCESS_KEY": "its secret",
        "AWS_ENDPOINT_URL_RDS_DATA": url,
        "RESOURCE_ARN": endpoint.resource_arn,
        "SECRET_ARN": endpoint.secret_arn,
        "DATABASE": endpoint.database,
        "NODE_NO_WARNINGS": "1",
        "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE": "1",
    }


def results(command, endpoint, url, **more):
    """What a program prints as JSON."""
    done = subprocess.run(
        command,
        env=environment(endpoint, url),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **more,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
def test_javascript_clients_see_the_same_through_and_direct(sidecar, verifying, javascript):
    """Both generations of the SDK, Drizzle, Kysely, data-api-client: results, errors; tenants."""
    running = sidecar(verifying.url)
    command = ["node", "clients.mjs"]
    direct = results(command, verifying, verifying.url, cwd=javascript)
    before = verifying.requests.total
    through = results(command, verifying, running.url, cwd=javascript)
    assert through == direct
    kept = running.recorded()
    assert kept.total("attempts") == verifying.requests.total - before
    assert [kept.calls(tenant=name) for name in ("acme", "bee", "cat")] == [5, 5, 5]


@pytest.mark.long
def test_the_sdk_for_go_sees_the_same_through_and_direct(sidecar, verifying, tmp_path):
    """Parameters, a transaction, 500 KB, an error; tenants."""
    if shutil.which("go") is None or not (GO / "src/github.com/aws/aws-sdk-go-v2").is_dir():
        lacking(
            "Go and its SDK of AWS are missing:"
            " apt-get install -y golang-go golang-github-aws-aws-sdk-go-v2-dev"
        )
    program = tmp_path / "client"
    settings = {"GOPATH": str(GO), "GO111MODULE": "off", "GOCACHE": str(tmp_path / "cache")}
    build = ["go", "build", "-buildvcs=false", "-o", str(program), "main.go"]
    subprocess.run(
        build, cwd=HERE.with_name("go"), env={**os.environ, **settings}, check=True, timeout=300
    )
    running = sidecar(verifying.url)
    direct = results([program], verifying, verifying.url)
    before = verifying.requests.total
    assert results([program], verifying, running.url) == direct
    kept = running.recorded()
    assert kept.calls() == verifying.requests.total - before == 8
    assert kept.calls(tenant="gopher") == 5


@pytest.mark.long
def test_the_aws_cli_sees_the_same_through_and_direct(sidecar, verifying, aws):
    """By one environment variable; an error's text too."""
    endpoint = verifying
    running = sidecar(endpoint.url)

    def run(url, sql):
        done = subprocess.run(
            [str(aws), "rds-data", "execute-statement", "--resource-arn", endpoint.resource_arn,
             "--secret-arn", endpoint.secret_arn, "--sql", sql, "--output", "json"],
            env={**environment(endpoint, url), "HOME": str(aws.parent)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    for sql in ("SELECT 1, 'é'", "SELECT 1/0"):
        assert run(running.url, sql) == run(endpoint.url, sql)
    assert running.recorded().calls() == 2


def test_the_lock_files_name_no_registry():
    """Packages are locked by name, version and hash; where they come from is the machine's."""
    for folder in (HERE, Path(__file__).parents[2] / "examples" / "typescript"):
        lock = json.loads((folder / "package-lock.json").read_text())
        packages = {name: entry for name, entry in lock["packages"].items() if name}
        assert packages
        assert all("resolved" not in entry and entry["integrity"] for entry in packages.values())
