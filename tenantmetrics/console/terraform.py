"""The alarms as a Terraform module: the same set, the same texts.

Needs version 6.43 of the AWS provider, the first that has `evaluation_criteria` (PromQL alarms).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from tenantmetrics.console.alarm import Alarm, Parameter, Query, Severity
from tenantmetrics.console.alarms import ALARMS
from tenantmetrics.console.parameters import PARAMETERS

__all__ = ["module_files"]

_HEADER = "# Generated from tenantmetrics/console/alarmsets/: `python -m tenantmetrics.console`.\n"

_VERSIONS = """
terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.43"
    }
  }
}
"""

_EXAMPLE = """
provider "aws" {
  region = "us-east-1"
}

resource "aws_sns_topic" "page" {
  name = "on-call"
}

resource "aws_sns_topic" "notify" {
  name = "tenantmetrics"
}

module "tenantmetrics_alarms" {
  source = "../.."

  namespace        = "HospitalityAI"
  cluster_id       = "bookings"
  max_connections  = 1000
  fleet_usd_a_day  = 40
  page_topic_arn   = aws_sns_topic.page.arn
  notify_topic_arn = aws_sns_topic.notify.arn
}

output "page" {
  value = module.tenantmetrics_alarms.page_arn
}
"""

Line = tuple[str, str]


def module_files() -> dict[str, str]:
    """Every file of the module: path → text."""
    return {
        "main.tf": _HEADER + "".join(f"\n{_resource(alarm)}" for alarm in ALARMS),
        "variables.tf": _HEADER + "".join(f"\n{_variable(parameter)}" for parameter in PARAMETERS),
        "outputs.tf": _HEADER + _outputs(),
        "versions.tf": _HEADER + _VERSIONS,
        "README.md": _readme(),
        "examples/basic/main.tf": _HEADER + _EXAMPLE,
    }


def _resource(alarm: Alarm) -> str:
    kind = "composite_alarm" if alarm.rule else "metric_alarm"
    lines: list[Line] = []
    if alarm.needs:
        lines += [("count", f"var.{_snake(str(alarm.needs))} ? 1 : 0"), ("", "")]
    lines += [
        ("alarm_name", _text(f"${{Prefix}}-{alarm.id}")),
        ("alarm_description", _text(alarm.description)),
    ]
    if alarm.severity is not Severity.SILENT:
        topic = "page_topic_arn" if alarm.severity is Severity.PAGE else "notify_topic_arn"
        lines += [("alarm_actions", f"[var.{topic}]"), ("ok_actions", f"[var.{topic}]")]
    blocks: list[str] = []
    if alarm.rule:
        lines.append(("alarm_rule", _text(alarm.rule)))
        depends = [
            f"    aws_cloudwatch_metric_alarm.{_snake(child.id)},"
            if not child.rule
            else f"    aws_cloudwatch_composite_alarm.{_snake(child.id)},"
            for child in ALARMS
            if f'"${{Prefix}}-{child.id}"' in alarm.rule
        ]
        blocks.append("\n".join(["  depends_on = [", *depends, "  ]"]))
    elif alarm.promql:
        lines.append(("evaluation_interval", str(alarm.period_s)))
        criteria = [
            ("query", _text(alarm.promql)),
            ("pending_period", str(alarm.pending_s)),
            ("recovery_period", str(alarm.recovery_s)),
        ]
        inner = _block("promql_criteria", criteria, 4)
        blocks.append(f"  evaluation_criteria {{\n{inner}\n  }}")
    else:
        more, blocks = _metric_alarm(alarm)
        lines += more
    body = "\n\n".join([_aligned(lines, 2), *blocks])
    return f'resource "aws_cloudwatch_{kind}" "{_snake(alarm.id)}" {{\n{body}\n}}\n'


def _metric_alarm(alarm: Alarm) -> tuple[list[Line], list[str]]:
    lines = [
        ("comparison_operator", _text(alarm.comparison)),
        ("evaluation_periods", str(alarm.periods)),
        ("datapoints_to_alarm", str(alarm.datapoints)),
        ("treat_missing_data", _text(alarm.missing.value)),
    ]
    if alarm.band:
        lines.append(("threshold_metric_id", _text(alarm.band)))
    else:
        whole = re.fullmatch(r"\$\{(\w+)\}", alarm.threshold)
        lines.append(("threshold", f"var.{_snake(whole[1])}" if whole else alarm.threshold))
    if alarm.low_samples:
        lines.append(("evaluate_low_sample_count_percentiles", _text(alarm.low_samples)))
    only = alarm.queries[0]
    if len(alarm.queries) > 1 or not only.metric:
        return lines, [_query(query, alarm.period_s) for query in alarm.queries]
    lines += [
        ("namespace", _text(only.namespace)),
        ("metric_name", _text(only.metric)),
        ("extended_statistic" if only.stat.startswith("p") else "statistic", _text(only.stat)),
        ("period", str(alarm.period_s)),
    ]
    return lines, [_dimensions(only, 2)] if only.dimensions else []


def _query(query: Query, period_s: int) -> str:
    lines = [("id", _text(query.id))]
    if query.label:
        lines.append(("label", _text(query.label)))
    blocks = []
    if query.metric:
        metric = _aligned(
            [
                ("namespace", _text(query.namespace)),
                ("metric_name", _text(query.metric)),
                ("period", str(period_s)),
                ("stat", _text(query.stat)),
            ],
            6,
        )
        if query.dimensions:
            metric += "\n\n" + _dimensions(query, 6)
        blocks.append(f"    metric {{\n{metric}\n    }}")
    else:
        lines.append(("expression", _text(query.expression)))
        if query.expression.startswith("SELECT"):
            lines.append(("period", str(period_s)))
    lines.append(("return_data", "true" if query.returned else "false"))
    body = "\n\n".join([_aligned(lines, 4), *blocks])
    return f"  metric_query {{\n{body}\n  }}"


def _dimensions(query: Query, indent: int) -> str:
    pairs = [(name, _text(value)) for name, value in query.dimensions]
    margin = " " * indent
    return f"{margin}dimensions = {{\n{_aligned(pairs, indent + 2)}\n{margin}}}"


def _block(name: str, lines: Sequence[Line], indent: int) -> str:
    margin = " " * indent
    return f"{margin}{name} {{\n{_aligned(lines, indent + 2)}\n{margin}}}"


def _variable(parameter: Parameter) -> str:
    lines = [("description", json.dumps(parameter.about))]
    default: Any = parameter.default
    if parameter.allowed:
        lines += [("type", "bool"), ("default", str(default))]
    else:
        lines.append(("type", "number" if parameter.number else "string"))
        if default is not None:
            lines.append(("default", json.dumps(default)))
    return f'variable "{parameter.snake}" {{\n{_aligned(lines, 2)}\n}}\n'


def _outputs() -> str:
    names = [("value", "aws_cloudwatch_composite_alarm.page.arn")]
    page = [("description", '"ARN of the composite alarm that pages."'), *names]
    children = [
        f"    aws_cloudwatch_{'composite' if alarm.rule else 'metric'}_alarm.{_snake(alarm.id)}"
        f"{'[*].alarm_name' if alarm.needs else '.alarm_name'},"
        for alarm in ALARMS
    ]
    every = "\n".join(
        [
            'output "alarm_names" {',
            '  description = "Names of all alarms."',
            "  value = flatten([",
            *children,
            "  ])",
            "}",
        ]
    )
    return f'\noutput "page_arn" {{\n{_aligned(page, 2)}\n}}\n\n{every}\n'


def _default(parameter: Parameter) -> str:
    return "none" if parameter.default is None else f"`{parameter.default}`"


def _readme() -> str:
    rows = "\n".join(
        f"| `{parameter.snake}` | {_default(parameter)} | {parameter.about} |"
        for parameter in PARAMETERS
    )
    alarms = "\n".join(
        f"| `{alarm.id}` | {alarm.severity} | {alarm.needs.value or 'always'} |" for alarm in ALARMS
    )
    return f"""# Alarms on tenantmetrics, as a Terraform module

<!-- Generated from tenantmetrics/console/alarmsets/: `python -m tenantmetrics.console`. -->

The same alarms as `cloudformation.yaml` one folder up, by name, threshold and expression.
`examples/basic` is a whole configuration. The AWS provider must be 6.43 or later.

## Variables

| variable | default | what it is |
|---|---|---|
{rows}

## Alarms

| alarm | on firing | made if |
|---|---|---|
{alarms}
"""


def _aligned(lines: Sequence[Line], indent: int) -> str:
    """`name = value` lines as `terraform fmt` aligns them: by the longest name of a run."""
    margin = " " * indent
    found: list[str] = []
    run: list[Line] = []

    def flush() -> None:
        width = max((len(name) for name, _ in run), default=0)
        found.extend(f"{margin}{name:<{width}} = {value}" for name, value in run)
        run.clear()

    for name, value in lines:
        if name:
            run.append((name, value))
        else:
            flush()
            found.append("")
    flush()
    return "\n".join(found)


def _text(text: str) -> str:
    """A quoted string; `${Parameter}` becomes `${var.parameter}`."""
    if whole := re.fullmatch(r"\$\{(\w+)\}", text):
        return f"var.{_snake(whole[1])}"
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub(r"\$\{([A-Z]\w*)\}", lambda m: f"${{var.{_snake(m.group(1))}}}", quoted)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower().replace("-", "_")
