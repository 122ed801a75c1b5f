"""The subqueries of a select list, taken out of its shape: they are read when FROM is."""

from __future__ import annotations

from tenantmetrics.tenant.sql.fast_path import grammar

__all__ = ["without_subqueries"]


def without_subqueries(shape: str, at: int) -> tuple[str, list[int]]:
    """A shape with other letters for the subqueries of a select list, as many.

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
        pieces += (shape[last:begin], grammar.SUBQUERY * (end - begin))
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
