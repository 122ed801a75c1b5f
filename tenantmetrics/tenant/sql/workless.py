"""Queries that do no work in the database: `SELECT 1`, `SELECT set_config(…)`.

They cost a round trip and nothing else, so they measure what a call costs beside its work. Only
what is known to be free counts: constants, parameters, casts between PostgreSQL's own types, and a
few functions that read the session's state. Every other function may do anything (`pg_sleep`,
`nextval`, one of the application's own), and so may a cast to a type that the application made.
"""

from __future__ import annotations

from sqlglot import exp

__all__ = ["does_no_work"]

_FREE = frozenset(
    {
        exp.Alias,
        exp.Boolean,
        exp.Coalesce,
        exp.CurrentCatalog,
        exp.CurrentDatabase,
        exp.CurrentDate,
        exp.CurrentSchema,
        exp.CurrentTime,
        exp.CurrentTimestamp,
        exp.CurrentUser,
        exp.CurrentVersion,
        exp.Literal,
        exp.Neg,
        exp.Null,
        exp.Nullif,
        exp.Parameter,
        exp.Paren,
        exp.Placeholder,
        exp.SessionUser,
    },
)
_FREE_FUNCTIONS = frozenset(
    {
        "current_database",
        "current_schema",
        "current_setting",
        "now",
        "pg_backend_pid",
        "pg_is_in_recovery",
        "set_config",
        "version",
    },
)
"""PostgreSQL's own that sqlglot has no class for, everywhere or behind `pg_catalog.`."""
_OWN_TYPES = frozenset(
    {
        exp.DType.BIGINT,
        exp.DType.BOOLEAN,
        exp.DType.DATE,
        exp.DType.DECIMAL,
        exp.DType.DOUBLE,
        exp.DType.FLOAT,
        exp.DType.INT,
        exp.DType.JSON,
        exp.DType.JSONB,
        exp.DType.NAME,
        exp.DType.SMALLINT,
        exp.DType.TEXT,
        exp.DType.TIMESTAMP,
        exp.DType.TIMESTAMPTZ,
        exp.DType.UUID,
        exp.DType.VARCHAR,
    },
)
_CATALOG = "pg_catalog"


def does_no_work(statement: exp.Expr) -> bool:
    """Whether running a query is free in the database, whatever its parameters are.

    Args:
        statement: A parsed statement.
    """
    if statement.__class__ is not exp.Select:
        return False
    clauses = [key for key, value in statement.args.items() if value]
    return clauses == ["expressions"] and all(map(_is_free, statement.expressions))


def _is_free(item: exp.Expr) -> bool:
    todo: list[exp.Expr] = [item]
    while todo:
        part = todo.pop()
        kind = part.__class__
        if kind is exp.Cast:
            if not _is_own(part.args["to"]):
                return False
            todo.append(part.this)
        elif kind is exp.Alias:
            todo.append(part.this)
        elif kind is exp.Dot and part.this.__class__ is exp.Identifier:
            schema = part.this.name
            if (schema if part.this.args.get("quoted") else schema.lower()) != _CATALOG:
                return False
            todo.append(part.expression)
        elif kind is exp.Anonymous:
            # A name in quotation marks is no string here, and may be another function's.
            name = part.this
            if name.__class__ is not str or name.lower() not in _FREE_FUNCTIONS:
                return False
            todo += part.expressions
        elif kind in _FREE:
            todo += part.iter_expressions()
        else:
            return False
    return True


def _is_own(kind: exp.Expr) -> bool:
    return kind.__class__ is exp.DataType and kind.this in _OWN_TYPES
