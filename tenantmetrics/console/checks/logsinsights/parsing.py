"""From the text of a query to its tree, or to one line that says where it is not one."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from tenantmetrics.console.checks.fault import Syntax
from tenantmetrics.console.checks.logsinsights.language import COMMANDS, SLIP
from tenantmetrics.console.known import close_to
from tenantmetrics.errors import MissingExtraError

if TYPE_CHECKING:
    from lark import Lark, Token, Tree, UnexpectedInput

__all__ = ["UnknownCommand", "at", "parse_query"]

_LAST = re.compile(r"[@\w.`]+$|[^\w\s]$")
"""The word or the sign that a text ends with."""

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|#[^\n]*", re.DOTALL)
_OPEN_ENDED = re.compile(
    r"([=<>,+*/%^~-]|\b(?:and|or|not|by|as|in|like|into|for|with))$", re.IGNORECASE
)

_EXPECTED = (
    ({"NAME", "FIELD_PATTERN"}, "a field"),
    ({"FUNCTION"}, "a function"),
    ({"STRING"}, "a string in quotes"),
    ({"REGEX"}, "a regular expression"),
    ({"NUMBER"}, "a number"),
    ({"DURATION"}, "a time such as 5m"),
    ({"COMMA"}, "a comma"),
    ({"EQUALS", "COMPARISON", "PLUS", "STAR"}, "an operator"),
    ({"_AS"}, "as"),
    ({"_BY"}, "by"),
    ({"OUTPUT"}, "OUTPUT"),
    ({"WHERE"}, "where"),
    ({"LPAR"}, "("),
    ({"LSQB"}, "["),
    ({"RPAR"}, ")"),
    ({"RSQB"}, "]"),
    ({"VBAR", "$END"}, "|"),
)
"""What may be expected, in words: terminals of the grammar, and their name."""

_SHOWN = 5
"""What a message lists at most of what was expected."""


class UnknownCommand(Syntax):
    """A command that the grammar does not have.

    Attributes:
        slip: Whether it is all but a command that there is; else AWS may have added it.
    """

    def __init__(self, message: str, *, slip: bool) -> None:
        super().__init__(message)
        self.slip = slip


def at(text: str, position: int) -> str:
    """`line 2, column 14`, both from 1, of a position from 0."""
    newline = text.rfind("\n", 0, position)
    line = text.count("\n", 0, position) + 1
    return f"line {line}, column {position - newline}"


@lru_cache(maxsize=64)
def parse_query(text: str) -> Tree[Token]:
    """The tree of a query: `query` with a child a command, as `grammar.lark` names them.

    Raises:
        Syntax: It does not parse; the message says what is wrong and where.
        MissingExtraError: lark is not installed.
    """
    parser = _parser()
    from lark import UnexpectedInput  # noqa: PLC0415 - an extra

    try:
        (query,) = parser.parse(text).children
    except UnexpectedInput as error:
        raise _explained(text, error) from None
    return query  # type: ignore[return-value]  # `start` has a tree in it


@cache
def _parser() -> Lark:
    try:
        from lark import Lark  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("checking Logs Insights queries", "console") from None
    grammar = resources.files(__package__).joinpath("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def _explained(text: str, error: UnexpectedInput) -> Syntax:
    from lark import UnexpectedCharacters  # noqa: PLC0415

    position = error.pos_in_stream
    token = getattr(error, "token", None)
    if token is not None and token.type == "$END":
        position = len(text)
    if position is None:
        position = len(text)
    before = text[:position].rstrip()
    found = _word(text, position)
    where = at(text, position)
    if found == "`" or (isinstance(error, UnexpectedCharacters) and found in {"'", '"'}):
        return Syntax(f"{where}: a quote is not closed")
    if not before or before.endswith("|"):
        return _no_command(where, found, before)
    last = _LAST.search(before)
    after = last.group() if last else before[-1]
    if after.lower() == "like" and found:
        what = f"like needs a string in quotes or a /…/, not {found!r}"
    elif after.lower() == "in" and found:
        what = f"in needs a list in brackets, not {found!r}"
    elif found in {"", "|"} and (opened := _open_bracket(before)) is not None:
        what = f"the {before[opened]} at {at(text, opened)} is not closed"
    elif found in {"", "|", ")", "]"} and _OPEN_ENDED.search(before):
        what = f"something is missing after {after!r}"
    elif found in {")", "]"} and _open_bracket(before) is None:
        what = f"{found} closes nothing"
    else:
        shown = f"unexpected {found!r}" if found else "the query ends too early"
        what = f"{shown} after {after!r}{_wanted(error)}"
    return Syntax(f"{where}: {what}")


def _no_command(where: str, found: str, before: str) -> Syntax:
    """What is wrong at the start of a command."""
    if found == "|" or (not found and before):
        return Syntax(f"{where}: nothing stands between two |, or after the last one")
    if not found:
        return Syntax(f"{where}: the query is empty")
    if not found[0].isalpha():
        return Syntax(f"{where}: a command such as fields, filter or stats is expected")
    what = f"{where}: there is no command {found!r}{close_to(found, COMMANDS)}"
    return UnknownCommand(what, slip=bool(close_to(found, COMMANDS, SLIP)))


def _word(text: str, position: int) -> str:
    """What stands at a position: a word or a sign, or nothing at the end."""
    match = re.compile(r"\s*([@\w.]+|\S)?").match(text, position)
    return (match.group(1) or "") if match else ""


def _open_bracket(text: str) -> int | None:
    """The position of the innermost bracket that is open at the end of a text, or None."""
    blanked = _QUOTED.sub(lambda match: " " * len(match.group()), text)
    opened = []
    for position, sign in enumerate(blanked):
        if sign in "([":
            opened.append(position)
        elif sign in ")]" and opened:
            opened.pop()
    return opened[-1] if opened else None


def _wanted(error: UnexpectedInput) -> str:
    """`; expected a comma or |`, or nothing where most of the language may follow."""
    accepted = set(getattr(error, "expected", None) or getattr(error, "allowed", None) or ())
    words = [word for terminals, word in _EXPECTED if terminals & accepted]
    if not words:
        return ""
    shown = words[:_SHOWN]
    *most, final = shown
    return f"; expected {', '.join(most)}{' or ' if most else ''}{final}"
