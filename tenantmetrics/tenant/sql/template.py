"""A statement without its literals and comments: what two variants of it have in common.

Programs that write values into their SQL send a new text each time. Their skeleton stays the same:
literals are replaced by numbered slots, comments by a blank. A plan is made of the skeleton and
filled with the literals of the text by their position, so it is made once.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tenantmetrics.sqltext import TokenKind, literals_and_comments
from tenantmetrics.sqltext.lexer import LETTER
from tenantmetrics.tenant.sql.literals import Literals
from tenantmetrics.tenant.sql.long_lists import folded, literals_or_lists, with_lists_folded

__all__ = [
    "SESSION_NAMES",
    "SETTING",
    "TOO_LONG",
    "Skeleton",
    "skeleton",
    "slot_of_number",
    "slot_of_string",
    "slot_spans",
]

TOO_LONG = "$too_long$"
"""Ends a template whose text was cut; no PostgreSQL statement holds it outside a literal."""
_STRING_SLOT = "slot"
_NUMBER_SLOT = 8_800_000_000
_MAX_READ = 1_400
"""Literals and comments of a text that is read by the rules in full; one that has more names
nobody."""
_LITERALS = frozenset({TokenKind.STRING, TokenKind.NUMBER})
_MAX_SLOTS = 100_000
_LONG_TEXT = 65_536
"""The Data API takes no longer one; 10 ms are enough for those, 50 ms for longer ones."""
_MAX_LITERALS = 14_000
"""Literals outside of lists, 0.4 µs each; a text with more of them names nobody."""
_MAX_LITERALS_OF_LONG = 60_000
_CHARS_OF_LITERAL = 16
"""How many characters take as long as a literal, 0.5 µs: a long text may have either."""
_MAX_TEXT = 1_000_000
"""Characters of a text that are looked at, 32 ms a million."""
_MAX_QUOTES = 400_000
_MANY = 100
"""Literals that are worth a look at whether all are alike."""


class Skeleton(NamedTuple):
    """A text cut into what its plan depends on and what only fills the plan.

    Attributes:
        template: The text with slots for literals and blanks for comments.
        literals: What fills the slots, in order.
        comments: The block comments' bodies, in order.
    """

    template: str
    literals: Literals
    comments: tuple[str, ...]


# Texts in which a literal is what `_LITERAL` takes for one: no backslash, no `$` but positional
# parameters, no comment, no literal with a prefix or continued on the next line. Anything else is
# read by the rules in full. The expressions begin with the characters they look for, so that a
# search leaps from one to the next.
_DOLLAR = re.compile(rf"\$(?:(?<={LETTER}\$)|(?![0-9]))")
_UNUSUAL_QUOTE = re.compile(r"""'(?:(?<=[^\w'][eEbBxXnN]')|[ \t\f\v]*+[\n\r]\s*+')""")
_DIGIT = re.compile("[0-9]")
_BEGINS_PLAIN = frozenset("'.0123456789")
_COMMAS_OF_A_LIST = 15
"""No list that stands for a slot of its own has fewer."""
_BLOCK = r"/\*(?:[^*/]|\*(?!/)|/(?!\*))*+\*/"
_COMMENTED = re.compile(rf"\s*+({_BLOCK})?+((?:[^/]|/(?!\*))*+)({_BLOCK})?+\s*+", re.DOTALL)
SETTING = "do|discard|reset|execute"
"""Statements that may set a tenant and do not say which; alternatives of a pattern."""
SESSION_NAMES = ("role", "schema", "search_path", "authorization")
"""What SET sets of a session that may carry a tenant, beside variables with a dot."""
_MAY_SET = re.compile(
    rf"(?=[;sS])(?:set_config|;\s*+(?:{SETTING}|set\s++(?:(?:session|local)\s++)*"
    rf"\"?(?:{'|'.join(SESSION_NAMES)}|\w++\"?\s*+\.)))",
    re.IGNORECASE,
)
"""What may set a tenant; functions of one's own are not known here."""


def _too_long(sql: str, begin: str = "") -> str:
    """The template of a text that is cut; it tells whether the text may set a tenant."""
    # A call that nobody can read stands for whatever sets something.
    sets = _MAY_SET.search(f";{sql[:_LONG_TEXT]}") is not None
    return f"{begin}{' set_config(' if sets else ''} {TOO_LONG}"


def skeleton(sql: str) -> Skeleton:
    """Cut a text; never raises."""
    comments: tuple[str, ...] = ()
    body = sql
    if len(sql) > _LONG_TEXT and (len(sql) > _MAX_TEXT or sql.count("'") > _MAX_QUOTES):
        return Skeleton(_too_long(sql), Literals([]), ())
    if "/*" in sql:
        # Programs put their comment before or behind the statement, where it is easily told.
        ends = _COMMENTED.fullmatch(sql)
        if ends is not None:
            body = ends.group(2)
            comments = tuple(part[2:-2] for part in (ends.group(1), ends.group(3)) if part)
    if "\\" in body or "&" in body or "--" in body or "/*" in body or _UNUSUAL_QUOTE.search(body):
        return _read(sql)
    if "$" in body and _DOLLAR.search(body):
        return _read(sql)
    # Neither a literal nor a list of them; names in quotes are looked for with those.
    if "'" not in body and _DIGIT.search(body) is None and body.count(",") < _COMMAS_OF_A_LIST:
        return _read(sql) if body.count('"') % 2 else Skeleton(body, Literals([]), comments)
    return _slotted(body, sql, comments)


def _most_literals(chars: int) -> int:
    """How many literals a text of some length may have."""
    if chars <= _LONG_TEXT:
        return _MAX_LITERALS
    # 34 ms altogether.
    return min(_MAX_LITERALS_OF_LONG, 70_000 - chars // _CHARS_OF_LITERAL)


def _slotted(body: str, sql: str, comments: tuple[str, ...]) -> Skeleton:
    if body.count("'") % 2:  # one is not terminated
        return _read(sql)
    most = _most_literals(len(sql))
    pieces = literals_or_lists(body).split(body, most)
    if len(pieces) > 2 * most:
        return Skeleton(_too_long(body), Literals([]), comments)
    between = "".join(pieces[::2])
    if "'" in between or '"' in between:
        return _read(sql)
    found = pieces[1::2]
    if len(found) > _MANY and all([piece[0] in _BEGINS_PLAIN for piece in found]):  # noqa: C419 - half of the time
        pieces[1::2] = [
            f"'slot{slot}'" if piece[0] == "'" else str(_NUMBER_SLOT + slot)
            for slot, piece in enumerate(found)
        ]
        return Skeleton("".join(pieces), Literals(found), comments)
    written: list[str] = []
    literals = Literals(written)
    keep, slot = written.append, 0
    for index in range(1, len(pieces), 2):
        piece = pieces[index]
        first = piece[0]
        if first == "'":
            pieces[index] = f"'slot{slot}'"
        elif first in ".0123456789":
            pieces[index] = f"{_NUMBER_SLOT + slot}"
        elif first == '"':
            continue
        else:
            pieces[index] = folded(piece, written, literals)
            slot = len(written)
            continue
        keep(piece)
        slot += 1
    return Skeleton("".join(pieces), literals, comments)


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
    tokens = list(literals_and_comments(sql))
    literals = [(start, end) for kind, start, end in tokens if kind in _LITERALS]
    comments = [(start, end) for kind, start, end in tokens if kind is TokenKind.COMMENT]
    return _read(sql), literals, comments


def _read(sql: str) -> Skeleton:
    """The same by PostgreSQL's lexical rules in full."""
    pieces: list[str] = []
    literals: list[str] = []
    comments: list[str] = []
    last = 0
    for count, (kind, start, end) in enumerate(literals_and_comments(sql)):
        if count > _MAX_READ:
            begin = "".join(pieces[:20])
            return Skeleton(_too_long(sql, begin), Literals([]), tuple(comments))
        if start > last:
            pieces.append(sql[last:start])
        text, last = sql[start:end], end
        if kind is TokenKind.STRING:
            pieces.append(f"'slot{len(literals)}'")
            literals.append(text)
        elif kind is TokenKind.NUMBER:
            pieces.append(str(_NUMBER_SLOT + len(literals)))
            literals.append(text)
        elif kind is TokenKind.COMMENT and not text.startswith("--"):
            comments.append(text[2:-2])
            pieces.append(" ")
        else:
            # A program's comments are blocks; behind `--` stands what a person wrote or took out.
            pieces.append("\n" if kind is TokenKind.COMMENT else " ")
    pieces.append(sql[last:])
    found = Literals(literals)
    return Skeleton(with_lists_folded("".join(pieces), found), found, tuple(comments))
