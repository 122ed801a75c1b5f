"""`tenantmetrics dashboards` against a CloudWatch over HTTP (moto's server)."""

import json

import pytest
from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.console import dashboards
from tenantmetrics.errors import ConsoleError

NAMES = {"tenantmetrics-fleet", "tenantmetrics-tenant", "tenantmetrics-pipeline"}


def run(*arguments, code=0):
    result = CliRunner().invoke(app, ["dashboards", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def names(client):
    return {one["DashboardName"] for one in client.list_dashboards()["DashboardEntries"]}


def body(client, name):
    return json.loads(client.get_dashboard(DashboardName=name)["DashboardBody"])


def test_put_creates_all_and_a_second_time_changes_nothing(cloudwatch):
    """With the caller's namespace, region, cluster and account in them."""
    options = ["--namespace", "Hospitality/AI", "--cluster", "bookings"]
    assert "created tenantmetrics-fleet" in run("put", *options)
    assert names(cloudwatch) == NAMES
    assert run("put", *options).count("unchanged") == 3
    text = json.dumps(body(cloudwatch, "tenantmetrics-fleet"))
    assert "Hospitality/AI" in text
    assert '"bookings"' in text
    assert '"eu-west-1"' in text
    assert "us-east-1" not in text
    assert "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:tenantmetrics-page" in text


def test_a_dry_run_shows_the_difference_and_does_nothing(cloudwatch):
    """First what would be made, then what would be changed."""
    assert "would create tenantmetrics-fleet" in run("put", "--dry-run")
    assert names(cloudwatch) == set()
    run("put")
    before = body(cloudwatch, "tenantmetrics-fleet")
    output = run("put", "fleet", "--cluster", "other", "--dry-run")
    assert "would change tenantmetrics-fleet" in output
    assert '+      "other",' in output
    assert body(cloudwatch, "tenantmetrics-fleet") == before


def test_diff_shows_a_manual_edit(cloudwatch):
    """Exit code 3 and the lines that differ; a body in another order does not differ."""
    run("put")
    assert run("diff") == ""
    changed = body(cloudwatch, "tenantmetrics-fleet")
    again = json.dumps(dict(reversed(changed.items())))
    cloudwatch.put_dashboard(DashboardName="tenantmetrics-fleet", DashboardBody=again)
    assert run("diff") == ""
    changed["widgets"][1]["properties"]["title"] = "Edited by hand"
    cloudwatch.put_dashboard(DashboardName="tenantmetrics-fleet", DashboardBody=json.dumps(changed))
    output = run("diff", code=3)
    assert '-    "title": "Edited by hand"' in output
    assert '+    "title": "Calls a minute"' in output
    assert "tenantmetrics-tenant" not in output


def test_undo_puts_back_what_was_there_and_then_again(cloudwatch):
    """What did not exist is deleted, what did gets its old body; a second undo is a redo."""
    mine = json.dumps({"widgets": []})
    cloudwatch.put_dashboard(DashboardName="tenantmetrics-fleet", DashboardBody=mine)
    run("put")
    after = body(cloudwatch, "tenantmetrics-fleet")
    output = run("undo")
    assert "restored tenantmetrics-fleet" in output
    assert "deleted tenantmetrics-tenant" in output
    assert names(cloudwatch) == {"tenantmetrics-fleet"}
    assert body(cloudwatch, "tenantmetrics-fleet") == {"widgets": []}
    run("undo")
    assert names(cloudwatch) == NAMES
    assert body(cloudwatch, "tenantmetrics-fleet") == after


def test_a_put_that_changes_nothing_keeps_the_last_undo(cloudwatch):
    """The second run must not overwrite what the first one replaced."""
    run("put")
    run("put")
    run("undo")
    assert names(cloudwatch) == set()


def test_remove_deletes_them_and_undo_puts_them_back(cloudwatch):
    """Also what was edited by hand; others' dashboards stay, and so do those that are not named."""
    run("put")
    mine = json.dumps({"widgets": []})
    for name in ("tenantmetrics-fleet", "tenantmetrics-of-mine"):
        cloudwatch.put_dashboard(DashboardName=name, DashboardBody=mine)
    assert "would remove tenantmetrics-fleet" in run("remove", "--dry-run")
    assert names(cloudwatch) == NAMES | {"tenantmetrics-of-mine"}
    assert run("remove", "tenant") == "removed tenantmetrics-tenant\n"
    output = run("remove")
    assert "there is no tenantmetrics-tenant" in output
    assert names(cloudwatch) == {"tenantmetrics-of-mine"}
    assert "removed" not in run("remove")
    run("undo")
    assert names(cloudwatch) == {*NAMES, "tenantmetrics-of-mine"} - {"tenantmetrics-tenant"}
    assert body(cloudwatch, "tenantmetrics-fleet") == {"widgets": []}


@pytest.mark.usefixtures("cloudwatch")
def test_undo_without_a_put_says_so():
    """One line, naming the file."""
    with pytest.raises(ConsoleError, match=r"nothing to undo: 'tenantmetrics-undo-dash"):
        run("undo")


@pytest.mark.usefixtures("cloudwatch")
def test_an_unknown_dashboard_is_refused():
    """It names those that exist."""
    with pytest.raises(ConsoleError, match="no dashboard 'flet': there are fleet, tenant, pipe"):
        run("put", "flet")


def test_aws_refusing_is_one_line(cloudwatch, monkeypatch):
    """What was tried, and what AWS said."""
    assert cloudwatch
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(ConsoleError, match="cannot read dashboard 'tenantmetrics-fleet': ") as info:
        run("diff", "--account", "123456789012")
    assert "\n" not in str(info.value)


def test_list_and_show_need_no_aws():
    """Every committed file is listed; show prints JSON for the given settings."""
    listed = run("list")
    for name in dashboards.NAMES:
        assert f"cloudwatch/{name}\t" in listed
        assert json.loads(run("show", name, "--region", "ap-south-1", "--namespace", "N"))
    assert "ap-south-1" in run("show", "fleet", "--region", "ap-south-1")
    with pytest.raises(ConsoleError, match="there is no dashboard 'grafana/x'"):
        run("show", "grafana/x")


def test_check_names_faults_and_exits_with_one(tmp_path):
    """The committed files have none; a broken one is named."""
    broken = tmp_path / "mine.json"
    broken.write_text(run("show", "fleet").replace("DatabaseErrors", "DatabaseError"))
    output = run("check", str(broken), code=1)
    assert f"{broken}: widget 'Calls': TenantMetrics has no metric 'DatabaseError'" in output
    assert "0 faults" in run("check")


def test_thresholds_and_prices_are_those_that_are_set():
    """By the names that they have in the alarms; a slip is named."""
    chosen = ["--set", "CpuPercent=70", "--set", "UsdPerAcuHour=0.156"]
    shown = json.loads(run("show", "fleet", *chosen))
    lines = {
        one["label"]: one["value"]
        for widget in shown["widgets"]
        for one in widget["properties"].get("annotations", {}).get("horizontal", ())
    }
    assert lines["cluster-cpu"] == 70
    assert lines["cluster-acu"] == 75
    assert "acu * 24 * 0.156" in json.dumps(shown)
    with pytest.raises(ConsoleError, match="unknown parameter 'CpuPercen'; did you mean 'CpuPerc"):
        run("show", "fleet", "--set", "CpuPercen=70")
    with pytest.raises(ConsoleError, match="--set UsdPerAcuHour=dear: must be a number"):
        run("show", "fleet", "--set", "UsdPerAcuHour=dear")


@pytest.mark.parametrize(
    ("option", "value"),
    [("--namespace", ":bad"), ("--cluster", "a'b"), ("--region", "us-esat-1"), ("--prefix", "a b")],
)
def test_a_setting_that_would_break_a_query_is_refused(option, value):
    """Before anything is built."""
    with pytest.raises(ConsoleError, match=r" = .*: must be"):
        run("show", "fleet", option, value)
