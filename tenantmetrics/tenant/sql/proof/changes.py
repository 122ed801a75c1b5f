"""INSERT, UPDATE, DELETE and MERGE in the proof: whose rows they read and write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from tenantmetrics.tenant.sql.proof.columns import Binding, Output, ReachScope, Relation
from tenantmetrics.tenant.sql.proof.joins import Holds, Leaf, Tree, conjuncts
from tenantmetrics.tenant.sql.proof.key_names import OF_KEY
from tenantmetrics.tenant.sql.proof.relations import WithQuery, without_inward
from tenantmetrics.tenant.sql.restrictions import Named
from tenantmetrics.tenant.sql.saved_rows import saved_tenant
from tenantmetrics.tenant.sql.schema_conflicts import overwrites_by_key
from tenantmetrics.tenant.sql.sqlglot_trees import read_from, unwrapped
from tenantmetrics.tenant.sql.value_expressions import bare, value_operand

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
            self._insert(node, scope, holds)
            return _returned(node)
        if isinstance(node, exp.Merge):
            self._merge(node, scope)
            return Relation()
        if not isinstance(node, exp.Update | exp.Delete):
            self._graph.source(table=True)
            return Relation()
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
        for index, item in enumerate(returning.expressions if returning is not None else []):
            self._conditions.opaque(item, scope)
            inner = item.unalias()
            if isinstance(inner, exp.Star):
                relation.star = target.star
                continue
            label = (item.alias_or_name or f"?column{index}").lower()
            relation.outputs[label] = self._reach.outputs.of_item(inner, scope)
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

    def _insert(self, node: exp.Insert, scope: ReachScope, holds: Holds) -> None:
        """What it writes is its tenant's by its values; what it reads is a query's."""
        if node.expression is None:
            return
        body = unwrapped(node.expression)
        if (
            isinstance(body, exp.Select)
            and (defaults := _defaults(body, scope))
            and self._is_value(node.this, body.expressions)
            and not overwrites_by_key(node, self._vocabulary)
        ):
            # Defaults that are copied to a tenant: what is written is that tenant's.
            for select, of_select in defaults:
                self._beside_defaults(select, of_select)
            return
        relation = self._reach.query(node.expression, scope, holds)
        if not isinstance(node.this, exp.Schema) and relation.star is None:
            # Which of the columns gets a value is not told: it may be the tenant's.
            if isinstance(body, exp.Values) or self._may_write_values(body, relation):
                self._graph.source(table=True)
            return
        index = self._tenant_index(node.this)
        outputs = list(relation.outputs.values())
        if index is None or index >= len(outputs):
            return
        written = outputs[index]
        if written.value is not None:
            # A value that a query around it passes on is written all the same.
            self._graph.restrict(self._graph.source(), written.value)
        elif written.name not in self._vocabulary.columns and not set(written.sources).isdisjoint(
            self._graph.tables
        ):
            # Whatever another column holds is written as the tenant.
            self._graph.source(table=True)

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

    def _is_value(self, target: exp.Expr | None, items: list[exp.Expr]) -> bool:
        """Whether the tenant column that is written gets a value."""
        index = self._tenant_index(target)
        if index is None or index >= len(items):
            return False
        if any(item.find(exp.Star) for item in items[: index + 1]):
            return False
        return value_operand(items[index].unalias()) is not None

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
                and self._is_value(then.this, then.expression.expressions)
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


def _returned(node: exp.Insert) -> Relation:
    """The columns of RETURNING, which are the written rows' own."""
    relation = Relation()
    returning = node.args.get("returning")
    for item in returning.expressions if returning is not None else []:
        column = bare(item.unalias())
        if isinstance(column, exp.Star):
            relation.star = Output()
        elif isinstance(column, exp.Column):
            relation.outputs[item.alias_or_name.lower()] = Output(name=column.name.lower())
    return relation


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
        items = read_from(select)
        if select.args.get("with_") or len(items) > 1:
            return []
        found.append((select, scope))
        if not items:
            return found
        source = items[0]
        if not isinstance(source, exp.Table) or source.args.get("joins"):
            return []
        handed_on = None if source.args.get("db") else scope.cte(source.name.lower())
        if handed_on is None:
            return found
        body = unwrapped(handed_on.node.this) if isinstance(handed_on, WithQuery) else None
        if not isinstance(body, exp.Select) or len(found) > _MAX_HANDED_ON:
            return []
        select, scope = body, handed_on.scope  # type: ignore[attr-defined]


_MAX_HANDED_ON = 8
