"""The alarms as a CloudFormation template."""

from __future__ import annotations

import json
import re
from typing import Any

from tenantmetrics.console.alarm import Alarm, Needs, Query, Severity
from tenantmetrics.console.alarms import ALARMS
from tenantmetrics.console.parameters import PARAMETERS

__all__ = ["render", "template"]

_HEADER = """\
# Generated from tenantmetrics/console/alarmsets/: `python -m tenantmetrics.console`. Do not edit.
"""


def template() -> dict[str, Any]:
    """The template in CloudFormation's JSON form."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Alarms on the per-tenant metrics of an Aurora cluster behind the Data API.",
        "Parameters": {
            one.name: {
                "Type": "Number" if one.number else "String",
                **({} if one.default is None else {"Default": one.default}),
                **({"AllowedValues": list(one.allowed)} if one.allowed else {}),
                "Description": one.about,
            }
            for one in PARAMETERS
        },
        "Conditions": {
            f"Has{one}": {"Fn::Equals": [{"Ref": str(one)}, "true"]} for one in Needs if one
        },
        "Resources": {one.logical_id: _resource(one) for one in ALARMS},
    }


def render() -> str:
    """The template as it is committed: YAML with short tags."""
    return _HEADER + "\n".join(_yaml(template())) + "\n"


def _resource(alarm: Alarm) -> dict[str, Any]:
    kind = "CompositeAlarm" if alarm.rule else "Alarm"
    resource: dict[str, Any] = {"Type": f"AWS::CloudWatch::{kind}"}
    if alarm.needs:
        resource["Condition"] = f"Has{alarm.needs}"
    if alarm.rule:
        # CloudWatch refuses a rule that names an alarm which does not exist yet.
        resource["DependsOn"] = [
            one.logical_id for one in ALARMS if f'"${{Prefix}}-{one.id}"' in alarm.rule
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
        properties["Metrics"] = [_query(one, alarm.period_s) for one in alarm.queries]
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


def _yaml(node: Any, indent: int = 0) -> list[str]:
    """A mapping as YAML lines."""
    lines = []
    margin = " " * indent
    for key, value in node.items():
        if isinstance(value, dict) and _tag(value) is None:
            lines += [f"{margin}{key}:", *_yaml(value, indent + 2)]
        elif isinstance(value, list) and any(_nested(item) for item in value):
            lines.append(f"{margin}{key}:")
            for item in value:
                first, *rest = _yaml(item, indent + 4)
                lines += [f"{margin}  - {first.strip()}", *rest]
        elif isinstance(value, list):
            lines.append(f"{margin}{key}: [{', '.join(_scalar(item) for item in value)}]")
        else:
            lines.append(f"{margin}{key}: {_scalar(value)}")
    return lines


def _nested(value: Any) -> bool:
    return isinstance(value, dict) and _tag(value) is None


def _tag(value: dict[str, Any]) -> str | None:
    (key,) = value if len(value) == 1 else ("",)
    return {"Ref": "!Ref", "Fn::Sub": "!Sub", "Fn::Equals": "!Equals"}.get(key)


def _scalar(value: Any) -> str:
    if isinstance(value, dict):
        (inner,) = value.values()
        if isinstance(inner, list):
            return f"{_tag(value)} [{', '.join(_scalar(item) for item in inner)}]"
        return f"{_tag(value)} {inner if _tag(value) == '!Ref' else _scalar(inner)}"
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9:/-]*", value):
        return value if value not in {"true", "false"} else f'"{value}"'
    return json.dumps(value, ensure_ascii=False)
