"""Statements that give the database no work: they set or show what a session holds, or a constant.

Their wall time is overhead and nothing else, which is how much of the others' wall time is known to
be overhead (`servertime`). So only what is known to do nothing counts: a function that is not on
the list, a table, a subquery, and the statement has work. COMMIT has: it waits for the disk.
"""

from __future__ import annotations

from sqlglot import exp

from tenantmetrics.tenant.sql.value_expressions import function_name

__all__ = ["is_workless_query", "is_workless_utility"]

_FREE_FUNCTIONS = frozenset({"current_setting", "pg_backend_pid", "set_config"})
_FREE = frozenset(
    {
        exp.Alias, exp.Array, exp.Boolean, exp.Cast, exp.Column, exp.CurrentDatabase,
        exp.CurrentSchema, exp.CurrentUser, exp.DataType, exp.DataTypeParam, exp.Identifier,
        exp.Literal, exp.Neg, exp.Null, exp.Parameter, exp.Paren, exp.Placeholder, exp.Select,
        exp.SessionUser, exp.Tuple, exp.Var,
    }
)  # fmt: skip
_MAX_NODES = 200
_VERBS = frozenset(
    {"ABORT", "BEGIN", "DEALLOCATE", "RELEASE", "RESET", "ROLLBACK", "SAVEPOINT", "SET", "SHOW",
     "START"}
)  # fmt: skip


def is_workless_utility(summary: str) -> bool:
    """Whether a statement that is no query has no work, by its summary ("SET", "ROLLBACK TO")."""
    return summary.partition(" ")[0] in _VERBS


def is_workless_query(statement: exp.Expr) -> bool:
    """Whether a query has no work: a SELECT without FROM, of constants and free functions.

    Args:
        statement: sqlglot's tree of it.
    """
    if statement.__class__ is not exp.Select:
        return False
    for number, node in enumerate(statement.walk()):
        if number >= _MAX_NODES:
            return False
        if node.__class__ is exp.Anonymous:
            if function_name(node) not in _FREE_FUNCTIONS:
                return False
        elif node.__class__ not in _FREE or (node.__class__ is exp.Select and number):
            return False
    return True
