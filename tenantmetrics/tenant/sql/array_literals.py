"""Arrays as PostgreSQL writes them in a text: `{a,"b c",NULL}`."""

from __future__ import annotations

import re

__all__ = ["array_elements"]

_MAX_ELEMENTS = 60_000
"""Elements that are read, 0.1 to 0.4 µs each; nobody's list of tenants is longer."""
_MAX_QUOTED_CHARS = 2_000_000
"""Characters of an array with quotes in it, 10 ns each."""
_ELEMENT = r'\s*+(?:"((?:[^"\\]++|\\.)*+)"\s*+|([^",{}\\]++))'
_ELEMENTS = re.compile(_ELEMENT, re.DOTALL)
_WHOLE = re.compile(rf"{_ELEMENT}(?:,{_ELEMENT})*+", re.DOTALL)
_SPACE = re.compile(r"\s")


def array_elements(text: str) -> list[str | None] | None:
    """The elements of an array literal `{a,"b c",NULL}`.

    Args:
        text: The literal.

    Returns:
        None where it is more than a flat list, or too long to be read here.
    """
    text = text.strip()
    if not text.startswith("{") or not text.endswith("}") or text.count(",") >= _MAX_ELEMENTS:
        return None
    body = text[1:-1].strip()
    if not body:
        return []
    if "{" in body or "}" in body or "\\" in body or '"' in body:
        return _quoted_elements(body)
    parts = body.split(",")
    if _SPACE.search(body) is not None:
        parts = [part.strip() for part in parts]
    if "null" not in body.lower():
        return list(parts)
    return [None if part.upper() == "NULL" else part for part in parts]


def _quoted_elements(body: str) -> list[str | None] | None:
    """The same where elements are in quotes: one look at all of it, then one at each."""
    if len(body) > _MAX_QUOTED_CHARS or _WHOLE.fullmatch(body) is None:
        return None
    elements: list[str | None] = []
    for quoted, plain in _ELEMENTS.findall(body):
        if plain:
            name = plain.strip()
            elements.append(None if name.upper() == "NULL" else name)
        else:
            elements.append(_unescaped(quoted) if "\\" in quoted else quoted)
    return elements


def _unescaped(quoted: str) -> str:
    r"""An element without its backslashes: behind each stands a character as it is."""
    return "\\".join(part.replace("\\", "") for part in quoted.split("\\\\"))
