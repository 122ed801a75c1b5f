"""Metric math and Metrics Insights over a `MetricStore`, as CloudWatch would answer them.

A value is a number, or series by label: one series has the label "". An operation on two series is
done where both have a datum; a division by zero leaves none.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from statistics import fmean, median

from tenantmetrics.console.checks import insights, mathsyntax, search
from tenantmetrics.console.checks.mathsyntax import Node
from tenantmetrics.console.rehearsal.store import MetricStore, Points, statistic
from tenantmetrics.errors import ConsoleError

__all__ = ["Series", "Value", "evaluate"]

Series = dict[int, float]
Value = float | dict[str, Series]

_AGGREGATES: dict[str, Callable[[Iterable[float]], float]] = {
    "AVG": fmean,
    "MAX": max,
    "MIN": min,
    "SUM": sum,
}
_INSIGHTS = {"AVG": "Average", "COUNT": "SampleCount", "MAX": "Maximum", "MIN": "Minimum"}
_LEARNT = 12
"""Periods that the stand-in for anomaly detection must have seen before it has a band."""

_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "AND": lambda a, b: bool(a) and bool(b),
    "OR": lambda a, b: bool(a) or bool(b),
    "&&": lambda a, b: bool(a) and bool(b),
    "||": lambda a, b: bool(a) or bool(b),
}


def evaluate(text: str, store: MetricStore, known: Mapping[str, Value], period_s: int) -> Value:
    """The value of an expression.

    Args:
        text: Metric math or Metrics Insights.
        store: What is published.
        known: Ids of the other metrics and expressions → their values.
        period_s: The graph's or alarm's period.

    Raises:
        ConsoleError: It uses what the rehearsal does not know.
    """
    if insights.is_query(text):
        return _insights(insights.parse_query(text), store, period_s)
    return _Evaluation(store, known, period_s).value(mathsyntax.parse_expression(text))


class _Evaluation:
    """One expression's tree, walked with its surroundings at hand."""

    def __init__(self, store: MetricStore, known: Mapping[str, Value], period_s: int) -> None:
        self._store, self._known, self._period_s = store, known, period_s

    def value(self, node: Node) -> Value:
        """The value of a node."""
        if node.kind == "number":
            return float(node.value)
        if node.kind == "id":
            return self._known[node.value]
        if node.kind == "operator":
            left, right = (self.value(part) for part in node.parts)
            return _apply(_OPERATORS[node.value], left, right)
        if node.kind == "call" and node.value in self._CALLS:
            return self._CALLS[node.value](self, node)
        raise ConsoleError(f"the rehearsal cannot compute {node.value}")

    def _if(self, node: Node) -> Value:
        condition, *branches = (self.value(part) for part in node.parts)
        yes = _apply(lambda c, a: a if c else float("nan"), condition, branches[0])
        if len(branches) == 1:
            return _without_nan(yes)
        no = _apply(lambda c, b: float("nan") if c else b, condition, branches[1])
        return _merge(_without_nan(yes), _without_nan(no))

    def _fill(self, node: Node) -> Value:
        found, filler = (self.value(part) for part in node.parts)
        if isinstance(found, float) or not isinstance(filler, float):
            return found
        times = range(self._aligned_start(), self._store.end_s, self._period_s)
        return {
            label: {t: series.get(t, filler) for t in times} for label, series in found.items()
        } or {"": dict.fromkeys(times, filler)}

    def _running_sum(self, node: Node) -> Value:
        found = self.value(node.parts[0])
        if isinstance(found, float):
            return found
        summed: dict[str, Series] = {}
        for label, series in found.items():
            total = 0.0
            summed[label] = {}
            for t in sorted(series):
                total += series[t]
                summed[label][t] = total
        return summed

    def _period(self, _: Node) -> Value:
        return float(self._period_s)

    def _across(self, node: Node) -> Value:
        """SUM, AVG, MIN or MAX: of several series one, of one series a number."""
        found = self.value(node.parts[0])
        function = _AGGREGATES[node.value]
        if isinstance(found, float) or not any(found.values()):
            return found
        if set(found) == {""}:
            return float(function(found[""].values()))
        times = sorted({t for series in found.values() for t in series})
        return {
            "": {
                t: float(function([item[t] for item in found.values() if t in item])) for t in times
            }
        }

    def _metric_count(self, node: Node) -> Value:
        found = self.value(node.parts[0])
        return 1.0 if isinstance(found, float) else float(len(found))

    def _time_series(self, node: Node) -> Value:
        found = self.value(node.parts[0])
        if not isinstance(found, float):
            return found
        times = range(self._aligned_start(), self._store.end_s, self._period_s)
        return {"": dict.fromkeys(times, found)}

    def _search(self, node: Node) -> Value:
        wanted = search.parse_search(node.parts[0].value)
        (name,) = (term.values[0] for term in wanted.terms if term.name == "MetricName")
        allowed = search.alternatives(node.parts[0].value)
        found = self._store.select(name, wanted.dimensions)
        return {
            " ".join(value for _, value in key[1]): statistic(
                points, node.parts[1].value, self._period_s
            )
            for key, points in found.items()
            if all(dict(key[1])[key_name] in values for key_name, values in allowed.items())
        }

    def _band(self, node: Node) -> Value:
        """The upper edge: the median of what came before and deviations from it.

        A stand-in that does not get used to an incident. CloudWatch's own model knows the hour
        of the week, and is not public.
        """
        found = self.value(node.parts[0])
        width = self.value(node.parts[1]) if len(node.parts) > 1 else 2.0
        if isinstance(found, float) or not isinstance(width, float):
            return found
        upper: dict[str, Series] = {}
        for label, series in found.items():
            times = sorted(series)
            upper[label] = {}
            for index, t in enumerate(times[_LEARNT:], _LEARNT):
                before = [series[moment] for moment in times[:index]]
                middle = median(before)
                # 1.4826 makes a standard deviation of a median absolute one, in a normal world.
                deviation = 1.4826 * median(abs(earlier - middle) for earlier in before)
                upper[label][t] = middle + width * max(deviation, 0.05 * abs(middle))
        return upper

    def _aligned_start(self) -> int:
        return self._store.start_s - self._store.start_s % self._period_s

    _CALLS: Mapping[str, Callable[[_Evaluation, Node], Value]] = {
        "ANOMALY_DETECTION_BAND": _band,
        "AVG": _across,
        "FILL": _fill,
        "IF": _if,
        "MAX": _across,
        "METRIC_COUNT": _metric_count,
        "MIN": _across,
        "PERIOD": _period,
        "RUNNING_SUM": _running_sum,
        "SEARCH": _search,
        "SUM": _across,
        "TIME_SERIES": _time_series,
    }


def _apply(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """An operation; one series meets each of several."""
    if isinstance(left, float) and isinstance(right, float):
        try:
            return float(function(left, right))
        except ZeroDivisionError:
            return float("nan")
    if isinstance(left, float):
        assert isinstance(right, dict)  # noqa: S101 - for mypy
        return {name: _points(function, left, points) for name, points in right.items()}
    if isinstance(right, float) or set(right) == {""}:
        single = right if isinstance(right, float) else right[""]
        return {name: _points(function, points, single) for name, points in left.items()}
    if set(left) == {""}:
        return {name: _points(function, left[""], points) for name, points in right.items()}
    return {name: _points(function, left[name], right[name]) for name in left if name in right}


def _points(
    function: Callable[[float, float], float], left: Series | float, right: Series | float
) -> Series:
    times: set[int] = set()
    if isinstance(left, dict):
        times = set(left)
    if isinstance(right, dict):
        times = times & set(right) if isinstance(left, dict) else set(right)
    found = {}
    for t in sorted(times):
        a = left[t] if isinstance(left, dict) else left
        b = right[t] if isinstance(right, dict) else right
        try:
            found[t] = float(function(a, b))
        except ZeroDivisionError:
            continue
    return found


def _without_nan(value: Value) -> Value:
    if isinstance(value, float):
        return value
    return {
        name: {t: number for t, number in series.items() if number == number}  # noqa: PLR0124 - NaN
        for name, series in value.items()
    }


def _merge(first: Value, second: Value) -> Value:
    if isinstance(first, float) or isinstance(second, float):
        return second if isinstance(first, float) and first != first else first  # noqa: PLR0124
    names = [name for name in dict.fromkeys([*first, *second]) if name] or [""]
    # One series without a label meets each of several.
    return {
        name: first.get(name, first.get("", {})) | second.get(name, second.get("", {}))
        for name in names
    }


def _insights(query: insights.Query, store: MetricStore, period_s: int) -> Value:
    stat = _INSIGHTS.get(query.function, "Sum")
    grouped: dict[str, Points] = {}
    for key, points in store.select(query.metric, query.schema or ()).items():
        pairs = dict(key[1])
        if all((pairs[name] == value) == (sign == "=") for name, sign, value in query.where):
            label = " ".join(pairs[name] for name in query.group_by)
            into = grouped.setdefault(label, {})
            for minute, values in points.items():
                if minute in into:
                    into[minute] = into[minute] + values
                else:
                    into[minute] = values
    found = {label: statistic(points, stat, period_s) for label, points in grouped.items()}
    if query.order_by and query.limit is not None:
        order = sorted(found, key=lambda label: sum(found[label].values()), reverse=True)
        kept = order if query.order_by[1] == "DESC" else order[::-1]
        found = {label: found[label] for label in kept[: query.limit]}
    return found
