"""What comparisons close: a tenant column and a value, keys of two sources, what a query gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlglot import exp

from tenantmetrics.tenant.sql.aggregates import gives_one_row, gives_only_an_extreme
from tenantmetrics.tenant.sql.any_array import any_of, array_operands, query_of
from tenantmetrics.tenant.sql.comparison_shapes import elements, pairs_of
from tenantmetrics.tenant.sql.given_values import GIVEN, first_given
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.proof.columns import Output, ReachScope, Relation, unnamed
from tenantmetrics.tenant.sql.proof.joins import Holds
from tenantmetrics.tenant.sql.proof.key_names import is_key_name
from tenantmetrics.tenant.sql.restrictions import (
    IN_SESSION,
    Named,
)
from tenantmetrics.tenant.sql.sqlglot_trees import unwrapped
from tenantmetrics.tenant.sql.value_expressions import (
    SESSION,
    bare,
    value_operand,
)

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.proof.closing import Reach
    from tenantmetrics.tenant.sql.proof.conditions import ReachConditions

__all__ = ["ReachComparisons"]

_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery)


class ReachComparisons:
    """The comparisons of one statement.

    Args:
        reach: Takes the queries in them.
        conditions: Takes what closes nothing.
    """

    def __init__(self, reach: Reach, conditions: ReachConditions) -> None:
        self._reach = reach
        self._graph = reach.graph
        self._columns = reach.vocabulary.columns
        self._ties = reach.ties
        self._conditions = conditions

    def equal(self, left: exp.Expr, right: exp.Expr, scope: ReachScope, holds: Holds) -> None:
        """`left = right`."""
        pairs = pairs_of(left, right)
        if pairs is not None:
            for one_side, other_side in pairs:
                self.equal(one_side, other_side, scope, holds)
            return
        first, second = self._ties.side(left, scope), self._ties.side(right, scope)
        if first is not None and second is not None:
            self._ties.tie(first, second, holds)
            return
        for output, this, other in ((first, left, right), (second, right, left)):
            if self._compared(output, this, other, scope, holds):
                return
        self._conditions.opaque(left, scope)
        self._conditions.opaque(right, scope)

    def _compared(  # noqa: PLR0911 - one kind a line
        self,
        output: Output | None,
        this: exp.Expr,
        other: exp.Expr,
        scope: ReachScope,
        holds: Holds,
    ) -> bool:
        """Take a column that is equal to something else; False where it is nothing that is read."""
        inner = bare(other)
        array = any_of(inner)
        query = query_of(array) if array is not None else inner
        value = value_operand(other, through_nullif=True) if array is None else None
        if value is not None:
            if output is not None:
                named = IN_SESSION if value is SESSION else Named((value,))
                self._ties.restrict(output, named, holds)
                if isinstance(value, Operand) and value.parameter is not None:
                    self._ties.same_row.keyed(value.parameter, output, scope, holds)
                return True
            return False
        if isinstance(query, _QUERIES):
            self.exists(query, this, scope, holds)
            return True
        if output is None:
            return False
        if array is not None:
            operands = array_operands(array)
            if operands is not None:
                self._ties.restrict(output, Named(tuple(operands)), holds)
                return True
            element = self._ties.side(array, scope)
            if element is not None:
                self._ties.tie(output, element._replace(name=unnamed("\0", element.name)), holds)
                return True
        if isinstance(inner, GIVEN) and output.name in self._columns:
            self._ties.restrict(output, first_given(inner), holds)
        return False

    def null_safe(self, node: exp.Expr, scope: ReachScope, holds: Holds) -> None:
        """Two NULLs are equal here: it ties tenants' columns alone."""
        first, second = self._ties.side(node.this, scope), self._ties.side(node.expression, scope)
        if first is not None and second is not None:
            if first.name in self._columns and second.name in self._columns:
                self._ties.tie(first, second, holds)
            return
        for output, other in ((first, node.expression), (second, node.this)):
            value = value_operand(other)
            if output is not None and output.name in self._columns and value is not None:
                named = IN_SESSION if value is SESSION else Named((value,))
                self._ties.restrict(output, named, holds)
                return
        self._conditions.opaque(node, scope)

    def in_list(self, node: exp.In, scope: ReachScope, holds: Holds) -> None:
        """`column IN (…)`: values, columns, rows or a query."""
        query = node.args.get("query")
        if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Values):
            query = node.expressions[0]
        if query is not None:
            self.exists(query, node.this, scope, holds)
            return
        output = self._ties.side(node.this, scope)
        if output is not None:
            values = [value_operand(item) for item in node.expressions]
            operands = [value for value in values if isinstance(value, Operand)]
            if operands and len(operands) == len(values):
                self._ties.restrict(output, Named(tuple(operands)), holds)
                return
            if values and all(value is SESSION for value in values):
                self._ties.restrict(output, IN_SESSION, holds)
                return
            sides = [self._ties.side(item, scope) for item in node.expressions]
            sources = {side.sources for side in sides if side is not None}
            if all(sides) and len(sources) == 1 and all(is_key_name(s.name) for s in sides if s):
                self._ties.tie(output, next(side for side in sides if side is not None), holds)
                return
        elif (columns := elements(bare(node.this))) is not None:
            rows = [elements(bare(item)) for item in node.expressions]
            for index, column in enumerate(columns):
                side = self._ties.side(column, scope)
                values = [
                    value_operand(row[index]) if row is not None and index < len(row) else None
                    for row in rows
                ]
                operands = [value for value in values if isinstance(value, Operand)]
                if side is not None and operands and len(operands) == len(values):
                    self._ties.restrict(side, Named(tuple(operands)), holds)
        self._conditions.opaque(node, scope)

    def exists(
        self, query: exp.Expr, compared: exp.Expr | None, scope: ReachScope, holds: Holds
    ) -> None:
        """A query of which a row has to exist, and to be equal to what it is compared with."""
        if self._ties.branch is not None:
            # Under OR it has to exist for some rows only.
            self._looked_up(query, compared, scope)
            return
        node = unwrapped(query)
        one_row = isinstance(node, exp.Select) and gives_one_row(node)
        extreme = (
            isinstance(node, exp.Select)
            and one_row
            and compared is not None
            and gives_only_an_extreme(node)
        )
        start = self._graph.next
        needed = not one_row or extreme
        relation = self._reach.query(query, scope, holds, needed=needed)
        if compared is None or not needed:
            if compared is not None:
                self._conditions.opaque(compared, scope)
            return
        within = holds.within(start)
        for side, output in _sides(compared, relation):
            column = self._ties.side(side, scope)
            if column is not None:
                self._ties.tie(column, output, within)
            else:
                value = value_operand(side)
                if isinstance(value, Operand):
                    self._ties.restrict(output, Named((value,)), within)
                self._conditions.opaque(side, scope)

    def _looked_up(self, query: exp.Expr, compared: exp.Expr | None, scope: ReachScope) -> None:
        """`public OR id IN (SELECT …)`: of its rows only those that are equal have a part.

        Whether the others are NULL does not matter here: a condition that is NULL keeps no row.
        """
        branch, self._ties.branch = self._ties.branch, None
        start = self._graph.next
        node = unwrapped(query)
        if compared is None or (isinstance(node, exp.Select) and gives_one_row(node)):
            for part in (query, compared):
                if part is not None:
                    self._conditions.opaque(part, scope)
        else:
            within = Holds().within(start)
            relation = self._reach.query(query, scope, within)
            for side, output in _sides(compared, relation):
                column = self._ties.side(side, scope)
                if column is not None:
                    self._ties.tie(column, output, within)
                else:
                    self._conditions.opaque(side, scope)
        self._ties.branch = branch


def _sides(compared: exp.Expr, relation: Relation) -> Iterator[tuple[exp.Expr, Output]]:
    """What is compared, each with the column of a query that it is equal to."""
    sides = elements(bare(compared)) or [compared]
    outputs = list(relation.outputs.values())
    if outputs and relation.star is not None:
        # `SELECT b.*, id`: which of them is in which place is not known.
        outputs = [Output()] * len(sides)
    if not outputs and relation.star is not None and len(sides) == 1:
        outputs = [relation.star]
    return zip(sides, outputs, strict=False)
