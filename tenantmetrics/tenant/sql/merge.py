"""MERGE: each WHEN touches rows of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlglot import exp

from tenantmetrics.tenant.sql.build_restriction import build_restriction
from tenantmetrics.tenant.sql.conditions import Conditions
from tenantmetrics.tenant.sql.from_clause import add_from, add_table
from tenantmetrics.tenant.sql.query_scope import Facts, QueryScope, Sink
from tenantmetrics.tenant.sql.restrictions import Also, Either, Joined, Restriction
from tenantmetrics.tenant.sql.value_expressions import bare
from tenantmetrics.tenant.sql.written_values import alias_of, value_node

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.insert_update_delete import DataChanges

__all__ = ["merge"]

_NOTHING = exp.var("DO NOTHING")


class _Merged(NamedTuple):
    """What a MERGE says of its target, of its source, and of both."""

    statement: exp.Merge
    target: Sink
    source: Sink
    on: Sink


def merge(changes: DataChanges, node: exp.Merge, names: QueryScope, facts: Facts) -> Restriction:
    """Analyse a MERGE.

    Args:
        changes: Analyses what it assigns.
        node: The statement.
        names: What its names mean; gets its sources.
        facts: Gets what is read beside it.
    """
    held = _Merged(node, Sink(), Sink(), Sink())
    if isinstance(node.this, exp.Table):
        add_table(node.this, names, facts, held.target)
    using = node.args.get("using")
    if using is not None:
        add_from(changes.queries, [using], names, facts, held.source)
    Conditions(changes.queries, names, facts).add(node.args.get("on"), held.on)
    whens = node.args.get("whens")
    actions = [
        _when(changes, when, held, names, facts)
        for when in (whens.expressions if whens is not None else [])
        if when.args.get("then") != _NOTHING
    ]
    result: Restriction = Either(tuple(actions)) if actions else Joined(())
    beside = [later() for later in facts.later] + facts.beside
    return Also(result, tuple(beside)) if beside else result


def _when(
    changes: DataChanges, when: exp.Expr, held: _Merged, names: QueryScope, facts: Facts
) -> Restriction:
    """Matched rows are restricted by ON; what is inserted only by its source and its values."""
    node = held.statement
    then, condition = when.args.get("then"), when.args.get("condition")
    rows = Facts()
    rows.tables, rows.constants = True, set(facts.constants)
    matched = bool(when.args.get("matched"))
    by_source = not matched and bool(when.args.get("source"))
    if not by_source:
        _copy(held.source, rows.main)
    if matched:
        _copy(held.target, rows.main)
        _copy(held.on, rows.main)
    else:
        rows.main.links += held.on.links
    Conditions(changes.queries, names, rows).add(condition, rows.main)
    if isinstance(then, exp.Update):
        for item in then.expressions:
            changes.assigned(item, alias_of(node.this), names, rows)
    elif isinstance(then, exp.Insert):
        _merged(changes, then, names, rows)
    return build_restriction(rows, names)


def _merged(changes: DataChanges, then: exp.Insert, names: QueryScope, rows: Facts) -> None:
    """The INSERT of a MERGE: its tenant column is a value, or its source's."""
    columns = [part.name.lower() for part in then.this.expressions] if then.this else []
    values = then.expression
    index = changes.tenant_index(columns)
    items = values.expressions if isinstance(values, exp.Tuple) else []
    if index is None or index >= len(items):
        return
    key = (next(names.numbers), columns[index])
    column = bare(items[index])
    other = names.key(column) if isinstance(column, exp.Column) else None
    if other is not None:
        rows.main.links.append((key, other))
    else:
        rows.main.constraints.append((key, value_node(items[index])))
        rows.tables = False


def _copy(source: Sink, target: Sink) -> None:
    target.constraints += source.constraints
    target.links += source.links
    target.choices += source.choices
    target.parts += source.parts
