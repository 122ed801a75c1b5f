"""PostgreSQL's lexical rules and the Data API's `:name` parameters.

One reading of a statement's text for everything that needs one: where literals and comments begin
and end, which `:name` is a parameter, which `;` ends a statement. Nothing here raises on any text:
what is not terminated runs to the end, and PostgreSQL itself is left to refuse it.

The rules are those of PostgreSQL's manual, "Lexical Structure", with `standard_conforming_strings`
on (the default since 9.1). A parameter is what the Data API takes for one: a colon and a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from enum import StrEnum
from typing import NamedTuple

__all__ = [
    "Parameter",
    "Token",
    "TokenKind",
    "is_parameter_name",
    "parameters",
    "rewrite",
    "statements",
    "tokenize",
]


class TokenKind(StrEnum):
    """What a stretch of SQL text is."""

    SPACE = "space"
    COMMENT = "comment"
    WORD = "word"
    """An unquoted identifier or keyword."""
    QUOTED = "quoted"
    """A `"quoted"` or `U&"quoted"` identifier."""
    STRING = "string"
    """A literal in any notation: plain, E, U&, N, B, X, dollar-quoted."""
    NUMBER = "number"
    PARAMETER = "parameter"
    """`:name` or `:1`; its name starts one character after `start`."""
    POSITIONAL = "positional"
    """PostgreSQL's own `$1`."""
    SEMICOLON = "semicolon"
    SYMBOL = "symbol"
    """Operators and punctuation, one character each but `::`, `:=` and `..`."""
    UNTERMINATED = "unterminated"
    """A literal, quoted identifier or comment that the text ends in."""


class Token(NamedTuple):
    """A stretch of the text.

    Attributes:
        kind: What it is.
        start: Index of its first character.
        end: Index one past its last character.
    """

    kind: TokenKind
    start: int
    end: int


class Parameter(NamedTuple):
    """A named parameter where it stands.

    Attributes:
        name: The name without the colon; `is_parameter_name` says whether the Data API takes it.
        start: Index of the colon.
        end: Index one past the name.
    """

    name: str
    start: int
    end: int


# PostgreSQL counts every character beyond ASCII as a letter. Quantifiers are possessive: no text
# can make the expression go back over what it has read, so its time is linear in the length.
_START = r"[A-Za-z_\x80-\U0010FFFF]"
_LETTER = r"[A-Za-z0-9_$\x80-\U0010FFFF]"
# 'a' <newline> 'b' is one literal, and an E literal keeps its backslashes across the gap.
_GAP = r"(?:[ \t\f\v]++|--[^\n\r]*+)*+[\n\r](?:[ \t\n\r\f\v]++|--[^\n\r]*+[\n\r])*+"
_PLAIN_BODY = r"'(?:[^']++|'')*+"
_ESCAPE_BODY = r"'(?:[^'\\]++|\\.|'')*+"
_SCANNER = re.compile(
    rf"""
    (?P<space>[ \t\n\r\f\v]++)
  | (?P<comment>--[^\n\r]*+)
  | (?P<block>/\*)
  | (?P<escape>[eE]{_ESCAPE_BODY}(?:'{_GAP}{_ESCAPE_BODY})*+(?P<escape_end>'?+))
  | (?P<string>(?:[bBxXnN]|[uU]&)?+{_PLAIN_BODY}(?P<string_end>'?+))
  | (?P<quoted>(?:[uU]&)?+"(?:[^"]++|"")*+(?P<quoted_end>"?+))
  | (?P<word>{_START}{_LETTER}*+)
  | (?P<number>(?:0[xX][0-9a-fA-F_]++|0[oO][0-7_]++|0[bB][01_]++
        |(?:[0-9][0-9_]*+(?:\.(?!\.)[0-9_]*+)?+|\.[0-9][0-9_]*+)(?:[eE][+-]?+[0-9][0-9_]*+)?+))
  | (?P<positional>\$[0-9]++)
  | (?P<dollar>\$(?:{_START}[A-Za-z0-9_\x80-\U0010FFFF]*+)?+\$)
  | (?P<semicolon>;)
  | (?P<parameter>:(?=[A-Za-z0-9_\x80-\U0010FFFF]){_LETTER}++)
  | (?P<symbol>::|:=|\.\.|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_NAME = re.compile(r"[A-Za-z0-9_]+")
# All that is no parameter, in one step, up to the next parameter. For texts without brackets, block
# comments and dollar signs, which need more than an expression; most texts have none of them.
_TO_PARAMETER = re.compile(
    rf"""
    (?:
        [^:'"A-Za-z_\-\x80-\U0010FFFF]++
      | --[^\n\r]*+ | -
      | [eE]{_ESCAPE_BODY}(?:'{_GAP}{_ESCAPE_BODY})*+'?+
      | {_PLAIN_BODY}'?+
      | "(?:[^"]++|"")*+"?+
      | {_START}{_LETTER}*+
      | ::|:=|:(?![A-Za-z0-9_\x80-\U0010FFFF])
    )*+
    (?P<parameter>:{_LETTER}++)
    """,
    re.VERBOSE | re.DOTALL,
)

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
_OPERANDS = frozenset(
    {
        _NUMBER,
        _PARAMETER,
        TokenKind.QUOTED,
        TokenKind.STRING,
        TokenKind.POSITIONAL,
    },
)
# Words after which an expression begins, so that a ':name' behind them is a parameter even inside
# the brackets of a subscript: a[CASE WHEN x THEN :p ELSE :q END].
_BEFORE_EXPRESSION = re.compile(
    "all|and|any|as|between|by|case|collate|distinct|else|escape|except|from|having|ilike|in|"
    "intersect|is|like|limit|not|offset|on|or|returning|select|similar|some|symmetric|then|to|"
    "union|using|values|when|where",
)


def is_parameter_name(name: str) -> bool:
    """Whether the Data API takes `name` as a parameter's name: ASCII letters, digits, `_`."""
    return _NAME.fullmatch(name) is not None


def tokenize(sql: str, names: Collection[str] = ()) -> Iterator[Token]:
    """Cut a text into tokens that, joined, are the text.

    Inside the brackets of a subscript a colon may part the bounds of a slice. `a[1:2]`, `a[i:j]`
    and `a[:2]` are slices; `a[:n]` and `a[:i:j]` begin with a parameter.

    Args:
        sql: Any text.
        names: Parameters known to be supplied; decides only `a[:2]`, a subscript if "2" is one.
    """
    position, length = 0, len(sql)
    brackets = _Brackets() if "[" in sql else None
    while position < length:
        token = _token_at(sql, position)
        if brackets is not None and token.kind is not _SPACE and token.kind is not _COMMENT:
            if token.kind is _PARAMETER and brackets.colon_parts_bounds(sql, token, names):
                token = Token(_SYMBOL, position, position + 1)
            brackets.pass_over(sql, token)
        yield token
        position = token.end


class _Brackets:
    """Where in the brackets of a statement the scanner is: what a colon means depends on it."""

    def __init__(self) -> None:
        # One flag per open bracket: True in a subscript, False in (...) and in ARRAY[...].
        self._open: list[bool] = []
        self._after_operand = False
        # Behind the word ARRAY, or behind a bracket or comma inside ARRAY[...].
        self._in_constructor = False
        self._just_opened = False

    def colon_parts_bounds(self, sql: str, token: Token, names: Collection[str]) -> bool:
        """Whether the colon of what looks like a parameter parts the bounds of a slice."""
        if not self._open or not self._open[-1]:
            return False
        name = sql[token.start + 1 : token.end]
        return self._after_operand or (self._just_opened and name.isdecimal() and name not in names)

    def pass_over(self, sql: str, token: Token) -> None:
        """Take note of a token that is neither space nor comment."""
        kind = token.kind
        self._just_opened = False
        after_operand, self._after_operand = self._after_operand, kind in _OPERANDS
        in_constructor, self._in_constructor = self._in_constructor, False
        if kind is _WORD:
            word = sql[token.start : token.end].lower()
            self._after_operand = _BEFORE_EXPRESSION.fullmatch(word) is None
            self._in_constructor = word == "array"
        elif kind is _SYMBOL:
            symbol = sql[token.start : token.end]
            if symbol == "[":
                self._just_opened = after_operand and not in_constructor
                self._in_constructor = not self._just_opened
                self._open.append(self._just_opened)
            elif symbol == "(":
                self._open.append(False)
            elif symbol in ("]", ")"):
                self._after_operand = True
                if self._open:
                    self._open.pop()


def _token_at(sql: str, position: int) -> Token:
    """The token that begins at `position`."""
    found = _SCANNER.match(sql, position)
    # The last alternative takes any character, and lastgroup is the alternative that matched.
    assert found is not None  # noqa: S101
    assert found.lastgroup is not None  # noqa: S101
    kind = _SIMPLE.get(found.lastgroup)
    if kind is not None:
        return Token(kind, position, found.end())
    return Token(*_composite(sql, found.lastgroup, found))


def _composite(sql: str, group: str, found: re.Match[str]) -> tuple[TokenKind, int, int]:
    """A token whose end or whose kind the expression alone does not tell."""
    start, end = found.span()
    if group == "parameter":
        return _PARAMETER, start, end
    if group == "block":
        depth = 1
        for edge in _BLOCK_EDGE.finditer(sql, end):
            depth += 1 if edge.group() == "/*" else -1
            if depth == 0:
                return _COMMENT, start, edge.end()
        return _UNTERMINATED, start, len(sql)
    if group == "dollar":
        closing = sql.find(found.group(), end)
        if closing < 0:
            return _UNTERMINATED, start, len(sql)
        return TokenKind.STRING, start, closing + len(found.group())
    kind = TokenKind.QUOTED if group == "quoted" else TokenKind.STRING
    return (kind if found.group(f"{group}_end") else _UNTERMINATED), start, end


def parameters(sql: str, names: Collection[str] = ()) -> list[Parameter]:
    """The named parameters of a text in the order they stand, repeats included.

    Args:
        sql: Any text.
        names: As in `tokenize`.
    """
    if ":" not in sql:
        return []
    if "[" not in sql and "$" not in sql and "/*" not in sql:
        found: list[Parameter] = []
        match = _TO_PARAMETER.match(sql)
        while match is not None:
            start, end = match.span("parameter")
            found.append(Parameter(sql[start + 1 : end], start, end))
            match = _TO_PARAMETER.match(sql, end)
        return found
    return [
        Parameter(sql[start + 1 : end], start, end)
        for kind, start, end in tokenize(sql, names)
        if kind is _PARAMETER
    ]


def rewrite(
    sql: str,
    placeholder: Callable[[str], str],
    names: Collection[str] = (),
) -> str:
    """The text with each named parameter replaced.

    Args:
        sql: Any text.
        placeholder: Called with the name for each occurrence; returns what stands there instead.
        names: As in `tokenize`.
    """
    pieces: list[str] = []
    position = 0
    for name, start, end in parameters(sql, names):
        pieces.append(sql[position:start])
        pieces.append(_apart(sql, start, placeholder(name), end))
        position = end
    pieces.append(sql[position:])
    return "".join(pieces)


def _apart(sql: str, start: int, text: str, end: int) -> str:
    """`text` with a space where it would run into its neighbours and make another token."""
    before, after = sql[start - 1 : start], sql[end : end + 1]
    if before and (before in "_$" or before.isalnum()):
        text = " " + text
    if after and (after in "_$" or after.isalnum()):
        text += " "
    return text


def statements(sql: str) -> list[tuple[int, int]]:
    """The statements of a text as (start, end), without their `;` and the empty ones left out.

    A `;` inside parentheses (CREATE RULE) or inside BEGIN ATOMIC … END of a CREATE FUNCTION or
    PROCEDURE belongs to the statement.

    Args:
        sql: Any text.
    """
    found: list[tuple[int, int]] = []
    first = last = -1
    nesting = _Nesting()
    for kind, start, end in tokenize(sql):
        if kind is _SPACE or kind is _COMMENT:
            continue
        if kind is TokenKind.SEMICOLON and nesting.at_top():
            if first >= 0:
                found.append((first, last))
            first, nesting = -1, _Nesting()
            continue
        if first < 0:
            first = start
        last = end
        if kind is _SYMBOL or kind is _WORD:
            nesting.pass_over(sql[start:end].lower(), is_word=kind is _WORD)
    if first >= 0:
        found.append((first, last))
    return found


class _Nesting:
    """How deep in parentheses and in a routine's BEGIN ATOMIC … END the scanner is."""

    _HEAD_WORDS = 4

    def __init__(self) -> None:
        self._parentheses = 0
        self._blocks = 0
        self._head: list[str] = []

    def at_top(self) -> bool:
        """Whether a `;` here ends the statement."""
        return self._parentheses <= 0 and self._blocks <= 0

    def pass_over(self, text: str, *, is_word: bool) -> None:
        """Take note of a word (in lower case) or a symbol."""
        if not is_word:
            self._parentheses += (text == "(") - (text == ")")
        elif len(self._head) < self._HEAD_WORDS:
            self._head.append(text)
        elif text in ("begin", "case", "end") and self._defines_routine():
            if text == "end":
                self._blocks = max(0, self._blocks - 1)
            elif text == "begin" or self._blocks:
                self._blocks += 1

    def _defines_routine(self) -> bool:
        """Whether the statement begins with CREATE [OR REPLACE] FUNCTION or PROCEDURE."""
        create, second, third, fourth = self._head
        kind = fourth if (second, third) == ("or", "replace") else second
        return create == "create" and kind in ("function", "procedure")
