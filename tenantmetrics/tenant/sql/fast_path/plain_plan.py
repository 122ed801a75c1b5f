"""Statements of tables, plain conditions, plain values and queries in them, without the parser.

Most statements of an application are of this shape, and say in one place whom they are for. Their
plan is the one that the whole analysis makes, in a fraction of its time. A text that is in any way
different is left to the whole analysis; so is one whose tenant column stands in any other place
than `= value`, `IN (values)`, `= ANY(:ids)`, `= another tenant column` or a written row.

    grammar ──▶ query_reader ──▶ query_tree ──▶ restrictions   whom it names
                                            ──▶ closing        whether its tables are closed
            ──▶ insert_values, insert_select                   whose rows it writes
"""

from __future__ import annotations

from tenantmetrics.limits import QUERY_SUMMARY_MAX_CHARS
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.budget import Budget, TooMuchWorkError
from tenantmetrics.tenant.sql.build_restriction import are_one
from tenantmetrics.tenant.sql.closed_tables import if_closed
from tenantmetrics.tenant.sql.fast_path import grammar
from tenantmetrics.tenant.sql.fast_path.closing import PlainReach
from tenantmetrics.tenant.sql.fast_path.insert_select import copied_to
from tenantmetrics.tenant.sql.fast_path.insert_values import written_to
from tenantmetrics.tenant.sql.fast_path.query_reader import PlainReader
from tenantmetrics.tenant.sql.fast_path.query_tree import NotPlainError, PlainQuery
from tenantmetrics.tenant.sql.fast_path.read_conditions import read_conditions
from tenantmetrics.tenant.sql.fast_path.read_sources import read_joins, read_source
from tenantmetrics.tenant.sql.fast_path.restrictions import PlainRestrictions
from tenantmetrics.tenant.sql.guarded_tables import are_guarded
from tenantmetrics.tenant.sql.plan import Plan
from tenantmetrics.tenant.sql.proof.graph import ReachGraph
from tenantmetrics.tenant.sql.query_scope import MAX_STEPS, Facts, QueryScope
from tenantmetrics.tenant.sql.restrictions import (
    CLEAR,
    NAME_NOBODY,
    OPEN,
    Also,
    Fixed,
    Named,
    Restriction,
)
from tenantmetrics.tenant.sql.set_operations import rows_of_any
from tenantmetrics.tenant.sql.unread_steps import SETTINGS

__all__ = ["plain_plan"]


def plain_plan(
    template: str, tokens: list[str], vocabulary: Vocabulary, fingerprint: int = 0
) -> Plan | None:
    """The plan of a plain statement; None for any other text.

    Args:
        template: One statement without comments, literals replaced by slots.
        tokens: Its tokens without white space.
        vocabulary: The tenant's names.
        fingerprint: The plan gets it.
    """
    if not template.isascii():
        return None
    try:
        reader = PlainReader(tokens, vocabulary)
        return _planned(reader, _read(reader, vocabulary), vocabulary, fingerprint)
    except (NotPlainError, TooMuchWorkError):
        return None


def _read(reader: PlainReader, vocabulary: Vocabulary) -> Restriction:
    """Read the statement; whose rows they are."""
    shape = reader.shape
    first = shape[:1]
    if shape.startswith("SE("):
        reader.summary.append("SELECT")
        query, at = reader.inside(3, None)
        if grammar.ALONE.fullmatch(shape, at) is None:
            raise NotPlainError
        return _node(reader, [query], vocabulary, shown=True)
    if first == "S" or first == "H" or shape.startswith("(S"):  # noqa: PLR1714 - of one letter
        return _node(reader, reader.selects(), vocabulary)
    if first == "Y":
        write = copied_to if grammar.INSERT_SELECT.match(shape) else written_to
        return write(reader, vocabulary)
    target = PlainQuery(None)
    if first == "U":
        reader.summary.append("UPDATE")
        change = reader.match(grammar.SET, read_source(reader, target, 1))
        sets_variables = reader.summary[-1].lower().endswith(SETTINGS)
        if sets_variables or reader.mentions_tenant(change.start() + 1, change.end()):
            # It is a SET, or gives a row to somebody.
            raise NotPlainError
        at = _others(reader, target, change.end(), "F")
    elif shape.startswith("DF"):
        reader.summary.append("DELETE FROM")
        at = _others(reader, target, read_source(reader, target, 2), "1")
    else:
        raise NotPlainError
    if shape.startswith("W", at):
        at = read_conditions(reader, target, at + 1, target.where)
    if grammar.RETURNING.fullmatch(shape, at) is None:
        raise NotPlainError
    return _node(reader, [target], vocabulary)


def _others(reader: PlainReader, target: PlainQuery, at: int, word: str) -> int:
    """Read what UPDATE … FROM or DELETE … USING reads beside its target; where it ends."""
    if not reader.shape.startswith(word, at):
        return at
    at = read_source(reader, target, at + 1)
    next(reversed(target.sources.values())).comma = True
    return read_joins(reader, target, at)


def _node(
    reader: PlainReader, queries: list[PlainQuery], vocabulary: Vocabulary, *, shown: bool = False
) -> Restriction:
    """Whose rows they are, of any of these; or of one of which is shown whether it has any."""
    several = len(reader.summary) > _OF_ONE_TABLE
    if several and vocabulary.schema is not None:
        # Keys decide then what belongs together.
        raise NotPlainError
    budget = Budget(MAX_STEPS)
    values = reader.values
    node: Restriction
    alone = reader.all_hold and not shown and len(queries) == 1
    if alone and (not values or are_one(values)):
        # However its tables are tied, all that is said of them is one value, or nothing.
        node = values[0] if values else OPEN
    else:
        node = _of_queries(queries, QueryScope(None, vocabulary, budget), shown=shown)
    if not several or (isinstance(node, Fixed) and node in NAME_NOBODY):
        return node
    reader.check_keys()
    graph = ReachGraph(budget)
    reach = PlainReach(graph, vocabulary)
    for query in queries:
        reach.enter(query)
    if not graph.closed().issuperset(graph.tables):
        return if_closed(node, None)
    if isinstance(node, Named):
        # In whatever groups, all restrictions are the one that it names.
        held = [restriction for found in graph.restricted.values() for restriction in found]
        if all(restriction is node for restriction in held):
            return node
    return if_closed(node, graph.groups())


_OF_ONE_TABLE = 2
"""Words of the summary of a statement about one table: `SELECT bookings`."""


def _of_queries(queries: list[PlainQuery], names: QueryScope, *, shown: bool) -> Restriction:
    """Whom the queries name, before it is known whether their tables are closed."""
    restrictions = PlainRestrictions(names)
    if shown:
        node = restrictions.of_query(queries[0], Facts())
        return node if node is CLEAR else Also(CLEAR, (node,))
    return rows_of_any([restrictions.of_query(query) for query in queries])


def _planned(
    reader: PlainReader, node: Restriction, vocabulary: Vocabulary, fingerprint: int
) -> Plan:
    reader.check_schemas()
    summary = " ".join(reader.summary)
    if len(summary) > QUERY_SUMMARY_MAX_CHARS:
        raise NotPlainError
    return Plan(
        summary=summary,
        node=node,
        tables=tuple(dict.fromkeys([name for _, name in reader.tables])),
        schemas=tuple(dict.fromkeys(reader.of_schemas)),
        mentions=reader.mentions(),
        fingerprint=fingerprint,
        guarded=are_guarded(reader.tables, vocabulary),
    )
