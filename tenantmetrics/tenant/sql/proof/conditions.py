"""What conditions close: a tenant column compared with a value, keys that two sources share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from tenantmetrics.tenant.sql.comparison_shapes import any_of, elements, pairs_of, query_of, truth
from tenantmetrics.tenant.sql.evaluate_parameters import NEVER, Computed
from tenantmetrics.tenant.sql.given_values import GIVEN, first_given
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.parameter_conditions import branches_of, computed
from tenantmetrics.tenant.sql.proof.columns import Output, ReachScope
from tenantmetrics.tenant.sql.proof.joins import Holds, Part, conjuncts
from tenantmetrics.tenant.sql.proof.key_names import is_key_name
from tenantmetrics.tenant.sql.proof.ties import Branch
from tenantmetrics.tenant.sql.restrictions import (
    CLEAR,
    Either,
    Fixed,
    Guarded,
    Named,
    Restriction,
    Same,
    State,
    Touched,
)
from tenantmetrics.tenant.sql.sqlglot_trees import unwrapped
from tenantmetrics.tenant.sql.value_expressions import (
    SESSION,
    array_operands,
    bare,
    function_name,
    value_operand,
)

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.proof.closing import Reach

__all__ = ["ReachConditions"]

_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery)
_IN_SESSION = Fixed(Touched(State.SESSION))
_OPEN = Fixed(Touched(State.OPEN))


_Guards = list[tuple[Computed, bool]]


class ReachConditions:
    """The conditions of one statement.

    Args:
        reach: Takes the queries in them.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._graph = reach.graph
        self._columns = reach.vocabulary.columns
        self._ties = reach.ties

    def take(self, node: exp.Expr, negated: bool, scope: ReachScope, holds: Holds) -> None:  # noqa: C901, PLR0912
        """Take a condition that is no AND.

        Args:
            node: The condition.
            negated: It stands under NOT.
            scope: What its columns mean.
            holds: For which sources it holds.
        """
        self._graph.budget.spend(4)
        if self._ties.branch is not None and (test := computed(node)) is not None:
            self._ties.branch.guards.append((test, not negated))
            return
        if isinstance(node, exp.Case) and (found := branches_of(node)) is not None:
            self._chosen(
                [(list(tests), [(part, negated)]) for tests, part in found if part is not None],
                scope,
                holds,
            )
            return
        inner = truth(node, negated)
        if inner is not None:
            for part, under_not in conjuncts(inner[0], negated=negated ^ inner[1]):
                self.take(part, under_not, scope, holds)
        elif isinstance(node, exp.And if negated else exp.Or):
            self._either(node, negated, scope, holds)
        elif isinstance(node, exp.NEQ if negated else exp.EQ):
            self._equal(node.this, node.expression, scope, holds)
        elif isinstance(node, exp.NullSafeNEQ if negated else exp.NullSafeEQ):
            self._null_safe(node, scope, holds)
        elif isinstance(node, exp.In) and not negated:
            self._in(node, scope, holds)
        elif isinstance(node, exp.Exists) and not negated:
            self._exists(node.this, None, scope, holds)
        elif isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            is_null = not (negated ^ bool(node.args.get("negate")))
            output = (
                self._ties.side(node.this, scope)
                if is_null and self._ties.branch is not None
                else None
            )
            if (
                self._ties.branch is not None
                and output is not None
                and output.name in self._columns
                and self._reach.vocabulary.shared_rows
            ):
                for source in output.sources if output.inward else ():
                    self._ties.restrict_source(source, CLEAR, holds, shared=True)
            self.opaque(node, scope)
        elif isinstance(node, exp.Boolean):
            if bool(node.this) is negated and self._ties.branch is not None:
                self._ties.branch.guards.append((NEVER, True))
        elif not negated and (named := self._function(node)) is not None:
            for binding in scope.bindings.values():
                for output in (*binding.relation.outputs.values(), binding.relation.star):
                    for source in output.sources if output is not None else ():
                        self._ties.restrict_source(source, named, holds)
        else:
            self.opaque(node, scope)

    def opaque(self, node: exp.Expr, scope: ReachScope) -> None:
        """An expression that closes nothing; the queries in it have to be closed themselves."""
        branch, self._ties.branch = self._ties.branch, None
        todo = [node]
        while todo:
            part = todo.pop()
            self._graph.budget.spend(1)
            if isinstance(part, _QUERIES):
                self._reach.query(part, scope, Holds().within(self._graph.next))
            else:
                todo.extend(part.iter_expressions())
        self._ties.branch = branch

    def _either(self, node: exp.Expr, negated: bool, scope: ReachScope, holds: Holds) -> None:
        kind = type(node)
        parts: list[exp.Expr] = []
        todo: list[exp.Expr] = [node]
        while todo:
            part = todo.pop()
            while isinstance(part, exp.Paren):
                part = part.this
            if type(part) is kind:
                todo += [part.expression, part.this]
            else:
                parts.append(part)
        self._chosen([([], conjuncts(part, negated=negated)) for part in parts], scope, holds)

    def _chosen(
        self, parts: list[tuple[_Guards, list[Part]]], scope: ReachScope, holds: Holds
    ) -> None:
        """Take branches of which one holds.

        Args:
            parts: Of each branch the tests of parameters that it needs, and its conditions.
            scope: What names mean.
            holds: For which sources the whole holds.
        """
        around = self._ties.branch
        branches: list[Branch] = []
        for guards, conditions in parts:
            self._ties.branch = Branch(guards=guards)
            for condition, negated in conditions:
                for part, under_not in conjuncts(condition, negated=negated):
                    self.take(part, under_not, scope, holds)
            branches.append(self._ties.branch)
        self._ties.branch = around
        for source in dict.fromkeys(s for branch in branches for s in branch.restricted):
            if all(source in branch.restricted or branch.guards for branch in branches):
                choices = tuple(
                    Guarded(_same(branch.restricted.get(source)), tuple(branch.guards))
                    for branch in branches
                )
                shared = any(source in branch.shared for branch in branches)
                self._ties.restrict_source(source, Either(choices), holds, shared=shared)
        common = set.intersection(*(branch.edges for branch in branches))
        for starts, end in common:
            self._ties.edge(starts, end)

    def _equal(self, left: exp.Expr, right: exp.Expr, scope: ReachScope, holds: Holds) -> None:
        pairs = pairs_of(left, right)
        if pairs is not None:
            for one_side, other_side in pairs:
                self._equal(one_side, other_side, scope, holds)
            return
        first, second = self._ties.side(left, scope), self._ties.side(right, scope)
        if first is not None and second is not None:
            self._ties.tie(first, second, holds)
            return
        for output, this, other in ((first, left, right), (second, right, left)):
            if self._compared(output, this, other, scope, holds):
                return
        self.opaque(left, scope)
        self.opaque(right, scope)

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
                named = _IN_SESSION if value is SESSION else Named((value,))
                self._ties.restrict(output, named, holds)
                return True
            return False
        if isinstance(query, _QUERIES):
            self._exists(query, this, scope, holds)
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
                self._ties.tie(output, element._replace(name="\0"), holds)
                return True
        if isinstance(inner, GIVEN) and output.name in self._columns:
            self._ties.restrict(output, first_given(inner), holds)
        return False

    def _null_safe(self, node: exp.Expr, scope: ReachScope, holds: Holds) -> None:
        """Two NULLs are equal here: it ties tenants' columns alone."""
        first, second = self._ties.side(node.this, scope), self._ties.side(node.expression, scope)
        if first is not None and second is not None:
            if first.name in self._columns and second.name in self._columns:
                self._ties.tie(first, second, holds)
            return
        for output, other in ((first, node.expression), (second, node.this)):
            value = value_operand(other)
            if output is not None and output.name in self._columns and value is not None:
                named = _IN_SESSION if value is SESSION else Named((value,))
                self._ties.restrict(output, named, holds)
                return
        self.opaque(node, scope)

    def _in(self, node: exp.In, scope: ReachScope, holds: Holds) -> None:
        query = node.args.get("query")
        if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Values):
            query = node.expressions[0]
        if query is not None:
            self._exists(query, node.this, scope, holds)
            return
        output = self._ties.side(node.this, scope)
        if output is not None:
            values = [value_operand(item) for item in node.expressions]
            operands = [value for value in values if isinstance(value, Operand)]
            if operands and len(operands) == len(values):
                self._ties.restrict(output, Named(tuple(operands)), holds)
                return
            if values and all(value is SESSION for value in values):
                self._ties.restrict(output, _IN_SESSION, holds)
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
        self.opaque(node, scope)

    def _exists(
        self, query: exp.Expr, compared: exp.Expr | None, scope: ReachScope, holds: Holds
    ) -> None:
        """A query of which a row has to exist, and to be equal to what it is compared with."""
        if self._ties.branch is not None:
            # Under OR it has to exist for some rows only.
            self.opaque(query, scope)
            if compared is not None:
                self.opaque(compared, scope)
            return
        node = unwrapped(query)
        one_row = (
            isinstance(node, exp.Select)
            and node.args.get("group") is None
            and any(part.find(exp.AggFunc) is not None for part in node.expressions)
        )
        extreme = (
            one_row
            and compared is not None
            and len(node.expressions) == 1
            and isinstance(node.expressions[0].unalias(), exp.Max | exp.Min)
        )
        start = self._graph.next
        needed = not one_row or extreme
        relation = self._reach.query(query, scope, holds, needed=needed)
        if compared is None or not needed:
            if compared is not None:
                self.opaque(compared, scope)
            return
        within = holds.within(start)
        sides = elements(bare(compared)) or [compared]
        outputs = list(relation.outputs.values())
        if not outputs and relation.star is not None and len(sides) == 1:
            outputs = [relation.star]
        for side, output in zip(sides, outputs, strict=False):
            column = self._ties.side(side, scope)
            if column is not None:
                self._ties.tie(column, output, within)
            else:
                value = value_operand(side)
                if isinstance(value, Operand):
                    self._ties.restrict(output, Named((value,)), within)
                self.opaque(side, scope)

    def _function(self, node: exp.Expr) -> Restriction | None:
        """`WHERE visible_to(:t)`, where that function is configured to take a tenant."""
        call = node.expression if isinstance(node, exp.Dot) else node
        position = self._reach.vocabulary.functions.get(function_name(call))
        if position is None:
            return None
        argument = call.expressions[position : position + 1]
        value = value_operand(argument[0]) if argument else None
        if value is SESSION:
            return _IN_SESSION
        return Named((value,)) if isinstance(value, Operand) else None


def _same(nodes: list[Restriction] | None) -> Restriction:
    if not nodes:
        return _OPEN
    return nodes[0] if len(nodes) == 1 else Same(tuple(nodes))
