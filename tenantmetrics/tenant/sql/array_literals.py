"""Arrays as PostgreSQL writes them in a text: `{a,"b c",NULL}`."""

from __future__ import annotations

__all__ = ["array_elements"]


def array_elements(text: str) -> list[str | None] | None:
    """The elements of an array literal `{a,"b c",NULL}`; None where it is more than a flat list."""
    text = text.strip()
    if not text.startswith("{") or not text.endswith("}"):
        return None
    body = text[1:-1].strip()
    if not body:
        return []
    if "{" in body or "\\" in body or '"' in body:
        return _quoted_elements(body)
    return [None if part.strip().upper() == "NULL" else part.strip() for part in body.split(",")]


def _quoted_elements(body: str) -> list[str | None] | None:
    elements: list[str | None] = []
    position = 0
    while position <= len(body):
        while position < len(body) and body[position].isspace():
            position += 1
        if position < len(body) and body[position] == '"':
            piece, position = _one_quoted(body, position + 1)
            elements.append(piece)
        else:
            end = body.find(",", position)
            end = len(body) if end < 0 else end
            piece = body[position:end].strip()
            if not piece or any(character in piece for character in '{}\\"'):
                return None
            elements.append(None if piece.upper() == "NULL" else piece)
            position = end
        rest = body[position:].lstrip()
        if rest and not rest.startswith(","):
            return None
        position = len(body) - len(rest) + 1
    return elements


def _one_quoted(body: str, position: int) -> tuple[str, int]:
    """A quoted element from behind its first quote, and where it ends."""
    kept: list[str] = []
    while position < len(body) and body[position] != '"':
        if body[position] == "\\":
            position += 1
        kept.append(body[position : position + 1])
        position += 1
    return "".join(kept), position + 1
