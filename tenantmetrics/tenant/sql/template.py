"""A statement without its literals and comments: what two variants of it have in common.

Programs that write values into their SQL send a new text each time. Their skeleton stays the same:
literals are replaced by numbered slots, comments by a blank. A plan is made of the skeleton and
filled with the literals of the text by their position, so it is made once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tenantmetrics.sqltext import Token, TokenKind, tokenize

__all__ = [
    "TOO_LONG",
    "Literal",
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
_LONG_LIST = 4_000
_MAX_TOKENS = 6_000
"""Tokens of one text that are looked at, 10 ms; what is longer names nobody."""
_MAX_ESCAPED = 4_096
"""Characters of an E literal that are read; nobody's name is longer."""
_MAX_SLOTS = 100_000


class Literal(NamedTuple):
    """What stood in a slot.

    Attributes:
        text: The value that PostgreSQL reads, quotes and escapes resolved; None where it is no text
            (bits) or not told here.
        number: Whether it was written as a number.
    """

    text: str | None
    number: bool


# Half of the time of the named tuple's own constructor.
_new = tuple.__new__


class Skeleton(NamedTuple):
    """A text cut into what its plan depends on and what only fills the plan.

    Attributes:
        template: The text with slots for literals and blanks for comments.
        literals: What fills the slots, in order.
        comments: The block comments' bodies, in order.
    """

    template: str
    literals: tuple[Literal, ...]
    comments: tuple[str, ...]


# Texts in which a literal is what `_LITERAL` takes for one: no backslash, no `$`, no comment, no
# literal with a prefix or continued on the next line. Anything else is tokenized. Both expressions
# begin with the characters they look for, so that a search leaps from one to the next.
_UNUSUAL = ("\\", "$", "&", "--", "/*")
_UNUSUAL_QUOTE = re.compile(r"""'(?:(?<=[^\w'][eEbBxXnN]')|[ \t\f\v]*+[\n\r]\s*+')""")
_BLOCK = r"/\*(?:[^*/]|\*(?!/)|/(?!\*))*+\*/"
_COMMENTED = re.compile(rf"\s*+({_BLOCK})?+((?:[^/]|/(?!\*))*+)({_BLOCK})?+\s*+", re.DOTALL)
_LITERAL = re.compile(
    r"""('(?:[^']|'')*+'|"(?:[^"]|"")*+"|"""
    r"""[0-9](?<![\w.:$\x80-\U0010FFFF][0-9])(?:[xXoObB][0-9a-fA-F_]++|[0-9_]*+"""
    r"""(?:\.[0-9_]++)?+)(?![\w.]))"""
)


def skeleton(sql: str) -> Skeleton:  # noqa: C901 - one short loop a step
    """Cut a text; never raises."""
    comments: tuple[str, ...] = ()
    body = sql
    if "/*" in sql:
        # Programs put their comment before or behind the statement, where it is easily told.
        ends = _COMMENTED.fullmatch(sql)
        if ends is not None:
            body = ends.group(2)
            comments = tuple(part[2:-2] for part in (ends.group(1), ends.group(3)) if part)
    if any(mark in body for mark in _UNUSUAL) or _UNUSUAL_QUOTE.search(body):
        return _tokenized(sql)
    pieces = _LITERAL.split(body)
    literals: list[Literal] = []
    for index in range(1, len(pieces), 2):
        piece = pieces[index]
        first = piece[0]
        if first == "'":
            value = piece[1:-1]
            pieces[index] = f"'slot{len(literals)}'"
            literals.append(
                _new(Literal, (value.replace("''", "'") if "''" in value else value, False))
            )
        elif first != '"':
            pieces[index] = str(_NUMBER_SLOT + len(literals))
            literals.append(_new(Literal, (piece, True)))
    for index in range(0, len(pieces), 2):
        if "'" in pieces[index] or '"' in pieces[index]:
            return _tokenized(sql)
    template = "".join(pieces)
    if len(literals) > _SHORT_LIST:
        template = _folded(template)
    if len(template) > _LONG_LIST:
        template = _PARAMETERS.sub(r"\1\2::char(1)", template)
    return Skeleton(template, tuple(literals), comments)


_ELEMENT = rf"-?(?:'{_STRING_SLOT}[0-9]+'|88[0-9]{{8}})(?:::[A-Za-z_]\w*+)?"
_LIST = re.compile(
    rf"(\b(?:in\s*\(|array\s*\[)\s*)({_ELEMENT}(?:\s*,\s*{_ELEMENT}){{{_SHORT_LIST},}}+)"
    r"(?=\s*[)\]])",
    re.IGNORECASE,
)
_SIGN_OR_CAST = re.compile(r"-|::\w+")
_MANY_PARAMETERS = 1_300
_PARAMETERS = re.compile(
    rf"(\b(?:in\s*\(|array\s*\[)\s*)(:\w+)((?:\s*,\s*:\w+){{{_MANY_PARAMETERS},}}+)(?=\s*[)\]])",
    re.IGNORECASE,
)
"""More than the parser takes; whom they name is not told."""
_SLOT = re.compile(rf"'{_STRING_SLOT}([0-9]+)'|88([0-9]{{8}})")


def _folded(template: str) -> str:
    """A template with each long IN list as one slot that stands for a range of slots."""
    return _LIST.sub(_fold, template)


def _fold(found: re.Match[str]) -> str:
    text = found.group(2)
    first = _SLOT.search(text)
    last = _SLOT.search(text, text.rfind(","))
    assert first is not None and last is not None  # noqa: S101, PT018 - the list is made of slots
    numbers = [int(slot.group(1) or slot.group(2)) for slot in (first, last)]
    folded = f"{found.group(1)}'{_RANGE_SLOT}{numbers[0]}_{numbers[1]}'"
    around = _SIGN_OR_CAST.findall(text)
    if not around:
        return folded
    alike = len(set(around)) == 1 and len(around) == numbers[1] - numbers[0] + 1
    # Of values with signs, and with different casts, it is not told whom they name.
    return folded + (around[0] if alike and around[0] != "-" else "::char(1)")


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
            if token.kind is TokenKind.STRING and _GAP.fullmatch(
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
    literals: list[Literal] = []
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
            # A value that cannot be told keeps its slot, so that nothing else moves into it.
            pieces.append(f"'slot{len(literals)}'")
            literals.append(Literal(_string_value(text), False))
        elif kind is TokenKind.NUMBER:
            pieces.append(str(_NUMBER_SLOT + len(literals)))
            literals.append(Literal(text, True))
        elif kind is TokenKind.UNTERMINATED:
            pieces.append(" ")
        else:
            pieces.append(text)
    if end < len(sql):
        return Skeleton(f"{''.join(pieces[:20])} {TOO_LONG}", (), tuple(comments))
    template = "".join(pieces)
    if len(literals) > _SHORT_LIST:
        template = _folded(template)
    if len(template) > _LONG_LIST:
        template = _PARAMETERS.sub(r"\1\2::char(1)", template)
    return Skeleton(template, tuple(literals), tuple(comments))


_GAP = re.compile(r"'(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:\s|--[^\n\r]*[\n\r])*'")
_PLAIN = re.compile(r"''|'(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:\s|--[^\n\r]*[\n\r])*'")
_ESCAPED = re.compile(
    r"''|" + _GAP.pattern + r"|\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})"
    r"|([0-7]{1,3})|(.))",
    re.DOTALL,
)
_CONTROL = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_MAX_OCTAL = 0o377


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
