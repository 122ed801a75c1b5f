"""What a text of SQL is made of."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["Token", "TokenKind"]


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
