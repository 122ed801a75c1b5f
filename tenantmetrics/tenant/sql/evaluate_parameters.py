"""Values that a call computes from its parameters and literals alone, by PostgreSQL's rules.

`:q = '' OR tenant_id = :t` is decided before the call is sent: by `:q`. What is not told for sure
(the order of texts, what a type makes of a text) stays untold, and the branch stays possible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenantmetrics.tenant.sql.operands import Operand, Values, field_of
from tenantmetrics.tenant.sql.value_operations import (
    INTEGER,
    OPERATIONS,
    SOME,
    UNTOLD,
    Unclear,
    boolean,
)

__all__ = ["NEVER", "Computed", "may_be"]


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
        values.budget.spend(1)
        given = [
            part.result(values) if isinstance(part, Computed) else _given(part, values)
            for part in self.parts
        ]
        return OPERATIONS[self.how](*given)


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
        return SOME
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
