"""Metrics Insights: the SQL of CloudWatch's metrics.

Grammar and limits: CloudWatch user guide, "Query components and syntax" and "Metrics Insights
quotas".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tenantmetrics.console.checks.fault import Syntax, Tokens, tokens
from tenantmetrics.console.known import Known

__all__ = ["MAX_CHARS", "MAX_SERIES", "Query", "is_query", "parse_query", "query_faults"]

MAX_SERIES = 500
"""Series that one query returns at most (Metrics Insights quotas); LIMIT may not be higher."""

MAX_CHARS = 2_048
"""Length of an expression, a query's too (CloudWatch API reference, MetricDataQuery)."""

_FUNCTIONS = ("AVG", "COUNT", "MAX", "MIN", "SUM")
_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<text>'(?:[^']|'')*')|(?P<name>\"(?:[^\"]|\"\")*\"|[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>\d+)|(?P<sign>!=|[=(),.])"
)


class Query(NamedTuple):
    """A parsed query.

    Attributes:
        function: AVG, COUNT, MAX, MIN or SUM.
        metric: Name of the metric.
        namespace: Its namespace.
        schema: Names of the dimensions in SCHEMA(); None without SCHEMA.
        where: (dimension, "=" or "!=", value) conditions, all of which must hold.
        group_by: Dimensions.
        order_by: (function, "ASC" or "DESC"); None without ORDER BY.
        limit: Series at most; None without LIMIT.
    """

    function: str
    metric: str
    namespace: str
    schema: tuple[str, ...] | None
    where: tuple[tuple[str, str, str], ...]
    group_by: tuple[str, ...]
    order_by: tuple[str, str] | None
    limit: int | None


def is_query(text: str) -> bool:
    """Whether an expression is meant as Metrics Insights SQL."""
    return re.match(r"\s*SELECT\b", text, re.IGNORECASE) is not None


def parse_query(text: str) -> Query:
    """Read a query.

    Raises:
        Syntax: It is not one; says what was expected and where.
    """
    rest = tokens(text, _TOKEN)
    rest.expect("SELECT", "the start")
    function = _function(rest, "SELECT")
    rest.expect("(", function)
    metric = _name(rest, f"{function}(")
    rest.expect(")", "the metric's name")
    rest.expect("FROM", "SELECT")
    namespace, schema = _from(rest)
    where: list[tuple[str, str, str]] = []
    if rest.accept("WHERE"):
        where.append(_condition(rest))
        while rest.accept("AND"):
            where.append(_condition(rest))
        if rest.accept("OR"):
            raise Syntax("OR is not part of Metrics Insights: only AND joins conditions")
    group_by: list[str] = []
    if rest.accept("GROUP"):
        rest.expect("BY", "GROUP")
        group_by.append(_name(rest, "GROUP BY"))
        while rest.accept(","):
            group_by.append(_name(rest, "a comma"))
    order_by = _order(rest)
    limit = None
    if rest.accept("LIMIT"):
        if rest.now.kind != "number":
            raise Syntax(f"a number expected after LIMIT, {rest.found()}")
        limit = int(rest.take().text)
    if rest.now.kind != "end":
        raise Syntax(f"the end expected, {rest.found()}")
    return Query(
        function, metric, namespace, schema, tuple(where), tuple(group_by), order_by, limit
    )


def query_faults(text: str, known: Known) -> list[str]:
    """What is wrong with a query: its grammar, its metric, its dimension set, its limits."""
    try:
        query = parse_query(text)
    except Syntax as error:
        return [f"Metrics Insights query does not parse: {error}"]
    found = [f"Metrics Insights query has {len(text)} characters, {MAX_CHARS} are allowed"] * (
        len(text) > MAX_CHARS
    )
    wrong = known.fault(query.namespace, query.metric, query.schema)
    if wrong or (wrong := known.statistic_fault(query.namespace, query.metric, query.function)):
        found.append(wrong)
    found += _dimension_faults(query, known)
    if query.order_by and not query.group_by:
        found.append("ORDER BY without GROUP BY: there is one series and nothing to order")
    if query.limit is not None and not 1 <= query.limit <= MAX_SERIES:
        found.append(f"LIMIT {query.limit} is not within 1 to {MAX_SERIES}")
    if query.namespace == known.own:
        found += _own_faults(query)
    return found


def _dimension_faults(query: Query, known: Known) -> list[str]:
    """What is wrong with the dimensions of WHERE and GROUP BY."""
    found = []
    used = [*(name for name, _, _ in query.where), *query.group_by]
    plain = [name for name in dict.fromkeys(used) if not name.startswith(("AWS.", "tag.")) and name]
    if query.schema is not None:
        found += [
            f"dimension {name!r} is used but not in SCHEMA(): its series would fall into 'Other'"
            for name in plain
            if name not in query.schema
        ]
    elif query.namespace in known.namespaces and (known.strict or query.namespace == known.own):
        found += [
            f"namespace {query.namespace!r} has no dimension {name!r}"
            for name in plain
            if name not in known.dimensions(query.namespace)
        ]
    for clause, names in (("GROUP BY", query.group_by), ("SCHEMA()", query.schema or ())):
        found += [
            f"{clause} has {name!r} {names.count(name)} times"
            for name in dict.fromkeys(names)
            if names.count(name) > 1
        ]
    found += [
        wrong
        for name, _, value in query.where
        if (wrong := known.value_fault(query.namespace, name, value))
    ]
    wanted: dict[str, str] = {}
    for name, sign, value in query.where:
        if sign == "=" and wanted.setdefault(name, value) != value:
            found.append(
                f"WHERE wants {name} to be {wanted[name]!r} and {value!r} at once: no "
                "series can match"
            )
    found += [
        f"WHERE wants {name} to be {value!r} and not to be: no series can match"
        for name, sign, value in query.where
        if sign == "!=" and wanted.get(name) == value
    ]
    return found


def _own_faults(query: Query) -> list[str]:
    """What a query over our metrics should not do although CloudWatch takes it."""
    found = []
    if query.group_by and query.schema is None:
        found.append(
            "GROUP BY without SCHEMA(): metrics of the same name with other dimensions are mixed in"
        )
    if query.order_by and query.order_by[0] != query.function:
        found.append(f"ORDER BY {query.order_by[0]}() differs from SELECT {query.function}()")
    if query.limit is not None and query.group_by and not query.order_by:
        found.append(f"LIMIT {query.limit} without ORDER BY keeps any series, not the highest")
    return found


def _from(rest: Tokens) -> tuple[str, tuple[str, ...] | None]:
    if not rest.accept("SCHEMA"):
        return _name(rest, "FROM"), None
    rest.expect("(", "SCHEMA")
    namespace = _name(rest, "SCHEMA(")
    dimensions = []
    while rest.accept(","):
        dimensions.append(_name(rest, "a comma"))
    rest.expect(")", "SCHEMA's arguments")
    return namespace, tuple(dimensions)


def _condition(rest: Tokens) -> tuple[str, str, str]:
    name = _name(rest, "WHERE or AND")
    sign = rest.accept("=", "!=")
    if sign is None:
        raise Syntax(f"= or != expected after {name!r}, {rest.found()}")
    if rest.now.kind != "text":
        raise Syntax(f"a value in single quotes expected after {sign.text}, {rest.found()}")
    return name, sign.text, rest.take().text[1:-1].replace("''", "'")


def _order(rest: Tokens) -> tuple[str, str] | None:
    if not rest.accept("ORDER"):
        return None
    rest.expect("BY", "ORDER")
    function = _function(rest, "ORDER BY")
    rest.expect("(", function)
    rest.expect(")", "(")
    way = rest.accept("ASC", "DESC")
    return function, way.text.upper() if way else "ASC"


def _function(rest: Tokens, after: str) -> str:
    token = rest.accept(*_FUNCTIONS)
    if token is None:
        raise Syntax(f"one of {', '.join(_FUNCTIONS)} expected after {after}, {rest.found()}")
    return token.text.upper()


def _name(rest: Tokens, after: str) -> str:
    if rest.now.kind != "name":
        hint = ", in double quotes" if rest.now.kind == "text" else ""
        raise Syntax(f"a name{hint} expected after {after}, {rest.found()}")
    parts = [_unquoted(rest.take().text)]
    while rest.accept("."):
        parts.append(_name(rest, "a point"))
    return ".".join(parts)


def _unquoted(text: str) -> str:
    return text[1:-1].replace('""', '"') if text.startswith('"') else text
