"""Queries that give a row whatever their tables hold: `SELECT count(*) FROM …`, and HAVING.

A condition in such a query says nothing of the rows of the query around it.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from tenantmetrics.tenant.sql.sqlglot_trees import read_from, sources_of
from tenantmetrics.tenant.sql.value_expressions import function_name

__all__ = ["aggregates", "gives_one_row", "gives_only_an_extreme", "makes_one_row"]

_UNKNOWN_TO_PARSER = frozenset(["every", "xmlagg"])
"""And what ends so; `json_agg_strict` (documentation of version 18, "Aggregate Functions")."""
_ENDS = ("_agg", "_agg_strict", "_agg_unique", "_agg_unique_strict")


def aggregates(item: exp.Expr) -> Iterator[exp.Expr]:
    """The functions in an expression that make one row of many."""
    for part in item.find_all(exp.AggFunc, exp.Anonymous):
        name = function_name(part)
        if isinstance(part, exp.AggFunc) or name in _UNKNOWN_TO_PARSER or name.endswith(_ENDS):
            yield part


def gives_only_an_extreme(select: exp.Select) -> bool:
    """Whether a query is `SELECT max(id) FROM …`: NULL, which nothing equals, where no row is.

    Args:
        select: The query.
    """
    return (
        len(select.expressions) == 1
        and isinstance(select.expressions[0].unalias(), exp.Max | exp.Min)
        and not any(select.args.get(key) for key in ("group", "having", "order"))
    )


def gives_one_row(select: exp.Select) -> bool:
    """Whether a query may give a row where its tables have none.

    A function that the parser does not know may be an aggregate of the database's own.

    Args:
        select: The query.
    """
    group = select.args.get("group")
    if group is not None:
        sets = any(group.args.get(key) for key in ("rollup", "cube", "grouping_sets", "totals"))
        return sets or any(
            isinstance(part, exp.Rollup | exp.Cube | exp.GroupingSets)
            or (isinstance(part, exp.Tuple) and not part.expressions)
            for part in group.expressions
        )
    order = select.args.get("order")
    items = [*select.expressions, *(order.expressions if order is not None else ())]
    return select.args.get("having") is not None or any(
        item.find(exp.AggFunc, exp.Anonymous) is not None for item in items
    )


def makes_one_row(select: exp.Select) -> bool:
    """Whether a query may make one row of none, where an aggregate in a query inside is its own.

    Not that of `SELECT o.id, (SELECT sum(l.qty) FROM lines l WHERE …) FROM orders o`; but
    `(SELECT sum(o.qty))` counts rows of `o`.

    Args:
        select: The query.
    """
    if not gives_one_row(select):
        return False
    if any(select.args.get(key) for key in ("group", "having")):
        return True
    order = select.args.get("order")
    items = [*select.expressions, *(order.expressions if order is not None else ())]
    calls = [call for item in items for call in item.find_all(exp.AggFunc, exp.Anonymous)]
    return not all(_is_of_a_query_inside(call, select) for call in calls)


def _is_of_a_query_inside(call: exp.Expr, select: exp.Select) -> bool:
    around = call.find_ancestor(exp.Select)
    if around is None or around is select:
        return False
    own = {(item.alias or item.name).lower() for item, _ in sources_of(read_from(around))}
    # A name alone may be that of a whole row: `json_agg(l)`.
    columns = call.find_all(exp.Column)
    return all((column.table or column.name).lower() in own for column in columns)
