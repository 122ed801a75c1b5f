"""Contributor Insights rules.

Syntax and limits: CloudWatch user guide, "Contributor Insights rule syntax"; length of a rule:
CloudWatch API reference, PutInsightRule.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tenantmetrics.console.checks.fault import load_json
from tenantmetrics.console.checks.logsinsights import EMF_FIELDS
from tenantmetrics.console.known import close_to

__all__ = ["rule_faults"]

MAX_CHARS = 8_192
"""Length of a rule (PutInsightRule, RuleDefinition)."""

_MAX_KEYS = 4
_MAX_FILTERS = 4
_MAX_VALUES = 10
_ENTRIES = frozenset(
    {
        "AggregateOn", "Contribution", "Fields", "LogFormat", "LogGroupARNs", "LogGroupNames",
        "Schema",
    }
)  # fmt: skip
_CONTRIBUTION = frozenset({"Filters", "Keys", "ValueOf"})
_LISTS = frozenset({"In", "NotIn", "StartsWith"})
_NUMBERS = frozenset({"GreaterThan", "LessThan", "EqualTo", "NotEqualTo"})
_MATCHES = _LISTS | _NUMBERS | {"IsPresent"}


def rule_faults(text: str) -> list[str]:
    """What is wrong with a rule's JSON."""
    try:
        rule = load_json(text)
    except ValueError as error:
        return [f"Contributor Insights rule is not JSON: {error}"]
    if not isinstance(rule, dict):
        return ["Contributor Insights rule is not a JSON object"]
    return [f"Contributor Insights: {what}" for what in _rule_faults(text, rule)]


def _rule_faults(text: str, rule: dict[str, Any]) -> Iterator[str]:
    if len(text) > MAX_CHARS:
        yield f"the rule has {len(text)} characters, {MAX_CHARS} are allowed"
    for name in sorted(set(rule) - _ENTRIES):
        yield f"there is no entry {name!r}{close_to(name, _ENTRIES)}"
    if rule.get("Schema") != {"Name": "CloudWatchLogRule", "Version": 1}:
        yield "Schema must be CloudWatchLogRule, version 1"
    yield from _group_faults(rule)
    form = rule.get("LogFormat")
    if form not in {"JSON", "CLF"}:
        yield f"LogFormat {form!r} is not JSON or CLF"
    if form == "CLF" and not rule.get("Fields"):
        yield "LogFormat CLF needs Fields, which name the columns"
    if rule.get("AggregateOn") not in {"Count", "Sum"}:
        yield f"AggregateOn {rule.get('AggregateOn')!r} is not Count or Sum"
    contribution = rule.get("Contribution")
    if not isinstance(contribution, dict):
        yield "Contribution is missing"
        return
    yield from _contribution_faults(rule, contribution)


def _contribution_faults(rule: dict[str, Any], contribution: dict[str, Any]) -> Iterator[str]:
    for name in sorted(set(contribution) - _CONTRIBUTION):
        yield f"Contribution has no entry {name!r}{close_to(name, _CONTRIBUTION)}"
    if rule.get("AggregateOn") == "Sum" and "ValueOf" not in contribution:
        yield "AggregateOn Sum needs ValueOf"
    yield from _key_faults(contribution.get("Keys"))
    filters = contribution.get("Filters", [])
    if not isinstance(filters, list) or len(filters) > _MAX_FILTERS:
        yield f"Filters is a list of {_MAX_FILTERS} at most"
        return
    for condition in filters:
        yield from _filter_faults(condition)
    if rule.get("LogFormat") == "JSON":
        yield from _path_faults(rule, contribution, filters)


def _group_faults(rule: dict[str, Any]) -> Iterator[str]:
    if "LogGroupNames" in rule and "LogGroupARNs" in rule:
        yield "LogGroupNames and LogGroupARNs cannot be used together"
    groups = rule.get("LogGroupNames", rule.get("LogGroupARNs"))
    if not isinstance(groups, list) or not groups:
        yield "LogGroupNames must name at least one log group"
        return
    for group in groups:
        if "LogGroupNames" in rule and "*" in str(group)[:-1]:
            yield f"log group {group!r}: * is allowed only at the end of a name"


def _key_faults(keys: Any) -> Iterator[str]:
    if not isinstance(keys, list) or not 1 <= len(keys) <= _MAX_KEYS:
        yield f"1 to {_MAX_KEYS} Keys are needed"
    elif len({str(key) for key in keys}) < len(keys):
        yield f"the same key twice in Keys: {keys}"


def _filter_faults(entry: Any) -> Iterator[str]:
    operators = _MATCHES & set(entry) if isinstance(entry, dict) else set()
    if not isinstance(entry, dict) or "Match" not in entry or len(operators) != 1:
        shown = json.dumps(entry)
        yield f"filter {shown} needs Match and one of {', '.join(sorted(_MATCHES))}"
        return
    (name,) = operators
    value = entry[name]
    for other in sorted(set(entry) - {"Match", name}):
        yield f"filter on {entry['Match']!r} has no entry {other!r}{close_to(other, _MATCHES)}"
    if name in _LISTS and not (isinstance(value, list) and 1 <= len(value) <= _MAX_VALUES):
        yield f"{name} of {entry['Match']!r} takes a list of 1 to {_MAX_VALUES} values"
    if name in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float)):
        yield f"{name} of {entry['Match']!r} takes a number, not {value!r}"
    if name == "IsPresent" and not isinstance(value, bool):
        yield f"IsPresent of {entry['Match']!r} takes true or false, not {value!r}"


def _path_faults(
    rule: dict[str, Any], contribution: dict[str, Any], filters: list[Any]
) -> Iterator[str]:
    """Fields that a JSON log has not, where the rule reads our EMF documents."""
    paths = [*(contribution.get("Keys") or ()), contribution.get("ValueOf")]
    paths += [condition.get("Match") for condition in filters if isinstance(condition, dict)]
    aliases = set((rule.get("Fields") or {}).values())
    names = []
    for path in paths:
        if path is None or path in aliases:
            continue
        if not str(path).startswith("$."):
            yield f"{path!r} must begin with $. in a JSON log"
        else:
            names.append(str(path)[2:])
    if not EMF_FIELDS.intersection(names):
        return  # another application's log
    for name in dict.fromkeys(names):
        if name not in EMF_FIELDS:
            yield f"EMF documents have no field {name!r}{close_to(name, EMF_FIELDS)}"
