"""What is wrong with metric math: functions, arguments, ids that are not there.

Functions: CloudWatch user guide, "Using math expressions with CloudWatch metrics".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from tenantmetrics.console.checks import insights, search
from tenantmetrics.console.checks.fault import Syntax
from tenantmetrics.console.checks.mathsyntax import Node, parse_expression, walk
from tenantmetrics.console.known import Known, close_to

__all__ = [
    "circle",
    "ids",
    "ids_faults",
    "math_faults",
    "number_fault",
]

FUNCTIONS: dict[str, tuple[int, int]] = {
    "ABS": (1, 1),
    "ANOMALY_DETECTION_BAND": (1, 2),
    "AVG": (1, 1),
    "CEIL": (1, 1),
    "DATAPOINT_COUNT": (1, 1),
    "DAY": (1, 1),
    "DB_PERF_INSIGHTS": (3, 3),
    "DIFF": (1, 1),
    "DIFF_TIME": (1, 1),
    "EPOCH": (1, 1),
    "FILL": (2, 2),
    "FIRST": (1, 1),
    "FLOOR": (1, 1),
    "HOUR": (1, 1),
    "IF": (2, 3),
    "INSIGHT_RULE_METRIC": (2, 2),
    "LAST": (1, 1),
    "LOG": (1, 1),
    "LOG10": (1, 1),
    "MAX": (1, 1),
    "METRICS": (0, 1),
    "METRIC_COUNT": (1, 1),
    "MIN": (1, 1),
    "MINUTE": (1, 1),
    "MONTH": (1, 1),
    "PERIOD": (1, 1),
    "RATE": (1, 1),
    "REMOVE_EMPTY": (1, 1),
    "RUNNING_SUM": (1, 1),
    "SEARCH": (2, 3),
    "SERVICE_QUOTA": (1, 1),
    "SLICE": (2, 3),
    "SORT": (3, 4),
    "STDDEV": (1, 1),
    "SUM": (1, 1),
    "TIME_SERIES": (1, 1),
    "YEAR": (1, 1),
}
"""Name → fewest and most arguments."""

_ID = re.compile(r"[a-z][A-Za-z0-9_]*")
_SOURCES = frozenset(
    {"SEARCH", "METRICS", "TIME_SERIES", "INSIGHT_RULE_METRIC", "DB_PERF_INSIGHTS"}
)
"""Functions that bring a time series of their own."""
_COUNTING = frozenset({"METRIC_COUNT", "PERIOD"})
_OVER_TIME = frozenset({"AVG", "FIRST", "LAST", "MAX", "MIN", "STDDEV", "SUM"})
"""Of one time series a number, of several one time series."""
_ORDERS = frozenset({"ASC", "DESC"})
_SORTED_BY = frozenset({"AVG", "MAX", "MIN", "SUM", "STDDEV", "LAST"})


_ZERO = Node("number", "0")


def ids(text: str) -> set[str]:
    """The ids of other metrics that an expression refers to; empty where it does not parse."""
    if insights.is_query(text):
        return set()
    try:
        return {node.value for node in walk(parse_expression(text)) if node.kind == "id"}
    except Syntax:
        return set()


def math_faults(text: str, known: Known, defined: set[str], *, alarm: bool = False) -> list[str]:
    """What is wrong with an expression.

    Args:
        text: Metric math, or a Metrics Insights query, which stands where metric math may.
        known: The metrics there are.
        defined: Ids of the other metrics and expressions of the graph or alarm.
        alarm: Whether it is for an alarm, where SEARCH, METRICS and functions of constants are
            not allowed.
    """
    if insights.is_query(text):
        return insights.query_faults(text, known)
    found = [f"metric math has {len(text)} characters, {insights.MAX_CHARS} are allowed"] * (
        len(text) > insights.MAX_CHARS
    )
    try:
        tree = parse_expression(text)
    except Syntax as error:
        return [*found, f"metric math {text!r} does not parse: {error}"]
    every = list(walk(tree))
    for node in every:
        if node.kind == "id" and node.value not in defined:
            found.append(
                f"metric math refers to {node.value!r}, which no metric has as its id"
                f"{close_to(node.value, defined)}"
            )
        elif node.kind == "call":
            found += _call_faults(node, known, alarm=alarm)
            found += _argument_faults(node, defined)
        elif node.kind == "operator" and node.value == "/" and node.parts[1] == _ZERO:
            found.append("metric math divides by zero")
    if not any(node.kind == "id" or node.value in _SOURCES for node in every):
        found.append(f"metric math {text!r} has no time series in it: TIME_SERIES(x) makes one")
    return found


def circle(expressions: Mapping[str, str]) -> str | None:
    """Ids whose expressions need each other, as `a, b`, or None.

    Args:
        expressions: Id → expression; metrics are left out.
    """
    needs = {name: ids(text) & expressions.keys() for name, text in expressions.items()}
    while ready := [name for name, others in needs.items() if not others]:
        needs = {
            name: others.difference(ready) for name, others in needs.items() if name not in ready
        }
    return ", ".join(sorted(needs)) or None


def number_fault(text: str, single: Collection[str]) -> str | None:
    """Why the result is one number and no line, which CloudWatch refuses to draw; or None.

    Args:
        text: An expression that is shown or watched.
        single: Ids of plain metrics, each of which is one time series.
    """
    if insights.is_query(text):
        return None
    try:
        tree = parse_expression(text)
    except Syntax:
        return None
    if not any(node.kind == "id" for node in walk(tree)) or not _number(tree, single):
        return None
    return f"metric math {text!r} is a number and not a time series: TIME_SERIES({text})"


def _number(node: Node, single: Collection[str]) -> bool:
    """Whether a node is a number for certain."""
    if node.kind == "operator":
        return all(_number(part, single) for part in node.parts)
    if node.kind == "call" and node.parts:
        inner = node.parts[0]
        one_series = inner.kind == "id" and inner.value in single
        return node.value in _COUNTING or (node.value in _OVER_TIME and one_series)
    return node.kind == "number"


def ids_faults(defined: Sequence[object]) -> Iterator[str]:
    """What is wrong with the ids of a graph or an alarm."""
    for name in dict.fromkeys(defined):
        if not (isinstance(name, str) and _ID.fullmatch(name)):
            yield f"id {name!r} must begin with a small letter and hold letters, digits and _ only"
        if defined.count(name) > 1:
            yield f"id {name!r} is used {defined.count(name)} times"


def _call_faults(node: Node, known: Known, *, alarm: bool) -> list[str]:
    if node.value not in FUNCTIONS:
        return [f"metric math has no function {node.value}{close_to(node.value, FUNCTIONS)}"]
    fewest, most = FUNCTIONS[node.value]
    if not fewest <= len(node.parts) <= most:
        wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
        return [f"{node.value} takes {wanted} arguments, {len(node.parts)} given"]
    found = []
    if alarm and node.value in {"SEARCH", "METRICS", "SORT", "SLICE"}:
        found.append(f"{node.value} is not allowed in an alarm: it may return many series")
    if node.value == "SEARCH":
        first, stat, *period = node.parts
        found += (
            search.search_faults(first.value, known)
            if first.kind == "text"
            else ["SEARCH takes its search in quotes"]
        )
        wrong = None if "${" in stat.value else search.stat_fault(stat.value)
        found += [f"SEARCH: {wrong}"] if wrong else []
        number = period[0].value if period else "60"
        wrong = search.period_fault(int(number) if number.isdigit() else number)
        found += [f"SEARCH: {wrong}"] if wrong else []
    return found


def _argument_faults(node: Node, defined: set[str]) -> Iterator[str]:
    """Arguments of the wrong kind, which draw nothing and say nothing."""
    fewest, most = FUNCTIONS.get(node.value, (0, -1))
    if not fewest <= len(node.parts) <= most:
        return  # said already
    kinds, values = [part.kind for part in node.parts], [part.value for part in node.parts]
    if node.value == "FILL" and kinds[1] == "text" and values[1] not in {"REPEAT", "LINEAR"}:
        yield f"FILL fills with a number, REPEAT or LINEAR, not with {values[1]!r}"
    elif node.value == "SORT":
        if values[1] not in _SORTED_BY:
            yield f"SORT sorts by {', '.join(sorted(_SORTED_BY))}, not by {values[1]!r}"
        if values[2] not in _ORDERS:
            yield f"SORT sorts ASC or DESC, not {values[2]!r}"
    elif node.value in {"PERIOD", "ANOMALY_DETECTION_BAND"} and kinds[0] in {"number", "text"}:
        yield f"{node.value} takes the id of a metric, not {values[0]!r}"
    elif node.value in {"RATE", "RUNNING_SUM", "DIFF", "FILL"} and kinds[0] == "number":
        yield f"{node.value} takes a time series, not the number {values[0]}"
    elif node.value == "METRICS" and kinds and not any(values[0] in name for name in defined):
        yield f"METRICS({values[0]!r}): no id has that in it"
    if node.value == "ANOMALY_DETECTION_BAND" and kinds[1:] == ["number"] and not float(values[1]):
        yield "ANOMALY_DETECTION_BAND with 0 standard deviations is not a band"
