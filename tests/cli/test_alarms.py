"""`tenantmetrics alarms` against CloudFormation and CloudWatch over HTTP (moto's server).

moto's CloudFormation knows no alarms: the two models below make them as the real one does, so that
a deployment can be looked at in CloudWatch.
"""

import boto3
import pytest
from moto.cloudformation import parsing
from moto.cloudformation.models import ChangeSet, Stack
from moto.cloudwatch import models
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.cli.flags import in_flags
from tenantmetrics.console.alarm import Needs
from tenantmetrics.console.alarms import ALARMS
from tenantmetrics.errors import ConsoleError

PAGE = "arn:aws:sns:eu-west-1:123456789012:page"
NOTIFY = "arn:aws:sns:eu-west-1:123456789012:notify"
TOPICS = ["--page-topic", PAGE, "--notify-topic", NOTIFY]
ALWAYS = {f"tenantmetrics-{one.id}" for one in ALARMS if one.needs is Needs.NOTHING}


def queries(properties):
    """Metrics as moto's own PutMetricAlarm reads them."""
    found = []
    for one in properties.get("Metrics", ()):
        stat = None
        if "MetricStat" in one:
            metric = one["MetricStat"]["Metric"]
            dimensions = [
                models.Dimension(pair["Name"], pair["Value"])
                for pair in metric.get("Dimensions", ())
            ]
            stat = models.MetricStat(
                models.Metric(metric["MetricName"], metric["Namespace"], dimensions),
                one["MetricStat"]["Period"],
                one["MetricStat"]["Stat"],
                None,
            )
        found.append(
            models.MetricDataQuery(
                query_id=one["Id"],
                label=one.get("Label"),
                period=one.get("Period"),
                return_data=one.get("ReturnData"),
                expression=one.get("Expression"),
                metric_stat=stat,
            )
        )
    return found


class StackAlarm(CloudFormationModel):
    """AWS::CloudWatch::Alarm."""

    def __init__(self, name):
        self.name = name

    @property
    def physical_resource_id(self):
        return self.name

    @staticmethod
    def cloudformation_name_type():
        return "AlarmName"

    @staticmethod
    def cloudformation_type():
        return "AWS::CloudWatch::Alarm"

    @classmethod
    def create_from_cloudformation_json(cls, _name, json, account_id, region_name, **_):
        one = json["Properties"]
        cloudwatch_backends[account_id][region_name].put_metric_alarm(
            name=one["AlarmName"],
            namespace=one.get("Namespace"),
            metric_name=one.get("MetricName"),
            comparison_operator=one.get("ComparisonOperator"),
            evaluation_periods=one.get("EvaluationPeriods"),
            period=one.get("Period"),
            threshold=float(one["Threshold"]) if "Threshold" in one else None,
            statistic=one.get("Statistic"),
            description=one["AlarmDescription"],
            dimensions=one.get("Dimensions", []),
            alarm_actions=one.get("AlarmActions", []),
            metric_data_queries=queries(one) or None,
            datapoints_to_alarm=one.get("DatapointsToAlarm"),
            extended_statistic=one.get("ExtendedStatistic"),
            ok_actions=one.get("OKActions", []),
            treat_missing_data=one.get("TreatMissingData"),
            evaluate_low_sample_count_percentile=one.get("EvaluateLowSampleCountPercentile"),
            threshold_metric_id=one.get("ThresholdMetricId"),
            rule=one.get("AlarmRule"),
        )
        return cls(one["AlarmName"])

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        assert original_resource
        return cls.create_from_cloudformation_json(
            new_resource_name, cloudformation_json, account_id, region_name
        )

    @classmethod
    def delete_from_cloudformation_json(cls, name, json, account_id, region_name):
        assert json
        cloudwatch_backends[account_id][region_name].delete_alarms([name])


class StackCompositeAlarm(CloudFormationModel):
    """AWS::CloudWatch::CompositeAlarm: the same in moto's backend, with a rule."""

    physical_resource_id = property(lambda self: self.name)
    __init__ = StackAlarm.__init__
    cloudformation_name_type = staticmethod(StackAlarm.cloudformation_name_type)
    cloudformation_type = staticmethod(lambda: "AWS::CloudWatch::CompositeAlarm")
    create_from_cloudformation_json = classmethod(
        StackAlarm.create_from_cloudformation_json.__func__
    )
    update_from_cloudformation_json = classmethod(
        StackAlarm.update_from_cloudformation_json.__func__
    )
    delete_from_cloudformation_json = classmethod(
        StackAlarm.delete_from_cloudformation_json.__func__
    )


@pytest.fixture(autouse=True)
def alarms_in_cloudformation(monkeypatch):
    """Teach moto the two models above, a stack's parameters, and which resources it has."""
    for cached in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        cached.cache_clear()
    apply = ChangeSet.apply

    def remember(change_set):
        apply(change_set)
        change_set.stack.parameters = change_set.parameters

    # moto forgets the parameters of an update, which CloudFormation does not.
    monkeypatch.setattr(ChangeSet, "apply", remember)
    # It lists what a condition left out, which CloudFormation does not.
    made = property(lambda stack: [one for one in stack.resource_map.values() if one is not None])
    monkeypatch.setattr(Stack, "stack_resources", made)


def run(*arguments, code=0):
    result = CliRunner().invoke(app, ["alarms", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def live(client):
    answer = client.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=100)
    return {one["AlarmName"]: one for one in [*answer["MetricAlarms"], *answer["CompositeAlarms"]]}


def test_deploy_creates_all_and_a_second_time_changes_nothing(cloudwatch):
    """Every alarm that needs nothing special, with the parameters in it."""
    output = run("deploy", *TOPICS, "--cluster", "bookings", "--set", "LatencyMs=300")
    assert "add FleetErrorRate" in output
    alarms = live(cloudwatch)
    assert set(alarms) == ALWAYS
    assert alarms["tenantmetrics-fleet-latency"]["Threshold"] == 300
    assert alarms["tenantmetrics-page"]["AlarmActions"] == [PAGE]
    assert alarms["tenantmetrics-no-data"]["AlarmActions"] == [NOTIFY]
    assert alarms["tenantmetrics-cluster-cpu"]["Dimensions"][0]["Value"] == "bookings"
    again = run("deploy", *TOPICS, "--cluster", "bookings", "--set", "LatencyMs=300")
    assert again == "stack tenantmetrics-alarms is up to date\n"


def test_deploy_with_detailed_metrics_adds_the_alarms_on_error_codes(cloudwatch):
    """And only those; PromQL alarms are another parameter."""
    run("deploy", *TOPICS, "--set", "DetailedMetrics=true")
    added = {f"tenantmetrics-{one.id}" for one in ALARMS if one.needs is Needs.DETAILED}
    assert set(live(cloudwatch)) == ALWAYS | added


def test_a_dry_run_shows_the_changes_and_makes_none(cloudwatch):
    """Neither a stack nor a change set is left; a changed threshold is named."""
    assert "would add Page" in run("deploy", *TOPICS, "--dry-run")
    assert live(cloudwatch) == {}
    run("deploy", *TOPICS)
    output = run("deploy", *TOPICS, "--set", "LatencyMs=300", "--dry-run")
    assert "LatencyMs: 500 -> 300" in output
    assert live(cloudwatch)["tenantmetrics-fleet-latency"]["Threshold"] == 500


def test_diff_shows_a_manual_edit(cloudwatch):
    """A changed threshold, a deleted alarm and one that somebody added."""
    run("deploy", *TOPICS, "--set", "CpuPercent=70")
    assert run("diff") == ""
    cloudwatch.put_metric_alarm(
        **{
            key: value
            for key, value in live(cloudwatch)["tenantmetrics-cluster-cpu"].items()
            if key
            in {
                "AlarmName", "AlarmDescription", "Namespace", "MetricName", "Dimensions", "Period",
                "Statistic", "ComparisonOperator", "EvaluationPeriods", "DatapointsToAlarm",
                "TreatMissingData", "AlarmActions", "OKActions",
            }
        },
        Threshold=99,
    )  # fmt: skip
    cloudwatch.delete_alarms(AlarmNames=["tenantmetrics-no-data"])
    cloudwatch.put_metric_alarm(
        AlarmName="tenantmetrics-mine",
        Namespace="X",
        MetricName="Y",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    assert run("diff", code=3).splitlines() == [
        "tenantmetrics-no-data: is not in CloudWatch",
        "tenantmetrics-mine: is in CloudWatch only",
        "tenantmetrics-cluster-cpu: Threshold is 99.0 in CloudWatch, 70.0 here",
    ]


def test_undo_puts_back_the_stack_before(cloudwatch):
    """Thresholds after an update, nothing at all after the first deployment."""
    run("deploy", *TOPICS)
    run("deploy", *TOPICS, "--set", "LatencyMs=300")
    assert live(cloudwatch)["tenantmetrics-fleet-latency"]["Threshold"] == 300
    run("undo")
    assert live(cloudwatch)["tenantmetrics-fleet-latency"]["Threshold"] == 500
    run("undo")
    assert live(cloudwatch)["tenantmetrics-fleet-latency"]["Threshold"] == 300


def test_undo_of_the_first_deployment_deletes_the_stack(cloudwatch):
    """What was not there is gone again."""
    run("deploy", *TOPICS)
    assert run("undo") == "deleted stack tenantmetrics-alarms\n"
    assert live(cloudwatch) == {}


def test_remove_deletes_the_stack_and_undo_puts_it_back(cloudwatch):
    """Whatever the last deployment was; parameters are kept."""
    run("deploy", *TOPICS)
    run("deploy", *TOPICS, "--set", "LatencyMs=300")
    assert set(run("remove", "--dry-run").split()) == ALWAYS | {"would", "remove"}
    assert set(live(cloudwatch)) == ALWAYS
    assert set(run("remove").split()) == ALWAYS | {"removed"}
    assert live(cloudwatch) == {}
    assert run("remove") == "there is no stack tenantmetrics-alarms\n"
    run("undo")
    assert set(live(cloudwatch)) == ALWAYS
    assert live(cloudwatch)["tenantmetrics-fleet-latency"]["Threshold"] == 300
    run("undo")
    assert live(cloudwatch) == {}


@pytest.mark.usefixtures("cloudwatch")
def test_a_stack_of_other_things_is_not_removed():
    """A slip in its name must not cost anybody a bucket."""
    client = boto3.client("cloudformation", region_name="eu-west-1")
    body = "Resources:\n  B:\n    Type: AWS::S3::Bucket\n"
    client.create_stack(StackName="shop", TemplateBody=body)
    with pytest.raises(ConsoleError, match=r"'shop' holds more than alarms \(AWS::S3::Bucket\)"):
        run("remove", "--stack", "shop")
    (found,) = client.describe_stacks(StackName="shop")["Stacks"]
    assert found["StackStatus"] == "CREATE_COMPLETE"


@pytest.mark.usefixtures("cloudwatch")
def test_a_missing_topic_is_named():
    """Before AWS is asked for anything."""
    with pytest.raises(ConsoleError, match="parameter PageTopicArn needs a value") as told:
        run("deploy")
    assert in_flags(told.value).endswith("(--page-topic)")


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("LatencyMs=fast", "parameter LatencyMs = 'fast': must be a number"),
        ("Latency=3", "unknown parameter 'Latency'"),
        ("DetailedMetrics=yes", "must be one of true, false"),
        ("LatencyMs", "must be NAME=VALUE"),
    ],
)
def test_a_wrong_parameter_is_named(pair, said):
    """With what is allowed."""
    with pytest.raises(ConsoleError, match=said):
        run("show", "fleet-latency", "--set", pair)


def test_list_and_show_need_no_aws():
    """Every alarm is listed, and shown with its runbook line and rule."""
    listed = run("list")
    for one in ALARMS:
        assert f"{one.id}\t{one.severity}\t" in listed
        shown = run("show", one.id)
        assert "${" not in shown
        assert "means: " in shown
    assert run("show").startswith("# Generated from")
    assert "300 in 4 of 5 periods of 60 s" in run("show", "fleet-latency", "--set", "LatencyMs=300")
    with pytest.raises(ConsoleError, match="there is no alarm 'x'"):
        run("show", "x")
