"""Recording and alerting rules of Prometheus: a rule file, or a PrometheusRule of its operator.

Form: Prometheus' documentation, "Defining recording rules" and "Alerting rules".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tenantmetrics.console.checks.fault import Fault
from tenantmetrics.console.checks.promql import promql_faults
from tenantmetrics.console.known import close_to
from tenantmetrics.console.promnames import Dialect

__all__ = ["check", "rule_groups"]

_GROUP = frozenset(
    {"interval", "labels", "limit", "name", "partial_response_strategy", "query_offset", "rules"}
)
_RULE = frozenset({"alert", "annotations", "expr", "for", "keep_firing_for", "labels", "record"})
_DURATION = re.compile(
    r"0|(?:[0-9]+y)?(?:[0-9]+w)?(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?(?:[0-9]+ms)?"
)
_METRIC = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def rule_groups(text: str) -> list[Any] | None:
    """The groups of a file of rules; None if it is none.

    Args:
        text: YAML.
    """
    import yaml  # noqa: PLC0415 - an extra

    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    if isinstance(body, dict) and body.get("kind") == "PrometheusRule":
        body = body.get("spec")
    groups = body.get("groups") if isinstance(body, dict) and "Resources" not in body else None
    return groups if isinstance(groups, list) else None


def check(file: str, groups: list[Any]) -> list[Fault]:
    """Everything that is wrong with rules: their form, and each expression.

    Args:
        file: What faults call it.
        groups: As `rule_groups` returns them.

    Raises:
        MissingExtraError: promql-parser is not installed.
    """
    found: list[Fault] = []
    names = Counter(str(group.get("name")) for group in groups if isinstance(group, Mapping))
    found += [
        Fault(file, name, f"{count} groups have this name") for name, count in names.items()
        if count > 1
    ]  # fmt: skip
    for number, group in enumerate(groups, 1):
        place = f"group {number}"
        if not isinstance(group, Mapping):
            found.append(Fault(file, place, "is not a mapping"))
            continue
        place = str(group.get("name") or place)
        found += [Fault(file, place, what) for what in _group_faults(group)]
        rules = group.get("rules")
        for position, rule in enumerate(rules if isinstance(rules, list) else (), 1):
            if not isinstance(rule, Mapping):
                found.append(Fault(file, f"{place}: rule {position}", "is not a mapping"))
                continue
            name = str(rule.get("alert") or rule.get("record") or f"rule {position}")
            found += [Fault(file, f"{place}: {name}", what) for what in _rule_faults(rule)]
    return found


def _group_faults(group: Mapping[str, Any]) -> Iterator[str]:
    yield from _key_faults(group, _GROUP)
    if not group.get("name"):
        yield "has no name"
    if "rules" in group and not isinstance(group["rules"], list):
        yield "rules is not a list"
    for key in ("interval", "query_offset"):
        yield from _duration_faults(group, key)


def _rule_faults(rule: Mapping[str, Any]) -> Iterator[str]:
    yield from _key_faults(rule, _RULE)
    alert, record = rule.get("alert"), rule.get("record")
    if bool(alert) == bool(record):
        yield "a rule has either alert or record"
    elif record:
        if not _METRIC.fullmatch(str(record)):
            yield f"record {record!r} is not a metric's name"
        for key in ("annotations", "for", "keep_firing_for"):
            if key in rule:
                yield f"{key} belongs to an alert, and this rule records"
    for key in ("for", "keep_firing_for"):
        yield from _duration_faults(rule, key)
    for name in rule.get("labels") or ():
        if not _LABEL.fullmatch(str(name)) or name == "__name__":
            yield f"labels: {name!r} is not a label's name"
    expression = rule.get("expr")
    if expression is None or expression == "":
        yield "has no expr"
        return
    yield from promql_faults(str(expression), Dialect.PROMETHEUS, ours=False)


def _key_faults(given: Mapping[str, Any], allowed: frozenset[str]) -> Iterator[str]:
    for key in given:
        if key not in allowed:
            yield f"there is no field {key!r}{close_to(str(key), allowed)}"


def _duration_faults(given: Mapping[str, Any], key: str) -> Iterator[str]:
    value = given.get(key)
    if value is not None and (not str(value) or not _DURATION.fullmatch(str(value))):
        yield f"{key} {value!r} is not a duration such as 5m"
