"""Whom a plain statement names: what `queries` would find, without the parser."""

from __future__ import annotations

from tenantmetrics.tenant.sql.build_restriction import build_restriction
from tenantmetrics.tenant.sql.fast_path.query_tree import PlainCondition, PlainQuery, PlainSource
from tenantmetrics.tenant.sql.query_scope import Facts, QueryScope, Sink
from tenantmetrics.tenant.sql.restrictions import CLEAR, OPEN, Fixed, Named, Restriction, Shared

__all__ = ["PlainRestrictions"]


class PlainRestrictions:
    """The restrictions of one statement.

    Args:
        names: The top of its scopes, with the tenant's names and the steps that are left.
    """

    __slots__ = ("names",)

    def __init__(self, names: QueryScope) -> None:
        self.names = names

    def of_query(self, query: PlainQuery, around: Facts | None = None) -> Restriction:
        """Whom a query names whose rows come back.

        Args:
            query: The query.
            around: What is known of the query that it may refer to.
        """
        facts = Facts(around)
        self.enter(query, facts, facts.main)
        return build_restriction(facts, self.names)

    def enter(self, query: PlainQuery, facts: Facts, sink: Sink) -> None:
        """Enter a query: its restrictions into `sink`, all that is beside them into `facts`."""
        for source in query.sources.values():
            if not source.left:
                self._add(source, facts, sink)
                self._conditions(source.on, facts, sink)
                continue
            tables, facts.tables = facts.tables, False
            self._add(source, facts, facts.optional)
            target = Sink()
            self._conditions(source.on, facts, target)
            # No row of others is read where its ON restricts it.
            closed = any(key[0] == source.key for key, _ in target.constraints)
            facts.tables = tables or (facts.tables and not closed)
            sink.links += target.links
            target.links = []
            facts.optional.take(target)
        self._conditions(query.where, facts, sink)

    def _add(self, source: PlainSource, facts: Facts, sink: Sink) -> None:
        """Enter a table, or the columns of a query in FROM that name tenants."""
        query = source.query
        if query is None:
            facts.tables = True
            return
        if query.node is None:
            query.node = self.of_query(query)
            if query.named and not isinstance(query.node, Fixed | Named):
                # It is evaluated once for all its uses.
                query.node = Shared(query.node)
        node = query.node
        if node is OPEN or node is CLEAR:
            facts.tables = facts.tables or node is OPEN
            return
        tenant = next((name for name, item in query.columns.items() if item.is_tenant), None)
        if tenant is None and query.star is not None:
            tenant = next(iter(self.names.vocabulary.columns), None)
        if tenant is not None:
            sink.constraints.append(((source.key, tenant), node))
        else:
            sink.parts.append(node)

    def _conditions(self, conditions: list[PlainCondition], facts: Facts, sink: Sink) -> None:
        columns = self.names.vocabulary.columns
        for condition in conditions:
            source, query, other = condition.source, condition.query, condition.other
            if condition.named is not None and source is not None:
                sink.constraints.append(((source.key, condition.column), condition.named))
            elif query is not None:
                if condition.negated:
                    self._later(query, facts)
                else:
                    self.enter(query, facts, sink)
            elif other is not None and source is not None and condition.column in columns:
                keys = ((source.key, condition.column), (other.key, condition.other_column))
                if keys[0] != keys[1]:
                    sink.links.append(keys)

    def _later(self, query: PlainQuery, facts: Facts) -> None:
        """NOT EXISTS and NOT IN restrict nothing; whom they name is told when all else is known."""
        own = Facts(facts)
        self.enter(query, own, own.main)
        facts.later.append(lambda: build_restriction(own, self.names))
