"""SEARCH expressions: the metrics of a graph by their names.

Grammar and limits: CloudWatch user guide, "CloudWatch search expression syntax" and "CloudWatch
search expression quotas".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tenantmetrics.console.checks.fault import Syntax, Token, Tokens, tokens
from tenantmetrics.console.known import Known

__all__ = [
    "MAX_CHARS",
    "MAX_PER_GRAPH",
    "Search",
    "Term",
    "alternatives",
    "parse_search",
    "period_fault",
    "search_faults",
    "stat_fault",
]

MAX_CHARS = 1_024
"""Length of a search expression (CloudWatch search quotas); longer ones are refused."""

MAX_PER_GRAPH = 100
"""SEARCH functions in one graph (same page)."""

_STATISTICS = frozenset({"Average", "Sum", "Minimum", "Maximum", "SampleCount", "IQM"})
_EXTENDED = re.compile(r"(?:p|tm|tc|ts|wm)(?:\d{1,2}(?:\.\d{1,10})?|100)")
_RANGE = re.compile(r"(?:TM|TC|TS|WM|PR)\([\d.]*%?:[\d.]*%?\)")
_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<text>\"(?:[^\"\\]|\\.)*\")|(?P<schema>\{(?:[^{}\"]|\"(?:[^\"\\]|\\.)*\")*\})"
    r"|(?P<sign>[()=])|(?P<word>[^\s()\"={}]+)"
)
_PART = re.compile(r"\s*(\"(?:[^\"\\]|\\.)*\"|[^,\"]+?)\s*(?:,|$)")
_BOOLEAN = frozenset({"AND", "OR", "NOT"})


class Term(NamedTuple):
    """One condition.

    Attributes:
        name: What is compared: MetricName, a dimension, `:aws.AccountId`; "" for any property.
        values: The alternatives.
        exact: Whether every value stands in quotes and must be met whole.
    """

    name: str
    values: tuple[str, ...]
    exact: bool


class Search(NamedTuple):
    """A parsed search.

    Attributes:
        namespace: Of the schema in braces; None without a schema.
        dimensions: Of the schema.
        terms: The conditions, however they are joined.
    """

    namespace: str | None
    dimensions: tuple[str, ...]
    terms: tuple[Term, ...]


def parse_search(text: str) -> Search:
    """Read the text that SEARCH takes as its first argument.

    Raises:
        Syntax: Braces, quotes or parentheses do not match, or an operator stands alone.
    """
    if text.count("{") != text.count("}"):
        raise Syntax("unbalanced {}")
    if len(re.findall(r'(?<!\\)"', text)) % 2:
        raise Syntax("a double quote is not closed")
    rest = tokens(text, _TOKEN)
    namespace, dimensions = None, ()
    if rest.now.kind == "schema":
        namespace, *names = [part.strip('"') for part in _PART.findall(rest.take().text[1:-1])] or [
            ""
        ]
        dimensions = tuple(names)
    terms = tuple(_or(rest)) if rest.now.kind != "end" else ()
    if rest.now.kind != "end":
        raise Syntax(f"AND, OR, a condition or the end expected, {rest.found()}")
    return Search(namespace, dimensions, terms)


def alternatives(text: str) -> dict[str, set[str]]:
    """Name → values that a search allows, such as `Code=("a" OR "b")`; without MetricName."""
    return {
        term.name: set(term.values)
        for term in parse_search(text).terms
        if term.name not in {"", "MetricName"}
    }


def search_faults(text: str, known: Known) -> list[str]:
    """What is wrong with a search's text."""
    found = []
    if len(text) > MAX_CHARS:
        found.append(f"SEARCH has {len(text)} characters, {MAX_CHARS} are allowed")
    try:
        search = parse_search(text)
    except Syntax as error:
        return [*found, f"SEARCH does not parse: {error}"]
    ours = search.namespace == known.own
    if known.strict and search.namespace is None:
        found.append(
            "SEARCH has no {namespace, dimensions} at the start: it would search all metrics"
        )
    metrics = [term for term in search.terms if term.name == "MetricName"]
    if ours and not metrics:
        found.append("SEARCH names no MetricName: every metric of the schema would be drawn")
    if search.namespace is not None:
        found += [
            f"SEARCH: {wrong}"
            for metric in metrics
            for value in metric.values
            if metric.exact and (wrong := known.fault(search.namespace, value, search.dimensions))
        ]
        if not metrics and (wrong := known.fault(search.namespace, "", None)) and "namesp" in wrong:
            found.append(f"SEARCH: {wrong}")
        found += [
            f"SEARCH filters by {term.name!r}, which is not in its schema"
            for term in search.terms
            if term.name not in {"", "MetricName", "Namespace", *search.dimensions}
            and not term.name.startswith(":")
        ]
        found += [
            f"SEARCH: {wrong}"
            for term in search.terms
            for value in term.values
            if term.exact and (wrong := known.value_fault(search.namespace, term.name, value))
        ]
        twice = {
            dimension for dimension in search.dimensions if search.dimensions.count(dimension) > 1
        }
        found += [f"SEARCH has the dimension {name!r} twice in its schema" for name in twice]
    found += [
        f"SEARCH: {value!r} in small letters is looked for as a word; the operator is "
        f"{value.upper()}"
        for term in search.terms
        for value in term.values
        if not term.exact and value.upper() in _BOOLEAN
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


def _or(rest: Tokens) -> Iterator[Term]:
    yield from _and(rest)
    while _operator(rest, "OR"):
        yield from _and(rest)


def _and(rest: Tokens) -> Iterator[Term]:
    yield from _not(rest)
    while rest.now.kind != "end" and rest.now.text not in {"OR", ")"}:
        _operator(rest, "AND")  # conditions side by side are joined by AND too
        yield from _not(rest)


def _not(rest: Tokens) -> Iterator[Term]:
    if _operator(rest, "NOT"):
        yield from _not(rest)
    elif rest.accept("("):
        yield from _or(rest)
        rest.expect(")", "the conditions in parentheses")
    else:
        token = _value(rest)
        if rest.accept("="):
            values = tuple(_values(rest))
            exact = all(value.kind == "text" for value in values)
            yield Term(_plain(token), tuple(map(_plain, values)), exact)
        else:
            yield Term("", (_plain(token),), token.kind == "text")


def _values(rest: Tokens) -> Iterator[Token]:
    if not rest.accept("("):
        yield _value(rest)
        return
    while True:
        _operator(rest, "NOT")
        if rest.now.text == "(":
            yield from _values(rest)
        else:
            yield _value(rest)
        if rest.accept(")"):
            return
        _operator(rest, "OR") or _operator(rest, "AND")


def _value(rest: Tokens) -> Token:
    if rest.now.kind not in {"text", "word"} or rest.now.text in _BOOLEAN:
        raise Syntax(f"a word or a string in double quotes expected, {rest.found()}")
    return rest.take()


def _operator(rest: Tokens, name: str) -> bool:
    """Whether the operator comes next; only capitals are operators."""
    return rest.now.text == name and rest.accept(name) is not None


def _plain(token: Token) -> str:
    return re.sub(r"\\(.)", r"\1", token.text[1:-1]) if token.kind == "text" else token.text
