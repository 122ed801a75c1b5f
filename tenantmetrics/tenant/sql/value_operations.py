"""PostgreSQL's operations on values known before the call: `=`, AND, COALESCE, CASE and the like.

NULL is None. What is not told for sure (the order of texts, what a type makes of a text) is
`Unclear`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any
from uuid import UUID

from tenantmetrics.tenant.identity.tenant_ids import from_uuid
from tenantmetrics.tenant.sql.array_literals import array_elements

__all__ = ["INTEGER", "OPERATIONS", "SOME", "UNTOLD", "Unclear", "boolean", "to_uuid"]


class Unclear(Enum):
    """What is known of a value that is not known."""

    SOME = "some"
    """It is not NULL."""
    UNTOLD = "untold"


SOME, UNTOLD = Unclear.SOME, Unclear.UNTOLD
INTEGER = re.compile(r"\s*+[+-]?+[0-9]{1,30}+\s*+")
_TRUE = frozenset({"t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"})
_FALSE = frozenset({"f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"})
_OF_A_TYPE = frozenset("0123456789+-.{([\\")
"""Texts that begin so may be equal in some type without being the same text."""


def boolean(value: Any) -> bool | Unclear | None:
    """A value as PostgreSQL reads it where a boolean is wanted."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = value.strip().lower()
        return True if text in _TRUE else False if text in _FALSE else UNTOLD
    return UNTOLD


def _equal(left: Any, right: Any) -> bool | Unclear | None:
    if left is None or right is None:
        return None
    if isinstance(left, Unclear) or isinstance(right, Unclear):
        return UNTOLD
    if isinstance(left, str) and not isinstance(right, str):
        left, right = right, left
    if isinstance(right, str) and not isinstance(left, str):
        right = _read_as(left, right)
    if type(left) is not type(right):
        return UNTOLD
    same: bool = left == right
    if isinstance(left, tuple):
        return same if all(map(_is_plain, (*left, *right))) else UNTOLD
    if isinstance(left, str) and not same and not _is_apart(left, right):
        return UNTOLD
    return same


def _read_as(other: Any, text: str) -> Any:
    """A text as what it is compared with."""
    if isinstance(other, bool):
        return boolean(text)
    if isinstance(other, int):
        return int(text) if INTEGER.fullmatch(text) else UNTOLD
    if isinstance(other, UUID):
        found = to_uuid(text)
        return found if isinstance(found, UUID) else UNTOLD
    elements = array_elements(text)
    return tuple(elements) if elements is not None else UNTOLD


def _is_plain(element: Any) -> bool:
    return isinstance(element, str) and element[:1] not in _OF_A_TYPE


def _is_apart(left: str, right: str) -> bool:
    """Whether two texts differ in any type and any collation."""
    if left[:1] in _OF_A_TYPE and right[:1] in _OF_A_TYPE and left and right:
        return False
    return left.strip().lower() != right.strip().lower()


def _not(value: Any) -> bool | Unclear | None:
    met = boolean(value)
    return not met if isinstance(met, bool) else met


def _and(*given: Any) -> bool | Unclear | None:
    found = [boolean(value) for value in given]
    if any(value is False for value in found):
        return False
    if any(isinstance(value, Unclear) for value in found):
        return UNTOLD
    return None if None in found else True


def _or(*given: Any) -> bool | Unclear | None:
    return _not(_and(*map(_not, given)))


def _distinct(left: Any, right: Any) -> bool | Unclear | None:
    """Two NULLs are not distinct."""
    if UNTOLD in (left, right):
        return UNTOLD
    if left is None or right is None:
        return left is not right
    return _not(_equal(left, right))


def _less(left: Any, right: Any) -> bool | Unclear | None:
    if left is None or right is None:
        return None
    numbers = [
        int(value) if isinstance(value, str) and INTEGER.fullmatch(value) else value
        for value in (left, right)
    ]
    # The order of texts is the collation's; two numbers as text may be compared as text.
    if isinstance(left, str) and isinstance(right, str):
        return UNTOLD
    if all(type(value) is int for value in numbers):
        return bool(numbers[0] < numbers[1])
    return UNTOLD


def _is_null(value: Any) -> bool | Unclear:
    return UNTOLD if value is UNTOLD else value is None


def _is_true(value: Any) -> bool | Unclear:
    value = boolean(value)
    return UNTOLD if isinstance(value, Unclear) else value is True


def _coalesce(*given: Any) -> Any:
    for value in given:
        if value is not None:
            return value
    return None


def _nullif(value: Any, other: Any) -> Any:
    equal = _equal(value, other)
    return UNTOLD if isinstance(equal, Unclear) else None if equal else value


def _case(*given: Any) -> Any:
    """Tests and values in turn, and what holds where no test does."""
    for test, value in zip(given[:-1:2], given[1::2], strict=False):
        met = boolean(test)
        if isinstance(met, Unclear):
            return UNTOLD
        if met:
            return value
    return given[-1]


def _any(value: Any, array: Any) -> bool | Unclear | None:
    elements = _array(array)
    if not isinstance(elements, tuple):
        return None if elements is None else UNTOLD
    return _or(*(_equal(value, element) for element in elements))


def _array(value: Any) -> Any:
    if isinstance(value, str):
        elements = array_elements(value)
        return SOME if elements is None else tuple(elements)
    return value if value is None or isinstance(value, tuple | Unclear) else SOME


def _cardinality(value: Any) -> Any:
    elements = _array(value)
    if isinstance(elements, tuple):
        return len(elements)
    return None if elements is None else UNTOLD


def _of_text(work: Callable[[str], Any]) -> Callable[[Any], Any]:
    """A function of text, which gives NULL for NULL."""
    return lambda value: (
        work(value) if isinstance(value, str) else None if value is None else UNTOLD
    )


def _to_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _other(value, str)


def _to_integer(value: Any) -> Any:
    if isinstance(value, str):
        return int(value) if INTEGER.fullmatch(value) else SOME
    return int(value) if isinstance(value, bool) else _other(value, int)


def _to_boolean(value: Any) -> Any:
    return value != 0 if type(value) is int else boolean(value)


def to_uuid(value: Any) -> Any:
    """A text as a uuid, whatever its case; what PostgreSQL would refuse is something."""
    if isinstance(value, str):
        name = from_uuid(value)
        return SOME if name is None else UUID(name)
    return _other(value, UUID)


def _other(value: Any, kept: type | tuple[()] = ()) -> Any:
    """What a cast to a type that is not read here leaves: NULL or not."""
    return value if value is None or value is UNTOLD or isinstance(value, kept) else SOME


def _ordered(wanted: Sequence[bool], swap: bool) -> Callable[[Any, Any], Any]:
    """`<` and its like, from `_less`."""

    def compared(left: Any, right: Any) -> Any:
        less = _less(right, left) if swap else _less(left, right)
        return less in wanted if isinstance(less, bool) else less

    return compared


OPERATIONS: dict[str, Callable[..., Any]] = {
    "value": lambda value: value,
    "eq": _equal,
    "ne": lambda left, right: _not(_equal(left, right)),
    "lt": _ordered([True], False),
    "ge": _ordered([False], False),
    "gt": _ordered([True], True),
    "le": _ordered([False], True),
    "distinct": _distinct,
    "not": _not,
    "and": _and,
    "or": _or,
    "is_null": _is_null,
    "is_true": _is_true,
    "is_false": lambda value: _is_true(_not(value)),
    "coalesce": _coalesce,
    "nullif": _nullif,
    "case": _case,
    "any": _any,
    "cardinality": _cardinality,
    "array_length": lambda value: _cardinality(value) or None,
    "length": _of_text(len),
    "lower": _of_text(lambda text: text.lower() if text.isascii() else UNTOLD),
    "upper": _of_text(lambda text: text.upper() if text.isascii() else UNTOLD),
    "trim": _of_text(lambda text: text.strip(" ")),
    "text": _to_text,
    "integer": _to_integer,
    "boolean": _to_boolean,
    "array": _array,
    "uuid": to_uuid,
    "other": _other,
}
"""By name; each takes as many values as it is written with."""
