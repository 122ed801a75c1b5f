"""What a policy's expression says: does it tie a row to the session's tenant, and at what cost.

Expressions are read as PostgreSQL writes them (`pg_get_expr`) by sqlglot. What it cannot read is
taken to tie a row if it names one of its columns: a rule must not cry wolf.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.simplify import simplify

from tenantmetrics.sqltext import TokenKind, tokenize

__all__ = [
    "Binding",
    "FunctionCall",
    "binding",
    "calls_of",
    "compared_columns",
    "is_true",
    "session_user",
    "settings_of",
    "wrapped_columns",
]


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function that an expression calls; the schema is empty where none is written."""

    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A call of `current_setting`.

    Attributes:
        missing_ok: No error where the variable was never set.
        once: In a sub-SELECT, which PostgreSQL evaluates once a statement.
    """

    missing_ok: bool
    once: bool


@dataclass(frozen=True, slots=True)
class Binding:
    """How an expression ties a row to the session.

    Attributes:
        binds: Every row that it lets through is of the session's tenant.
        free: There is an OR, of which one branch binds and another does not.
        true: It lets every row through, whatever it is.
        literal: It compares with constants, the same for every session.
    """

    binds: bool
    free: bool = False
    true: bool = False
    literal: bool = False


@lru_cache(maxsize=1024)
def _tree(text: str) -> exp.Expr | None:
    try:
        return parse_one(text, dialect="postgres") if text else None
    except (SqlglotError, RecursionError):
        return None


def _bare(node: exp.Expr | None) -> exp.Expr | None:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def _inner(node: exp.Expr | None) -> exp.Expr | None:
    """Without parentheses and casts."""
    while isinstance(node, exp.Paren | exp.Cast):
        node = node.this
    return node


def is_true(text: str) -> bool:
    """Whether an expression is true for every row: `true`, `1 = 1`, `a OR true`."""
    tree = _tree(text)
    return tree is not None and _constant(tree) is True


def _constant(tree: exp.Expr) -> bool | None:
    if tree.find(exp.Column, exp.Anonymous, exp.Select) is None or tree.find(exp.Or):
        plain = tree.copy().transform(
            lambda node: (
                node.this
                if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal)
                else node
            )
        )
        try:
            simple = _inner(simplify(plain, dialect="postgres"))
        except (SqlglotError, RecursionError, ValueError, TypeError):
            return None
        if isinstance(simple, exp.Boolean):
            return bool(simple.this)
    return None


def binding(text: str, column: str | None) -> Binding:
    """How an expression ties a row to the session.

    Args:
        text: As PostgreSQL writes it; empty for none.
        column: The tenant column; None where any column that is compared will do.
    """
    tree = _tree(text)
    if tree is None:
        # Not readable, or not there.
        return Binding(binds=bool(text) and (column is None or column in text))
    if _constant(tree) is True:
        return Binding(binds=False, true=True)
    branches = list(_alternatives(tree))
    bound = [_binds(branch, column) for branch in branches]
    return Binding(
        binds=all(bound),
        free=len(branches) > 1 and any(bound) and not all(bound),
        true=any(_constant(branch) is True for branch in branches),
        literal=not any(bound) and any(_literal(branch, column) for branch in branches),
    )


def _alternatives(node: exp.Expr | None) -> Iterator[exp.Expr]:
    node = _bare(node)
    if isinstance(node, exp.Or):
        yield from _alternatives(node.this)
        yield from _alternatives(node.expression)
    elif node is not None:
        yield node


def _binds(node: exp.Expr | None, column: str | None) -> bool:  # noqa: C901, PLR0911 - by kind
    node = _bare(node)
    if isinstance(node, exp.And):
        return _binds(node.this, column) or _binds(node.expression, column)
    if isinstance(node, exp.Or):
        return _binds(node.this, column) and _binds(node.expression, column)
    if isinstance(node, exp.Case):
        results = [branch.args["true"] for branch in node.args["ifs"]]
        results += [node.args["default"]] if node.args.get("default") else []
        return all(_binds(result, column) or _is_false(result) for result in results)
    if isinstance(node, exp.Coalesce):
        rest = node.expressions
        return _binds(node.this, column) and all(
            _is_false(alternative) or _binds(alternative, column) for alternative in rest
        )
    if isinstance(node, exp.Not):
        inner = _bare(node.this)
        return isinstance(inner, exp.NullSafeNEQ | exp.NEQ) and _equates(
            inner.this, inner.expression, column
        )
    if isinstance(node, exp.EQ | exp.NullSafeEQ | exp.Operator):
        if isinstance(node, exp.Operator) and not str(node.args.get("operator")).endswith("="):
            return False
        return _equates(node.this, node.expression, column)
    if isinstance(node, exp.In):
        query = node.args.get("query")
        # Of a sub-SELECT any column will do: a key of the parent, whose own policies hold.
        return query is not None and _equates(node.this, query, None)
    if isinstance(node, exp.Exists):
        # A sub-SELECT that names the row: a membership or a parent, whose own policies hold.
        inside = {table.alias_or_name for table in node.find_all(exp.Table)}
        return any(found.table not in inside for found in node.find_all(exp.Column) if found.table)
    if isinstance(node, exp.Dot | exp.Func):
        # A function of the row may be anything; one that does not see the row ties nothing.
        return any(_is_column(found, column) for found in node.find_all(exp.Column))
    return False


def _is_false(node: exp.Expr) -> bool:
    inner = _inner(node)
    return isinstance(inner, exp.Null) or (isinstance(inner, exp.Boolean) and not inner.this)


def _equates(left: exp.Expr, right: exp.Expr, column: str | None) -> bool:
    for side, other in ((left, right), (right, left)):
        wanted = None if isinstance(other, exp.Any) and other.find(exp.Select) else column
        named = [found for found in side.find_all(exp.Column) if _is_column(found, wanted)]
        if named and side.find(exp.Select) is None and _of_session(other):
            return True
    return False


def _of_session(node: exp.Expr) -> bool:
    """Whether a value may differ from session to session: no constant, no column of the row."""
    if node.find(exp.Select):
        return True
    if node.find(exp.Column):
        return False
    return node.find(exp.Anonymous, exp.CurrentUser, exp.SessionUser, exp.Dot) is not None


def _literal(node: exp.Expr, column: str | None) -> bool:
    return any(
        any(_is_column(found, column) for found in pair.this.find_all(exp.Column))
        and not _of_session(pair.expression)
        and not pair.expression.find(exp.Column)
        for pair in node.find_all(exp.EQ)
    )


def _is_column(found: exp.Column, column: str | None) -> bool:
    return column is None or found.name == column


def compared_columns(text: str) -> set[str]:
    """Columns that an expression compares with a value of `current_setting` or a function."""
    tree = _tree(text)
    if tree is None:
        return set()
    found = set()
    for pair in tree.find_all(exp.EQ, exp.NullSafeEQ):
        if pair.find_ancestor(exp.Select):
            continue
        for side, other in ((pair.this, pair.expression), (pair.expression, pair.this)):
            inner = _inner(side)
            if isinstance(inner, exp.Column) and _of_session(other) and _session_value(other):
                found.add(inner.name)
    return found


def _session_value(node: exp.Expr) -> bool:
    return any(
        call.name.lower() == "current_setting" or isinstance(call.parent, exp.Dot)
        for call in node.find_all(exp.Anonymous)
    )


def settings_of(text: str) -> list[Setting]:
    """Every call of `current_setting` in an expression."""
    tree = _tree(text)
    if tree is None:
        return []
    return [
        Setting(
            missing_ok=len(call.expressions) > 1 and not _is_false(call.expressions[1]),
            once=_uncorrelated(call),
        )
        for call in tree.find_all(exp.Anonymous)
        if call.name.lower() == "current_setting"
    ]


def _uncorrelated(call: exp.Expr) -> bool:
    """Whether a call stands in a sub-SELECT without tables of its own."""
    select = call.find_ancestor(exp.Select)
    return select is not None and (
        select.args.get("from_") is None and select.args.get("from") is None
    )


def wrapped_columns(text: str) -> set[str]:
    """Columns that are compared inside a function or a cast, with `current_setting`."""
    tree = _tree(text)
    found: set[str] = set()
    if tree is None:
        return found
    for pair in tree.find_all(exp.EQ, exp.NullSafeEQ):
        if pair.find_ancestor(exp.Select):
            continue
        for side, other in ((pair.this, pair.expression), (pair.expression, pair.this)):
            bare = _inner(side)  # a cast of varchar to text is none for PostgreSQL
            if isinstance(bare, exp.Func | exp.Dot) and _of_session(other):
                if bare.find(exp.Select):
                    continue
                found.update(column.name for column in bare.find_all(exp.Column))
    return found


def session_user(text: str) -> bool:
    """Whether a column is compared with `current_user` or `session_user`."""
    tree = _tree(text)
    return tree is not None and any(
        isinstance(_inner(other), exp.CurrentUser | exp.SessionUser)
        and isinstance(_inner(side), exp.Column)
        for pair in tree.find_all(exp.EQ)
        for side, other in ((pair.this, pair.expression), (pair.expression, pair.this))
    )


def calls_of(text: str) -> list[FunctionCall]:
    """Every function that a text calls: a name before a parenthesis, whatever it is called by."""
    tokens = [token for token in tokenize(text) if token.kind not in _BLANK]
    found = []
    for index, token in enumerate(tokens[:-1]):
        follows = text[tokens[index + 1].start : tokens[index + 1].end]
        if token.kind not in _NAMES or follows != "(":
            continue
        schema = ""
        if index > 1 and text[tokens[index - 1].start : tokens[index - 1].end] == ".":
            schema = _name(text[tokens[index - 2].start : tokens[index - 2].end])
        found.append(FunctionCall(schema, _name(text[token.start : token.end])))
    return found


def _name(text: str) -> str:
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()


_BLANK = frozenset({TokenKind.SPACE, TokenKind.COMMENT})
_NAMES = frozenset({TokenKind.WORD, TokenKind.QUOTED})
