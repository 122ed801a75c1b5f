"""The alarms as a CloudFormation template."""

from __future__ import annotations

import math
import re
from typing import Any

from tenantmetrics.console.alarm import Alarm, Needs, Query, Severity
from tenantmetrics.console.alarms import ALARMS
from tenantmetrics.console.data import folder
from tenantmetrics.console.parameters import PARAMETERS
from tenantmetrics.errors import MissingExtraError

__all__ = ["committed", "template", "to_yaml"]

_HEADER = """\
# Generated from tenantmetrics/console/alarmsets/: `python -m tenantmetrics.console`. Do not edit.
"""


def template() -> dict[str, Any]:
    """The template in CloudFormation's JSON form."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Alarms on the per-tenant metrics of an Aurora cluster behind the Data API.",
        "Parameters": {
            parameter.name: {
                "Type": "Number" if parameter.number else "String",
                **({} if parameter.default is None else {"Default": parameter.default}),
                **({"AllowedValues": list(parameter.allowed)} if parameter.allowed else {}),
                "Description": parameter.about,
            }
            for parameter in PARAMETERS
        },
        "Conditions": {
            f"Has{need}": {"Fn::Equals": [{"Ref": str(need)}, "true"]} for need in Needs if need
        },
        "Resources": {alarm.logical_id: _resource(alarm) for alarm in ALARMS},
    }


def committed() -> str:
    """The template as every installation has it: YAML with short tags.

    Raises:
        ConsoleError: The installation lacks it.
    """
    return (folder("alarms") / "cloudformation.yaml").read_text("utf-8")


def to_yaml() -> str:
    """The template as it is to be committed.

    Raises:
        MissingExtraError: PyYAML is not installed.
    """
    return _HEADER + _dump(template())


def _resource(alarm: Alarm) -> dict[str, Any]:
    kind = "CompositeAlarm" if alarm.rule else "Alarm"
    resource: dict[str, Any] = {"Type": f"AWS::CloudWatch::{kind}"}
    if alarm.needs:
        resource["Condition"] = f"Has{alarm.needs}"
    if alarm.rule:
        # CloudWatch refuses a rule that names an alarm which does not exist yet.
        resource["DependsOn"] = [
            child.logical_id for child in ALARMS if f'"${{Prefix}}-{child.id}"' in alarm.rule
        ]
    properties: dict[str, Any] = {
        "AlarmName": _text(f"${{Prefix}}-{alarm.id}"),
        "AlarmDescription": _text(alarm.description),
    }
    if alarm.severity is not Severity.SILENT:
        topic = "PageTopicArn" if alarm.severity is Severity.PAGE else "NotifyTopicArn"
        properties["AlarmActions"] = [{"Ref": topic}]
        properties["OKActions"] = [{"Ref": topic}]
    if alarm.rule:
        properties["AlarmRule"] = _text(alarm.rule)
    elif alarm.promql:
        properties["EvaluationCriteria"] = {
            "PromQLCriteria": {
                "Query": _text(alarm.promql),
                "PendingPeriod": alarm.pending_s,
                "RecoveryPeriod": alarm.recovery_s,
            }
        }
        properties["EvaluationInterval"] = alarm.period_s
    else:
        properties |= _metric_alarm(alarm)
    resource["Properties"] = properties
    return resource


def _metric_alarm(alarm: Alarm) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "ComparisonOperator": alarm.comparison,
        "EvaluationPeriods": alarm.periods,
        "DatapointsToAlarm": alarm.datapoints,
        "TreatMissingData": alarm.missing.value,
    }
    if alarm.band:
        properties["ThresholdMetricId"] = alarm.band
    else:
        properties["Threshold"] = _number(alarm.threshold)
    if alarm.low_samples:
        properties["EvaluateLowSampleCountPercentile"] = alarm.low_samples
    only = alarm.queries[0]
    if len(alarm.queries) == 1 and only.metric:
        properties |= {
            "Namespace": _text(only.namespace),
            "MetricName": only.metric,
            **({"Dimensions": _dimensions(only)} if only.dimensions else {}),
            ("ExtendedStatistic" if only.stat.startswith("p") else "Statistic"): only.stat,
            "Period": alarm.period_s,
        }
    else:
        properties["Metrics"] = [_query(query, alarm.period_s) for query in alarm.queries]
    return properties


def _query(query: Query, period_s: int) -> dict[str, Any]:
    found: dict[str, Any] = {"Id": query.id}
    if query.label:
        found["Label"] = query.label
    if query.metric:
        found["MetricStat"] = {
            "Metric": {
                "Namespace": _text(query.namespace),
                "MetricName": query.metric,
                **({"Dimensions": _dimensions(query)} if query.dimensions else {}),
            },
            "Period": period_s,
            "Stat": query.stat,
        }
    else:
        found["Expression"] = _text(query.expression)
        if query.expression.startswith("SELECT"):
            found["Period"] = period_s
    found["ReturnData"] = query.returned
    return found


def _dimensions(query: Query) -> list[dict[str, Any]]:
    return [{"Name": name, "Value": _text(value)} for name, value in query.dimensions]


def _text(text: str) -> Any:
    """A literal, a Ref where the text is one parameter, else a Sub."""
    if whole := re.fullmatch(r"\$\{(\w+)\}", text):
        return {"Ref": whole.group(1)}
    return {"Fn::Sub": text} if "${" in text else text


def _number(text: str) -> Any:
    return _text(text) if "${" in text else float(text) if "." in text else int(text)


_TAGS = {"Ref": "!Ref", "Fn::Sub": "!Sub", "Fn::Equals": "!Equals"}
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9:/-]*")


def _dump(node: Any) -> str:
    """YAML with short tags; lists without mappings in them in one line."""
    try:
        import yaml  # noqa: PLC0415 - an extra, needed to generate and not to deploy
    except ImportError:
        raise MissingExtraError("generating the template of the alarms", "console") from None

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]
        """Indents lists below their key, as CloudFormation's own examples do."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:  # noqa: ARG002
            return super().increase_indent(flow, indentless=False)

        def choose_scalar_style(self) -> Any:
            return "" if self.event.tag == "!Ref" else super().choose_scalar_style()

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
            return True

    def text(dumper: Any, value: str) -> Any:
        plain = _PLAIN.fullmatch(value) and value not in {"true", "false"}
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="" if plain else '"')

    def mapping(dumper: Any, value: dict[str, Any]) -> Any:
        (key,) = value if len(value) == 1 else ("",)
        tag = _TAGS.get(key)
        if tag is None:
            return dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), False)
        if isinstance(value[key], list):
            return dumper.represent_sequence(tag, value[key], flow_style=True)
        return dumper.represent_scalar(tag, value[key], style="" if tag == "!Ref" else '"')

    def sequence(dumper: Any, value: list[Any]) -> Any:
        nested = any(isinstance(item, dict) and _TAGS.keys().isdisjoint(item) for item in value)
        return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=not nested)

    Dumper.add_representer(str, text)
    Dumper.add_representer(dict, mapping)
    Dumper.add_representer(list, sequence)
    dumped: str = yaml.dump(
        node, Dumper=Dumper, sort_keys=False, width=math.inf, allow_unicode=True
    )
    return dumped
