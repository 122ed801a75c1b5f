"""The rows of functions in the proof: what they are made of, and whether a key is handed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from tenantmetrics.tenant.sql.any_array import array_operands
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.proof.columns import (
    MAYBE,
    Output,
    ReachScope,
    Relation,
    unnamed,
)
from tenantmetrics.tenant.sql.proof.joins import Holds
from tenantmetrics.tenant.sql.proof.key_names import MAKING, is_no_key
from tenantmetrics.tenant.sql.restrictions import Named
from tenantmetrics.tenant.sql.sqlglot_trees import alias_columns
from tenantmetrics.tenant.sql.value_expressions import bare, function_name, value_operand

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.proof.closing import Reach

__all__ = ["MADE", "ONLY", "ReachFunctions"]

_OF_ONE_COLUMN = frozenset(
    [
        *(
            "generate_series",
            "exploding_generate_series",
            "generate_subscripts",
            "string_to_table",
            "regexp_split_to_table",
        ),
        *("json_array_elements", "jsonb_array_elements", "json_object_keys", "jsonb_object_keys"),
        *("json_array_elements_text", "jsonb_array_elements_text", "jsonb_path_query", "now"),
        *("to_tsquery", "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery"),
    ],
)
"""Functions whose rows have a single column, which is no tenant's unless it is called so."""


_CUTTING = frozenset(["string_to_table", "regexp_split_to_table", "regexp_matches"])
"""Functions that cut a text up: of a title nothing comes out that is a key."""
MADE = "\0\0made"
"""The name of a column that a function made: no key, whatever it is compared with."""
ONLY = "\0"
"""The one column of a function that has no other."""


class ReachFunctions:
    """Enters the functions that queries read from.

    Args:
        reach: Takes the queries in their arguments.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._graph = reach.graph
        self._vocabulary = reach.vocabulary

    def rows(self, function: exp.Expr, item: exp.Expr, scope: ReachScope, holds: Holds) -> Relation:
        """The rows of a function.

        Args:
            function: The function.
            item: What it stands in, which has the alias.
            scope: What names mean.
            holds: Where a condition on its rows holds.
        """
        if isinstance(function, exp.Unnest):
            return self._unnest(function, item, scope, holds)
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
            and name not in MAKING
            and self._hands_on(made[0], scope, values=name in _CUTTING)
        )
        output = Output((number,), "\0" if kept else MADE, whole=True)
        if name in _OF_ONE_COLUMN:
            return Relation({ONLY: output})
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

    def _unnest(
        self, function: exp.Unnest, item: exp.Expr, scope: ReachScope, holds: Holds
    ) -> Relation:
        arrays = function.expressions
        columns = alias_columns(item) or [item.alias.lower() or "unnest"]
        columns += [f"\0{index}" for index in range(len(columns), len(arrays))]
        outputs: dict[str, Output] = {}
        for index, (name, array) in enumerate(zip(columns, arrays, strict=False)):
            number = self._graph.source()
            operands = array_operands(array)
            value = Named(tuple(operands)) if operands is not None else None
            self._fed(number, array, scope, holds)
            kind = "\0" if self._hands_on(array, scope) else MADE
            outputs[name] = Output((number,), unnamed(kind, index), True, True, value)
        counted = function.args.get("offset")
        if counted or item.args.get("ordinality"):
            outputs.setdefault("ordinality", Output())
        if isinstance(counted, exp.Identifier):
            outputs.setdefault(counted.name.lower(), Output())
        rows = any(_may_have_rows(array, scope) for array in arrays)
        return Relation(outputs, Output(name=MAYBE) if rows else None)

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
            and output.whole
            and not (is_no_key(output.name) if is_value else output.name.startswith("\0\0"))
            for output in found
        )


def _may_have_rows(array: exp.Expr, scope: ReachScope) -> bool:
    """Whether an array may hold rows, each with columns of its own: `ARRAY(SELECT b FROM b)`."""
    if isinstance(array, exp.Cast):
        kind = array.to
        inner = kind.expressions[0] if kind.expressions else kind
        if isinstance(inner, exp.DataType) and inner.this == exp.DType.USERDEFINED:
            return True
    array = bare(array) or array
    while isinstance(array, exp.Cast):
        array = array.this
    if isinstance(array, exp.Array):
        return any(
            isinstance(item, exp.Query | exp.Tuple | exp.Anonymous)
            or (isinstance(item, exp.Column) and item.name.lower() in scope.bindings)
            for item in array.expressions
        )
    if isinstance(array, exp.Column):
        return not all(output.sources for output in scope.columns(array))
    return not isinstance(array, exp.Placeholder | exp.Literal | exp.StringToArray)
