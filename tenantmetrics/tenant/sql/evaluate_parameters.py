"""Values that a call computes from its parameters and literals alone, by PostgreSQL's rules.

`:q = '' OR tenant_id = :t` is decided before the call is sent: by `:q`. What is not told for sure
(the order of texts, what a type makes of a text) stays untold, and the branch stays possible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenantmetrics.tenant.sql.call_fields import field_of
from tenantmetrics.tenant.sql.operands import Operand, Values
from tenantmetrics.tenant.sql.value_operations import (
    INTEGER,
    OPERATIONS,
    SOME,
    UNTOLD,
    Unclear,
    boolean,
    to_uuid,
)

__all__ = ["NEVER", "Computed", "may_be"]

_STEPS = 6
"""Of an operation, 1 to 2 µs."""
_SHORT_CHARS = 1_024
_CHARS_OF_A_STEP = 128
"""An operation on a text, 1 ms a million characters."""
_ESCAPED_CHARS_OF_A_STEP = 20
_STEPS_OF_AN_ELEMENT = 3


@dataclass(frozen=True, slots=True)
class Computed:
    """An expression of values.

    Attributes:
        how: The operation, a key of `OPERATIONS`.
        parts: What it is applied to.
    """

    how: str
    parts: tuple[Computed | Operand, ...]

    def result(self, values: Values) -> Any:
        """None for NULL; bool, int, str or a tuple; `Unclear` where it is not known."""
        values.budget.spend(_STEPS)
        given = [
            part.result(values) if isinstance(part, Computed) else _given(part, values)
            for part in self.parts
        ]
        if (steps := sum(map(_steps, given))) > 0:
            values.budget.spend(steps)
        return OPERATIONS[self.how](*given)


def _steps(value: Any) -> int:
    """What an operation on a value takes beside one step: a text may be read as an array."""
    if value.__class__ is str and len(value) > _SHORT_CHARS:
        elements = value.count(",") if "{" in value else 0
        chars_of_a_step = _ESCAPED_CHARS_OF_A_STEP if "\\" in value else _CHARS_OF_A_STEP
        return len(value) // chars_of_a_step + _STEPS_OF_AN_ELEMENT * elements
    return _STEPS_OF_AN_ELEMENT * len(value) if value.__class__ is tuple else 0


NEVER = Computed("or", ())
"""False."""


def may_be(test: Computed, wanted: bool, values: Values) -> bool:
    """Whether a test may come out as wanted; NULL is neither true nor false."""
    result = boolean(test.result(values))
    return result is wanted or isinstance(result, Unclear)


def _given(operand: Operand, values: Values) -> Any:
    """The value of a literal or parameter."""
    if operand.parameter is not None:
        given = values.parameters.get(operand.parameter)
        return UNTOLD if given is None else _of_field(field_of(given), given.get("typeHint"))
    if operand.slot is not None:
        if operand.last is not None:
            return UNTOLD
        literal = values.literals[operand.slot]
        if literal.text is None:
            return UNTOLD
        if not literal.number:
            return literal.text
        return int(literal.text) if INTEGER.fullmatch(literal.text) else SOME
    return operand.text


def _of_field(value: Any, hint: Any) -> Any:
    if not isinstance(value, Mapping) or not value:
        return UNTOLD
    if value.get("isNull"):
        return None
    if hint:
        text = value.get("stringValue")
        return to_uuid(text) if hint == "UUID" and isinstance(text, str) else SOME
    for key, kind in (("booleanValue", bool), ("longValue", int), ("stringValue", str)):
        found = value.get(key)
        if isinstance(found, kind):
            return found
    array = value.get("arrayValue")
    if isinstance(array, Mapping):
        for key in ("stringValues", "longValues"):
            elements = array.get(key)
            if isinstance(elements, list | tuple):
                return tuple(elements)
    return SOME
