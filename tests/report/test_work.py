"""Server time in every format: how it was found, whose it was, and how sure that is."""

from __future__ import annotations

import csv as csv_reader
import io
import json as json_reader

import jsonschema
import pytest

from tenantmetrics.cost.server_time import (
    Method,
    MethodCoverage,
    ServerTime,
    ServerTimeSource,
    TenantServerTime,
)
from tenantmetrics.cost.statement import Line, LineKind, Usage
from tenantmetrics.records import UNMETERED
from tenantmetrics.report import csv, focus, html, json, terminal, xlsx
from tenantmetrics.report.model import build

S = 10**9


@pytest.fixture
def statement(make_statement):
    """A chatty tenant that waits and a heavy one that works; some load is nobody's."""
    made = make_statement({"chatty": (300, 90), "heavy": (10, 910)})
    lines = [
        Line(UNMETERED, LineKind.UNMETERED, Usage(), (0 * line.total, 0 * line.total))
        for line in made.lines[:1]
    ]
    usage = {"chatty": Usage(9_000, duration_ns=900 * S), "heavy": Usage(30, duration_ns=100 * S)}
    lines += [
        Line(line.tenant, line.kind, usage.get(line.tenant, line.usage), line.amounts)
        for line in made.lines
    ]
    server = ServerTime(
        asked=ServerTimeSource.AUTO,
        metered_hours=10,
        tenants={
            "chatty": TenantServerTime("chatty", 2 * S, 20, 15, 25),
            "heavy": TenantServerTime("heavy", 98 * S, 980, 970, 990),
        },
        methods=(
            MethodCoverage(
                method=Method.DB_LOAD, hours=7, calls=8_000, wall_ns=900 * S, metered_ns=90 * S,
                load_ns=120 * S,
            ),
            MethodCoverage(
                method=Method.WALL, hours=3, calls=1_030, wall_ns=100 * S, metered_ns=10 * S,
            ),
        ),
        unmetered_ns=30 * S,
        unmetered_weight=300,
    )  # fmt: skip
    return make_statement({}, lines=tuple(lines), pools=made.pools, server_time=server)


def test_the_tenants_that_differ_most_are_named_with_work_and_waiting(statement):
    """Who waited is not who made the database work."""
    chatty, heavy = build(statement).differences
    assert chatty.startswith("chatty: 2.0 % of the work, 90.0 % of the waiting; a call took 100 ms")
    assert chatty.endswith("of which the server worked 222 µs")
    assert heavy.startswith("heavy: 98.0 % of the work, 10.0 % of the waiting")


def test_the_method_says_its_hours_and_how_much_of_the_load_it_explains(statement):
    """By method; and what no call caused."""
    sentences = " ".join(build(statement).method())
    assert "Server time by CloudWatch's DBLoad: 7 of 10 hours" in sentences
    assert "metered calls explain 75.0 % of the server's load" in sentences
    assert "wall time less the waits between attempts: 3 of 10 hours" in sentences
    assert "30.0 s of the server's load was caused by no metered call" in sentences


def test_json_has_it_by_line_and_by_method_as_its_schema_says(statement):
    """Shares with their intervals; load of nobody has no share."""
    document = json_reader.loads(json.as_json(statement))
    jsonschema.validate(document, json.schema())
    lines = {line["tenant"]: line["server_time"] for line in document["lines"]}
    assert lines["chatty"] == {
        "server_ns": 2 * S, "share": 0.02, "share_low": 0.015, "share_high": 0.025,
    }  # fmt: skip
    assert lines[UNMETERED] == {
        "server_ns": 30 * S, "share": None, "share_low": None, "share_high": None,
    }  # fmt: skip
    assert [one["method"] for one in document["server_time"]["methods"]] == ["db-load", "wall"]
    assert document["server_time"]["methods"][0]["explained"] == 0.75
    assert document["server_time"]["methods"][1]["explained"] is None


def test_csv_and_xlsx_have_server_time_after_the_money(statement, sheets):
    """Columns of their own, so that a spreadsheet can compare them with wall time."""
    rows = list(csv_reader.DictReader(io.StringIO(csv.as_csv(statement))))
    chatty = next(row for row in rows if row["tenant"] == "chatty")
    assert (chatty["wall_time_s"], chatty["server_time_s"]) == ("900.000000000", "2.000000000")
    assert (chatty["server_share_low"], chatty["server_share_high"]) == (
        "0.015000000", "0.025000000",
    )  # fmt: skip
    cells = sheets(xlsx.as_workbook(statement))["Lines"]
    heads = {cell[0]: place[:-1] for place, cell in cells.items() if place.endswith("1")}
    row = next(place[1:] for place, cell in cells.items() if cell[0] == "heavy")
    heavy = {head: float(cells[f"{heads[head]}{row}"][0]) for head in ("Wall time, s", "95 % to")}
    assert heavy == {"Wall time, s": 100, "95 % to": pytest.approx(0.98 * 990 / 980)}
    assert float(cells[f"{heads['Server time, s']}{row}"][0]) == 98


def test_focus_names_the_methods_and_their_versions(statement):
    """Of the pool that was divided by server time, and of no other."""
    rows = list(csv_reader.DictReader(io.StringIO(focus.as_focus(statement))))
    by_pool = {
        row["AllocatedMethodId"]: json_reader.loads(row["AllocatedMethodDetails"]) for row in rows
    }
    assert by_pool["tenantmetrics:compute"]["x_Methods"] == [
        {"Method": "db-load", "Version": 1, "Hours": 7},
        {"Method": "wall", "Version": 1, "Hours": 3},
    ]
    assert "x_Methods" not in by_pool["tenantmetrics:data_api"]


@pytest.mark.parametrize(
    ("width", "seen"), [(60, ()), (80, ("Wall time",)), (120, ("Wall time", "95 % of it"))]
)
def test_the_terminal_shows_shares_of_the_work_and_what_fits_of_the_rest(statement, width, seen):
    """A narrow window keeps the money and the share; no line is wider than the window."""
    text = terminal.as_text(statement, width=width)
    heading = next(line for line in text.splitlines() if line.startswith("Tenant"))
    assert "Work" in heading
    assert "USD" in heading
    for column in ("Wall time", "95 % of it"):
        assert (column in heading) == (column in seen)
    assert "chatty: 2.0 % of the work, 90.0 % of the" in text
    assert max(map(len, text.splitlines())) <= width


def test_html_sets_work_beside_waiting(statement):
    """A section of its own, and columns in the table of lines."""
    page = html.as_html(statement)
    assert "Work and waiting" in page
    assert "chatty: 2.0 % of the work, 90.0 % of the waiting" in page
    assert "1.5 to 2.5 %" in page


def test_without_an_estimate_no_format_speaks_of_server_time(make_statement):
    """`--driver compute=wall_time` gives the report as it was."""
    plain = make_statement({"acme": (1, 1)})
    assert "Work and waiting" not in html.as_html(plain)
    assert "Server time" not in terminal.as_text(plain, width=120)
    assert json_reader.loads(json.as_json(plain))["server_time"] is None
