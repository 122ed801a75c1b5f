"""Ways through a query's tree; what is inside a subquery belongs to the subquery."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lark import Token, Tree

__all__ = ["QueryFault", "calls", "fault_at", "subqueries", "subtrees", "token_of", "tokens"]


class QueryFault(NamedTuple):
    """A fault, and where it begins in the text, from 0."""

    position: int
    what: str


def fault_at(token: Token, what: str) -> QueryFault:
    """A fault that begins at a token."""
    return QueryFault(token.start_pos or 0, what)


def subtrees(tree: Tree[Token], *names: str) -> Iterator[Tree[Token]]:
    """The tree and those in it, from left to right, or only those of some names."""
    if not names or tree.data in names:
        yield tree
    for child in tree.children:
        if not isinstance(child, str) and child.data != "subquery":
            yield from subtrees(child, *names)


def tokens(tree: Tree[Token], *types: str) -> Iterator[Token]:
    """The tokens of some types, from left to right."""
    for subtree in subtrees(tree):
        for child in subtree.children:
            if isinstance(child, str) and child.type in types:
                yield child


def subqueries(tree: Tree[Token]) -> Iterator[Tree[Token]]:
    """The queries in parentheses that a command has."""
    for subtree in subtrees(tree):
        for child in subtree.children:
            if not isinstance(child, str) and child.data == "subquery":
                yield child.children[0]  # type: ignore[misc]  # its one child is a query


def calls(tree: Tree[Token]) -> Iterator[Tree[Token]]:
    """The calls of functions, the outer before the inner."""
    return subtrees(tree, "call")


def token_of(tree: Tree[Token]) -> Token:
    """The first token of a tree: a call's name, a field's, a command's."""
    first = tree.children[0]
    return first if isinstance(first, str) else token_of(first)
