"""The select list in the proof: what each column comes from, and what a condition on it closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from tenantmetrics.tenant.sql.aggregates import aggregates
from tenantmetrics.tenant.sql.any_array import unnested
from tenantmetrics.tenant.sql.budget import Budget
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.proof.columns import Binding, Output, ReachScope, Relation
from tenantmetrics.tenant.sql.proof.key_names import OF_KEY, is_key_name, may_be_null
from tenantmetrics.tenant.sql.proof.relations import without_inward
from tenantmetrics.tenant.sql.restrictions import IN_SESSION, Named
from tenantmetrics.tenant.sql.value_expressions import SESSION, value_operand

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.proof.closing import Reach

__all__ = ["ReachOutputs"]

_EXTREMES = (exp.Max, exp.Min, exp.AnyValue)
_UNKNOWN = Binding(Relation(star=Output()))
"""Something whose columns nobody knows."""


class ReachOutputs:
    """The columns of queries.

    Args:
        reach: Takes the queries in them.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._graph = reach.graph
        self._vocabulary = reach.vocabulary

    def of_select(self, node: exp.Select, scope: ReachScope) -> Relation:
        """The columns that a query gives."""
        relation = Relation()
        group = node.args.get("group")
        distinct = node.args.get("distinct")
        aggregates = any(map(_aggregates, node.expressions))
        cut = any(node.args.get(key) is not None for key in ("limit", "offset"))
        on = distinct.args.get("on") if distinct is not None else None
        cut = cut or (aggregates and group is None)
        kept = _grouped_by(node, group, self._graph.budget) if group is not None else None
        for index, item in enumerate(node.expressions):
            inner = item.unalias()
            if self.add_starred(inner, scope, relation):
                continue
            name = (item.alias_or_name or f"?column{index}").lower()
            output = self.of_item(inner, scope)
            if (
                kept is not None
                and output.sources
                and output.inward
                and _text(inner, self._graph.budget) not in kept
            ):
                output = output._replace(inward=False)
            if name in relation.outputs:
                name = f"{name}\0{index}"
            relation.outputs[name] = output
        if cut:
            without_inward(relation)
        else:
            self._windowed(node, scope, relation)
            if on is not None:
                # The first of each group is chosen among rows that a condition outside would take.
                parts = [part for part in on.expressions if not _is_renamed(part, node.expressions)]
                self._keep(relation, self._partitioned(parts, scope))
        return relation

    def _windowed(self, node: exp.Select, scope: ReachScope, relation: Relation) -> None:
        """A window is made of rows that a condition outside would take away.

        Unless all of them have the tenant that the condition is about: PARTITION BY its key. Not by
        `parent_id` and the like, which is NULL in rows of several tenants.
        """
        windows = [w for item in node.expressions for w in item.find_all(exp.Window)]
        if not windows:
            return
        named = {window.name.lower(): window for window in node.args.get("windows") or []}
        within: set[int] | None = None
        for window in windows:
            parts = (named.get(window.alias.lower(), window)).args.get("partition_by") or []
            sources = self._partitioned(parts, scope)
            within = sources if within is None else within & sources
        self._keep(relation, within or set())

    def _partitioned(self, parts: list[exp.Expr], scope: ReachScope) -> set[int]:
        """The sources of which rows that are equal in these have one tenant."""
        found: set[int] = set()
        for part in parts:
            column = self._reach.ties.side(part, scope)
            if column is not None and (
                column.name in self._vocabulary.columns
                or (is_key_name(column.name) and not may_be_null(column.name))
            ):
                found.update(column.sources if len(column.sources) == 1 else ())
        return found

    @staticmethod
    def _keep(relation: Relation, kept: set[int]) -> None:
        """Let no condition in but on columns of these sources."""
        for name, output in relation.outputs.items():
            if not kept.issuperset(output.sources):
                relation.outputs[name] = output._replace(inward=False)
        if relation.star is not None and not kept.issuperset(relation.star.sources):
            relation.star = relation.star._replace(inward=False)

    def of_item(self, item: exp.Expr, scope: ReachScope) -> Output:  # noqa: PLR0911 - one kind a line
        """What an item of a select list gives."""
        value = value_operand(item)
        if isinstance(value, Operand):
            return Output(value=Named((value,)))
        if value is SESSION:
            return Output(value=IN_SESSION)
        if (array := unnested(item)) is not None:
            return Output(value=Named(tuple(array))) if array else Output()
        if isinstance(item, _EXTREMES):
            found = self._reach.ties.side(item.this, scope)
            return (found or Output())._replace(inward=False)
        if (element := _gathered(item)) is not None:
            # What `= ANY` finds in the array is one of these keys.
            found = self._reach.ties.side(element, scope) or Output()
            return found._replace(inward=False) if is_key_name(found.name) else Output()
        if isinstance(item, exp.Coalesce):
            return self._first_of([item.this, *item.expressions], scope)
        return self._reach.ties.side(item, scope) or Output()

    def _first_of(self, items: list[exp.Expr], scope: ReachScope) -> Output:
        """`COALESCE(a.id, b.id)`: a key of one of them, which tells a row if all are closed."""
        found = [self._reach.ties.side(item, scope) for item in items]
        sides = [side for side in found if side is not None]
        if len(sides) < len(items) or not all(is_key_name(s.name) and s.whole for s in sides):
            return Output()
        number = self._graph.source()
        self._graph.edge_from_all([source for side in sides for source in side.sources], number)
        return Output((number,), OF_KEY, whole=True, inward=False)

    def of_all(self, scope: ReachScope) -> Relation:
        """The columns of all sources, as `SELECT *` gives them."""
        relation = Relation()
        self._starred(list(scope.bindings.values()), relation)
        return relation

    def add_starred(self, item: exp.Expr, scope: ReachScope, relation: Relation) -> bool:
        """Add the columns of `*`, `a.*` and `(f(a)).*`; False for anything else."""
        if isinstance(item, exp.Star):
            self._starred(list(scope.bindings.values()), relation)
        elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
            name = item.table.lower()
            around = (s.bindings[name] for s in scope.outward() if name in s.bindings)
            binding = None if item.args.get("db") else next(around, None)
            self._starred([binding or _UNKNOWN], relation)
        elif isinstance(item, exp.Dot) and isinstance(item.expression, exp.Star):
            self._starred([_UNKNOWN], relation)
        else:
            return False
        return True

    def _starred(self, bindings: list[Binding], relation: Relation) -> None:
        stars: list[Output] = [] if relation.star is None else [relation.star]
        for binding in bindings:
            for name, output in binding.relation.outputs.items():
                label = name if name not in relation.outputs else f"{name}\0{len(relation.outputs)}"
                relation.outputs[label] = output
            if binding.relation.star is not None:
                stars.append(binding.relation.star)
        if stars:
            relation.star = self._reach.ties.one_of(stars)


def _gathered(item: exp.Expr) -> exp.Expr | None:
    """What `array_agg(DISTINCT id ORDER BY id)` is made of; None for anything else."""
    inner: exp.Expr | None = item.this if isinstance(item, exp.Filter) else item
    if not isinstance(inner, exp.ArrayAgg):
        return None
    inner = inner.this
    while isinstance(inner, exp.Order):
        inner = inner.this
    if isinstance(inner, exp.Distinct):
        inner = inner.expressions[0] if len(inner.expressions) == 1 else None
    return inner


def _is_renamed(part: exp.Expr, items: list[exp.Expr]) -> bool:
    """Whether DISTINCT ON means a column of the select list, and not the table's of that name."""
    if not isinstance(part, exp.Column) or part.table:
        # A number is a place in the list.
        return isinstance(part, exp.Literal)
    name = part.name.lower()
    return any(
        item.alias_or_name.lower() == name
        and not (isinstance(item.unalias(), exp.Column) and item.unalias().name.lower() == name)
        for item in items
        if not isinstance(item, exp.Star)
    )


def _aggregates(item: exp.Expr) -> bool:
    """Whether it makes one row of many; over a window it does not."""
    return any(
        not isinstance(part.find_ancestor(exp.Window, exp.Query), exp.Window)
        for part in aggregates(item)
    )


def _grouped_by(node: exp.Select, group: exp.Expr, budget: Budget) -> set[str]:
    """The expressions of GROUP BY, as text."""
    items = node.expressions
    aliased: dict[str, list[exp.Expr]] = {}
    for item in items:
        if item.alias:
            aliased.setdefault(item.alias, []).append(item)
    found = set()
    for part in group.expressions:
        text = _text(part, budget)
        if isinstance(part, exp.Literal) and part.this.isdecimal() and int(part.this) <= len(items):
            text = _text(items[int(part.this) - 1].unalias(), budget)
        found.add(text)
        found.update(_text(item.unalias(), budget) for item in aliased.pop(text, ()))
    return found


def _text(node: exp.Expr, budget: Budget) -> str:
    """An expression as it is written; of a column in a tenth of the time."""
    budget.spend(1)
    if isinstance(node, exp.Column) and all(isinstance(p, exp.Identifier) for p in node.parts):
        return ".".join(f'"{p.name}"' if p.args.get("quoted") else p.name for p in node.parts)
    budget.spend(_WRITING_STEPS)
    text = node.sql()
    budget.spend(len(text) // _CHARS_OF_A_STEP)
    return text


_WRITING_STEPS = 10
"""What it takes to write an expression."""
_CHARS_OF_A_STEP = 4
