"""Dashboards and templates of other people, who do what CloudWatch allows: no fault is found."""

import json
import os

import pytest

from tenantmetrics.catalog import NAMESPACE
from tenantmetrics.console.checks.file import check_file


def metric(*lines, **properties):
    """A metric widget with these lines, placed by CloudWatch."""
    return {
        "type": "metric",
        "properties": {"metrics": list(lines), "region": "eu-west-1", **properties},
    }


def log(query, **properties):
    return {"type": "log", "properties": {"query": query, "region": "eu-west-1", **properties}}


LAMBDA = ["AWS/Lambda", "Duration", "FunctionName", "orders"]
WIDGETS = {
    "shorthands": metric(
        [*LAMBDA, {"stat": "p99"}],
        [".", "Errors", ".", ".", {"stat": "Sum", "yAxis": "right"}],
        ["...", "invoices"],
        [".", "Throttles", ".", "."],
    ),
    "search by words": metric(
        [{"expression": "SEARCH('{AWS/EC2,InstanceId} CPUUtilization', 'Average', 300)"}]
    ),
    "search without a schema": metric(
        [
            {
                "expression": 'SUM(SEARCH(\'Namespace="AWS/SQS" NOT dead '
                '(MetricName="NumberOfMessagesSent" OR MetricName="NumberOfMessagesDeleted")\', '
                "'Sum'))",
                "id": "e1",
            }
        ]
    ),
    "search across accounts": metric(
        [
            {
                "expression": 'SEARCH(\'{AWS/RDS,DBInstanceIdentifier} MetricName="ReadIOPS" '
                ":aws.AccountId=\"111122223333\"', 'Average', 60)"
            }
        ]
    ),
    "metrics of RDS that we do not show": metric(
        ["AWS/RDS", "ReadIOPS", "DBInstanceIdentifier", "db-1"],
        ["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", "db-1"],
        ["AWS/RDS", "CPUUtilization", "DBClusterIdentifier", "db", "Role", "WRITER"],
        ["AWS/RDS", "CPUUtilization"],
        ["AWS/DMS", "CDCLatencySource", "ReplicationInstanceIdentifier", "x"],
    ),
    "their own namespace": metric(["Shop/Orders", "Placed", "Country", "se", {"stat": "Sum"}]),
    "math": metric(
        [*LAMBDA, {"id": "m1", "visible": False}],
        [".", "Errors", ".", ".", {"id": "m2"}],
        [{"expression": "SORT(METRICS(), MAX, DESC, 5)", "id": "e1"}],
        [{"expression": "IF(m1 > 0 && m2 >= 1, m1 - AVG(m1), FILL(m2, REPEAT))", "id": "e2"}],
        [{"expression": 'SUM([m1, m2]) / MAX(METRICS("m"))', "id": "e3"}],
        [{"expression": "ANOMALY_DETECTION_BAND(m1, 2)", "id": "e4", "label": "${LABEL} band"}],
        [{"expression": "RATE(m2)", "label": "${PROP('Dim.FunctionName')} ${LAST}", "id": "e5"}],
    ),
    "metrics insights": metric(
        [
            {
                "expression": "SELECT AVG(CPUUtilization) FROM \"AWS/EC2\" WHERE tag.team = 'a' "
                "GROUP BY InstanceId ORDER BY MAX() DESC LIMIT 10",
                "id": "q1",
            }
        ]
    ),
    "an alarm in a graph": {
        "type": "metric",
        "x": 0,
        "y": 0,
        "width": 6,
        "height": 6,
        "properties": {
            "annotations": {"alarms": ["arn:aws:cloudwatch:eu-west-1:111122223333:alarm:cpu"]},
            "title": "CPU",
        },
    },
    "annotations and a gauge": metric(
        LAMBDA,
        view="gauge",
        yAxis={"left": {"min": 0, "max": 100}},
        annotations={
            "horizontal": [
                {"value": 80, "label": "high", "color": "#d13212", "fill": "above"},
                [{"value": 10, "label": "low"}, {"value": 20}],
            ],
            "vertical": [{"value": "2026-11-01T00:00:00Z", "label": "release", "fill": "after"}],
        },
    ),
    "a table": metric(
        LAMBDA, view="table", table={"layout": "vertical", "summaryColumns": ["MIN", "MAX"]}
    ),
    "logs": log(
        "SOURCE '/aws/lambda/orders' | SOURCE 'other' | fields @timestamp, @message, level\n"
        "| filter @message like /(?i)(error|fatal)/ and status in [500, 502] and not isempty(id)\n"
        "# what is slow\n"
        '| parse @message "user=* took=*" as user, took\n'
        "| stats count(*) as errors, pct(took, 99) by bin(5m), user | sort errors desc | limit 20",
        view="bar",
    ),
    "logs without the word stats": log("SOURCE 'a' | filter ispresent(x) | count(*) as n by x"),
    "a contributor insights rule": {
        "type": "metric",
        "properties": {
            "region": "eu-west-1",
            "insightRule": {"maxContributorCount": 10, "orderBy": "Sum", "ruleName": "x"},
            "period": 60,
            "legend": {"position": "right"},
            "view": "timeSeries",
        },
    },
    "logs in a line": log("SOURCE 'a' | stats count(*) by bin(1h)", view="timeSeries"),
    "logs by prefix": log(
        "fields @timestamp | limit 5",
        queryBy="logGroupPrefixes",
        logGroupPrefixes={"accountIds": ["All"], "logGroupPrefix": ["/aws/lambda"]},
        queryLanguage="CWLI",
    ),
    "logs in SQL": log("SELECT * FROM `a` LIMIT 5", queryLanguage="SQL"),
    "explorer": {
        "type": "explorer",
        "properties": {
            "metrics": [
                {
                    "metricName": "CPUUtilization",
                    "resourceType": "AWS::EC2::Instance",
                    "stat": "Sum",
                }
            ],
            "labels": [{"key": "team", "value": "a"}],
            "period": 300,
        },
    },
    "custom": {
        "type": "custom",
        "properties": {
            "endpoint": "arn:aws:lambda:eu-west-1:111122223333:function:draw",
            "params": {"a": 1},
            "updateOn": {"refresh": True},
        },
    },
}


@pytest.mark.parametrize("name", WIDGETS)
def test_a_widget_that_cloudwatch_takes_has_no_fault(name, tmp_path):
    """By the structure, the grammars and the functions that AWS documents."""
    body = {"start": "-P3M", "widgets": [WIDGETS[name]]}
    path = tmp_path / "dashboard.json"
    path.write_text(json.dumps(body), "utf-8")
    assert [str(one) for one in check_file(path, NAMESPACE)] == []


def test_variables_of_every_kind_have_no_fault(tmp_path):
    """By property and by pattern, offered, searched for and typed."""
    variables = [
        {"type": "property", "property": "region", "inputType": "input", "id": "region",
         "defaultValue": "eu-west-1"},
        {"type": "property", "property": "FunctionName", "inputType": "select", "id": "function",
         "search": '{AWS/Lambda,FunctionName} MetricName="Duration"',
         "populateFrom": "FunctionName", "defaultValue": "__FIRST"},
        {"type": "pattern", "pattern": "orders", "inputType": "radio", "id": "name",
         "values": [{"value": "orders", "label": "Orders"}, {"value": "invoices"}],
         "defaultValue": "orders"},
    ]  # fmt: skip
    path = tmp_path / "dashboard.json"
    path.write_text(json.dumps({"widgets": [metric(LAMBDA)], "variables": variables}), "utf-8")
    assert [str(one) for one in check_file(path, NAMESPACE)] == []


TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Stage: {Type: String, AllowedValues: [test, live], Default: test}
  Topic: {Type: String}
  Periods: {Type: Number, Default: "3"}
  Limit: {Type: "AWS::SSM::Parameter::Value<String>", Default: /alarms/limit}
Conditions:
  Live: !Equals [!Ref Stage, live]
Resources:
  Queue: {Type: "AWS::SQS::Queue"}
  Old:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmDescription: !Sub "${AWS::StackName}: messages wait."
      Namespace: AWS/SQS
      MetricName: ApproximateAgeOfOldestMessage
      Dimensions: [{Name: QueueName, Value: !GetAtt Queue.QueueName}]
      Statistic: Maximum
      Period: "300"
      EvaluationPeriods: !Ref Periods
      Threshold: !Ref Limit
      ComparisonOperator: !If [Live, GreaterThanThreshold, GreaterThanOrEqualToThreshold]
      AlarmActions: [!If [Live, !Ref Topic, !Ref "AWS::NoValue"]]
  Errors:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: !Join ["-", [!Ref Stage, errors]]
      ComparisonOperator: GreaterThanThreshold
      EvaluationPeriods: "2"
      Threshold: "1.5"
      TreatMissingData: ignore
      Metrics:
        - Id: rate
          Expression: errors / calls
          ReturnData: "true"
        - Id: errors
          ReturnData: "false"
          MetricStat: &stat
            Metric: {Namespace: Shop, MetricName: Errors}
            Period: 60
            Stat: p90
        - Id: calls
          ReturnData: false
          MetricStat: *stat
  Any:
    Type: AWS::CloudWatch::CompositeAlarm
    Properties:
      AlarmName: any
      AlarmRule: !Sub >-
        ALARM(${Old}) OR (ALARM("${Errors.Arn}") AND NOT
        ALARM(arn:aws:cloudwatch:eu-west-1:111122223333:alarm:maintenance))
      ActionsSuppressor: !GetAtt Old.Arn
      ActionsSuppressorWaitPeriod: 60
      ActionsSuppressorExtensionPeriod: 60
  Board:
    Type: AWS::CloudWatch::Dashboard
    Properties:
      DashboardBody: !Sub |
        {"widgets": [{"type": "metric", "properties": {"region": "${AWS::Region}", "metrics":
          [["AWS/SQS", "NumberOfMessagesSent", "QueueName", "${Queue.QueueName}"]]}}]}
  Contributors:
    Type: AWS::CloudWatch::InsightRule
    Properties:
      RuleName: x
      RuleState: ENABLED
      RuleBody: !Sub |
        {"Schema": {"Name": "CloudWatchLogRule", "Version": 1}, "LogFormat": "CLF",
         "LogGroupNames": ["/${Stage}/access*"], "Fields": {"4": "ip", "6": "status"},
         "Contribution": {"Keys": ["ip"], "Filters": [{"Match": "status", "GreaterThan": 499}]},
         "AggregateOn": "Count"}
Outputs:
  Name: {Value: !Ref Any}
"""


def test_a_template_with_every_function_has_no_fault(tmp_path):
    """Numbers as texts, values that only a deployment knows, alarms by name, Ref and ARN."""
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE, "utf-8")
    assert [str(one) for one in check_file(path, NAMESPACE)] == []


def test_a_slip_in_a_template_of_others_is_still_found(tmp_path):
    """What AWS itself forbids, and names that are a letter away."""
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE.replace("${Errors.Arn}", "${Stage}-eror"), "utf-8")
    found = [str(fault) for fault in check_file(path, NAMESPACE)]
    slip = "names 'test-eror', and there is no such alarm; did you mean 'test-errors'?"
    assert any(slip in fault for fault in found)
    # No composite names the alarm any more, and it has no action of its own.
    assert any("Errors: no AlarmActions and in no composite" in fault for fault in found)
    assert len(found) == 2
    path.write_text(TEMPLATE.replace('"300"', '"301"'), "utf-8")
    (found,) = check_file(path, NAMESPACE)
    assert str(found).startswith(f"{path}: Old: period 301")


def test_another_namespace_may_be_used_beside_ours(tmp_path):
    """By --also; else a namespace that nothing is known of is a fault in a dashboard of ours."""
    lines = [["TenantMetrics", "DatabaseErrors"], ["Shop", "Orders", {"stat": "Sum"}]]
    place = {"x": 0, "y": 0, "width": 6, "height": 6}
    path = tmp_path / "dashboard.json"
    path.write_text(json.dumps({"widgets": [metric(*lines) | place]}), "utf-8")
    (found,) = check_file(path, NAMESPACE)
    assert "namespace 'Shop' is not known" in str(found)
    assert check_file(path, NAMESPACE, also=["Shop"]) == []


GRAFANA = {
    "uid": "abc",
    "title": "Nodes",
    "schemaVersion": 39,
    "time": {"from": "now-1d/d", "to": "now"},
    "refresh": "",
    "templating": {
        "list": [
            {"name": "job", "type": "query", "query": "label_values(up, job)"},
            {"name": "interval", "type": "interval", "query": "1m,5m"},
            {"name": "by", "type": "custom", "query": "instance"},
        ]
    },
    "panels": [
        {
            "type": "timeseries",
            "title": "CPU",
            "id": 1,
            "gridPos": {"h": 8, "w": 12, "x": 0, "y": 0},
            "datasource": {"type": "prometheus", "uid": "prom"},
            "fieldConfig": {"defaults": {"unit": "deckbytes"}},
            "targets": [
                {
                    "refId": "A",
                    "expr": 'sum by ($by) (rate(node_cpu_seconds_total{job=~"$job"}[$interval]))',
                    "legendFormat": "{{cpu}}",
                },
                {"refId": "B", "expr": "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))"},
                {"refId": "C", "expr": "sum(a) / on() sum(b) * ${__interval_ms} > bool 0 or up"},
            ],
        },
        {
            "type": "logs",
            "title": "Logs",
            "id": 2,
            "datasource": {"type": "loki", "uid": "loki"},
            "targets": [{"refId": "A", "expr": '{app="x"} |= "error"'}],
        },
    ],
}


@pytest.fixture
def _promql():
    """Skip on a user's machine without promql-parser, never in CI."""
    if os.environ.get("CI") != "true":
        pytest.importorskip("promql_parser", reason="pip install 'tenantmetrics[console]'")


@pytest.mark.usefixtures("_promql")
def test_a_grafana_dashboard_of_others_has_no_fault(tmp_path):
    """Their own data sources, metrics, variables in any place, and queries in other languages."""
    path = tmp_path / "nodes.json"
    path.write_text(json.dumps(GRAFANA), "utf-8")
    assert [str(one) for one in check_file(path, NAMESPACE)] == []


@pytest.mark.usefixtures("_promql")
def test_a_grafana_dashboard_with_rows_is_one(tmp_path):
    """Panels stood in rows before version 5."""
    old = {**GRAFANA, "rows": [{"title": "All", "panels": GRAFANA["panels"]}]}
    del old["panels"]
    path = tmp_path / "nodes.json"
    path.write_text(json.dumps(old), "utf-8")
    assert [str(one) for one in check_file(path, NAMESPACE)] == []
    path.write_text(json.dumps(old).replace("node_cpu", "(node_cpu"), "utf-8")
    (found,) = check_file(path, NAMESPACE)
    assert "panel 'CPU': PromQL" in str(found)
