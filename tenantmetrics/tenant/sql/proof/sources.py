"""The sources of a query in the proof: tables, derived tables, functions, values, LATERAL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from tenantmetrics.tenant.sql.aggregates import gives_one_row
from tenantmetrics.tenant.sql.any_array import array_operands
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.proof.columns import (
    Binding,
    Origin,
    Output,
    ReachScope,
    Relation,
    unnamed,
)
from tenantmetrics.tenant.sql.proof.joins import Holds, Leaf, Tree, conjuncts, expanded, is_comma
from tenantmetrics.tenant.sql.proof.key_names import is_no_key
from tenantmetrics.tenant.sql.proof.relations import WithQuery, renamed
from tenantmetrics.tenant.sql.restrictions import Named
from tenantmetrics.tenant.sql.schema_ties import facts_of
from tenantmetrics.tenant.sql.sqlglot_trees import (
    alias_columns,
    function_read,
    is_join_in_parentheses,
    unwrapped,
)
from tenantmetrics.tenant.sql.value_expressions import bare, function_name, value_operand

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.proof.closing import Reach

__all__ = ["ReachSources"]


_OF_ONE_COLUMN = frozenset(
    [
        *("generate_series", "generate_subscripts", "string_to_table", "regexp_split_to_table"),
        *("json_array_elements", "jsonb_array_elements", "json_object_keys", "jsonb_object_keys"),
        *("json_array_elements_text", "jsonb_array_elements_text", "jsonb_path_query", "now"),
        *("to_tsquery", "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery"),
    ],
)
"""Functions whose rows have a single column, which is no tenant's unless it is called so."""


_MAKING = frozenset(["generate_series", "generate_subscripts", "jsonb_path_query"])
"""Functions whose rows are other values than those that they are given."""
_CUTTING = frozenset(["string_to_table", "regexp_split_to_table", "regexp_matches"])
"""Functions that cut a text up: of a title nothing comes out that is a key."""
_MADE = "\0\0made"
"""The name of a column that a function made: no key, whatever it is compared with."""
_ONLY = "\0"
"""The one column of a function that has no other."""


class ReachSources:
    """Enters what queries read from.

    Args:
        reach: Takes the queries in them.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._graph = reach.graph
        self._vocabulary = reach.vocabulary

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
        self._graph.budget.spend(5)
        start = self._graph.next
        alias = item.alias.lower()
        if is_join_in_parentheses(item):
            tree, *_ = self.trees([item.this], scope, holds)
            return tree
        relation = self._source(item, scope, holds)
        if isinstance(item, exp.Table):
            first = relation.star or next(iter(relation.outputs.values()), None)
            if first is not None and first.sources:
                self._reach.ties.called[first.sources[0]] = (item.name.lower(), alias)
        names = alias_columns(item)
        if names:
            relation = renamed(relation, names)
            if all(isinstance(column, exp.ColumnDef) for column in item.args["alias"].columns):
                # `AS x(id int, qty int)`: a function's rows have these and no others.
                relation.star = None
        elif (only := relation.outputs.pop(_ONLY, None)) is not None:
            # The one column of a function is called as the function is here.
            relation.outputs[alias or function_name(item.this)] = only
            relation.outputs["ordinality"] = Output()
        name = alias or (item.name.lower() if isinstance(item, exp.Table) else "")
        name = name or (function_name(item.this) if isinstance(item.this, exp.Func) else "")
        scope.bindings[name or f"\0{start}"] = Binding(relation)
        return Leaf(start, self._graph.next)

    def _source(  # noqa: C901, PLR0911 - one branch a kind
        self, item: exp.Expr, scope: ReachScope, holds: Holds
    ) -> Relation:
        outer = scope.parent or ReachScope(None, self._vocabulary)
        start = self._graph.next
        if isinstance(item, exp.Table):
            if (function := function_read(item)) is not None:
                return self._function(function, scope, holds)
            if item.args.get("rows_from"):
                # ROWS FROM of several: what has their columns side by side is no row of a table.
                self._reach.conditions.opaque(item, scope)
                number = self._graph.source(table=True)
                return Relation(star=Output((number,), _MADE, whole=True))
            if (sample := item.args.get("sample")) is not None:
                self._reach.conditions.opaque(sample, outer)
            cte = scope.cte(item.name.lower()) if not item.args.get("db") else None
            if isinstance(cte, WithQuery):
                return self._reach.with_queries.use(cte)
            if isinstance(cte, Relation):
                return cte
            return self.table(item)
        if isinstance(item, exp.Subquery):
            # Its siblings are not seen, its WITH queries are.
            hidden = ReachScope(outer, self._vocabulary)
            hidden.ctes = scope.ctes
            return self._reach.query(item, hidden, Holds().within(start))
        if isinstance(item, exp.Lateral):
            inner = item.this
            if isinstance(inner, exp.Subquery):
                needed = not _is_one_row(unwrapped(inner))
                return self._reach.query(inner, scope, holds, needed=needed)
            return self._function(inner, scope, holds)
        if isinstance(item, exp.Values):
            return self.values(item, scope)
        if isinstance(item, exp.Unnest):
            return self._unnest(item, scope, holds)
        if isinstance(item, exp.Func):
            return self._function(item, scope, holds)
        return self.table()

    def table(self, item: exp.Expr | None = None) -> Relation:
        """A table, whose columns are those that it is asked for.

        Args:
            item: Where the statement names it.
        """
        facts = facts_of(item, self._vocabulary.schema)
        number = self._graph.source(table=facts is None or not facts.shared)
        star = Output((number,), whole=True, of=(Origin(facts),) if facts else ())
        return Relation(star=star, table=item.name.lower() if isinstance(item, exp.Table) else "")

    def _function(self, function: exp.Expr, scope: ReachScope, holds: Holds) -> Relation:
        name = function_name(function)
        functions = self._vocabulary.functions
        number = self._graph.source()
        if name in functions:
            argument = function.expressions[functions[name] :][:1]
            operand = value_operand(argument[0]) if argument else None
            if isinstance(operand, Operand):
                self._graph.restrict(number, Named((operand,)))
        self._fed(number, function, scope, holds)
        made = function.args.get("expressions") or [function.this]
        kept = (
            bool(made)
            and name not in _MAKING
            and self._hands_on(made[0], scope, values=name in _CUTTING)
        )
        output = Output((number,), "\0" if kept else _MADE, whole=True)
        if name in _OF_ONE_COLUMN:
            return Relation({_ONLY: output})
        return Relation(star=output)

    def _fed(self, number: int, function: exp.Expr, scope: ReachScope, holds: Holds) -> None:
        """A function's rows are made of its arguments.

        A condition on its rows takes rows of what feeds it away only where one of them has to be
        there: not in NOT EXISTS, the select list, or on the nullable side of an outer join.
        """
        self._reach.conditions.opaque(function, scope)
        fed = {
            source
            for column in function.find_all(exp.Column)
            for output in scope.columns(column)
            for source in output.sources
        }
        if fed:
            self._graph.edge_from_all(fed, number)
        if len(fed) == 1:
            (only,) = fed
            if self._reach.ties.holds_for(holds, only):
                self._graph.edge(number, only)

    def _unnest(self, item: exp.Unnest, scope: ReachScope, holds: Holds) -> Relation:
        arrays = item.expressions
        columns = alias_columns(item) or [item.alias.lower() or "unnest"]
        columns += [f"\0{index}" for index in range(len(columns), len(arrays))]
        outputs: dict[str, Output] = {}
        for index, (name, array) in enumerate(zip(columns, arrays, strict=False)):
            number = self._graph.source()
            operands = array_operands(array)
            value = Named(tuple(operands)) if operands is not None else None
            self._fed(number, array, scope, holds)
            kind = "\0" if self._hands_on(array, scope) else _MADE
            outputs[name] = Output((number,), unnamed(kind, index), True, True, value)
        if (counted := item.args.get("offset")) is not None:
            named = isinstance(counted, exp.Identifier)
            outputs[counted.name.lower() if named else "ordinality"] = Output()
        return Relation(outputs)

    def _hands_on(self, node: object, scope: ReachScope, *, values: bool = False) -> bool:
        """Whether what a function makes rows of are keys as they are: `unnest(ARRAY[a.bid])`.

        Args:
            node: What it is given.
            scope: What its columns mean.
            values: A column is a value; otherwise it may hold several, whatever it is called.
        """
        node = bare(node) if isinstance(node, exp.Expr) else None
        while isinstance(node, exp.JSONExtract | exp.JSONExtractScalar):
            node = bare(node.this)
        if isinstance(node, exp.Array):
            return all(self._is_handed_on(bare(item), scope, True) for item in node.expressions)
        return self._is_handed_on(node, scope, values)

    @staticmethod
    def _is_handed_on(node: exp.Expr | None, scope: ReachScope, is_value: bool) -> bool:
        """Whether it is a table's column, and none that another function made."""
        if not isinstance(node, exp.Column):
            return False
        found = scope.columns(node)
        return bool(found) and all(
            output.sources
            and not (is_no_key(output.name) if is_value else output.name.startswith("\0\0"))
            for output in found
        )

    def values(self, node: exp.Values, scope: ReachScope) -> Relation:
        """Rows of values."""
        found: dict[int, list[exp.Expr]] = {}
        for row in node.expressions:
            for index, item in enumerate(row.expressions if isinstance(row, exp.Tuple) else [row]):
                found.setdefault(index, []).append(item)
                if not isinstance(item, exp.Literal | exp.Placeholder):
                    self._reach.conditions.opaque(item, scope)
        outputs = {}
        for index, items in found.items():
            operands = [value_operand(item) for item in items]
            known = [operand for operand in operands if isinstance(operand, Operand)]
            value = Named(tuple(known)) if len(known) == len(items) else None
            name = unnamed("\0", index)
            outputs[f"column{index + 1}"] = Output((self._graph.source(),), name, True, True, value)
        return Relation(outputs)


def _is_one_row(node: exp.Expr) -> bool:
    """Whether a query gives a row whatever its tables hold."""
    return not isinstance(node, exp.Select) or gives_one_row(node)
