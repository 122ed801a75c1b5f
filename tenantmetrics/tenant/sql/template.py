"""A statement without its literals and comments: what two variants of it have in common.

Programs that write values into their SQL send a new text each time. Their skeleton stays the same:
literals are replaced by numbered slots, comments by a blank. A plan is made of the skeleton and
filled with the literals of the text by their position, so it is made once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tenantmetrics.sqltext import Token, TokenKind, tokenize
from tenantmetrics.tenant.sql.literals import CONTINUED, Literal, Literals

__all__ = [
    "TOO_LONG",
    "Skeleton",
    "range_of_string",
    "skeleton",
    "slot_of_number",
    "slot_of_string",
    "slot_spans",
]

TOO_LONG = "$too_long$"
"""Ends a template whose text was cut; no PostgreSQL statement holds it outside a literal."""
_STRING_SLOT = "slot"
_RANGE_SLOT = "list"
_NUMBER_SLOT = 8_800_000_000
_SHORT_LIST = 15
_MAX_TOKENS = 3_800
"""Tokens of one text that are looked at, 8 ms; what is longer names nobody."""
_MAX_SLOTS = 100_000
_LONG_TEXT = 65_536
"""The Data API takes no longer one; 10 ms are enough for those, 50 ms for longer ones."""
_MAX_LITERALS = 16_000
"""Literals outside of lists, 0.4 µs each; a text with more of them names nobody."""
_MAX_LITERALS_OF_LONG = 60_000
_MAX_TEXT = 1_500_000
"""Characters of a text that are looked at, 15 to 30 ms a million."""
_MAX_QUOTES = 400_000
_MAX_WITH_LISTS = 600_000
"""Characters of a text whose lists are folded; one of 60,000 elements is shorter."""


class Skeleton(NamedTuple):
    """A text cut into what its plan depends on and what only fills the plan.

    Attributes:
        template: The text with slots for literals and blanks for comments.
        literals: What fills the slots, in order.
        comments: The block comments' bodies, in order.
    """

    template: str
    literals: Sequence[Literal]
    comments: tuple[str, ...]


# Texts in which a literal is what `_LITERAL` takes for one: no backslash, no `$` but positional
# parameters, no comment, no literal with a prefix or continued on the next line. Anything else is
# tokenized. The expressions begin with the characters they look for, so that a search leaps from
# one to the next.
_UNUSUAL = ("\\", "&", "--", "/*")
_DOLLAR = re.compile(r"\$(?:(?<=[\w$\x80-\U0010FFFF]\$)|(?![0-9]))")
_UNUSUAL_QUOTE = re.compile(r"""'(?:(?<=[^\w'][eEbBxXnN]')|[ \t\f\v]*+[\n\r]\s*+')""")
_BLOCK = r"/\*(?:[^*/]|\*(?!/)|/(?!\*))*+\*/"
_COMMENTED = re.compile(rf"\s*+({_BLOCK})?+((?:[^/]|/(?!\*))*+)({_BLOCK})?+\s*+", re.DOTALL)
_STRING = r"'(?:[^']|'')*+'"
_NUMBER = (
    r"[0-9](?<![\w.:$\x80-\U0010FFFF][0-9])(?:[xXoObB][0-9a-fA-F_]++|[0-9_]*+"
    r"(?:\.[0-9_]++)?+)(?![\w.])"
)
_LITERAL = re.compile(rf"""({_STRING}|"(?:[^"]|"")*+"|{_NUMBER})""")
_ELEMENT = rf"\s*+-?+(?:{_STRING}|{_NUMBER})(?:::[A-Za-z_]\w*+)?+\s*+"
_LIST = (
    rf"(?<![\w$.\x80-\U0010FFFF])(?i:in\s*+\(|array\s*+\[)"
    rf"{_ELEMENT}(?:,{_ELEMENT}){{{_SHORT_LIST},}}+(?=[)\]])"
)
_LITERAL_OR_LIST = re.compile(rf"""({_STRING}|"(?:[^"]|"")*+"|{_NUMBER}|{_LIST})""")
_SIGN_OR_CAST = re.compile(r"-|::\w+")


def skeleton(sql: str) -> Skeleton:
    """Cut a text; never raises."""
    comments: tuple[str, ...] = ()
    body = sql
    if len(sql) > _LONG_TEXT and (len(sql) > _MAX_TEXT or sql.count("'") > _MAX_QUOTES):
        return Skeleton(TOO_LONG, (), ())
    if "/*" in sql:
        # Programs put their comment before or behind the statement, where it is easily told.
        ends = _COMMENTED.fullmatch(sql)
        if ends is not None:
            body = ends.group(2)
            comments = tuple(part[2:-2] for part in (ends.group(1), ends.group(3)) if part)
    if any(mark in body for mark in _UNUSUAL) or _UNUSUAL_QUOTE.search(body):
        return _tokenized(sql)
    if "$" in body and _DOLLAR.search(body):
        return _tokenized(sql)
    return _slotted(body, sql, comments)


def _slotted(body: str, sql: str, comments: tuple[str, ...]) -> Skeleton:
    listed = body.count(",") >= _SHORT_LIST and len(body) <= _MAX_WITH_LISTS
    pieces = (_LITERAL_OR_LIST if listed else _LITERAL).split(body)
    if len(pieces) > 2 * (_MAX_LITERALS if len(sql) <= _LONG_TEXT else _MAX_LITERALS_OF_LONG):
        return Skeleton(TOO_LONG, (), comments)
    between = "".join(pieces[::2])
    if "'" in between or '"' in between:
        return _tokenized(sql)
    written: list[str] = []
    for index in range(1, len(pieces), 2):
        piece = pieces[index]
        first = piece[0]
        if first == "'":
            pieces[index] = f"'slot{len(written)}'"
            written.append(piece)
        elif first in "0123456789":
            pieces[index] = str(_NUMBER_SLOT + len(written))
            written.append(piece)
        elif first != '"':
            pieces[index] = _folded(piece, written)
    template = "".join(pieces)
    if template.count(":") > _MANY_PARAMETERS:
        template = _PARAMETERS.sub(r"\1\2::char(1)", template)
    return Skeleton(template, Literals(written), comments)


def _folded(text: str, written: list[str]) -> str:
    """A long list as one slot that stands for a range of slots."""
    pieces = _LITERAL.split(text)
    first = len(written)
    written += pieces[1::2]
    around = _SIGN_OR_CAST.findall(",".join(pieces[::2]))
    return pieces[0].rstrip("- \t\n\r\f\v") + _range(first, len(written) - 1, around)


_SLOT = re.compile(rf"'{_STRING_SLOT}([0-9]+)'|88([0-9]{{8}})")
_SLOT_WITH_CAST = rf"-?(?:'{_STRING_SLOT}[0-9]+'|88[0-9]{{8}})(?:::[A-Za-z_]\w*+)?"
_LIST_OF_SLOTS = re.compile(
    rf"(\b(?:in\s*\(|array\s*\[)\s*)"
    rf"({_SLOT_WITH_CAST}(?:\s*,\s*{_SLOT_WITH_CAST}){{{_SHORT_LIST},}}+)(?=\s*[)\]])",
    re.IGNORECASE,
)


def _fold_slots(found: re.Match[str]) -> str:
    """The same where the literals are slots already."""
    text = found.group(2)
    first = _SLOT.search(text)
    last = _SLOT.search(text, text.rfind(","))
    assert first is not None and last is not None  # noqa: S101, PT018 - the list is made of slots
    ends = [int(slot.group(1) or slot.group(2)) for slot in (first, last)]
    return f"{found.group(1)}{_range(ends[0], ends[1], _SIGN_OR_CAST.findall(text))}"


def _range(first: int, last: int, around: list[str]) -> str:
    """A slot for a range of them.

    Args:
        first: The first one.
        last: The last one.
        around: The signs and casts that stand around them.
    """
    slot = f"'{_RANGE_SLOT}{first}_{last}'"
    if not around:
        return slot
    alike = len(set(around)) == 1 and len(around) == last - first + 1
    # Of values with signs, and with different casts, it is not told whom they name.
    return slot + (around[0] if alike and around[0] != "-" else "::char(1)")


_MANY_PARAMETERS = 450
_PARAMETER = r":\w++(?:::[A-Za-z_]\w*+)?"
_PARAMETERS = re.compile(
    rf"(\b(?:in\s*\(|array\s*\[)\s*)({_PARAMETER})"
    rf"((?:\s*,\s*{_PARAMETER}){{{_MANY_PARAMETERS // 3},}}+)(?=\s*[)\]])",
    re.IGNORECASE,
)
"""More than the parser takes; whom they name is not told."""


def range_of_string(content: str) -> tuple[int, int] | None:
    """The first and last slot that a folded list stands for."""
    if not content.startswith(_RANGE_SLOT):
        return None
    first, _, last = content[len(_RANGE_SLOT) :].partition("_")
    return int(first), int(last)


def slot_of_string(content: str) -> int | None:
    """The slot that a string literal of a template stands for."""
    number = content[len(_STRING_SLOT) :]
    return int(number) if content.startswith(_STRING_SLOT) and number.isdecimal() else None


def slot_of_number(text: str) -> int | None:
    """The slot that a number of a template stands for, None if it is the number itself."""
    if not text.isdecimal():
        return None
    slot = int(text) - _NUMBER_SLOT if len(text) == len(str(_NUMBER_SLOT)) else -1
    return slot if 0 <= slot < _MAX_SLOTS else None


def slot_spans(sql: str) -> tuple[Skeleton, list[tuple[int, int]], list[tuple[int, int]]]:
    """A skeleton, and where in the text its literals and its comments stand; for `explain`."""
    kinds = {TokenKind.STRING, TokenKind.NUMBER}
    tokens = list(_tokens(sql))
    literals = [(start, end) for kind, start, end in tokens if kind in kinds]
    comments = [(start, end) for kind, start, end in tokens if kind is TokenKind.COMMENT]
    return _tokenized(sql), literals, comments


def _tokens(sql: str) -> Iterator[Token]:
    """Tokens, with 'a' <newline> 'b' as one literal; stops where there are too many."""
    held: Token | None = None
    gap: list[Token] = []
    for count, token in enumerate(tokenize(sql)):
        if count > _MAX_TOKENS:
            return
        if held is not None:
            if token.kind is TokenKind.SPACE or sql.startswith("--", token.start):
                gap.append(token)
                continue
            if token.kind is TokenKind.STRING and CONTINUED.fullmatch(
                sql, held.end - 1, token.start + 1
            ):
                held, gap = Token(TokenKind.STRING, held.start, token.end), []
                continue
            yield held
            yield from gap
            held, gap = None, []
        if token.kind is TokenKind.STRING and sql[token.end - 1] == "'":
            held = token
        else:
            yield token
    if held is not None:
        yield held
        yield from gap


def _tokenized(sql: str) -> Skeleton:
    """The same by PostgreSQL's lexical rules in full."""
    pieces: list[str] = []
    literals: list[str] = []
    comments: list[str] = []
    end = 0
    for kind, start, end in _tokens(sql):
        text = sql[start:end]
        if kind is TokenKind.COMMENT:
            # A program's comments are blocks; behind `--` stands what a person wrote or took out.
            if text.startswith("--"):
                pieces.append("\n")
            else:
                comments.append(text[2:-2])
                pieces.append(" ")
        elif kind is TokenKind.STRING:
            pieces.append(f"'slot{len(literals)}'")
            literals.append(text)
        elif kind is TokenKind.NUMBER:
            pieces.append(str(_NUMBER_SLOT + len(literals)))
            literals.append(text)
        elif kind is TokenKind.UNTERMINATED:
            pieces.append(" ")
        else:
            pieces.append(text)
    if end < len(sql):
        return Skeleton(f"{''.join(pieces[:20])} {TOO_LONG}", (), tuple(comments))
    template = "".join(pieces)
    if len(literals) > _SHORT_LIST:
        template = _LIST_OF_SLOTS.sub(_fold_slots, template)
    if template.count(":") > _MANY_PARAMETERS:
        template = _PARAMETERS.sub(r"\1\2::char(1)", template)
    return Skeleton(template, Literals(literals), tuple(comments))
