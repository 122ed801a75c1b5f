"""Lists of very many values as one slot: `IN (1, 2, …)`, `ANY(ARRAY[…])`, `IN (:t0, :t1, …)`.

The parser would need 100 ms for ten thousand numbers. A list of literals stands for a range of
slots, one of parameters for a slot of its own, which has their names.
"""

from __future__ import annotations

import re

from tenantmetrics.tenant.sql.lazy_patterns import compiled
from tenantmetrics.tenant.sql.literals import SLOT_NAME, Literals

__all__ = ["folded", "literals_or_lists", "range_of_string", "with_lists_folded"]

_RANGE_SLOT = "list"
_SHORT_LIST = 15
_MAX_WITH_LISTS = 600_000
"""Characters of a text whose lists are folded; one of 60,000 elements is shorter."""
_MANY_PARAMETERS = 150
"""Fewer are parsed one by one."""
_MANY_ELEMENTS = 300
"""Of a list that is mostly literals, with parameters among them."""
_MAX_PARAMETERS = 20_000
"""Parameters in lists of one text, 1 µs each at every call."""
_MAX_OF_BOTH = 2_000
"""Elements of a list of literals and parameters, 3 µs each. Who builds a list of thousands writes
it one way; of a longer one it is not told whom it names."""
_STRING = r"'(?:[^']|'')*+'"
# What a name, a parameter or a number goes on with. It says what it lacks, all of it ASCII: a class
# that names the letters beyond takes 1 ms to compile wherever it stands.
_IN_NAME = r"[^\x00-#%-\-/:-@\[-^`{-\x7F]"
_BEFORE = r"[^\x00-#%-\-/;-@\[-^`{-\x7F]"
# Every number that the lexer knows: of one that is taken in part, the rest would be a number too.
_NUMBER = (
    rf"[0-9.](?<!{_BEFORE}[0-9.])(?<!\.(?![0-9]))"
    r"(?:[xXoObB][0-9a-fA-F_]++"
    r"|[0-9_]*+(?:\.(?!\.)[0-9_]*+)?+(?:[eE][+-]?+[0-9][0-9_]*+)?+)(?![\w.])"
)
_QUOTED = r'"(?:[^"]|"")*+"'
_ELEMENT = rf"\s*+-?+(?:{_STRING}|{_NUMBER})(?:::[A-Za-z_]\w*+)?+\s*+"
_PARAMETER = (
    r"\s*+(?:(?::|\$(?=[0-9]))\w++(?:::[A-Za-z_]\w*+)?+"
    r"|(?i:cast)\s*+\(\s*+(?::|\$(?=[0-9]))\w++\s++(?i:as)\s++[A-Za-z_]\w*+\s*+\))\s*+"
)
_EITHER = rf"(?:{_ELEMENT}|{_PARAMETER})"
# Its first letter is looked at first, so that the search leaps from one to the next.
_OPENING = rf"(?=[iIaA])(?<!{_IN_NAME})(?i:in\s*+\(|array\s*+\[)"
_LIST = rf"{_ELEMENT}(?:,{_ELEMENT}){{{_SHORT_LIST},}}+"
_PARAMETERS = rf"{_PARAMETER}(?:,{_PARAMETER}){{{_MANY_PARAMETERS // 3},}}+"
_MIXED = rf"{_EITHER}(?:,{_EITHER}){{{_MANY_PARAMETERS // 3},}}+"
_LITERAL = re.compile(rf"({_STRING}|{_QUOTED}|{_NUMBER})")
_LITERAL_OR_LIST = rf"({_STRING}|{_QUOTED}|{_NUMBER}|{_OPENING}{_LIST}(?=[)\]]))"
_LITERAL_OR_ANY_LIST = (
    rf"({_STRING}|{_QUOTED}|{_NUMBER}|{_OPENING}"
    rf"(?:{_LIST}|{_PARAMETERS}|{_MIXED})(?=[)\]]))"
)
_LIST_OF_PARAMETERS = rf"{_OPENING}{_PARAMETERS}(?=[)\]])"
# Of a text in lower case: a search that ignores case takes four times as long.
_BEGINS_LIST = re.compile(r"in\s*+\(|array\s*+\[")
_SIGN = "-"
_UNTOLD = f"'{_RANGE_SLOT}0_0'::char(1)"
"""A slot of which it is not told whom it names, as of one with signs and different casts."""
_SIGN_OR_CAST = re.compile(r"-|::\w+")
_SLOT = re.compile(r"'slot([0-9]+)'|88([0-9]{8})")
_SLOT_WITH_CAST = r"-?(?:'slot[0-9]+'|88[0-9]{8})(?:::[A-Za-z_]\w*+)?"
_LIST_OF_SLOTS = re.compile(
    rf"((?=[ia])\b(?:in\s*\(|array\s*\[)\s*)"
    rf"({_SLOT_WITH_CAST}(?:\s*,\s*{_SLOT_WITH_CAST}){{{_SHORT_LIST},}}+)(?=\s*[)\]])",
    re.IGNORECASE,
)
_NAME = re.compile(r":\w++|\$[0-9]++")
_ANY_PART = rf"({_STRING}|{_NUMBER})|::(\w++)|\s(?i:as)\s++(\w++)|(:\w++|\$[0-9]++)|(-)"
_CASTS = re.compile(r"::(\w++)|\sas\s++(\w++)", re.IGNORECASE)


def literals_or_lists(body: str) -> re.Pattern[str]:
    """What to look for in a text: its literals, quoted names, and long lists if it may have any.

    Args:
        body: A text in which a literal is what it looks like.
    """
    if (
        body.count(",") < _SHORT_LIST
        or len(body) > _MAX_WITH_LISTS
        or _BEGINS_LIST.search(body.lower()) is None
    ):
        return _LITERAL
    parameters = body.count(":") + body.count("$")
    many = parameters > _MANY_PARAMETERS or (parameters and body.count(",") > _MANY_ELEMENTS)
    return compiled(_LITERAL_OR_ANY_LIST if many else _LITERAL_OR_LIST)


def folded(text: str, written: list[str], literals: Literals) -> str:
    """A long list as one slot.

    Args:
        text: The list from its first word on, without the bracket that closes it.
        written: Gets its literals.
        literals: The same; gets the names of its parameters.
    """
    start = text.index("[" if text[0] in "aA" else "(") + 1
    if _has_parameters_alone(text):
        return text[:start] + _of_parameters(text[start:], literals)
    pieces = _LITERAL.split(text)
    if any("$" in piece or ":" in piece.replace("::", "") for piece in pieces[::2]):
        if "".join(pieces[::2]).count(",") >= _MAX_OF_BOTH:
            return text[:start] + _UNTOLD
        return text[:start] + _of_both(text[start:], written, literals)
    first = len(written)
    written += pieces[1::2]
    around = _SIGN_OR_CAST.findall(",".join(pieces[::2]))
    last = len(written) - 1
    return pieces[0].rstrip("- \t\n\r\f\v") + _range(first, last, around, last - first + 1)


def with_lists_folded(template: str, literals: Literals) -> str:
    """A template with long lists as one slot, where literals are slots already."""
    if len(literals) > _SHORT_LIST and _BEGINS_LIST.search(template.lower()) is not None:
        template = _LIST_OF_SLOTS.sub(_of_slots, template)
    if template.count(":") + template.count("$") > _MANY_PARAMETERS:
        template = compiled(_LIST_OF_PARAMETERS).sub(
            lambda found: folded(found[0], [], literals), template
        )
    return template


def range_of_string(content: str) -> tuple[int, int] | None:
    """The first and last slot that a folded list stands for."""
    if not content.startswith(_RANGE_SLOT):
        return None
    first, _, last = content[len(_RANGE_SLOT) :].partition("_")
    return int(first), int(last)


def _has_parameters_alone(text: str) -> bool:
    """Whether no element of a list is a literal, told by counting: each parameter has one mark."""
    if "'" in text:
        return False
    marks = text.count(":") - 2 * text.count("::") + text.count("$")
    return marks == text.count(",") + 1


def _of_parameters(text: str, literals: Literals) -> str:
    around: list[str] = []
    if "::" in text or "(" in text:
        around = [f"::{before or behind}" for before, behind in _CASTS.findall(text)]
        text = text.replace("::", " ")
        names = tuple(name.removeprefix(":") for name in _NAME.findall(text))
    else:
        # Nothing but parameters: one by one would take three times as long.
        names = tuple(text.replace(":", " ").replace(",", " ").split())
    return _named(names, around, literals)


def _of_both(text: str, written: list[str], literals: Literals) -> str:
    """A list of parameters and literals: these are named by their slots."""
    around: list[str] = []
    names: list[str] = []
    for literal, before, behind, name, sign in compiled(_ANY_PART).findall(text):
        if literal:
            names.append(f"{SLOT_NAME}{len(written)}")
            written.append(literal)
        elif name:
            names.append(name.removeprefix(":"))
        else:
            around.append(sign or f"::{before or behind}")
    return _named(tuple(names), around, literals)


def _named(names: tuple[str, ...], around: list[str], literals: Literals) -> str:
    """The slot of a list of names, undecided where a text has too many."""
    if len(names) + sum(map(len, literals.lists.values())) > _MAX_PARAMETERS:
        return _UNTOLD
    slot = literals.add_list(names)
    return _range(slot, slot, around, len(names))


def _of_slots(found: re.Match[str]) -> str:
    text = found.group(2)
    first = _SLOT.search(text)
    last = _SLOT.search(text, text.rfind(","))
    assert first is not None and last is not None  # noqa: S101, PT018 - the list is made of slots
    ends = [int(slot.group(1) or slot.group(2)) for slot in (first, last)]
    around, count = _SIGN_OR_CAST.findall(text), ends[1] - ends[0] + 1
    return f"{found.group(1)}{_range(ends[0], ends[1], around, count)}"


def _range(first: int, last: int, around: list[str], count: int) -> str:
    """A slot for a range of them.

    Args:
        first: The first one.
        last: The last one.
        around: The signs and casts that stand around its values.
        count: How many values there are.
    """
    slot = f"'{_RANGE_SLOT}{first}_{last}'"
    if not around:
        return slot
    alike = len(set(around)) == 1 and len(around) == count
    # Of values with signs, and with different casts, it is not told whom they name.
    return slot + (around[0] if alike and around[0] != _SIGN else "::char(1)")
