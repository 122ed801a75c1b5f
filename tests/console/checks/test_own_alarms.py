"""Alarms and rules in files of one's own: what never fires, tells nobody, or names no dimension."""

import json

import pytest

from tenantmetrics.catalog import NAMESPACE
from tenantmetrics.console.checks.file import check_file

TOPIC = "arn:aws:sns:eu-west-1:123456789012:ops"
CPU = {
    "Namespace": "AWS/RDS",
    "MetricName": "CPUUtilization",
    "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "db-1"}],
    "Statistic": "Average",
    "Period": 60,
    "EvaluationPeriods": 5,
    "Threshold": 80,
    "ComparisonOperator": "GreaterThanThreshold",
    "AlarmActions": [TOPIC],
}


@pytest.fixture
def faults(tmp_path):
    """What is wrong with a template of alarms, without the file's name."""

    def faults(*alarms):
        resources = {
            f"A{number}": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm}
            for number, alarm in enumerate(alarms)
        }
        path = tmp_path / "template.json"
        path.write_text(json.dumps({"Resources": resources}), "utf-8")
        return [fault.what for fault in check_file(path, NAMESPACE)]

    return faults


def on(namespace, name, *dimensions, **more):
    """An alarm on another metric, by the names of its dimensions."""
    given = [{"Name": dimension, "Value": "x"} for dimension in dimensions]
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": given}
    return {**CPU, **metric, **more}


def test_an_alarm_of_ones_own_needs_no_runbook_line(faults):
    """On AWS's metrics, and on ours: how to describe an alarm is everybody's own matter."""
    ours = on(NAMESPACE, "DatabaseErrors", "TenantId", Statistic="Sum")
    assert faults(CPU, ours) == []


def test_where_one_alarm_has_a_runbook_line_all_must(faults):
    """It was forgotten then."""
    told = {**CPU, "AlarmDescription": "Means: x. Look: y. Do: z."}
    assert faults(told, CPU) == [
        f"AlarmDescription lacks {part!r}: whoever is paged must read what to do"
        for part in ("Means:", "Look:", "Do:")
    ]


@pytest.mark.parametrize("change", [{"AlarmActions": []}, {"OKActions": [TOPIC]}])
def test_an_alarm_that_tells_nobody_is_found(faults, change):
    """Whatever it watches; an action for OK is none for ALARM."""
    silent = {key: value for key, value in CPU.items() if key != "AlarmActions"} | change
    assert faults(silent) == [
        "no AlarmActions and in no composite alarm: nobody is notified when it fires"
    ]


@pytest.mark.parametrize(
    "alarm",
    [
        {**CPU, "Threshold": 120},
        {**CPU, "Threshold": 100},
        {**CPU, "Threshold": "100.5", "ComparisonOperator": "GreaterThanOrEqualToThreshold"},
        {**CPU, "Threshold": 0, "ComparisonOperator": "LessThanThreshold"},
        {**CPU, "Threshold": -1, "ComparisonOperator": "LessThanOrEqualToThreshold"},
        on("AWS/EBS", "BurstBalance", "VolumeId", Threshold=100),
        on("AWS/EC2", "StatusCheckFailed", "InstanceId", Threshold=1, Statistic="Maximum"),
        on("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", Threshold=0,
           ComparisonOperator="LessThanThreshold"),
        on("CWAgent", "mem_used_percent", "InstanceId", Threshold=101),
        on(NAMESPACE, "DatabaseErrors", "TenantId", Threshold=1),
    ],
)  # fmt: skip
def test_an_alarm_that_can_never_fire_is_found(faults, alarm):
    """A share above the whole, a count below nothing."""
    (found,) = [fault for fault in faults(alarm) if "never" in fault]
    assert "it never" in found


@pytest.mark.parametrize(
    "alarm",
    [
        CPU,
        {**CPU, "Threshold": 100, "ComparisonOperator": "GreaterThanOrEqualToThreshold"},
        {**CPU, "Threshold": 0, "ComparisonOperator": "LessThanOrEqualToThreshold"},
        {**CPU, "Threshold": 300, "Statistic": "Sum"},
        {**CPU, "Threshold": 3, "Statistic": "SampleCount"},
        on("AWS/ECS", "CPUUtilization", "ClusterName", "ServiceName", Threshold=150),
        on("AWS/EC2", "StatusCheckFailed", "InstanceId", Threshold=0, Statistic="Maximum"),
        on("Shop", "Orders", "Shop", Threshold=-5, ComparisonOperator="LessThanThreshold"),
        on("AWS/Lambda", "Errors", Threshold=1000, Statistic="Sum"),
    ],
)
def test_an_alarm_that_can_fire_has_no_fault(faults, alarm):
    """At the very end of a range, beyond 100 % where a metric may be, below zero of one's own."""
    assert faults(alarm) == []


@pytest.mark.parametrize(
    ("namespace", "name", "dimension", "right"),
    [
        ("AWS/Lambda", "Errors", "Function", "FunctionName"),
        ("AWS/Lambda", "Errors", "functionName", "FunctionName"),
        ("AWS/SQS", "NumberOfMessagesSent", "Queue", "QueueName"),
        ("AWS/ApplicationELB", "RequestCount", "LoadBalancerName", "LoadBalancer"),
        ("AWS/DynamoDB", "ThrottledRequests", "Table", "TableName"),
        ("AWS/RDS", "FreeStorageSpace", "DBInstance", "DBInstanceIdentifier"),
        ("AWS/EC2", "CPUUtilization", "Instance", "InstanceId"),
    ],
)
def test_a_dimension_that_a_namespace_of_aws_does_not_have_is_named(
    faults, namespace, name, dimension, right
):
    """With the one that was meant; the alarm would wait for data for ever."""
    (found,) = faults(on(namespace, name, dimension, Statistic="Sum"))
    assert f"has no dimension {dimension!r}; did you mean {right!r}?" in found


@pytest.mark.parametrize(
    ("namespace", "name", "dimensions"),
    [
        ("AWS/Lambda", "Errors", ["FunctionName", "Resource", "ExecutedVersion"]),
        ("AWS/ECS", "MemoryUtilization", ["ClusterName"]),
        ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", ["LoadBalancer", "TargetGroup"]),
        ("AWS/Cognito", "SignInSuccesses", ["UserPool", "UserPoolClient"]),
        ("AWS/SomethingNew", "Count", ["Whatever"]),
    ],
)
def test_dimensions_that_exist_or_that_nothing_is_known_of_are_left_alone(
    faults, namespace, name, dimensions
):
    """A list that may be incomplete finds no fault."""
    assert faults(on(namespace, name, *dimensions, Statistic="Sum")) == []


RULES = """
groups:
  - name: shop
    interval: 1m
    rules:
      - record: job:requests:rate5m
        expr: sum by (job) (rate(http_requests_total[5m]))
      - alert: ManyErrors
        expr: job:errors:ratio > 0.05
        for: 10m
        keep_firing_for: 1h30m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.job }} fails"}
"""


@pytest.mark.parametrize("suffix", [".yml", ".yaml", ".rules"])
def test_rules_of_prometheus_are_taken(tmp_path, suffix):
    """By whatever suffix."""
    path = tmp_path / f"rules{suffix}"
    path.write_text(RULES, "utf-8")
    assert check_file(path, NAMESPACE) == []


def test_rules_of_the_operator_are_taken(tmp_path):
    """The same groups, below spec."""
    inner = "".join(f"  {line}\n" for line in RULES.strip().split("\n"))
    head = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec:\n"
    path = tmp_path / "rules.yaml"
    path.write_text(head + inner, "utf-8")
    assert check_file(path, NAMESPACE) == []


@pytest.mark.parametrize(
    ("old", "new", "place", "what"),
    [
        ("[5m]))", "[5m])", "shop: job:requests:rate5m", "does not parse"),
        ("for: 10m", "for: ten", "shop: ManyErrors", "for 'ten' is not a duration"),
        ("alert: ManyErrors", "alrt: ManyErrors", "shop: rule 2", "did you mean 'alert'?"),
        ("record: job:requests:rate5m", "record: job-requests", "shop: job-requests",
         "is not a metric's name"),
        ("expr: job:errors:ratio > 0.05", "for: 1m", "shop: ManyErrors", "has no expr"),
        ("name: shop", "nam: shop", "group 1", "has no name"),
        ("severity: page", "the-severity: page", "shop: ManyErrors", "not a label's name"),
        ("        expr: sum", "        for: 5m\n        expr: sum", "shop: job:requests:rate5m",
         "for belongs to an alert"),
        ("interval: 1m", "interval: 1 minute", "shop", "interval '1 minute' is not a duration"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_rule_is_named(tmp_path, old, new, place, what):
    """The group, the rule, and what is wrong."""
    assert old in RULES
    text = RULES.replace("        for: 10m\n", "", 1) if new == "for: 1m" else RULES
    path = tmp_path / "rules.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    found = [str(fault) for fault in check_file(path, NAMESPACE)]
    assert any(one.startswith(f"{path}: {place}: ") and what in one for one in found), found


def test_a_file_that_is_neither_says_what_is_taken(tmp_path):
    """A Kubernetes manifest, say."""
    path = tmp_path / "deployment.yaml"
    path.write_text("kind: Deployment\nspec: {}\n", "utf-8")
    (found,) = check_file(path, NAMESPACE)
    assert "neither a CloudFormation template" in str(found)
    assert "nor a file of Prometheus rules" in str(found)


@pytest.mark.parametrize(
    ("expression", "is_fault"),
    [
        ("rate(http_requests_total[$__interval])", True),
        ("sum(increase(http_requests_total[$__interval])) by (job)", True),
        ("rate(http_requests_total[${__interval}])", True),
        ("rate(http_requests_total[$__rate_interval])", False),
        ("rate(http_requests_total[5m])", False),
        ("avg_over_time(up[$__interval])", False),
    ],
)
def test_a_rate_over_the_interval_is_found_in_anybodys_panel(tmp_path, expression, is_fault):
    """Zoomed in, it spans less than two samples, and the panel is empty."""
    panel = {
        "type": "timeseries",
        "title": "t",
        "datasource": {"type": "prometheus", "uid": "p"},
        "gridPos": {"x": 0, "y": 0, "w": 12, "h": 8},
        "targets": [{"refId": "A", "expr": expression}],
    }
    path = tmp_path / "board.json"
    path.write_text(json.dumps({"title": "x", "schemaVersion": 39, "panels": [panel]}), "utf-8")
    found = [fault for fault in check_file(path, NAMESPACE) if "$__rate_interval" in fault.what]
    assert len(found) == is_fault
