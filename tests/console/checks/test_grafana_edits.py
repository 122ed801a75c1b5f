"""Grafana dashboards that were edited by hand: each slip is named with file, panel and fault."""

import json
import os
from pathlib import Path

import pytest

from tenantmetrics.catalog import NAMESPACE
from tenantmetrics.console.checks.file import check_file

ROOT = Path(__file__).parents[3]
DURATION = "db_client_operation_duration_seconds"
LOAD = "tenantmetrics_database_load_seconds_total"

# name: (dashboard, text, what it is edited to, the panel named, the fault named)
EDITS = {
    "name twice": (
        "fleet",
        '"title": "Calls a second",',
        '"title": "Calls a second", "title": "Calls",',
        "body",
        "'title' is a duplicate key",
    ),
    "panel type misspelt": (
        "fleet",
        '"type": "timeseries"',
        '"type": "timeserie"',
        "panel 'Calls'",
        "there is no panel type 'timeserie'; did you mean 'timeseries'?",
    ),
    "member of a panel misspelt": (
        "fleet",
        '"legendFormat": "calls"',
        '"legendFormatt": "calls"',
        "panel 'Calls a second'",
        "there is no member 'legendFormatt'; did you mean 'legendFormat'?",
    ),
    "member of the dashboard misspelt": (
        "fleet",
        '"timezone"',
        '"timeZones"',
        "dashboard",
        "there is no member 'timeZones'; did you mean 'timezone'?",
    ),
    "unit misspelt": (
        "fleet",
        '"unit": "currencyUSD"',
        '"unit": "curencyUSD"',
        "panel 'Data API cost of the time shown'",
        "unit 'curencyUSD' is not known; did you mean 'currencyUSD'?",
    ),
    "data source of somebody": (
        "fleet",
        '"uid": "${datasource}"',
        '"uid": "PBFA97CFB590B2093"',
        "panel 'Calls a second'",
        "data source 'PBFA97CFB590B2093' is fixed",
    ),
    "data source that speaks no PromQL": (
        "fleet",
        '"type": "prometheus",\n    "uid": "${datasource}"',
        '"type": "loki",\n    "uid": "${datasource}"',
        "panel 'Calls a second'",
        "data source type 'loki' has no PromQL",
    ),
    "query without expr": (
        "fleet",
        '"expr": "sum(',
        '"exp": "sum(',
        "panel 'Calls a second'",
        "query 'A' has no expr; did you mean 'exp'?",
    ),
    "query without a refId": (
        "fleet",
        '"refId": "A"',
        '"refId": ""',
        "panel 'Calls a second'",
        "a query has no refId",
    ),
    "hidden query": (
        "fleet",
        '"refId": "A"',
        '"refId": "A", "hide": true',
        "panel 'Calls a second'",
        "every query is hidden",
    ),
    "legend of a label that the result has not": (
        "fleet",
        '"legendFormat": "{{tenant_id}}"',
        '"legendFormat": "{{tenant}}"',
        "panel 'Calls by tenant'",
        "legend {{tenant}}: the query's result has no such label; did you mean 'tenant_id'?",
    ),
    "two variables of one name": (
        "fleet",
        '"name": "usd_per_million_requests"',
        '"name": "datasource"',
        "dashboard",
        "2 variables are called 'datasource'",
    ),
    "variable that nothing uses": (
        "fleet",
        '"name": "usd_per_million_requests"',
        '"name": "price"',
        "dashboard",
        "variable 'price' is used nowhere",
    ),
    "variable misspelt in a query": (
        "fleet",
        "* $usd_per_million_requests",
        "* $usd_per_million_request",
        "panel 'Data API cost of the time shown'",
        "which is not a variable of the dashboard; did you mean",
    ),
    "macro misspelt": (
        "fleet",
        "[$__rate_interval]",
        "[$__rate_intervall]",
        "panel 'Calls a second'",
        "did you mean '__rate_interval'?",
    ),
    "refresh without a unit": (
        "fleet",
        '"refresh": "1m"',
        '"refresh": "1"',
        "dashboard",
        "refresh",
    ),
    "time that is none": ("fleet", '"now-3h"', '"now-3hours"', "dashboard", "time from"),
    "uid with a space": (
        "fleet",
        '"uid": "tenantmetrics-fleet"',
        '"uid": "tenantmetrics fleet"',
        "dashboard",
        "uid 'tenantmetrics fleet' must be",
    ),
    "panel of no height": (
        "fleet",
        '"h": 4',
        '"h": 0',
        "panel 'Calls a second'",
        "are not a place",
    ),
    "axis upside down": (
        "fleet",
        '"unit": "reqps"',
        '"unit": "reqps", "min": 5, "max": 1',
        "panel 'Calls a second'",
        "min 5 is not below max 1",
    ),
    "quantile in percent": (
        "fleet",
        "histogram_quantile(0.99,",
        "histogram_quantile(99,",
        "panel 'Latency p99'",
        "a quantile is between 0 and 1",
    ),
    "counter without a rate": (
        "fleet",
        "sum(rate(tenantmetrics_unattributed_calls_total[$__rate_interval]))",
        "sum(tenantmetrics_unattributed_calls_total)",
        "panel 'Calls whose tenant is unknown, or two of them; calls that strict refused'",
        "is a counter: use rate() or increase()",
    ),
    "histogram of which no number is taken": (
        "fleet",
        f"sum(histogram_count(rate({DURATION}[$__rate_interval])))",
        f"sum(rate({DURATION}[$__rate_interval]))",
        "panel 'Calls a second'",
        f"{DURATION} is a histogram",
    ),
    "series that never meet": (
        "fleet",
        f"/ scalar(sum(rate({LOAD}[$__rate_interval])))",
        f"/ sum(rate({LOAD}[$__rate_interval]))",
        "panel 'Noisy neighbour: share of the load'",
        "/ between series by tenant_id and series by nothing never meets",
    ),
    "none of the highest": (
        "fleet",
        "topk(10,",
        "topk(0,",
        "panel 'Calls by tenant'",
        "topk(0, …) keeps no series",
    ),
    "division by zero": (
        "fleet",
        "/ 1000000",
        "/ 0",
        "panel 'Data API cost of the time shown'",
        "a division by zero",
    ),
    "regular expression": (
        "tenant",
        'tenant_id=~\\"$tenant\\"',
        'tenant_id=~\\"($tenant\\"',
        "panel 'Calls a second'",
        "does not parse",
    ),
    "variable's query misspelt": (
        "tenant",
        "label_values(tenantmetrics_billed_requests_total, tenant_id)",
        "label_values(tenantmetrics_billed_request_total, tenant_id)",
        "dashboard",
        "variable 'tenant': PromQL: there is no metric 'tenantmetrics_billed_request_total'",
    ),
    "variable's query of the wrong form": (
        "tenant",
        "label_values(tenantmetrics_billed_requests_total, tenant_id)",
        "label_value(tenantmetrics_billed_requests_total, tenant_id)",
        "dashboard",
        "is neither label_values(metric, label) nor query_result(query)",
    ),
}


@pytest.fixture(autouse=True)
def _promql():
    """Skip on a user's machine without promql-parser, never in CI."""
    if os.environ.get("CI") != "true":
        pytest.importorskip("promql_parser", reason="pip install 'tenantmetrics[console]'")


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_named(name, tmp_path):
    """The file, the panel and what is wrong, in one line."""
    board, old, new, place, what = EDITS[name]
    text = (ROOT / f"dashboards/grafana/{board}.json").read_text("utf-8")
    assert old in text
    path = tmp_path / f"{board}.json"
    path.write_text(text.replace(old, new, 1), "utf-8")
    found = [str(one) for one in check_file(path, NAMESPACE)]
    assert any(one.startswith(f"{path}: {place}: ") and what in one for one in found), found
    assert all("\n" not in one for one in found)


def test_a_panel_in_a_collapsed_row_is_checked(tmp_path):
    """Grafana keeps the panels of a collapsed row inside the row."""
    body = json.loads((ROOT / "dashboards/grafana/fleet.json").read_text("utf-8"))
    row, *panels = body["panels"]
    row["collapsed"], row["panels"] = True, [panels.pop(0)]
    row["panels"][0]["targets"][0]["expr"] = "sum(rat(x[5m]))"
    body["panels"] = [row, *panels]
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps(body), "utf-8")
    (found,) = check_file(path, NAMESPACE)
    assert "panel 'Calls a second': PromQL 'sum(rat(x[5m]))' does not parse" in str(found)
