"""Expressions that stand for a value: literal, parameter, cast, the session's own."""

from __future__ import annotations

import re
from dataclasses import replace
from enum import Enum
from typing import TypeGuard

from sqlglot import exp

from tenantmetrics.tenant.sql.long_lists import range_of_string
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.parser import PREFIX
from tenantmetrics.tenant.sql.template import slot_of_number, slot_of_string

__all__ = [
    "SESSION",
    "SessionValue",
    "bare",
    "function_name",
    "kept_cast",
    "leaf_operand",
    "only_value",
    "size_of_cast",
    "value_operand",
]

# Tuples, because `A | B` inside isinstance() is built anew at each call.
_SUBQUERY_OR_SELECT = (exp.Subquery, exp.Select)


class SessionValue(Enum):
    """The one value that is not in the text: what the session holds."""

    SESSION = "session"


SESSION = SessionValue.SESSION

_CASTS = {
    exp.DType.TEXT: "text",
    exp.DType.VARCHAR: "text",
    exp.DType.NVARCHAR: "text",
    exp.DType.NAME: "text",
    exp.DType.USERDEFINED: "text",
    exp.DType.UUID: "uuid",
    exp.DType.SMALLINT: "number",
    exp.DType.INT: "number",
    exp.DType.BIGINT: "number",
    exp.DType.DECIMAL: "number",
}
_MAX_WRAPPERS = 20
_PREDEFINED = re.compile(
    r"C|POSIX|default|ucs_basic|unicode|pg_c_utf8|pg_unicode_fast|[a-zA-Z-]+-x-icu"
    r"|(?:C|[a-z]{2,3}_[A-Z]{2})(?:[.@][\w.@-]+)?"
)
"""PostgreSQL's own collations, which are deterministic."""


def function_name(node: exp.Expr) -> str:
    """A function call's name in lower case, without its schema; empty for anything else."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    return node.sql_name().lower() if isinstance(node, exp.Func) else ""


_BARE = frozenset({exp.Column, exp.Placeholder, exp.Literal, exp.Null})
"""Most that is asked for, and has nothing around it."""


def bare(node: exp.Expr | None) -> exp.Expr | None:
    """An expression without the parentheses, casts that keep identity, and collations around it."""
    if node.__class__ in _BARE:
        return node
    for _ in range(_MAX_WRAPPERS):
        if node is None or not (
            _changes_nothing(node)
            or (
                isinstance(node, exp.Cast)
                and kept_cast(node.to) is not None
                # Two tenants may be equal in it: `acme` and `Acme`.
                and not _is_without_case(node.to)
            )
        ):
            break
        node = node.this
    return node


def _is_without_case(kind: exp.DataType) -> bool:
    name = kind.args.get("kind")
    if isinstance(name, exp.Dot):
        name = name.expression
    return isinstance(name, exp.Expr) and name.name.lower() == "citext"


def _changes_nothing(node: exp.Expr | None) -> TypeGuard[exp.Expr]:
    """Whether it is a parenthesis, or a collation in which equal texts are the same.

    Of one that is not PostgreSQL's own nobody knows.
    """
    if isinstance(node, exp.Collate):
        return _PREDEFINED.fullmatch(node.expression.name) is not None
    return isinstance(node, exp.Paren)


def value_operand(  # noqa: C901 - one wrapper a branch
    node: exp.Expr | None, *, through_nullif: bool = False
) -> Operand | SessionValue | None:
    """What value an expression stands for, None where the text does not tell.

    Args:
        node: The expression.
        through_nullif: `NULLIF(:t, '')` stands for `:t`: right where it is compared with a column,
            because NULL is equal to none; wrong where it matters whether it is NULL.
    """
    casts: list[str] = []
    sign = ""
    fits: int | None = None
    for _ in range(_MAX_WRAPPERS):
        if _changes_nothing(node):
            node = node.this
        elif isinstance(node, exp.Cast):
            cast = kept_cast(node.to)
            if cast is None and fits is None and (fits := size_of_cast(node.to)) is not None:
                cast = "text"
            if cast is None:
                return None
            casts.append(cast)
            node = node.this
        elif isinstance(node, exp.Neg) and not sign:
            if casts or not isinstance(node.this, exp.Literal) or node.this.is_string:
                return None
            sign = "-"
            node = node.this
        elif isinstance(node, _SUBQUERY_OR_SELECT):
            node = only_value(node)
        elif through_nullif and isinstance(node, exp.Nullif):
            node = node.this
        else:
            break
    operand = leaf_operand(node)
    if isinstance(operand, Operand) and (casts or sign):
        return replace(operand, cast=tuple(reversed(casts)), sign=sign, fits=fits)
    return operand


def kept_cast(kind: exp.DataType | None) -> str | None:
    """How a cast reads a text, None where it may change which tenant it names."""
    if not isinstance(kind, exp.DataType) or kind.expressions:
        # varchar(3) cuts, numeric(4,0) rounds.
        return None
    if kind.this == exp.DType.USERDEFINED and kind.args["kind"].name == "char":
        # `"char"` is a type of one byte and not `char`: it cuts what is longer.
        return None
    return _CASTS.get(kind.this)


def size_of_cast(kind: object) -> int | None:
    """The slot of the n in varchar(n), None for any other type."""
    if not isinstance(kind, exp.DataType) or kind.this != exp.DType.VARCHAR:
        return None
    size = kind.expressions[0].this if len(kind.expressions) == 1 else None
    return slot_of_number(size.this) if isinstance(size, exp.Literal) else None


def only_value(node: exp.Expr) -> exp.Expr | None:
    """The value of `(SELECT value)`; people write it so that it is evaluated once."""
    select = node.this if isinstance(node, exp.Subquery) else node
    if isinstance(select, exp.Select) and len(select.expressions) == 1:
        others = {key for key, value in select.args.items() if value} - {"expressions", "kind"}
        if not others:
            only: exp.Expr = select.expressions[0].unalias()
            return only
    return None


def leaf_operand(node: exp.Expr | None) -> Operand | SessionValue | None:  # noqa: PLR0911
    """A literal, a parameter, NULL, TRUE, FALSE or the session's own value; None for others."""
    if isinstance(node, exp.Placeholder):
        name = node.this
        if not isinstance(name, str) or not name:
            return None
        return Operand(parameter=name.removeprefix(PREFIX))
    if isinstance(node, exp.Parameter):
        position = node.this
        number = position.this if isinstance(position, exp.Literal) else ""
        # With its dollar: a parameter of the Data API may be called "1", and is not meant.
        return Operand(parameter=f"${number}") if str(number).isdecimal() else None
    if isinstance(node, exp.Literal):
        if node.is_string:
            if (ends := range_of_string(node.this)) is not None:
                return Operand(slot=ends[0], last=ends[1])
            slot = slot_of_string(node.this)
            return Operand(slot=slot) if slot is not None else None
        slot = slot_of_number(node.this)
        return Operand(slot=slot) if slot is not None else Operand(text=node.this, cast=("number",))
    if isinstance(node, exp.Null):
        return Operand()
    if isinstance(node, exp.Boolean):
        return Operand(text="true" if node.this else "false")
    if _is_session(node):
        return SESSION
    return None


def _is_session(node: exp.Expr | None) -> bool:
    """`current_setting(…)`, also inside NULLIF(…, '')."""
    if isinstance(node, exp.Nullif):
        node = bare(node.this)
    return isinstance(node, exp.Func) and function_name(node) == "current_setting"
