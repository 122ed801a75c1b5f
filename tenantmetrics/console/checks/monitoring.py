"""What is wrong with the alarms, dashboards and Contributor Insights rules of a template."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tenantmetrics.console.checks import alarmrule, contributor, dashboard
from tenantmetrics.console.checks.alarmcommon import common_faults, has_runbook
from tenantmetrics.console.checks.cloudformation import (
    ALARM,
    COMPOSITE,
    is_open,
    listed,
    resources,
    used,
)
from tenantmetrics.console.checks.fault import Syntax
from tenantmetrics.console.checks.metricalarm import alarm_faults
from tenantmetrics.console.known import Known, close_to

__all__ = ["CONTRIBUTOR", "DASHBOARD", "Finding", "resource_faults"]

DASHBOARD = "AWS::CloudWatch::Dashboard"
CONTRIBUTOR = "AWS::CloudWatch::InsightRule"

_TYPES = (
    ALARM,
    COMPOSITE,
    "AWS::CloudWatch::AnomalyDetector",
    DASHBOARD,
    CONTRIBUTOR,
    "AWS::CloudWatch::MetricStream",
)


class Finding(NamedTuple):
    """A fault of a resource.

    Attributes:
        resource: Its logical id.
        place: The resource, the alarm's name, or the resource and one of its widgets.
        what: What is wrong and what is allowed.
    """

    resource: str
    place: str
    what: str


def resource_faults(
    template: Mapping[str, Any], known: Known, given: Mapping[str, Any] | None = None
) -> Iterator[Finding]:
    """Faults of each resource by itself, and of the alarms beside each other.

    Args:
        template: As `lint.load` returns it, with a mapping as its Resources.
        known: The metrics there are.
        given: Values of parameters, instead of their defaults.
    """
    every = {
        name: resource
        for name, resource in resources(template, given).items()
        if isinstance(resource, dict)
    }
    titles = {
        name: str(_properties(resource).get("AlarmName", name))
        for name, resource in every.items()
        if resource.get("Type") in {ALARM, COMPOSITE}
    }
    yield from _name_faults(titles)
    rules = {
        name: str(_properties(resource).get("AlarmRule", ""))
        for name, resource in every.items()
        if resource.get("Type") == COMPOSITE
    }
    # Whoever writes a runbook line for one alarm means to write it for all.
    runbook = any(has_runbook(_properties(resource)) for resource in every.values())
    for name, resource in every.items():
        for place, what in _own_faults(name, resource, known, runbook=runbook):
            yield Finding(name, place, what)
        if name in rules and not is_open(rules[name]):
            whats = alarmrule.composite_faults(
                rules[name], list(titles.values()), own=titles[name], closed=known.strict
            )
            whats += _order_faults(name, template["Resources"], titles, rules)
            yield from (Finding(name, name, what) for what in whats)
        silent = resource.get("Type") == ALARM and not _properties(resource).get("AlarmActions")
        if silent and not any(titles[name] in rule for rule in rules.values()):
            what = "no AlarmActions and in no composite alarm: nobody is notified when it fires"
            yield Finding(name, name, what)


def _properties(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    return resource.get("Properties") or {}


def _name_faults(titles: Mapping[str, str]) -> Iterator[Finding]:
    every = list(titles.values())
    for name, title in titles.items():
        first = every.index(title) == list(titles).index(name)
        if first and every.count(title) > 1 and not is_open(title):
            yield Finding(name, title, f"{every.count(title)} alarms have this name")


def _own_faults(
    name: str, resource: dict[str, Any], known: Known, *, runbook: bool
) -> Iterator[tuple[str, str]]:
    """(place, fault) of one resource by itself."""
    kind, properties = str(resource.get("Type")), dict(_properties(resource))
    whats: list[str] = []
    if kind in {ALARM, COMPOSITE}:
        whats += common_faults(properties, strict=known.strict, runbook=runbook)
        whats += alarm_faults(properties, known) if kind == ALARM else ()
    elif kind == CONTRIBUTOR:
        body = properties.get("RuleBody", "")
        if not is_open(body):
            whats += contributor.rule_faults(body if isinstance(body, str) else json.dumps(body))
    elif kind == DASHBOARD:
        body = properties.get("DashboardBody", "")
        if not (isinstance(body, dict) and is_open(body)):
            text = body if isinstance(body, str) else json.dumps(body)
            for fault in dashboard.check("", text, known):
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
    name: str, raw: Mapping[str, Any], titles: Mapping[str, str], rules: Mapping[str, str]
) -> Iterator[str]:
    """A composite is made after the alarms that it names, and where they are."""
    try:
        children = set(alarmrule.children(alarmrule.parse_rule(rules[name])))
    except Syntax:
        return
    own = raw[name]
    waits = {*listed(own.get("DependsOn")), *used(own.get("Properties"))}
    for child, title in titles.items():
        if title not in children or child == name:
            continue
        if child not in waits:
            yield (
                f"AlarmRule names {title!r}: without DependsOn {child} it may be created too early"
            )
        condition = raw[child].get("Condition")
        if condition and condition != own.get("Condition"):
            yield f"AlarmRule names {title!r}, which exists only under condition {condition}"
        if child in rules and re.search(rf"[\"'(]{re.escape(titles[name])}[\"')]", rules[child]):
            yield f"AlarmRule and that of {title!r} name each other"
