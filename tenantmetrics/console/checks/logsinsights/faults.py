"""What is wrong with a query that parses: log groups, functions, fields, limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tenantmetrics.console.checks.fault import Syntax
from tenantmetrics.console.checks.logsinsights.expressions import expression_faults
from tenantmetrics.console.checks.logsinsights.language import (
    MAX_CHARS,
    MAX_LIMIT,
    MAX_ROWS,
    STATS,
    TIME_FUNCTIONS,
)
from tenantmetrics.console.checks.logsinsights.parsing import UnknownCommand, at, parse_query
from tenantmetrics.console.checks.logsinsights.scope import FieldScope
from tenantmetrics.console.checks.logsinsights.trees import (
    QueryFault,
    calls,
    fault_at,
    subqueries,
    subtrees,
    token_of,
    tokens,
)

if TYPE_CHECKING:
    from lark import Token, Tree

__all__ = ["log_query_faults", "view_fault"]

_BROKEN_REGEX = ("unterminated", "unbalanced", "nothing to repeat", "missing )", "multiple repeat")


def log_query_faults(text: str, *, ours: bool = True, named: bool = False) -> list[str]:
    """What is wrong with a query.

    Args:
        text: The query, as a widget has it.
        ours: Whether it reads our EMF documents; else only what CloudWatch cannot take is a
            fault, and a command or a function that is new to us is none.
        named: Whether its log groups are named elsewhere in the widget.

    Raises:
        MissingExtraError: lark is not installed.
    """
    found = [f"Logs Insights query has {len(text)} characters, {MAX_CHARS} are allowed"] * (
        len(text) > MAX_CHARS
    )
    try:
        query = parse_query(text)
    except UnknownCommand as error:
        return [*found, f"Logs Insights, {error}"] if ours or error.slip else found
    except Syntax as error:
        return [*found, f"Logs Insights, {error}"]
    if not named and query.children[0].data != "source":  # type: ignore[union-attr]
        found.append("Logs Insights query names no log group: a widget begins with SOURCE '…'")
    return found + [
        f"Logs Insights, {at(text, fault.position)}: {fault.what}"
        for fault in _query_faults(query, ours=ours)
    ]


def view_fault(text: str, view: str) -> str | None:
    """Why a widget's view of a query stays empty, or None.

    Args:
        text: The query.
        view: `table`, `timeSeries`, `bar` or `pie`.
    """
    try:
        query = parse_query(text)
    except Syntax:
        return None  # a fault already
    commands = {command.data for command in subtrees(query)}
    if view != "table" and not commands & (STATS | {"countfrequent"}):
        return f"view {view!r} needs a query with stats: there is nothing to draw"
    names = {token_of(call).value.lower() for call in calls(query)}
    if view == "timeSeries" and not names & TIME_FUNCTIONS:
        return "view 'timeSeries' needs stats … by bin(…): a time axis is needed"
    return None


def _query_faults(query: Tree[Token], *, ours: bool) -> Iterator[QueryFault]:
    """Faults of a query, command by command, and of the queries inside it."""
    scope = FieldScope(ours=ours)
    for command in query.children:
        yield from _command_faults(command, ours=ours)  # type: ignore[arg-type]
        yield from expression_faults(command, ours=ours, counted=scope.counted)  # type: ignore[arg-type]
        yield from scope.faults(command)  # type: ignore[arg-type]
        scope.after(command)  # type: ignore[arg-type]
        for subquery in subqueries(command):  # type: ignore[arg-type]
            yield from _query_faults(subquery, ours=ours)


def _command_faults(command: Tree[Token], *, ours: bool) -> Iterator[QueryFault]:
    if command.data == "bare_stats" and ours:
        name = token_of(next(calls(command)))
        yield fault_at(name, f"no command {name.value!r}: write stats before it")
    if command.data == "limit":
        yield from _limit_faults(command, MAX_ROWS if ours else MAX_LIMIT)
    for glob in subtrees(command, "glob"):
        yield from _glob_faults(glob)
    for token in tokens(command, "REGEX"):
        yield from _regex_faults(token)
    if ours:
        for token in tokens(command, "EQUALS", "COMPARISON"):
            if token.value in {"==", "<>"}:
                right = {"==": "=", "<>": "!="}[token.value]
                yield fault_at(token, f"{token.value} is written {right} here")


def _limit_faults(command: Tree[Token], most: int) -> Iterator[QueryFault]:
    (number,) = tokens(command, "NUMBER")
    if not number.value.isdigit() or not 1 <= int(number.value) <= most:
        yield fault_at(number, f"limit {number.value!r} is not within 1 to {most}")


def _glob_faults(glob: Tree[Token]) -> Iterator[QueryFault]:
    """As many names as asterisks, which is what `parse` asks for."""
    (pattern, *_) = tokens(glob, "STRING")
    names = sum(1 for _ in subtrees(glob, "alias"))
    asterisks = pattern.value.count("*")
    if asterisks != names:
        what = f"the pattern has {asterisks} asterisks and as names {names} fields"
        yield fault_at(pattern, f"parse: {what}: they must be as many")


def _regex_faults(token: Token) -> Iterator[QueryFault]:
    regex = token.value
    body = re.sub(r"/[a-z]*$", "", regex[1:])
    try:
        re.compile(body.replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!"))
    except re.error as error:
        if str(error).startswith(_BROKEN_REGEX):  # what Java's and Python's have in common
            what = f"regular expression {regex} is broken: {error}"
            yield fault_at(token, what)
