"""`tenantmetrics explain` says what was found, where, and what it would be attributed to."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.errors import TenantMetricsError


@pytest.fixture
def run():
    def go(*arguments, stdin=None):
        result = CliRunner().invoke(app, ["explain", *arguments], input=stdin)
        if isinstance(result.exception, TenantMetricsError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return go


def test_it_marks_the_place_and_names_the_tenant(run):
    """The column and the parameter stand under their text."""
    output = run("SELECT * FROM b WHERE tenant_id = :t", "--param", "t=acme")
    statement, marks = output.split("\n")[:2]
    at = statement.index("tenant_id")
    assert marks[at : at + len("tenant_id")] == "^" * len("tenant_id")
    assert marks[statement.index(":t")] == "^"
    assert "attributed to  acme" in output
    assert "source         statement" in output


def test_json_holds_the_same(run):
    """Offsets into the text, shares, warnings."""
    sql = "SELECT * FROM a JOIN b ON a.id = b.id WHERE a.tenant_id = 'x' AND b.tenant_id = 'y'"
    found = json.loads(run(sql, "--json"))
    assert found["attributed_to"] == {"x": 1, "y": 1}
    assert found["misuses"] == ["other_tenants_rows"]
    assert {sql[mark["start"] : mark["end"]] for mark in found["marks"]} == {
        "tenant_id", "'x'", "'y'",
    }  # fmt: skip
    assert found["warnings"]


def test_it_reads_standard_input_and_files(run, tmp_path):
    """The same statement, three ways."""
    sql = "DELETE FROM b WHERE tenant_id = 7\n"
    path = tmp_path / "q.sql"
    path.write_text(sql)
    assert run(stdin=sql) == run("--file", str(path)) == run(sql.strip())


def test_numbers_null_and_lists_are_given_as_json(run):
    """name:=JSON."""
    sql = "SELECT 1 FROM b WHERE tenant_id = ANY(:t)"
    assert "a (1/2), b (1/2)" in run(sql, "--param", 't:=["a","b"]')
    assert "__unattributed__" in run("SELECT 1 FROM b WHERE tenant_id = :t", "--param", "t:=null")
    assert "attributed to  42" in run("SELECT 1 FROM b WHERE tenant_id = :t", "--param", "t:=42")


def test_it_says_which_parameter_is_missing(run):
    """And what would happen in a transaction."""
    output = run("SELECT 1 FROM b WHERE tenant_id = :t")
    assert "the value of :t, which was not given" in output


def test_it_says_why_an_undecided_statement_names_nobody(run):
    """Also where it was not understood."""
    assert "does not restrict its rows" in run("SELECT 1 FROM b WHERE tenant_id <> 'x'")
    assert "not understood" in run("SELECT FROM WHERE tenant_id")


def test_a_narrow_terminal_gets_the_marks_under_their_text(run, monkeypatch):
    """Lines are folded, the statement's between the marks too; a pipe gets them whole."""
    monkeypatch.setenv("COLUMNS", "30")
    sql = "SELECT id, name, room FROM bookings WHERE status = 'open' AND tenant_id = :t"
    lines = run(sql, "--param", "t=acme").split("\n")
    assert max(map(len, lines)) <= 30
    statement = [lines[at] for at, line in enumerate(lines[1:]) if "^" in line]
    marks = [line for line in lines if "^" in line]
    assert "".join(
        character
        for text, under in zip(statement, marks, strict=True)
        for character, mark in zip(text, under, strict=False)
        if mark == "^"
    ) == "tenant_id:t"  # fmt: skip
    monkeypatch.delenv("COLUMNS")
    assert run(sql, "--param", "t=acme").startswith(f"  {sql}\n")


def test_marks_stand_right_under_wide_characters_and_tabs(run):
    """東 takes two columns."""
    statement, marks = run("SELECT '東京'\tFROM b WHERE tenant_id = 'x'").split("\n")[:2]
    before = statement[: statement.index("tenant_id")]
    assert marks.startswith(" " * (len(before.partition("\t")[0]) + 2) + "\t")
    assert marks.partition("\t")[2].index("^") == len(before.partition("\t")[2])


def test_a_variable_is_marked_as_one(run):
    """The last part of app.tenant is no column."""
    output = run("SET LOCAL app.tenant = 'x'", "--transaction")
    assert "session variable, literal" in output
    assert "tenant column" not in output


def test_text_that_is_no_utf_8_is_explained(run):
    """As the shell hands it over, with lone surrogates."""
    assert "attributed to  x" in run("SELECT '\udcff' FROM b WHERE tenant_id = 'x'")


def test_it_warns_of_misuse(run):
    """SET LOCAL outside a transaction, SET without LOCAL inside one, COMMIT as SQL."""
    assert "has no effect" in run("SET LOCAL app.tenant = 'x'")
    assert "outlives" in run("SET app.tenant = 'x'", "--transaction")
    assert "transaction open" in run("COMMIT", "--transaction")
    assert "different tenants" in run("SELECT 1 FROM b WHERE tenant_id = 'x'", "--context", "y")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["SELECT 1", "--param", "t"], "name=value"),
        (["SELECT 1", "--param", "t:=x"], "not JSON"),
        (["SELECT 1", "--file", "x"], "not both"),
        (["--file", "/nowhere/q.sql"], "cannot read"),
        (["  "], "no statement"),
        (["SELECT 1", "--context", ""], "--context"),
    ],
)
def test_bad_input_is_one_clear_line(run, arguments, message):
    """And nothing printed before it."""
    with pytest.raises(TenantMetricsError, match=message) as error:
        run(*arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("selec x from b where tenant_id = 'acme'", "'selec' is no command of PostgreSQL (did you"),
        ("UPDTE b SET x = 1 WHERE tenant_id = 'acme'", "(did you mean UPDATE?)"),
        ("/* tenant */ nonsense", "'nonsense' is no command of PostgreSQL"),
        ("SELECT * FROM b WHERE tenant_id = 'acme", "its syntax was not understood"),
        ("SELECT * FROM b WHERE (tenant_id = 'acme'", "its syntax was not understood"),
        ("SELECT * FROM b JOIN c USING (id)", "it uses no tenant column (tenant,"),
        ("SELECT 1", "it uses no table"),
        ("CALL f('acme')", "what CALL runs is not in its text"),
        ("DO $$ BEGIN END $$", "what DO runs is not in its text"),
        ("COPY b FROM STDIN", "COPY says nothing of whose rows it touches"),
        ("SELECT 1; SELECT 2", "it is several statements"),
        ("SELECT * FROM b WHERE tenant_id > 'acme'", "does not restrict its rows"),
        ("SELECT * FROM b WHERE tenant_id = :t", "the value of :t, which was not given"),
    ],
)
def test_whoever_names_no_tenant_is_told_why(sql, reason):
    """In the words of whoever wrote it, not the parser's."""
    result = CliRunner().invoke(app, ["explain", sql], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert reason in result.stdout
    assert "ParseError" not in result.stdout
