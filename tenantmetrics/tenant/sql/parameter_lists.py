"""Very many parameters of which each names a tenant: `IN (:t0, …, :t9999)`, rows of an INSERT.

They are read in one pass of loops that Python's own code runs, 0.3 µs each; an `Operand` for each
of them would take eight times as long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter, methodcaller
from typing import Any

from tenantmetrics.tenant.identity.tenant_ids import UUID, from_number

__all__ = ["texts_of"]

_VALUE = itemgetter("value")
_TEXT = itemgetter("stringValue")
_PLAIN_MEMBERS = 2
_HINT = methodcaller("get", "typeHint")


def texts_of(
    names: Sequence[str], parameters: Mapping[str, Mapping[str, Any]], *, is_cast: bool
) -> list[str] | None:
    """The texts that parameters have, in the order of their names.

    Args:
        names: The parameters.
        parameters: Parameter dictionaries of the API by name.
        is_cast: A cast says how they are read; else a `typeHint` may.

    Returns:
        None where one of them is not given, is no text, or is to be read in a way of its own.
    """
    if not names:
        return None
    try:
        given = [parameters[name] for name in names]
        fields = list(map(_VALUE, given))
        try:
            texts = list(map(_TEXT, fields))
            # A field has one member; one of two says NULL besides.
            is_text = set(map(len, fields)) == {1} and set(map(type, texts)) == {str}
        except KeyError:
            is_text = False
        if not is_text:
            texts = list(map(_text_of, fields))
        # Beside its name and its value a parameter has nothing but a hint.
        is_plain = is_cast or ("name" in given[0] and set(map(len, given)) == {_PLAIN_MEMBERS})
        hints = set() if is_plain else set(map(_HINT, given)) - {None}
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
    # A UUID as most programs write it is one whether it is said or not.
    is_told = not hints or (hints == {"UUID"} and all(map(UUID.fullmatch, filter(None, texts))))
    return texts if is_told else None


def _text_of(field: Mapping[str, Any]) -> str:
    """A field as PostgreSQL writes it, empty for NULL: neither names anybody.

    Raises:
        ValueError: It is of no usual kind.
    """
    ((kind, value),) = field.items()
    if kind == "stringValue" and value.__class__ is str:
        return str(value)
    if kind == "longValue" and value.__class__ is int:
        return str(value)
    if kind == "isNull" and value is True:
        return ""
    if kind == "doubleValue" and value.__class__ is float and (text := from_number(str(value))):
        return text
    raise ValueError(kind)
