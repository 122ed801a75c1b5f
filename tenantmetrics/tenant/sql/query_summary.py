"""One walk over a parsed statement, in the order of its text: what it speaks of, and its summary.

The summary follows OpenTelemetry's rules for `db.query.summary`: operations and their targets as
they stand in the text (`SELECT bookings users`, `INSERT INTO bookings SELECT archive`), no values,
no aliases, at most 255 characters and never cut inside a token. A schema that is a tenant's own is
left out, so that one statement has one summary whoever it is for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from tenantmetrics.limits import QUERY_SUMMARY_MAX_CHARS
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.sqlglot_trees import schema_of

__all__ = ["Survey", "clipped", "is_inside", "survey", "unread_ctes"]

_BESIDE = frozenset({exp.Join, exp.Lateral, exp.Unnest, exp.Values})
"""What stands beside a table, where it is not what an INSERT writes."""
_OF_TABLE = ("rows_from", "sample", "joins", "laterals")
"""What may hold queries beside a table's name."""
_LEAVES = frozenset(
    {exp.Literal, exp.Placeholder, exp.Null, exp.Boolean, exp.Star, exp.DataType, exp.Var},
)
_CHANGES: dict[type[exp.Expr], str] = {
    exp.Insert: "INSERT INTO",
    exp.Update: "UPDATE",
    exp.Delete: "DELETE FROM",
    exp.Merge: "MERGE INTO",
}
_STATEMENT = 0
"""Stands for the statement itself among the ids of its WITH queries."""
# Arguments that stand before the others in the text, in its order.
_FIRST: dict[type[exp.Expr], tuple[str, ...]] = {
    exp.Select: ("expressions", "from_", "laterals", "joins"),
    exp.Table: ("alias", "joins"),
}


@dataclass(slots=True)
class Survey:
    """What a statement speaks of.

    Attributes:
        parts: The summary's tokens.
        functions: Calls of functions that PostgreSQL's grammar does not know, in order.
        tables: Tables with their schema, CTEs left out: the table in lower case, the schema as
            PostgreSQL reads it.
        reads: Whether any table or CTE is read or written.
        several: Whether rows of something else may stand beside those of a table.
        mentions: Whether a tenant column occurs.
    """

    parts: list[str] = field(default_factory=list)
    functions: list[exp.Anonymous] = field(default_factory=list)
    tables: list[tuple[str, str]] = field(default_factory=list)
    reads: bool = False
    several: bool = False
    mentions: bool = False


def survey(statement: exp.Expr, vocabulary: Vocabulary) -> Survey:  # noqa: C901, PLR0912, PLR0915 - hot
    """Walk over a statement; one loop, since it is most of a first sight beside the parser."""
    found = Survey()
    columns = vocabulary.columns
    ctes: set[str] = set()
    todo: list[exp.Expr | str] = [statement]
    pop = todo.pop
    while todo:
        node = pop()
        kind = node.__class__
        if kind is str:
            found.parts.append(node)  # type: ignore[arg-type]
            continue
        args = node.args  # type: ignore[union-attr]
        if kind is exp.Column:
            name = args["this"]
            if name.__class__ is exp.Identifier and name.args["this"].lower() in columns:
                found.mentions = True
            continue
        if kind is exp.Identifier:
            found.mentions = found.mentions or args["this"].lower() in columns
            continue
        if kind in _LEAVES:
            continue
        first: tuple[str, ...] = ()
        if kind is exp.Table:
            _table(node, found, ctes, vocabulary)  # type: ignore[arg-type]
            if not isinstance(args.get("this"), exp.Func):
                args = {key: args.get(key) for key in _OF_TABLE}
        elif kind in _BESIDE:
            found.several = found.several or not isinstance(node.parent, exp.Insert)  # type: ignore[union-attr]
        elif kind is exp.Anonymous:
            found.functions.append(node)  # type: ignore[arg-type]
        elif kind is exp.CTE:
            ctes.add(node.alias.lower())  # type: ignore[union-attr]
            args = {"this": args.get("this")}
        elif kind is exp.Select:
            first = _FIRST[exp.Select]
        elif kind in _CHANGES:
            first = ("this",)
        if first:
            todo += _in_order(args, first)
            verb = "SELECT" if kind is exp.Select else _CHANGES[kind]  # type: ignore[index]
            if not isinstance(node.parent, exp.When):  # type: ignore[union-attr]
                todo.append(verb)
        else:
            for key, value in reversed(args.items()):
                if key == "with_":
                    # It comes first, wherever the parser keeps it.
                    continue
                if value.__class__ is list:
                    todo += [item for item in reversed(value) if isinstance(item, exp.Expr)]
                elif isinstance(value, exp.Expr):
                    todo.append(value)
        if (with_ := args.get("with_")) is not None:
            todo.append(with_)
    return found


def _in_order(args: dict[str, Any], first: tuple[str, ...]) -> list[exp.Expr]:
    """The children for the stack: some keys' before the others', but WITH."""
    keys = [*first, *(key for key, value in args.items() if value and key not in first)]
    return [
        child
        for key in reversed(keys)
        if key != "with_" and (value := args.get(key))
        for child in _children(value)
    ]


def _children(value: object) -> list[exp.Expr]:
    if isinstance(value, list):
        return [item for item in reversed(value) if isinstance(item, exp.Expr)]
    return [value] if isinstance(value, exp.Expr) else []


def _table(node: exp.Table, found: Survey, ctes: set[str], vocabulary: Vocabulary) -> None:
    """A table's name as written, quoted where it holds a blank."""
    if isinstance(node.args.get("this"), exp.Func) or node.args.get("rows_from"):
        # Its rows may stand beside a table that is changed: `UPDATE a … FROM f(…) x`.
        found.several = True
        return
    found.reads = True
    name, schema = node.name, schema_of(node)
    if not name:
        return
    # What is changed is a table, whatever WITH queries have its name.
    changed = node.arg_key == "this" and node.parent.__class__ in _CHANGES
    if schema or changed or name.lower() not in ctes:
        found.tables.append((schema, name.lower()))
    names = [part.name for part in node.parts]
    if schema and vocabulary.of_schema(schema) is not None:
        names = names[-1:]
    text = ".".join(names)
    found.parts.append(f'"{text}"' if any(map(str.isspace, text)) else text)


def clipped(parts: list[str]) -> str:
    """Tokens joined by blanks, as many whole ones as fit."""
    text = " ".join(parts)
    if len(text) <= QUERY_SUMMARY_MAX_CHARS:
        return text
    kept = ""
    for part in parts:
        longer = f"{kept} {part}" if kept else part
        if len(longer) > QUERY_SUMMARY_MAX_CHARS:
            break
        kept = longer
    return kept


def unread_ctes(statement: exp.Expr) -> set[int]:
    """The ids of WITH queries that nothing reads: PostgreSQL does not run them."""
    by_name: dict[str, list[int]] = {}
    todo = [_STATEMENT]
    for cte in statement.find_all(exp.CTE):
        by_name.setdefault(cte.alias.lower(), []).append(id(cte))
        if isinstance(cte.this, exp.DML):
            todo.append(id(cte))
    reads: dict[int, list[str]] = {}
    for table in statement.find_all(exp.Table):
        if not table.args.get("db"):
            reader = table.find_ancestor(exp.CTE)
            where = id(reader) if reader is not None else _STATEMENT
            reads.setdefault(where, []).append(table.name.lower())
    run: set[int] = set()
    while todo:
        reader_id = todo.pop()
        if reader_id not in run:
            run.add(reader_id)
            for name in reads.get(reader_id, ()):
                todo += by_name.get(name, ())
    return {number for numbers in by_name.values() for number in numbers} - run


def is_inside(node: exp.Expr, ctes: set[int]) -> bool:
    """Whether a part stands in one of some WITH queries."""
    above = node.find_ancestor(exp.CTE) if ctes else None
    while above is not None and id(above) not in ctes:
        above = above.find_ancestor(exp.CTE)
    return above is not None
