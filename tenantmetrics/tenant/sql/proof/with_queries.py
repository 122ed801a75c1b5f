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
            start = cte.start = self._graph.next
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
        told = self._closing(first, seed)
        inner = ReachScope(cte.scope, self._vocabulary)
        name = cte.node.alias.lower()
        handed_on = standing_for(renamed(first, names) if names else first, seed, told)
        forget_what_changes(handed_on, name, body, self._vocabulary.columns)
        inner.ctes[name] = handed_on
        rest = self._reach.query(body, inner, Holds().within(start))
        if handed_on.star is not None and handed_on.star.sources and not rest.star:
            # A part gives other columns than the table of the first one: `SELECT x.* FROM (…) x`.
            self._graph.source(table=True)
        whole = self._graph.source()
        found = standing_for(rest, whole, self._closing(rest, whole))
        without_inward(found)
        return found

    def _closing(self, relation: Relation, number: int) -> set[int]:
        """Let a source be closed by what a query reads: by its tables, or by values if it has none.

        Returns:
            The sources that are closed if those are. Values beside a table are not: of `11` in
            `SELECT a.id, 11 FROM a` nobody knows whose key it is.
        """
        if relation.tables:
            self._graph.edge_from_all(relation.tables, number)
            return self._graph.closed(relation.tables)
        columns = [*relation.outputs.values(), *([relation.star] if relation.star else [])]
        sources = {source for column in columns for source in column.sources}
        if sources:
            self._graph.edge_from_all(sources, number)
        return sources

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

        outputs = {name: self._used(o, cte, relation, use) for name, o in relation.outputs.items()}
        star = relation.star
        star = self._used(star, cte, relation, use) if star is not None else None
        return Relation(outputs, star, relation.tables)

    def _used(self, output: Output, cte: WithQuery, relation: Relation, use: int) -> Output:
        """A column of a WITH query at one of its uses.

        Each use has a source of its own: a condition on one says nothing of another.
        """
        sources, graph = output.sources, self._graph
        if not sources or max(sources) < cte.start:
            # A column of the query around it is the same at each use.
            return output
        told = self._is_told(sources, cte, relation)
        if cte.closed and told:
            return output.standing_in(use)
        is_root = False
        if output.inward and relation.tables and not cte.closed:
            if sources not in cte.roots:
                cte.roots[sources] = graph.closed(sources).issuperset(relation.tables)
            is_root = cte.roots[sources]
            if is_root and told:
                return output.standing_in(use)
        number = graph.source()
        if output.whole:
            graph.edge_from_all(sources, number)
            if told:
                graph.edge(use, number)
        if is_root:
            graph.edge(number, use)
        return output.standing_in(number)

    def _is_told(self, sources: tuple[int, ...], cte: WithQuery, relation: Relation) -> bool:
        """Whether what closes all that a WITH query reads closes these sources; not its values."""
        if set(sources).issubset(relation.tables):
            return True
        if cte.told is None:
            cte.told = self._graph.closed(relation.tables) if relation.tables else set()
        return cte.told.issuperset(sources)
