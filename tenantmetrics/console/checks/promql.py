"""PromQL by promql-parser (Prometheus' own grammar), and our names and labels in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tenantmetrics.catalog import Instrument
from tenantmetrics.console import promnames
from tenantmetrics.console.known import close_to
from tenantmetrics.console.promnames import Dialect
from tenantmetrics.errors import MissingExtraError

__all__ = ["MAX_CHARS", "expand", "faults", "metric_name", "parse", "walk"]

MAX_CHARS = 10_000
"""Length of an alarm's query (PutMetricAlarm, PromQLCriteria)."""

_MACROS = {"__rate_interval": "5m", "__interval": "1m", "__range": "1h", "__range_s": "3600"}
_VARIABLE = re.compile(r"\$\{?(\w+)(?::\w+)?\}?")
_RANGED = frozenset({"rate", "increase", "irate", "delta", "idelta"})
_CHILDREN = ("expr", "lhs", "rhs", "param", "vector_selector")


def parse(text: str) -> Any:
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
    return _VARIABLE.sub(lambda match: values.get(match.group(1), match.group()), text)


def metric_name(selector: Any) -> str | None:
    """The metric that a VectorSelector selects; None where it names none."""
    if selector.name:
        return str(selector.name)
    for matcher in selector.matchers.matchers:
        if matcher.name == "__name__" and str(matcher.op).endswith("Equal"):
            return str(matcher.value)
    return None


def faults(text: str, dialect: Dialect, variables: dict[str, str] | None = None) -> list[str]:
    """What is wrong with a query.

    Args:
        text: PromQL, with Grafana's variables where it is a panel's.
        dialect: Whose names it uses.
        variables: The dashboard's own variables and a value of each.
    """
    if len(text) > MAX_CHARS:
        return [f"PromQL has {len(text)} characters, {MAX_CHARS} are allowed"]
    expanded = expand(text, variables)
    if left := _VARIABLE.search(expanded):
        return [f"PromQL uses ${left.group(1)}, which is no variable of the dashboard"]
    try:
        tree = parse(expanded)
    except ValueError as error:
        return [f"PromQL {text!r} does not parse: {error}"]
    known = promnames.series(dialect)
    selectors = [node for node in walk(tree) if type(node).__name__ == "VectorSelector"]
    found = [what for one in selectors for what in _selector_faults(one, known, dialect)]
    allowed = {
        label
        for one in selectors
        if metric_name(one) in known
        for label in promnames.labels(known[metric_name(one) or ""], dialect)
    }
    for node in walk(tree):
        kind = type(node).__name__
        if kind == "AggregateExpr" and node.modifier is not None:
            found += [
                f"PromQL groups by {label!r}, which no metric of the query has"
                f"{close_to(label, allowed)}"
                for label in node.modifier.labels
                if label not in allowed
            ]
        if kind == "Call" and node.func.name in _RANGED:
            found += _window_faults(node, text)
    return found


def _selector_faults(selector: Any, known: dict[str, Any], dialect: Dialect) -> Iterator[str]:
    name = metric_name(selector)
    if name is None:
        yield "PromQL selects series without naming a metric, which CloudWatch refuses"
        return
    if name not in known:
        yield f"PromQL: there is no metric {name!r}{close_to(name, known)}"
        return
    allowed = promnames.labels(known[name], dialect)
    for matcher in selector.matchers.matchers:
        if matcher.name not in allowed:
            yield f"PromQL: {name} has no label {matcher.name!r}{close_to(matcher.name, allowed)}"


def _window_faults(call: Any, text: str) -> Iterator[str]:
    """A range without `$__rate_interval` in a panel misses samples when zoomed in."""
    if "$" in text and "[$__rate_interval]" not in text and "[$__range]" not in text:
        yield f"PromQL: {call.func.name}() in a panel needs [$__rate_interval] or [$__range]"


def is_histogram(name: str, dialect: Dialect) -> bool:
    """Whether a name is that of a native histogram."""
    metric = promnames.series(dialect).get(name)
    return metric is not None and metric.instrument is Instrument.EXPONENTIAL_HISTOGRAM
