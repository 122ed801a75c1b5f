"""Seeded faults: each is found, and the message names file, widget or alarm, and fault."""

import copy
import json
import os
from pathlib import Path

import pytest

from tenantmetrics.catalog import NAMESPACE
from tenantmetrics.console.checks import alarmrule, contributor, logsinsights, search, template
from tenantmetrics.console.checks.dashboard import check
from tenantmetrics.console.known import Known
from tests.together import apart

ROOT = Path(__file__).parents[2]
KNOWN = Known.of(NAMESPACE)
BODIES = {
    name: json.loads((ROOT / f"dashboards/cloudwatch/{name}.json").read_text("utf-8"))
    for name in ("fleet", "tenant", "pipeline")
}
TEMPLATE = template.load((ROOT / "alarms/cloudformation.yaml").read_text("utf-8"))


@pytest.fixture
def promql():
    """Skip on a user's machine without promql-parser, never in CI."""
    if os.environ.get("CI") == "true":
        import promql_parser  # noqa: PLC0415

        return promql_parser
    return pytest.importorskip("promql_parser", reason="pip install 'tenantmetrics[console]'")


def widget(body, title):
    """A widget by its title, and only metric widgets with lines."""
    (found,) = [
        one
        for one in body["widgets"]
        if one["properties"].get("title") == title
        and one["properties"].get("view") != "singleValue"
    ]
    return found


def line(body, title, number=0):
    return widget(body, title)["properties"]["metrics"][number]


def options(body, title, number=0):
    return line(body, title, number)[-1]


def replace(body, title, old, new, number=0):
    chosen = options(body, title, number)
    assert old in chosen["expression"]
    chosen["expression"] = chosen["expression"].replace(old, new)


def query(body, title, old, new):
    properties = widget(body, title)["properties"]
    assert old in properties["query"]
    properties["query"] = properties["query"].replace(old, new)


ERRORS = "Errors by operation and code (detailed metrics)"
SLOWEST = "Slowest calls, minute by minute"
TROUBLE = "Throttled, timed out, resuming (detailed metrics)"

# name: (dashboard, what is done to it, the widget named, the fault named)
DASHBOARD_FAULTS = {
    "misspelt metric": (
        "fleet",
        lambda b: line(b, "Calls").__setitem__(1, "DatabaseErors"),
        "widget 'Calls'",
        "has no metric 'DatabaseErors'; did you mean 'DatabaseErrors'?",
    ),
    "unknown namespace": (
        "fleet",
        lambda b: line(b, "Calls").__setitem__(0, "TenantMetric"),
        "widget 'Calls'",
        "namespace 'TenantMetric' is not known",
    ),
    "metric with a dimension set that is not published": (
        "tenant",
        lambda b: line(b, "Rows a minute").__setitem__(slice(2, 4), []),
        "widget 'Rows a minute'",
        "RowsReturned is not published with the dimensions none, only with {TenantId}",
    ),
    "dimension misspelt": (
        "tenant",
        lambda b: line(b, "Calls").__setitem__(2, "TenantID"),
        "widget 'Calls'",
        "not published with the dimensions {TenantID}",
    ),
    "dimension without a value": (
        "tenant",
        lambda b: line(b, "Calls").pop(3),
        "widget 'Calls'",
        "not namespace, name and pairs",
    ),
    "RDS metric without its dimension": (
        "fleet",
        lambda b: line(b, "Capacity").__setitem__(slice(2, 4), []),
        "widget 'Capacity'",
        "ServerlessDatabaseCapacity is not published with the dimensions none",
    ),
    "statistic that does not exist": (
        "fleet",
        lambda b: options(b, "Calls").update(stat="Median"),
        "widget 'Calls'",
        "statistic 'Median' does not exist",
    ),
    "percentile of a sum": (
        "fleet",
        lambda b: options(b, "Billed requests").update(stat="p99"),
        "widget 'Billed requests'",
        "DatabaseLoad is published as a sum: p99 of it does not exist",
    ),
    "period of 61 seconds": (
        "fleet",
        lambda b: widget(b, "Calls")["properties"].update(period=61),
        "widget 'Calls'",
        "period 61 is neither",
    ),
    "widget off the grid": (
        "fleet",
        lambda b: widget(b, "Latency").update(x=20),
        "widget 'Latency'",
        "columns 20 to 28 are outside the grid of 24",
    ),
    "widget beyond the last column": (
        "fleet",
        lambda b: widget(b, "Latency").update(x=24),
        "widget 'Latency'",
        "24 is greater than the maximum of 23",
    ),
    "widgets on top of each other": (
        "fleet",
        lambda b: widget(b, "Latency").update(x=8),
        "widget 'Latency'",
        "overlaps widget 'Error rate'",
    ),
    "widget without a height": (
        "fleet",
        lambda b: widget(b, "Latency").pop("height"),
        "widget 'Latency'",
        "'height' is missing",
    ),
    "widget type that does not exist": (
        "fleet",
        lambda b: widget(b, "Latency").update(type="graph"),
        "widget 'Latency'",
        "'graph' is not one of",
    ),
    "misspelt property": (
        "fleet",
        lambda b: widget(b, "Latency")["properties"].update(titel="x"),
        "widget 'Latency'",
        "'titel' was unexpected",
    ),
    "missing region": (
        "fleet",
        lambda b: widget(b, "Latency")["properties"].pop("region"),
        "widget 'Latency'",
        "'region' is a required property",
    ),
    "unknown member of the body": (
        "fleet",
        lambda b: b.update(widget=[]),
        "body",
        "'widget' was unexpected",
    ),
    "501 widgets": (
        "fleet",
        lambda b: b["widgets"].extend(
            {**b["widgets"][0], "y": 100 + 2 * number} for number in range(501)
        ),
        "body",
        "entries are too many, 500 are allowed",
    ),
    "alarm that is no ARN": (
        "fleet",
        lambda b: widget(b, "Alarms")["properties"]["alarms"].append("fleet-error-rate"),
        "widget 'Alarms'",
        "'fleet-error-rate' does not match",
    ),
    "SQL: metric misspelt": (
        "fleet",
        lambda b: replace(b, "Load by tenant", "DatabaseLoad", "DatabaseLoads"),
        "widget 'Load by tenant'",
        "has no metric 'DatabaseLoads'",
    ),
    "SQL: SCHEMA without the dimension": (
        "fleet",
        lambda b: replace(b, "Load by tenant", ", TenantId)", ")"),
        "widget 'Load by tenant'",
        "'TenantId' is used but not in SCHEMA(): its series would fall into 'Other'",
    ),
    "SQL: SCHEMA with a set that is not published": (
        "fleet",
        lambda b: replace(b, "Load by tenant", ", TenantId)", ", TenantId, Operation)"),
        "widget 'Load by tenant'",
        "DatabaseLoad is not published with the dimensions {TenantId, Operation}",
    ),
    "SQL: no SCHEMA": (
        "fleet",
        lambda b: replace(
            b, "Load by tenant", 'SCHEMA("TenantMetrics", TenantId)', "TenantMetrics"
        ),
        "widget 'Load by tenant'",
        "GROUP BY without SCHEMA()",
    ),
    "SQL: a function that it lacks": (
        "fleet",
        lambda b: replace(b, "Load by tenant", "SELECT SUM", "SELECT MEDIAN"),
        "widget 'Load by tenant'",
        "one of AVG, COUNT, MAX, MIN, SUM expected",
    ),
    "SQL: order by another function": (
        "fleet",
        lambda b: replace(b, "Load by tenant", "ORDER BY SUM", "ORDER BY MAX"),
        "widget 'Load by tenant'",
        "ORDER BY MAX() differs from SELECT SUM()",
    ),
    "SQL: limit too high": (
        "fleet",
        lambda b: replace(b, "Load by tenant", "LIMIT 10", "LIMIT 1000"),
        "widget 'Load by tenant'",
        "LIMIT 1000 is not within 1 to 500",
    ),
    "SQL: OR": (
        "tenant",
        lambda b: replace(b, "Calls by operation", " GROUP BY", " OR TenantId = 'b' GROUP BY"),
        "widget 'Calls by operation'",
        "OR is not part of Metrics Insights",
    ),
    "SQL: value without quotes": (
        "tenant",
        lambda b: replace(b, "Calls by operation", "'__TENANT__'", "__TENANT__"),
        "widget 'Calls by operation'",
        "a value in single quotes expected",
    ),
    "SQL: two queries in a graph": (
        "fleet",
        lambda b: widget(b, "Load by tenant")["properties"]["metrics"].append(
            [
                {
                    **options(b, "Billed requests", 0),
                    "expression": 'SELECT SUM(DatabaseLoad) FROM SCHEMA("TenantMetrics", TenantId)',
                    "id": "q2",
                }
                | {"stat": "Sum"}
            ]
        ),
        "widget 'Load by tenant'",
        "2 Metrics Insights queries",
    ),
    "SEARCH: braces that do not match": (
        "fleet",
        lambda b: replace(b, TROUBLE, "StatusCode}", "StatusCode"),
        f"widget {TROUBLE!r}",
        "SEARCH does not parse: unbalanced {}",
    ),
    "SEARCH: quote that is not closed": (
        "fleet",
        lambda b: replace(b, TROUBLE, 'DatabaseOperations"', "DatabaseOperations"),
        f"widget {TROUBLE!r}",
        "a double quote is not closed",
    ),
    "SEARCH: misspelt metric": (
        "fleet",
        lambda b: replace(b, TROUBLE, "DatabaseOperations", "DatabaseOperation"),
        f"widget {TROUBLE!r}",
        "has no metric 'DatabaseOperation'",
    ),
    "SEARCH: too long": (
        "fleet",
        lambda b: replace(b, TROUBLE, "StatusCode=", "StatusCode=" + " " * 1024),
        f"widget {TROUBLE!r}",
        "1024 are allowed",
    ),
    "SEARCH: statistic": (
        "fleet",
        lambda b: replace(b, TROUBLE, "'Sum'", "'Total'"),
        f"widget {TROUBLE!r}",
        "statistic 'Total' does not exist",
    ),
    "math: id that nobody has": (
        "fleet",
        lambda b: replace(b, "Error rate", "rate", "ratio", 1),
        "widget 'Error rate'",
        "refers to 'ratio', which no metric has as its id; did you mean 'rate'?",
    ),
    "math: parenthesis": (
        "fleet",
        lambda b: replace(b, "Error rate", "100 * rate", "100 * (rate", 1),
        "widget 'Error rate'",
        ") expected",
    ),
    "math: function that does not exist": (
        "tenant",
        lambda b: replace(b, "Estimated cost to date", "RUNNING_SUM", "RUNNINGSUM", 4),
        "widget 'Estimated cost to date'",
        "no function RUNNINGSUM; did you mean 'RUNNING_SUM'?",
    ),
    "math: number of arguments": (
        "tenant",
        lambda b: replace(b, "Estimated cost to date", "FILL(billed, 0)", "FILL(billed)", 4),
        "widget 'Estimated cost to date'",
        "FILL takes 2 arguments, 1 given",
    ),
    "math: id in capitals": (
        "fleet",
        lambda b: options(b, "Error rate").update(id="Rate"),
        "widget 'Error rate'",
        "id 'Rate' must begin with a small letter",
    ),
    "math: the same id twice": (
        "fleet",
        lambda b: options(b, "Error rate", 1).update(id="rate"),
        "widget 'Error rate'",
        "id 'rate' is used 2 times",
    ),
    "graph of nothing but hidden lines": (
        "fleet",
        lambda b: options(b, "Error rate", 1).update(visible=False),
        "widget 'Error rate'",
        "every line is invisible",
    ),
    "logs: command": (
        "tenant",
        lambda b: query(b, ERRORS, "| stats", "| stat"),
        f"widget {ERRORS!r}",
        "no command 'stat'; did you mean 'stats'?",
    ),
    "logs: function": (
        "tenant",
        lambda b: query(b, ERRORS, "sum(", "total("),
        f"widget {ERRORS!r}",
        "no function 'total'",
    ),
    "logs: field": (
        "tenant",
        lambda b: query(b, ERRORS, "filter TenantId", "filter Tenant"),
        f"widget {ERRORS!r}",
        "EMF documents have no field 'Tenant'; did you mean 'TenantId'?",
    ),
    "logs: quote": (
        "tenant",
        lambda b: query(b, ERRORS, "'ok'", "'ok"),
        f"widget {ERRORS!r}",
        "a quote is not closed",
    ),
    "logs: no log group": (
        "tenant",
        lambda b: query(b, ERRORS, "SOURCE 'tenantmetrics' | ", ""),
        f"widget {ERRORS!r}",
        "names no log group",
    ),
    "logs: limit": (
        "tenant",
        lambda b: query(b, SLOWEST, "limit 50", "limit 50000"),
        f"widget {SLOWEST!r}",
        "limit '50000' is not within 1 to 10000",
    ),
    "logs: empty command": (
        "tenant",
        lambda b: query(b, SLOWEST, "| sort", "| | sort"),
        f"widget {SLOWEST!r}",
        "nothing stands between two |",
    ),
    "variable that replaces nothing": (
        "tenant",
        lambda b: b["variables"][0].update(pattern="__TENNANT__"),
        "variable 'tenant'",
        "occurs in no widget",
    ),
    "variable from a dimension that is not searched": (
        "tenant",
        lambda b: b["variables"][0].update(populateFrom="Tenant"),
        "variable 'tenant'",
        "'Tenant' is not a dimension of its search",
    ),
    "variable without its values": (
        "tenant",
        lambda b: b["variables"][0].pop("search"),
        "body",
        "variables/0",
    ),
}


@pytest.mark.parametrize("name", DASHBOARD_FAULTS)
def test_a_fault_in_a_dashboard_is_named(name):
    """The file, the widget and what is wrong, in one line."""
    board, damage, place, what = DASHBOARD_FAULTS[name]
    body = copy.deepcopy(BODIES[board])
    damage(body)
    found = list(map(str, check(f"{board}.json", json.dumps(body), KNOWN)))
    assert any(one.startswith(f"{board}.json: {place}: ") and what in one for one in found), found
    assert all("\n" not in one for one in found)


def test_a_body_that_is_no_json_is_named():
    """A truncated file, which cfn-lint and moto take."""
    (found,) = check("fleet.json", json.dumps(BODIES["fleet"])[:-5], KNOWN)
    assert "is not JSON" in str(found)


def alarm(resources, name):
    return resources[name]["Properties"]


def sub(resources, name, number, old, new):
    metric = alarm(resources, name)["Metrics"][number]
    text = metric["Expression"]
    changed = text["Fn::Sub"] if isinstance(text, dict) else text
    assert old in changed
    metric["Expression"] = {"Fn::Sub": changed.replace(old, new)}


# name: (what is done to the resources, the alarm named, the fault named)
ALARM_FAULTS = {
    "two forms that cannot be used together": (
        lambda r: alarm(r, "FleetErrorRate").update(MetricName="DatabaseErrors"),
        "FleetErrorRate",
        "an alarm is on one of a metric, Metrics or PromQL; this one is on a metric and Metrics",
    ),
    "no form at all": (
        lambda r: alarm(r, "FleetErrorRate").pop("Metrics"),
        "FleetErrorRate",
        "this one is on nothing",
    ),
    "statistic beside Metrics": (
        lambda r: alarm(r, "FleetErrorRate").update(Statistic="Sum"),
        "FleetErrorRate",
        "Statistic belongs to an alarm on one metric and excludes Metrics",
    ),
    "M greater than N": (
        lambda r: alarm(r, "FleetErrorRate").update(DatapointsToAlarm=6),
        "FleetErrorRate",
        "DatapointsToAlarm 6 is not within 1 to EvaluationPeriods 5",
    ),
    "period of 61 seconds": (
        lambda r: alarm(r, "TenantConflicts").update(Period=61),
        "TenantConflicts",
        "period 61",
    ),
    "more than a day": (
        lambda r: alarm(r, "ClusterCpu").update(EvaluationPeriods=289),
        "ClusterCpu",
        "is 86700 s, 86400 s are allowed",
    ),
    "more than the three hours of Metrics Insights": (
        lambda r: alarm(r, "TenantErrorRate").update(EvaluationPeriods=181),
        "TenantErrorRate",
        "is 10860 s, 10800 s are allowed",
    ),
    "misspelt metric": (
        lambda r: alarm(r, "TenantConflicts").update(MetricName="TenantConflict"),
        "TenantConflicts",
        "has no metric 'TenantConflict'",
    ),
    "dimension set that is not published": (
        lambda r: alarm(r, "TenantConflicts").update(
            Dimensions=[{"Name": "TenantId", "Value": "acme"}]
        ),
        "TenantConflicts",
        "TenantConflicts is not published with the dimensions {TenantId}",
    ),
    "both a threshold and a band": (
        lambda r: alarm(r, "BilledRequestsAnomaly").update(Threshold=5),
        "BilledRequestsAnomaly",
        "either Threshold or ThresholdMetricId",
    ),
    "band with a plain comparison": (
        lambda r: alarm(r, "BilledRequestsAnomaly").update(
            ComparisonOperator="GreaterThanThreshold"
        ),
        "BilledRequestsAnomaly",
        "GreaterThanThreshold and a band exclude",
    ),
    "band that nobody defines": (
        lambda r: alarm(r, "BilledRequestsAnomaly").update(ThresholdMetricId="bend"),
        "BilledRequestsAnomaly",
        "'bend' is not the id of an entry of Metrics",
    ),
    "comparison that does not exist": (
        lambda r: alarm(r, "ClusterCpu").update(ComparisonOperator="GreaterThan"),
        "ClusterCpu",
        "ComparisonOperator 'GreaterThan' does not exist",
    ),
    "missing data misspelt": (
        lambda r: alarm(r, "NoData").update(TreatMissingData="Breaching"),
        "NoData",
        "TreatMissingData 'Breaching'",
    ),
    "percentile that a handful of calls decides": (
        lambda r: alarm(r, "FleetLatencyP99").pop("EvaluateLowSampleCountPercentile"),
        "FleetLatencyP99",
        "without EvaluateLowSampleCountPercentile",
    ),
    "two metrics returned": (
        lambda r: alarm(r, "FleetErrorRate")["Metrics"][0].update(ReturnData=True),
        "FleetErrorRate",
        "2 of Metrics return data, 1 must",
    ),
    "SEARCH in an alarm": (
        lambda r: sub(r, "FleetErrorRate", 2, "100 * rate", "SEARCH('{a,b} MetricName=c', 'Sum')"),
        "FleetErrorRate",
        "SEARCH is not allowed in an alarm",
    ),
    "math on an id that is not there": (
        lambda r: sub(r, "FleetErrorRate", 2, "100 * rate", "100 * rat"),
        "FleetErrorRate",
        "refers to 'rat'",
    ),
    "several series without an order": (
        lambda r: sub(r, "TenantErrorRate", 0, " ORDER BY AVG() DESC", ""),
        "TenantErrorRate",
        "needs ORDER BY beside GROUP BY",
    ),
    "several series into metric math": (
        lambda r: sub(r, "LargestShare", 2, "MAX(q1)", "q1"),
        "LargestShare",
        "must return one series: q1 has many, so MAX(q1) or the like",
    ),
    "SQL without its dimension": (
        lambda r: sub(r, "TenantErrorRate", 0, ", TenantId)", ")"),
        "TenantErrorRate",
        "would fall into 'Other'",
    ),
    "periods that differ": (
        lambda r: alarm(r, "FleetErrorRate")["Metrics"][0]["MetricStat"].update(Period=300),
        "FleetErrorRate",
        "have one period, not [60, 300]",
    ),
    "composite on an alarm that does not exist": (
        lambda r: alarm(r, "Page").update(
            AlarmRule={"Fn::Sub": 'ALARM("${Prefix}-fleet-eror-rate")'}
        ),
        "Page",
        "names 'tenantmetrics-fleet-eror-rate', and there is no such alarm",
    ),
    "composite with a state that does not exist": (
        lambda r: alarm(r, "Page").update(AlarmRule='ALRM("tenantmetrics-no-data")'),
        "Page",
        "ALARM, OK, INSUFFICIENT_DATA, NOT or ( expected",
    ),
    "composite on itself": (
        lambda r: alarm(r, "Page").update(AlarmRule='ALARM("tenantmetrics-page")'),
        "Page",
        "names its own alarm",
    ),
    "composite with a parenthesis too few": (
        lambda r: alarm(r, "Page").update(AlarmRule='(ALARM("tenantmetrics-no-data")'),
        "Page",
        ") expected",
    ),
    "two alarms of one name": (
        lambda r: alarm(r, "NoData").update(AlarmName="tenantmetrics-page"),
        "tenantmetrics-page",
        "2 alarms have this name",
    ),
    "no runbook line": (
        lambda r: alarm(r, "NoData").update(AlarmDescription="No data."),
        "NoData",
        "AlarmDescription lacks 'Do:'",
    ),
    "description that is too long": (
        lambda r: alarm(r, "NoData").update(AlarmDescription="x" * 1025),
        "NoData",
        "1025 characters, 1024 allowed",
    ),
    "six actions": (
        lambda r: alarm(r, "NoData").update(AlarmActions=["arn"] * 6),
        "NoData",
        "AlarmActions has 6 entries, 5 are allowed",
    ),
}

PROMQL_FAULTS = {
    "function misspelt": ("rate(", "rat(", "unknown function"),
    "metric misspelt": ("operation.duration", "operation.durations", "did you mean"),
    "label misspelt": ('by ("tenant.id")', 'by ("tenantid")', "groups by 'tenantid'"),
    "range forgotten": ("[5m]", "", "does not parse"),
}


def damaged(damage):
    changed = copy.deepcopy(TEMPLATE)
    damage(changed["Resources"])
    return json.dumps(changed)


@pytest.mark.parametrize("names", apart(ALARM_FAULTS, lambda name: ALARM_FAULTS[name][1]), ids=len)
def test_faults_in_alarms_are_named(names, promql):
    """The file, the alarm and what is wrong, in one line; beside faults of other alarms."""
    assert promql

    def damage(resources):
        for name in names:
            ALARM_FAULTS[name][0](resources)

    found = list(map(str, template.check("cloudformation.yaml", damaged(damage), KNOWN)))
    for name in names:
        _, place, what = ALARM_FAULTS[name]
        starts = f"cloudformation.yaml: {place}: "
        assert any(fault.startswith(starts) and what in fault for fault in found), (name, found)


@pytest.mark.parametrize("name", PROMQL_FAULTS)
def test_a_fault_in_an_alarms_promql_is_named(name, promql):
    """Grammar by Prometheus' own rules, names and labels by the catalogue."""
    assert promql
    old, new, what = PROMQL_FAULTS[name]

    def damage(resources):
        criteria = alarm(resources, "NoisyNeighbourExact")["EvaluationCriteria"]["PromQLCriteria"]
        assert old in criteria["Query"]["Fn::Sub"]
        criteria["Query"] = {"Fn::Sub": criteria["Query"]["Fn::Sub"].replace(old, new)}

    found = list(map(str, template.check("cloudformation.yaml", damaged(damage), KNOWN)))
    assert any("NoisyNeighbourExact" in one and what in one for one in found), found


def test_a_threshold_beside_promql_is_named(promql):
    """PutMetricAlarm refuses the two together."""
    assert promql
    text = damaged(lambda r: alarm(r, "TenantSpend").update(Threshold=1, EvaluationInterval=5))
    found = [str(one) for one in template.check("cloudformation.yaml", text, KNOWN)]
    assert any("Threshold excludes EvaluationCriteria" in one for one in found)
    assert any("EvaluationInterval 5 is not within 10 to 3600" in one for one in found)


def test_the_committed_template_has_no_fault(promql):
    """With its defaults, and with other values."""
    assert promql
    text = (ROOT / "alarms/cloudformation.yaml").read_text("utf-8")
    assert template.check("cloudformation.yaml", text, KNOWN) == []
    known = Known.of("Hospitality/AI")
    given = {"Namespace": "Hospitality/AI", "Prefix": "x", "LatencyMs": 100}
    assert template.check("cloudformation.yaml", text, known, given) == []
    assert template.check("cloudformation.yaml", text, known) != []


RULE = {
    "Schema": {"Name": "CloudWatchLogRule", "Version": 1},
    "LogGroupNames": ["tenantmetrics"],
    "LogFormat": "JSON",
    "Contribution": {
        "Keys": ["$.TenantId"],
        "ValueOf": "$.RequestBytes",
        "Filters": [{"Match": "$.RequestBytes", "IsPresent": True}],
    },
    "AggregateOn": "Sum",
}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"AggregateOn": "Average"}, "AggregateOn 'Average' is not Count or Sum"),
        ({"LogFormat": "XML"}, "LogFormat 'XML'"),
        ({"LogGroupNames": []}, "at least one log group"),
        ({"Schema": {"Name": "CloudWatchLogRule"}}, "Schema must be"),
        ({"Contribution": {"Keys": []}}, "1 to 4 Keys"),
        ({"Contribution": {"Keys": ["TenantId"], "ValueOf": "$.x"}}, "must begin with $."),
        ({"Contribution": {"Keys": ["$.TenantId"]}}, "AggregateOn Sum needs ValueOf"),
        ({"Contribute": {}}, "no entry 'Contribute'"),
    ],
)
def test_a_fault_in_a_contributor_insights_rule_is_named(change, what):
    """The whole rule is fine, and each change of it is not."""
    assert contributor.rule_faults(json.dumps(RULE)) == []
    assert any(what in one for one in contributor.rule_faults(json.dumps({**RULE, **change})))


def test_there_are_enough_seeded_faults():
    """At least forty, of every kind."""
    assert len(DASHBOARD_FAULTS) >= 40
    assert len(DASHBOARD_FAULTS) + len(ALARM_FAULTS) + len(PROMQL_FAULTS) >= 80


@pytest.mark.parametrize("stat", ["Sum", "p99", "p99.9", "p100", "tm95", "TM(10%:90%)", "PR(:300)"])
def test_statistics_that_exist_are_taken(stat):
    """As the CloudWatch user guide lists them."""
    assert search.stat_fault(stat) is None


@pytest.mark.parametrize("stat", ["p", "p101", "sum", "", None, "P99"])
def test_statistics_that_do_not_exist_are_refused(stat):
    """Spelling counts."""
    assert search.stat_fault(stat)


def test_a_rule_reads_the_names_of_its_alarms():
    """With AND, OR, NOT, parentheses and every state."""
    text = "ALARM(\"a\") AND (NOT OK(b) OR INSUFFICIENT_DATA('c')) AND NOT FALSE"
    assert alarmrule.children(alarmrule.parse_rule(text)) == ["a", "b", "c"]


def test_a_slash_in_a_calculation_is_no_regular_expression():
    """Two divisions do not swallow what stands between them."""
    text = "SOURCE 'x' | stats max(@a) / 2 as b, nosuch(@c) / 3 as d by bin(1m)"
    assert any("no function 'nosuch'" in one for one in logsinsights.log_query_faults(text))
