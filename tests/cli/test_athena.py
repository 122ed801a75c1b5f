"""`tenantmetrics athena-table`, as a command."""

from __future__ import annotations

from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.errors import ConfigError


def test_it_prints_the_statement_and_nothing_else():
    """Ready to be pasted or piped."""
    done = CliRunner().invoke(app, ["athena-table", "s3://books/ledger"])
    assert done.exit_code == 0
    assert done.output.startswith("CREATE EXTERNAL TABLE")
    assert done.output.endswith(");\n")


def test_a_location_that_is_none_is_a_clear_error():
    """One line that says what to write."""
    done = CliRunner().invoke(app, ["athena-table", "books"])
    assert isinstance(done.exception, ConfigError)
    assert "s3://bucket/prefix" in str(done.exception)
