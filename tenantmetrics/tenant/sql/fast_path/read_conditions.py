"""Conditions of a plain statement: columns and values, columns and columns, EXISTS and IN."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tenantmetrics.tenant.sql.fast_path import grammar
from tenantmetrics.tenant.sql.fast_path.output_columns import only_column
from tenantmetrics.tenant.sql.fast_path.query_tree import NotPlainError, PlainCondition, PlainQuery
from tenantmetrics.tenant.sql.restrictions import Named

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.fast_path.query_reader import PlainReader

__all__ = ["read_conditions"]

_OUTSIDE = -1
"""Stands for all sources of the queries around one."""
_EQUAL = frozenset(["value", "any", "list"])
_TRUE_OF_NULL = frozenset(["null", "bare", "negated", "exists", "call", "test"])
"""Conditions that may be true for a row that lacks their columns."""


def read_conditions(
    reader: PlainReader, query: PlainQuery, at: int, found: list[PlainCondition]
) -> int:
    """Read conditions; parentheses mean nothing among ANDs.

    Args:
        reader: Reads the queries in them.
        query: Whose conditions they are.
        at: Where they begin.
        found: Gets those that every row meets.

    Returns:
        Where they end.

    Raises:
        NotPlainError: They take the whole analysis.
    """
    shape = reader.shape
    # For each open parenthesis, and all around, the first condition, and whether it has an OR.
    opened: list[tuple[int, bool]] = [(0, False)]
    while True:
        while shape.startswith("(", at):
            opened.append((len(found), False))
            at += 1
        condition = PlainCondition()
        found.append(condition)
        at = _read(reader, query, reader.match(grammar.CONDITION, at), condition)
        while len(opened) > 1 and shape.startswith(")", at):
            _close(found, *opened.pop())
            at += 1
        if shape.startswith("|", at):
            opened[-1] = (opened[-1][0], True)
        elif not shape.startswith("&", at):
            break
        at += 1
    if len(opened) > 1:
        raise NotPlainError
    _close(found, *opened.pop())
    return at


def _close(found: list[PlainCondition], first: int, has_or: bool) -> None:
    """The conditions of a parenthesis are read; those of one with an OR have to say nothing."""
    if has_or:
        for condition in found[first:]:
            if condition.named is not None or condition.other_column or condition.query is not None:
                raise NotPlainError
        del found[first:]


def _read(
    reader: PlainReader, query: PlainQuery, match: re.Match[str], found: PlainCondition
) -> int:
    """Read one condition; where it ends."""
    group = match.lastgroup
    found.needs = group not in _TRUE_OF_NULL
    if group == "exists":
        return _exists(reader, query, match, found)
    if group == "call":
        end = max(match.end("inner"), match.end("outer"))
        if reader.name(end - 1) in reader.columns:
            raise NotPlainError
        # Of a function of a column it is not told here which key that is.
        reader.compare(f"{reader.name(end - 1)}()", match.end("call"), match.end())
    elif group == "negated":
        if reader.name(match.end("negated") - 1) in reader.columns:
            raise NotPlainError
    elif group != "test":
        return _of_column(reader, query, match, found)
    return match.end()


def _exists(
    reader: PlainReader, query: PlainQuery, match: re.Match[str], found: PlainCondition
) -> int:
    """`EXISTS (SELECT …)`, or NOT."""
    if match["exists"][0] == "~":
        found.negated, reader.all_hold = True, False
    found.query, at = reader.inside(match.end(), query)
    if match["exists"].startswith("~("):
        if not reader.shape.startswith(")", at):
            raise NotPlainError
        at += 1
    if not found.negated:
        _has_to_exist(reader, found.query)
        _is_tied(found.query)
    return at


def _of_column(
    reader: PlainReader, query: PlainQuery, match: re.Match[str], found: PlainCondition
) -> int:
    """A condition of a column; where it ends."""
    group = match.lastgroup
    start, end = match.span("column")
    found.column = name = reader.name(end - 1)
    is_tenant = name in reader.columns
    if group in _EQUAL and not is_tenant:
        reader.compare(name, *match.span(group))
    if match["not"] and (is_tenant or group in {"query", "other"}):
        raise NotPlainError
    if group == "query":
        return _in_query(reader, query, match, found)
    several = len(query.sources) > 1 or query.outer is not None
    if group == "other":
        other_start, other_end = match.span("other")
        found.other_column = other = reader.name(other_end - 1)
        if is_tenant is not (other in reader.columns):
            raise NotPlainError
        if several or is_tenant:
            found.source = reader.source_of(query, start, end)
            found.other = reader.source_of(query, other_start, other_end)
    elif is_tenant:
        found.source = reader.source_of(query, start, end)
        found.named = _named(reader, match)
        reader.compares = True
        reader.values.append(found.named)
    elif several and found.needs:
        found.source = reader.source_if_told(query, start, end)
    return match.end()


def _named(reader: PlainReader, match: re.Match[str]) -> Named:
    """The tenants that a tenant column equals."""
    group = match.lastgroup
    if group == "value":
        return reader.named(*match.span("value"))
    if group == "any":
        return Named((replace(reader.operand(*match.span("any")), many=True),))
    if group != "list":
        raise NotPlainError
    values = grammar.WRITTEN.finditer(reader.shape, *match.span("list"))
    return Named(tuple([reader.operand(*value.span()) for value in values]))


def _in_query(
    reader: PlainReader, query: PlainQuery, match: re.Match[str], found: PlainCondition
) -> int:
    """`column IN (SELECT column …)`, or `=`: the two columns are equal, unless it is NOT IN."""
    if found.column in reader.columns:
        raise NotPlainError
    if match["query"][0] == "~":
        found.negated, reader.all_hold = True, False
    found.source = reader.source_if_told(query, *match.span("column"))
    found.query, at = reader.inside(match.end(), query)
    if not found.negated:
        found.source = reader.source_of(query, *match.span("column"))
        _has_to_exist(reader, found.query)
        found.other, found.other_column = only_column(reader, found.query)
    return at


def _has_to_exist(reader: PlainReader, query: PlainQuery) -> None:
    """Make sure that a query gives no row where its tables have none."""
    if query.group[1] or "c(" in reader.letters[slice(*query.items)] + query.ordered:
        raise NotPlainError


def _is_tied(query: PlainQuery) -> None:
    """Make sure that a query is tied to the one around it; else it is true for all rows or none."""
    together = [{source.key} for source in query.sources.values()]
    own = set().union(*together)
    together.append({_OUTSIDE})
    conditions = [condition for source in query.sources.values() for condition in source.on]
    for condition in (*query.where, *conditions):
        if condition.query is None and condition.source is not None and condition.other is not None:
            keys = (condition.source.key, condition.other.key)
            ends = {key if key in own else _OUTSIDE for key in keys}
            groups = [group for group in together if not group.isdisjoint(ends)]
            together = [group for group in together if group.isdisjoint(ends)]
            together.append(set().union(*groups))
    if len(together) > 1:
        raise NotPlainError
