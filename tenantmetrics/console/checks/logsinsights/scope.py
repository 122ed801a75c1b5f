"""Which fields there are, command after command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tenantmetrics.console.checks.logsinsights.language import EMF_FIELDS, OWN_FIELDS, SLIP, STATS
from tenantmetrics.console.checks.logsinsights.trees import (
    QueryFault,
    fault_at,
    subtrees,
    token_of,
    tokens,
)
from tenantmetrics.console.known import close_to

if TYPE_CHECKING:
    from lark import Token, Tree

__all__ = ["FieldScope"]

_GROUP = re.compile(r"\(\?<(\w+)>")
_DEFAULT_NAMES = {"addtotals": "Total", "sessionize": "session_id", "countfrequent": "_approxcount"}
"""What a command calls its field where the query does not."""

_OTHER_FIELDS = frozenset(
    {"anomaly", "appendcols", "diff", "logcompare", "pattern", "relevantfields"}
)
"""Commands after which there are fields that the query does not name."""


_MAX_LAG = 100
"""Fields of autoregress that are known by name; nobody looks further back."""


class FieldScope:
    """The fields that a command may use.

    Attributes:
        counted: Whether stats came before.
    """

    def __init__(self, *, ours: bool) -> None:
        self.counted = False
        self._ours = ours
        self._made: set[str] = set()
        self._left: set[str] | None = None
        """What stats left; None while there are all fields of a record."""
        self._any = False

    def faults(self, command: Tree[Token]) -> Iterator[QueryFault]:
        """Fields of a command that no record has, or that stats did not leave."""
        if command.data in {"source", "lookup", "join"} or self._any:
            return
        there = self._made
        if command.data in STATS:
            there = there | set(_aliases(command))  # arithmetic on columns of the same stats
        seen = set()
        for field in subtrees(command, "field", "parsed"):
            name = _plain(token_of(field).value)
            if name in seen or name in there or _root(name) in there:
                continue
            seen.add(name)
            if what := self._fault(name):
                yield fault_at(token_of(field), what)

    def after(self, command: Tree[Token]) -> None:
        """Take note of what a command makes and of what it leaves."""
        made = set(_aliases(command)) | set(_regex_groups(command))
        if default := _DEFAULT_NAMES.get(str(command.data)):
            made.add(default)
        if command.data == "lookup":
            made |= {_plain(token_of(out).value) for out in subtrees(command, "looked_up")}
        if command.data == "join":
            made |= {value.value for value in tokens(command, "OPTION_VALUE")}
        if command.data == "autoregress":
            (name, *_) = _fields(command)
            made |= {f"{name}_p{lag}" for lag in range(1, _MAX_LAG)}
        if command.data in STATS:
            self.counted = True
            groups = {name for by in subtrees(command, "by") for name in _fields(by)}
            self._left, self._made, self._any = made | groups, set(), False
        elif command.data == "countfrequent":
            self._left, self._made = made | set(_fields(command)), set()
        else:
            self._made |= made
        if command.data in _OTHER_FIELDS:
            self._any = True

    def _fault(self, name: str) -> str | None:
        if "${" in name or "(" in name:
            return None  # filled in later; a column by its text, such as `count(*)`
        own = name.startswith("@")
        if self._left is not None:
            if name in self._left or _root(name) in self._left or (own and not self._ours):
                return None
            return f"after stats there is no field {name!r}{close_to(name, self._left)}"
        if own:
            hint = "" if name in OWN_FIELDS else close_to(name, OWN_FIELDS, SLIP)
            return f"there is no field {name!r}{hint}" if hint else None
        if self._ours and _root(name) not in EMF_FIELDS:
            return f"EMF documents have no field {name!r}{close_to(name, EMF_FIELDS)}"
        return None


def _fields(tree: Tree[Token]) -> Iterator[str]:
    for field in subtrees(tree, "field"):
        yield _plain(token_of(field).value)


def _aliases(command: Tree[Token]) -> Iterator[str]:
    for alias in subtrees(command, "alias"):
        yield _plain(token_of(alias).value.strip("'\""))


def _regex_groups(command: Tree[Token]) -> Iterator[str]:
    for token in tokens(command, "REGEX"):
        yield from _GROUP.findall(token.value)


def _plain(name: str) -> str:
    return name.replace("`", "")


def _root(name: str) -> str:
    """The field that a path such as `a.b[0]` begins with."""
    return re.split(r"[.\[]", name, maxsplit=1)[0]
