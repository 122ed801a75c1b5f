"""Grafana's dashboards: up to date, without fault, every panel with data in a real Prometheus."""

import copy
import json
import os
import subprocess
from pathlib import Path

import pytest

from tenantmetrics.console.checks import grafana as checks

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "dashboards/grafana").rglob("*.json"))
BODIES = {str(path.relative_to(ROOT)): json.loads(path.read_text("utf-8")) for path in FILES}
FLEET = "dashboards/grafana/fleet.json"
TENANT = "dashboards/grafana/tenant.json"


def test_committed_files_are_what_is_generated():
    """Built by the SDK again, byte for byte."""
    if os.environ.get("CI") != "true":
        pytest.importorskip("grafana_foundation_sdk", reason="pip install grafana-foundation-sdk")
    from tenantmetrics.console import grafana  # noqa: PLC0415

    made = grafana.files()
    assert sorted(made) == sorted(BODIES)
    for name, text in made.items():
        assert (ROOT / name).read_text("utf-8") == text, name


@pytest.mark.parametrize("name", BODIES)
def test_a_committed_dashboard_has_no_fault(name, promql):
    """Grid, ids, variables, and every panel's PromQL with its names and labels."""
    assert list(map(str, checks.check(name, BODIES[name]))) == []


IMPORT = 'import { type Dashboard, ThresholdsMode } from "@grafana/schema";\n'
DAMAGES = {
    "a text for a number": lambda b: b["panels"][1]["gridPos"].update(w="6"),
    "a kind of variable": lambda b: b["templating"]["list"][0].update(type="datasources"),
    "a member of a variable": lambda b: b["templating"]["list"][0].update(auto=True),
    "a member of a panel": lambda b: b["panels"][1].update(tytle="x"),
    "a member left out": lambda b: b.pop("schemaVersion"),
}


@pytest.fixture(scope="module")
def complaints(javascript):
    """What the TypeScript compiler says of dashboards as values of Grafana's own type, by name."""
    bodies = dict(BODIES)
    for name, damage in DAMAGES.items():
        bodies[name] = copy.deepcopy(BODIES[FLEET])
        damage(bodies[name])
    files = {f"board{number}.ts": name for number, name in enumerate(bodies)}
    for file, name in files.items():
        value = json.dumps(bodies[name])
        # TypeScript wants the member of an enum where JSON has its text.
        value = value.replace('"mode": "absolute"', '"mode": ThresholdsMode.Absolute')
        text = f"export const body: Dashboard = {value};\n"
        (javascript / file).write_text(IMPORT + text, "utf-8")
    options = ["--noEmit", "--strict", "--skipLibCheck", "--pretty", "false"]
    options += ["--module", "nodenext", "--moduleResolution", "nodenext"]
    done = subprocess.run(
        ["npx", "tsc", *options, *files],
        cwd=javascript,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    lines = [one for one in done.stdout.splitlines() if "error TS" in one]
    return {
        name: [one for one in lines if one.startswith(f"{file}(")] for file, name in files.items()
    }


@pytest.mark.parametrize("name", BODIES)
def test_a_committed_dashboard_fits_grafanas_own_type(complaints, name):
    """Dashboard of @grafana/schema, by the TypeScript compiler."""
    assert complaints[name] == []


@pytest.mark.parametrize("name", DAMAGES)
def test_what_does_not_fit_grafanas_type_is_seen(complaints, name):
    """The type is not one that everything fits."""
    assert complaints[name]


def panel(body, title):
    return next(one for one in body["panels"] if one["title"] == title and one["type"] != "stat")


def expr(body, title, old, new):
    (target,) = panel(body, title)["targets"]
    assert old in target["expr"]
    target["expr"] = target["expr"].replace(old, new)


# name: (dashboard, what is done to it, the panel named, the fault named)
FAULTS = {
    "function misspelt": (
        FLEET,
        lambda b: expr(b, "Calls", "rate(", "rat("),
        "panel 'Calls'",
        "unknown function",
    ),
    "metric misspelt": (
        FLEET,
        lambda b: expr(b, "Calls", "_seconds", "_second"),
        "panel 'Calls'",
        "there is no metric 'db_client_operation_duration_second'; did you mean",
    ),
    "label misspelt": (
        TENANT,
        lambda b: expr(b, "Calls", "tenant_id=~", "tenant=~"),
        "panel 'Calls'",
        "has no label 'tenant'; did you mean 'tenant_id'?",
    ),
    "grouping by a label that is not there": (
        FLEET,
        lambda b: expr(b, "Failed calls by code", "error_type", "error_code"),
        "panel 'Failed calls by code'",
        "groups by 'error_code'",
    ),
    "a fixed range": (
        FLEET,
        lambda b: (
            expr(b, "Calls", "$__rate_interval", "5m")
            or expr(b, "Calls", "sum(", "$usd_per_million_requests * sum(")
        ),
        "panel 'Calls'",
        "needs [$__rate_interval]",
    ),
    "variable that is none": (
        TENANT,
        lambda b: expr(b, "Calls", "$tenant", "$tenants"),
        "panel 'Calls'",
        "uses $tenants, which is not a variable",
    ),
    "parenthesis": (
        FLEET,
        lambda b: expr(b, "Calls", "sum(", "sum(("),
        "panel 'Calls'",
        "does not parse",
    ),
    "rate of a gauge's moment": (
        FLEET,
        lambda b: expr(b, "Calls", "[$__rate_interval]", ""),
        "panel 'Calls'",
        "does not parse",
    ),
    "off the grid": (
        FLEET,
        lambda b: panel(b, "Latency")["gridPos"].update(x=20),
        "panel 'Latency'",
        "columns 20 to 28 are outside the grid",
    ),
    "one over the other": (
        FLEET,
        lambda b: panel(b, "Latency")["gridPos"].update(x=8),
        "panel 'Latency'",
        "overlaps panel 'Error rate'",
    ),
    "fixed data source": (
        FLEET,
        lambda b: panel(b, "Latency")["datasource"].update(uid="abc"),
        "panel 'Latency'",
        "'abc' is fixed",
    ),
    "no data source variable": (
        FLEET,
        lambda b: b["templating"]["list"].pop(0),
        "dashboard",
        "no variable 'datasource'",
    ),
    "two panels of one id": (
        FLEET,
        lambda b: panel(b, "Latency").update(id=1),
        "dashboard",
        "2 panels have the id 1",
    ),
    "two queries of one letter": (
        FLEET,
        lambda b: panel(b, "Latency")["targets"][1].update(refId="A"),
        "panel 'Latency'",
        "the same refId",
    ),
    "uid": (FLEET, lambda b: b.update(uid="a b"), "dashboard", "uid 'a b'"),
    "variable's metric": (
        TENANT,
        lambda b: b["templating"]["list"][-1].update(query="label_values(billed, tenant_id)"),
        "dashboard",
        "variable 'tenant': PromQL: there is no metric 'billed'",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_a_dashboard_is_named(name, promql):
    """The file, the panel and what is wrong."""
    file, damage, place, what = FAULTS[name]
    body = copy.deepcopy(BODIES[file])
    damage(body)
    found = list(map(str, checks.check(file, body)))
    assert any(one.startswith(f"{file}: {place}: ") and what in one for one in found), found


# A real Prometheus, fed by the exporter's own OTLP data as a collector would translate them.
