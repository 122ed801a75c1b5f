"""The proof that the rows of a statement are some tenants' alone.

The analysis of `queries` says whom a statement names. This one asks of each table in it, wherever
it stands, whether the rows of anybody else could have a part in what comes back or is changed. One
table that is not closed makes the statement undecided.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.aggregates import makes_one_row
from tenantmetrics.tenant.sql.budget import Budget
from tenantmetrics.tenant.sql.proof.changes import ReachChanges
from tenantmetrics.tenant.sql.proof.columns import Output, ReachScope, Relation
from tenantmetrics.tenant.sql.proof.conditions import ReachConditions
from tenantmetrics.tenant.sql.proof.graph import ReachGraph
from tenantmetrics.tenant.sql.proof.joins import Holds, Leaf, Tree, conjuncts, effective
from tenantmetrics.tenant.sql.proof.outputs import ReachOutputs
from tenantmetrics.tenant.sql.proof.relations import (
    united,
    without_inward,
    without_inward_to_outer,
)
from tenantmetrics.tenant.sql.proof.sources import ReachSources
from tenantmetrics.tenant.sql.proof.ties import ReachTies
from tenantmetrics.tenant.sql.proof.with_queries import ReachWithQueries
from tenantmetrics.tenant.sql.restrictions import Restriction
from tenantmetrics.tenant.sql.sqlglot_trees import read_from, unwrapped

__all__ = ["closing_restrictions"]

_MAX_LEVELS = 60
_OF_BRACKETS = ("order", "limit", "offset")
_OF_SELECT = ("expressions", "having", "group", "distinct", "windows", *_OF_BRACKETS)


def closing_restrictions(
    statement: exp.Expr, vocabulary: Vocabulary, budget: Budget
) -> list[list[list[Restriction]]] | None:
    """What restricts the tables of a statement, in groups that restrict each other.

    Args:
        statement: The whole statement.
        vocabulary: The tenant's names.
        budget: The steps that the analysis may take.

    Returns:
        For each group, for each source in it its restrictions; None if a table is not closed.
    """
    reach = Reach(vocabulary, budget)
    reach.query(statement, ReachScope(None, vocabulary), Holds())
    return reach.finish()


class Reach:
    """One statement's proof.

    Args:
        vocabulary: The tenant's names.
        budget: The steps that it may take.
    """

    def __init__(self, vocabulary: Vocabulary, budget: Budget) -> None:
        self.vocabulary = vocabulary
        self.graph = ReachGraph(budget)
        self.ties = ReachTies(self)
        self.conditions = ReachConditions(self)
        self.sources = ReachSources(self)
        self.with_queries = ReachWithQueries(self)
        self.outputs = ReachOutputs(self)
        self.changes = ReachChanges(self)
        self._budget = budget
        self._levels = 0

    def finish(self) -> list[list[list[Restriction]]] | None:
        """The restrictions that close all tables; None if they do not."""
        self.ties.finish()
        self.with_queries.finish()
        return self.graph.closing()

    def query(
        self, node: exp.Expr, scope: ReachScope, holds: Holds, *, needed: bool = False
    ) -> Relation:
        """Take a query or a change.

        Args:
            node: SELECT, UNION, VALUES, TABLE, INSERT, UPDATE, DELETE or MERGE.
            scope: What its outer names mean.
            holds: Where the condition that it stands in holds.
            needed: A row of it has to exist, so that what it says of outer rows holds for them.
        """
        self._budget.spend(5)
        self._levels += 1
        try:
            if self._levels > _MAX_LEVELS:
                self.graph.source(table=True)
                return Relation(star=Output())
            return self._query(node, scope, holds, needed=needed)
        finally:
            self._levels -= 1

    def _query(self, node: exp.Expr, scope: ReachScope, holds: Holds, *, needed: bool) -> Relation:
        cut = any(
            part.args.get(key) is not None
            for part in _wrappers(node)
            for key in ("limit", "offset")
        )
        start = self.graph.next
        for part in _wrappers(node):
            self._beside(part, _OF_BRACKETS, scope)
        node = unwrapped(node)
        if isinstance(node, exp.Subquery):
            inner = ReachScope(scope, self.vocabulary)
            self.with_queries.enter(node, inner)
            relation = self.query(node.this, inner, holds, needed=needed)
        elif isinstance(node, exp.Select):
            relation = self._select(node, scope, holds, needed=needed)
        elif isinstance(node, exp.SetOperation):
            relation = self._set_operation(node, scope)
        elif isinstance(node, exp.Values):
            relation = self.sources.values(node, scope)
        elif isinstance(node, exp.Table):
            inner = ReachScope(scope, self.vocabulary)
            # TABLE a, or a join in parentheses that has a name.
            self.filtered(self.sources.trees([node], inner, holds), None, inner, holds)
            relation = self.outputs.of_all(inner)
        else:
            relation = self.changes.change(node, scope)
        if cut:
            without_inward(relation)
        relation.tables = self.graph.read_since(start)
        return relation

    def _select(
        self, node: exp.Select, outer: ReachScope, holds: Holds, *, needed: bool
    ) -> Relation:
        scope = ReachScope(outer, self.vocabulary)
        scope.makes_one_row = makes_one_row(node)
        start = self.graph.next
        inside = (holds if needed else Holds()).within(start)
        self.with_queries.enter(node, scope)
        trees = self.sources.trees(read_from(node), scope, inside)
        where = node.args.get("where")
        self.filtered(trees, where.this if where is not None else None, scope, inside)
        self.beside_select(node, scope)
        return self.outputs.of_select(node, scope)

    def beside_select(self, node: exp.Select, scope: ReachScope) -> None:
        """Take the queries in all clauses of a SELECT but FROM, its joins and WHERE."""
        self._beside(node, _OF_SELECT, scope)

    def _beside(self, node: exp.Expr, clauses: Sequence[str], scope: ReachScope) -> None:
        """Take the queries in clauses that restrict nothing: `OFFSET (SELECT count(*) FROM a)`."""
        for key in clauses:
            part = node.args.get(key)
            for expression in part if isinstance(part, list) else [part]:
                if isinstance(expression, exp.Expr):
                    self.conditions.opaque(expression, scope)

    def filtered(
        self,
        trees: Sequence[Tree | Leaf],
        condition: exp.Expr | None,
        scope: ReachScope,
        holds: Holds,
    ) -> None:
        """Take the joins and the WHERE over them."""
        parts = conjuncts(condition)
        rejected: set[int] = set()
        if any(isinstance(tree, Tree) for tree in trees):
            rejected = {number for part, _ in parts for number in self.ties.needed_by(part, scope)}
        for tree in trees:
            self._joined(tree, rejected, scope, holds)
        for part, negated in parts:
            self.conditions.take(part, negated, scope, holds)

    def _joined(
        self, tree: Tree | Leaf, rejected: set[int], scope: ReachScope, holds: Holds
    ) -> None:
        """Take a tree of joins.

        Args:
            tree: The tree.
            rejected: Sources that every row that stays has.
            scope: What names mean.
            holds: Where conditions hold that every row of the tree meets.
        """
        if isinstance(tree, Leaf):
            return
        side = effective(tree, rejected)
        needs = {number for part, _ in tree.on for number in self.ties.needed_by(part, scope)}
        within = Holds(((tree.low, tree.high),))
        of_left = Holds(((tree.left.low, tree.left.high),))
        of_right = Holds(((tree.right.low, tree.right.high),))
        sides = (*of_left.ranges, *of_right.ranges)
        if side == "":
            # What is outside may be closed by it only where nothing makes its rows optional.
            ons, left, right = Holds((*within.ranges, *holds.ranges)), holds, holds
            of_sides = (rejected | needs, rejected | needs)
        elif side == "LEFT":
            ons, left, right = Holds(of_right.ranges, sides), holds, of_right
            of_sides = (rejected, needs)
        elif side == "RIGHT":
            ons, left, right = Holds(of_left.ranges, sides), of_left, holds
            of_sides = (needs, rejected)
        else:
            ons, left, right = Holds((), sides), of_left, of_right
            of_sides = (set(), set())
        self._joined(tree.left, of_sides[0], scope, left)
        self._joined(tree.right, of_sides[1], scope, right)
        for part, negated in tree.on:
            self.conditions.take(part, negated, scope, ons)
        for name in tree.using:
            self.ties.tie_using(name, tree, scope, ons)
        for name in (*self.vocabulary.columns, "id") if tree.natural else ():
            self.ties.tie_using(name, tree, scope, ons, natural=True)

    def _set_operation(self, node: exp.SetOperation, outer: ReachScope) -> Relation:
        scope = ReachScope(outer, self.vocabulary)
        self.with_queries.enter(node, scope)
        start = self.graph.next
        operations: list[exp.SetOperation] = []
        cut = False
        left: exp.Expr = node
        while isinstance(left, exp.SetOperation):
            cut = cut or any(left.args.get(key) is not None for key in ("limit", "offset"))
            operations.append(left)
            self._beside(left, _OF_BRACKETS, scope)
            left = left.this
            while isinstance(left, exp.Subquery | exp.Paren) and isinstance(
                unwrapped(left), exp.SetOperation
            ):
                for part in _wrappers(left):
                    self._beside(part, _OF_BRACKETS, scope)
                cut = cut or any(left.args.get(key) is not None for key in ("limit", "offset"))
                left = unwrapped(left)
        relations = [self.query(left, scope, Holds().within(self.graph.next))]
        for operation in reversed(operations):
            right = self.query(operation.expression, scope, Holds().within(self.graph.next))
            if not isinstance(operation, exp.Union):
                relations = [united(relations)]
                both = isinstance(operation, exp.Intersect)
                self._shared_rows(relations[0], right, Holds().within(start), both=both)
            relations.append(right)
        found = united(relations)
        if cut:
            without_inward(found)
        else:
            without_inward_to_outer(found, start)
        return found

    def _shared_rows(self, left: Relation, right: Relation, holds: Holds, *, both: bool) -> None:
        """INTERSECT and EXCEPT compare whole rows; NULL is equal to NULL there, but no id is one.

        Args:
            left: The first side.
            right: The second.
            holds: The sources of both.
            both: Rows that only the first side has do not stay either.
        """
        if left.star is not None or right.star is not None:
            # `SELECT a.*, id`: which of them is in which place is not known.
            return
        names = {"id", *self.vocabulary.columns}
        pairs = zip(left.outputs.values(), right.outputs.values(), strict=False)
        for one, other in pairs:
            if one.name == other.name and one.name in names:
                self.ties.tie(one, other, holds, back=both)


def _wrappers(node: exp.Expr) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    while isinstance(node, exp.Subquery | exp.Paren):
        found.append(node)
        node = node.this
    return found
