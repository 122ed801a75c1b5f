"""Literals of a text, as they are written and as PostgreSQL reads them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, overload

from tenantmetrics.sqltext.lexer import GAP

__all__ = ["SLOT_NAME", "Literal", "Literals"]

_MAX_ESCAPED = 4_096
"""Characters of an E literal that are read; nobody's name is longer."""
# Half of the time of the named tuple's own constructor.
_new = tuple.__new__


class Literal(NamedTuple):
    """What stood in a slot.

    Attributes:
        text: The value that PostgreSQL reads, quotes and escapes resolved; None where it is no text
            (bits) or not told here.
        number: Whether it was written as a number.
    """

    text: str | None
    number: bool


SLOT_NAME = "\0"
"""Begins the name of a literal that stands in a list of parameters: its slot follows."""


class Literals(Sequence[Literal]):
    """The literals of a text as they are written, each read when it is asked for.

    Args:
        written: With their quotes.

    Attributes:
        lists: The names of very many parameters that stand in one list, by the slot of the list.
    """

    __slots__ = ("_written", "lists")

    def __init__(self, written: list[str]) -> None:
        self._written = written
        self.lists: dict[int, tuple[str, ...]] = {}

    def counted(self, slots: Iterable[int]) -> list[tuple[Literal, int]]:
        """Distinct literals among some, each with how many there are of it.

        Args:
            slots: Where they are.
        """
        written = self._written
        counts = Counter([written[slot] for slot in slots])
        return [(_read(text), count) for text, count in counts.items()]

    def add_list(self, names: tuple[str, ...]) -> int:
        """Give a list of parameters a slot.

        Args:
            names: Their names, in order.

        Returns:
            The slot.
        """
        slot = len(self._written)
        self._written.append(_PARAMETERS)
        self.lists[slot] = names
        return slot

    def __len__(self) -> int:
        return len(self._written)

    @overload
    def __getitem__(self, index: int) -> Literal: ...

    @overload
    def __getitem__(self, index: slice) -> list[Literal]: ...

    def __getitem__(self, index: int | slice) -> Literal | list[Literal]:
        if isinstance(index, slice):
            return list(map(_read, self._written[index]))
        return _read(self._written[index])


_PARAMETERS = ":"
"""Stands for a list of parameters among the literals."""


def _read(written: str) -> Literal:
    first = written[0]
    if first == _PARAMETERS:
        return _new(Literal, (None, False))
    if first in ".0123456789":
        return _new(Literal, (written, True))
    if first == "'" and "'" not in written[1:-1]:
        return _new(Literal, (written[1:-1], False))
    # A value that cannot be told keeps its slot, so that nothing else moves into it.
    return _new(Literal, (_string_value(written), False))


_PLAIN = re.compile(rf"''|'{GAP}'")
_ESCAPED = re.compile(
    rf"''|'{GAP}'|"
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})"
    r"|([0-7]{1,3})|(.))",
    re.DOTALL,
)
_CONTROL = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _string_value(text: str) -> str | None:
    """The value of a string literal in any notation; None where it is no text or not known."""
    if text.startswith("$"):
        tag = text[: text.index("$", 1) + 1]
        return text[len(tag) : -len(tag)]
    prefix = text[: text.index("'")].lower()
    body = text[len(prefix) + 1 : -1]
    if prefix == "e" and len(body) <= _MAX_ESCAPED:
        try:
            return _ESCAPED.sub(_escape, body)
        except (ValueError, OverflowError):
            return None
    if prefix in {"", "n"}:
        return _PLAIN.sub(lambda found: "'" if found.group() == "''" else "", body)
    if prefix == "u&" and "\\" not in body:
        return _PLAIN.sub(lambda found: "'" if found.group() == "''" else "", body)
    return None


def _escape(found: re.Match[str]) -> str:
    """What one escape of an E literal stands for."""
    if found.group() == "''":
        return "'"
    hexa, short, wide, octal, other = found.groups()
    if code := hexa or short or wide:
        number = int(code, 16)
        # Bytes beyond ASCII join into UTF-8 sequences: not told here.
        if hexa and number > 0x7F:  # noqa: PLR2004
            raise ValueError
        return chr(number)
    if octal:
        if int(octal, 8) > 0x7F:  # noqa: PLR2004
            raise ValueError
        return chr(int(octal, 8))
    return _CONTROL.get(other, other) if other else ""
