"""Alarms rehearsed on recordings: the right ones, for the right tenants, at the right time."""

import json
import shutil
import tomllib

import pytest
from typer.testing import CliRunner

from tenantmetrics.catalog import NAMESPACE, Level
from tenantmetrics.cli.app import app
from tenantmetrics.console.alarms import ALARMS
from tenantmetrics.console.rehearsal import recordings, scenario
from tenantmetrics.console.rehearsal.evaluate import rehearse
from tenantmetrics.errors import ConsoleError, LedgerError
from tenantmetrics.export.emf import documents
from tenantmetrics.export.ledger import LedgerExporter
from tests.console.rehearsing import fired, values

CLUSTER = """
[cluster]
CPUUtilization = 40
ACUUtilization = 30
DatabaseConnections = 100
ServerlessDatabaseCapacity = 4
"""

# A small tenant whose only call fails, a burst of load, a minute of slow calls: a calm day.
CALM = """
minutes = 240
tenants = { acme = 60, bee = 60, cat = 60, dog = 1 }
error_rate = 0.02
during = [
  { from = 30, to = 31, tenant = "dog", error_rate = 1.0 },
  { from = 60, to = 63, tenant = "dog", error_rate = 1.0 },
  { from = 100, to = 103, calls = 400 },
  { from = 140, to = 142, latency_ms = 900 },
  { from = 160, to = 162, tenant = "cat", error_rate = 0.9 },
]
"""

INCIDENT = """
minutes = 240
tenants = { acme = 60, bee = 60, cat = 60, dog = 1 }
during = [
  { from = 40, to = 60, latency_ms = 700 },
  { from = 40, to = 60, tenant = "acme", calls = 3000 },
  { from = 80, to = 100, tenant = "bee", error_rate = 0.4 },
  { from = 120, to = 122, conflicts = 3 },
  { from = 150, to = 180, outage = true },
  { from = 180, to = 184, losses = { export_dropped = 900 }, export_failures = { cloudwatch = 2 } },
]
"""

EXPECTED = [
    (44, "fleet-latency", ()),
    (44, "tenant-database-time", ("acme",)),
    (44, "largest-share", ()),
    (44, "latency-raised", ()),
    (44, "noisy-neighbour", ("acme",)),
    (44, "page", ("acme",)),
    (84, "fleet-error-rate", ()),
    (84, "page", ()),
    (88, "tenant-error-rate", ("bee",)),
    (121, "tenant-conflicts", ()),
    (121, "page", ()),
    (165, "no-data", ()),
    (165, "page", ()),
    (181, "calls-lost", ("export_dropped",)),
    (183, "export-failures", ("cloudwatch",)),
]


def played(text, tmp_path):
    path = tmp_path / "scenario.toml"
    path.write_text(text)
    return recordings.load(path)


def test_a_calm_day_is_silent(tmp_path, promql):
    """One failure of one call, a burst and two slow minutes are no incident."""
    assert fired(played(CALM + CLUSTER, tmp_path), OtlpMetrics="true") == []


def test_an_incident_fires_exactly_the_right_alarms_for_the_right_tenants(tmp_path):
    """A tenant that floods, one that fails, one that crosses over, an exporter's outage."""
    assert fired(played(INCIDENT + CLUSTER, tmp_path)) == EXPECTED


def test_recorded_emf_documents_say_the_same(tmp_path):
    """Written by the exporter, read back as CloudWatch Logs exports them, repeats and all."""
    path = tmp_path / "log.jsonl"
    lines = [
        f"2026-11-20T12:00:00Z {document}\n"
        for window in scenario.windows(tomllib.loads(INCIDENT))
        for document in documents(
            window, namespace=NAMESPACE, level=Level.ESSENTIAL, max_tenants=500, meta={}
        )
    ]
    path.write_text("".join(lines + lines[:100]))
    assert fired(recordings.load(path)) == EXPECTED


def test_a_recorded_ledger_says_the_same_but_for_what_it_does_not_hold(tmp_path):
    """Conflicts and export failures are not in a ledger; everything else is."""
    folder = tmp_path / "ledger"
    exporter = LedgerExporter(folder)
    exporter.export(list(scenario.windows(tomllib.loads(INCIDENT))), float("inf"))
    exporter.close()
    missing = {"tenant-conflicts", "export-failures"}
    store = recordings.load(folder)
    assert missing <= set(rehearse(ALARMS, store, values()).unheard)
    found = fired(store)
    assert found == [one for one in EXPECTED if one[1] not in missing and one[:2] != (121, "page")]


CHATTY = """
minutes = 60
latency_ms = 300
overhead_ms = 20
tenants = { chatty = 4000, heavy = 200, acme = 30 }
during = [
  { from = 0, to = 60, tenant = "chatty", latency_ms = 300, overhead_ms = 299.9 },
  { from = 20, to = 40, tenant = "heavy", latency_ms = 3000 },
]
"""


def test_the_noisy_neighbour_is_who_makes_the_server_work(tmp_path, promql):
    """A tenant that calls often and waits for HTTP is not one, whatever its share of the waiting.

    The chatty one waits 20 s a second on a slow network, twice as long as the heavy one in its
    worst time, and has less than 2 % of the server's time.
    """
    store = played(CHATTY, tmp_path)
    waits = {
        tenant: store.total(("DatabaseDuration", (("TenantId", tenant),)), *minutes)[0]
        for minutes in [(store.start_s + 1_200, store.start_s + 2_400)]
        for tenant in ("chatty", "heavy")
    }
    assert waits["chatty"] > 1.9 * waits["heavy"]
    load = {
        tenant: store.total(("DatabaseLoad", (("TenantId", tenant),)), *minutes)[0]
        for minutes in [(store.start_s + 1_200, store.start_s + 2_400)]
        for tenant in ("chatty", "heavy")
    }
    assert load["chatty"] < 0.02 * load["heavy"]
    found = fired(store, OtlpMetrics="true")
    loud = {name: who for _, name, who in found if name.startswith(("noisy", "tenant-database"))}
    assert loud == {
        "tenant-database-time": ("heavy",),
        "noisy-neighbour": ("heavy",),
        "noisy-neighbour-exact": ("heavy",),
    }


def test_a_ledger_without_statements_has_the_waiting_in_place_of_the_load(tmp_path):
    """Files of version 1 tell nothing else; with statements the load is estimated from them."""
    folder = tmp_path / "ledger"
    exporter = LedgerExporter(folder)
    exporter.export(list(scenario.windows(tomllib.loads(CHATTY))), float("inf"))
    exporter.close()

    def load_s(tenant):
        store = recordings.load(folder)
        key = ("DatabaseLoad", (("TenantId", tenant),))
        return store.total(key, store.start_s, store.end_s)[0] / 1000

    described = 200 * (40 * 0.28 + 20 * 2.98)
    assert load_s("heavy") == pytest.approx(described, rel=0.05)
    shutil.rmtree(folder / "_statements")
    assert load_s("heavy") == pytest.approx(200 * (40 * 0.3 + 20 * 3.0), rel=0.01)


def test_promql_names_the_neighbour_only_where_the_others_suffer(tmp_path, promql):
    """The exact rule is silent where the flooding tenant alone is slow; the classic one cannot."""
    alone = INCIDENT.replace("{ from = 40, to = 60, latency_ms = 700 },", "").replace(
        'tenant = "acme", calls = 3000', 'tenant = "acme", calls = 3000, latency_ms = 700'
    )
    for text, expected in ((INCIDENT, ["acme"]), (alone, [])):
        found = fired(played(text, tmp_path), OtlpMetrics="true")
        who = [one[2] for one in found if one[1] == "noisy-neighbour-exact"]
        assert [one for names in who for one in names] == expected


def test_a_tenant_that_spends_more_than_its_usual_hour_is_named(tmp_path, promql):
    """Who grew is named; who was always large, and who is new, are not."""
    text = """
    minutes = 1560
    tenants = { acme = 100, large = 1000, new = 0 }
    during = [
      { from = 1500, to = 1560, tenant = "acme", calls = 900 },
      { from = 1500, to = 1560, tenant = "new", calls = 900 },
    ]
    """
    found = fired(played(text, tmp_path), OtlpMetrics="true")
    assert [one[2] for one in found if one[1] == "tenant-spend"] == [("acme",)]


def test_a_rise_of_the_fleet_leaves_the_usual_band(tmp_path):
    """By the stand-in for anomaly detection, which needs an hour of history."""
    text = """
    minutes = 240
    tenants = { acme = 100 }
    during = [{ from = 180, to = 240, calls = 400 }]
    """
    names = {one[1] for one in fired(played(text, tmp_path))}
    assert {"billed-requests-anomaly", "database-time-anomaly"} <= names


@pytest.mark.parametrize(
    ("entry", "alarm"),
    [
        ("error = 'ThrottlingException', error_rate = 0.5", "throttling"),
        ("error = 'StatementTimeoutException', error_rate = 0.5", "statement-timeouts"),
        ("error = 'DatabaseResumingException', error_rate = 0.5", "database-resuming"),
        ("latency_ms = 3000", "tenant-latency"),
        ("latency_ms = 3000", "fleet-latency-p99"),
        ("unattributed = 40", "unattributed-share"),
        ("losses = { series_cap = 5 }", "series-overflow"),
        ("undecided = 3", "undecided-statements"),
    ],
)
def test_every_other_alarm_fires_on_its_own_incident(tmp_path, entry, alarm):
    """And says who, where there is a who."""
    text = f"""
    minutes = 120
    tenants = {{ acme = 100, bee = 100 }}
    during = [{{ from = 40, to = 60, tenant = "acme", {entry} }}]
    """
    played_ = played(text, tmp_path)
    found = [one for one in fired(played_, UndecidedAlarm="true") if one[1] == alarm]
    assert len(found) == 1
    assert 40 < found[0][0] < 60
    named = next(one for one in ALARMS if one.id == alarm).tenants
    assert found[0][2] == (("acme",) if named else ())


@pytest.mark.parametrize(
    ("metric", "alarm"),
    [
        ("CPUUtilization = 85", "cluster-cpu"),
        ("ACUUtilization = 80", "cluster-acu"),
        ("DatabaseConnections = 1700", "cluster-connections"),
        ("ServerlessDatabaseCapacity = 64", "fleet-spend"),
    ],
)
def test_every_alarm_of_the_cluster_fires(tmp_path, metric, alarm):
    """From a scenario, which may describe the cluster's own metrics."""
    text = f"minutes = 60\ntenants = {{ acme = 10 }}\n[cluster]\n{metric}\n"
    assert alarm in {one[1] for one in fired(played(text, tmp_path))}


def test_every_alarm_is_rehearsed_above():
    """A new alarm needs an incident of its own."""
    here = {one[1] for one in EXPECTED} | {
        "noisy-neighbour-exact", "tenant-spend", "billed-requests-anomaly",
        "database-time-anomaly", "throttling", "statement-timeouts", "database-resuming",
        "tenant-latency", "fleet-latency-p99", "unattributed-share", "series-overflow",
        "cluster-cpu", "cluster-acu", "cluster-connections", "fleet-spend", "undecided-statements",
    }  # fmt: skip
    assert here == {one.id for one in ALARMS}


def test_alarms_on_metrics_that_were_not_recorded_are_named(tmp_path):
    """Silence must not look like health."""
    found = rehearse(ALARMS, played(CALM, tmp_path), values())
    assert set(found.unheard) == {
        "cluster-cpu",
        "cluster-acu",
        "cluster-connections",
        "fleet-spend",
    }


def run(*arguments, code=0):
    result = CliRunner().invoke(app, ["alarms", "test", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def test_the_command_says_which_when_and_for_whom(tmp_path, promql):
    """A line a firing; a calm recording says so."""
    path = tmp_path / "incident.toml"
    path.write_text(INCIDENT + CLUSTER)
    output = run(str(path))
    assert "2026-11-20 13:28\t2026-11-20 13:43\ttenant-error-rate\tbee\n" in output
    assert "tenant-error-rate" not in run(str(path), "--set", "TenantErrorRatio=0.5")
    run(str(path), "--expect-quiet", code=3)
    path.write_text(CALM)
    output = run(str(path), "--expect-quiet")
    assert "no alarm fires" in output
    assert "cluster-cpu was not rehearsed: no CPUUtilization recorded" in output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tenants = { a = 1 }", "minutes is missing"),
        ("minutes = 5\ntenants = { a = 1 }\nduring = [{ from = 2 }]", "needs from and to"),
        ("minutes = 5\ntenants = { a = 1 }\nlatency = 3", "unknown entry 'latency'"),
        (
            "minutes = 5\ntenants = { a = 1 }\nduring = [{ from = 2, to = 3, tenant = 'b' }]",
            "'b', who is not in tenants",
        ),
        ("minutes = ", "cannot be read"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused(tmp_path, text, said):
    """The file and the entry are named."""
    with pytest.raises(ConsoleError, match=rf"scenario .*scenario\.toml': .*{said}|{said}"):
        played(text, tmp_path)


def test_a_recording_that_is_none_is_refused(tmp_path):
    """With the line."""
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"hello": 1}))
    with pytest.raises(ConsoleError, match=r"log\.jsonl:1: not an EMF document"):
        recordings.load(path)
    with pytest.raises(ConsoleError, match="cannot be read"):
        recordings.load(tmp_path / "nothing")
    with pytest.raises(LedgerError, match="is empty"):
        recordings.load(_empty(tmp_path))


def _empty(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder
