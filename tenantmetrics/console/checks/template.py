"""CloudFormation templates of alarms and dashboards, checked as a whole and part by part.

Limits: CloudWatch API reference, PutMetricAlarm and PutCompositeAlarm; CloudFormation quotas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tenantmetrics.console.checks import (
    alarmcommon,
    alarmrule,
    contributor,
    dashboard,
    metricalarm,
    references,
)
from tenantmetrics.console.checks.cloudformation import (
    ALARM,
    COMPOSITE,
    is_open,
    listed,
    load,
    resources,
    used,
)
from tenantmetrics.console.checks.fault import Fault, Syntax
from tenantmetrics.console.known import Known, close_to

__all__ = ["check", "load", "resources"]

_TYPES = (
    ALARM,
    COMPOSITE,
    "AWS::CloudWatch::AnomalyDetector",
    "AWS::CloudWatch::Dashboard",
    "AWS::CloudWatch::InsightRule",
    "AWS::CloudWatch::MetricStream",
)
_MAX_BYTES = 51_200
"""Template that CreateChangeSet takes as its TemplateBody (CloudFormation quotas)."""


def check(
    file: str, text: str, known: Known, given: Mapping[str, Any] | None = None
) -> list[Fault]:
    """Everything that is wrong with a template's alarms, dashboards and Contributor Insights rules.

    Args:
        file: What faults call it.
        text: The template.
        known: The metrics there are.
        given: Values of parameters, instead of their defaults.
    """
    try:
        template = load(text)
    except ValueError as error:
        return [Fault(file, "template", f"is not a template: {error}")]
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        return [Fault(file, "template", "has no Resources")]
    whole = list(references.faults(template, strict=known.strict))
    size = len(text.encode())
    if known.strict and size > _MAX_BYTES:
        whole.append(f"has {size} bytes, {_MAX_BYTES} are allowed in a request")
    found = [Fault(file, "template", what) for what in whole]
    every = {name: one for name, one in resources(template, given).items() if isinstance(one, dict)}
    called = {
        name: str((one.get("Properties") or {}).get("AlarmName", name))
        for name, one in every.items()
        if one.get("Type") in {ALARM, COMPOSITE}
    }
    titles = list(called.values())
    found += [
        Fault(file, name, f"{titles.count(name)} alarms have this name")
        for name in dict.fromkeys(titles)
        if titles.count(name) > 1 and not is_open(name)
    ]
    rules = {
        name: str((one.get("Properties") or {}).get("AlarmRule", ""))
        for name, one in every.items()
        if one.get("Type") == COMPOSITE
    }
    for name, one in every.items():
        for place, what in _resource_faults(file, name, one, known):
            found.append(Fault(file, place, what))
        if one.get("Type") == COMPOSITE and not is_open(rules[name]):
            whats = alarmrule.faults(rules[name], titles, own=called[name], closed=known.strict)
            whats += _order_faults(name, template["Resources"], called, rules)
            found += [Fault(file, name, what) for what in whats]
        silent = one.get("Type") == ALARM and not (one.get("Properties") or {}).get("AlarmActions")
        if known.strict and silent and not any(called[name] in rule for rule in rules.values()):
            what = "no AlarmActions and in no composite: nobody hears of it"
            found.append(Fault(file, name, what))
    return found


def _resource_faults(
    file: str, name: str, one: dict[str, Any], known: Known
) -> Iterator[tuple[str, str]]:
    """(place, fault) of one resource by itself."""
    kind, properties = str(one.get("Type")), one.get("Properties") or {}
    whats: list[str] = []
    if kind in {ALARM, COMPOSITE}:
        whats += alarmcommon.faults(kind, properties, strict=known.strict)
        whats += metricalarm.faults(properties, known) if kind == ALARM else ()
    elif kind == "AWS::CloudWatch::InsightRule":
        body = properties.get("RuleBody", "")
        if not is_open(body):
            whats += contributor.faults(body if isinstance(body, str) else json.dumps(body))
    elif kind == "AWS::CloudWatch::Dashboard":
        body = properties.get("DashboardBody", "")
        if not (isinstance(body, dict) and is_open(body)):
            text = body if isinstance(body, str) else json.dumps(body)
            for fault in dashboard.check(file, text, known):
                yield f"{name}: {fault.place}", fault.what
    elif (
        kind.lower().startswith(("aws::cloudw", "aws::cloudwatch"))
        and kind not in _TYPES
        and (hint := close_to(kind, _TYPES, 0.85))
    ):
        whats.append(f"resource type {kind!r} does not exist{hint}")
    for what in whats:
        yield name, what


def _order_faults(
    name: str, raw: dict[str, Any], called: dict[str, str], rules: dict[str, str]
) -> Iterator[str]:
    """A composite is made after the alarms that it names, and where they are."""
    try:
        children = set(alarmrule.children(alarmrule.parse(rules[name])))
    except Syntax:
        return
    own = raw[name]
    waits = {*listed(own.get("DependsOn")), *used(own.get("Properties"))}
    for child, title in called.items():
        if title not in children or child == name:
            continue
        if child not in waits:
            yield f"AlarmRule names {title!r}: without DependsOn {child} it may be made too early"
        condition = raw[child].get("Condition")
        if condition and condition != own.get("Condition"):
            yield f"AlarmRule names {title!r}, which is there only under condition {condition}"
        if child in rules and re.search(rf"[\"'(]{re.escape(called[name])}[\"')]", rules[child]):
            yield f"AlarmRule and that of {title!r} name each other"
