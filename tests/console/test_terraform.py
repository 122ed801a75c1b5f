"""The Terraform module and the CloudFormation template are one set of alarms."""

import json
import re
import subprocess
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
def read(javascript):
    """Files as HashiCorp's own parser and formatter see them, by their paths."""

    def run(*paths):
        done = subprocess.run(
            ["node", "terraform.mjs", *map(str, paths)],
            cwd=javascript,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def module(read):
    """The committed files: name → what was found."""
    found = read(*(FOLDER / name for name in FILES))
    return {name: found[str(FOLDER / name)] for name in FILES}


@pytest.fixture(scope="module")
def hcl(module):
    """A committed file as data."""
    return lambda name: module[name]["parsed"]


def variables(hcl):
    """Defaults of the module's variables; a text for those that have none."""
    return {
        name: body.get("default", cloudformation.STAND_IN)
        for name, (body,) in hcl("variables.tf")["variable"].items()
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
def test_every_file_is_valid_and_formatted(module, name):
    """By HashiCorp's own grammar, and as `terraform fmt` writes it."""
    assert "error" not in module[name]
    assert module[name]["formatted"] == (FOLDER / name).read_text("utf-8")


def test_what_is_broken_or_badly_formatted_is_seen(read, tmp_path):
    """The parser and the formatter are not ones that take everything."""
    broken, crooked = tmp_path / "broken.tf", tmp_path / "crooked.tf"
    broken.write_text('resource "a" "b" {\n  x = \n')
    crooked.write_text('resource "a" "b" {\n x=1\n}\n')
    found = read(broken, crooked)
    assert "error" in found[str(broken)]
    assert found[str(crooked)]["formatted"] == 'resource "a" "b" {\n  x = 1\n}\n'


def resources(hcl):
    """(kind, name, body) of every resource of the module."""
    for kind, named in hcl("main.tf")["resource"].items():
        for name, (body,) in named.items():
            yield kind, name, body


def test_every_reference_is_declared_and_every_variable_used(hcl):
    """What `terraform validate` would say of variables and resources."""
    text = json.dumps([hcl(name) for name in ("main.tf", "outputs.tf")])
    assert set(re.findall(r"\bvar\.(\w+)", text)) == set(variables(hcl))
    there = {f"{kind}.{name}" for kind, name, _ in resources(hcl)}
    assert set(re.findall(r"\baws_cloudwatch_\w+\.\w+", text)) <= there


def test_names_thresholds_and_expressions_equal_cloudformations(hcl):
    """Alarm by alarm, every property, with the default of every parameter in it."""
    values = variables(hcl)
    ours = {}
    for kind, _, body in resources(hcl):
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
    (body,) = hcl("examples/basic/main.tf")["module"]["tenantmetrics_alarms"]
    given = set(body) - {"source"}
    assert given <= {one.snake for one in PARAMETERS}
    assert {one.snake for one in PARAMETERS if one.default is None} <= given


def test_every_resource_is_an_output(hcl):
    """`alarm_names` forgets none."""
    (output,) = hcl("outputs.tf")["output"]["alarm_names"]
    for kind, name, _ in resources(hcl):
        assert f"{kind}.{name}" in str(output["value"])
