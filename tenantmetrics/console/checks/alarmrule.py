"""Rules of composite alarms.

Grammar and limits: CloudWatch API reference, PutCompositeAlarm, AlarmRule.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from tenantmetrics.console.checks.fault import Syntax, Tokens, tokens
from tenantmetrics.console.checks.metricmath import Node, walk
from tenantmetrics.console.known import close_to

__all__ = ["MAX_CHARS", "MAX_CHILDREN", "children", "faults", "parse"]

MAX_CHARS = 10_240
"""Length of an AlarmRule (PutCompositeAlarm)."""

MAX_CHILDREN = 100
"""Alarms that a rule may name (PutCompositeAlarm)."""

_STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")
_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<text>\"[^\"]*\"|'[^']*')|(?P<name>[A-Za-z_][A-Za-z0-9_:/.-]*)"
    r"|(?P<sign>[(),])"
)


def parse(text: str) -> Node:
    """Read a rule: "call" nodes are ALARM, OK and INSUFFICIENT_DATA of a "text".

    Raises:
        Syntax: It is not one; says what was expected and where.
    """
    rest = tokens(text, _TOKEN)
    node = _or(rest)
    if rest.now.kind != "end":
        raise Syntax(f"AND, OR or the end expected, {rest.found()}")
    return node


def children(node: Node) -> list[str]:
    """Names of the alarms in a rule."""
    return [part.parts[0].value for part in walk(node) if part.kind == "call"]


def faults(text: str, alarms: Collection[str], *, own: str = "") -> list[str]:
    """What is wrong with a rule.

    Args:
        text: The rule.
        alarms: Names of the alarms that exist.
        own: The composite's own name, which its rule must not use.
    """
    if len(text) > MAX_CHARS:
        return [f"AlarmRule has {len(text)} characters, {MAX_CHARS} are allowed"]
    try:
        named = children(parse(text))
    except Syntax as error:
        return [f"AlarmRule does not parse: {error}"]
    found = [
        f"AlarmRule names {name!r}, and there is no such alarm{close_to(name, alarms)}"
        for name in dict.fromkeys(named)
        if name not in alarms and name != own
    ]
    if own in named:
        found.append(f"AlarmRule names its own alarm {own!r}")
    if len(set(named)) > MAX_CHILDREN:
        found.append(f"AlarmRule names {len(set(named))} alarms, {MAX_CHILDREN} are allowed")
    return found


def _or(rest: Tokens) -> Node:
    node = _and(rest)
    while rest.accept("OR"):
        node = Node("operator", "OR", (node, _and(rest)))
    return node


def _and(rest: Tokens) -> Node:
    node = _not(rest)
    while rest.accept("AND"):
        node = Node("operator", "AND", (node, _not(rest)))
    return node


def _not(rest: Tokens) -> Node:
    if rest.accept("NOT"):
        return Node("operator", "NOT", (_not(rest),))
    if rest.accept("("):
        node = _or(rest)
        rest.expect(")", "the rule in parentheses")
        return node
    if constant := rest.accept("TRUE", "FALSE"):
        return Node("number", "1" if constant.text == "TRUE" else "0")
    state = rest.now.text
    if state not in _STATES:
        raise Syntax(f"{', '.join(_STATES)}, NOT or ( expected, {rest.found()}")
    rest.take()
    rest.expect("(", state)
    name = rest.take()
    if name.kind not in {"text", "name"}:
        raise Syntax(f"an alarm's name expected after {state}(, found {name.text!r}")
    rest.expect(")", "the alarm's name")
    return Node("call", state, (Node("text", name.text.strip("\"'")),))
