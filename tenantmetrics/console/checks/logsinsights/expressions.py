"""Functions: their names, how many arguments they take, and where an aggregate may stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tenantmetrics.console.checks.logsinsights.language import (
    AGGREGATES,
    FUNCTIONS,
    PERIOD_CAPS,
    SLIP,
    STATS,
    TIME_FUNCTIONS,
    UNITS,
)
from tenantmetrics.console.checks.logsinsights.trees import (
    QueryFault,
    calls,
    fault_at,
    subtrees,
    token_of,
    tokens,
)
from tenantmetrics.console.known import close_to

if TYPE_CHECKING:
    from lark import Token, Tree

__all__ = ["expression_faults"]

_ARGUMENTS = {name.lower(): limits for name, limits in FUNCTIONS.items()}
_AGGREGATES = frozenset(name.lower() for name in AGGREGATES)


def expression_faults(command: Tree[Token], *, ours: bool, counted: bool) -> Iterator[QueryFault]:
    """What is wrong with the functions of a command.

    Args:
        command: Its tree.
        ours: Whether a function that is not listed does not exist; else it may be new.
        counted: Whether stats came before: its columns may be called by their text, `count(*)`.
    """
    for call in calls(command):
        name = token_of(call)
        limits = _ARGUMENTS.get(name.value.lower())
        if limits is None:
            if ours or close_to(name.value, FUNCTIONS, SLIP):
                hint = close_to(name.value, FUNCTIONS)
                yield fault_at(name, f"there is no function {name.value!r}{hint}")
            continue
        given = len(call.children) - 1
        if not limits[0] <= given <= limits[1]:
            yield fault_at(name, f"{name.value}() {_wanted(limits, given)}")
        if name.value.lower() in TIME_FUNCTIONS:
            yield from _period_faults(call, ours=ours)
    is_stats = command.data in STATS
    if not is_stats and not counted:
        for name in _aggregates(command):
            what = f"{name.value}() is an aggregate, which only stats computes"
            yield fault_at(name, what)
    if is_stats:
        yield from _stats_faults(command)


def _stats_faults(command: Tree[Token]) -> Iterator[QueryFault]:
    columns = [child for child in command.children if _is(child, "column")]
    functions = {token_of(call).value.lower() for column in columns for call in calls(column)}  # type: ignore[arg-type]
    if not functions & _AGGREGATES and functions <= set(_ARGUMENTS):
        what = "stats without an aggregate such as count(*)"
        yield fault_at(token_of(command), what)
    for group in subtrees(command, "by"):
        for name in _aggregates(group):
            what = f"{name.value}() after by: groups are made of fields, not of aggregates"
            yield fault_at(name, what)
    for call in calls(command):
        if token_of(call).value.lower() in _AGGREGATES:
            for argument in call.children[1:]:
                if isinstance(argument, str):
                    continue
                for name in _aggregates(argument):
                    what = f"{name.value}() inside {token_of(call).value}(): use a second stats"
                    yield fault_at(name, what)


def _aggregates(tree: Tree[Token]) -> Iterator[Token]:
    for call in calls(tree):
        if token_of(call).value.lower() in _AGGREGATES:
            yield token_of(call)


def _is(child: Tree[Token] | Token, name: str) -> bool:
    return not isinstance(child, str) and child.data == name


def _wanted(limits: tuple[int, int], given: int) -> str:
    least, most = limits
    if least == most:
        amount = f"{least}"
    elif given < least:
        amount = f"at least {least}"
    else:
        amount = f"at most {most}"
    return f"takes {amount} argument{'s' * (amount[-2:] not in {'1', ' 1'})}, not {given}"


def _period_faults(call: Tree[Token], *, ours: bool) -> Iterator[QueryFault]:
    """A time without a unit, with one that is not known, or beyond its unit's cap."""
    name = token_of(call)
    last = call.children[-1]
    if isinstance(last, str) or last.data not in {"period", "literal"}:
        return
    parts = [token.value for token in tokens(last, "DURATION", "NUMBER", "UNIT")]
    if not parts:
        return
    text = "".join(parts)
    amount = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = text[len(amount) :]
    if unit not in UNITS:
        what = f"{name.value}({text}): no unit of time, such as {amount}m"
        yield fault_at(name, what)
    elif ours and amount.isdigit() and int(amount) > (cap := PERIOD_CAPS.get(unit, int(amount))):
        what = f"{name.value}({text}) counts as {cap}{unit}: use a larger unit"
        yield fault_at(name, what)
