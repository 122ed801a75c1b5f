"""What RETURNING gives of a column that the change itself wrote.

    WITH moved AS (UPDATE bookings SET room_id = floor + 1 WHERE tenant_id = :t RETURNING room_id) …

`room_id` is a number there, and ties no room. A value that is written as a key (`SET room_id = :r`)
is taken to be one of the tenant's, as a foreign key is.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from tenantmetrics.tenant.sql.comparison_shapes import elements
from tenantmetrics.tenant.sql.proof.columns import Output, ReachScope, Relation
from tenantmetrics.tenant.sql.proof.key_names import is_no_key
from tenantmetrics.tenant.sql.proof.ties import ReachTies
from tenantmetrics.tenant.sql.sqlglot_trees import unwrapped
from tenantmetrics.tenant.sql.value_expressions import bare, value_operand

__all__ = ["assigned_columns", "inserted_columns"]

_MADE = (exp.Binary, exp.Neg)
"""What makes a value of others; a function (`gen_random_uuid()`) may make a key."""


def assigned_columns(node: exp.Expr, scope: ReachScope, ties: ReachTies) -> dict[str, Output]:
    """The columns that an UPDATE makes of something else than a value.

    Args:
        node: The change; of a DELETE there are none.
        scope: What its names mean.
        ties: Tells what a column stands for.
    """
    found: dict[str, Output] = {}
    for item in node.expressions if isinstance(node, exp.Update) else []:
        columns = elements(bare(item.this)) or [item.this]
        values = elements(bare(item.expression)) or [item.expression]
        for index, column in enumerate(columns):
            value = values[index] if len(values) == len(columns) else None
            if value is None or value_operand(value) is None:
                found[column.name.lower()] = ties.side(value, scope) or Output()
    return found


def inserted_columns(node: exp.Insert, sources: tuple[int, ...]) -> Relation:
    """The columns of an INSERT's RETURNING, which are the written rows' own.

    Args:
        node: The INSERT.
        sources: Those whose tenants' the rows are.
    """
    relation = Relation()
    whole = bool(sources)
    made = set(_made_columns(node))
    returning = node.args.get("returning")
    for item in returning.expressions if returning is not None else []:
        column = bare(item.unalias())
        if isinstance(column, exp.Star | exp.Column) and column.is_star:
            relation.star = Output(sources, whole=whole, inward=False)
            relation.outputs.update(dict.fromkeys(made, Output()))
        elif isinstance(column, exp.Column):
            name = column.name.lower()
            output = Output(sources, name, whole, inward=not whole)
            relation.outputs[item.alias_or_name.lower()] = Output() if name in made else output
    return relation


def _made_columns(node: exp.Insert) -> Iterator[str]:
    """The columns that get no key in some row: `a.floor`, `a.floor + 1`."""
    body = unwrapped(node.expression) if node.expression is not None else None
    if not isinstance(node.this, exp.Schema) or node.args.get("returning") is None:
        return
    rows: list[list[exp.Expr]] = []
    if isinstance(body, exp.Select):
        rows = [body.expressions]
    elif isinstance(body, exp.Values):
        rows = [row.expressions for row in body.expressions if isinstance(row, exp.Tuple)]
    for row in rows:
        if not any(isinstance(item, exp.Star) for item in row):
            for written, item in zip(node.this.expressions, row, strict=False):
                value = bare(item.unalias())
                if isinstance(value, exp.Column):
                    no_key = is_no_key(value.name.lower())
                else:
                    no_key = isinstance(value, _MADE) and value_operand(value) is None
                if no_key:
                    yield written.name.lower()
