"""Rules of composite alarms.

Grammar and limits: CloudWatch API reference, PutCompositeAlarm, AlarmRule.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from itertools import product

from tenantmetrics.console.checks.fault import Syntax, Tokens, tokens
from tenantmetrics.console.checks.mathsyntax import Node, walk
from tenantmetrics.console.known import close_to

__all__ = ["MAX_CHARS", "MAX_CHILDREN", "children", "composite_faults", "parse_rule"]

MAX_CHARS = 10_240
"""Length of an AlarmRule (PutCompositeAlarm)."""

MAX_CHILDREN = 100
"""Alarms that a rule may name (PutCompositeAlarm)."""

_MAX_TRIED = 7
"""Alarms whose states are all tried: 3 to the power of 7 are 2,187."""

_STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")
_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<text>\"[^\"]*\"|'[^']*')|(?P<name>[A-Za-z0-9_$][^\s(),\"']*)"
    r"|(?P<sign>[(),])"
)


def parse_rule(text: str) -> Node:
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


def composite_faults(
    text: str, alarms: Collection[str], *, own: str = "", closed: bool = True
) -> list[str]:
    """What is wrong with a rule.

    Args:
        text: The rule.
        alarms: Names of the alarms that exist.
        own: The composite's own name, which its rule must not use.
        closed: Whether there are no other alarms; else only a slip of the pen is a fault.
    """
    if len(text) > MAX_CHARS:
        return [f"AlarmRule has {len(text)} characters, {MAX_CHARS} are allowed"]
    try:
        tree = parse_rule(text)
    except Syntax as error:
        return [f"AlarmRule does not parse: {error}"]
    named = children(tree)
    found = []
    for name in dict.fromkeys(named):
        hint = close_to(name, alarms, None if closed else 0.85)
        if name not in alarms and name != own and (closed or hint) and "${" not in name:
            found.append(f"AlarmRule names {name!r}, and there is no such alarm{hint}")
    if own in named:
        found.append(f"AlarmRule names its own alarm {own!r}")
    if len(set(named)) > MAX_CHILDREN:
        found.append(f"AlarmRule names {len(set(named))} alarms, {MAX_CHILDREN} are allowed")
    if not named:
        found.append("AlarmRule names no alarm: it never changes")
    elif (always := _constant(tree, sorted(set(named)))) is not None:
        found.append(
            f"AlarmRule is always {'true' if always else 'false'}, whatever the alarms' states are"
        )
    return found


def _constant(tree: Node, named: list[str]) -> bool | None:
    """What a rule always is; None where it depends on the alarms, or on too many to try."""
    if len(named) > _MAX_TRIED:
        return None
    answers = {
        _holds(tree, dict(zip(named, states, strict=True)))
        for states in product(_STATES, repeat=len(named))
    }
    return answers.pop() if len(answers) == 1 else None


def _holds(node: Node, states: Mapping[str, str]) -> bool:
    if node.kind == "call":
        return states[node.parts[0].value] == node.value
    if node.kind == "number":
        return node.value == "1"
    parts = [_holds(part, states) for part in node.parts]
    return {"AND": all, "OR": any}[node.value](parts) if node.value != "NOT" else not parts[0]


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
    # An ARN ends in the alarm's name.
    plain = re.sub(r"^arn:[^:]*:cloudwatch:[^:]*:[^:]*:alarm:", "", name.text.strip("\"'"))
    return Node("call", state, (Node("text", plain),))
