"""FROM as a tree of joins, and which of its sources a condition may close.

A condition on a column of an outer join's nullable side takes the rows without a partner away: then
the join is an inner one. The ON of a LEFT JOIN that stays one closes its right side alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sqlglot import exp

__all__ = [
    "Holds",
    "Leaf",
    "Part",
    "Range",
    "Tree",
    "conjuncts",
    "effective",
    "expanded",
    "is_comma",
]

Part = tuple[exp.Expr, bool]
"""A condition, and whether it stands under NOT."""
Range = tuple[int, int]
"""Numbers of sources: the first, and the one behind the last."""
_FOREVER = 1 << 60
_PAREN_OR_NOT = (exp.Paren, exp.Not)


@dataclass(frozen=True, slots=True)
class Holds:
    """For the rows of which sources a condition holds, as ranges of their numbers.

    Attributes:
        ranges: The ranges; none for the ON of a FULL JOIN.
        sides: The two sides of an outer join, of which the condition is the ON.
    """

    ranges: tuple[Range, ...] = ()
    sides: tuple[Range, ...] = ()

    def has(self, number: int) -> bool:
        """Whether a condition here may close a source."""
        return any(low <= number < high for low, high in self.ranges)

    def needed_for(self, number: int) -> Range | None:
        """The other side of the outer join: where every row has it, the ON may close this source.

        Args:
            number: The source.
        """
        for (low, high), other in zip(self.sides, self.sides[::-1], strict=True):
            if low <= number < high:
                return other
        return None

    def within(self, start: int) -> Holds:
        """The same for a query inside, which sees its own sources too."""
        return Holds((*self.ranges, (start, _FOREVER)))


@dataclass(slots=True)
class Leaf:
    """One source with the numbers of all that stands in it."""

    low: int
    high: int


@dataclass(slots=True)
class Tree:
    """A join of two sides."""

    side: str
    left: Tree | Leaf
    right: Tree | Leaf
    on: list[Part] = field(default_factory=list)
    using: tuple[str, ...] = ()
    natural: bool = False

    @property
    def low(self) -> int:
        """The first number in it."""
        return self.left.low

    @property
    def high(self) -> int:
        """The number behind the last one in it."""
        return self.right.high


def is_comma(join: exp.Join) -> bool:
    """Whether a source stands behind a comma."""
    return not any(join.args.get(key) for key in ("side", "kind", "on", "using", "method"))


def expanded(items: Iterable[object]) -> Iterator[exp.Expr]:
    """Sources and joins in the order of the text, those that the parser hung on a source too."""
    for entry in items:
        if not isinstance(entry, exp.Expr):
            continue
        yield entry
        inner = entry.this if isinstance(entry, exp.Join) else entry
        if isinstance(inner, exp.Expr):
            yield from inner.args.get("joins") or []


def conjuncts(condition: exp.Expr | None, *, negated: bool = False) -> list[Part]:
    """The conditions that all hold where this one does."""
    found: list[Part] = []
    todo: list[tuple[exp.Expr | None, bool]] = [(condition, negated)]
    while todo:
        node, under_not = todo.pop()
        while isinstance(node, _PAREN_OR_NOT):
            under_not ^= isinstance(node, exp.Not)
            node = node.this
        if isinstance(node, exp.Or if under_not else exp.And):
            todo += [(node.expression, under_not), (node.this, under_not)]
        elif node is not None:
            found.append((node, under_not))
    return found


def effective(tree: Tree, rejected: set[int]) -> str:
    """What kind of join it is, where rows without these sources do not stay.

    Args:
        tree: The join.
        rejected: Numbers of sources that every row that stays has.
    """
    of_left = any(tree.left.low <= number < tree.left.high for number in rejected)
    of_right = any(tree.right.low <= number < tree.right.high for number in rejected)
    side = tree.side
    if side == "FULL" and of_left:
        side = "LEFT"
    elif side == "FULL" and of_right:
        side = "RIGHT"
    if (side == "LEFT" and of_right) or (side == "RIGHT" and of_left):
        side = ""
    return side
