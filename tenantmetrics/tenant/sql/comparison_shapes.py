"""The shapes of a comparison: `(…) IS TRUE`, `(a, b) = (c, d)`."""

from __future__ import annotations

from sqlglot import exp

from tenantmetrics.tenant.sql.value_expressions import bare, function_name

__all__ = ["elements", "pairs_of", "truth"]

# Tuples, because `A | B` inside isinstance() is built anew at each call.
_EQ_OR_IS = (exp.EQ, exp.Is)
_CONDITIONS = (exp.Predicate, exp.Connector, exp.Not, exp.In, exp.Case)


def truth(node: exp.Expr, negated: bool) -> tuple[exp.Expr, bool] | None:
    """The condition inside `(…) = true`, `(…) IS FALSE` and CASE, and whether that negates it.

    Not that of `IS NOT TRUE` and `IS NOT FALSE`, which NULL satisfies too.
    """
    if negated and isinstance(node, exp.Is):
        return None
    if (
        isinstance(node, _EQ_OR_IS)
        and isinstance(node.expression, exp.Boolean)
        and not node.args.get("negate")
    ):
        inner = node.this
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if isinstance(inner, _CONDITIONS):
            return inner, not node.expression.this
    if isinstance(node, exp.Case) and not negated:
        return _true_in_case(node)
    return None


def _true_in_case(node: exp.Case) -> tuple[exp.Expr, bool] | None:
    """`CASE WHEN … THEN TRUE ELSE FALSE END` is true where its only condition is."""
    ifs, default = node.args.get("ifs") or [], node.args.get("default")
    if node.this is not None or len(ifs) != 1:
        return None
    then = ifs[0].args.get("true")
    is_true = isinstance(then, exp.Boolean) and then.this
    is_false = default is None or (isinstance(default, exp.Boolean) and not default.this)
    return (ifs[0].this, False) if is_true and is_false else None


def elements(node: exp.Expr | None) -> list[exp.Expr] | None:
    """The elements of `(a, b)` and `ROW(a, b)`."""
    if isinstance(node, exp.Tuple) or (
        isinstance(node, exp.Anonymous) and function_name(node) == "row"
    ):
        return list(node.expressions)
    return None


def pairs_of(left: exp.Expr, right: exp.Expr) -> list[tuple[exp.Expr, exp.Expr]] | None:
    """The comparisons that `(a, b) = (c, d)` stands for."""
    ones, others = elements(bare(left)), elements(bare(right))
    if ones is None or others is None or len(ones) != len(others):
        return None
    return list(zip(ones, others, strict=True))
