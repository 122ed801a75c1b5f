"""The Data API's `:name` parameters: where they stand, and the text with others in their place."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import NamedTuple

from tenantmetrics.sqltext.lexer import (
    ESCAPE_BODY,
    GAP,
    LETTER,
    NAME_LETTER,
    PLAIN_BODY,
    START,
    tokenize,
)
from tenantmetrics.sqltext.tokens import TokenKind

__all__ = ["NamedParameter", "is_parameter_name", "parameters", "rewrite"]


class NamedParameter(NamedTuple):
    """A named parameter where it stands.

    Attributes:
        name: The name without the colon; `is_parameter_name` says whether the Data API takes it.
        start: Index of the colon.
        end: Index one past the name.
    """

    name: str
    start: int
    end: int


_NAME = re.compile(r"[A-Za-z0-9_]+")
# ASCII without A-Z a-z _ : ' " -, with which the other alternatives begin.
_OTHER = r"[\x00-!#-&(-,./0-9;-@\[-^`{-\x7F]"
# All that is no parameter, in one step, up to the next parameter. For texts without brackets, block
# comments and dollar signs, which need more than an expression; most texts have none of them.
_TO_PARAMETER = re.compile(
    rf"""
    (?:
        {_OTHER}++
      | --[^\n\r]*+ | -
      | [eE]{ESCAPE_BODY}(?:'{GAP}{ESCAPE_BODY})*+'?+
      | {PLAIN_BODY}'?+
      | "(?:[^"]++|"")*+"?+
      | {START}{LETTER}*+
      | ::|:=|:(?!{NAME_LETTER})
    )*+
    (?P<parameter>:{LETTER}++)
    """,
    re.VERBOSE | re.DOTALL,
)


def is_parameter_name(name: str) -> bool:
    """Whether the Data API takes `name` as a parameter's name: ASCII letters, digits, `_`."""
    return _NAME.fullmatch(name) is not None


def parameters(sql: str, names: Collection[str] = ()) -> list[NamedParameter]:
    """The named parameters of a text in the order they stand, repeats included.

    Args:
        sql: Any text.
        names: As in `tokenize`.
    """
    if ":" not in sql:
        return []
    if "[" not in sql and "$" not in sql and "/*" not in sql:
        found: list[NamedParameter] = []
        match = _TO_PARAMETER.match(sql)
        while match is not None:
            start, end = match.span("parameter")
            found.append(NamedParameter(sql[start + 1 : end], start, end))
            match = _TO_PARAMETER.match(sql, end)
        return found
    return [
        NamedParameter(sql[start + 1 : end], start, end)
        for kind, start, end in tokenize(sql, names)
        if kind is TokenKind.PARAMETER
    ]


def rewrite(
    sql: str,
    placeholder: Callable[[NamedParameter], str | None],
    names: Collection[str] = (),
) -> str:
    """The text with each named parameter replaced.

    Args:
        sql: Any text.
        placeholder: Called for each occurrence; returns what stands there instead, None to leave it
            as it is.
        names: As in `tokenize`.
    """
    pieces: list[str] = []
    position = 0
    for parameter in parameters(sql, names):
        instead = placeholder(parameter)
        if instead is not None:
            pieces.append(sql[position : parameter.start])
            pieces.append(_apart(sql, parameter.start, instead, parameter.end))
            position = parameter.end
    pieces.append(sql[position:])
    return "".join(pieces)


def _apart(sql: str, start: int, text: str, end: int) -> str:
    """`text` with a space where it would run into its neighbours and make another token."""
    before, after = sql[start - 1 : start], sql[end : end + 1]
    if before and (before in "_$" or before.isalnum()):
        text = " " + text
    if after and (after in "_$" or after.isalnum()):
        text += " "
    return text
