"""`tenantmetrics report`, as a command."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal

import pytest

from tenantmetrics import cost
from tenantmetrics.catalog import Level
from tenantmetrics.cli import division_options, main
from tenantmetrics.cost.allocate import Idle
from tenantmetrics.export.emf import documents
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import Series, SeriesKey, Source, Window


@pytest.fixture
def ledger(tmp_path):
    """A ledger of 25 tenants in one minute of November 2026."""
    series = {
        SeriesKey(
            f"hotel-{n:02}", "ExecuteStatement", "ok", Source.SESSION, "arn:x", "app"
        ): Series(calls=100 - n, duration_ns=(100 - n) * 5_000_000, billed_requests=100 - n)
        for n in range(25)
    }
    path = tmp_path / "ledger"
    LedgerExporter(path).export([Window(1_795_209_300, 60, "w", 0, series, {})], float("inf"))
    return path


@pytest.fixture
def run(capfdbinary, monkeypatch):
    """Run the command in this process: (exit code, standard output, standard error)."""

    def invoke(*arguments, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "argv", ["tenantmetrics", "report", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code
        out, err = (text.decode() for text in capfdbinary.readouterr())
        if isinstance(code, str):
            # What the interpreter itself does with sys.exit("text").
            code, err = 1, err + code + "\n"
        return code or 0, out, err

    return invoke


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_it_prints_a_table_that_fits_the_terminal(run, ledger, columns):
    """Every tenant, the unattributed line and the total, at any width."""
    code, out, err = run("--ledger", ledger, "--month", "2026-11", columns=columns)
    assert (code, err) == (0, "")
    assert all(f"hotel-{n:02}" in out for n in range(25))
    assert "__unattributed__" in out
    assert "ESTIMATE" in out
    assert max(map(len, out.splitlines())) <= columns


def test_it_works_as_a_program_without_a_terminal(ledger):
    """Piped, into something that cannot write every name, and with nothing said of the width."""
    key = SeriesKey("h\u00f4tel", "ExecuteStatement", "ok", Source.SESSION, "arn:x", "app")
    window = Window(1_795_209_300, 60, "w", 1, {key: Series(calls=500, duration_ns=10**9)}, {})
    LedgerExporter(ledger).export([window], float("inf"))
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    environ |= {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "tenantmetrics", "report", "--ledger", ledger],
        capture_output=True, check=True, env=environ, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert b"hotel-24" in done.stdout
    assert b"h\\xf4tel" in done.stdout
    assert b"\x1b" not in done.stdout


def test_files_get_the_format_of_their_suffix(run, ledger, tmp_path):
    """CSV and HTML in one go; the CSV adds up."""
    bill, page = tmp_path / "bill.csv", tmp_path / "bill.html"
    code, out, err = run("--ledger", ledger, "--output", bill, "--out", page)
    assert (code, out) == (0, "")
    assert err == f"wrote {bill}\nwrote {page}\n"
    assert page.read_text().startswith("<!doctype html>")
    rows = list(csv.DictReader(bill.read_text().splitlines()))
    total = sum(Decimal(row["total_cost"]) for row in rows)
    assert total == cost.monthly(ledger).total


def test_csv_and_html_go_to_standard_output_when_asked(run, ledger):
    """With CSV's own line ends."""
    _, out, _ = run("--ledger", ledger, "--format", "csv")
    assert out.startswith("period,tenant,")
    assert out.count("\r\n") == 27
    _, out, _ = run("--ledger", ledger, "--format", "html")
    assert out.startswith("<!doctype html>")


def test_capacity_and_idle_are_taken_from_the_options(run, ledger):
    """2 ACU for the one hour is 24 cents, a cent a tenant; 100 ACU-hours are 12 dollars."""
    _, out, _ = run("--ledger", ledger, "--acu", "2", columns=120)
    assert "0.2400 " in out
    _, out, _ = run("--ledger", ledger, "--acu-hours", "100", "--io-optimized", columns=120)
    assert "15.60" in out


BAD = {
    "no ledger": (["--ledger", "{tmp}/none"], "does not exist"),
    "empty ledger": (["--ledger", "{tmp}"], "is empty"),
    "month": (["--ledger", "{ledger}", "--month", "Nov 2026"], "'Nov 2026' does not parse"),
    "no data": (["--ledger", "{ledger}", "--month", "2026-01"], "nothing for 2026-01"),
    "zone": (["--ledger", "{ledger}", "--timezone", "Mars"], "'Mars' is unknown"),
    "no prices": (["--ledger", "{ledger}", "--prices", "{tmp}/p.toml"], "p.toml' cannot be read"),
    "region": (["--ledger", "{ledger}", "--region", "moon-1"], "region 'moon-1'"),
    "kind": (["--usage", "gs://x/y"], "is of no known kind"),
    "metrics": (
        ["--usage", "cloudwatch:TenantMetrics"],
        "needs a month, such as 2026-11 (--month)",
    ),
    "two answers": (
        ["--ledger", "{ledger}", "--acu", "1", "--cluster", "x"],
        "(--acu, --acu-hours, --capacity, --cluster)",
    ),
    "acu": (["--ledger", "{ledger}", "--acu", "much"], "--acu 'much' is not a number"),
    "negative": (
        ["--ledger", "{ledger}", "--acu", "-1"],
        "capacity of -1 must be a number, 0 or more (--acu)",
    ),
    "suffix": (["--ledger", "{ledger}", "--output", "{tmp}/bill.doc"], "suffix names no format"),
    "folder": (["--ledger", "{ledger}", "--output", "{tmp}/no/bill.csv"], "cannot be written"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line_and_exit_code_1(run, ledger, tmp_path, case):
    """No traceback, nothing on standard output, no file made."""
    (tmp_path / "x").mkdir()
    arguments, text = BAD[case]
    where = {"tmp": tmp_path / "x", "ledger": ledger}
    code, out, err = run(*(argument.format(**where) for argument in arguments))
    assert (code, out) == (1, "")
    assert text in err
    assert err.startswith("tenantmetrics: ")
    assert err.count("\n") == 1
    assert not list((tmp_path / "x").iterdir())


@pytest.mark.parametrize("price", ["", "acu_hour = -1", "acu_hour = nan"])
def test_a_price_file_with_a_missing_or_impossible_price_names_the_entry(
    run, ledger, tmp_path, price
):
    """One line with file and entry; the page that was asked for is not made."""
    path = tmp_path / "prices.toml"
    path.write_text(f'region = "r"\ncurrency = "USD"\ndated = 2026-01-01\n[prices]\n{price}\n')
    code, _, err = run("--ledger", ledger, "--prices", path, "--output", tmp_path / "bill.html")
    assert code == 1
    assert "prices.toml': entry prices.acu_hour is " in err
    assert err.count("\n") == 1
    assert not (tmp_path / "bill.html").exists()


def test_a_corrupt_file_is_refused_by_name_or_left_out_with_a_warning(run, ledger, tmp_path):
    """Refused: nothing is written. Skipped: a warning, and the note in every format."""
    good = next(ledger.rglob("*.parquet"))
    bad = good.with_name(good.name.replace("-00000000.", "-00000001."))
    bad.write_bytes(good.read_bytes()[:-9])
    page, bill = tmp_path / "bill.html", tmp_path / "bill.csv"
    code, out, err = run("--ledger", ledger, "--output", page)
    assert (code, out) == (1, "")
    assert bad.name in err
    assert err.count("\n") == 1
    assert not page.exists()
    code, _, err = run("--ledger", ledger, "--skip-corrupt", "--output", page, "--output", bill)
    assert code == 0
    assert "warning: left out" in err
    assert bad.name in err
    assert bad.name in page.read_text()
    assert 'class="stamp"' in page.read_text()
    assert {row["status"] for row in csv.DictReader(bill.read_text().splitlines())} == {
        "DRAFT ESTIMATE"
    }
    _, out, _ = run("--ledger", ledger, "--skip-corrupt", columns=300)
    assert bad.name in out


def test_lines_that_do_not_add_up_are_exit_code_2_with_the_difference(
    run, ledger, tmp_path, monkeypatch
):
    """A cent too many in a pool: no file, and the difference is named."""
    right = cost.monthly(ledger)
    pool = replace(right.pools[1], amount=right.pools[1].amount + Decimal("0.01"))
    wrong = replace(right, pools=(right.pools[0], pool))
    monkeypatch.setattr(cost, "monthly", lambda *_, **__: wrong)
    code, out, err = run("--ledger", ledger, "--output", tmp_path / "bill.csv")
    assert (code, out) == (2, "")
    assert "a difference of -0.01" in err
    assert not (tmp_path / "bill.csv").exists()


def test_help_is_fast_and_loads_no_engine(ledger):
    """--help imports neither DuckDB nor pyarrow."""
    script = (
        "import sys; sys.argv[1:] = ['report', '--help']\n"
        "from tenantmetrics.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "sys.exit(bool({'duckdb', 'pyarrow', 'jinja2'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, cwd=ledger,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"--ledger" in done.stdout


def test_a_bill_is_divided_to_the_cent_in_every_format(run, ledger, tmp_path):
    """A FOCUS file in, every format out; no estimate any more, and the tag filter is checked."""
    bill = tmp_path / "focus.csv"
    bill.write_text(
        "BilledCost,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,x_UsageType\n"
        "100.01,USD,2026-11-01T00:00:00Z,Usage,2026-11-01T00:00:00Z,Data-API-Usage\n"
    )
    files = [tmp_path / f"bill.{s}" for s in ("csv", "focus.csv", "html", "json", "xlsx", "txt")]
    options = [part for file in files for part in ("--output", file)]
    code, _, err = run("--ledger", ledger, "--bill", bill, "--month", "2026-11", *options)
    assert code == 0, err
    rows = list(csv.DictReader(files[0].read_text().splitlines()))
    assert sum(Decimal(row["total_cost"]) for row in rows) == Decimal("100.01")
    assert "ESTIMATE" not in files[5].read_text()
    code, _, err = run("--ledger", ledger, "--bill", bill, "--bill-tag", "x")
    assert (code, "KEY=VALUE" in err) == (1, True)


@pytest.mark.parametrize("option", ["compute", "compute=magic", "cpu=calls"])
def test_a_driver_that_is_none_is_refused_with_those_that_are(run, ledger, option):
    """The error lists pools and drivers."""
    code, _, err = run("--ledger", ledger, "--driver", option)
    assert code == 1
    assert "write POOL=DRIVER" in err
    assert "server_time" in err


def test_usage_may_come_from_exported_logs(run, tmp_path):
    """The same option, and a broken line is one line of error."""
    key = SeriesKey("acme", "ExecuteStatement", "ok", Source.SESSION, "arn:x", "app")
    sums = Series(calls=3, duration_ns=9, billed_requests=3, scale=4, buckets={357: 3})
    window = Window(1_795_209_300, 60, "w", 0, {key: sums}, {})
    logs = tmp_path / "logs.txt"
    meta = {"level": Level.ESSENTIAL, "max_tenants": 9, "meta": {}}
    logs.write_text("\n".join(documents(window, namespace="Shop", **meta)))
    code, out, err = run("--usage", logs, "--format", "csv")
    assert (code, err) == (0, "")
    assert "acme" in out
    logs.write_text(logs.read_text()[:-40])
    code, out, err = run("--usage", logs, "--month", "2026-11")
    assert (code, out) == (1, "")
    assert "'logs.txt' line 2 (truncated or not JSON)" in err
    assert err.count("\n") == 1


def test_another_month_can_be_compared(run, ledger):
    """October had one call of one tenant; the difference is named."""
    key = SeriesKey("hotel-00", "ExecuteStatement", "ok", Source.SESSION, "arn:x", "app")
    window = Window(1_791_000_000, 60, "w", 7, {key: Series(1, 1, billed_requests=1)}, {})
    LedgerExporter(ledger).export([window], float("inf"))
    code, out, err = run("--ledger", ledger, "--month", "2026-11", "--compare", "2026-10")
    assert (code, err) == (0, "")
    assert "USD against 2026-10." in out


def test_another_engines_options_are_refused(run, ledger):
    """They would change nothing, and whoever gave them would not know."""
    for given, says in (
        (("--athena-table", "a.b"), "--athena-table needs --engine athena"),
        (("--engine", "athena", "--spark-master", "local"), "--spark-master needs --engine spark"),
        (("--engine", "spark", "--athena-timeout", "5"), "--athena-timeout needs --engine athena"),
    ):
        code, out, err = run("--ledger", ledger, *given)
        assert (code, out, err) == (1, "", f"tenantmetrics: {says}\n")


def test_athena_needs_a_ledger_on_s3_and_spark_needs_its_extra(run, ledger):
    """Each engine says in one line what it lacks."""
    code, _, err = run("--ledger", ledger, "--engine", "athena")
    assert (code, err.count("\n")) == (1, 1)
    assert "the athena engine reads a ledger where it lies" in err
    assert "(--engine, --usage)" in err
    code, _, err = run("--ledger", ledger, "--engine", "spark")
    assert (code, err.count("\n")) == (1, 1)
    assert "pip install 'tenantmetrics[spark]'" in err


def test_choices_of_the_command_are_those_of_the_report():
    """They are written twice: the report's own modules take a quarter of a second to load."""
    assert list(division_options.ServerTimeBy) == list(cost.ServerTimeSource)
    assert list(division_options.IdleTo) == list(Idle)
