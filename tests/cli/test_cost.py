"""`tenantmetrics cost compare`, as a user types it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.errors import ReportError
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import Series, SeriesKey, Source, Window


@pytest.fixture
def ledger(tmp_path):
    """A month of two tenants: 30 million requests."""
    folder = tmp_path / "ledger"
    start_s = int(datetime(2026, 10, 20, 12, tzinfo=UTC).timestamp())
    series = {
        SeriesKey(name, "ExecuteStatement", "ok", Source.SESSION, "arn:x", "app"): Series(
            calls=calls, duration_ns=calls * 10**6, attempts=calls, billed_requests=calls
        )
        for name, calls in (("acme", 20_000_000), ("bee", 10_000_000))
    }
    LedgerExporter(folder).export([Window(start_s, 60, "w", 0, series, {})], float("inf"))
    return folder


def run(*arguments):
    return CliRunner().invoke(app, ["cost", "compare", *map(str, arguments)])


def test_the_table_says_estimate_break_even_and_every_assumption(ledger):
    """What is not known is assumed in words, with the option that would tell it."""
    result = run("--ledger", ledger, "--month", "2026-10")
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    assert "2026-10 on other architectures ESTIMATE" in text
    assert "List prices of 2026-03-31, us-east-1" in text
    assert "costs as much as PostgreSQL, NAT gateway on the same cluster at 105,142,857" in text
    assert "3.5 times this month's" in text
    for option in ("--acu-hours", "--storage-gb", "--io-requests", "--nat-gb"):
        assert option in text
    assert "30,000,000 (this month)" in text


def test_json_has_the_same_figures_as_exact_texts(ledger):
    """For whoever computes on: parts sum to totals, volumes stand in every row."""
    options = ("--acu", "2", "--storage-gb", "10", "--io-requests", "5000000", "--format", "json")
    result = run("--ledger", ledger, *options)
    document = json.loads(result.output)
    assert document["workload"]["acu_hours"] == "1488.000000"
    assert len(document["alternatives"]) == 8
    for row in document["alternatives"]:
        assert sum(map(float, row["parts"].values())) == pytest.approx(float(row["total"]))
        assert row["by_requests"]["30000000"] == row["total"]
    assert sum(row["current"] for row in document["alternatives"]) == 1


def test_the_bill_tells_capacity_storage_and_io(ledger, tmp_path):
    """Quantities of its usage types; no figure is assumed that it holds."""
    bill = tmp_path / "ce.json"
    groups = [
        {
            "Keys": [usage_type, "Usage"],
            "Metrics": {
                "UnblendedCost": {"Amount": "1", "Unit": "USD"},
                "UsageQuantity": {"Amount": amount, "Unit": "x"},
            },
        }
        for usage_type, amount in (
            ("Aurora:ServerlessV2IOOptimizedUsage", "1488"),
            ("Aurora:IO-OptimizedStorageUsage", "50"),
            ("Aurora:StorageIOUsage", "7000000"),
        )
    ]
    document = {
        "GroupDefinitions": [{"Key": "USAGE_TYPE"}, {"Key": "RECORD_TYPE"}],
        "ResultsByTime": [
            {"TimePeriod": {"Start": "2026-10-01"}, "Groups": groups, "Estimated": False}
        ],
    }
    bill.write_text(json.dumps(document))
    result = run("--ledger", ledger, "--bill", bill, "--format", "json")
    found = json.loads(result.output)
    assert found["workload"] == {
        "hours": 744,
        "requests": 30_000_000,
        "acu_hours": "1488.000000",
        "storage_gb": "50.000000",
        "io_requests": "7000000.000000",
    }
    (today,) = (row["cluster"] for row in found["alternatives"] if row["current"])
    assert today == "Serverless v2, I/O-Optimized"
    assert not [a for a in found["assumptions"] if "not known and counts" in a]


@pytest.mark.parametrize("option", ["--storage-gb", "--io-requests", "--nat-gb", "--acu"])
def test_a_figure_that_is_none_is_named(ledger, option):
    """One line that names the option."""
    result = run("--ledger", ledger, option, "many")
    assert isinstance(result.exception, ReportError)
    assert str(result.exception) == f"{option} 'many' is not a number"
