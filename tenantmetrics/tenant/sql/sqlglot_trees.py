"""Sqlglot's trees: what stands inside parentheses, what a query reads from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlglot import exp

__all__ = [
    "alias_columns",
    "function_read",
    "is_join_in_parentheses",
    "leftmost",
    "outside_queries",
    "read_from",
    "schema_of",
    "sources_of",
    "unwrapped",
]

# Tuples, because `A | B` inside isinstance() is built anew at each call.
_SUBQUERY_OR_PAREN = (exp.Subquery, exp.Paren)
_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery)


def alias_columns(item: exp.Expr) -> list[str]:
    """The column names that an alias gives a source: `AS b(id, owner)`."""
    alias = item.args.get("alias")
    columns = alias.args.get("columns") if isinstance(alias, exp.Expr) else None
    return [column.name.lower() for column in columns or []]


def unwrapped(node: exp.Expr) -> exp.Expr:
    """A query without the parentheses around it."""
    while isinstance(node, _SUBQUERY_OR_PAREN) and not node.args.get("with_"):
        node = node.this
    if node.__class__ is exp.Select and len(node.expressions) == 1:
        # The parser writes VALUES as SELECT * FROM (VALUES …).
        from_ = node.args.get("from_")
        if isinstance(node.expressions[0], exp.Star) and from_ is not None:
            others = {key for key, value in node.args.items() if value} - {"expressions", "from_"}
            if (
                isinstance(from_.this, exp.Values)
                and not others
                and (from_.this.alias in {"", "_values"})
            ):
                values: exp.Expr = from_.this
                return values
    return node


def read_from(select: exp.Expr) -> list[exp.Expr]:
    """The first source of FROM and the joins, in the order of the text."""
    from_ = select.args.get("from_")
    joined = [*(select.args.get("laterals") or []), *(select.args.get("joins") or [])]
    return [from_.this, *joined] if from_ is not None else joined


def schema_of(node: exp.Expr) -> str:
    """The schema of a table or column; PostgreSQL reads it in lower case where it is not quoted."""
    schema = node.args.get("db")
    if not isinstance(schema, exp.Identifier):
        return schema if isinstance(schema, str) else ""
    name: str = schema.args["this"]
    return name if schema.args.get("quoted") else name.lower()


def sources_of(items: Iterable[object]) -> Iterator[tuple[exp.Expr, exp.Join | None]]:
    """Sources, those of a join in parentheses one by one, each with the join that brings it in."""
    for entry in items:
        # The parser leaves flags where a broken text has no table.
        if not isinstance(entry, exp.Expr):
            continue
        join = entry if isinstance(entry, exp.Join) else None
        item = entry.this if join is not None else entry
        if not isinstance(item, exp.Expr):
            continue
        if is_join_in_parentheses(item):
            within = list(sources_of([item.this]))
            yield within[0][0], join
            yield from within[1:]
        else:
            yield item, join
        yield from sources_of(item.args.get("joins") or [])


def is_join_in_parentheses(item: exp.Expr) -> bool:
    """Whether a source of FROM is a join in parentheses, and not a query."""
    return (
        isinstance(item, exp.Subquery)
        and not item.alias
        and (
            isinstance(item.this, exp.Table | exp.Lateral | exp.Unnest)
            or (isinstance(item.this, exp.Subquery) and bool(item.this.alias))
        )
    )


def outside_queries(node: exp.Expr) -> Iterator[exp.Expr]:
    """All parts of an expression that are not inside a subquery."""
    todo = [node]
    while todo:
        part = todo.pop()
        if not isinstance(part, _QUERIES):
            yield part
            todo.extend(part.iter_expressions())


def leftmost(node: exp.Expr) -> exp.Expr:
    """The first branch, which a recursive query begins with."""
    while isinstance(node, exp.SetOperation):
        node = unwrapped(node.this)
    return node


def function_read(table: exp.Table) -> exp.Func | None:
    """The function whose rows a source of FROM has: `f(…)`, and `ROWS FROM (f(…))` of one alone."""
    function = table.this
    if function is None and len(several := table.args.get("rows_from") or []) == 1:
        function = several[0].this
    return function if isinstance(function, exp.Func) else None
