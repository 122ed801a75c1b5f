"""The brackets of subscripts and arrays: where a colon parts the bounds of a slice."""

from __future__ import annotations

import re
from collections.abc import Collection

from tenantmetrics.sqltext.tokens import Token, TokenKind

__all__ = ["Brackets"]

_OPERANDS = frozenset(
    {
        TokenKind.NUMBER,
        TokenKind.PARAMETER,
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


class Brackets:
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
        if kind is TokenKind.WORD:
            word = sql[token.start : token.end].lower()
            self._after_operand = _BEFORE_EXPRESSION.fullmatch(word) is None
            self._in_constructor = word == "array"
        elif kind is TokenKind.SYMBOL:
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
