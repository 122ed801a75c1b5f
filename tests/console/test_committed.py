"""The committed dashboards and alarms are what the catalogue makes of them, and deployable."""

import subprocess
import sys
from pathlib import Path

import pytest

from tenantmetrics.catalog import METRICS, NAMESPACE, Level
from tenantmetrics.console import alarms, committed, data, promnames
from tenantmetrics.console.checks.coverage import check_coverage
from tenantmetrics.console.checks.dashboard import check
from tenantmetrics.console.known import Known
from tenantmetrics.console.parameters import PARAMETERS
from tenantmetrics.console.promnames import Dialect
from tenantmetrics.console.settings import Settings
from tenantmetrics.cost.prices import built_in

ROOT = Path(__file__).parents[2]
BOARDS = sorted((ROOT / "dashboards/cloudwatch").glob("*.json"))


def test_committed_files_are_what_is_generated():
    """A change of the catalogue or the alarms without `python -m tenantmetrics.console` is seen."""
    assert committed.drift(ROOT) == []


def test_no_file_is_left_over():
    """Whatever is generated no longer is deleted."""
    there = {
        str(path.relative_to(ROOT))
        for folder in ("dashboards/cloudwatch", "alarms")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }
    assert there == {name for name in committed.files() if "grafana" not in name}


def test_the_command_checks_and_writes(tmp_path):
    """Drift is named file by file, and writing twice changes nothing the second time."""
    assert len(committed.drift(tmp_path)) == len(committed.files())
    assert committed.write(tmp_path) == list(committed.files())
    assert committed.write(tmp_path) == []
    (tmp_path / "alarms/cloudformation.yaml").write_text("edited")
    assert committed.drift(tmp_path) == ["alarms/cloudformation.yaml"]
    command = [sys.executable, "-m", "tenantmetrics.console", "--check"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_committed_dashboard_has_no_fault(path):
    """Schema, grid, every metric with its dimension set, every expression."""
    assert list(map(str, check(path.name, path.read_text("utf-8"), Known.of(NAMESPACE)))) == []


def test_every_metric_is_shown_somewhere():
    """At the default level and at the detailed one."""
    bodies = {path.name: path.read_text("utf-8") for path in BOARDS}
    assert check_coverage(bodies, NAMESPACE) == []
    assert check_coverage(bodies, NAMESPACE, Level.DETAILED) == []
    del bodies["pipeline.json"]
    assert {fault.place for fault in check_coverage(bodies, NAMESPACE)} == {
        "CallsDropped",
        "ExportFailures",
        "SeriesOverflow",
        "UndecidedCalls",
    }


def test_the_template_passes_cfn_lint():
    """Nothing to report, warnings included."""
    binary = Path(sys.executable).with_name("cfn-lint")
    command = [str(binary), str(ROOT / "alarms/cloudformation.yaml")]
    linted = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")


def test_every_runbook_line_fits_and_says_three_things():
    """AlarmDescription takes 1,024 characters; what it means, where to look, what to do."""
    for alarm in alarms.ALARMS:
        assert len(alarm.description) <= 1024, alarm.id
        assert alarm.means.endswith("."), alarm.id
        assert alarm.look[-1] in ".?", alarm.id
        assert alarm.do.endswith("."), alarm.id


def test_ids_are_unique_and_composites_come_after_their_children():
    """A composite cannot be made before what it names."""
    seen = []
    for alarm in alarms.ALARMS:
        assert alarm.id not in seen
        for other in alarms.ALARMS:
            if f'-{other.id}"' in alarm.rule:
                assert other.id in seen, (alarm.id, other.id)
        seen.append(alarm.id)


def test_the_folders_are_found():
    """In the source tree they stand beside the package."""
    assert data.folder("dashboards") == ROOT / "dashboards"
    assert data.folder("alarms") == ROOT / "alarms"


def test_default_prices_are_those_of_the_report():
    """One list price of us-east-1 in the whole package."""
    listed = built_in("us-east-1")
    first, *_ = listed.tiers["data_api_million"]
    metric, *_ = listed.tiers["metric_month"]
    settings, given = Settings(), {one.name: one.default for one in PARAMETERS}
    assert float(first.price) == settings.usd_per_million_requests
    assert float(listed.flat["acu_hour"]) == settings.usd_per_acu_hour
    assert float(metric.price) == settings.usd_per_metric_month
    assert given["UsdPerMillionRequests"] == settings.usd_per_million_requests
    assert given["UsdPerAcuHour"] == settings.usd_per_acu_hour


def test_the_template_fits_into_one_request():
    """CreateChangeSet takes a TemplateBody of 51,200 bytes."""
    assert len(committed.files()["alarms/cloudformation.yaml"].encode()) < 51_200


@pytest.mark.parametrize("folder", ["", "cloudwatch"])
def test_every_twin_is_shown_in_grafana(folder):
    """In both dialects, every OpenTelemetry metric of the catalogue."""
    dialect = Dialect.CLOUDWATCH if folder else Dialect.PROMETHEUS
    text = "".join(
        path.read_text("utf-8") for path in (ROOT / "dashboards/grafana" / folder).glob("*.json")
    )
    assert [one.twin for one in METRICS if promnames.name(one, dialect) not in text] == []


def test_every_alarm_is_documented():
    """By its name; the thresholds in words."""
    text = (ROOT / "docs/alarms.md").read_text("utf-8")
    assert [one.id for one in alarms.ALARMS if f"`{one.id}`" not in text] == []
