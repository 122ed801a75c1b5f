"""What conditions close: AND, OR, CASE and NOT, down to the comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from tenantmetrics.tenant.sql.comparison_shapes import truth
from tenantmetrics.tenant.sql.evaluate_parameters import NEVER, Computed
from tenantmetrics.tenant.sql.parameter_conditions import branches_of, computed
from tenantmetrics.tenant.sql.proof.columns import ReachScope
from tenantmetrics.tenant.sql.proof.comparisons import ReachComparisons
from tenantmetrics.tenant.sql.proof.joins import Holds, Part, conjuncts
from tenantmetrics.tenant.sql.proof.ties import Branch
from tenantmetrics.tenant.sql.restrictions import (
    CLEAR,
    OPEN,
    UNKNOWN,
    Either,
    Guarded,
    Restriction,
    Same,
)
from tenantmetrics.tenant.sql.session_calls import tenant_of_call
from tenantmetrics.tenant.sql.value_expressions import (
    function_name,
)

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.proof.closing import Reach

__all__ = ["ReachConditions"]

_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery)


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
        self._comparisons = ReachComparisons(reach, self)

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
        elif isinstance(node, exp.NEQ if negated else exp.EQ) and not (
            # `NOT a <> ANY (…)` is `a = ALL (…)`, which is true of every row where there is none.
            negated and isinstance(node.expression, exp.Any)
        ):
            self._comparisons.equal(node.this, node.expression, scope, holds)
        elif isinstance(node, exp.NullSafeNEQ if negated else exp.NullSafeEQ):
            self._comparisons.null_safe(node, scope, holds)
        elif isinstance(node, exp.In) and not negated:
            self._comparisons.in_list(node, scope, holds)
        elif isinstance(node, exp.Exists) and not negated:
            self._comparisons.exists(node.this, None, scope, holds)
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
        elif isinstance(node, exp.Case) and not negated:
            self._case(node, scope, holds)
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

    def _case(self, node: exp.Case, scope: ReachScope, holds: Holds) -> None:
        """`CASE WHEN private THEN id IN (SELECT …) ELSE true END`: one of what it gives holds."""
        ifs = node.args.get("ifs") or []
        for test in (node.this, *(part.this for part in ifs)):
            if test is not None:
                self.opaque(test, scope)
        given = [*(part.args.get("true") for part in ifs), node.args.get("default")]
        # Without ELSE it gives NULL, which keeps no row.
        branches: list[tuple[_Guards, list[Part]]] = [
            ([], [(part, False)]) for part in given if part is not None
        ]
        self._chosen(branches, scope, holds)

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

    def _function(self, node: exp.Expr) -> Restriction | None:
        """`WHERE visible_to(:t)`, where that function is configured to take a tenant."""
        call = node.expression if isinstance(node, exp.Dot) else node
        position = self._reach.vocabulary.functions.get(function_name(call))
        if position is None:
            return None
        found = tenant_of_call(call, position)
        return None if found is UNKNOWN else found


def _same(nodes: list[Restriction] | None) -> Restriction:
    if not nodes:
        return OPEN
    return nodes[0] if len(nodes) == 1 else Same(tuple(nodes))
