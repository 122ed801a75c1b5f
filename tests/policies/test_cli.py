"""`tenantmetrics rls`, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.cli.rls import rls
from tenantmetrics.policies.rules import RULES
from tenantmetrics.tenant.identity.schema_file import load_schema
from tests.policies.planted import made as made_sql

DOC = (Path(__file__).parents[2] / "docs/rls.md").read_text()
COMMANDS = typer.main.get_command(rls).commands


def run(*arguments):
    return CliRunner().invoke(app, ["rls", *map(str, arguments)])


@pytest.fixture
def check(data_api, made):
    """The command, against a table without row-level security."""
    made.execute(made_sql("b") + "ALTER TABLE b DISABLE ROW LEVEL SECURITY")
    return lambda *more: run("check", "--url", data_api.psycopg_url, *more)


def test_the_table_says_what_why_and_the_sql_that_mends_it(check):
    """And ends with 1; `--fail-on never` with 0."""
    done = check()
    assert done.exit_code == 1, done.output
    assert "error   RLS001  rls-off  public.b" in done.stdout
    assert "            ALTER TABLE public.b ENABLE ROW LEVEL SECURITY;" in done.stdout
    assert "1 tables, application: app: 1 error" in done.stdout
    assert check("--fail-on", "never").exit_code == 0


def test_json_holds_the_same(check):
    """As one document."""
    document = json.loads(check("--format", "json").stdout)
    (finding,) = document["findings"]
    assert (finding["id"], finding["severity"], finding["object"]) == (
        "RLS001",
        "error",
        "public.b",
    )
    assert (document["tables"], document["roles"], document["known"]) == (["public.b"], ["app"], 0)


def test_sarif_has_a_rule_a_place_and_a_fingerprint_for_each_result(check):
    """The members that code scanning needs."""
    document = json.loads(check("--format", "sarif").stdout)
    (scan,) = document["runs"]
    (result,) = scan["results"]
    assert document["version"] == "2.1.0"
    assert scan["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    (place,) = result["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "database/public.b"
    assert place["logicalLocations"] == [{"fullyQualifiedName": "public.b"}]
    assert len(result["partialFingerprints"]["tenantmetricsRls/v1"]) == 64


def test_a_baseline_hides_what_is_known_and_nothing_new(check, made, tmp_path):
    """What was mended and is still in it is told."""
    file = tmp_path / "rls.json"
    assert check("--write-baseline", file).exit_code == 0
    done = check("--baseline", file)
    assert done.exit_code == 0
    assert "nothing found, 1 known" in done.stdout
    made.execute(made_sql("c") + "ALTER TABLE c NO FORCE ROW LEVEL SECURITY")
    done = check("--baseline", file)
    assert done.exit_code == 1
    assert "RLS002" in done.stdout
    assert "RLS001" not in done.stdout
    made.execute("ALTER TABLE b ENABLE ROW LEVEL SECURITY")
    assert (
        "RLS001 of public.b is in the baseline but was not found"
        in check("--baseline", file).stderr
    )


def test_the_data_api_gives_the_same(data_api, check, monkeypatch):
    """With the environment that any SDK takes."""
    for name, value in data_api.endpoint.environment.items():
        monkeypatch.setenv(name, value)
    arguments = data_api.arguments
    done = run(
        "check",
        *("--resource-arn", arguments["resourceArn"]),
        *("--secret-arn", arguments["secretArn"]),
        *("--database", arguments["database"]),
    )
    assert done.stdout == check().stdout


def test_the_proof_is_a_table_and_what_is_not_isolated(data_api, made):
    """Ends with 1; with 0 once it is mended, and with 2 where something could not be tried."""
    made.execute(made_sql("b") + "CREATE VIEW v AS SELECT * FROM b; GRANT SELECT ON v TO app")
    prove = ("prove", "--url", data_api.psycopg_url)
    done = run(*prove)
    assert done.exit_code == 1, done.output
    assert "not isolated: public.v: SELECT: the view shows another tenant's rows" in done.stdout
    assert "2 objects: 1 not isolated, 0 not proved; nothing was kept" in done.stdout
    assert json.loads(run(*prove, "--format", "json").stdout)["role"] == "app"
    made.execute("ALTER VIEW v SET (security_invoker = true)")
    assert run(*prove).exit_code == 0
    made.execute("ALTER TABLE b ADD CHECK (md5(tenant_id) = 'x')")
    assert run(*prove).exit_code == 2
    made.execute("CREATE ROLE other; GRANT SELECT ON b TO other")
    done = run(*prove)
    assert done.exit_code == 2
    assert "name the one role that the application connects as" in done.stderr


def test_what_could_not_be_checked_ends_with_2(check, tmp_path):
    """So that CI can tell it from a finding."""
    for arguments, says in {
        ("--column", "nothing", "--schema", "nowhere"): "there is no schema 'nowhere' (--schema)",
        ("--role", "nobody"): "there is no role 'nobody' (--role)",
        ("--baseline", tmp_path / "none"): "cannot read the baseline",
    }.items():
        done = check(*arguments)
        assert done.exit_code == 2
        assert says in done.stderr
    done = run("check", "--url", "postgresql://nobody@127.0.0.1:1/none")
    assert done.exit_code == 2
    assert "PostgreSQL cannot be reached" in done.stderr
    assert run("check").exit_code == 2


def test_every_rule_and_command_is_documented():
    """With its id, name and severity."""
    for rule in RULES:
        assert f"| {rule.id} | `{rule.name}` | {rule.severity} |" in DOC
    for name, command in COMMANDS.items():
        assert f"tenantmetrics rls {name}" in DOC
        assert command.help


def test_the_schema_is_written_for_the_setting(data_api, made, tmp_path):
    """Every tenant column, and what is shared; what it wrote can be read."""
    made.execute(made_sql("b") + "CREATE TABLE countries (id int PRIMARY KEY)")
    file = tmp_path / "tenant-schema.json"
    done = run("schema", "--url", data_api.psycopg_url, "--shared", "countries", "-o", file)
    assert done.exit_code == 0, done.output
    assert "2 tables, 1 with a tenant column, 1 shared" in done.output
    schema = load_schema(str(file))
    assert schema.table("b").tenant == "tenant_id"
    assert schema.table("countries").shared
    shown = run("schema", "--url", data_api.psycopg_url, "--shared", "countries")
    assert json.loads(shown.stdout) == json.loads(file.read_text())
