"""The tokens of a template that matter, for statements that are read without the parser."""

from __future__ import annotations

from typing import NamedTuple

from tenantmetrics.sqltext import TokenKind, tokenize
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.template import slot_of_number, slot_of_string

__all__ = ["MAX_UTILITY_TOKENS", "UtilityToken", "dotted_name", "operand_of", "utility_tokens"]

MAX_UTILITY_TOKENS = 400


class UtilityToken(NamedTuple):
    """A token of substance.

    Attributes:
        kind: What it is.
        text: As written; a word or quoted name as PostgreSQL folds it.
        start: Where it begins in the text.
    """

    kind: TokenKind
    text: str
    start: int


def utility_tokens(template: str, limit: int = MAX_UTILITY_TOKENS) -> list[UtilityToken]:
    """The first tokens of substance of a template, names folded.

    Args:
        template: SQL without comments, literals replaced by slots.
        limit: How many at most; no utility statement needs more.
    """
    found: list[UtilityToken] = []
    for kind, start, end in tokenize(template):
        if kind is TokenKind.SPACE or kind is TokenKind.COMMENT:
            continue
        text = template[start:end]
        if kind is TokenKind.WORD:
            text = text.lower()
        elif kind is TokenKind.QUOTED:
            text = text[text.index('"') + 1 : -1].replace('""', '"')
        found.append(UtilityToken(kind, text, start))
        if len(found) >= limit:
            break
    return found


def dotted_name(words: list[UtilityToken]) -> tuple[str, int]:
    """A name with dots, and how many tokens it takes. Variables' names ignore case."""
    parts = [words[0].text]
    position = 1
    while position + 1 < len(words) and words[position].text == ".":
        parts.append(words[position + 1].text)
        position += 2
    return ".".join(parts).lower(), position


def operand_of(word: UtilityToken) -> Operand | None:
    """The value that one token is, None if it is none."""
    if word.kind is TokenKind.STRING:
        slot = slot_of_string(word.text[1:-1])
        return Operand(slot=slot) if slot is not None else None
    if word.kind is TokenKind.NUMBER:
        slot = slot_of_number(word.text)
        return Operand(slot=slot) if slot is not None else Operand(text=word.text)
    if word.kind is TokenKind.PARAMETER:
        return Operand(parameter=word.text[1:])
    return Operand(text=word.text) if word.kind in {TokenKind.WORD, TokenKind.QUOTED} else None
