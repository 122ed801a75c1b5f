"""Conditions of parameters and literals alone: `:q = ''`, `:flag`, `cardinality(:ids) = 0`."""

from __future__ import annotations

from sqlglot import exp

from tenantmetrics.tenant.sql.evaluate_parameters import Computed
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.value_expressions import function_name, leaf_operand, only_value

__all__ = ["branches_of", "computed", "not_true"]

_MAX_LEVELS = 20
_BINARY: dict[type[exp.Expr], str] = {
    exp.EQ: "eq",
    exp.NEQ: "ne",
    exp.LT: "lt",
    exp.LTE: "le",
    exp.GT: "gt",
    exp.GTE: "ge",
    exp.And: "and",
    exp.Or: "or",
    exp.NullSafeNEQ: "distinct",
    exp.Nullif: "nullif",
}
_UNARY: dict[type[exp.Expr], str] = {
    exp.Not: "not",
    exp.Paren: "value",
    exp.Length: "length",
    exp.Lower: "lower",
    exp.Upper: "upper",
    exp.Trim: "trim",
}
_CASTS = {
    exp.DType.TEXT: "text",
    exp.DType.VARCHAR: "text",
    exp.DType.BOOLEAN: "boolean",
    exp.DType.SMALLINT: "integer",
    exp.DType.INT: "integer",
    exp.DType.BIGINT: "integer",
    exp.DType.UUID: "uuid",
    exp.DType.ARRAY: "array",
}


def computed(node: exp.Expr | None, levels: int = _MAX_LEVELS) -> Computed | None:
    """An expression that no column and no query has a part in; None for any other.

    Args:
        node: The expression.
        levels: How deep it is looked into.
    """
    part = _part(node, levels)
    return Computed("value", (part,)) if isinstance(part, Operand) else part


def not_true(test: Computed) -> tuple[Computed, bool]:
    """A test that is false or NULL, which the branches behind it need."""
    return Computed("is_true", (test,)), False


def branches_of(
    node: exp.Case,
) -> list[tuple[tuple[tuple[Computed, bool], ...], exp.Expr | None]] | None:
    """What a CASE gives, and what each branch needs; None where its tests are not of values alone.

    Args:
        node: The CASE; without ELSE its last branch is None.
    """
    found: list[tuple[tuple[tuple[Computed, bool], ...], exp.Expr | None]] = []
    before: tuple[tuple[Computed, bool], ...] = ()
    for part in node.args.get("ifs") or []:
        test = _tested(node, part, _MAX_LEVELS)
        if test is None:
            return None
        found.append(((*before, (test, True)), part.args.get("true")))
        before = (*before, not_true(test))
    found.append((before, node.args.get("default")))
    return found


def _tested(case: exp.Case, part: exp.Expr, levels: int) -> Computed | None:
    if case.this is None:
        return computed(part.this, levels)
    return _of("eq", [case.this, part.this], levels)


def _of(how: str, nodes: list[exp.Expr | None], levels: int) -> Computed | None:
    parts: list[Computed | Operand] = []
    for node in nodes:
        part = _part(node, levels - 1)
        if part is None:
            return None
        parts.append(part)
    return Computed(how, tuple(parts))


def _part(node: exp.Expr | None, levels: int) -> Computed | Operand | None:  # noqa: C901, PLR0911, PLR0912
    if node is None or levels <= 0:
        return None
    kind = node.__class__
    if kind is exp.Column:
        return None
    operand = leaf_operand(node)
    if kind is exp.Boolean and isinstance(operand, Operand):
        return Computed("boolean", (operand,))
    if operand is not None:
        return operand if isinstance(operand, Operand) else None
    if kind in _BINARY:
        right = node.expression
        if kind is exp.EQ and isinstance(right, exp.Any):
            return _any(node.this, right.this, levels)
        return _of(_BINARY[kind], [node.this, right], levels)
    if kind in _UNARY:
        others = {key for key, value in node.args.items() if value} - {"this"}
        return None if others else _of(_UNARY[kind], [node.this], levels)
    if kind is exp.Is:
        return _is(node, levels)
    if kind is exp.NullSafeEQ:
        distinct = _of("distinct", [node.this, node.expression], levels)
        return None if distinct is None else Computed("not", (distinct,))
    if kind is exp.Cast:
        return _of(_cast(node.args.get("to")), [node.this], levels)
    if kind is exp.Coalesce:
        return _of("coalesce", [node.this, *node.expressions], levels)
    if kind is exp.In and node.expressions and not node.args.get("query"):
        tests = [_of("eq", [node.this, item], levels) for item in node.expressions]
        known = [test for test in tests if test is not None]
        return Computed("or", tuple(known)) if len(known) == len(tests) else None
    if kind is exp.ArraySize:
        whole = node.args.get("expression")
        first = not isinstance(whole, exp.Expr) or isinstance(whole, exp.Literal)
        return _of("array_length", [node.this], levels) if first else None
    if isinstance(node, exp.Case):
        return _case(node, levels)
    if kind in (exp.Subquery, exp.Select):
        return _part(only_value(node), levels - 1)
    name = function_name(node)
    if name == "cardinality" and len(node.expressions) == 1:
        return _of("cardinality", [node.expressions[0]], levels)
    return None


def _any(side: exp.Expr, array: exp.Expr, levels: int) -> Computed | None:
    while isinstance(array, exp.Paren):
        array = array.this
    if isinstance(array, exp.Array):
        tests = [_of("eq", [side, item], levels) for item in array.expressions]
        known = [test for test in tests if test is not None]
        return Computed("or", tuple(known)) if len(known) == len(tests) else None
    return _of("any", [side, array], levels)


def _is(node: exp.Expr, levels: int) -> Computed | None:
    right = node.args.get("expression")
    how = "is_null" if isinstance(right, exp.Null) else ""
    if isinstance(right, exp.Boolean):
        how = "is_true" if right.this else "is_false"
    test = _of(how, [node.this], levels) if how else None
    return Computed("not", (test,)) if test is not None and node.args.get("negate") else test


def _case(node: exp.Case, levels: int) -> Computed | None:
    parts: list[Computed | Operand | None] = []
    for part in node.args.get("ifs") or []:
        parts += [_tested(node, part, levels - 1), _part(part.args.get("true"), levels - 1)]
    default = node.args.get("default")
    parts.append(Operand() if default is None else _part(default, levels - 1))
    known = [part for part in parts if part is not None]
    return Computed("case", tuple(known)) if len(known) == len(parts) else None


def _cast(kind: object) -> str:
    """How a cast is read; what cuts, rounds or folds its value leaves whether it is NULL."""
    if not isinstance(kind, exp.DataType):
        return "other"
    if kind.this == exp.DType.ARRAY:
        element = kind.expressions[0] if len(kind.expressions) == 1 else None
        plain = isinstance(element, exp.DataType) and not element.expressions
        return "array" if plain and element is not None else "other"
    return "other" if kind.expressions else _CASTS.get(kind.this, "other")
