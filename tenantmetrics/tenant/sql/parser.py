"""sqlglot, called so that no text can harm the caller: quiet, bounded in time and in depth."""

from __future__ import annotations

import logging
import re
import threading

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import SqlglotError

from tenantmetrics.tenant.sql.rows_from import unnests_as_one
from tenantmetrics.tenant.sql.text_limits import nested_too_deep, too_long_to_parse

__all__ = ["PREFIX", "parse_template"]

_MAX_PARSED_TWICE = 1_200
"""Characters; a longer text that the parser may not take is not tried as it is first."""
_MAX_CHARS = 14_000
"""6 ms for the tokenizer alone."""

PREFIX = "kw__"
"""Put before parameter names that the parser would take for a keyword or a number."""
_NO_NAMES = frozenset(
    [
        keyword.lower()
        for keyword, kind in Postgres.tokenizer_class.KEYWORDS.items()
        if keyword.isidentifier() and kind not in Postgres.parser_class.ID_VAR_TOKENS
    ],
)
# The colon comes first, so that the search leaps from one to the next.
_NAMED = re.compile(r":(?<![:\w]:)(\w++)")
# A name in quotes may have a colon in it.
_NAMED_OR_QUOTED = re.compile(rf'{_NAMED.pattern}|"[^"]*+"')
# What a JSON path is given: a name, a parameter or a literal, never a query.
_PASSED = r"(?:'[^']*+'|[\w.:\"]++)(?:\s*::\s*\w++)?\s++as\s++\"?\w++\"?"
# Clauses that say nothing of rows, and that the parser does not know.
_UNKNOWN_TO_PARSER = re.compile(
    # One look for all at where a word begins: fifteen of them take ten times as long.
    r"(?=[adefknoprtuw])(?<!\w)(?:overriding\s+(?:system|user)\s+value\b"
    r"|with(?:out)?\s+(?:(?:un)?conditional\s+)?(?:array\s+)?wrapper\b"
    r"|returning\s+(?:jsonb?|bytea|text|varchar)"
    r"(?:\s+(?=with|keep|omit|error|null|empty|default|format)|(?=\s*\)))|format\s+json\b"
    r"|(?:null|absent)\s+on\s+null\b|with(?:out)?\s+unique(?:\s+keys)?\b"
    r"|default\s+'?\w+'?(?:\s*::\s*\w+)?\s+on\s+(?:empty|error)\b"
    r"|(?:keep|omit)\s+quotes\b(?:\s+on\s+scalar\s+string\b)?"
    r"|(?:error|null|true|false|unknown|empty(?:\s+(?:array|object))?)\s+on\s+(?:error|empty)\b"
    rf"|passing\s+{_PASSED}(?:\s*,\s*{_PASSED})*+"
    r"|(?P<kept>returning)\s+with\s*\(\s*(?:(?:old|new)\s+as\s+\w+[\s,]*)+\))",
    re.IGNORECASE,
)
# A word of each of them, in lower case: most texts have none, and are told in no time.
_MAY_BE_UNKNOWN = re.compile(
    r"overriding|wrapper|returning\s+(?:jsonb?|bytea|text|varchar|with)\b|format\s+json"
    r"|on\s+(?:null|error|empty)|unique|quotes|passing"
)
# Operators of extensions, of networks and of shapes, and `ORDER BY … USING >`: they say nothing of
# tenants, whatever they compare. What is quoted stays.
_OPERATORS = re.compile(
    r"(\"[^\"]*+\")|<<<->|<->>>|<<=|>>=|<<\||\|>>|&<\||\|&>|<#>|<~>|<<->|<->>|<<%|%>>|<%(?![\w(])|%>|~=|&&&"
    r"|(\busing\s*[<>]=?)",
    re.IGNORECASE,
)
_MAY_BE_OPERATORS = re.compile(r"<<|>>|<#>|<~>|<%|%>|~=|\|>>|\|&>|&<\||&&&|<->>|using\s*[<>]")
# `UPDATE … FROM (VALUES …) AS v, a`: the parser takes VALUES there behind another source only.
_VALUES_FIRST = re.compile(r"\b(from|using)\s*\(\s*(?=values\b)", re.IGNORECASE)
_VALUES_SECOND = rf"\1 generate_series(1, 1) AS {PREFIX}one, ("
# `OPERATOR(pg_catalog.=)` is how PostgreSQL's tools write `=`.
_OPERATOR = re.compile(
    r"\boperator\s*\(\s*(?:pg_catalog\s*\.\s*)?(<>|!=|<=|>=|=|<|>)\s*\)", re.IGNORECASE
)


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


def parse_template(template: str) -> list[exp.Expr] | str:
    """The statements of a template; or, where they are not to be had, why not.

    Args:
        template: SQL without comments, literals replaced by slots.
    """
    if len(template) > _MAX_CHARS:
        return f"longer than {_MAX_CHARS} characters without its literals"
    if too_much := too_long_to_parse(template) or nested_too_deep(template):
        return too_much
    if "operator" in template or "OPERATOR" in template:
        template = _OPERATOR.sub(r" \1 ", template)
    if ":" in template:
        names = set(_NAMED.findall(template))
        if not _NO_NAMES.isdisjoint(map(str.lower, names)) or any(map(_is_number, names)):
            template = _NAMED_OR_QUOTED.sub(_prefixed, template)
    _thread.quiet = True
    try:
        if len(template) > _MAX_PARSED_TWICE:
            template = _plainer(template)
        try:
            parsed = _parsed(template)
        except (SqlglotError, TypeError):
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
    found: list[exp.Expr | None]
    found = _thread.parser.parse(_thread.tokenizer.tokenize(template), template)
    if "rows" in template or "ROWS" in template:
        for statement in found:
            if statement is not None:
                unnests_as_one(statement)
    return found


def _is_number(name: str) -> bool:
    return name[0] in "0123456789"


def _prefixed(found: re.Match[str]) -> str:
    """A parameter, with the prefix if its name is none to the parser."""
    name = found[1]
    is_none = name is not None and (_is_number(name) or name.lower() in _NO_NAMES)
    return f":{PREFIX}{name}" if is_none else found[0]


def _known_operator(found: re.Match[str]) -> str:
    if found[1]:
        return found[1]
    return " " if found[2] else " && "


def _plainer(template: str) -> str:
    """A template without what the parser does not know."""
    lower = template.lower()
    if _MAY_BE_UNKNOWN.search(lower) is not None:
        template = _UNKNOWN_TO_PARSER.sub(r"\g<kept> ", template)
    if _MAY_BE_OPERATORS.search(lower) is not None:
        template = _OPERATORS.sub(_known_operator, template)
    return _VALUES_FIRST.sub(_VALUES_SECOND, template) if "values" in lower else template
