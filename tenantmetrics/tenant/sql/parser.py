"""sqlglot, called so that no text can harm the caller: quiet, bounded in time and in depth."""

from __future__ import annotations

import logging
import re
import threading

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import SqlglotError

__all__ = ["PREFIX", "parse_template", "parsing_weight", "token_count", "too_long_to_parse"]

_MAX_TOKENS = 1_300
"""3 to 5 ms on one 2.5 GHz core; a statement beyond it is not analysed."""
_MAX_PARSED_TWICE = 3_000
"""Characters; a longer text that the parser may not take is not tried as it is first."""
_MAX_CHARS = 14_000
"""6 ms for the tokenizer alone."""
_MAX_DEPTH = 40
"""Open parentheses at once. The parser recurses, and so does the plan; people write up to ten."""
_MAX_TRIED_TWICE = 6
"""Nested ARRAY[…], LIMIT (…), numeric(…), LATERAL (…): the parser tries each level in two ways, so
its time doubles with every one."""
_NAME_BEFORE = re.compile(r"(\w+)\s*\Z")
_TRIED_TWICE = frozenset(
    [
        keyword.lower()
        for keyword, kind in Postgres.tokenizer_class.KEYWORDS.items()
        if kind in Postgres.parser_class.TYPE_TOKENS
    ],
)
_LIMITS = frozenset(["limit", "offset", "lateral"])
"""Words that make the parser try the brackets around them twice."""
_TRIED_OPENING = re.compile(r"\b([a-z]\w*)\s*\(", re.IGNORECASE)
_MAX_SUBSCRIPTS = 20
"""a[1][1]… as a whole: the parser's time grows with its square. PostgreSQL has six dimensions."""
_SUBSCRIPT = re.compile(r"\]\s*\[")
_MAX_CHAIN = 12
"""f(1).g(2).h(3), a[1].b[2].c: the parser's time grows with the square of the links."""
_MAX_INDEXED = 12
"""((SELECT …)[1])[1]: as above, where each stands in the one around it."""
_INDEXED = re.compile(rf"(?:\)\s*+\[[^\[\]]*+\]\s*+){{{_MAX_INDEXED + 1}}}")
_LINK_OR_OTHER = re.compile(
    r"(?P<opening>[(\[{])|(?P<closing>[)\]}])|(?P<name>\.\s*+(?:'[^']*'|\w+|\"[^\"]*\")?+)|"
    r"(?P<other>\b(?!slot\d|over\b|filter\b|within\b|group\b)\w+|[^\s\w&'.])",
    re.IGNORECASE,
)
_MAX_BARE_JOINS = 6
"""JOINs that no ON or USING follows: no SQL, but the parser's time doubles with every one (20 take
20 s), because each may be nested in the one before."""
_JOIN = re.compile(r"\b(?:(?:cross|natural)\s[\s\w]*?)?join\b|\b(?:on|using)\b", re.IGNORECASE)
_TOKEN = re.compile(r"""'[^']*+'|"[^"]*+"|\w++|[^\w\s]""")
_BRACKET = 8
_PARENTHESIS = 4
_SUBSCRIPTED = 32
_ARRAY = re.compile(r"array\s*+\[", re.IGNORECASE)
_LIGHT = 1_200
"""Characters of a text that weighs little enough, unless it has subscripts."""
_MAX_WEIGHT = 2_200
"""5 ms; what brackets weigh was measured with the parser's version of today."""
_SHORT = 300
_MAX_RUN = 40
"""NOT NOT NOT …, - - - …, CASE CASE …: recursion without parentheses."""

PREFIX = "kw__"
"""Put before parameter names that the parser would take for a keyword or a number."""
_NO_NAMES = [
    keyword.lower()
    for keyword, kind in Postgres.tokenizer_class.KEYWORDS.items()
    if keyword.isidentifier() and kind not in Postgres.parser_class.ID_VAR_TOKENS
]
# The colon comes first, so that the search leaps from one to the next.
_AWKWARD = re.compile(rf":(?<![:\w]:)(?:(?=[0-9])|(?=(?:{'|'.join(_NO_NAMES)})\b))", re.IGNORECASE)
# What a JSON path is given: a name, a parameter or a literal, never a query.
_PASSED = r"(?:'[^']*+'|[\w.:\"]++)(?:\s*::\s*\w++)?\s++as\s++\"?\w++\"?"
# Clauses that say nothing of rows, and that the parser does not know.
_UNKNOWN_TO_PARSER = re.compile(
    r"\boverriding\s+(?:system|user)\s+value\b"
    r"|\bwith(?:out)?\s+(?:(?:un)?conditional\s+)?(?:array\s+)?wrapper\b"
    r"|\breturning\s+(?:jsonb?|bytea|text|varchar)\s+(?=with|keep|omit|error|null|empty|default|format)"
    r"|\breturning\s+(?:jsonb?|bytea|text|varchar)(?=\s*\))|\bformat\s+json\b"
    r"|\b(?:null|absent)\s+on\s+null\b|\bwith(?:out)?\s+unique(?:\s+keys)?\b"
    r"|\bdefault\s+'?\w+'?(?:\s*::\s*\w+)?\s+on\s+(?:empty|error)\b"
    r"|\b(?:keep|omit)\s+quotes\b(?:\s+on\s+scalar\s+string\b)?"
    r"|\b(?:error|null|true|false|unknown|empty(?:\s+(?:array|object))?)\s+on\s+(?:error|empty)\b"
    rf"|\bpassing\s+{_PASSED}(?:\s*,\s*{_PASSED})*+"
    r"|(?<=\breturning)\s+with\s*\(\s*(?:(?:old|new)\s+as\s+\w+[\s,]*)+\)",
    re.IGNORECASE,
)
# `UPDATE … FROM (VALUES …) AS v, a`: the parser takes VALUES there behind another source only.
_VALUES_FIRST = re.compile(r"\b(from|using)\s*\(\s*(?=values\b)", re.IGNORECASE)
_VALUES_SECOND = rf"\1 generate_series(1, 1) AS {PREFIX}one, ("
# `OPERATOR(pg_catalog.=)` is how PostgreSQL's tools write `=`.
_OPERATOR = re.compile(
    r"\boperator\s*\(\s*(?:pg_catalog\s*\.\s*)?(<>|!=|<=|>=|=|<|>)\s*\)", re.IGNORECASE
)
_PREFIXES = (
    *("not", "case", "when", "interval", "any", "all", "some", "exists", "select", "from"),
    *("(", "-", "+", "~", "@", "!"),
)
_RUN = re.compile(rf"(?:(?:{'|'.join(map(re.escape, _PREFIXES))})\s*){{{_MAX_RUN}}}")
_NESTING = re.compile(r"[\[\](){}]|\b(?:case|end|limit|offset|lateral)\b", re.IGNORECASE)
_CLOSING = frozenset([")", "]", "}", "end"])
_LONGEST_NAME = 40


class _Thread(threading.local):
    """A parser for each thread: it keeps its state in itself."""

    def __init__(self) -> None:
        dialect = Postgres()
        self.tokenizer = dialect.tokenizer_class(dialect=dialect)
        self.parser = dialect.parser_class(dialect=dialect)
        self.quiet = False


_thread = _Thread()


class _Quiet(logging.Filter):
    """Keeps sqlglot's remarks on a user's SQL out of their log while it works for us.

    Everything that sqlglot says to a user who calls it directly passes.
    """

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002
        return not _thread.quiet


logging.getLogger("sqlglot").addFilter(_Quiet())


def _bare_joins(template: str) -> int:
    """JOINs of a text that have no condition, those that need none left out."""
    open_joins = 0
    for found in _JOIN.finditer(template):
        first = found[0][0]
        if first in "jJ":
            open_joins += 1
        elif first in "oOuU" and open_joins:
            open_joins -= 1
    return open_joins


def token_count(template: str) -> int:
    """About how many tokens a template has; a subscript or an array counts as eight."""
    return len(_TOKEN.findall(template)) + _BRACKET * template.count("[")


def parsing_weight(template: str, tokens: int | None = None) -> int:
    """What it takes to parse a template, in tokens outside of brackets, 2 µs each.

    Args:
        template: Which.
        tokens: Its `token_count`, if that is known.
    """
    subscripts = template.count("[")
    if subscripts:
        subscripts -= template.count("[]") + len(_ARRAY.findall(template))
    if tokens is None:
        tokens = token_count(template)
    return tokens + _PARENTHESIS * template.count("(") + _SUBSCRIPTED * subscripts


def parse_template(template: str) -> list[exp.Expr] | str:
    """The statements of a template; or, where they are not to be had, why not.

    Args:
        template: SQL without comments, literals replaced by slots.
    """
    if len(template) > _MAX_CHARS:
        return f"longer than {_MAX_CHARS} characters without its literals"
    if too_much := too_long_to_parse(template) or _depth(template):
        return too_much
    if template.lower().count("join") > _MAX_BARE_JOINS and _bare_joins(template) > _MAX_BARE_JOINS:
        return f"more than {_MAX_BARE_JOINS} joins without a condition"
    if "operator" in template or "OPERATOR" in template:
        template = _OPERATOR.sub(r" \1 ", template)
    if ":" in template:
        template = _AWKWARD.sub(":" + PREFIX, template)
    _thread.quiet = True
    try:
        if len(template) > _MAX_PARSED_TWICE:
            template = _plainer(template)
        try:
            parsed = _parsed(template)
        except SqlglotError:
            plainer = _plainer(template)
            if plainer == template:
                raise
            parsed = _parsed(plainer)
    except (
        SqlglotError,
        RecursionError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
    ) as error:
        # Beyond its own errors, sqlglot fails on some texts that are no SQL in ways of its own.
        return f"not understood ({type(error).__name__})"
    finally:
        _thread.quiet = False
    return [statement for statement in parsed if statement is not None]


def _parsed(template: str) -> list[exp.Expr | None]:
    return _thread.parser.parse(_thread.tokenizer.tokenize(template), template)


def _plainer(template: str) -> str:
    """A template without what the parser does not know."""
    plainer = _UNKNOWN_TO_PARSER.sub(" ", template)
    return _VALUES_FIRST.sub(_VALUES_SECOND, plainer)


def too_long_to_parse(template: str) -> str:
    """Why a template takes too long to be parsed; empty if it does not."""
    if len(template) <= _LIGHT and "[" not in template:
        return ""
    # Counted before the parser's own tokenizer, which takes ten times as long.
    tokens = token_count(template)
    if tokens > _MAX_TOKENS:
        return f"more than {_MAX_TOKENS} tokens"
    if parsing_weight(template, tokens) > _MAX_WEIGHT:
        return f"more than {_MAX_WEIGHT} tokens where a bracket counts as several"
    return ""


def _depth(template: str) -> str:
    """Why a template is nested too deep to be parsed; empty if it is not."""
    if "[" in template and len(_SUBSCRIPT.findall(template)) > _MAX_SUBSCRIPTS:
        return f"more than {_MAX_SUBSCRIPTS} subscripts of subscripts"
    if "[" in template and _INDEXED.search(template) is not None:
        return f"more than {_MAX_INDEXED} subscripts of brackets in brackets"
    closing = template.count(")") + template.count("]") + template.count("}")
    if closing > _MAX_CHAIN and "." in template and _longest_chain(template) > _MAX_CHAIN:
        return f"more than {_MAX_CHAIN} names behind calls or subscripts in a row"
    # A text as short as this cannot hold a run that matters, and most are. The others are counted
    # before they are searched, which takes twenty times as long.
    lower = template.lower() if len(template) > _SHORT else ""
    if sum(map(lower.count, _PREFIXES)) >= _MAX_RUN and _RUN.search(lower) is not None:
        return f"more than {_MAX_RUN} prefix operators in a row"
    parentheses = template.count("(")
    tried = parentheses > _MAX_TRIED_TWICE and _count_tried_twice(template) > _MAX_TRIED_TWICE
    if "[" in template or parentheses > _MAX_DEPTH or "case" in lower or tried:
        return _nesting(template)
    return ""


def _longest_chain(template: str) -> int:
    """How many names follow brackets in one chain: three in `f(1).g(2).h[3].i`."""
    longest = 0
    # For each open bracket how many there are behind it, and whether one closed just now.
    links, closed = [0], False
    for found in _LINK_OR_OTHER.finditer(template):
        kind = found.lastgroup
        if kind == "opening":
            links.append(0)
        elif kind == "closing":
            if len(links) > 1:
                links.pop()
        elif kind == "name":
            links[-1] += closed
            longest = max(longest, links[-1])
        else:
            links[-1] = 0
        closed = kind == "closing"
    return longest


def _count_tried_twice(template: str) -> int:
    lower = template.lower()
    names = _TRIED_OPENING.findall(lower)
    return sum(map(lower.count, _LIMITS)) + sum(name in _TRIED_TWICE for name in names)


def _nesting(template: str) -> str:
    """Why brackets and CASE are nested too deep; empty if they are not."""
    # For each open bracket whether the parser tries it twice; for each open CASE that it does not.
    opened: list[bool] = []
    tried = 0
    for found in _NESTING.finditer(template):
        text = found.group().lower()
        if text in _CLOSING:
            tried -= opened.pop() if opened else 0
            continue
        if text in _LIMITS:
            if opened and not opened[-1]:
                opened[-1] = True
                tried += 1
        else:
            twice = text == "[" or (text == "(" and _is_type_before(template, found.start()))
            opened.append(twice)
            tried += twice
        if len(opened) > _MAX_DEPTH:
            return f"nested deeper than {_MAX_DEPTH}"
        if tried > _MAX_TRIED_TWICE:
            return f"arrays, types or limits nested deeper than {_MAX_TRIED_TWICE}"
    return ""


def _is_type_before(template: str, position: int) -> bool:
    found = _NAME_BEFORE.search(template, max(position - _LONGEST_NAME, 0), position)
    return found is not None and found[1].lower() in _TRIED_TWICE
