"""What a condition restricts: walks AND, OR, NOT and comparisons, and enters it into a Sink."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from tenantmetrics.tenant.sql.comparison_shapes import truth
from tenantmetrics.tenant.sql.evaluate_parameters import NEVER, Computed
from tenantmetrics.tenant.sql.join_connectivity import is_by_a_parameter_outside, reaches_outside
from tenantmetrics.tenant.sql.parameter_conditions import branches_of, computed
from tenantmetrics.tenant.sql.query_scope import UNKNOWN, Facts, Key, QueryScope, Sink
from tenantmetrics.tenant.sql.restrictions import Restriction
from tenantmetrics.tenant.sql.sqlglot_trees import outside_queries
from tenantmetrics.tenant.sql.tenant_comparisons import ComparedColumns, named
from tenantmetrics.tenant.sql.value_expressions import bare, function_name, value_operand

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.queries import Queries

__all__ = ["Conditions"]

# Tuples, because `A | B` inside isinstance() is built anew at each call.
_PAREN_OR_NOT = (exp.Paren, exp.Not)

_EQUAL = (exp.EQ, exp.NullSafeEQ)
_DIFFERENT = (exp.NEQ, exp.NullSafeNEQ)
_CONDITION_STEPS = 3
_Parts = list[tuple[tuple[tuple[Computed, bool], ...], exp.Expr | None]]


class Conditions:
    """The conditions of one query.

    Args:
        queries: Analyses the subqueries that are met.
        names: What the columns mean.
        facts: What is known of the query; subqueries that restrict nothing are left there.
    """

    def __init__(self, queries: Queries, names: QueryScope, facts: Facts) -> None:
        self._queries = queries
        self._names = names
        self._facts = facts
        self._compared = ComparedColumns(self, queries, names, facts)

    def add(  # noqa: C901 - one connective a branch
        self, condition: exp.Expr | None, sink: Sink, *, negated: bool = False, branch: bool = False
    ) -> None:
        """Enter a condition.

        Args:
            condition: An expression that is true for the rows that stay.
            sink: Where it holds.
            negated: It stands under NOT.
            branch: It stands under OR: its subqueries restrict nothing.
        """
        # A loop for long chains: a thousand ANDs are a thousand levels of the tree.
        todo: list[tuple[exp.Expr | None, bool]] = [(condition, negated)]
        while todo:
            node, under_not = todo.pop()
            self._names.budget.spend(_CONDITION_STEPS)
            if (
                node.__class__ is exp.EQ
                and not under_not
                and node.expression.__class__ is not exp.Boolean
            ):
                # Most conditions by far; it is one that truth() sees through, or no connective.
                if branch and (test := computed(node)) is not None:
                    sink.guards.append((test, True))
                    continue
                self._compared.equal(node.this, node.expression, sink, branch)
                continue
            while isinstance(node, _PAREN_OR_NOT):
                under_not ^= isinstance(node, exp.Not)
                node = node.this
            if isinstance(node, exp.Or if under_not else exp.And):
                todo.append((node.expression, under_not))
                todo.append((node.this, under_not))
            elif isinstance(node, exp.And if under_not else exp.Or):
                self._either(node, sink, under_not)
            elif branch and (test := computed(node)) is not None:
                sink.guards.append((test, not under_not))
            elif isinstance(node, exp.Case) and (parts := branches_of(node)) is not None:
                self._case(parts, sink, under_not)
            elif node is not None:
                inner = truth(node, under_not)
                if inner is not None:
                    todo.append((inner[0], under_not ^ inner[1]))
                else:
                    self._leaf(node, sink, under_not, branch)

    def _either(self, node: exp.Expr, sink: Sink, negated: bool) -> None:
        kind = type(node)
        branches: list[Sink] = []
        todo: list[exp.Expr] = [node]
        while todo:
            part: exp.Expr = todo.pop()
            while isinstance(part, exp.Paren):
                part = part.this
            if type(part) is kind:
                todo += [part.expression, part.this]
                continue
            inside = Sink()
            self.add(part, inside, negated=negated, branch=True)
            branches.append(inside)
        sink.choices.append(branches)

    def _case(self, parts: _Parts, sink: Sink, negated: bool) -> None:
        """`CASE WHEN :all THEN true ELSE tenant_id = :t END`: an OR that parameters decide."""
        branches: list[Sink] = []
        for tests, part in parts:
            if part is not None:
                inside = Sink(guards=list(tests))
                self.add(part, inside, negated=negated, branch=True)
                branches.append(inside)
        sink.choices.append(branches)

    def _leaf(self, node: exp.Expr, sink: Sink, negated: bool, branch: bool) -> None:
        equal = _DIFFERENT if negated else _EQUAL
        if isinstance(node, equal):
            self._compared.equal(node.this, node.expression, sink, branch)
        elif isinstance(node, exp.In) and not negated:
            self._compared.in_list(node, sink, branch)
        elif isinstance(node, exp.Exists) and not negated and not branch:
            if not self.restricts(node.this, None, sink):
                self.unknown(node, sink)
        elif isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            self._null(node, sink, negated ^ bool(node.args.get("negate")))
        elif isinstance(node, exp.Boolean):
            if bool(node.this) is negated:
                sink.guards.append((NEVER, True))
        elif not negated and not branch and (named := self._function(node)) is not None:
            sink.parts.append(named)
        else:
            self.unknown(node, sink)

    def restricts(self, query: exp.Expr, compared: exp.Expr | None, sink: Sink) -> bool:
        """Enter a subquery that must give a row, if that says anything of the query around it.

        `:u IN (SELECT user_id FROM members WHERE tenant_id = :t)` holds for all rows or for none.

        Args:
            query: The subquery.
            compared: What its rows are compared with; None for EXISTS.
            sink: Gets its restrictions.
        """
        tied = compared is not None and any(
            isinstance(part, exp.Column) for part in outside_queries(compared)
        )
        tied = tied or reaches_outside(query, self._names)
        tied = tied or is_by_a_parameter_outside(query, self._names.budget)
        inside = Sink()
        if not tied or not self._queries.restrict(
            query, self._names, self._facts, inside, compared=compared is not None
        ):
            return False
        sink.take(inside)
        return True

    def _function(self, node: exp.Expr) -> Restriction | None:
        """`WHERE visible_to(:t)`, where that function is configured to take a tenant."""
        call = node.expression if isinstance(node, exp.Dot) else node
        position = self._names.vocabulary.functions.get(function_name(call))
        if position is None:
            return None
        arguments = call.expressions[position : position + 1]
        return named([value_operand(argument) for argument in arguments])

    def _null(self, node: exp.Is, sink: Sink, negated: bool) -> None:
        """`:p IS NULL` is known before the call; `tenant_id IS NOT NULL` restricts nothing."""
        if not negated and self._names.vocabulary.shared_rows and self.key(node.this) is not None:
            # Rows that are nobody's: under OR only the other branches tell whose they are.
            sink.guards.append((NEVER, True))
            return
        if computed(node.this) is None and not negated:
            self.unknown(node, sink)

    def key(self, side: exp.Expr) -> Key | None:
        """The tenant column that one side is, None if it is none."""
        column = bare(side)
        return self._names.key(column) if isinstance(column, exp.Column) else None

    def unknown(self, node: exp.Expr, sink: Sink) -> None:
        """Tenant columns used in another way than to name a tenant; subqueries beside it all."""
        for part in self._queries.outside_subqueries(node, self._names, self._facts):
            if isinstance(part, exp.Column):
                key = self._names.key(part)
                if key is not None:
                    sink.constraints.append((key, UNKNOWN))
