"""PromQL that parses and still has no answer: label sets that never meet, quantiles beyond 1.

Matching: Prometheus documentation, "Operators", vector matching; "Functions", histogram_quantile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["labels", "shape_faults"]

SCALAR = frozenset({"\0scalar"})
"""Stands for a number, which meets every label set."""

_PICKING = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
_SCALARS = frozenset({"scalar", "time", "pi"})
_RELABELLING = frozenset({"label_replace", "label_join", "absent", "absent_over_time", "info"})
_ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", ">=", "<=", "and"})


def labels(node: Any) -> frozenset[str] | None:
    """The labels that a query's result has; None where that depends on the data."""
    kind = type(node).__name__
    if kind in {"NumberLiteral", "StringLiteral"}:
        return SCALAR
    if kind in {"ParenExpr", "UnaryExpr"}:
        return labels(node.expr)
    found = {"AggregateExpr": _of_aggregate, "Call": _of_call, "BinaryExpr": _of_binary}.get(kind)
    return found(node) if found else None


def shape_faults(tree: Any) -> Iterator[str]:
    """What is wrong with a query whose grammar is right."""
    kind = type(tree).__name__
    if kind == "BinaryExpr":
        yield from _matching_faults(tree)
    elif kind == "Call" and tree.func.name == "histogram_quantile":
        yield from _quantile_faults(tree)
    elif (
        kind == "AggregateExpr"
        and str(tree.op) in {"topk", "bottomk"}
        and (count := _literal(tree.param)) is not None
        and count < 1
    ):
        yield f"{tree.op}({count:g}, …) keeps no series"
    for child in _children(tree):
        yield from shape_faults(child)


def _children(node: Any) -> Iterator[Any]:
    for name in ("expr", "lhs", "rhs", "param", "vector_selector"):
        below = getattr(node, name, None)
        if below is not None and not isinstance(below, str | int | float):
            yield below
    yield from getattr(node, "args", None) or ()


def _of_aggregate(node: Any) -> frozenset[str] | None:
    if str(node.op) in _PICKING:
        return labels(node.expr)
    if node.modifier is None:
        return frozenset()
    return frozenset(node.modifier.labels) if _by(node) else None


def _of_call(node: Any) -> frozenset[str] | None:
    name, arguments = str(node.func.name), list(node.args)
    if name in _SCALARS:
        return SCALAR
    if name == "vector":
        return frozenset()
    if name in _RELABELLING or not arguments:
        return None
    inner = labels(arguments[1 if name.startswith("histogram_quantile") else 0])
    return inner - {"le"} if inner is not None and name == "histogram_quantile" else inner


def _of_binary(node: Any) -> frozenset[str] | None:
    left, right = labels(node.lhs), labels(node.rhs)
    if node.modifier is not None and node.modifier.matching is not None:
        return None
    if str(node.op) in {"and", "unless"}:
        return left
    if left is not None and right is not None:
        if left == SCALAR:
            return right
        if right in (SCALAR, left):
            return left
    return None


def _matching_faults(node: Any) -> Iterator[str]:
    left, right = labels(node.lhs), labels(node.rhs)
    matched = node.modifier is not None and node.modifier.matching is not None
    if (
        not matched
        and str(node.op) in _ARITHMETIC
        and left is not None
        and right is not None
        and SCALAR not in (left, right)
        and left != right
    ):
        yield (
            f"{node.op} between series by {_shown(left)} and series by {_shown(right)} never "
            "meets: on(), ignoring() or scalar() is missing"
        )
    if str(node.op) == "/" and _literal(node.rhs) == 0:
        yield "a division by zero"


def _quantile_faults(call: Any) -> Iterator[str]:
    quantile, inner = _literal(call.args[0]), call.args[1]
    if quantile is not None and not 0 <= quantile <= 1:
        yield f"histogram_quantile({quantile:g}, …): a quantile is between 0 and 1"
    if type(inner).__name__ != "AggregateExpr" or str(inner.op) != "sum":
        return
    buckets = any(str(getattr(node, "name", "")).endswith("_bucket") for node in _below(inner))
    listed = inner.modifier.labels if inner.modifier is not None else ()
    kept = ("le" in listed) if inner.modifier is None or _by(inner) else "le" not in listed
    if buckets and not kept:
        yield "histogram_quantile() over buckets whose label le is summed away: by (le) is missing"


def _below(node: Any) -> Iterator[Any]:
    yield node
    for child in _children(node):
        yield from _below(child)


def _literal(node: Any) -> float | None:
    if isinstance(node, int | float):
        return float(node)
    if type(node).__name__ == "UnaryExpr":
        inner = _literal(node.expr)
        return None if inner is None else -inner
    return float(node.val) if type(node).__name__ == "NumberLiteral" else None


def _by(node: Any) -> bool:
    return str(node.modifier.type).endswith("By")


def _shown(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
