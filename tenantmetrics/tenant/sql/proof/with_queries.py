"""WITH queries in the proof: analysed at their first use, closed by all their uses together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from tenantmetrics.tenant.sql.proof.columns import Output, ReachScope, Relation
from tenantmetrics.tenant.sql.proof.joins import Holds
from tenantmetrics.tenant.sql.proof.recursion import forget_what_changes
from tenantmetrics.tenant.sql.proof.relations import (
    WithQuery,
    renamed,
    standing_for,
    without_inward,
)
from tenantmetrics.tenant.sql.sqlglot_trees import alias_columns, leftmost, unwrapped
from tenantmetrics.tenant.sql.with_order import in_reading_order

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.proof.closing import Reach

__all__ = ["ReachWithQueries"]


class ReachWithQueries:
    """The WITH queries of one statement.

    Args:
        reach: Takes the queries in them.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._graph = reach.graph
        self._vocabulary = reach.vocabulary
        self._ctes: list[WithQuery] = []

    def finish(self) -> None:
        """What closes all uses of a WITH query closes what it reads."""
        for cte in self._ctes:
            for sources, is_root in cte.roots.items():
                for source in sources if is_root else ():
                    self._graph.edge_from_all(cte.uses, source)

    def enter(self, node: exp.Expr, scope: ReachScope) -> None:
        """Enter WITH queries; those that change data are taken at once."""
        with_ = node.args.get("with_")
        if with_ is None:
            return
        for cte in in_reading_order(with_):
            around = ReachScope(scope.parent, self._vocabulary)
            around.ctes = dict(scope.ctes)
            entry = WithQuery(cte, around, bool(with_.args.get("recursive")))
            scope.ctes[cte.alias.lower()] = entry
            if isinstance(unwrapped(cte.this), exp.DML):
                self._analysed(entry)

    def _analysed(self, cte: WithQuery) -> Relation:
        if cte.relation is None:
            self._ctes.append(cte)
            start = self._graph.next
            body = unwrapped(cte.node.this)
            # What it says of itself while it is not known: a table that nothing closes.
            cte.relation = self._reach.sources.table() if cte.recursive else Relation()
            if cte.recursive:
                self._graph.tables.pop()
            if cte.recursive and isinstance(body, exp.SetOperation):
                relation = self._recursive(cte, body)
            else:
                relation = self._reach.query(body, cte.scope, Holds().within(self._graph.next))
            names = alias_columns(cte.node)
            cte.relation = renamed(relation, names) if names else relation
            self._graph.set_apart(start)
        return cte.relation

    def _recursive(self, cte: WithQuery, body: exp.SetOperation) -> Relation:
        """It reads its first part's rows, and those that it made of them."""
        start = self._graph.next
        first = self._reach.query(leftmost(body), cte.scope, Holds().within(start))
        names = alias_columns(cte.node)
        seed = self._graph.source()
        self._graph.edge_from_all(first.tables, seed)
        inner = ReachScope(cte.scope, self._vocabulary)
        name = cte.node.alias.lower()
        handed_on = standing_for(renamed(first, names) if names else first, seed)
        forget_what_changes(handed_on, name, body, self._vocabulary.columns)
        inner.ctes[name] = handed_on
        rest = self._reach.query(body, inner, Holds().within(start))
        whole = self._graph.source()
        self._graph.edge_from_all((*first.tables, *rest.tables), whole)
        found = standing_for(rest, whole)
        without_inward(found)
        return found

    def use(self, cte: WithQuery) -> Relation:
        """One use of a WITH query: closed through a column that closes all of it."""
        relation = self._analysed(cte)
        graph = self._graph
        if cte.closed is None:
            cte.closed = graph.closed().issuperset(relation.tables)
        use = graph.source()
        cte.uses.append(use)
        graph.uses.append(use)
        if cte.whole is None:
            cte.whole = graph.source()
            graph.edge_from_all(relation.tables, cte.whole)
        graph.edge(cte.whole, use)

        def used(output: Output) -> Output:
            sources = output.sources
            if cte.closed:
                # Each use has a source of its own: a condition on one says nothing of another.
                return output.standing_in(use) if sources else output
            if sources and output.inward:
                if sources not in cte.roots:
                    closed = graph.closed(sources)
                    cte.roots[sources] = closed.issuperset(relation.tables)
                if cte.roots[sources]:
                    return output.standing_in(use)
            number = graph.source()
            if sources and output.whole:
                graph.edge_from_all(sources, number)
                graph.edge(use, number)
            return output.standing_in(number)

        outputs = {name: used(output) for name, output in relation.outputs.items()}
        star = used(relation.star) if relation.star is not None else None
        return Relation(outputs, star, relation.tables)
