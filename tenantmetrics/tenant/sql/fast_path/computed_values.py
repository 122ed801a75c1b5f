"""What is taken out of a shape: CASE and arithmetic, subqueries of select lists, windows.

CASE and arithmetic say nothing of whose rows they are. Patterns with these in every place of a
value would take 15 ms to compile, so they are looked for once, in texts that have any. What is
taken out is a value in a select list, in ORDER BY and where it is written; a condition has no place
for it.
"""

from __future__ import annotations

import re

from tenantmetrics.tenant.sql.fast_path import grammar
from tenantmetrics.tenant.sql.lazy_patterns import compiled

__all__ = ["without_computed", "without_subqueries", "without_windows"]

_OPERATION = re.compile(r"4|\+|-|/|\*(?<=[nv)]\*)")
"""Where none of these is, nothing is computed: the other stars are `*`, `b.*` and `count(*)`."""


def without_computed(shape: str) -> str:
    """A shape with `COMPUTED` for each CASE and each sum, difference, product or quotient."""
    if _OPERATION.search(shape):
        if "4" in shape:
            shape = compiled(grammar.CASE).sub(_masked, shape)
        shape = compiled(grammar.ARITHMETIC).sub(_masked, shape)
    return shape


def _masked(found: re.Match[str]) -> str:
    return _mask(found.end() - found.start())


def _mask(length: int) -> str:
    """Stands for some tokens; of two in a row, each has its beginning."""
    return "p" + "_" * (length - 1)


def without_windows(shape: str, start: int, end: int) -> tuple[str, dict[int, tuple[int, int]]]:
    """A shape with the same for each window of a select list that counts rows.

    Args:
        shape: The statement's.
        start: Where the select list begins.
        end: Where it ends.

    Returns:
        The shape, and by each window's place where the columns of its PARTITION BY stand.
    """
    windows: dict[int, tuple[int, int]] = {}
    for found in compiled(grammar.RANKED).finditer(shape, start, end):
        windows[found.start()] = found.span("partition")
        shape = shape[: found.start()] + _masked(found) + shape[found.end() :]
    return shape, windows


def without_subqueries(shape: str, at: int) -> tuple[str, list[int]]:
    """A shape with the same for each subquery of a select list: they are read when FROM is.

    Args:
        shape: The statement's.
        at: Where the SELECT begins.

    Returns:
        The shape, and the place of each subquery's SELECT.
    """
    pieces: list[str] = []
    found: list[int] = []
    last = at
    while True:
        start = shape.find("(S", last)
        end = shape.find("F", last)
        if start < 0 or end < start:
            break
        begin = start - 1 if shape.startswith("E", start - 1) else start
        end = _closing(shape, start)
        pieces += (shape[last:begin], _mask(end - begin))
        found.append(start + 1)
        last = end
    return shape[:at] + "".join(pieces) + shape[last:], found


def _closing(shape: str, at: int) -> int:
    """Where an open parenthesis is closed, or the end."""
    depth = 0
    for place in range(at, len(shape)):
        if shape[place] == "(":
            depth += 1
        elif shape[place] == ")":
            depth -= 1
            if not depth:
                return place + 1
    return len(shape)
