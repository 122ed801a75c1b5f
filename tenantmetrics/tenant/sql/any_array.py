"""Arrays of values: `= ANY(:ids)`, `= ANY (ARRAY[…])`, `unnest(:ids)`, `string_to_array(:ids)`.

Whom they name, and what stands in ANY where it is a query. The conditions that compare with them
are read by `tenant_comparisons` and `proof.comparisons`; `= ANY(:ids)` alone in a plain statement
by `fast_path.read_conditions`, without the parser.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.template import slot_of_string
from tenantmetrics.tenant.sql.value_expressions import (
    bare,
    function_name,
    kept_cast,
    leaf_operand,
    size_of_cast,
    value_operand,
)

__all__ = ["any_of", "array_operands", "query_of", "unnested"]

# Tuples, because `A | B` inside isinstance() is built anew at each call.
_EXPLODE_OR_UNNEST = (exp.Explode, exp.Unnest)
_SELECT_OR_SUBQUERY_OR_SETOPERATION = (exp.Select, exp.Subquery, exp.SetOperation)
_MAX_WRAPPERS = 20


def any_of(node: exp.Expr | None) -> exp.Expr | None:
    """What stands in ANY(…) or SOME(…)."""
    if isinstance(node, exp.Any):
        inside: exp.Expr = node.this
        return inside
    if isinstance(node, exp.Anonymous) and function_name(node) == "some" and node.expressions:
        only: exp.Expr = node.expressions[0]
        return only
    return None


def query_of(array: exp.Expr | None) -> exp.Expr | None:
    """The query of `ANY (SELECT …)` and `ANY (ARRAY(SELECT …))`, without what is around it."""
    inner = bare(array)
    if isinstance(inner, exp.Array) and len(inner.expressions) == 1:
        only: exp.Expr = inner.expressions[0]
        return only if isinstance(only, _SELECT_OR_SUBQUERY_OR_SETOPERATION) else inner
    return inner


def array_operands(node: exp.Expr | None) -> list[Operand] | None:
    """The operands of what follows `= ANY`, None where the text does not tell."""
    cast: tuple[str, ...] = ()
    fits: int | None = None
    for _ in range(_MAX_WRAPPERS):
        if isinstance(node, exp.Paren):
            node = node.this
        elif isinstance(node, exp.Cast):
            kind = node.to
            if not isinstance(kind, exp.DataType) or kind.this != exp.DType.ARRAY or cast:
                return None
            element = kind.expressions[0] if len(kind.expressions) == 1 else None
            name = kept_cast(element) if isinstance(element, exp.DataType) else None
            if name is None and (fits := size_of_cast(element)) is None:
                return None
            cast = (name or "text",)
            node = node.this
        else:
            break
    if isinstance(node, exp.Array):
        return _elements(node, cast, fits)
    if isinstance(node, exp.StringToArray) and fits is None:
        return _separated(node, cast)
    operand = leaf_operand(node)
    if not isinstance(operand, Operand):
        return None
    return [replace(operand, many=True, cast=cast, fits=fits)]


def _elements(node: exp.Array, cast: tuple[str, ...], fits: int | None) -> list[Operand] | None:
    """`ARRAY[:t, 'acme']` under a cast of all of it."""
    found: list[Operand] = []
    for element in node.expressions:
        operand = value_operand(element)
        if not isinstance(operand, Operand) or (fits is not None and operand.fits is not None):
            return None
        limit = operand.fits if fits is None else fits
        found.append(replace(operand, cast=operand.cast + cast, fits=limit))
    return found


def _separated(node: exp.StringToArray, cast: tuple[str, ...]) -> list[Operand] | None:
    """`string_to_array(:tenants, ',')`, where no word stands for NULL."""
    parting, operand = node.expression, leaf_operand(bare(node.this))
    if not isinstance(parting, exp.Literal) or not parting.is_string or node.args.get("null"):
        return None
    separator = slot_of_string(parting.this)
    if separator is None or not isinstance(operand, Operand):
        return None
    return [replace(operand, many=True, cast=cast, separator=separator)]


def unnested(item: exp.Expr | None) -> list[Operand] | None:
    """The operands of `unnest(:array)`; empty where the text does not tell, None for others."""
    if isinstance(item, _EXPLODE_OR_UNNEST):
        inner = item.expressions[0] if isinstance(item, exp.Unnest) else item.this
        return array_operands(inner) or []
    return None
