"""`ROWS FROM (unnest(a), unnest(b))`: what PostgreSQL makes of `unnest(a, b)`."""

from __future__ import annotations

from sqlglot import exp

__all__ = ["unnests_as_one"]


def unnests_as_one(statement: exp.Expr) -> None:
    """Put one `unnest` in the place of each ROWS FROM that has nothing but those.

    Args:
        statement: A tree; changed in place.
    """
    for table in list(statement.find_all(exp.Table)):
        arrays = [_array(one) for one in table.args.get("rows_from") or ()]
        if not arrays or None in arrays:
            continue
        alias = table.args.get("alias")
        counted: exp.Expr | bool = bool(table.args.get("ordinality"))
        if counted and alias is not None and len(alias.columns) > len(arrays):
            counted = alias.columns[-1]
            alias.set("columns", alias.columns[:-1])
        more = {name: table.args[name] for name in ("joins", "laterals") if table.args.get(name)}
        table.replace(exp.Unnest(expressions=arrays, alias=alias, offset=counted, **more))


def _array(function: exp.Expr) -> exp.Expr | None:
    """What an `unnest` of one array without names of its own is given; None for anything else."""
    if not isinstance(function, exp.Unnest) or function.args.get("alias") is not None:
        return None
    return function.expressions[0] if len(function.expressions) == 1 else None
