"""Faults seeded in alarms: each is found, and the message names file, alarm and fault."""

import copy
import json
import os

import pytest

from tenantmetrics.console.checks import alarmrule, template
from tenantmetrics.console.known import Known
from tests.console.checks.dashboard_faults import DASHBOARD_FAULTS, KNOWN, ROOT
from tests.together import apart

TEMPLATE = template.load((ROOT / "alarms/cloudformation.yaml").read_text("utf-8"))


@pytest.fixture
def promql():
    """Skip on a user's machine without promql-parser, never in CI."""
    if os.environ.get("CI") == "true":
        import promql_parser  # noqa: PLC0415

        return promql_parser
    return pytest.importorskip("promql_parser", reason="pip install 'tenantmetrics[console]'")


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


def test_there_are_enough_seeded_faults():
    """At least forty, of every kind."""
    assert len(DASHBOARD_FAULTS) >= 40
    assert len(DASHBOARD_FAULTS) + len(ALARM_FAULTS) + len(PROMQL_FAULTS) >= 80


def test_a_rule_reads_the_names_of_its_alarms():
    """With AND, OR, NOT, parentheses and every state."""
    text = "ALARM(\"a\") AND (NOT OK(b) OR INSUFFICIENT_DATA('c')) AND NOT FALSE"
    assert alarmrule.children(alarmrule.parse_rule(text)) == ["a", "b", "c"]
