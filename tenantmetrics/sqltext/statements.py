"""Which `;` ends a statement."""

from __future__ import annotations

from tenantmetrics.sqltext.lexer import tokenize
from tenantmetrics.sqltext.tokens import TokenKind

__all__ = ["statement_spans"]


def statement_spans(sql: str) -> list[tuple[int, int]]:
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
        if kind is TokenKind.SPACE or kind is TokenKind.COMMENT:
            continue
        if kind is TokenKind.SEMICOLON and nesting.at_top():
            if first >= 0:
                found.append((first, last))
            first, nesting = -1, _Nesting()
            continue
        if first < 0:
            first = start
        last = end
        if kind is TokenKind.SYMBOL or kind is TokenKind.WORD:
            nesting.pass_over(sql[start:end].lower(), is_word=kind is TokenKind.WORD)
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
