"""CloudWatch Logs Insights queries: commands, functions, quotes and limits.

Commands and functions: CloudWatch Logs user guide, "CloudWatch Logs Insights language query
syntax".
"""

from __future__ import annotations

import re

from tenantmetrics.catalog import METRICS
from tenantmetrics.console.known import close_to

__all__ = ["EMF_FIELDS", "MAX_CHARS", "faults", "fields"]

MAX_CHARS = 10_000
"""Length of a query (StartQuery, queryString)."""

EMF_FIELDS = frozenset(
    {"Writer", "WindowStart", "WindowSequence"}
    | {one.name for one in METRICS}
    | {name for one in METRICS for name in one.dimensions}
)
"""Members of our EMF documents; what CloudWatch adds begins with @."""

_MAX_LIMIT = 10_000
_COMMANDS = frozenset(
    [
        "display",
        "fields",
        "filter",
        "stats",
        "sort",
        "limit",
        "parse",
        "dedup",
        "unmask",
        "unnest",
        "pattern",
        "diff",
        "anomaly",
        "filterIndex",
        "SOURCE",
        "source",
    ]
)
_FUNCTIONS = frozenset(
    [
        "abs",
        "ceil",
        "floor",
        "greatest",
        "least",
        "log",
        "sqrt",
        "bin",
        "datefloor",
        "dateceil",
        "fromMillis",
        "toMillis",
        "now",
        "isempty",
        "isblank",
        "concat",
        "ltrim",
        "rtrim",
        "trim",
        "strlen",
        "toupper",
        "tolower",
        "substr",
        "replace",
        "strcontains",
        "ispresent",
        "coalesce",
        "isIpInSubnet",
        "isValidIp",
        "isValidIpv4",
        "isValidIpv6",
        "avg",
        "count",
        "count_distinct",
        "max",
        "min",
        "pct",
        "stddev",
        "sum",
        "earliest",
        "latest",
        "sortsFirst",
        "sortsLast",
        "jsonParse",
        "jsonStringify",
    ]
)
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|/(?=\S)(?:[^/\\\n]|\\.)+/")
_WORDS_BEFORE_PARENTHESIS = frozenset({"in", "and", "or", "not", "by", "as", "like", "filter"})
_FIELD = re.compile(r"(?<![\w@.`'\"])(@?[A-Za-z_][\w.]*)(?![\w.]*\s*\()")


def faults(text: str) -> list[str]:
    """What is wrong with a query."""
    found = []
    if len(text) > MAX_CHARS:
        found.append(f"Logs Insights query has {len(text)} characters, {MAX_CHARS} are allowed")
    # Texts and regular expressions may hold anything, a pipe or a parenthesis too.
    bare = _QUOTED.sub("''", text)
    if bare.replace("''", "").count("'") or bare.count('"'):
        return [*found, "Logs Insights query: a quote is not closed"]
    for opening, closing in ("()", "[]"):
        if bare.count(opening) != bare.count(closing):
            found.append(f"Logs Insights query: unbalanced {opening}{closing}")
    commands = [part.strip() for part in bare.split("|")]
    if not commands[0].startswith(("SOURCE", "source")):
        found.append("Logs Insights query names no log group: a widget begins with SOURCE '…'")
    for command in commands:
        found += _command_faults(command)
    found += [
        f"Logs Insights: EMF documents have no field {name!r}{close_to(name, EMF_FIELDS)}"
        for name in sorted(fields(text))
        if not name.startswith("@") and name.split(".")[0] not in EMF_FIELDS
    ]
    return found + [
        f"Logs Insights has no function {name!r}{close_to(name, _FUNCTIONS)}"
        for name in re.findall(r"([A-Za-z_]\w*)\s*\(", bare)
        if name not in _FUNCTIONS and name not in _WORDS_BEFORE_PARENTHESIS
    ]


def _command_faults(command: str) -> list[str]:
    if not command:
        return ["Logs Insights query: nothing stands between two |"]
    word = command.split(None, 1)[0]
    if word not in _COMMANDS:
        return [f"Logs Insights has no command {word!r}{close_to(word, _COMMANDS)}"]
    if word == "limit":
        number = command.removeprefix("limit").strip()
        if not number.isdigit() or not 1 <= int(number) <= _MAX_LIMIT:
            return [f"Logs Insights limit {number!r} is not within 1 to {_MAX_LIMIT}"]
    if word == "stats" and "(" not in command:
        return ["Logs Insights stats without an aggregate such as count(*)"]
    return []


def fields(text: str) -> set[str]:
    """Names of a record's fields that a query reads; not those that it makes with `as`."""
    bare = _QUOTED.sub("''", text)
    made = set(re.findall(r"\bas\s+(\w+)", bare)) | set(re.findall(r"\(\?<(\w+)>", text))
    words = {
        "and", "or", "not", "in", "like", "as", "by", "asc", "desc", "SOURCE", "source",
    }  # fmt: skip
    found = set()
    for command in bare.split("|"):
        parts = command.strip().split(None, 1)
        if len(parts) > 1 and parts[0] not in {"SOURCE", "source", "limit"}:
            found |= set(_FIELD.findall(parts[1]))
    return {name for name in found if name not in words | made and not re.fullmatch(r"\d+\w", name)}
