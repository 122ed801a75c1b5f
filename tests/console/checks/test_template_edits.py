"""Templates of alarms that were edited by hand: each slip is named with file, alarm and fault."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tenantmetrics.catalog import NAMESPACE
from tenantmetrics.console.checks.contributor import rule_faults
from tenantmetrics.console.checks.file import check_file
from tests.together import apart

ROOT = Path(__file__).parents[3]

# name: (text, what it is edited to, the alarm named, the fault named)
EDITS = {
    "key twice": (
        "      MetricName: TenantConflicts\n",
        "      MetricName: TenantConflicts\n      MetricName: TenantConflicts\n",
        "template",
        "Duplicate found 'MetricName' (line",
    ),
    "property misspelt": (
        "EvaluationPeriods: 5",
        "EvaluationPeriod: 5",
        "FleetErrorRate",
        "('EvaluationPeriod' was unexpected. Did you mean 'EvaluationPeriods'?)",
    ),
    "property of a query misspelt": (
        "ReturnData: false",
        "ReturnDatum: false",
        "FleetErrorRate",
        "('ReturnDatum' was unexpected. Did you mean 'ReturnData'?)",
    ),
    "resource type misspelt": (
        "Type: AWS::CloudWatch::CompositeAlarm",
        "Type: AWS::CloudWatch::CompositAlarm",
        "NoisyNeighbour",
        "resource type 'AWS::CloudWatch::CompositAlarm' does not exist",
    ),
    "property deep down misspelt": (
        "          PendingPeriod: 180",
        "          PendingPeriods: 180",
        "NoisyNeighbourExact",
        "('PendingPeriods' was unexpected. Did you mean 'PendingPeriod'?)",
    ),
    "function misspelt": (
        "AlarmName: !Sub",
        "AlarmName: !Subst",
        "FleetErrorRate",
        "{'Fn::Subst': '${Prefix}-fleet-error-rate'} is not of type 'string'",
    ),
    "member of a parameter misspelt": (
        "    Default: 80",
        "    Defualt: 80",
        "template",
        "Parameters/CpuPercent: Additional properties are not allowed ('Defualt' was unexpected.",
    ),
    "type of a parameter misspelt": (
        "    Type: Number",
        "    Type: Numeric",
        "template",
        "'Numeric' is not one of the",
    ),
    "member of a resource misspelt": (
        "    Condition: HasOtlpMetrics",
        "    Conditions: HasOtlpMetrics",
        "NoisyNeighbourExact",
        "('Conditions' was unexpected. Did you mean 'Condition'?)",
    ),
    "parameter that is not there": (
        "!Ref ErrorRatePercent",
        "!Ref ErrorRatePercentage",
        "FleetErrorRate",
        "names; did you mean 'ErrorRatePercent'?",
    ),
    "parameter in a text that is not there": (
        "${MinimumCalls}, 100 * rate",
        "${MinimalCalls}, 100 * rate",
        "FleetErrorRate",
        "names; did you mean 'MinimumCalls'?",
    ),
    "parameter that nothing uses": (
        "[!Ref PageTopicArn]\n      OKActions: [!Ref PageTopicArn]",
        "[!Ref NotifyTopicArn]\n      OKActions: [!Ref NotifyTopicArn]",
        "template",
        "Parameter PageTopicArn not used",
    ),
    "default that is not allowed": (
        'Default: "false"',
        'Default: "no"',
        "template",
        "Parameters/DetailedMetrics: Default should be a value within AllowedValues",
    ),
    "condition that is not there": (
        "Condition: HasOtlpMetrics",
        "Condition: HasOtlpMetric",
        "NoisyNeighbourExact",
        "'HasOtlpMetric' is not one of ['HasDetailedMetrics', 'HasOtlpMetrics'",
    ),
    "depends on nothing": (
        "DependsOn: [FleetErrorRate,",
        "DependsOn: [FleetErrorRates,",
        "Page",
        "names; did you mean 'FleetErrorRate'?",
    ),
    "composite that may be made too early": (
        "DependsOn: [FleetErrorRate, ",
        "DependsOn: [",
        "Page",
        "without DependsOn FleetErrorRate it may be created too early",
    ),
    "composite on an alarm of a condition": (
        '-fleet-error-rate\\") OR',
        '-throttling\\") OR',
        "Page",
        "which exists only under condition HasDetailedMetrics",
    ),
    "composite that never changes": (
        'AlarmRule: !Sub "ALARM(\\"${Prefix}-fleet-error-rate\\") OR',
        'AlarmRule: !Sub "TRUE OR',
        "Page",
        "AlarmRule is always true",
    ),
    "composite that contradicts itself": (
        'AlarmRule: !Sub "ALARM(\\"${Prefix}-tenant-database-time\\") AND',
        (
            'AlarmRule: !Sub "ALARM(\\"${Prefix}-largest-share\\") AND NOT '
            'ALARM(\\"${Prefix}-largest-share\\") AND'
        ),
        "NoisyNeighbour",
        "AlarmRule is always false",
    ),
    "composite with a single quote left open": (
        'ALARM(\\"${Prefix}-no-data\\")',
        "ALARM('${Prefix}-no-data)",
        "Page",
        "AlarmRule does not parse: quote is not closed",
    ),
    "unit that is not published": (
        "      MetricName: TenantConflicts\n",
        "      MetricName: TenantConflicts\n      Unit: Seconds\n",
        "TenantConflicts",
        "Unit 'Seconds': TenantConflicts is published in Count, so there would be no data",
    ),
    "percentile as a plain statistic": (
        "ExtendedStatistic: p99",
        "Statistic: p99",
        "FleetLatencyP99",
        "Statistic 'p99' is not one of Average, Maximum, Minimum, SampleCount, Sum; Extended",
    ),
    "percentile of few calls misspelt": (
        "EvaluateLowSampleCountPercentile: ignore",
        "EvaluateLowSampleCountPercentile: ignored",
        "FleetLatencyP99",
        "'ignored' is neither evaluate nor ignore",
    ),
    "average of a sum": (
        "      MetricName: TenantConflicts\n      Statistic: Sum",
        "      MetricName: TenantConflicts\n      Statistic: Average",
        "TenantConflicts",
        "one sum a minute and writer: Average of it depends on the number of writers",
    ),
    "period of ten seconds": (
        "            Period: 60\n            Stat: Average",
        "            Period: 10\n            Stat: Average",
        "FleetErrorRate",
        "period 10: TenantMetrics has one datum a minute",
    ),
    "a rate in percent where it is a share": (
        "      Threshold: !Ref TenantErrorRatio",
        "      Threshold: 5",
        "TenantErrorRate",
        "AVG of DatabaseErrors is between 0 and 1: it never gets above 5",
    ),
    "silence that is no alarm": (
        "TreatMissingData: breaching",
        "TreatMissingData: notBreaching",
        "NoData",
        "it waits for silence, and where nothing is sent only TreatMissingData breaching acts",
    ),
    "nobody hears of it": (
        (
            "      AlarmActions: [!Ref NotifyTopicArn]\n      OKActions: [!Ref NotifyTopicArn]\n"
            "      ComparisonOperator: GreaterThanThreshold\n      EvaluationPeriods: 10\n"
        ),
        "      ComparisonOperator: GreaterThanThreshold\n      EvaluationPeriods: 10\n",
        "FleetLatencyP99",
        "no AlarmActions and in no composite alarm: nobody is notified when it fires",
    ),
    "actions switched off": (
        "      MetricName: TenantConflicts\n",
        "      MetricName: TenantConflicts\n      ActionsEnabled: false\n",
        "TenantConflicts",
        "ActionsEnabled is false",
    ),
    "action that is no ARN": (
        "AlarmActions: [!Ref NotifyTopicArn]",
        "AlarmActions: [pager]",
        "FleetErrorRate",
        "AlarmActions: 'pager' is not an ARN",
    ),
    "dimension twice": (
        "        - Name: DBClusterIdentifier\n          Value: !Ref ClusterId\n",
        (
            "        - Name: DBClusterIdentifier\n          Value: !Ref ClusterId\n"
            "        - Name: DBClusterIdentifier\n          Value: !Ref ClusterId\n"
        ),
        "ClusterCpu",
        "has the dimension 'DBClusterIdentifier' 2 times",
    ),
    "dimension without a value": (
        "        - Name: DBClusterIdentifier\n          Value: !Ref ClusterId\n",
        '        - Name: DBClusterIdentifier\n          Value: ""\n',
        "ClusterCpu",
        "the dimension 'DBClusterIdentifier' has no value",
    ),
    "band that is none": (
        'Expression: !Sub "ANOMALY_DETECTION_BAND(m1, ${AnomalyBand})"',
        "Expression: m1 * 2",
        "BilledRequestsAnomaly",
        "'band' is not an ANOMALY_DETECTION_BAND",
    ),
    "a number where a line is watched": (
        "100 * MAX(q1) / busy",
        "100 * MAX(busy)",
        "LargestShare",
        "is a number and not a time series: TIME_SERIES(",
    ),
    "expression on itself": (
        "100 * MAX(q1) / busy",
        "100 * MAX(q1) / watched",
        "LargestShare",
        "expressions refer to each other in a circle: watched",
    ),
    "PromQL: a range without two data": (
        'histogram_sum(rate({\\"db.client.operation.duration\\"}[5m]',
        'histogram_sum(rate({\\"db.client.operation.duration\\"}[1m]',
        "NoisyNeighbourExact",
        "rate() over 60 s: our data come once a minute",
    ),
    "PromQL: series that never meet": (
        '/ scalar(sum (rate({\\"tenantmetrics.database.load\\"}[5m]))) >',
        '/ sum (rate({\\"tenantmetrics.database.load\\"}[5m])) >',
        "NoisyNeighbourExact",
        "/ between series by tenant.id and series by nothing never meets",
    ),
    "PromQL: counter without a rate": (
        'increase({\\"tenantmetrics.billed_requests\\"}[1h])',
        '{\\"tenantmetrics.billed_requests\\"}',
        "TenantSpend",
        "is a counter: use rate() or increase() of it",
    ),
    "PromQL: histogram of which no number is taken": (
        'sum by (\\"tenant.id\\") (histogram_sum(rate({\\"db.client.operation.duration\\"}[5m])))',
        'sum by (\\"tenant.id\\") (rate({\\"db.client.operation.duration\\"}[5m]))',
        "NoisyNeighbourExact",
        "db.client.operation.duration is a histogram",
    ),
}


ENDS_IT = "key twice"
"""Nothing else is read of a template with a key twice."""
GROUPS = [
    [ENDS_IT],
    *apart((name for name in EDITS if name != ENDS_IT), lambda name: EDITS[name][2]),
]
"""cfn-lint takes half a second for the template, so that edits of different alarms share a run."""


@pytest.mark.parametrize("names", GROUPS, ids=len)
def test_edits_are_named(names, tmp_path):
    """The file, the alarm and what is wrong, in one line; beside edits of other alarms."""
    text = (ROOT / "alarms/cloudformation.yaml").read_text("utf-8")
    for name in names:
        old, new, _, _ = EDITS[name]
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "alarms.yaml"
    path.write_text(text, "utf-8")
    found = [str(fault) for fault in check_file(path, NAMESPACE)]
    for name in names:
        _, _, place, what = EDITS[name]
        starts = f"{path}: {place}: "
        assert any(fault.startswith(starts) and what in fault for fault in found), (name, found)
    assert all("\n" not in fault for fault in found)


RULE = {
    "Schema": {"Name": "CloudWatchLogRule", "Version": 1},
    "LogGroupNames": ["tenantmetrics"],
    "LogFormat": "JSON",
    "Contribution": {
        "Keys": ["$.TenantId"],
        "ValueOf": "$.RequestBytes",
        "Filters": [{"Match": "$.RequestBytes", "GreaterThan": 0}],
    },
    "AggregateOn": "Sum",
}


def rule(**contribution):
    return {**RULE, "Contribution": {**RULE["Contribution"], **contribution}}


@pytest.mark.parametrize(
    ("damaged", "what"),
    [
        (rule(Keys=["$.TenantID"]), "no field 'TenantID'; did you mean 'TenantId'?"),
        (rule(Keys=["$.TenantId", "$.TenantId"]), "the same key twice"),
        (rule(Values="$.RequestBytes"), "Contribution has no entry 'Values'"),
        (rule(Filters=[{"Match": "$.TenantId", "In": "acme"}]), "takes a list of 1 to 10 values"),
        (rule(Filters=[{"Match": "$.TenantId", "In": list("abcdefghijk")}]), "1 to 10 values"),
        (rule(Filters=[{"Match": "$.RequestBytes", "GreaterThan": "0"}]), "takes a number"),
        (rule(Filters=[{"Match": "$.TenantId", "IsPresent": "yes"}]), "takes true or false"),
        (
            rule(Filters=[{"Match": "$.TenantId", "In": ["a"], "IsPresent": True}]),
            "needs Match and one of",
        ),
        (rule(Filters=[{"Match": "$.TenantId", "In": ["a"], "Is": 1}]), "has no entry 'Is'"),
        (rule(Filters=[{"Match": "$.TenantId", "IsPresent": True}] * 5), "a list of 4 at most"),
        ({**RULE, "LogGroupNames": ["a*b"]}, "* is allowed only at the end"),
        (
            {**RULE, "LogGroupARNs": ["arn:aws:logs:eu-west-1:1:log-group/x"]},
            "cannot be used together",
        ),
        ({**RULE, "LogFormat": "CLF"}, "LogFormat CLF needs Fields"),
        ({**RULE, "Comment": "x" * 8192}, "8192 are allowed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_of_a_contributor_insights_rule_is_named(damaged, what, tmp_path):
    """By itself, and as a file."""
    assert rule_faults(json.dumps(RULE)) == []
    assert any(what in one for one in rule_faults(json.dumps(damaged)))
    path = tmp_path / "rule.json"
    path.write_text(json.dumps(damaged), "utf-8")
    assert any(str(one).startswith(f"{path}: rule: ") for one in check_file(path, NAMESPACE))


def test_a_dashboard_in_a_template_is_checked(tmp_path):
    """The body is a text in the template, and the widget is named with its resource."""
    body = json.loads((ROOT / "dashboards/cloudwatch/fleet.json").read_text("utf-8"))
    body["widgets"][1]["properties"]["metrics"][0][1] = "DatabaseErors"
    board = {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": None}}
    board["Properties"]["DashboardBody"] = {"Fn::Sub": json.dumps(body)}
    path = tmp_path / "template.json"
    path.write_text(json.dumps({"Resources": {"Board": board}}), "utf-8")
    (found,) = check_file(path, NAMESPACE)
    assert str(found).startswith(f"{path}: Board: widget 'Calls a minute': ")
    assert "did you mean 'DatabaseErrors'?" in str(found)


def test_our_rules_run_inside_cfn_lint(tmp_path):
    """Appended by their module's name: a fault that cfn-lint does not know is reported by it."""
    text = (ROOT / "alarms/cloudformation.yaml").read_text("utf-8")
    path = tmp_path / "alarms.yaml"
    path.write_text(text.replace("Threshold: !Ref TenantErrorRatio", "Threshold: 5"), "utf-8")
    committed = ROOT / "alarms/cloudformation.yaml"
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--format", "parseable",
         "--append-rules", "tenantmetrics.console.checks.lintrules", "--", committed, path],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert all(line.startswith(f"{path}:") for line in lines), "the committed template has faults"
    assert "E9701" in done.stdout
    assert "AVG of DatabaseErrors is between 0 and 1: it never gets above 5" in done.stdout
