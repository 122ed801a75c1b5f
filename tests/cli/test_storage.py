"""`tenantmetrics storage`, as a user types it, and the report that reads what it wrote."""

from __future__ import annotations

import csv

import pytest
from typer.testing import CliRunner

from tenantmetrics import testing
from tenantmetrics.cli.app import app
from tenantmetrics.cost.inputs import read_storage

data_api = testing.data_api
data_api_endpoint = testing.data_api_endpoint


def run(data_api, monkeypatch, *arguments):
    for name, value in data_api.endpoint.environment.items():
        monkeypatch.setenv(name, value)
    return CliRunner().invoke(
        app,
        [
            "storage",
            *("--resource-arn", data_api.endpoint.resource_arn),
            *("--secret-arn", data_api.endpoint.secret_arn),
            *("--database", data_api.database),
            *map(str, arguments),
        ],
    )


def test_the_file_it_writes_is_the_one_that_the_report_reads(data_api, monkeypatch, tmp_path):
    """The environment of `tenantmetrics local` is enough; what is nobody's comes last."""
    sql = "CREATE TABLE orders AS SELECT 'acme' AS tenant_ref FROM generate_series(1, 9)"
    data_api.client.execute_statement(**data_api.arguments, sql=sql)
    output = tmp_path / "storage.csv"
    result = run(data_api, monkeypatch, "--column", "TENANT_REF", "-o", output)
    assert result.exit_code == 0, result.output
    found = read_storage(output)
    assert found["acme"] > 0
    with output.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["tenant", "bytes"]
    assert rows[-1][0] == "__shared__"


def test_without_a_file_tables_and_tenants_are_shown(data_api, monkeypatch):
    """How each table was divided, and the sum."""
    sql = "CREATE TABLE orders AS SELECT 'acme' AS tenant_id FROM generate_series(1, 9)"
    data_api.client.execute_statement(**data_api.arguments, sql=sql)
    result = run(data_api, monkeypatch)
    assert result.exit_code == 0
    assert "public.orders" in result.output
    assert "rows by tenant_id" in result.output
    assert "bytes in all" in result.output


def test_a_pattern_without_a_group_is_refused(data_api, monkeypatch):
    """The setting's own error, in one line."""
    result = run(data_api, monkeypatch, "--schema-pattern", "hotel_.+")
    assert "tenant_schema_pattern = 'hotel_.+'" in str(result.exception)


def test_the_clusters_region_is_asked_where_none_is_set(data_api, monkeypatch):
    """Its ARN names it: boto3 does not read AWS_REGION, and may have none."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    kept = {
        name: value for name, value in data_api.endpoint.environment.items() if "REGION" not in name
    }
    for name, value in kept.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    arguments = ("--resource-arn", data_api.endpoint.resource_arn)
    arguments += ("--secret-arn", data_api.endpoint.secret_arn, "--database", data_api.database)
    result = CliRunner().invoke(app, ["storage", *arguments])
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    "command",
    [
        ["storage", "--database", "app"],
        ["rls", "check", "--database", "app"],
        ["server-load", "statements", "--database", "app", "--ledger", "x"],
    ],
    ids=" ".join,
)
def test_without_any_region_the_error_says_what_to_set(command, monkeypatch, tmp_path):
    """An ARN that names none, and nothing else that does."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    arguments = ["--resource-arn", "local", "--secret-arn", "local"]
    result = CliRunner().invoke(app, [*command, *arguments])
    # `rls check` prints it itself, for a status of its own.
    told = result.stderr or str(result.exception)
    assert "the Data API cannot be reached: no region is set: set AWS_REGION" in told
    assert result.exit_code != 0
