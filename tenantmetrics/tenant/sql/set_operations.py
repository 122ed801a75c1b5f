"""UNION, INTERSECT and EXCEPT: rows of all branches, of both sides, of the first side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from tenantmetrics.tenant.sql.query_scope import CLEAR, OPEN, UNKNOWN, Derived, Facts, QueryScope
from tenantmetrics.tenant.sql.restrictions import Also, Either, Joined, Restriction
from tenantmetrics.tenant.sql.sqlglot_trees import unwrapped

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.queries import Queries

__all__ = ["rows_of_any", "set_operation"]


def set_operation(
    queries: Queries, node: exp.SetOperation, names: QueryScope, facts: Facts | None
) -> Derived:
    """Analyse a set operation: its rows are any branch's, its columns named by the first.

    Args:
        queries: Analyses the branches.
        node: The outermost operation.
        names: What its outer names mean.
        facts: Of the query around it, where it may refer to that one's columns.
    """
    own = Facts(facts)
    inner = QueryScope(names, queries.vocabulary)
    queries.with_clause(node, inner, own)
    # A loop over the left side: a thousand UNIONs are a thousand levels of the tree.
    operations: list[exp.SetOperation] = []
    left: exp.Expr = node
    while isinstance(left, exp.SetOperation):
        operations.append(left)
        left = unwrapped(left.this)
    first = queries.derive(left, inner, facts)
    result, columns, star = first.node, dict(first.columns), first.star
    pending: list[Restriction] = [result]
    for operation in reversed(operations):
        right = queries.derive(operation.expression, inner, facts)
        if isinstance(operation, exp.Union):
            pending.append(right.node)
        else:
            whole = rows_of_any(pending)
            if isinstance(operation, exp.Intersect):
                pending = [Joined((whole, right.node))]
            else:
                pending = [Also(whole, (right.node,))]
        names.budget.spend(len(columns) // 8)
        # A column is a tenant's only if each branch has one in its place.
        kinds = list(right.columns.values())
        columns = {
            name: kind and not first.values.get(name) and (index >= len(kinds) or kinds[index])
            for index, (name, kind) in enumerate(columns.items())
        }
        star = star or right.star
    result = rows_of_any(pending)
    if own.beside:
        result = UNKNOWN if own.changes_all else Also(result, tuple(own.beside))
    return Derived(result, columns, star)


def rows_of_any(branches: list[Restriction]) -> Restriction:
    """Rows of any branch. Branches of which none restricts its rows do not together either."""
    if len(branches) == 1:
        return branches[0]
    touching = [branch for branch in branches if branch is not CLEAR]
    if all(branch is OPEN for branch in touching):
        return OPEN if touching else CLEAR
    return Either(tuple(branches))
