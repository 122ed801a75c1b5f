"""Very many parameters of which each names a tenant: `IN (:t0, …, :t9999)`, rows of an INSERT.

They are read in one pass of loops that Python's own code runs, 0.3 µs each; an `Operand` for each
of them would take eight times as long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter, methodcaller
from typing import Any

from tenantmetrics.tenant.identity.tenant_ids import UUID

__all__ = ["texts_of"]

_VALUE = itemgetter("value")
_TEXT = itemgetter("stringValue")
_NUMBER = itemgetter("longValue")
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
    try:
        given = [parameters[name] for name in names]
        fields = list(map(_VALUE, given))
        # A field has one member; one of two says NULL besides.
        if set(map(len, fields)) != {1}:
            return None
        if "longValue" in fields[0]:
            return _of_numbers(list(map(_NUMBER, fields)))
        texts = list(map(_TEXT, fields))
        # Beside its name and its value a parameter has nothing but a hint.
        is_plain = is_cast or ("name" in given[0] and set(map(len, given)) == {_PLAIN_MEMBERS})
        hints = set() if is_plain else set(map(_HINT, given)) - {None}
    except (KeyError, TypeError, AttributeError):
        return None
    if set(map(type, texts)) != {str}:
        return None
    # A UUID as most programs write it is one whether it is said or not.
    return texts if not hints or (hints == {"UUID"} and all(map(UUID.fullmatch, texts))) else None


def _of_numbers(numbers: list[Any]) -> list[str] | None:
    """Numbers as PostgreSQL writes them; an id is one under any cast."""
    return list(map(str, numbers)) if set(map(type, numbers)) == {int} else None
