"""Contributor Insights rules.

Syntax and limits: CloudWatch user guide, "Contributor Insights rule syntax".
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["faults"]

_MAX_KEYS = 4
_MAX_FILTERS = 4
_MATCHES = frozenset(
    ["In", "NotIn", "StartsWith", "GreaterThan", "LessThan", "EqualTo", "NotEqualTo", "IsPresent"]
)


def faults(text: str) -> list[str]:
    """What is wrong with a rule's JSON."""
    try:
        rule = json.loads(text)
    except ValueError as error:
        return [f"Contributor Insights rule is not JSON: {error}"]
    if not isinstance(rule, dict):
        return ["Contributor Insights rule is not a JSON object"]
    found = []
    if rule.get("Schema") != {"Name": "CloudWatchLogRule", "Version": 1}:
        found.append("Contributor Insights: Schema must be CloudWatchLogRule, version 1")
    groups = rule.get("LogGroupNames", rule.get("LogGroupARNs"))
    if not isinstance(groups, list) or not groups:
        found.append("Contributor Insights: LogGroupNames must name at least one log group")
    if rule.get("LogFormat") not in {"JSON", "CLF"}:
        found.append(
            f"Contributor Insights: LogFormat {rule.get('LogFormat')!r} is not JSON or CLF"
        )
    if rule.get("AggregateOn") not in {"Count", "Sum"}:
        found.append(
            f"Contributor Insights: AggregateOn {rule.get('AggregateOn')!r} is not Count or Sum"
        )
    contribution = rule.get("Contribution")
    if not isinstance(contribution, dict):
        return [*found, "Contributor Insights: Contribution is missing"]
    found += _contribution(contribution, summed=rule.get("AggregateOn") == "Sum")
    unknown = set(rule) - {
        "Schema", "LogGroupNames", "LogGroupARNs", "LogFormat", "Contribution", "AggregateOn",
        "Fields",
    }  # fmt: skip
    found += [f"Contributor Insights has no entry {name!r}" for name in sorted(unknown)]
    return found


def _contribution(contribution: dict[str, Any], *, summed: bool) -> list[str]:
    found = []
    keys = contribution.get("Keys")
    if not isinstance(keys, list) or not 1 <= len(keys) <= _MAX_KEYS:
        found.append(f"Contributor Insights: 1 to {_MAX_KEYS} Keys are needed")
    else:
        found += [
            f"Contributor Insights: key {key!r} must begin with $. in a JSON log"
            for key in keys
            if not str(key).startswith("$.")
        ]
    if summed and "ValueOf" not in contribution:
        found.append("Contributor Insights: AggregateOn Sum needs ValueOf")
    filters = contribution.get("Filters", [])
    if len(filters) > _MAX_FILTERS:
        found.append(f"Contributor Insights: {len(filters)} Filters, {_MAX_FILTERS} are allowed")
    for one in filters:
        if not isinstance(one, dict) or "Match" not in one or not _MATCHES & set(one):
            found.append(
                f"Contributor Insights: filter {one!r} needs Match and one of "
                f"{', '.join(sorted(_MATCHES))}"
            )
    return found
