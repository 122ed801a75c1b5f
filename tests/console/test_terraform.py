"""The Terraform module and the CloudFormation template are one set of alarms."""

import json
import os
import re
from pathlib import Path

import pytest

from tenantmetrics.console.checks import cloudformation, template
from tenantmetrics.console.parameters import PARAMETERS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "alarms/terraform"
FILES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.tf"))

# Terraform's name: CloudFormation's.
NAMES = {
    "alarm_name": "AlarmName",
    "alarm_description": "AlarmDescription",
    "alarm_actions": "AlarmActions",
    "ok_actions": "OKActions",
    "alarm_rule": "AlarmRule",
    "comparison_operator": "ComparisonOperator",
    "evaluation_periods": "EvaluationPeriods",
    "datapoints_to_alarm": "DatapointsToAlarm",
    "threshold": "Threshold",
    "threshold_metric_id": "ThresholdMetricId",
    "treat_missing_data": "TreatMissingData",
    "evaluate_low_sample_count_percentiles": "EvaluateLowSampleCountPercentile",
    "namespace": "Namespace",
    "metric_name": "MetricName",
    "statistic": "Statistic",
    "extended_statistic": "ExtendedStatistic",
    "period": "Period",
    "evaluation_interval": "EvaluationInterval",
    "id": "Id",
    "label": "Label",
    "expression": "Expression",
    "return_data": "ReturnData",
    "stat": "Stat",
    "query": "Query",
    "pending_period": "PendingPeriod",
    "recovery_period": "RecoveryPeriod",
}


@pytest.fixture(scope="module")
def hcl():
    """Terraform files as data, by an HCL parser that is not ours."""
    if os.environ.get("CI") != "true":
        pytest.importorskip("hcl2", reason="pip install python-hcl2")
    import hcl2  # noqa: PLC0415

    def load(name):
        with (FOLDER / name).open(encoding="utf-8") as file:
            return plain(hcl2.load(file))

    return load


def plain(node):
    """Without the quotes and marks that python-hcl2 keeps."""
    if isinstance(node, dict):
        return {plain(key): plain(value) for key, value in node.items() if not key.startswith("__")}
    if isinstance(node, list):
        return [plain(item) for item in node]
    if isinstance(node, str) and node.startswith('"'):
        return json.loads(node)
    return node


def variables(hcl):
    """Defaults of the module's variables; a text for those that have none."""
    return {
        name: body.get("default", cloudformation.STAND_IN)
        for block in hcl("variables.tf")["variable"]
        for name, body in block.items()
    }


def filled(node, values):
    """Every `${var.x}` replaced; one alone keeps its type."""
    if isinstance(node, dict):
        return {key: filled(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(item, values) for item in node]
    if not isinstance(node, str):
        return node
    whole = re.fullmatch(r"\$\{var\.(\w+)\}", node)
    if whole:
        return values[whole.group(1)]
    return re.sub(r"\$\{var\.(\w+)\}", lambda m: str(values[m.group(1)]), node)


def as_cloudformation(body):
    """A resource of Terraform in CloudFormation's shape."""
    found = {NAMES[key]: value for key, value in body.items() if key in NAMES}
    if "dimensions" in body:
        found["Dimensions"] = [{"Name": k, "Value": v} for k, v in body["dimensions"].items()]
    if "evaluation_criteria" in body:
        (criteria,) = body["evaluation_criteria"]
        found["EvaluationCriteria"] = {
            "PromQLCriteria": as_cloudformation(criteria["promql_criteria"][0])
        }
    if "metric_query" in body:
        found["Metrics"] = [query(one) for one in body["metric_query"]]
    known = {*NAMES, "dimensions", "evaluation_criteria", "metric_query", "count", "depends_on"}
    assert set(body) <= known
    return found


def query(body):
    found = {NAMES[key]: value for key, value in body.items() if key != "metric"}
    if "metric" in body:
        metric = as_cloudformation(body["metric"][0])
        found["MetricStat"] = {"Period": metric.pop("Period"), "Stat": metric.pop("Stat")}
        found["MetricStat"]["Metric"] = metric
    return found


@pytest.mark.parametrize("name", FILES)
def test_every_file_parses(hcl, name):
    """By the grammar of HCL 2."""
    assert hcl(name)


def test_names_thresholds_and_expressions_equal_cloudformations(hcl):
    """Alarm by alarm, every property, with the default of every parameter in it."""
    values = variables(hcl)
    ours = {}
    for block in hcl("main.tf")["resource"]:
        for kind, resources in block.items():
            for body in resources.values():
                alarm = as_cloudformation(filled(body, values))
                alarm["Type"] = {
                    "aws_cloudwatch_metric_alarm": "AWS::CloudWatch::Alarm",
                    "aws_cloudwatch_composite_alarm": "AWS::CloudWatch::CompositeAlarm",
                }[kind]
                alarm["Needs"] = body.get("count", "").removeprefix("${var.").split(" ")[0]
                ours[alarm["AlarmName"]] = alarm
    text = (ROOT / "alarms/cloudformation.yaml").read_text("utf-8")
    theirs = {}
    for one in template.resources(template.load(text)).values():
        needs = re.sub("(?<!^)(?=[A-Z])", "_", one.get("Condition", "")[3:]).lower()
        alarm = {**one["Properties"], "Type": one["Type"], "Needs": needs}
        theirs[alarm["AlarmName"]] = alarm
    assert sorted(ours) == sorted(theirs)
    for name, alarm in theirs.items():
        assert ours[name] == alarm, name


def test_defaults_equal_cloudformations(hcl):
    """Every parameter has its variable, and the other way round."""
    values = variables(hcl)
    text = (ROOT / "alarms/cloudformation.yaml").read_text("utf-8")
    parameters = template.load(text)["Parameters"]
    assert len(values) == len(parameters)
    for one in PARAMETERS:
        default = parameters[one.name].get("Default", cloudformation.STAND_IN)
        if one.allowed:
            default = {"true": True, "false": False}[default]
        assert values[one.snake] == default


def test_the_example_sets_only_variables_that_exist(hcl):
    """And all those that have no default."""
    (module,) = hcl("examples/basic/main.tf")["module"]
    given = set(module["tenantmetrics_alarms"]) - {"source"}
    assert given <= {one.snake for one in PARAMETERS}
    assert {one.snake for one in PARAMETERS if one.default is None} <= given


def test_every_resource_is_an_output(hcl):
    """`alarm_names` forgets none."""
    names = hcl("outputs.tf")["output"][1]["alarm_names"]["value"]
    for block in hcl("main.tf")["resource"]:
        for kind, resources in block.items():
            for name in resources:
                assert f"{kind}.{name}" in str(names)
