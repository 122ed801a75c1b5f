"""CloudWatch Logs Insights queries: commands, functions, fields, quotes and limits.

Commands and functions: CloudWatch Logs user guide, "CloudWatch Logs Insights language query
syntax".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tenantmetrics.catalog import metrics
from tenantmetrics.console.known import close_to

__all__ = ["EMF_FIELDS", "MAX_CHARS", "log_query_faults", "view_fault"]

MAX_CHARS = 10_000
"""Length of a query (StartQuery, queryString)."""

EMF_FIELDS = frozenset(
    {"Writer", "WindowStart", "WindowSequence"}
    | {metric.name for metric in metrics()}
    | {name for metric in metrics() for name in metric.dimensions}
)
"""Members of our EMF documents; what CloudWatch adds begins with @."""

_MAX_LIMIT = 10_000
_COMMANDS = frozenset([
    "anomaly", "dedup", "diff", "display", "fields", "filter", "filterindex", "join", "limit",
    "lookup", "parse", "pattern", "sort", "source", "stats", "unmask", "unnest",
])  # fmt: skip
_FUNCTIONS = frozenset([
    "avg", "count", "count_distinct", "max", "min", "pct", "stddev", "sum", "earliest",
    "latest", "sortsFirst", "sortsLast", "abs", "ceil", "floor", "greatest", "least", "log",
    "sqrt", "bin", "datefloor", "dateceil", "fromMillis", "toMillis", "now", "isempty",
    "isblank", "ispresent", "coalesce", "concat", "ltrim", "rtrim", "trim", "strlen", "toupper",
    "tolower", "substr", "replace", "strcontains", "isValidIp", "isValidIpv4", "isValidIpv6",
    "isIpInSubnet", "isIpv4InSubnet", "isIpv6InSubnet", "jsonParse", "jsonStringify",
    "logGroups",
])  # fmt: skip
_OWN_FIELDS = frozenset([
    "@aws.account", "@aws.region", "@billedDuration", "@duration", "@entity", "@ingestionTime",
    "@initDuration", "@log", "@logStream", "@maxMemoryUsed", "@memorySize", "@message", "@ptr",
    "@requestId", "@timestamp", "@type", "@xraySegmentId", "@xrayTraceId",
])  # fmt: skip
"""Fields that CloudWatch Logs adds (Logs user guide, "Supported logs and discovered fields")."""
_UNITS = frozenset([
    "ms", "s", "m", "h", "d", "w", "mo", "q", "y", "millisecond", "milliseconds", "second",
    "seconds", "minute", "minutes", "min", "mins", "hour", "hours", "hr", "hrs", "day", "days",
    "week", "weeks", "month", "months", "quarter", "quarters", "year", "years",
])  # fmt: skip
_KEYWORDS = frozenset([
    "and", "or", "not", "in", "like", "as", "by", "asc", "desc", "into", "on", "true", "false",
    "null",
])  # fmt: skip
_QUOTED = re.compile(
    r"(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    # A slash divides, but for where a regular expression may stand.
    r"|(?P<before>\blike\s*|[=!]~\s*|\bparse\s+(?:[@\w.]+\s+)?)(?P<regex>/(?:[^/\\\n]|\\.)+/)"
)
_BARE_AGGREGATE = re.compile(r"(\|\s*)(?=(?:avg|count|max|min|pct|sum)\s*\()")
_FIELD = re.compile(r"(?<![\w@.`'\"])(@?[A-Za-z_][\w.]*)(?![\w.]*\s*\()")
_BROKEN_REGEX = ("unterminated", "unbalanced", "nothing to repeat", "missing )", "multiple repeat")


class _Command(NamedTuple):
    """A command between two pipes: as written, and with the insides of quotes blanked."""

    raw: str
    bare: str

    @property
    def word(self) -> str:
        return self.bare.split(None, 1)[0].lower() if self.bare.strip() else ""

    @property
    def rest(self) -> str:
        return self.bare.strip()[len(self.word) :].strip()


def log_query_faults(text: str, *, ours: bool = True, named: bool = False) -> list[str]:
    """What is wrong with a query.

    Args:
        text: The query, as a widget has it.
        ours: Whether it reads our EMF documents.
        named: Whether its log groups are named elsewhere in the widget.
    """
    found = [f"Logs Insights query has {len(text)} characters, {MAX_CHARS} are allowed"] * (
        len(text) > MAX_CHARS
    )
    text = re.sub(r"(?m)^\s*#.*$", "", text)
    if not ours:
        text = _BARE_AGGREGATE.sub(r"\1stats ", text)  # CloudWatch takes it without the word
    # Texts and regular expressions may hold anything, a pipe or a parenthesis too.
    bare = _blanked(text)
    blank = re.sub(r"' *'", "", bare)
    if "'" in blank or '"' in blank:
        return [*found, "Logs Insights query: a quote is not closed"]
    for opening, closing in ("()", "[]"):
        if bare.count(opening) != bare.count(closing):
            found.append(f"Logs Insights query: unbalanced {opening}{closing}")
    commands = list(_commands(text, bare))
    if commands[0].word != "source" and not named:
        found.append("Logs Insights query names no log group: a widget begins with SOURCE '…'")
    for command in commands:
        found += _command_faults(command)
    found += _function_faults(bare, ours=ours)
    found += _regex_faults(text)
    return found + [f"Logs Insights: {fault}" for fault in _field_faults(commands, ours=ours)]


def view_fault(text: str, view: str) -> str | None:
    """Why a widget's view of a query stays empty, or None.

    Args:
        text: The query.
        view: `table`, `timeSeries`, `bar` or `pie`.
    """
    bare = _blanked(text)
    if view != "table" and not re.search(r"(^|\|)\s*stats\b", bare, re.IGNORECASE):
        return f"view {view!r} needs a query with stats: there is nothing to draw"
    if view == "timeSeries" and not re.search(r"\b(bin|datefloor|dateceil)\s*\(", bare):
        return "view 'timeSeries' needs stats … by bin(…): a time axis is needed"
    return None


def _blanked(text: str) -> str:
    """The text with nothing but spaces in its quotes and regular expressions."""

    def blank(match: re.Match[str]) -> str:
        before = match.group("before") or ""
        return f"{before}'{' ' * (len(match.group()) - len(before) - 2)}'"

    return _QUOTED.sub(blank, text)


def _commands(text: str, bare: str) -> Iterator[_Command]:
    start = 0
    for end in [*(match.start() for match in re.finditer(r"\|", bare)), len(bare)]:
        yield _Command(text[start:end], bare[start:end])
        start = end + 1


def _command_faults(command: _Command) -> Iterator[str]:
    word, rest = command.word, command.rest
    if not word:
        yield "Logs Insights query: nothing stands between two |"
    elif word not in _COMMANDS:
        yield f"Logs Insights has no command {word!r}{close_to(word, _COMMANDS)}"
    elif word == "limit":
        if not rest.isdigit() or not 1 <= int(rest) <= _MAX_LIMIT:
            yield f"Logs Insights limit {rest!r} is not within 1 to {_MAX_LIMIT}"
    elif not rest and word not in {"anomaly", "diff"}:
        yield f"Logs Insights {word} says nothing"
    elif word == "stats" and "(" not in rest:
        yield "Logs Insights stats without an aggregate such as count(*)"
    elif re.search(r"([=<>,+*-]|\b(?:and|or|not|by|as|in|like))$", rest):
        yield f"Logs Insights {word}: something is missing after {rest.split()[-1]!r}"
    elif word == "filter":
        yield from _filter_faults(rest)
    yield from _bin_faults(rest)


def _bin_faults(rest: str) -> Iterator[str]:
    for amount, unit in re.findall(r"\bbin\(\s*(\d+)\s*(\w*)\s*\)", rest):
        if unit not in _UNITS:
            yield f"Logs Insights bin({amount}{unit}): no unit of time, such as {amount}m"


def _filter_faults(rest: str) -> Iterator[str]:
    if wrong := re.search(r"\blike\s+([^'\s]+)", rest):
        yield f"Logs Insights: like needs a string in quotes or a /…/, not {wrong.group(1)!r}"
    if wrong := re.search(r"\bin\s+([^\[\s(]\S*)", rest):
        yield f"Logs Insights: in needs a list in brackets, not {wrong.group(1)!r}"


def _function_faults(bare: str, *, ours: bool) -> Iterator[str]:
    lower = {function.lower() for function in _FUNCTIONS}
    for name in re.findall(r"([A-Za-z_]\w*)\s*\(", bare):
        hint = close_to(name, _FUNCTIONS)
        if name.lower() not in lower | _KEYWORDS | _COMMANDS and (ours or hint):
            yield f"Logs Insights has no function {name!r}{hint}"


def _regex_faults(text: str) -> Iterator[str]:
    for match in _QUOTED.finditer(text):
        regex = match.group("regex")
        if regex is None:
            continue
        try:
            re.compile(regex[1:-1].replace("(?<", "(?P<").replace("(?P<=", "(?<="))
        except re.error as error:
            if str(error).startswith(_BROKEN_REGEX):  # what Java's and Python's have in common
                yield f"Logs Insights: regular expression {regex} is broken: {error}"


def _field_faults(commands: list[_Command], *, ours: bool) -> Iterator[str]:
    """Fields that no record has, or that stats did not leave."""
    made: set[str] = set()
    there: set[str] | None = None  # all of a record's
    for command in commands:
        if command.word in {"source", "limit", ""} or command.word not in _COMMANDS:
            continue
        aliases = set(re.findall(r"\bas\s+(@?[\w.]+)", command.rest, re.IGNORECASE))
        aliases |= set(re.findall(r"\binto\s+(\w+)", command.rest))
        used = {
            name
            for name in _FIELD.findall(command.rest)
            if name.lower() not in _KEYWORDS and not re.fullmatch(r"\d+\w*", name)
        } - aliases
        if command.word == "parse":
            aliases |= set(re.findall(r"\(\?<(\w+)>", command.raw))
            aliases |= set(_FIELD.findall(command.rest.rpartition("'")[2])) - _KEYWORDS
            used -= aliases
        for name in sorted(used - made):
            if wrong := _field_fault(name, there, ours=ours):
                yield wrong
        made |= aliases
        if command.word == "stats":
            _, _, by = command.rest.partition(" by ")
            there = aliases | set(_FIELD.findall(by))
            made = set()


def _field_fault(name: str, there: set[str] | None, *, ours: bool) -> str | None:
    """What is wrong with a field; `there` are those that stats left."""
    own = name.startswith("@")
    if there is not None:
        if name in there or (own and not ours):
            return None
        return f"after stats there is no field {name!r}{close_to(name, there)}"
    if own:
        hint = "" if name in _OWN_FIELDS else close_to(name, _OWN_FIELDS, 0.8)
        return f"there is no field {name!r}{hint}" if hint else None
    if ours and name.split(".", maxsplit=1)[0] not in EMF_FIELDS:
        return f"EMF documents have no field {name!r}{close_to(name, EMF_FIELDS)}"
    return None
