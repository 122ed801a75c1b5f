"""Names as values of CloudWatch dimensions, and back: what `export` writes and `cost` reads."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from tenantmetrics.limits import DIMENSION_VALUE_MAX_CHARS

__all__ = ["dimension_value", "original_name"]

_ESCAPE = r"\\(?:\\|[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})"
_ESCAPES = re.compile(_ESCAPE)
_ESCAPED = re.compile(rf"(?:[^\\]|{_ESCAPE})*+")
"""What Python's `unicode_escape` writes. It reads more than that, octal among it, and warns of what
it does not know, so reading is done here: `DOMAIN\\8user` is a Windows name and no escape."""
_LETTERS = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}


@lru_cache(maxsize=65_536)
def dimension_value(text: str) -> str:
    r"""A name as CloudWatch takes it: visible ASCII, no colon in front, at most 1,024 characters.

    What CloudWatch refuses is escaped (`é` becomes `\xe9`), so that different names stay apart; a
    name that is too long ends in a digest of the whole.
    """
    if text.isascii() and text.isprintable() and text[:1] not in {"", ":", " "}:
        value = text
    else:
        value = text.encode("unicode_escape").decode("ascii")
        if value[:1] in {":", " "}:
            value = f"\\x{ord(value[0]):02x}{value[1:]}"
        value = value or "\\empty"
    if len(value) > DIMENSION_VALUE_MAX_CHARS:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        value = f"{value[: DIMENSION_VALUE_MAX_CHARS - 17]}~{digest}"
    return value


@lru_cache(maxsize=65_536)
def original_name(value: str) -> str:
    r"""The name that `dimension_value` was given, as far as its value says.

    A name that was cut stays cut. `CORP\nick` may have been written so or hold a line break: names
    are undone only where that brings back printable text beyond ASCII, or a colon or blank in
    front, which no plain name would spell as an escape.
    """
    if value == "\\empty":
        return ""
    if "\\" not in value or _ESCAPED.fullmatch(value) is None:
        return value
    try:
        name = _ESCAPES.sub(_character, value)
    except ValueError:  # beyond the last character there is
        return value
    escaped = not name.isascii() or name[:1] in {":", " "}
    undone = escaped and name.isprintable() and dimension_value(name) == value
    return name if undone else value


def _character(escape: re.Match[str]) -> str:
    body = escape.group()[1:]
    return _LETTERS.get(body) or chr(int(body[1:], 16))
