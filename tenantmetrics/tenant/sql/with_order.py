"""WITH RECURSIVE in the order of reading.

After RECURSIVE, a query may read one that stands behind it in the list, also where a table has the
same name. The analyses enter each query with those that they have met before.
"""

from __future__ import annotations

from sqlglot import exp

__all__ = ["in_reading_order"]


def in_reading_order(with_: exp.Expr) -> list[exp.CTE]:
    """The queries of a WITH; what is read comes first.

    Args:
        with_: The WITH of a statement.
    """
    ctes: list[exp.CTE] = with_.expressions
    if not with_.args.get("recursive") or len(ctes) == 1:
        return ctes
    by_name = {cte.alias.lower(): cte for cte in ctes}
    reads = {
        name: [
            table.name.lower() for table in cte.this.find_all(exp.Table) if not table.args.get("db")
        ]
        for name, cte in by_name.items()
    }
    ordered: dict[str, exp.CTE] = {}
    entered: set[str] = set()

    def enter(name: str) -> None:
        # Queries that read each other are an error in PostgreSQL: any order will do.
        if name in by_name and name not in entered:
            entered.add(name)
            for other in reads[name]:
                enter(other)
            ordered[name] = by_name[name]

    for name in by_name:
        enter(name)
    # Two of one name are an error, too.
    return list(ordered.values()) if len(ordered) == len(ctes) else ctes
