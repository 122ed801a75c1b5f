"""The proof that the rows of a statement are some tenants' alone.

The analysis of `queries` says whom a statement names. This one asks of each table in it, wherever
it stands, whether the rows of anybody else could have a part in what comes back or is changed. One
table that is not closed makes the statement undecided.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.budget import Budget
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.reach_changes import ReachChanges
from tenantmetrics.tenant.sql.reach_columns import Binding, Output, ReachScope, Relation
from tenantmetrics.tenant.sql.reach_conditions import ReachConditions
from tenantmetrics.tenant.sql.reach_graph import ReachGraph
from tenantmetrics.tenant.sql.reach_joins import (
    Holds,
    Leaf,
    Tree,
    conjuncts,
    effective,
    expanded,
    is_comma,
)
from tenantmetrics.tenant.sql.reach_relations import (
    WithQuery,
    renamed,
    standing_for,
    united,
    without_inward,
)
from tenantmetrics.tenant.sql.restrictions import Fixed, Named, Restriction, State, Touched
from tenantmetrics.tenant.sql.schema_ties import facts_of
from tenantmetrics.tenant.sql.sqlglot_trees import (
    is_join_in_parentheses,
    leftmost,
    read_from,
    unwrapped,
)
from tenantmetrics.tenant.sql.value_expressions import (
    SESSION,
    array_operands,
    function_name,
    unnested,
    value_operand,
)

__all__ = ["closing_restrictions"]

_EXTREMES = (exp.Max, exp.Min, exp.AnyValue)
_IN_SESSION = Fixed(Touched(State.SESSION))
_MAX_LEVELS = 60


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
        self.conditions = ReachConditions(self)
        self.changes = ReachChanges(self)
        self._budget = budget
        self._ctes: list[WithQuery] = []
        self._levels = 0

    def finish(self) -> list[list[list[Restriction]]] | None:
        """The restrictions that close all tables; None if they do not."""
        self.conditions.finish()
        graph = self.graph
        for cte in self._ctes:
            for sources, is_root in cte.roots.items():
                for source in sources if is_root else ():
                    graph.edge_from_all(cte.uses, source)
        return graph.groups() if graph.closed().issuperset(graph.tables) else None

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
                return Relation()
            return self._query(node, scope, holds, needed=needed)
        finally:
            self._levels -= 1

    def _query(self, node: exp.Expr, scope: ReachScope, holds: Holds, *, needed: bool) -> Relation:
        cut = any(
            part.args.get(key) is not None
            for part in _wrappers(node)
            for key in ("limit", "offset")
        )
        node = unwrapped(node)
        start = self.graph.next
        if isinstance(node, exp.Subquery):
            inner = ReachScope(scope, self.vocabulary)
            self.with_clause(node, inner)
            relation = self.query(node.this, inner, holds, needed=needed)
        elif isinstance(node, exp.Select):
            relation = self._select(node, scope, holds, needed=needed)
        elif isinstance(node, exp.SetOperation):
            relation = self._set_operation(node, scope)
        elif isinstance(node, exp.Values):
            relation = self._values(node, scope)
        elif isinstance(node, exp.Table):
            inner = ReachScope(scope, self.vocabulary)
            self.leaf(node, inner, holds)
            relation = next(iter(inner.bindings.values())).relation
        else:
            relation = self.changes.change(node, scope)
        if cut:
            without_inward(relation)
        graph = self.graph
        relation.tables = tuple(number for number in graph.tables if number >= start)
        return relation

    def _select(
        self, node: exp.Select, outer: ReachScope, holds: Holds, *, needed: bool
    ) -> Relation:
        scope = ReachScope(outer, self.vocabulary)
        start = self.graph.next
        inside = (holds if needed else Holds()).within(start)
        self.with_clause(node, scope)
        trees = self.trees(read_from(node), scope, inside)
        where = node.args.get("where")
        self.filtered(trees, where.this if where is not None else None, scope, inside)
        for key in ("expressions", "having", "group", "order", "distinct", "windows", "limit"):
            part = node.args.get(key)
            for expression in part if isinstance(part, list) else [part]:
                if isinstance(expression, exp.Expr):
                    self.conditions.opaque(expression, scope)
        return self._projected(node, scope)

    def filtered(
        self,
        trees: Sequence[Tree | Leaf],
        condition: exp.Expr | None,
        scope: ReachScope,
        holds: Holds,
    ) -> None:
        """Take the joins and the WHERE over them."""
        parts = conjuncts(condition)
        rejected = {
            number for part, _ in parts for number in self.conditions.needed_by(part, scope)
        }
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
        needs = {number for part, _ in tree.on for number in self.conditions.needed_by(part, scope)}
        within = Holds(((tree.low, tree.high),))
        of_left = Holds(((tree.left.low, tree.left.high),))
        of_right = Holds(((tree.right.low, tree.right.high),))
        if side == "":
            # What is outside may be closed by it only where nothing makes its rows optional.
            ons, left, right = Holds((*within.ranges, *holds.ranges)), holds, holds
            of_sides = (rejected | needs, rejected | needs)
        elif side == "LEFT":
            ons, left, right = of_right, holds, of_right
            of_sides = (rejected, needs)
        elif side == "RIGHT":
            ons, left, right = of_left, of_left, holds
            of_sides = (needs, rejected)
        else:
            ons, left, right = Holds(), of_left, of_right
            of_sides = (set(), set())
        self._joined(tree.left, of_sides[0], scope, left)
        self._joined(tree.right, of_sides[1], scope, right)
        for part, negated in tree.on:
            self.conditions.take(part, negated, scope, ons)
        names = tree.using
        if tree.natural:
            names = (*self.vocabulary.columns, "id")
        for name in names:
            self.conditions.tie_using(name, tree, scope, ons)

    def trees(self, items: list[exp.Expr], scope: ReachScope, holds: Holds) -> list[Tree | Leaf]:
        """Enter what a query reads from."""
        found: list[Tree | Leaf] = []
        entries = list(expanded(items))
        sides = [
            (entry.side or "").upper() if isinstance(entry, exp.Join) else "" for entry in entries
        ]
        if not {"RIGHT", "FULL"}.isdisjoint(sides):
            # A join that comes later may make rows of LATERAL optional.
            holds = Holds()
        for entry, side in zip(entries, sides, strict=True):
            if not isinstance(entry, exp.Join):
                found.append(self.leaf(entry, scope, holds))
                continue
            leaf = self.leaf(entry.this, scope, holds if not side else Holds())
            if is_comma(entry) or not found:
                found.append(leaf)
                continue
            using = tuple(column.name.lower() for column in entry.args.get("using") or [])
            natural = (entry.args.get("method") or "").upper() == "NATURAL"
            on = conjuncts(entry.args.get("on"))
            found[-1] = Tree(side, found[-1], leaf, on, using, natural)
        return found

    def leaf(self, item: exp.Expr, scope: ReachScope, holds: Holds) -> Tree | Leaf:
        """Enter one source."""
        self._budget.spend(5)
        start = self.graph.next
        alias = item.alias.lower()
        if is_join_in_parentheses(item):
            tree, *_ = self.trees([item.this], scope, holds)
            return tree
        relation = self._source(item, scope, holds)
        names = _alias_columns(item)
        if names:
            relation = renamed(relation, names)
        name = alias or (item.name.lower() if isinstance(item, exp.Table) else "")
        name = name or (function_name(item.this) if isinstance(item.this, exp.Func) else "")
        scope.bindings[name or f"\0{start}"] = Binding(relation)
        return Leaf(start, self.graph.next)

    def _source(  # noqa: C901, PLR0911 - one branch a kind
        self, item: exp.Expr, scope: ReachScope, holds: Holds
    ) -> Relation:
        outer = scope.parent or ReachScope(None, self.vocabulary)
        start = self.graph.next
        if isinstance(item, exp.Table):
            if isinstance(item.this, exp.Func):
                return self._function(item.this, scope)
            cte = scope.cte(item.name.lower()) if not item.args.get("db") else None
            if isinstance(cte, WithQuery):
                return self._use(cte)
            if isinstance(cte, Relation):
                return cte
            return self.table(item)
        if isinstance(item, exp.Subquery):
            # Its siblings are not seen, its WITH queries are.
            hidden = ReachScope(outer, self.vocabulary)
            hidden.ctes = scope.ctes
            return self.query(item, hidden, Holds().within(start))
        if isinstance(item, exp.Lateral):
            inner = item.this
            if isinstance(inner, exp.Subquery):
                needed = not _is_one_row(unwrapped(inner))
                return self.query(inner, scope, holds, needed=needed)
            return self._function(inner, scope)
        if isinstance(item, exp.Values):
            return self._values(item, scope)
        if isinstance(item, exp.Unnest):
            return self._unnest(item, scope)
        if isinstance(item, exp.Func):
            return self._function(item, scope)
        return self.table()

    def table(self, item: exp.Expr | None = None) -> Relation:
        """A table, whose columns are those that it is asked for.

        Args:
            item: Where the statement names it.
        """
        facts = facts_of(item, self.vocabulary.schema)
        number = self.graph.source(table=facts is None or not facts.shared)
        return Relation(star=Output((number,), whole=True, of=(facts,) if facts else ()))

    def _function(self, function: exp.Expr, scope: ReachScope) -> Relation:
        name = function_name(function)
        functions = self.vocabulary.functions
        number = self.graph.source()
        if name in functions:
            argument = function.expressions[functions[name] :][:1]
            operand = value_operand(argument[0]) if argument else None
            if isinstance(operand, Operand):
                self.graph.restrict(number, Named((operand,)))
        self._fed(number, function, scope)
        return Relation(star=Output((number,), "\0", whole=True))

    def _fed(self, number: int, function: exp.Expr, scope: ReachScope) -> None:
        """A function's rows are made of its arguments."""
        self.conditions.opaque(function, scope)
        fed = {
            source
            for column in function.find_all(exp.Column)
            for output in scope.columns(column)
            for source in output.sources
        }
        if fed:
            self.graph.edge_from_all(fed, number)
        if len(fed) == 1:
            (only,) = fed
            self.graph.edge(number, only)
            self.graph.near(number, only)

    def _unnest(self, item: exp.Unnest, scope: ReachScope) -> Relation:
        arrays = item.expressions
        columns = _alias_columns(item) or [item.alias.lower() or "unnest"]
        columns += [f"\0{index}" for index in range(len(columns), len(arrays))]
        outputs: dict[str, Output] = {}
        for name, array in zip(columns, arrays, strict=False):
            number = self.graph.source()
            operands = array_operands(array)
            value = Named(tuple(operands)) if operands is not None else None
            self._fed(number, array, scope)
            outputs[name] = Output((number,), "\0", True, True, value)
        return Relation(outputs)

    def _values(self, node: exp.Values, scope: ReachScope) -> Relation:
        found: dict[int, list[exp.Expr]] = {}
        for row in node.expressions:
            for index, item in enumerate(row.expressions if isinstance(row, exp.Tuple) else [row]):
                found.setdefault(index, []).append(item)
                if not isinstance(item, exp.Literal | exp.Placeholder):
                    self.conditions.opaque(item, scope)
        outputs = {}
        for index, items in found.items():
            operands = [value_operand(item) for item in items]
            known = [operand for operand in operands if isinstance(operand, Operand)]
            value = Named(tuple(known)) if len(known) == len(items) else None
            outputs[f"column{index + 1}"] = Output((self.graph.source(),), "\0", True, True, value)
        return Relation(outputs)

    def with_clause(self, node: exp.Expr, scope: ReachScope) -> None:
        """Enter WITH queries; those that change data are taken at once."""
        with_ = node.args.get("with_")
        if with_ is None:
            return
        for cte in with_.expressions:
            around = ReachScope(scope.parent, self.vocabulary)
            around.ctes = dict(scope.ctes)
            entry = WithQuery(cte, around, bool(with_.args.get("recursive")))
            scope.ctes[cte.alias.lower()] = entry
            if isinstance(unwrapped(cte.this), exp.DML):
                self._analysed(entry)

    def _analysed(self, cte: WithQuery) -> Relation:
        if cte.relation is None:
            self._ctes.append(cte)
            body = unwrapped(cte.node.this)
            # What it says of itself while it is not known: a table that nothing closes.
            cte.relation = self.table() if cte.recursive else Relation()
            if cte.recursive:
                self.graph.tables.pop()
            if cte.recursive and isinstance(body, exp.SetOperation):
                relation = self._recursive(cte, body)
            else:
                relation = self.query(body, cte.scope, Holds().within(self.graph.next))
            names = _alias_columns(cte.node)
            cte.relation = renamed(relation, names) if names else relation
        return cte.relation

    def _recursive(self, cte: WithQuery, body: exp.SetOperation) -> Relation:
        """It reads its first part's rows, and those that it made of them."""
        start = self.graph.next
        first = self.query(leftmost(body), cte.scope, Holds().within(start))
        names = _alias_columns(cte.node)
        seed = self.graph.source()
        self.graph.edge_from_all(first.tables, seed)
        inner = ReachScope(cte.scope, self.vocabulary)
        inner.ctes[cte.node.alias.lower()] = standing_for(
            renamed(first, names) if names else first, seed
        )
        rest = self.query(body, inner, Holds().within(start))
        whole = self.graph.source()
        self.graph.edge_from_all((*first.tables, *rest.tables), whole)
        found = standing_for(rest, whole)
        without_inward(found)
        return found

    def _use(self, cte: WithQuery) -> Relation:
        """One use of a WITH query: closed through a column that closes all of it."""
        relation = self._analysed(cte)
        graph = self.graph
        if cte.closed is None:
            cte.closed = graph.closed().issuperset(relation.tables)
        use = graph.source()
        cte.uses.append(use)
        if cte.whole is None:
            cte.whole = graph.source()
            graph.edge_from_all(relation.tables, cte.whole)
        graph.edge(cte.whole, use)

        def used(output: Output) -> Output:
            sources = output.sources
            if cte.closed:
                # Each use has a source of its own: a condition on one says nothing of another.
                return output._replace(sources=(use,)) if sources else output
            if sources and output.inward:
                if sources not in cte.roots:
                    closed = graph.closed(sources)
                    cte.roots[sources] = closed.issuperset(relation.tables)
                if cte.roots[sources]:
                    return output._replace(sources=(use,))
            number = graph.source()
            if sources and output.whole:
                graph.edge_from_all(sources, number)
                graph.edge(use, number)
            return output._replace(sources=(number,))

        outputs = {name: used(output) for name, output in relation.outputs.items()}
        star = used(relation.star) if relation.star is not None else None
        return Relation(outputs, star, relation.tables)

    def _set_operation(self, node: exp.SetOperation, outer: ReachScope) -> Relation:
        scope = ReachScope(outer, self.vocabulary)
        self.with_clause(node, scope)
        start = self.graph.next
        operations: list[exp.SetOperation] = []
        cut = False
        left: exp.Expr = node
        while isinstance(left, exp.SetOperation):
            cut = cut or any(left.args.get(key) is not None for key in ("limit", "offset"))
            operations.append(left)
            left = left.this
            while isinstance(left, exp.Subquery | exp.Paren) and isinstance(
                unwrapped(left), exp.SetOperation
            ):
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
        return found

    def _shared_rows(self, left: Relation, right: Relation, holds: Holds, *, both: bool) -> None:
        """INTERSECT and EXCEPT compare whole rows; NULL is equal to NULL there, but no id is one.

        Args:
            left: The first side.
            right: The second.
            holds: The sources of both.
            both: Rows that only the first side has do not stay either.
        """
        names = {"id", *self.vocabulary.columns}
        pairs = zip(left.outputs.values(), right.outputs.values(), strict=False)
        for one, other in pairs:
            if one.name == other.name and one.name in names:
                self.conditions.tie(one, other, holds, back=both)

    def _projected(self, node: exp.Select, scope: ReachScope) -> Relation:
        relation = Relation()
        group = node.args.get("group")
        distinct = node.args.get("distinct")
        aggregates = any(part.find(exp.AggFunc) is not None for part in node.expressions)
        cut = any(node.args.get(key) is not None for key in ("limit", "offset"))
        cut = cut or (distinct is not None and distinct.args.get("on") is not None)
        cut = cut or (aggregates and group is None)
        kept = _grouped_by(node, group) if group is not None else None
        for index, item in enumerate(node.expressions):
            inner = item.unalias()
            if isinstance(inner, exp.Star):
                self._starred(list(scope.bindings.values()), relation)
                continue
            if isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star):
                binding = scope.bindings.get(inner.table.lower())
                self._starred([binding] if binding is not None else [], relation)
                continue
            name = (item.alias_or_name or f"?column{index}").lower()
            output = self.projected(inner, scope)
            if kept is not None and inner.sql() not in kept:
                output = output._replace(inward=False)
            if name in relation.outputs:
                name = f"{name}\0{index}"
            relation.outputs[name] = output
        if cut:
            without_inward(relation)
        return relation

    def projected(self, item: exp.Expr, scope: ReachScope) -> Output:
        """What an item of a select list gives."""
        value = value_operand(item)
        if isinstance(value, Operand):
            return Output(value=Named((value,)))
        if value is SESSION:
            return Output(value=_IN_SESSION)
        if (array := unnested(item)) is not None:
            return Output(value=Named(tuple(array))) if array else Output()
        if isinstance(item, _EXTREMES):
            found = self.conditions.side(item.this, scope)
            return (found or Output())._replace(inward=False)
        return self.conditions.side(item, scope) or Output()

    def _starred(self, bindings: list[Binding], relation: Relation) -> None:
        stars: list[Output] = [] if relation.star is None else [relation.star]
        for binding in bindings:
            for name, output in binding.relation.outputs.items():
                relation.outputs.setdefault(name, output)
            if binding.relation.star is not None:
                stars.append(binding.relation.star)
        if stars:
            relation.star = self.conditions.one_of(stars)


def _grouped_by(node: exp.Select, group: exp.Expr) -> set[str]:
    """The expressions of GROUP BY, as text."""
    items = node.expressions
    found = set()
    for part in group.expressions:
        text = part.sql()
        if isinstance(part, exp.Literal) and part.this.isdecimal() and int(part.this) <= len(items):
            text = items[int(part.this) - 1].unalias().sql()
        found.add(text)
        found |= {item.unalias().sql() for item in items if item.alias and item.alias == text}
    return found


def _alias_columns(item: exp.Expr) -> list[str]:
    alias = item.args.get("alias")
    columns = alias.args.get("columns") if isinstance(alias, exp.Expr) else None
    return [column.name.lower() for column in columns or []]


def _wrappers(node: exp.Expr) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    while isinstance(node, exp.Subquery | exp.Paren):
        found.append(node)
        node = node.this
    return found


def _is_one_row(node: exp.Expr) -> bool:
    """Whether a query gives a row whatever its tables hold."""
    return not isinstance(node, exp.Select) or (
        node.args.get("group") is None
        and any(part.find(exp.AggFunc) is not None for part in node.expressions)
    )
