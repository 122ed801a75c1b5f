"""The grammar of plain statements: tables, conditions of columns and plain values, queries in them.

A text is a list of tokens, and its *shape* has a letter for each of them: that of
`SELECT id FROM b WHERE x = :t` is `SnFnWn=v`. The grammar is written over shapes; a place in the
shape is the token's index. Quantifiers are possessive, so that no text takes more than linear time.
"""

from __future__ import annotations

import re

from sqlglot.dialects.postgres import Postgres

from tenantmetrics.tenant.sql.parser import PREFIX

__all__ = [
    "ALIAS",
    "CASTS",
    "COLUMN",
    "CONDITION",
    "END",
    "INSERT",
    "ITEM",
    "JOIN",
    "RETURNING",
    "ROW",
    "SELECT",
    "SET",
    "SOURCE",
    "TAIL",
    "UNION",
    "WITH_QUERY",
    "WRITTEN",
    "shape_of",
]

_WORDS = {
    "select": "S", "distinct": "Q", "from": "F", "where": "W", "and": "&", "or": "|", "as": "@",
    "is": "i", "not": "~", "null": "0", "true": "0", "false": "0", "in": "I", "like": "L",
    "ilike": "L", "between": "B", "group": "G", "order": "O", "by": "y", "asc": "d", "desc": "d",
    "limit": "l", "offset": "o", "for": "r", "update": "U", "set": "s", "delete": "D",
    "insert": "Y", "into": "T", "values": "V", "default": "X", "on": "J", "conflict": "C",
    "do": "K", "nothing": "Z", "returning": "R", "join": "j", "inner": "k", "now": "w", "::": ":",
    "exists": "E", "with": "H", "materialized": "M", "union": "N", "all": "A", "left": "f",
    "outer": "u",
}  # fmt: skip
_FUNCTIONS = frozenset(["avg", "count", "max", "min", "sum"])
# Words that the parser has a meaning for, and that name columns all the same.
_NAMES_TOO = frozenset(
    [
        *("comment", "file", "first", "format", "index", "name", "namespace", "next", "number"),
        *("object", "percent", "point", "range", "schema", "sequence", "session", "settings"),
        *("type", "view"),
    ],
)
CASTS = {
    "text": "text",
    "varchar": "text",
    "uuid": "uuid",
    "smallint": "number",
    "int": "number",
    "integer": "number",
    "bigint": "number",
}
"""How a value is read under a cast that keeps which tenant it names."""
_TYPES_AND_NAMES = frozenset(["date", "text", "time", "timestamp", "uuid"])
_TYPES = frozenset(["boolean", "jsonb", "timestamptz", *CASTS]) - _TYPES_AND_NAMES
_FOREIGN = frozenset(
    ["connect_by_root", "current_role", "if", "prior", "user", "variadic"],
).union(map(str.lower, Postgres.tokenizer_class.KEYWORDS))
"""Words that mean to the parser what this grammar does not know."""


class _Kinds(dict[str, str]):
    """The letter of a token; `?` for one that no plain statement has."""

    def __missing__(self, token: str) -> str:
        first = token[0]
        if first == ":":
            return "v" if token[1:2].isalpha() and not token.startswith(PREFIX, 1) else "?"
        if first in "'0123456789":
            return "v"
        if first == '"':
            return "?" if '""' in token else "n"
        return self.get(token.lower()) or ("n" if first.isalpha() or first == "_" else "?")


_KINDS = _Kinds(dict.fromkeys(_FOREIGN, "?"))
for _kind, _tokens in (
    *(("n", _NAMES_TOO), ("c", _FUNCTIONS), ("x", _TYPES), ("t", _TYPES_AND_NAMES)),
    *((symbol, [symbol]) for symbol in "*(),.=<>!+-;"),
    *((letter, [word, word.upper()]) for word, letter in _WORDS.items()),
):
    _KINDS.update(dict.fromkeys(_tokens, _kind))


def shape_of(tokens: list[str]) -> str:
    """The letters of some tokens."""
    return "".join(map(_KINDS.__getitem__, tokens))


def _listed(item: str) -> str:
    return f"{item}(?:,{item})*+"


_NAME = "[nctw]"
_COLUMN = rf"{_NAME}(?:\.{_NAME})?+"
_VALUE = "(?:v(?::[xt])?+|0)"
_ITEM = rf"(?:\*|{_NAME}\.\*|(?:v|c\((?:{_COLUMN}|\*)\)|{_COLUMN})(?:@{_NAME})?+)"
_WRITTEN = rf"(?:-?+{_VALUE}|w\(\)|X)"
_ROW = rf"\({_listed(_WRITTEN)}\)"

WITH_QUERY = re.compile(rf"[H,](?P<name>{_NAME})@(?:~?+M)?+\((?=S)")
"""`WITH name AS (`, or the comma before the next one."""
SELECT = re.compile(rf"S(?P<distinct>Q)?+(?P<items>{_listed(_ITEM)})F")
ITEM = re.compile(
    rf"(?:(?P<star>(?:{_NAME}\.)?+\*)|(?:(?P<value>v)|(?P<function>c)\((?:(?P<argument>{_COLUMN})"
    rf"|\*)\)|(?P<column>{_COLUMN}))(?:@(?P<alias>{_NAME}))?+),?+"
)
"""One item of a select list."""
INSERT = re.compile(
    rf"YT(?P<table>{_COLUMN})\((?P<columns>{_listed(_NAME)})\)V(?P<rows>{_listed(_ROW)})"
    rf"(?:JC(?:\({_listed(_NAME)}\))?+KZ)?+"
)
"""Up to RETURNING."""
SOURCE = re.compile(rf"(?P<table>{_COLUMN})(?:@?+(?P<alias>{_NAME}))?+")
ALIAS = re.compile(rf"@?+(?P<alias>{_NAME})")
JOIN = re.compile("(?P<left>fu?+)j|k?+j|(?P<comma>,)")
SET = re.compile(rf"s{_listed(rf'{_NAME}=(?:{_COLUMN}[-+]{_VALUE}|{_WRITTEN})')}")
CONDITION = re.compile(
    rf"(?P<not>~)?+(?P<column>{_COLUMN})(?:=(?:(?P<value>{_VALUE})|(?P<other>{_COLUMN})|-{_VALUE})"
    rf"|I\((?P<list>{_listed(_VALUE)})\)|(?:<>|!=|[<>]=?+)-?+{_VALUE}|(?P<null>i~?+0)"
    rf"|~I\({_listed(_VALUE)}\)|~?+L{_VALUE}|B{_VALUE}&{_VALUE}|(?P<query>~?+I\((?=S))|(?P<bare>))"
    r"|(?P<exists>~?+E\((?=S))"
)
"""Up to the subquery, where it has one."""
TAIL = re.compile(
    rf"(?:Gy(?P<group>{_listed(_COLUMN)}))?+(?P<order>Oy{_listed(f'{_COLUMN}d?+')})?+"
    rf"(?P<cut>(?:l{_VALUE})?+(?:o{_VALUE})?+)"
)
UNION = re.compile("NA?+(?=S)")
END = re.compile("(?:rU)?+;?+")
RETURNING = re.compile(rf"(?:R{_listed(_ITEM)})?+;?+")
COLUMN = re.compile(_COLUMN)
ROW = re.compile(_ROW)
WRITTEN = re.compile(_WRITTEN)
