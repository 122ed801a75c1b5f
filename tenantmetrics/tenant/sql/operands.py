"""The values that a plan is filled with: literals by slot, parameters by name, casts applied."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tenantmetrics.tenant.identity.tenant_ids import (
    are_plain,
    from_field,
    from_number,
    from_text,
    from_uuid,
)
from tenantmetrics.tenant.sql.array_literals import array_elements
from tenantmetrics.tenant.sql.budget import Budget
from tenantmetrics.tenant.sql.call_fields import field_of, is_of_nobody, plain_text
from tenantmetrics.tenant.sql.literals import SLOT_NAME, Literal, Literals
from tenantmetrics.tenant.sql.parameter_lists import texts_of

__all__ = ["MAX_EVALUATION_STEPS", "Operand", "Values"]

MAX_EVALUATION_STEPS = 60_000
"""Names of tenants that are read, joined and compared for one call, 10 ms. A list of 20,000 tenants
takes 20,000 to 40,000."""
_SHORT_CHARS = 1_024
_CHARS_OF_A_STEP = 16
"""A text that is read as one name is encoded and hashed, 3 to 15 ms a million characters."""
_CHARS_OF_A_LIST = 128
_ESCAPED_CHARS_OF_A_STEP = 20
_STEPS_OF_A_NUMBER = {float: 5, int: 1, str: 1}
"""An element of an array of numbers is written as PostgreSQL writes it first."""


class Values:
    """The literals and parameters of one call, and what was found for them so far.

    Args:
        literals: By slot.
        parameters: Parameter dictionaries of the API by name.
        budget: The steps that are left for the call; None for all that one may take.

    Attributes:
        budget: The steps that are left for evaluating the plan.
        known: What was found for nodes that several others share, by the node's id.
    """

    __slots__ = ("budget", "known", "literals", "parameters")

    def __init__(
        self,
        literals: Literals,
        parameters: Mapping[str, Mapping[str, Any]],
        budget: Budget | None = None,
    ) -> None:
        self.literals = literals
        self.parameters = parameters
        self.budget = Budget(MAX_EVALUATION_STEPS) if budget is None else budget
        self.known: dict[int, Any] = {}

    def field(self, parameter: Mapping[str, Any], chars_of_a_step: int = _CHARS_OF_A_STEP) -> Any:
        """The Field of a parameter that is about to be read.

        Args:
            parameter: Its dictionary, whatever a caller put there.
            chars_of_a_step: Characters of a text that take a step to read.

        Raises:
            TooMuchWorkError: Its text takes more steps than are left.
        """
        field = field_of(parameter)
        if field.__class__ is dict:
            text = field.get("stringValue")
            if text.__class__ is str and len(text) > _SHORT_CHARS:
                self.budget.spend(len(text) // chars_of_a_step)
        return field

    def spend_on(self, texts: Collection[str]) -> None:
        """Take the steps of many texts that are about to be read.

        Args:
            texts: Each is a name.

        Raises:
            TooMuchWorkError: They take more than are left.
        """
        chars = sum(map(len, texts))
        if chars > _SHORT_CHARS * len(texts):
            self.budget.spend(chars // _CHARS_OF_A_STEP)


_INT_MAX = 2**31 - 1


def _as_setting(text: str) -> str | None:
    """What SET holds of a number: a whole one as an int, any other as it is written."""
    try:
        number = int(text, 0 if text.lstrip("-0")[:1].isalpha() else 10)
    except ValueError:
        return from_text(text)
    return str(number) if abs(number) <= _INT_MAX else from_text(text)


_READERS: dict[str, Callable[[str], str | None]] = {
    "setting": _as_setting,
    "text": from_text,
    "uuid": from_uuid,
    "number": from_number,
}


def _uuid_or_text(text: str) -> str | None:
    return from_uuid(text) or from_text(text)


_QUICK_READERS: dict[tuple[str, ...], Callable[[str], str | None]] = {
    (): from_text,
    ("text",): from_text,
    ("uuid",): _uuid_or_text,
}
"""What `Operand.of_text` does with a text that is not empty, under the usual casts."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A literal, a parameter or a constant, as the text has it.

    Attributes:
        parameter: Name of a parameter, else None.
        slot: Index of a literal, else None.
        last: Index of the last literal where it stands for a list of them, else None. A list of
            parameters is one slot.
        text: A constant that is neither, else None; all three None is NULL.
        cast: How the value is read, innermost cast first: "text", "uuid", "number".
        many: It is an array, each element of which counts.
        sign: "-" for a negated number.
        fits: Slot of the n where it is cast to varchar(n), which cuts what is longer; else None.
        separator: Slot of what parts its elements where it is the text of an array; else None.
    """

    parameter: str | None = None
    slot: int | None = None
    last: int | None = None
    text: str | None = None
    cast: tuple[str, ...] = ()
    many: bool = False
    sign: str = ""
    fits: int | None = None
    separator: int | None = None

    def tenants(self, values: Values) -> tuple[str, ...] | None:
        """The tenants it names: none for NULL and empty text; None where that is not known."""
        if self.separator is not None:
            text = self.string(values, _CHARS_OF_A_LIST)
            return self._separated(text, values.literals[self.separator].text, values)
        if self.parameter is not None:
            return self.of_parameter(values.parameters.get(self.parameter), values)
        if self.slot is not None:
            return self._of_slot(self.slot, values)
        return () if self.text is None else self.of_text(self.text)

    def of_parameter(
        self, given: Mapping[str, Any] | None, values: Values
    ) -> tuple[str, ...] | None:
        """The tenants that a parameter in this place names; None where that is not known."""
        if given is None:
            return None
        if self.many:
            value = values.field(given, _CHARS_OF_A_LIST)
            return self._whole(self._of_array(value, values), values)
        value = values.field(given)
        if not self.cast and not self.sign:
            found = from_field(value, given.get("typeHint"))
            return (found,) if found is not None else _nobody(value)
        text = plain_text(value)
        if text is None:
            return _nobody(value)
        return None if self._is_cut(text, values) else self.of_text(text)

    def _of_slot(self, slot: int, values: Values) -> tuple[str, ...] | None:
        """A literal, or a list of them."""
        if self.last is not None:
            if (names := values.literals.lists.get(slot)) is not None:
                return self._of_parameters(names, values)
            return self._of_literals(values.literals[slot : self.last + 1], values)
        if self.many:
            text = values.literals[slot].text
            found = self._all(array_elements(text), values) if text is not None else None
            return self._whole(found, values)
        return self._of_written(values.literals[slot], values)

    def _of_literals(self, literals: list[Literal], values: Values) -> tuple[str, ...] | None:
        """Many literals: of texts alone, and of numbers alone, in one pass."""
        texts = [literal.text for literal in literals if literal.text is not None]
        if len(texts) < len(literals) or self._is_cut(max(texts, key=len, default=""), values):
            return None
        kinds = {literal.number for literal in literals}
        if True not in kinds:
            return self._all(texts, values)
        if False not in kinds and not self.cast and not self.sign:
            numbers = [from_number(text) for text in texts]
            named = tuple([number for number in numbers if number is not None])
            return named if len(named) == len(numbers) else None
        found: list[str] = []
        for literal in literals:
            tenants = self.of_literal(literal)
            if tenants is None:
                return None
            found += tenants
        return tuple(found)

    def _of_written(self, literal: Literal, values: Values) -> tuple[str, ...] | None:
        """One literal, not known where a cast cuts it."""
        return None if self._is_cut(literal.text or "", values) else self.of_literal(literal)

    def _of_parameters(self, names: tuple[str, ...], values: Values) -> tuple[str, ...] | None:
        """`IN (:t0, …, :t9999)`."""
        values.budget.spend(len(names) // 2)
        given = names
        of_literals: tuple[str, ...] = ()
        # A literal's name comes before every parameter's.
        if min(names).startswith(SLOT_NAME):
            slots = [int(name[1:]) for name in names if name.startswith(SLOT_NAME)]
            given = tuple([name for name in names if not name.startswith(SLOT_NAME)])
            distinct = [literal for literal, _ in values.literals.counted(slots)]
            if (read := self._of_literals(distinct, values)) is None:
                return None
            of_literals = read
        texts = texts_of(given, values.parameters, is_cast=bool(self.cast))
        if texts is not None:
            if self.fits is not None and self._is_cut(max(texts, key=len), values):
                return None
            distinct_texts = dict.fromkeys(texts)
            tenants = self._all(distinct_texts, values)
            return None if tenants is None else tenants + of_literals
        found: list[str] = []
        for name in dict.fromkeys(names):
            if name.startswith(SLOT_NAME):
                slot = int(name.removeprefix(SLOT_NAME))
                tenants = self._of_written(values.literals[slot], values)
            else:
                tenants = self.of_parameter(values.parameters.get(name), values)
            if tenants is None:
                return None
            found += tenants
        return tuple(found)

    def _separated(
        self, text: str | None, separator: str | None, values: Values
    ) -> tuple[str, ...] | None:
        """`string_to_array(:tenants, ',')`."""
        if text is None or not separator:
            return None
        values.budget.demand(text.count(separator))
        return self._all(text.split(separator), values) if text else ()

    def _whole(self, found: tuple[str, ...] | None, values: Values) -> tuple[str, ...] | None:
        """The elements of an array, if a cast to varchar(n)[] cuts none of them."""
        if self.fits is None or found is None:
            return found
        return None if self._is_cut(max(found, key=len, default=""), values) else found

    def _is_cut(self, text: str, values: Values) -> bool:
        """Whether a cast to varchar(n) makes another text of it."""
        if self.fits is None:
            return False
        limit = values.literals[self.fits].text or ""
        return not limit.isdecimal() or len(text) > int(limit)

    def of_literal(self, literal: Literal) -> tuple[str, ...] | None:
        """The tenants that a literal in this place names; None where that is not known."""
        if literal.text is None:
            return None
        if literal.number and not self.cast:
            found = from_number(self.sign + literal.text)
            return (found,) if found is not None else None
        if literal.number and self.cast[0] == "text" and not literal.text.isdecimal():
            # The text of 0x2A is 42, and that of 1_000 has no underscore.
            return None
        return self.of_text(literal.text)

    def is_null(self, values: Values) -> bool | None:
        """Whether the value is NULL, None where that is not known."""
        if self.parameter is not None:
            given = values.parameters.get(self.parameter)
            value = field_of(given) if given is not None else None
            if not isinstance(value, Mapping) or not value:
                return None
            return bool(value.get("isNull"))
        return self.slot is None and self.text is None

    def string(self, values: Values, chars_of_a_step: int = _CHARS_OF_A_STEP) -> str | None:
        """The text itself, not read as a tenant; None for NULL and where it is not known."""
        if self.parameter is not None:
            given = values.parameters.get(self.parameter)
            return plain_text(values.field(given, chars_of_a_step)) if given is not None else None
        return values.literals[self.slot].text if self.slot is not None else self.text

    def of_text(self, text: str) -> tuple[str, ...] | None:
        """The tenants that a text in this place names; None where that is not known."""
        if not text and not self.cast:
            return ()
        kept: str | None = self.sign + text
        for cast in self.cast or ("text",):
            if not kept:
                return () if kept == "" else None
            # What PostgreSQL refuses to cast fails the call; it was still meant for that tenant.
            kept = _READERS[cast](kept.strip() if cast == "number" else kept) or from_text(kept)
            if cast == "number" and kept is not None and "." in kept and from_number(kept):
                # A cast to a whole number rounds it, one way or the other.
                return None
        return (kept,) if kept is not None else None

    def of_texts(self, texts: Iterable[str]) -> list[tuple[str, ...] | None]:
        """The tenants that each of many texts in this place names."""
        read = _QUICK_READERS.get(self.cast) if not self.sign else None
        if read is None:
            return list(map(self.of_text, texts))
        named = [read(text) if text else None for text in texts]
        return [() if tenant is None else (tenant,) for tenant in named]

    def _all(self, elements: Iterable[str | None] | None, values: Values) -> tuple[str, ...] | None:
        if elements is None:
            return None
        given = [element for element in elements if element]
        values.spend_on(given)
        read = _QUICK_READERS.get(self.cast) if not self.sign else None
        if read is not None:
            if read is from_text and are_plain(given):
                return tuple(given)
            named = map(read, given)
            return tuple([tenant for tenant in named if tenant is not None])
        if self.cast == ("number",) and not self.sign:
            joined = "".join(given)
            if joined.isdecimal() and joined.isascii():
                return tuple([number.lstrip("0") or "0" for number in given])
        tenants: list[str] = []
        for element in given:
            found = self.of_text(element)
            if found is None:
                return None
            tenants += found
        return tuple(tenants)

    def _of_array(self, value: Any, values: Values) -> tuple[str, ...] | None:
        text = value.get("stringValue") if isinstance(value, Mapping) else None
        if isinstance(text, str):
            values.budget.demand(text.count(","))
            if "\\" in text:
                values.budget.spend(len(text) // _ESCAPED_CHARS_OF_A_STEP)
            return self._all(array_elements(text), values)
        array = value.get("arrayValue") if isinstance(value, Mapping) else None
        if not isinstance(array, Mapping):
            return _nobody(value)
        for key, kind in (("stringValues", str), ("longValues", int), ("doubleValues", float)):
            elements = array.get(key)
            if isinstance(elements, list | tuple):
                values.budget.demand(len(elements) * _STEPS_OF_A_NUMBER[kind])
                texts = [
                    element if kind is str else from_number(str(element)) for element in elements
                ]
                return self._all([text for text in texts if isinstance(text, str)], values)
        return None


def _nobody(value: Any) -> tuple[str, ...] | None:
    """No tenant where the value is NULL or empty; not known where it is of another kind."""
    return () if is_of_nobody(value) else None
