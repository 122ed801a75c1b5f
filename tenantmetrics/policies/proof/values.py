"""Values that a column takes: by its type, and by what its constraints say of it.

Everything is text that PostgreSQL casts to the column's type. Constraints are not evaluated here:
what they name (literals, numbers, patterns) becomes candidates, and PostgreSQL judges.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from re import _parser as regex
from typing import Any

from tenantmetrics.policies.catalogue import Column
from tenantmetrics.sqltext import TokenKind, tokenize

__all__ = ["candidates", "fresh", "hexadecimal"]

_BY_TYPE = {
    "boolean": ["false", "true"],
    "date": ["2026-01-01"],
    "time without time zone": ["12:00"],
    "time with time zone": ["12:00+00"],
    "timestamp without time zone": ["2026-01-01 12:00"],
    "timestamp with time zone": ["2026-01-01 12:00+00"],
    "interval": ["1 day"],
    "json": ["{}", "[]"],
    "jsonb": ["{}", "[]"],
    "bytea": ["\\x00"],
    "xml": ["<a/>"],
    "money": ["1"],
    "inet": ["192.0.2.1"],
    "cidr": ["192.0.2.0/24"],
    "macaddr": ["00:00:5e:00:53:01"],
    "macaddr8": ["00:00:5e:ff:fe:00:53:01"],
    "point": ["(0,0)"],
    "line": ["{1,1,1}"],
    "lseg": ["[(0,0),(1,1)]"],
    "box": ["(1,1),(0,0)"],
    "path": ["[(0,0),(1,1)]"],
    "polygon": ["((0,0),(1,1),(1,0))"],
    "circle": ["<(0,0),1>"],
    "tsvector": ["a"],
    "tsquery": ["a"],
    "pg_lsn": ["0/0"],
}
_BY_CATEGORY = {"A": ["{}"], "R": ["empty"], "V": ["1", "101"], "B": ["false"]}
_LAST = ["", "0", "1", "{}", "[]", "()", "a", "[1]", "(0,0)", "2026-01-01"]
_LENGTH = re.compile(r"\((\d+)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_MOST = 40


def hexadecimal(seed: str, digits: int) -> str:
    """Digits that one seed has and no other."""
    return seed.replace("-", "")[:digits]


def fresh(column: Column, seed: str) -> str | None:  # noqa: PLR0911 - by type
    """A value that no row has yet; None for types that have few values.

    Args:
        column: Of a unique key.
        seed: A random UUID as text.
    """
    base = column.base
    number = int(hexadecimal(seed, 15), 16)
    if base == "uuid":
        return seed
    if base in {"integer", "bigint", "smallint"}:
        most = {"smallint": 2**14, "integer": 2**30, "bigint": 2**52}[base]
        return str(most + number % (most // 2))
    if base.startswith("numeric"):
        room = re.fullmatch(r"numeric\((\d+),(-?\d+)\)", base)
        digits = int(room[1]) - max(int(room[2]), 0) if room else 15
        return str(number % 10 ** max(min(digits, 15), 1))
    if base in {"real", "double precision"}:
        return str(number % 10**6)
    if column.category == "S":
        length = _LENGTH.search(base)
        return (
            seed
            if length is None or int(length[1]) >= len(seed)
            else hexadecimal(seed, int(length[1]))
        )
    if base.startswith("timestamp") or base == "date":
        return f"{2030 + number % 5000:04}-{1 + number // 7 % 12:02}-{1 + number // 11 % 28:02}"
    if base == "inet":
        return f"10.{number % 256}.{number // 256 % 256}.{number // 65536 % 256}"
    if base == "bytea":
        return "\\x" + hexadecimal(seed, 16)
    if base in {"json", "jsonb"}:
        return f'"{seed}"'
    return None


def candidates(
    column: Column, constraints: Iterable[str], labels: Iterable[str], seed: str
) -> list[str]:
    """Values to try, the likeliest first.

    Args:
        column: The column.
        constraints: Expressions that name it.
        labels: Those of its enum, if it is one.
        seed: A random UUID as text.
    """
    found: list[str] = list(labels)
    for text in (*constraints, *column.checks):
        found += _from_constraint(text, column)
    plain = fresh(column, seed)
    found += [plain] if plain is not None else []
    found += _largest(column)
    base = column.base.partition("(")[0].strip()
    found += _BY_TYPE.get(base, _BY_TYPE.get(column.base, []))
    found += _BY_CATEGORY.get(column.category, [])
    if column.category == "N":
        found += ["1", "0", "-1"]
    if column.category == "S":
        room = _LENGTH.search(column.base)
        found += [letter * min(int(room[1]) if room else 5, 5) for letter in "Aa1"]
    if len(found) <= 1 and plain is None:
        found += _LAST
    return list(dict.fromkeys(found))[:_MOST]


def _largest(column: Column) -> list[str]:
    """A value above the fresh ones, which the largest of all rows is."""
    if column.base == "date" or column.base.startswith("timestamp"):
        return ["9990-12-31"]
    whole = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**53 - 1}.get(column.base)
    if whole is not None:
        return [str(whole)]
    room = re.fullmatch(r"numeric\((\d+),(-?\d+)\)", column.base)
    if room is not None:
        return ["9" * max(int(room[1]) - max(int(room[2]), 0), 1)]
    return ["zz"] if column.category == "S" else []


def _from_constraint(text: str, column: Column) -> Iterator[str]:
    numbers: list[str] = []
    texts = column.category == "S"
    for token in tokenize(text):
        word = text[token.start : token.end]
        if token.kind is TokenKind.STRING:
            literal = word.strip("'").replace("''", "'")
            if texts:
                yield from _matching(literal)
                yield literal.replace("%", "").replace("_", "a")
            elif column.category != "N" or _NUMBER.fullmatch(literal):
                yield literal
                numbers += [literal] if _NUMBER.fullmatch(literal) else []
        elif token.kind is TokenKind.NUMBER and _NUMBER.fullmatch(word):
            numbers.append(word)
    for number in numbers:
        value = float(number)
        if texts:
            yield "a" * min(int(abs(value)), 500)
            yield "a" * min(int(abs(value)) + 1, 500)
        else:
            whole = int(value) if value == int(value) else value
            yield from (str(whole), str(whole + 1), str(whole - 1))


def _matching(pattern: str) -> Iterator[str]:
    """A text that a regular expression matches, if it is a simple one."""
    if not re.search(r"[\[\\^$(*+?{.]", pattern):
        return
    try:
        parsed = regex.parse(pattern)
        # Two of them: the tenant column of two tenants may have a pattern.
        for last in (False, True):
            yield "".join(_example(parsed, last=last))
    except (re.error, RecursionError, NotImplementedError, OverflowError):
        return


def _example(parts: Any, *, last: bool) -> Iterator[str]:  # noqa: C901 - by kind
    for kind, what in parts:
        name = str(kind)
        if name == "LITERAL":
            yield chr(what)
        elif name == "NOT_LITERAL":
            yield next(c for c in ("dc" if last else "ab") if ord(c) != what)
        elif name == "ANY":
            yield "b" if last else "a"
        elif name == "IN":
            yield _one_of(what, last=last)
        elif name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
            least, most, inner = what
            yield "".join(_example(inner, last=last)) * max(least, min(1, int(most)))
        elif name == "SUBPATTERN":
            yield from _example(what[-1], last=last)
        elif name == "BRANCH":
            yield from _example(what[1][-1 if last else 0], last=last)
        elif name == "CATEGORY":
            yield _category(what, last=last)
        elif name != "AT":
            raise NotImplementedError


def _one_of(options: Any, *, last: bool) -> str:
    negated = str(options[0][0]) == "NEGATE"
    for kind, what in options if negated or not last else reversed(options):
        name = str(kind)
        if name == "NEGATE":
            return "b" if last else "a"
        if name == "LITERAL":
            return chr(what)
        if name == "RANGE":
            return chr(what[1] if last else what[0])
        if name == "CATEGORY":
            return _category(what, last=last)
    raise NotImplementedError


def _category(what: Any, *, last: bool) -> str:
    letter = "b" if last else "a"
    digit = "1" if last else "0"
    return {"CATEGORY_DIGIT": digit, "CATEGORY_SPACE": " "}.get(str(what), letter)
