"""INSERT, UPDATE, DELETE and MERGE in the proof: whose rows they read and write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.proof.columns import Binding, Output, ReachScope, Relation
from tenantmetrics.tenant.sql.proof.joins import Holds, Leaf, Tree, conjuncts
from tenantmetrics.tenant.sql.proof.key_names import OF_KEY
from tenantmetrics.tenant.sql.proof.relations import WithQuery, without_inward
from tenantmetrics.tenant.sql.proof.returned_columns import assigned_columns, inserted_columns
from tenantmetrics.tenant.sql.restrictions import IN_SESSION, Named, Restriction
from tenantmetrics.tenant.sql.saved_rows import saved_tenant
from tenantmetrics.tenant.sql.schema_conflicts import overwrites_by_key
from tenantmetrics.tenant.sql.sqlglot_trees import read_from, unwrapped
from tenantmetrics.tenant.sql.value_expressions import (
    SESSION,
    SessionValue,
    value_operand,
)

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.proof.closing import Reach

__all__ = ["ReachChanges"]

_NOTHING = exp.var("DO NOTHING")


class ReachChanges:
    """The changes of one statement.

    Args:
        reach: Takes the queries in them.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._graph = reach.graph
        self._conditions = reach.conditions
        self._vocabulary = reach.vocabulary

    def change(self, node: exp.Expr, outer: ReachScope) -> Relation:
        """Take a change in.

        Args:
            node: The INSERT, UPDATE, DELETE or MERGE, or another statement without a query.
            outer: What is around it.

        Returns:
            The columns of its RETURNING.
        """
        scope = ReachScope(outer, self._vocabulary)
        holds = Holds().within(self._graph.next)
        self._reach.with_queries.enter(node, scope)
        if isinstance(node, exp.Insert):
            self._beside_insert(node, scope)
            return inserted_columns(node, self._insert(node, scope, holds))
        if isinstance(node, exp.Merge):
            self._merge(node, scope)
            return Relation(star=Output())
        if not isinstance(node, exp.Update | exp.Delete):
            self._graph.source(table=True)
            return Relation(star=Output())
        target = self._reach.sources.table(node.this)
        name = (node.this.alias or node.this.name).lower()
        scope.bindings[name] = Binding(target)
        trees: list[Tree | Leaf] = [Leaf(self._graph.next - 1, self._graph.next)]
        from_ = node.args.get("from_")
        using = node.args.get("using")
        items = [from_.this] if from_ is not None else []
        items += using if isinstance(using, list) else []
        items += [*(node.this.args.get("joins") or []), *(node.args.get("joins") or [])]
        trees += self._reach.sources.trees(items, scope, holds)
        where = node.args.get("where")
        self._reach.filtered(trees, where.this if where is not None else None, scope, holds)
        saved = saved_tenant(node, self._vocabulary) if isinstance(node, exp.Update) else None
        if saved is not None:
            self._graph.restrict(trees[0].low, Named((saved,)))
        for item in node.expressions:
            self._conditions.opaque(item, scope)
        returning = node.args.get("returning")
        relation = Relation()
        # What comes back is what was written.
        written = assigned_columns(node, scope, self._reach.ties) if returning is not None else {}
        for index, item in enumerate(returning.expressions if returning is not None else []):
            self._conditions.opaque(item, scope)
            inner = item.unalias()
            if self._reach.outputs.add_starred(inner, scope, relation):
                relation.outputs.update(written)
                continue
            label = (item.alias_or_name or f"?column{index}").lower()
            output = self._reach.outputs.of_item(inner, scope)
            if isinstance(inner, exp.Column) and inner.table.lower() in {"", name}:
                output = written.get(inner.name.lower(), output)
            relation.outputs[label] = output
        without_inward(relation)
        return relation

    def _beside_insert(self, node: exp.Insert, scope: ReachScope) -> None:
        for beside in (node.args.get("conflict"), node.args.get("returning")):
            if beside is not None:
                self._conditions.opaque(beside, scope)
        if isinstance(node.this, exp.Schema) and (
            self._tenant_index(node.this) is None and overwrites_by_key(node, self._vocabulary)
        ):
            # The row that is there may be anybody's, whatever its table.
            self._graph.source(table=True)

    def _insert(self, node: exp.Insert, scope: ReachScope, holds: Holds) -> tuple[int, ...]:
        """What it writes is its tenant's by its values; what it reads is a query's.

        Returns:
            The sources whose tenants' the written rows are; none where nothing tells.
        """
        if node.expression is None:
            return ()
        body = unwrapped(node.expression)
        if isinstance(body, exp.Select) and (copied := self._copied(node, body, scope)) is not None:
            return copied
        relation = self._reach.query(node.expression, scope, holds)
        starred = relation.star is not None and bool(relation.star.sources)
        if isinstance(node.this, exp.Schema) or starred:
            return self._selected(self._tenant_index(node.this), relation)
        # Which of the columns gets a value is not told: it may be the tenant's.
        if isinstance(body, exp.Values) or self._may_write_values(body, relation):
            self._graph.source(table=True)
        return ()

    def _copied(
        self, node: exp.Insert, body: exp.Select, scope: ReachScope
    ) -> tuple[int, ...] | None:
        """Defaults that are copied to a tenant: what is written is that tenant's.

        Returns:
            As `_insert`; None for any other INSERT.
        """
        defaults = _defaults(body, scope)
        value = self._value(node.this, body.expressions) if defaults else None
        if value is None or overwrites_by_key(node, self._vocabulary):
            return None
        for select, of_select in defaults:
            self._beside_defaults(select, of_select)
        if not isinstance(node.parent, exp.CTE):
            # Nobody reads what it returns.
            return ()
        return self._written(IN_SESSION if value is SESSION else Named((value,)))

    def _selected(self, index: int | None, relation: Relation) -> tuple[int, ...]:
        """Rows of a query or of VALUES, whose tenant is the column at a place."""
        outputs = list(relation.outputs.values()) if relation.star is None else []
        if index is None or index >= len(outputs):
            return ()
        written = outputs[index]
        if written.value is not None:
            # A value that a query around it passes on is written all the same.
            return self._written(written.value)
        if written.name in self._vocabulary.columns:
            return written.sources if written.whole else ()
        if not set(written.sources).isdisjoint((*self._graph.tables, *self._graph.uses)):
            # Whatever another column holds is written as the tenant.
            self._graph.source(table=True)
        return ()

    def _written(self, value: Restriction) -> tuple[int, ...]:
        """Rows that are written for a tenant: a source, which closes what has their keys."""
        number = self._graph.source()
        self._graph.restrict(number, value)
        return (number,)

    def _may_write_values(self, body: exp.Expr, relation: Relation) -> bool:
        """Whether one of the columns, in one of the branches, may be a value and no table's."""
        outputs = relation.outputs.values()
        if not isinstance(body, exp.SetOperation):
            if any(output.value for output in outputs):
                return True
            # Of what is computed nobody sees whose it is, unless a tenant's column stands beside.
            computed = any(not o.sources or o.name == OF_KEY for o in outputs)
            return computed and all(o.name not in self._vocabulary.columns for o in outputs)
        tables = frozenset(self._graph.tables)
        return not outputs or any(not o.whole or not tables.issuperset(o.sources) for o in outputs)

    def _beside_defaults(self, body: exp.Select, scope: ReachScope) -> None:
        """The queries in what is written, and in what says whether, from where and how.

        Without a table, `WHERE NOT EXISTS (SELECT … WHERE id = :id)` only tests for a row.
        """
        where = body.args.get("where")
        tests = [part for part, _ in conjuncts(where.this)] if where is not None else []
        if body.args.get("from_") is None:
            tests = [part for part in tests if not isinstance(part, exp.Exists)]
        # The table that is copied restricts nothing; TABLESAMPLE and a function may ask others.
        for part in (*read_from(body), *tests):
            self._conditions.opaque(part, scope)
        self._reach.beside_select(body, scope)

    def _tenant_index(self, target: exp.Expr | None) -> int | None:
        columns = [column.name.lower() for column in target.expressions] if target else []
        ranks = self._vocabulary.columns
        found = [(ranks[name], index) for index, name in enumerate(columns) if name in ranks]
        return min(found)[1] if found else None

    def _value(
        self, target: exp.Expr | None, items: list[exp.Expr]
    ) -> Operand | SessionValue | None:
        """The value that the tenant column gets; None where it is none."""
        index = self._tenant_index(target)
        if index is None or index >= len(items):
            return None
        if any(item.find(exp.Star) for item in items[: index + 1]):
            return None
        return value_operand(items[index].unalias())

    def _merge(self, node: exp.Merge, outer: ReachScope) -> None:
        """Each WHEN is a join of its own, which keeps what it touches without a partner."""
        whens = node.args.get("whens")
        using = node.args.get("using")
        for when in whens.expressions if whens is not None else []:
            then = when.args.get("then")
            if then == _NOTHING:
                continue
            inserts = isinstance(then, exp.Insert)
            if (
                inserts
                and isinstance(using, exp.Table)
                and not isinstance(outer.cte(using.name.lower()), WithQuery)
                and isinstance(then.expression, exp.Tuple)
                and self._value(then.this, then.expression.expressions) is not None
            ):
                continue
            scope = ReachScope(outer.parent, self._vocabulary)
            scope.ctes = outer.ctes
            start = self._graph.next
            name = (node.this.alias or node.this.name).lower()
            scope.bindings[name] = Binding(self._reach.sources.table(node.this))
            target = Leaf(start, self._graph.next)
            source = (
                self._reach.sources.leaf(using, scope, Holds()) if using is not None else target
            )
            matched = when.args.get("matched")
            side = "" if matched else "LEFT" if when.args.get("source") else "RIGHT"
            tree = Tree(side, target, source, conjuncts(node.args.get("on")))
            condition = when.args.get("condition")
            self._reach.filtered([tree], condition, scope, Holds().within(start))
            if isinstance(then, exp.Expr):
                self._conditions.opaque(then, scope)
            if inserts and then.this is None:
                # As with an INSERT: which of the columns is the tenant's is not told.
                self._graph.source(table=True)
        returning = node.args.get("returning")
        if returning is not None:
            self._conditions.opaque(returning, outer)


def _defaults(select: exp.Select, scope: ReachScope) -> list[tuple[exp.Select, ReachScope]]:
    """The query that reads a single table, or only tests whether there is a row already.

    Args:
        select: What an INSERT writes.
        scope: What its names mean.

    Returns:
        The query and the WITH queries that hand the table on to it; nothing for any other.
    """
    found: list[tuple[exp.Select, ReachScope]] = []
    while True:
        if select.args.get("with_"):
            return []
        items = [item.this if isinstance(item, exp.Join) else item for item in read_from(select)]
        items = [item for item in items if not _is_given(item, scope)]
        found.append((select, scope))
        if not items:
            return found
        source = items[0]
        if len(items) > 1 or not isinstance(source, exp.Table) or source.args.get("joins"):
            return []
        handed_on = None if source.args.get("db") else scope.cte(source.name.lower())
        if handed_on is None:
            return found
        body = unwrapped(handed_on.node.this) if isinstance(handed_on, WithQuery) else None
        if not isinstance(body, exp.Select) or len(found) > _MAX_HANDED_ON:
            return []
        select, scope = body, handed_on.scope  # type: ignore[attr-defined]


def _is_given(item: exp.Expr, scope: ReachScope) -> bool:
    """Whether a source has no rows but values: `unnest(:ids)`, VALUES, a WITH query of them."""
    if isinstance(item, exp.Table):
        query = None if item.args.get("db") else scope.cte(item.name.lower())
        if not isinstance(query, WithQuery) or query.recursive:
            return False
        item = unwrapped(query.node.this)
        return isinstance(item, exp.Select) and item.find(exp.Table) is None
    return isinstance(item, exp.Unnest | exp.Values) and item.find(exp.Table) is None


_MAX_HANDED_ON = 8
