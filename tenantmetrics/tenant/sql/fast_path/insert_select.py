"""INSERT … SELECT of plain columns: whose rows it reads, and whose it writes."""

from __future__ import annotations

import re

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.budget import Budget
from tenantmetrics.tenant.sql.build_restriction import build_restriction
from tenantmetrics.tenant.sql.closed_tables import if_closed
from tenantmetrics.tenant.sql.fast_path import grammar
from tenantmetrics.tenant.sql.fast_path.closing import PlainReach
from tenantmetrics.tenant.sql.fast_path.query_reader import PlainReader
from tenantmetrics.tenant.sql.fast_path.query_tree import NotPlainError, PlainQuery
from tenantmetrics.tenant.sql.fast_path.read_sources import read_source
from tenantmetrics.tenant.sql.fast_path.restrictions import PlainRestrictions
from tenantmetrics.tenant.sql.proof.graph import ReachGraph
from tenantmetrics.tenant.sql.query_scope import MAX_STEPS, Facts, QueryScope
from tenantmetrics.tenant.sql.restrictions import (
    NAME_NOBODY,
    OPEN,
    UNKNOWN,
    Fixed,
    Joined,
    Named,
    Restriction,
    Same,
)

__all__ = ["copied_to"]


def copied_to(reader: PlainReader, vocabulary: Vocabulary) -> Restriction:
    """Whose rows it reads and writes.

    Raises:
        NotPlainError: It is not plain.
    """
    if vocabulary.schema is not None:
        # Keys decide then what belongs together.
        raise NotPlainError
    head = reader.match(grammar.INSERT_SELECT, 0)
    reader.summary.append("INSERT INTO")
    read_source(reader, PlainQuery(None), head.start("table"))
    query, at = reader.select(head.end(), None)
    if "S" in reader.letters[slice(*query.items)]:
        # Which item is the tenant's is not told with subqueries among them.
        raise NotPlainError
    if grammar.RETURNING.fullmatch(reader.shape, at) is None:
        raise NotPlainError
    columns = vocabulary.columns
    names = [reader.name(place) for place in range(*head.span("columns"), 2)]
    written = [index for index, name in enumerate(names) if name in columns]
    if len(written) > 1:
        raise NotPlainError
    item = _item(reader, query, written[0]) if written else None
    if item is not None and reader.all_hold and (own := _own_value(reader, query, item)):
        return if_closed(Joined((Same((own, UNKNOWN)), OPEN)), [[[own]]])
    budget = Budget(MAX_STEPS)
    scope = QueryScope(None, vocabulary, budget)
    facts = Facts()
    PlainRestrictions(scope).enter(query, facts, facts.main)
    graph = ReachGraph(budget)
    value = item is not None and _project(reader, query, item, scope, facts)
    node = build_restriction(facts, scope)
    if isinstance(node, Fixed) and node in NAME_NOBODY:
        return node
    reader.check_keys()
    if not value:
        PlainReach(graph, vocabulary).enter(query)
    return if_closed(node, graph.closing())


def _item(reader: PlainReader, query: PlainQuery, index: int) -> re.Match[str]:
    """The item of the select list that is written as the tenant."""
    text = reader.letters[slice(*query.items)]
    if grammar.WINDOW in text or "c(" in text or query.group[1]:
        # What it reads is not told by its tables alone.
        raise NotPlainError
    items = list(grammar.ITEM.finditer(reader.shape, *query.items))
    if index >= len(items) or any(item["star"] for item in items[: index + 1]):
        raise NotPlainError
    found: re.Match[str] = items[index]
    return found


def _own_value(reader: PlainReader, query: PlainQuery, item: re.Match[str]) -> Named | None:
    """What the tenant column of the one table equals whose rows are copied with that column.

    Most copies are of this kind, and what they name follows from the value alone.
    """
    sources = list(query.sources.values())
    if item["column"] is None or len(reader.values) != 1 or len(sources) != 1:
        return None
    column = reader.name(item.end("column") - 1)
    if sources[0].query is not None or any(condition.query for condition in query.where):
        return None
    reader.source_of(query, *item.span("column"))
    of_column = [c.named for c in query.where if c.named is not None and c.column == column]
    return of_column[0] if of_column else None


def _project(
    reader: PlainReader,
    query: PlainQuery,
    item: re.Match[str],
    names: QueryScope,
    facts: Facts,
) -> bool:
    """Enter the tenant that is written; whether it is a value."""
    columns = names.vocabulary.columns
    key = (next(names.numbers) - _APART, min(columns, key=columns.__getitem__))
    if item["column"]:
        start, end = item.span("column")
        column = reader.name(end - 1)
        source = reader.source_of(query, start, end)
        if column not in names.vocabulary.columns or source.query is not None:
            raise NotPlainError
        # It has to be restricted itself.
        other = (source.key, column)
        facts.main.links.append((key, other))
        facts.main.constraints.append((other, UNKNOWN))
        return False
    start, end = item.span("value")
    if (
        end - start != 1
        or len(query.sources) > 1
        or any(source.query is not None for source in query.sources.values())
        or any(condition.query is not None for condition in query.where)
    ):
        raise NotPlainError
    facts.main.constraints.append((key, reader.named(start, end)))
    return True


_APART = 1 << 30
"""Keeps the key of what is written apart from those of what is read."""
