"""Metric math as a small tree, which the checks read and the rehearsal evaluates.

Operators: CloudWatch user guide, "Using math expressions with CloudWatch metrics".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tenantmetrics.console.checks.fault import Syntax, Token, Tokens, tokens

__all__ = ["Node", "parse_expression", "walk"]

_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(?P<number>\d+(?:\.\d+)?|\.\d+)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>&&|\|\||[<>=!]=|[-+*/^<>(),\[\]])"
)
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("OR", "||"),
    ("AND", "&&"),
    ("==", "!=", "<", ">", "<=", ">="),
    ("+", "-"),
    ("*", "/"),
    ("^",),
)


class Node(NamedTuple):
    """A number, text, id, list, call or operator, and what it is made of.

    Attributes:
        kind: "number", "text", "id", "list", "call" or "operator".
        value: The number, text, id, function's or operator's name.
        parts: Arguments or elements.
    """

    kind: str
    value: str
    parts: tuple[Node, ...] = ()


def parse_expression(text: str) -> Node:
    """Read an expression.

    Raises:
        Syntax: It is not one; says what was expected and where.
    """
    rest = tokens(text, _TOKEN)
    node = _binary(rest, 0)
    if rest.now.kind != "end":
        raise Syntax(f"an operator or the end expected, {rest.found()}")
    return node


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for part in node.parts:
        yield from walk(part)


def _binary(rest: Tokens, level: int) -> Node:
    if level == len(_LEVELS):
        return _unary(rest)
    node = _binary(rest, level + 1)
    while sign := rest.accept(*_LEVELS[level]):
        node = Node("operator", sign.text.upper(), (node, _binary(rest, level + 1)))
    return node


def _unary(rest: Tokens) -> Node:
    if rest.accept("-"):
        return Node("operator", "-", (Node("number", "0"), _unary(rest)))
    if rest.accept("("):
        node = _binary(rest, 0)
        rest.expect(")", "the expression in parentheses")
        return node
    if rest.accept("["):
        return Node("list", "[]", _arguments(rest, "]"))
    return _value(rest, rest.take())


def _value(rest: Tokens, token: Token) -> Node:
    if token.kind == "text":
        return Node("text", re.sub(r"\\(.)", r"\1", token.text[1:-1]))
    if token.kind == "number":
        return Node("number", token.text)
    if token.kind == "name":
        if rest.accept("("):
            return Node("call", token.text, _arguments(rest, ")"))
        # In upper case only constants of functions stand: REPEAT, LINEAR, ASC, AUTO, SUM …
        kind = "id" if token.text[0].islower() else "text"
        return Node(kind, token.text)
    where = "but the text ends" if token.kind == "end" else f"but found {token.text!r}"
    raise Syntax(f"a value expected, {where} at column {token.column}")


def _arguments(rest: Tokens, closing: str) -> tuple[Node, ...]:
    found: list[Node] = []
    if rest.accept(closing):
        return ()
    while True:
        found.append(_binary(rest, 0))
        if rest.accept(closing):
            return tuple(found)
        rest.expect(",", f"an argument (or {closing})")
