"""PromQL by promql-parser (Prometheus' own grammar), and our names and labels in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tenantmetrics.catalog import Instrument, Metric
from tenantmetrics.console import promnames
from tenantmetrics.console.checks import promshape
from tenantmetrics.console.known import close_to
from tenantmetrics.console.promnames import Dialect
from tenantmetrics.errors import MissingExtraError

__all__ = [
    "MAX_CHARS",
    "expand",
    "interval_faults",
    "metric_name",
    "parse_promql",
    "promql_faults",
    "walk",
]

MAX_CHARS = 10_000
"""Length of an alarm's query (PutMetricAlarm, PromQLCriteria)."""

_MACROS = {
    "__rate_interval": "5m",
    "__interval": "1m",
    "__interval_ms": "60000",
    "__range": "1h",
    "__range_s": "3600",
    "__range_ms": "3600000",
    "__from": "1700000000000",
    "__to": "1700003600000",
    "__dashboard": "x",
    "__name": "x",
    "__org": "1",
    "__user": "x",
}
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?:[.:][\w:]+)?\}|(\w+))|\[\[(\w+)\]\]")
_RANGED = frozenset({"rate", "increase", "irate", "delta", "idelta"})
_CHILDREN = ("expr", "lhs", "rhs", "param", "vector_selector")
_QUIET = frozenset({"count", "group"})
"""Aggregations that only look at which series there are."""
_PRESENCE = frozenset({"absent", "absent_over_time", "timestamp", "present_over_time"})
_MIN_RANGE_S = 120
"""Our data come once a minute, and a rate needs two of them."""


def parse_promql(text: str) -> Any:
    """The tree of a query.

    Raises:
        ValueError: It does not parse, or a function gets what it does not take.
        MissingExtraError: promql-parser is not installed.
    """
    try:
        import promql_parser  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("checking PromQL", "console") from None
    return promql_parser.parse(text)


def walk(node: Any) -> Iterator[Any]:
    """The node and everything below it."""
    yield node
    for child in _CHILDREN:
        below = getattr(node, child, None)
        if below is not None and not isinstance(below, str | int | float):
            yield from walk(below)
    for argument in getattr(node, "args", None) or ():
        yield from walk(argument)


def expand(text: str, variables: dict[str, str] | None = None) -> str:
    """Replace Grafana's `$variables` and macros by values."""
    values = {**_MACROS, **(variables or {})}

    def value(match: re.Match[str]) -> str:
        return values.get(next(filter(None, match.groups())), match.group())

    return _VARIABLE.sub(value, text)


def metric_name(selector: Any) -> str | None:
    """The metric that a VectorSelector selects; None where it names none."""
    if selector.name:
        return str(selector.name)
    for matcher in selector.matchers.matchers:
        if matcher.name == "__name__" and str(matcher.op).endswith("Equal"):
            return str(matcher.value)
    return None


def promql_faults(
    text: str,
    dialect: Dialect,
    variables: dict[str, str] | None = None,
    *,
    ours: bool = True,
) -> list[str]:
    """What is wrong with a query.

    Args:
        text: PromQL, with Grafana's variables where it is a panel's.
        dialect: Whose names it uses.
        variables: The dashboard's own variables and a value of each.
        ours: Whether it may use no other metrics than the catalogue's.
    """
    if not text.strip():
        return ["PromQL is empty"]
    if len(text) > MAX_CHARS:
        return [f"PromQL has {len(text)} characters, {MAX_CHARS} are allowed"]
    expanded = expand(text, variables)
    if left := _VARIABLE.search(expanded):
        name = next(filter(None, left.groups()))
        hint = close_to(name, {**_MACROS, **(variables or {})})
        return [f"PromQL uses ${name}, which is not a variable of the dashboard{hint}"]
    try:
        tree = parse_promql(expanded)
    except ValueError as error:
        return [f"PromQL {text!r} does not parse: {' '.join(str(error).split())}"]
    known = promnames.series(dialect)
    found = [f"PromQL: {what}" for what in promshape.shape_faults(tree)]
    selectors = [node for node in walk(tree) if type(node).__name__ == "VectorSelector"]
    found += [
        what for selector in selectors for what in _selector_faults(selector, known, dialect, ours)
    ]
    if ours:
        if not selectors:
            found.append("PromQL names no metric: its result never changes")
        found += _label_faults(tree, selectors, known, dialect)
        found += _use_faults(tree, known, ())
        found += [what for node in walk(tree) for what in _window_faults(node, text)]
    return list(dict.fromkeys(found))


def interval_faults(tree: Any, interval_s: float) -> Iterator[str]:
    """Rates over Grafana's $__interval, which is shorter than two samples where one zooms in.

    Args:
        tree: As `parse` returns it.
        interval_s: What stands for the variable in it: a range that nothing else has.
    """
    for node in walk(tree):
        ranges = [
            argument.range
            for argument in getattr(node, "args", None) or ()
            if hasattr(argument, "range")
        ]
        if (
            type(node).__name__ == "Call"
            and node.func.name in _RANGED
            and any(abs(span.total_seconds() - interval_s) < 1e-6 for span in ranges)  # noqa: PLR2004 - milliseconds
        ):
            yield (
                f"PromQL: {node.func.name}() over [$__interval] is empty when zoomed in: use "
                "[$__rate_interval]"
            )


def _selector_faults(
    selector: Any, known: dict[str, Metric], dialect: Dialect, ours: bool
) -> Iterator[str]:
    name = metric_name(selector)
    if name is None:
        if ours:
            yield "PromQL selects series without naming a metric, which CloudWatch refuses"
        return
    if name not in known:
        hint = close_to(name, known, None if ours else 0.9)
        if ours or hint:
            yield f"PromQL: there is no metric {name!r}{hint}"
        return
    allowed = promnames.labels(known[name], dialect)
    for matcher in selector.matchers.matchers:
        if matcher.name not in allowed:
            yield f"PromQL: {name} has no label {matcher.name!r}{close_to(matcher.name, allowed)}"


def _label_faults(
    tree: Any, selectors: list[Any], known: dict[str, Metric], dialect: Dialect
) -> Iterator[str]:
    allowed = {
        label
        for selector in selectors
        if metric_name(selector) in known
        for label in promnames.labels(known[metric_name(selector) or ""], dialect)
    }
    for node in walk(tree):
        if type(node).__name__ == "AggregateExpr" and node.modifier is not None:
            for label in node.modifier.labels:
                if label not in allowed:
                    yield (
                        f"PromQL groups by {label!r}, which no metric of the query has"
                        f"{close_to(label, allowed)}"
                    )


def _use_faults(node: Any, known: dict[str, Metric], above: tuple[str, ...]) -> Iterator[str]:
    """Counters without a rate, and native histograms of which no number is taken."""
    kind = type(node).__name__
    if kind == "VectorSelector":
        name = metric_name(node) or ""
        metric = known.get(name)
        if metric is None or {*_QUIET, *_PRESENCE}.intersection(above):
            return
        native = metric.instrument is Instrument.EXPONENTIAL_HISTOGRAM
        if native and not any(function.startswith("histogram_") for function in above):
            yield f"PromQL: {name} is a histogram: histogram_count(), _sum() or _quantile() of it"
        if not _RANGED.intersection(above):
            yield f"PromQL: {name} is a counter: use rate() or increase() of it"
        return
    if kind == "Call":
        above = (*above, str(node.func.name))
    elif kind == "AggregateExpr":
        above = (*above, str(node.op))
    for child in _CHILDREN:
        below = getattr(node, child, None)
        if below is not None and not isinstance(below, str | int | float):
            yield from _use_faults(below, known, above)
    for argument in getattr(node, "args", None) or ():
        yield from _use_faults(argument, known, above)


def _window_faults(node: Any, text: str) -> Iterator[str]:
    """A range that misses samples: too short, or fixed in a panel that can be zoomed."""
    if type(node).__name__ != "Call" or node.func.name not in _RANGED:
        return
    if "$" in text and "[$__rate_interval]" not in text and "[$__range]" not in text:
        yield f"PromQL: {node.func.name}() in a panel needs [$__rate_interval] or [$__range]"
    for argument in node.args:
        seconds = argument.range.total_seconds() if hasattr(argument, "range") else _MIN_RANGE_S
        if seconds < _MIN_RANGE_S:
            yield (
                f"PromQL: {node.func.name}() over {seconds:g} s: our data come once a minute, so "
                f"less than {_MIN_RANGE_S} s has no two of them"
            )
