"""Cuts a text into tokens by PostgreSQL's rules."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from tenantmetrics.sqltext.brackets import Brackets
from tenantmetrics.sqltext.tokens import Token, TokenKind

__all__ = [
    "ESCAPE_BODY",
    "GAP",
    "LETTER",
    "NAME_LETTER",
    "PLAIN_BODY",
    "START",
    "plain_tokens",
    "tokenize",
]

# PostgreSQL counts every character beyond ASCII as a letter. Quantifiers are possessive: no text
# can make the expression go back over what it has read, so its time is linear in the length.
# A class says what it lacks, all of it ASCII: one that names the letters beyond takes 2 ms to
# compile, in every process that starts.
START = r"[^\x00-@\[-^`{-\x7F]"
"""A-Z a-z _ and all beyond ASCII."""
LETTER = r"[^\x00-#%-/:-@\[-^`{-\x7F]"
"""The same, 0-9 and $."""
NAME_LETTER = r"[^\x00-/:-@\[-^`{-\x7F]"
"""The same without $."""
# 'a' <newline> 'b' is one literal, and an E literal keeps its backslashes across the gap.
GAP = r"(?:[ \t\f\v]++|--[^\n\r]*+)*+[\n\r](?:[ \t\n\r\f\v]++|--[^\n\r]*+[\n\r])*+"
DOLLAR = rf"\$(?:{START}{NAME_LETTER}*+)?+\$"
NUMBER = (
    r"(?:0[xX][0-9a-fA-F_]++|0[oO][0-7_]++|0[bB][01_]++"
    r"|(?:[0-9][0-9_]*+(?:\.(?!\.)[0-9_]*+)?+|\.[0-9][0-9_]*+)(?:[eE][+-]?+[0-9][0-9_]*+)?+)"
)
PLAIN_BODY = r"'(?:[^']++|'')*+"
ESCAPE_BODY = r"'(?:[^'\\]++|\\.?+|'')*+"
_SCANNER = re.compile(
    rf"""
    (?P<space>[ \t\n\r\f\v]++)
  | (?P<comment>--[^\n\r]*+)
  | (?P<block>/\*)
  | (?P<escape>[eE]{ESCAPE_BODY}(?:'{GAP}{ESCAPE_BODY})*+(?P<escape_end>'?+))
  | (?P<string>(?:[bBxXnN]|[uU]&)?+{PLAIN_BODY}(?P<string_end>'?+))
  | (?P<quoted>(?:[uU]&)?+"(?:[^"]++|"")*+(?P<quoted_end>"?+))
  | (?P<word>{START}{LETTER}*+)
  | (?P<number>{NUMBER})
  | (?P<positional>\$[0-9]++)
  | (?P<dollar>{DOLLAR})
  | (?P<semicolon>;)
  | (?P<parameter>:(?={NAME_LETTER}){LETTER}++)
  | (?P<symbol>::|:=|\.\.|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_DOLLAR_QUOTE = re.compile(DOLLAR)
# What a plain text has none of: escapes, dollar and percent signs, square brackets, `U&` before a
# quote, comments, literals that are continued on the next line. A literal with another prefix is
# seen when the tokens are there.
# Each begins with a character, not a class, so that a search leaps from one of them to the next.
_NOT_PLAIN = re.compile(
    r"\\|\$|\[|\]|%|&(?<=[uU]&)['\"]|--|/\*|'[ \t\f\v]*+[\n\r]\s*+'",
)
# A token and the white space behind it.
_PLAIN_TOKEN = re.compile(
    rf"""
  ( {START}{LETTER}*+'?+
  | '(?:[^']++|'')*+'
  | "(?:[^"]++|"")*+"
  | :(?={NAME_LETTER}){LETTER}++
  | {NUMBER}
  | ::|:=|\.\.|[^ \t\n\r\f\v]
  )[ \t\n\r\f\v]*+
    """,
    re.VERBOSE,
)
_BLOCK_EDGES = re.compile(r"(?:/\*)++|(?:\*/)++")

_SPACE = TokenKind.SPACE
_COMMENT = TokenKind.COMMENT
_SYMBOL = TokenKind.SYMBOL
_WORD = TokenKind.WORD
_NUMBER = TokenKind.NUMBER
_PARAMETER = TokenKind.PARAMETER
_UNTERMINATED = TokenKind.UNTERMINATED
_SIMPLE = {
    kind.value: kind
    for kind in (
        _SPACE,
        _COMMENT,
        _WORD,
        _NUMBER,
        TokenKind.POSITIONAL,
        TokenKind.SEMICOLON,
        _SYMBOL,
    )
}

# Half of the time of the named tuple's own constructor.
_new = tuple.__new__


def tokenize(sql: str, names: Collection[str] = ()) -> Iterator[Token]:
    """Cut a text into tokens that, joined, are the text.

    Inside the brackets of a subscript a colon may part the bounds of a slice. `a[1:2]`, `a[i:j]`
    and `a[:2]` are slices; `a[:n]` and `a[:i:j]` begin with a parameter.

    Args:
        sql: Any text.
        names: Parameters known to be supplied; decides only `a[:2]`, a subscript if "2" is one.
    """
    if "/*" in sql or ("[" in sql and ":" in sql) or ("$" in sql and _DOLLAR_QUOTE.search(sql)):
        return _one_by_one(sql, names)
    return _in_one_pass(sql)


def plain_tokens(sql: str) -> list[str] | None:
    """The tokens of a plain text without white space, in a fifth of the time; None for others.

    Args:
        sql: Any text.
    """
    if _NOT_PLAIN.search(sql):
        return None
    tokens = _PLAIN_TOKEN.findall(sql)
    if '"' in tokens:
        return None
    # A literal that has a prefix, or is not terminated.
    if "'" in sql and any([t[-1] == "'" and (t[0] != "'" or t == "'") for t in tokens]):  # noqa: C419 - half of the time
        return None
    return tokens


def _in_one_pass(sql: str) -> Iterator[Token]:
    """The tokens of a text whose every token ends where the expression ends it; most texts."""
    simple = _SIMPLE.get
    for found in _SCANNER.finditer(sql):
        group = found.lastgroup
        kind = simple(group)  # type: ignore[arg-type]
        if kind is not None:
            yield _new(Token, (kind, *found.span()))
        else:
            yield Token(*composite(sql, group, found))  # type: ignore[arg-type]


def _one_by_one(sql: str, names: Collection[str]) -> Iterator[Token]:
    """The tokens of a text where it takes more than the expression to tell where one ends."""
    position, length = 0, len(sql)
    brackets = Brackets() if "[" in sql else None
    while position < length:
        token = _token_at(sql, position)
        if brackets is not None and token.kind is not _SPACE and token.kind is not _COMMENT:
            if token.kind is _PARAMETER and brackets.colon_parts_bounds(sql, token, names):
                token = Token(_SYMBOL, position, position + 1)
            brackets.pass_over(sql, token)
        yield token
        position = token.end


def _token_at(sql: str, position: int) -> Token:
    """The token that begins at `position`."""
    found = _SCANNER.match(sql, position)
    # The last alternative takes any character, and lastgroup is the alternative that matched.
    assert found is not None  # noqa: S101
    assert found.lastgroup is not None  # noqa: S101
    kind = _SIMPLE.get(found.lastgroup)
    if kind is not None:
        return Token(kind, position, found.end())
    return Token(*composite(sql, found.lastgroup, found))


def composite(sql: str, group: str, found: re.Match[str]) -> tuple[TokenKind, int, int]:
    """A token whose end or whose kind the expression alone does not tell."""
    start, end = found.span()
    if group == "parameter":
        return _PARAMETER, start, end
    if group == "block":
        depth = 1
        for edges in _BLOCK_EDGES.finditer(sql, end):
            first, last = edges.span()
            if sql[first] == "/":
                depth += (last - first) // 2
            elif last - first >= 2 * depth:
                return _COMMENT, start, first + 2 * depth
            else:
                depth -= (last - first) // 2
        return _UNTERMINATED, start, len(sql)
    if group == "dollar":
        closing = sql.find(found.group(), end)
        if closing < 0:
            return _UNTERMINATED, start, len(sql)
        return TokenKind.STRING, start, closing + len(found.group())
    kind = TokenKind.QUOTED if group == "quoted" else TokenKind.STRING
    return (kind if found.group(f"{group}_end") else _UNTERMINATED), start, end
