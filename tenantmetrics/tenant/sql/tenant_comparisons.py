"""Columns that a condition compares: with values, with each other, with what a subquery gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from tenantmetrics.tenant.sql.any_array import any_of, array_operands, query_of
from tenantmetrics.tenant.sql.comparison_shapes import elements, pairs_of
from tenantmetrics.tenant.sql.given_values import GIVEN, first_given
from tenantmetrics.tenant.sql.join_connectivity import reaches_outside
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.query_scope import CLEAR, UNKNOWN, Facts, Key, QueryScope, Sink
from tenantmetrics.tenant.sql.restrictions import (
    IN_SESSION,
    Named,
    Restriction,
)
from tenantmetrics.tenant.sql.sqlglot_trees import unwrapped
from tenantmetrics.tenant.sql.value_expressions import SESSION, bare, value_operand

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.conditions import Conditions
    from tenantmetrics.tenant.sql.queries import Queries

__all__ = ["ComparedColumns", "named"]

# Tuples, because `A | B` inside isinstance() is built anew at each call.
_SELECT_OR_SUBQUERY_OR_SETOPERATION = (exp.Select, exp.Subquery, exp.SetOperation)

_VALUES = frozenset({exp.Literal, exp.Placeholder})


class ComparedColumns:
    """The comparisons of one query.

    Args:
        conditions: Takes what is no comparison of a column.
        queries: Analyses the subqueries that are met.
        names: What the columns mean.
        facts: What is known of the query.
    """

    def __init__(
        self, conditions: Conditions, queries: Queries, names: QueryScope, facts: Facts
    ) -> None:
        self._conditions = conditions
        self._queries = queries
        self._names = names
        self._facts = facts

    def equal(self, left: exp.Expr, right: exp.Expr, sink: Sink, branch: bool) -> None:
        """`left = right`."""
        if (
            isinstance(left, exp.Column)
            and right.__class__ in _VALUES
            and self._names.key(left) is None
        ):
            # Most conditions by far: a column that is no tenant's, and a value.
            if self._names.has_several():
                self._other(left, [value_operand(right)], sink)
            return
        pairs = pairs_of(left, right)
        if pairs is not None:
            for one_side, other_side in pairs:
                self.equal(one_side, other_side, sink, branch)
            return
        key, second = self._conditions.key(left), self._conditions.key(right)
        if key is not None and second is not None:
            if key != second:
                sink.links.append((key, second))
        elif key is not None:
            self._compare(key, right, sink, branch)
        elif second is not None:
            self._compare(second, left, sink, branch)
        elif not (isinstance(left, exp.Column) and isinstance(right, exp.Column)):
            self._scalar(left, right, sink, branch)
            self._scalar(right, left, sink, branch)

    def _other(self, column: exp.Expr, values: Sequence[object], sink: Sink) -> None:
        """A column that is no tenant's, but may be equal to one: `tenants.id = :t`."""
        key = self._names.other_key(column) if isinstance(column, exp.Column) else None
        if key is not None:
            sink.constraints.append((key, named(values)))

    def _scalar(self, side: exp.Expr, other: exp.Expr, sink: Sink, branch: bool) -> None:
        """`x = (SELECT …)` and `x = ANY (SELECT …)` hold for no row where it gives none."""
        inner = bare(side)
        if (array := any_of(inner)) is not None:
            inner = query_of(array)
        if (
            isinstance(inner, _SELECT_OR_SUBQUERY_OR_SETOPERATION)
            and not branch
            and (
                self._tenant_of_query(inner, other, sink)
                or self._conditions.restricts(inner, other, sink)
            )
        ):
            return
        self._conditions.unknown(side, sink)

    def _compare(self, key: Key, side: exp.Expr, sink: Sink, branch: bool) -> None:
        found = value_operand(side, through_nullif=True)
        inner = bare(side)
        if found is SESSION:
            sink.constraints.append((key, IN_SESSION))
        elif isinstance(found, Operand):
            sink.constraints.append((key, Named((found,))))
        elif (array := any_of(inner)) is not None:
            self._any(key, array, sink, branch)
        elif isinstance(inner, exp.Column):
            sink.constraints.append((key, UNKNOWN))
            if (other := self._names.other_key(inner)) is not None:
                sink.links.append((key, other))
        elif isinstance(inner, GIVEN):
            sink.constraints.append((key, first_given(inner)))
            self._conditions.unknown(inner, sink)
        elif isinstance(inner, exp.Subquery) and not branch:
            self._from_subquery(key, inner, sink)
        else:
            sink.constraints.append((key, UNKNOWN))
            self._conditions.unknown(side, sink)

    def _any(self, key: Key, array: exp.Expr | None, sink: Sink, branch: bool) -> None:
        operands = array_operands(array)
        inner = query_of(array)
        if isinstance(inner, _SELECT_OR_SUBQUERY_OR_SETOPERATION):
            if branch:
                sink.constraints.append((key, UNKNOWN))
                self._conditions.unknown(inner, sink)
            else:
                self._from_subquery(key, inner, sink)
        elif operands is None:
            sink.constraints.append((key, UNKNOWN))
            if array is not None:
                self._conditions.unknown(array, sink)
        else:
            sink.constraints.append((key, Named(tuple(operands))))

    def _from_subquery(self, key: Key, query: exp.Expr, sink: Sink) -> None:
        """`tenant_id IN (SELECT tenant_id FROM …)`: the same tenants as the subquery's."""
        node = self._queries.projected(query, self._names, self._facts, sink, key)
        if node is not None:
            sink.constraints.append((key, node))

    def _tenant_of_query(self, query: exp.Expr, value: exp.Expr, sink: Sink) -> bool:
        """`:t = (SELECT a.tenant_id FROM a WHERE a.id = b.aid)`; False for any other."""
        operand = value_operand(value)
        select = unwrapped(query)
        if not isinstance(operand, Operand) or not isinstance(select, exp.Select):
            return False
        column = bare(select.expressions[0].unalias()) if len(select.expressions) == 1 else None
        if (
            not isinstance(column, exp.Column)
            or column.name.lower() not in self._names.vocabulary.columns
            or not reaches_outside(select, self._names)
        ):
            return False
        # As if it were compared inside, with EXISTS around it.
        key: Key = (next(self._names.numbers), column.name.lower())
        node = self._queries.projected(select, self._names, self._facts, sink, key)
        sink.constraints.append((key, Named((operand,))))
        if node is not None:
            sink.constraints.append((key, node))
        return True

    def in_list(self, node: exp.In, sink: Sink, branch: bool) -> None:
        """`tenant_id IN (…)`, and what else stands before IN."""
        query = node.args.get("query")
        key = self._conditions.key(node.this)
        if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Values):
            query = node.expressions[0]
        if query is not None:
            if key is not None and not branch:
                self._from_subquery(key, query, sink)
            elif not branch and (
                self._row_in_given(node.this, query, sink)
                or self._tenant_of_query(query, node.this, sink)
            ):
                pass
            elif branch or not self._conditions.restricts(query, node.this, sink):
                if key is not None:
                    sink.constraints.append((key, UNKNOWN))
                self._conditions.unknown(node, sink)
            return
        if key is not None:
            sink.constraints.append(
                (key, named([value_operand(item) for item in node.expressions]))
            )
            return
        this = bare(node.this)
        if (columns := elements(this)) is not None:
            self._row_in(columns, node, sink)
            return
        if isinstance(this, exp.Column) and self._names.has_several():
            self._other(this, [value_operand(item) for item in node.expressions], sink)
        self._conditions.unknown(node, sink)

    def _row_in_given(self, this: exp.Expr, query: exp.Expr, sink: Sink) -> bool:
        """`(id, tenant_id) IN (SELECT … FROM unnest(:ids, :tenants))`; False for any other."""
        keys = [self._conditions.key(column) for column in elements(bare(this)) or ()]
        if not any(keys):
            return False
        given = self._queries.derive(query, self._names, self._facts)
        if given.node is not CLEAR or given.star:
            return False
        found = [
            (key, given.values[name])
            for key, name in zip(keys, given.columns, strict=False)
            if key is not None and name in given.values
        ]
        sink.constraints += found
        return bool(found)

    def _row_in(self, columns: list[exp.Expr], node: exp.In, sink: Sink) -> None:
        """`(tenant_id, id) IN ((:t, 1), …)`."""
        for index, column in enumerate(columns):
            if (key := self._conditions.key(column)) is not None:
                rows = [elements(bare(item)) for item in node.expressions]
                values = [
                    value_operand(row[index]) if row is not None and index < len(row) else None
                    for row in rows
                ]
                sink.constraints.append((key, named(values)))


def named(values: Sequence[object]) -> Restriction:
    """A list of values, of which some may be the session's own or not known."""
    operands = [value for value in values if isinstance(value, Operand)]
    if len(operands) == len(values) and operands:
        return Named(tuple(operands))
    return IN_SESSION if values and all(value is SESSION for value in values) else UNKNOWN
