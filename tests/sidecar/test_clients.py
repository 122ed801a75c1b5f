"""Other people's clients see through the sidecar what they see without it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tenantmetrics import testing
from tests.localapi import test_aws_cli

aws = test_aws_cli.aws
data_api = testing.data_api
data_api_endpoint = testing.data_api_endpoint
HERE = Path(__file__).with_name("js")


@pytest.fixture(scope="session")
def javascript(npm_ci):
    """A folder with the clients installed by lock."""
    return npm_ci(HERE)


def environment(endpoint, url, database):
    return {
        **os.environ,
        **endpoint.environment,
        "AWS_ENDPOINT_URL_RDS_DATA": url,
        "RESOURCE_ARN": endpoint.resource_arn,
        "SECRET_ARN": endpoint.secret_arn,
        "DATABASE": database,
        "NODE_NO_WARNINGS": "1",
    }


@pytest.mark.long
def test_javascript_clients_see_the_same_through_and_direct(sidecar, data_api, javascript):
    """The SDK, Drizzle and Kysely: results, types, errors; and tenants."""
    endpoint = data_api.endpoint
    running = sidecar(endpoint.url)

    def run(url):
        done = subprocess.run(
            ["node", "clients.mjs"],
            cwd=javascript,
            env=environment(endpoint, url, data_api.database),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        data_api.client.execute_statement(**data_api.arguments, sql="DROP TABLE t")
        return json.loads(done.stdout)

    direct = run(endpoint.url)
    before = endpoint.requests.total
    through = run(running.url)
    assert through == direct
    kept = running.recorded()
    assert kept.total("attempts") == endpoint.requests.total - before - 1  # DROP went direct
    assert {"acme", "bee"} <= kept.tenants()
    assert kept.calls(tenant="acme") == 5
    assert kept.calls(tenant="bee") == 5


@pytest.mark.long
def test_the_aws_cli_sees_the_same_through_and_direct(sidecar, data_api, aws):
    """By one environment variable; an error's text too."""
    endpoint = data_api.endpoint
    running = sidecar(endpoint.url)

    def run(url, sql):
        done = subprocess.run(
            [str(aws), "rds-data", "execute-statement", "--resource-arn", endpoint.resource_arn,
             "--secret-arn", endpoint.secret_arn, "--sql", sql, "--output", "json"],
            env={**environment(endpoint, url, data_api.database), "HOME": str(aws.parent)},
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
