"""The part of PromQL that our alarms use, over a `MetricStore`, as CloudWatch would answer it.

Data points are the minutes' increases, so `increase` over a range is their sum, and `rate` that by
the range's seconds; Prometheus extrapolates to the range's edges and differs by a minute's worth.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from tenantmetrics.catalog import METRICS, Form
from tenantmetrics.console.checks import promql
from tenantmetrics.console.rehearsal.store import MetricStore
from tenantmetrics.errors import ConsoleError

__all__ = ["Vector", "evaluate"]

Labels = tuple[tuple[str, str], ...]
Vector = dict[Labels, float]
_Pair = tuple[float, float]
"""A histogram's increase: sum and count."""

Seen = dict[tuple[str, int, int], dict[Labels, _Pair]]
"""Metric, range and its end → what was read."""

_SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
_COMPARISONS = {
    ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le, "==": operator.eq,
}  # fmt: skip
_TWINS = {
    metric.twin: metric
    for metric in METRICS
    if metric.dimensions == ("TenantId",) and metric.attributes
}


def evaluate(node: Any, store: MetricStore, at_s: int, seen: Seen | None = None) -> Any:
    """The value of a tree from `promql.parse` at a moment.

    Args:
        node: The tree.
        store: What is published, tenant by tenant.
        at_s: The moment; data of the minutes before it count.
        seen: Ranges that were read at this moment; a query reads the same one several times.

    Returns:
        A float, or labels → value.

    Raises:
        ConsoleError: It uses what the rehearsal does not know.
    """
    kind = type(node).__name__
    seen = {} if seen is None else seen
    if kind == "NumberLiteral":
        return float(node.val)
    if kind == "ParenExpr":
        return evaluate(node.expr, store, at_s, seen)
    if kind == "Call":
        return _call(node, store, at_s, seen)
    if kind == "AggregateExpr":
        return _sum(node, store, at_s, seen)
    if kind == "BinaryExpr":
        left = evaluate(node.lhs, store, at_s, seen)
        right = evaluate(node.rhs, store, at_s, seen)
        return _binary(_sign(node), left, right)
    raise ConsoleError(f"the rehearsal cannot compute PromQL's {kind}")


def _call(node: Any, store: MetricStore, at_s: int, seen: Seen) -> Any:
    name = node.func.name
    (argument,) = node.args
    if name in {"rate", "increase"}:
        range_s = argument.range.total_seconds()
        found = _increase(argument.vector_selector, store, at_s, int(range_s), seen)
        by = range_s if name == "rate" else 1.0
        return {labels: (total / by, count / by) for labels, (total, count) in found.items()}
    value = evaluate(argument, store, at_s, seen)
    if name == "scalar":
        return next(iter(value.values())) if len(value) == 1 else float("nan")
    if name == "histogram_sum":
        return {labels: pair[0] for labels, pair in value.items()}
    if name == "histogram_count":
        return {labels: pair[1] for labels, pair in value.items()}
    raise ConsoleError(f"the rehearsal cannot compute PromQL's {name}()")


def _increase(
    selector: Any, store: MetricStore, at_s: int, range_s: int, seen: Seen
) -> dict[Labels, _Pair]:
    twin = promql.metric_name(selector) or ""
    metric = _TWINS.get(twin)
    if metric is None:
        raise ConsoleError(f"the rehearsal has no series of {twin!r}")
    offset_s = int(selector.offset.total_seconds()) if selector.offset else 0
    end_s = at_s - offset_s
    if (known := seen.get((twin, range_s, end_s))) is not None:
        return known
    # Seconds there, milliseconds here.
    unit = 1000.0 if metric.twin_unit == "s" else 1.0
    found: dict[Labels, _Pair] = {}
    # CloudWatch has the billed requests as the load's sample count.
    billed = metric.name == "BilledRequests"
    for key in store.select("DatabaseLoad" if billed else metric.name, metric.dimensions):
        total, count = store.total(key, end_s - range_s, end_s)
        if count:
            labels = (("tenant.id", key[1][0][1]),)
            plain = metric.form is not Form.VALUES
            number = float(count) if billed else total / unit
            found[labels] = (number, number if plain else count)
    seen[twin, range_s, end_s] = found
    return found


def _sum(node: Any, store: MetricStore, at_s: int, seen: Seen) -> Vector:
    if str(node.op) != "sum":
        raise ConsoleError(f"the rehearsal cannot compute PromQL's {node.op}()")
    value = evaluate(node.expr, store, at_s, seen)
    by = node.modifier.labels if node.modifier is not None else []
    found: Vector = {}
    for labels, number in value.items():
        key = tuple(pair for pair in labels if pair[0] in by)
        found[key] = found.get(key, 0.0) + (number[0] if isinstance(number, tuple) else number)
    return found


def _binary(sign: str, left: Any, right: Any) -> Any:
    if sign == "and":
        return {labels: value for labels, value in left.items() if labels in right}
    if sign in _COMPARISONS:
        return _filtered(_COMPARISONS[sign], left, right)
    function = _SIGNS.get(sign)
    if function is None:
        raise ConsoleError(f"the rehearsal cannot compute PromQL's {sign}")
    return _arithmetic(function, left, right)


def _filtered(holds: Callable[[float, float], bool], left: Vector, right: Any) -> Vector:
    if isinstance(right, float):
        return {labels: value for labels, value in left.items() if holds(value, right)}
    return {
        labels: value
        for labels, value in left.items()
        if labels in right and holds(value, right[labels])
    }


def _arithmetic(function: Callable[[float, float], float], left: Any, right: Any) -> Any:
    if isinstance(left, float) and isinstance(right, float):
        return _safe(function, left, right)
    if isinstance(left, float):
        return {labels: _safe(function, left, value) for labels, value in right.items()}
    if isinstance(right, float):
        return {labels: _safe(function, value, right) for labels, value in left.items()}
    return {
        labels: _safe(function, value, right[labels])
        for labels, value in left.items()
        if labels in right
    }


def _safe(function: Callable[[float, float], float], left: float, right: float) -> float:
    """IEEE arithmetic, as Prometheus has it: 0 / 0 is NaN, 1 / 0 is infinite."""
    try:
        return float(function(left, right))
    except ZeroDivisionError:
        return float("nan") if left == 0 else float("inf")


def _sign(node: Any) -> str:
    return str(node.op)
