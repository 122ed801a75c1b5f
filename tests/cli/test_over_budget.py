"""`tenantmetrics report --fail-over-budget`, as a pipeline runs it."""

from __future__ import annotations

import sys

import pytest

from tenantmetrics.cli import main
from tenantmetrics.cli.over_budget import EXIT_OVER_BUDGET
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import Series, SeriesKey, Source, Window


@pytest.fixture
def ledger(tmp_path):
    """Two tenants in one minute of November 2026."""
    series = {
        SeriesKey(f"hotel-0{n}", "ExecuteStatement", "ok", Source.SESSION, "arn:x", "app"): Series(
            calls=100, duration_ns=500_000_000, billed_requests=100
        )
        for n in range(2)
    }
    path = tmp_path / "ledger"
    LedgerExporter(path).export([Window(1_795_209_300, 60, "w", 0, series, {})], float("inf"))
    return path


@pytest.fixture
def run(capfdbinary, monkeypatch):
    """Run the command in this process: (exit code, standard output, standard error)."""

    def invoke(*arguments):
        monkeypatch.setattr(sys, "argv", ["tenantmetrics", "report", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code
        out, err = (text.decode() for text in capfdbinary.readouterr())
        return (1, out, f"{err}{code}\n") if isinstance(code, str) else (code or 0, out, err)

    return invoke


@pytest.fixture
def tenants(tmp_path):
    """A tenants' file with this text."""

    def write(text):
        path = tmp_path / "tenants.csv"
        path.write_text(text)
        return path

    return write


OVER = "tenant,pool,budget\nhotel-00,,0.0001\nhotel-01,,1000\n,compute,0.01\n"


@pytest.mark.parametrize("value", [["--fail-over-budget"], ["--fail-over-budget", "spent"]])
def test_a_budget_that_is_over_is_a_line_and_exit_code_3(run, ledger, tenants, tmp_path, value):
    """The report is made all the same."""
    page = tmp_path / "x.html"
    code, out, err = run(
        "--ledger", ledger, "--tenants", tenants(OVER), *value, "--acu", "1", "--output", page
    )
    assert (code, out) == (EXIT_OVER_BUDGET, "")
    wrote, *lines = err.splitlines()
    assert wrote.startswith("wrote ")
    assert page.exists()
    assert len(lines) == 2
    assert all(line.startswith("tenantmetrics: over budget: ") for line in lines)
    assert any("pool compute: spent 0.1200 of 0.01 USD, 0.11" in x for x in lines)
    assert not any("hotel-01" in line for line in lines)


def test_the_flag_may_stand_alone_at_the_end_or_before_another(run, ledger, tenants):
    """It takes no other option for its value."""
    path = tenants("tenant,budget\nhotel-00,1000\n")
    code, _, err = run("--fail-over-budget", "--ledger", ledger, "--tenants", path)
    assert (code, err) == (0, "")
    code, _, err = run("--ledger", ledger, "--tenants", path, "--fail-over-budget")
    assert (code, err) == (0, "")


def test_without_the_flag_a_budget_stops_nothing(run, ledger, tenants):
    """It is shown."""
    code, out, err = run("--ledger", ledger, "--tenants", tenants(OVER))
    assert (code, err) == (0, "")
    assert "Budget of pool compute" in out


def test_a_forecast_that_is_not_known_is_a_warning(run, ledger, tenants):
    """A month of one minute, which is judged by what was spent."""
    path = tenants("tenant,budget\nhotel-00,1000\n")
    code, _, err = run("--ledger", ledger, "--tenants", path, "--fail-over-budget", "forecast",
                       "--month", "2026-11")  # fmt: skip
    assert code == 0
    assert err == "" or "tenant hotel-00: no forecast: the month" in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "give the file with --tenants"),
        ("tenant,plan\nhotel-00,pro\n", "tenants.csv' has none"),
        ("tenant,budget\nhotel-00,much\n", "'much' is not a budget"),
    ],
)
def test_without_budgets_it_is_an_error(run, ledger, tenants, text, message):
    """A pipeline that checks nothing should not pass."""
    more = [] if text is None else ["--tenants", tenants(text)]
    code, out, err = run("--ledger", ledger, *more, "--fail-over-budget")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert message in err


def test_a_budget_of_nobody_is_a_warning(run, ledger, tenants):
    """A slip in a group's name must not pass in silence."""
    path = tenants("tenant,plan,budget\nhotel-00,pro,\nhotel-02,,3\n,prp,2\n,pro,9\n")
    code, _, err = run("--ledger", ledger, "--tenants", path, "--fail-over-budget")
    assert code == 0
    assert "warning: tenant hotel-02: no line is of this budget" in err
    assert "warning: group plan=prp: no line is of this budget" in err
    assert "plan=pro" not in err


def test_another_value_is_refused(run, ledger, tenants):
    """By name."""
    code, _, err = run("--ledger", ledger, "--tenants", tenants(OVER), "--fail-over-budget=month")
    assert code == 2
    assert "month" in err
