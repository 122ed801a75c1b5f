"""`tenantmetrics report` for tenants and billing providers, as a command."""

from __future__ import annotations

import csv
import json
import re
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from shutil import copytree

import jsonschema
import pytest

from tenantmetrics import cost
from tenantmetrics.cli import main
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import Series, SeriesKey, Source, Window
from tenantmetrics.report.tenant_statement.json import schema
from tenantmetrics.statement_table import StatementTable

ARN = "arn:aws:rds:us-east-1:123456789012:cluster:shared"
CANARY = "kanarienvogel"
NAMES = ("acme", CANARY, "Acme", "a/b", "z" * 300)


def write_month(path, number, month):
    """An hour of each tenant in a month, with statements."""
    start_s = int(datetime(2026, month, 10, 12, tzinfo=UTC).timestamp())
    table, series = StatementTable(), {}
    for place, name in enumerate(NAMES):
        calls = (place + 1) * 1000 * number
        key = SeriesKey(name, "ExecuteStatement", "ok", Source.SESSION, ARN, "app")
        series[key] = Series(
            calls=calls, duration_ns=calls * 10**7, attempts=calls, billed_requests=calls * 1000,
            rows_returned=calls, request_bytes=calls * 10, response_bytes=calls * 100,
        )  # fmt: skip
        for summary in ("SELECT bookings", f"SELECT {CANARY}.orders"):
            statement = (ARN, "app", hash(summary) % 97, summary, "work")
            half = calls // 2
            table.add(name, statement, half, half * 10**7, half * 10**8, 0, half, half, half, 0)
    window = Window(start_s, 3600, "host", number, series, {}, statements=table)
    LedgerExporter(path).export([window], float("inf"))


@pytest.fixture(scope="module")
def months(tmp_path_factory):
    """Three months of five tenants with difficult names."""
    path = tmp_path_factory.mktemp("months") / "ledger"
    for number, month in enumerate((8, 9, 10), start=1):
        write_month(path, number, month)
    return path


@pytest.fixture
def ledger(months, tmp_path):
    """The same, to be changed."""
    return Path(copytree(months, tmp_path / "ledger"))


@pytest.fixture
def tenants(tmp_path):
    """Who they are at the providers."""
    path = tmp_path / "tenants.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["tenant", "plan", "stripe_customer", "lago_subscription"])
        for number, name in enumerate(NAMES):
            rows.writerow([name, "pro", f"cus_{number}", f"sub_{number}"])
    return path


@pytest.fixture
def run(capfdbinary, monkeypatch, ledger, tenants):
    """Run the command on the ledger's October: (exit code, standard output, standard error)."""

    def invoke(*arguments):
        given = ["--ledger", ledger, "--tenants", tenants, "--month", "2026-10"]
        # What a test says after it counts: each month is a reading of the ledger.
        given += ["--statement-months", "1", "--statement-top", "0"]
        monkeypatch.setattr(
            sys, "argv", ["tenantmetrics", "report", *map(str, (*given, *arguments))]
        )
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code
        out, err = (text.decode() for text in capfdbinary.readouterr())
        if isinstance(code, str):
            code, err = 1, err + code + "\n"
        return code or 0, out, err

    return invoke


def test_a_folder_gets_a_page_and_a_document_of_each_tenant(run, tmp_path):
    """Names that no file system takes or tells apart have files of their own."""
    folder = tmp_path / "out" / "october"
    both = ("--statement-format", "html", "--statement-format", "json")
    whole = ("--statement-months", "13", "--statement-top", "10")
    code, out, err = run("--statements", folder, *both, *whole)
    assert (code, out) == (0, "")
    assert err == f"wrote 10 files to {folder}\n"
    files = sorted(folder.iterdir())
    assert len({file.name.casefold() for file in files}) == 10
    assert {file.suffix for file in files} == {".html", ".json"}
    told = {}
    for file in folder.glob("*.json"):
        document = json.loads(file.read_text())
        jsonschema.validate(document, schema())
        told[document["tenant"]] = document
    assert sorted(told) == sorted(NAMES)
    acme = told["acme"]
    assert [month["label"] for month in acme["months"]] == ["2026-08", "2026-09", "2026-10"]
    assert [month["calls"] for month in acme["months"]] == [1000, 2000, 3000]
    assert [one["summary"] for one in acme["top_statements"]] == [
        "SELECT bookings", "a statement on other tables",
    ]  # fmt: skip


def test_no_file_of_a_tenant_names_another(run, tmp_path):
    """Pages and documents, whatever is asked for beside them."""
    more = ("--statement-months", "2", "--statement-top", "9", "--compare", "2026-09")
    both = ("--statement-format", "html", "--statement-format", "json")
    run("--statements", tmp_path / "out", *both, *more, "--output", tmp_path / "all.html")
    assert CANARY in (tmp_path / "all.html").read_text()
    for file in (tmp_path / "out").iterdir():
        assert (CANARY in file.read_text()) == file.name.startswith(CANARY), file.name


@pytest.mark.parametrize("suffix", ["html", "json"])
def test_a_tenant_and_a_file_is_the_tenants_statement_alone(run, tmp_path, suffix):
    """Nobody sends everybody's figures to one customer by a slip."""
    file = tmp_path / f"acme.{suffix}"
    code, out, err = run("--statement-for", "acme", "--output", file)
    assert (code, out, err) == (0, "", f"wrote {file}\n")
    text = file.read_text()
    assert "acme" in text
    assert CANARY not in text


def test_without_a_file_it_goes_to_standard_output(run):
    """As HTML, or as it is asked."""
    _, out, _ = run("--statement-for", "acme")
    assert out.startswith("<!doctype html>")
    _, out, _ = run("--statement-for", "acme", "--format", "json")
    assert json.loads(out)["tenant"] == "acme"


def test_several_tenants_go_to_the_folder_and_the_report_to_its_file(run, tmp_path):
    """Each is what its option says."""
    folder, bill = tmp_path / "out", tmp_path / "bill.csv"
    code, _, err = run(
        "--statement-for", "acme", "--statement-for", "a/b", "--statements", folder, "-o", bill
    )
    assert code == 0
    assert err == f"wrote {bill}\nwrote 2 files to {folder}\n"
    assert CANARY in bill.read_text()
    assert len(list(folder.iterdir())) == 2


def test_the_trend_has_the_months_that_are_asked_for(run):
    """One is none: then no other month is read."""
    _, out, _ = run("--statement-for", "acme", "--format", "json")
    assert [month["label"] for month in json.loads(out)["months"]] == ["2026-10"]
    assert json.loads(out)["top_statements"] is None
    _, out, _ = run("--statement-for", "acme", "--format", "json", "--statement-months", "2")
    assert [month["label"] for month in json.loads(out)["months"]] == ["2026-09", "2026-10"]


def test_an_earlier_month_that_cannot_be_read_is_named_and_left_out(run, ledger):
    """The statement is made all the same."""
    bad = next(ledger.glob("date=2026-09*/**/*.parquet"))
    bad.write_bytes(b"PAR1 not")
    asked = ("--statement-for", "acme", "--format", "json", "--statement-months", "3")
    code, out, err = run(*asked)
    assert code == 0
    assert "the trend lacks 2026-09: 1 ledger file cannot be read" in err
    assert [month["label"] for month in json.loads(out)["months"]] == ["2026-08", "2026-10"]


@pytest.mark.long
def test_hours_of_one_month_price_no_other(run):
    """ACU-hours are a month's: earlier ones have calls, and no money."""
    asked = ("--statement-for", "acme", "--format", "json", "--statement-months", "2")
    _, out, _ = run(*asked)
    assert all(month["total"] for month in json.loads(out)["months"])
    _, out, _ = run(*asked, "--acu-hours", "50")
    assert [(one["total"] is None, one["calls"]) for one in json.loads(out)["months"]] == [
        (True, 2000), (False, 3000),
    ]  # fmt: skip


RULES = """
markup_percent = 20
round_per = "invoice"
[tenants.Acme]
export = false
"""


def test_invoices_and_statements_say_the_same_amounts(run, tmp_path):
    """The page that is attached to an invoice has its total."""
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    events = tmp_path / "events.csv"
    code, out, err = run(
        "--invoice-rules", rules, "--invoice-export", f"stripe-meter-events={events}",
        "--statements", tmp_path / "out", "--statement-format", "json",
    )  # fmt: skip
    assert (code, out) == (0, "")
    assert "estimates at list prices" in err
    sums = {}
    for row in csv.DictReader(events.read_text().splitlines()):
        customer = row["payload_stripe_customer_id"]
        sums[customer] = sums.get(customer, 0) + int(row["payload_value"])
    documents = [json.loads(file.read_text()) for file in (tmp_path / "out").iterdir()]
    totals = {one["tenant"]: int(Decimal(one["total"]) * 100) for one in documents}
    assert {one["amounts_are"] for one in documents} == {"charge"}
    assert sums == {f"cus_{n}": totals[name] for n, name in enumerate(NAMES) if name != "Acme"}


def test_a_second_run_writes_the_same_bytes_and_a_correction_nothing(run, tmp_path):
    """Idempotent by tenant and month."""
    files = [tmp_path / f"{n}.jsonl" for n in range(3)]
    for file in files[:2]:
        assert run("--invoice-export", f"lago-events={file}")[0] == 0
    assert files[0].read_bytes() == files[1].read_bytes() != b""
    before = f"lago-events={files[0]}"
    code, _, err = run("--invoice-export", f"lago-events={files[2]}", "--invoice-corrects", before)
    assert code == 0
    assert "0 amounts, 0.00 USD of differences" in err
    assert files[2].read_bytes() == b""


@pytest.mark.long
def test_a_corrected_month_exports_the_difference(run, ledger, tmp_path):
    """More calls came to light: the provider gets what is missing."""
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    run("--invoice-export", f"stripe-meter-events={first}")
    write_month(ledger, 9, 10)
    code, _, _ = run(
        "--invoice-export", f"stripe-meter-events={second}",
        "--invoice-corrects", f"stripe-meter-events={first}",
    )  # fmt: skip
    assert code == 0
    third = tmp_path / "3.csv"
    run("--invoice-export", f"stripe-meter-events={third}")

    def total(*files):
        return sum(
            int(row["payload_value"])
            for file in files
            for row in csv.DictReader(file.read_text().splitlines())
        )

    assert total(first, second) == total(third) != total(first)


def test_a_draft_is_exported_only_when_told(run, ledger, monkeypatch, tmp_path):
    """Also where nothing but the invoice is wrong."""
    made = cost.monthly
    monkeypatch.setattr(
        cost, "monthly", lambda request: made(cost.AllocationRequest(
            usage=ledger, month=request.month, now_s=1793000000.0, capacity=request.capacity,
            tenants=request.tenants,
        )),
    )  # fmt: skip
    file = tmp_path / "x.json"
    code, _, err = run("--invoice-export", f"stripe-invoice-items={file}")
    assert code == 1
    assert err == (
        "tenantmetrics: 2026-10 is a DRAFT (the month is not over) and not exported: "
        "--invoice-draft exports it all the same\n"
    )
    assert not file.exists()
    assert run("--invoice-export", f"stripe-invoice-items={file}", "--invoice-draft")[0] == 0
    assert '"status": "DRAFT ESTIMATE"' in file.read_text()


def test_events_count_when_they_are_told_to(run, tmp_path):
    """Chargebee takes none that is older than twelve hours."""
    file = tmp_path / "x.jsonl"
    run("--invoice-export", f"lago-events={file}", "--invoice-time", "2026-11-03T06:00Z")
    (body,) = map(json.loads, file.read_text().splitlines())
    old = tmp_path / "old.csv"
    _, _, err = run(
        "--invoice-export", f"stripe-meter-events={old}", "--invoice-time", "2026-08-01"
    )
    assert "takes events of the last 35 days, and these are older: --invoice-time" in err
    assert {event["timestamp"] for event in body["events"]} == {1793685600}


BAD = {
    "tenant": (["--statement-for", "acne"], "no tenant 'acne' in 2026-10; did you mean 'acme'?"),
    "nobody": (["--statement-for", "__idle__"], "no tenant '__idle__'"),
    "two in one file": (
        ["--statement-for", "acme", "--statement-for", "a/b", "-o", "{tmp}/x.html"],
        "several statements need a folder: add --statements DIR",
    ),
    "two files": (
        ["--statement-for", "acme", "-o", "{tmp}/x.html", "-o", "{tmp}/x.json"],
        "several statements need a folder",
    ),
    "statement as a table": (
        ["--statement-for", "acme", "-o", "{tmp}/x.csv"],
        "a tenant's statement is html or json, not csv",
    ),
    "format without folder": (["--statement-format", "json"], "needs --statements DIR"),
    "folder is a file": (["--statements", "{file}"], "it is a file; name a folder"),
    "folder in a file": (["--statements", "{file}/x"], "cannot be written"),
    "export": (
        ["--invoice-export", "stripe=x"],
        "'stripe=x': write FORMAT=FILE; formats are stripe-meter-events",
    ),
    "export, nearly": (
        ["--invoice-export", "lago-event={tmp}/x"], "did you mean 'lago-events'?",
    ),
    "export to nothing": (["--invoice-export", "lago-events"], "write lago-events=FILE"),
    "no such rules": (["--invoice-rules", "{tmp}/no.toml"], "no.toml' cannot be read"),
    "rules": (["--invoice-rules", "{file}"], "key 'markup' is unknown"),
    "rules for nothing": (
        ["--invoice-rules", "{good}"], "the report shows cost; add --invoice-export",
    ),
    "time": (["--invoice-time", "soon"], "--invoice-time 'soon' is no time such as"),
    "corrects what is not exported": (
        ["--invoice-corrects", "lago-events={file}"], "lago-events is not exported",
    ),
    "corrects no file": (
        ["--invoice-export", "lago-events={tmp}/x", "--invoice-corrects", "lago-events={tmp}/no"],
        "no' cannot be read",
    ),
    "corrects no export": (
        ["--invoice-export", "lago-events={tmp}/x", "--invoice-corrects", "lago-events={file}"],
        "is no export of lago-events",
    ),
    "no id": (
        ["--invoice-export", "chargebee-usage={tmp}/x.csv"],
        "have an amount and no chargebee_subscription",
    ),
    "a file that cannot be written": (
        ["--invoice-export", "lago-events={tmp}/no/x"], "cannot be written",
    ),
    "one file twice": (
        ["--invoice-export", "lago-events={tmp}/x.csv", "-o", "{tmp}/x.csv"],
        "x.csv' is to be written twice",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line_and_nothing_is_written(run, tmp_path, case):
    """No traceback, nothing on standard output, no file and no folder made."""
    file = tmp_path / "file.toml"
    file.write_text("markup = 20\n")
    (tmp_path / "x").mkdir()
    arguments, text = BAD[case]
    good = tmp_path / "good.toml"
    good.write_text("markup_percent = 20\n")
    where = {"tmp": tmp_path / "x", "file": file, "good": good}
    code, out, err = run(*(argument.format(**where) for argument in arguments))
    assert (code, out) == (1, "")
    assert text in err
    assert err.startswith("tenantmetrics: ")
    assert err.splitlines()[-1].startswith("tenantmetrics: ")
    assert not list((tmp_path / "x").iterdir())


def test_a_folder_is_not_left_behind_when_nothing_comes_of_it(run, tmp_path):
    """Nor are its parents."""
    folder = tmp_path / "a" / "b"
    assert run("--statements", folder, "-o", tmp_path / "no" / "bill.csv")[0] == 1
    assert not (tmp_path / "a").exists()


def test_every_option_is_in_the_help_and_the_documentation(run, monkeypatch):
    """Whoever looks finds it."""
    monkeypatch.setenv("COLUMNS", "300")
    _, out, _ = run("--help")
    options = set(re.findall(r"--(?:statement|invoice)[a-z-]*", out))
    assert len(options) == 10
