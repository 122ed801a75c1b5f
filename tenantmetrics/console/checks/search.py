"""SEARCH expressions: the metrics of a graph by their names.

Grammar and limits: CloudWatch user guide, "CloudWatch search expression syntax" and "CloudWatch
search expression quotas".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tenantmetrics.console.checks.fault import Syntax
from tenantmetrics.console.known import Known

__all__ = ["MAX_CHARS", "MAX_PER_GRAPH", "Search", "faults", "parse", "period_fault", "stat_fault"]

MAX_CHARS = 1_024
"""Length of a search expression (CloudWatch search quotas); longer ones are refused."""

MAX_PER_GRAPH = 100
"""SEARCH functions in one graph (same page)."""

_STATISTICS = frozenset({"Average", "Sum", "Minimum", "Maximum", "SampleCount", "IQM"})
_EXTENDED = re.compile(r"(?:p|tm|tc|ts|wm)(?:\d{1,2}(?:\.\d{1,10})?|100)")
_RANGE = re.compile(r"(?:TM|TC|TS|WM|PR)\([\d.]*%?:[\d.]*%?\)")
_PREFIX = re.compile(r"\s*\{([^{}]*)\}")
_TERM = re.compile(r'\s*([A-Za-z0-9_]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s()"]+)')


class Search(NamedTuple):
    """A parsed search: the schema in braces and the `Name="value"` terms."""

    namespace: str
    dimensions: tuple[str, ...]
    terms: tuple[tuple[str, str], ...]


def parse(text: str) -> Search:
    """Read the text that SEARCH takes as its first argument.

    Raises:
        Syntax: Braces, quotes or parentheses do not match, or there is no schema.
    """
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    if '"' in bare:
        raise Syntax("a double quote is not closed")
    for opening, closing in ("{}", "()"):
        if bare.count(opening) != bare.count(closing):
            raise Syntax(f"unbalanced {opening}{closing}")
    schema = _PREFIX.match(text)
    if schema is None:
        raise Syntax("no {namespace, dimensions} at the start: the search would look everywhere")
    namespace, *dimensions = (part.strip().strip('"') for part in schema.group(1).split(","))
    terms = tuple((m.group(1), m.group(2).strip('"')) for m in _TERM.finditer(text, schema.end()))
    return Search(namespace, tuple(dimensions), terms)


def faults(text: str, known: Known) -> list[str]:
    """What is wrong with a search's text."""
    found = []
    if len(text) > MAX_CHARS:
        found.append(f"SEARCH has {len(text)} characters, {MAX_CHARS} are allowed")
    try:
        search = parse(text)
    except Syntax as error:
        return [*found, f"SEARCH does not parse: {error}"]
    metrics = [value for name, value in search.terms if name == "MetricName"]
    if not metrics:
        found.append("SEARCH names no MetricName: every metric of the schema would be drawn")
    for metric in metrics:
        wrong = known.fault(search.namespace, metric, search.dimensions)
        if wrong:
            found.append(f"SEARCH: {wrong}")
    found += [
        f"SEARCH filters by {name!r}, which is not in its schema"
        for name, _ in search.terms
        if name != "MetricName" and name not in search.dimensions
    ]
    return found


def stat_fault(stat: object) -> str | None:
    """What is wrong with a statistic's name, or None."""
    if isinstance(stat, str) and (
        stat in _STATISTICS or _EXTENDED.fullmatch(stat) or _RANGE.fullmatch(stat)
    ):
        return None
    return (
        f"statistic {stat!r} does not exist: Average, Sum, Minimum, Maximum, SampleCount, p99 "
        "and the like do"
    )


def period_fault(period: object) -> str | None:
    """What is wrong with a period in seconds, or None."""
    if (
        isinstance(period, int)
        and not isinstance(period, bool)
        and (period in {1, 5, 10, 20, 30} or (period > 0 and period % 60 == 0))
        and period <= 86_400 * 30
    ):
        return None
    return f"period {period!r} is neither 1, 5, 10, 20, 30 nor a multiple of 60 seconds"


def alternatives(text: str) -> dict[str, set[str]]:
    """Name → values that a search allows, such as `Code=("a" OR "b")`; without MetricName."""
    found: dict[str, set[str]] = {}
    for name, values in re.findall(r'(\w+)\s*=\s*(\([^()]*\)|"[^"]*"|[^\s()"]+)', text):
        if name != "MetricName":
            words = re.findall(r'"([^"]*)"', values) or [values.strip('"()')]
            found[name] = set(words)
    return found
