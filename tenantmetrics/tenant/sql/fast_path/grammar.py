"""The grammar of plain statements: tables, conditions of columns and plain values, queries in them.

A text is a list of tokens, and its *shape* has a letter for each of them: that of
`SELECT id FROM b WHERE x = :t` is `SnFnWn=v`. The grammar is written over shapes; a place in the
shape is the token's index. Quantifiers are possessive, so that no text takes more than linear time.
"""

from __future__ import annotations

import re

from sqlglot.dialects.postgres import Postgres

from tenantmetrics.sqltext.kept import KeptTokens
from tenantmetrics.tenant.sql.parser import PREFIX

__all__ = [
    "ALIAS",
    "ALONE",
    "ARITHMETIC",
    "CASE",
    "CASTS",
    "COLUMN",
    "COMPUTED",
    "CONDITION",
    "END",
    "INSERT",
    "INSERT_SELECT",
    "ITEM",
    "JOIN",
    "LOCK",
    "RANKED",
    "RETURNING",
    "ROW",
    "SELECT",
    "SET",
    "SOURCE",
    "TAIL",
    "UNION",
    "USING",
    "WINDOW",
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
    "outer": "u", "any": "a", "interval": "e", "nulls": "b", "first": "h", "last": "h",
    "skip": "z", "locked": "q", "gen_random_uuid": "w", "using": "1", "over": "2",
    "partition": "3", "case": "4", "when": "5", "then": "6", "else": "7", "end": "8",
    "having": "P", "lateral": "9",
}  # fmt: skip
_AGGREGATES = frozenset(["avg", "count", "max", "min", "sum"])
_OF_ONE = frozenset(["abs", "length", "lower", "upper"])
_OF_SEVERAL = frozenset(["coalesce", "greatest", "least"])
"""Functions of plain values that say nothing of tenants."""
# Words that the parser has a meaning for, and that name columns all the same.
_NAMES_TOO = frozenset(
    [
        *("comment", "file", "format", "index", "name", "namespace", "next", "number"),
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


class _Kinds(KeptTokens):
    """The letter of a token; `?` for one that no plain statement has."""

    most = 6_000

    def told(self, token: str) -> str:
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
    *(("n", _NAMES_TOO), ("c", _AGGREGATES), ("g", _OF_ONE), ("m", _OF_SEVERAL)),
    *(("x", _TYPES), ("t", _TYPES_AND_NAMES)),
    *((symbol, [symbol]) for symbol in "*(),.=<>!+-/;"),
    *((letter, [word, word.upper()]) for word, letter in _WORDS.items()),
):
    _KINDS.update(dict.fromkeys(_tokens, _kind))


def shape_of(tokens: list[str]) -> str:
    """The letters of some tokens."""
    return "".join(map(_KINDS.__getitem__, tokens))


def _listed(item: str) -> str:
    return f"{item}(?:,{item})*+"


COMPUTED = "p_*+"
"""Stands for the tokens of CASE, of arithmetic, and of a subquery in a select list."""
_NAME = "[ncgmtwhzq]"
_TABLE = rf"{_NAME}(?:\.{_NAME})?+"
_COLUMN = rf"{_NAME}(?:\.{_NAME}){{0,2}}+"
_VALUE = "(?:v(?::[xt])?+|0)"
_AGGREGATE = rf"c\((?:Q?+{_COLUMN}|\*)\)"
_ARGUMENT = rf"(?:{_AGGREGATE}|{_COLUMN}|{_VALUE})"
_OF_ARGUMENTS = rf"g\({_ARGUMENT}\)|m\({_listed(_ARGUMENT)}\)"
_CALL = rf"(?:{_OF_ARGUMENTS}|w\(\))"
_COMPARED = "(?:=|<>|!=|[<>]=?+)"
_SIMPLE = rf"(?:{_COLUMN}|{_VALUE})"
_TEST = rf"~?+{_SIMPLE}(?:{_COMPARED}{_SIMPLE}|i~?+0)?+"
CASE = rf"4(?:{_SIMPLE})?+(?:5{_TEST}(?:[&|]{_TEST})*+6{_SIMPLE})++(?:7{_SIMPLE})?+8"
# A condition has its own place for `now() - :age`.
ARITHMETIC = (
    rf"(?:{_ARGUMENT}|{_OF_ARGUMENTS}|(?<![<>=])w\(\))(?:[-+*/](?:{_AGGREGATE}|{_SIMPLE}))++"
)
_ITEM = rf"(?:\*|{_NAME}\.\*|(?:v|{_AGGREGATE}|{_CALL}|{_COLUMN}|{COMPUTED})(?:@{_NAME})?+)"
_WINDOW = (
    rf"(?:n\(\)|{_AGGREGATE})2\((?:3y{_listed(_COLUMN)})?+"
    rf"(?:Oy{_listed(f'{_COLUMN}d?+(?:bh)?+')})?+\)(?:@{_NAME})?+"
)
_CALL_OF_VALUES = rf"(?:g\({_VALUE}\)|m\({_listed(_VALUE)}\)|w\(\))"
_WRITTEN = rf"(?:-?+{_VALUE}|X|{_CALL_OF_VALUES})"
_ASSIGNED = rf"{_NAME}=(?:{_WRITTEN}|{_CALL}|{_COLUMN}|{COMPUTED})"
_HAVING = rf"{_AGGREGATE}{_COMPARED}{_VALUE}"
_ROW = rf"\({_listed(_WRITTEN)}\)"

WITH_QUERY = re.compile(rf"[H,](?P<name>{_NAME})@(?:~?+M)?+\((?=S)")
"""`WITH name AS (`, or the comma before the next one."""
SELECT = re.compile(rf"SQ?+(?P<items>{_listed(f'(?:{_WINDOW}|{_ITEM})')})F")
WINDOW = "2"
"""The letter of OVER."""
RANKED = (
    rf"n\(\)2\((?:3y(?P<partition>{_listed(_COLUMN)}))?+"
    rf"(?:Oy{_listed(f'{_COLUMN}d?+(?:bh)?+')})?+\)"
)
"""A window that counts rows."""
ITEM = re.compile(
    rf"(?:(?P<star>(?:{_NAME}\.)?+\*)|(?:(?P<value>v|{_CALL}|c\(Q{_COLUMN}\)|{COMPUTED})|(?P<function>c)\("
    rf"(?:(?P<argument>{_COLUMN})|\*)\)|(?P<column>{_COLUMN}))(?:@(?P<alias>{_NAME}))?+),?+"
)
"""One item of a select list."""
INSERT = re.compile(
    rf"YT(?P<table>{_TABLE})\((?P<columns>{_listed(_NAME)})\)V(?P<rows>{_listed(_ROW)})"
    rf"(?:JC(?:\({_listed(_NAME)}\))?+K(?:Z|U(?P<set>s{_listed(_ASSIGNED)})))?+"
)
"""Up to RETURNING."""
INSERT_SELECT = re.compile(rf"YT(?P<table>{_TABLE})\((?P<columns>{_listed(_NAME)})\)(?=S)")
"""Up to the query."""
SOURCE = re.compile(rf"(?P<table>{_TABLE})(?:@?+(?P<alias>{_NAME}))?+")
ALIAS = re.compile(rf"@?+(?P<alias>{_NAME})")
JOIN = re.compile("(?P<left>fu?+)j|k?+j|(?P<comma>,)")
USING = re.compile(rf"1\((?P<columns>{_listed(_NAME)})\)")
SET = re.compile(f"s{_listed(_ASSIGNED)}")
CONDITION = re.compile(
    rf"(?:g\((?P<inner>{_COLUMN})\)|(?P<outer>{_COLUMN})->>?+v)(?P<call>=|<>|!=){_VALUE}"
    rf"|(?P<not>~)?+(?P<column>{_COLUMN})"
    rf"(?:=(?:(?P<open>\()?+(?:(?P<value>{_VALUE})|(?P<other>{_COLUMN}))(?(open)\))"
    rf"|a\((?P<any>v)\)|-{_VALUE})"
    rf"|I\((?P<list>{_listed(_VALUE)})\)|(?P<null>i~?+0)"
    rf"|(?:<>|!=|[<>]=?+)(?:-?+{_VALUE}|w\(\)(?:[-+](?:e?+v))?+)"
    rf"|~I\({_listed(_VALUE)}\)|~?+L{_VALUE}|B{_VALUE}&{_VALUE}|(?P<query>(?:~?+I|=)\((?=S))|(?P<bare>))"
    rf"|~\((?P<negated>{_COLUMN})\)"
    r"|(?P<exists>~?+E\((?=S)|~\(E\((?=S))|(?P<test>v(?::[xt])?+(?:i~?+0|(?:=|<>|!=)v))"
)
"""Up to the subquery, where it has one."""
TAIL = re.compile(
    rf"(?:Gy(?P<group>{_listed(f'(?:{_COLUMN}|v)')})"
    rf"(?:P(?P<having>{_HAVING}(?:&{_HAVING})*+))?+)?+"
    rf"(?P<order>Oy{_listed(f'(?:{_ARGUMENT}|{_CALL}|{COMPUTED})d?+(?:bh)?+')})?+"
    rf"(?P<cut>(?:l{_VALUE})?+(?:o{_VALUE})?+)"
)
UNION = re.compile(r"NA?+(?=\(?+S)")
LOCK = re.compile("(?:rU(?:zq)?+)?+")
END = re.compile(f"{LOCK.pattern};?+")
ALONE = re.compile(rf"(?:@{_NAME})?+;?+")
"""Behind `SELECT EXISTS (…)`."""
RETURNING = re.compile(rf"(?:R{_listed(_ITEM)})?+;?+")
COLUMN = re.compile(_COLUMN)
BY_SCHEMA = re.compile(rf"{_NAME}\.{_NAME}\.(?:{_NAME}|\*)")
"""A column asked for by its table's schema."""
ROW = re.compile(_ROW)
WRITTEN = re.compile(_WRITTEN)
