r"""Tenant names are data from outside: what becomes of each value, at this one place.

| value | becomes |
|---|---|
| text | itself, whatever Unicode, blanks and control characters it holds |
| text in the form of a UUID | lower case with hyphens, so that `A0EE…` and `a0ee…` are one tenant |
| whole number (`42`, `42.0`, `0042` as a number) | its digits, `42` |
| boolean | `true` or `false` |
| empty text, NULL, NaN, bytes | nobody: such a value names no tenant |
| longer than `TENANT_MAX_CHARS` | its beginning, `…`, and the SHA-256 of the whole |
| a lone surrogate | `\udXXX`: it could not be written as UTF-8 |
| a name of ours (`__idle__`, …) | the same behind a backslash, or behind one more |

Exporters with a narrower alphabet (ASCII in CloudWatch) map what comes out of here reversibly.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from tenantmetrics.limits import TENANT_MAX_CHARS

__all__ = ["UUID", "are_plain", "from_field", "from_number", "from_text", "from_uuid"]

UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
"""A UUID as most programs write it."""
# PostgreSQL reads a uuid with a hyphen, or none, behind any group of four digits, in braces or not.
_LOOSE_UUID = re.compile(r"\{?(?:[0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}\}?")
_RESERVED = re.compile(r"\\*__[a-z_]+__")
_UUID_CHARS = 36
_UUID_MIN_CHARS, _UUID_MAX_CHARS = 32, 41
"""Of a UUID in any form: digits alone, or with braces and a hyphen behind each four."""
_MAX_PLAIN_CHARS = 28
"""Of a number that is written without arithmetic: a Decimal rounds one of more digits."""
_INT_MAX_DIGITS = 80


def from_text(text: str) -> str | None:
    """The tenant that a text names, None for the empty text."""
    if len(text) == _UUID_CHARS and UUID.fullmatch(text):
        return text.lower()
    if text.isalnum() and text.isascii() and len(text) <= TENANT_MAX_CHARS:
        return text
    if not text:
        return None
    if _RESERVED.fullmatch(text):
        text = "\\" + text
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = text.encode(errors="backslashreplace")
        text = data.decode()
    if len(text) > TENANT_MAX_CHARS:
        digest = hashlib.sha256(data).hexdigest()
        text = f"{text[: TENANT_MAX_CHARS - len(digest) - 1]}…{digest}"
    return text


def are_plain(texts: Collection[str]) -> bool:
    """Whether each of many texts is a tenant as it is written, told faster than one by one.

    Args:
        texts: None of them is empty. Where False, `from_text` says what they are.
    """
    if max(map(len, texts), default=0) > TENANT_MAX_CHARS:
        return False
    joined = " ".join(texts)
    if "__" in joined or not joined.isascii():
        return False
    # Capitals matter in a UUID alone.
    return joined.islower() or _UUID_CHARS not in set(map(len, texts))


def from_number(text: str) -> str | None:
    """The tenant that a number as SQL writes it names: `042`, `42.0` and `4.2e1` are `42`."""
    plain = text.replace("_", "")
    if plain.isdecimal() and plain.isascii():
        return plain.lstrip("0") or "0"
    before, point, part = plain.partition(".")
    digits = before + part if len(plain) <= _MAX_PLAIN_CHARS else ""
    if point and before and digits.isdecimal() and digits.isascii():
        part = part.rstrip("0")
        return (before.lstrip("0") or "0") + (f".{part}" if part else "")
    try:
        if plain[:2].lower() in {"0x", "0o", "0b"}:
            return str(int(plain, 0)) if len(plain) <= _INT_MAX_DIGITS else None
        number = Decimal(plain)
        if not number.is_finite() or abs(number.adjusted()) > _INT_MAX_DIGITS:
            return None
    except (ValueError, InvalidOperation):
        return None
    whole = number.to_integral_value()
    return str(int(whole)) if whole == number else f"{number.normalize():f}"


def from_uuid(text: str) -> str | None:
    """The tenant that a text names where it is read as a uuid, in any form PostgreSQL takes."""
    if len(text) == _UUID_CHARS and UUID.fullmatch(text):
        return text.lower()
    if len(text) < _UUID_MIN_CHARS:
        return None
    text = text.strip()
    if (
        len(text) > _UUID_MAX_CHARS
        or not _LOOSE_UUID.fullmatch(text)
        or text.startswith("{") != text.endswith("}")
    ):
        return None
    digits = text.strip("{}").replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def from_field(value: Any, hint: Any = None) -> str | None:
    """The tenant that one Data API Field names: `{"stringValue": "acme"}`.

    Args:
        value: A Field of the API, or what a caller put there instead.
        hint: The parameter's `typeHint`.
    """
    # A dictionary by far most often; to ask for a Mapping takes three times as long.
    if value.__class__ is not dict and not isinstance(value, Mapping):
        return None
    if value.get("isNull"):
        return None
    text = value.get("stringValue")
    if isinstance(text, str):
        if hint == "UUID":
            return from_uuid(text)
        return from_number(text) if hint == "DECIMAL" else from_text(text)
    number = value.get("longValue", value.get("doubleValue"))
    if isinstance(number, int | float | Decimal) and not isinstance(number, bool):
        return from_number(str(number))
    flag = value.get("booleanValue")
    return ("true" if flag else "false") if isinstance(flag, bool) else None
