"""`tenantmetrics athena-table`, as a command."""

from __future__ import annotations

import boto3
import pytest
from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.errors import ConfigError, LedgerError


@pytest.fixture
def glue(cloudwatch, monkeypatch):
    """An empty account with a database, `finance`."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    client = boto3.client("glue")
    client.create_database(DatabaseInput={"Name": "finance"})
    yield client
    client.close()


def run(*arguments):
    return CliRunner().invoke(app, ["athena-table", *arguments])


def test_it_prints_the_statement_and_nothing_else():
    """Ready to be pasted or piped."""
    done = run("s3://books/ledger")
    assert done.exit_code == 0
    assert done.output.startswith("CREATE EXTERNAL TABLE")
    assert done.output.endswith(");\n")


def test_a_location_that_is_none_is_a_clear_error():
    """One line that says what to write."""
    done = run("books")
    assert isinstance(done.exception, ConfigError)
    assert "s3://bucket/prefix" in str(done.exception)


def test_create_makes_the_table_once(glue):
    """A second time finds it as it should be, and changes nothing."""
    asked = ("s3://books/ledger", "--table", "finance.usage", "--create")
    assert run(*asked).output == (
        "created table finance.usage\ncreated table finance.usage_statements\n"
    )
    table = glue.get_table(DatabaseName="finance", Name="usage")["Table"]
    assert table["StorageDescriptor"]["Location"] == "s3://books/ledger/"
    assert table["Parameters"]["projection.enabled"] == "true"
    assert [key["Name"] for key in table["PartitionKeys"]] == ["date", "hour"]
    assert run(*asked).output == (
        "unchanged table finance.usage\nunchanged table finance.usage_statements\n"
    )


def test_create_brings_an_old_table_up_to_date_and_keeps_what_is_not_ours(glue):
    """A column that a newer version added appears; somebody's own property stays."""
    asked = ("s3://books/ledger", "--table", "finance.usage", "--create")
    run(*asked)
    there = glue.get_table(DatabaseName="finance", Name="usage")["Table"]
    columns = there["StorageDescriptor"]["Columns"]
    old = {
        "Name": "usage",
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": there["PartitionKeys"],
        "StorageDescriptor": {**there["StorageDescriptor"], "Columns": columns[:-1]},
        "Parameters": {**there["Parameters"], "owner": "finance"},
    }
    glue.update_table(DatabaseName="finance", TableInput=old)
    assert run(*asked).output == (
        "updated table finance.usage\nunchanged table finance.usage_statements\n"
    )
    now = glue.get_table(DatabaseName="finance", Name="usage")["Table"]
    assert now["StorageDescriptor"]["Columns"] == columns
    assert now["Parameters"]["owner"] == "finance"


def test_create_never_turns_a_table_to_another_ledger(glue):
    """Whoever queries it would read other numbers under the old name."""
    run("s3://books/ledger", "--table", "finance.usage", "--create")
    done = run("s3://books/staging", "--table", "finance.usage", "--create")
    assert isinstance(done.exception, LedgerError)
    assert "reads s3://books/ledger/, not s3://books/staging/" in str(done.exception)


def test_create_in_a_database_that_is_not_there_is_one_clear_line(glue):
    """Glue's own words."""
    done = run("s3://books/ledger", "--table", "nowhere.usage", "--create")
    assert isinstance(done.exception, LedgerError)
    assert "table nowhere.usage cannot be made" in str(done.exception)
    assert "EntityNotFound" in str(done.exception)
    assert "\n" not in str(done.exception)
