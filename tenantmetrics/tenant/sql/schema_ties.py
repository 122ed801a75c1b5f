"""With the database's schema: which equal columns make rows belong together.

Two columns do if the values of both are of one key: `a.bid = b.id` with a foreign key from the one
to the other, two foreign keys to the same table, or a key equal to itself. A column that is a key
only together with the tenant does not. A foreign key is taken to stay inside a tenant.

Of a table that is no tenant's by its columns or its foreign keys, such as `users`, a row may be
used by several tenants. It is told by the rows that point at it; they are not told by it.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

from sqlglot import exp

from tenantmetrics.tenant.identity.schema_file import Root, TableFacts, TenantSchema
from tenantmetrics.tenant.sql.proof.columns import Output
from tenantmetrics.tenant.sql.proof.key_names import key_ties

__all__ = ["Tie", "facts_of", "tie_of"]


class Tie(NamedTuple):
    """What an equality of two columns closes.

    Attributes:
        forward: What closes the left one closes the right one.
        back: The other way round.
    """

    forward: bool
    back: bool


_NONE, _BOTH = Tie(False, False), Tie(True, True)
_Column = tuple[TableFacts | None, str]


def facts_of(item: exp.Expr | None, schema: TenantSchema | None) -> TableFacts | None:
    """What the schema knows of a table that a statement names."""
    if schema is None or not isinstance(item, exp.Table):
        return None
    return schema.table(item.name.lower(), item.db.lower())


def tie_of(left: Output, right: Output, schema: TenantSchema | None) -> Tie:
    """Whether rows that are equal in these columns belong together.

    Args:
        left: One column.
        right: The other.
        schema: What is known of the tables; without it their names decide.
    """
    by_name = Tie(*key_ties(left.name, right.name))
    if schema is None or not (left.of or right.of):
        return by_name
    ties = [
        _tie(one, other, schema, by_name)
        for one, other in itertools.product(_columns_of(left), _columns_of(right))
    ]
    return Tie(all(tie.forward for tie in ties), all(tie.back for tie in ties))


def _columns_of(output: Output) -> list[_Column]:
    return [(table, column or output.name) for table, column in output.of] or [(None, output.name)]


def _tie(left: _Column, right: _Column, schema: TenantSchema, by_name: Tie) -> Tie:
    first, second = _roots(left), _roots(right)
    if first and second:
        common = first & second
        if any(map(schema.is_owned, common)):
            return _BOTH
        return Tie(_own(right) in common, _own(left) in common)
    if _is_no_key(left) or _is_no_key(right):
        return _NONE
    if first is not None and second is not None and not (first or second):
        return _NONE
    # One of them may be a key by a foreign key that nobody declared.
    known = first or second
    if not known or any(map(schema.is_owned, known)):
        return by_name
    return Tie(by_name.forward and _own(right) in known, by_name.back and _own(left) in known)


def _roots(column: _Column) -> frozenset[Root] | None:
    table, name = column
    return table.roots.get(name) if table is not None else None


def _own(column: _Column) -> Root | None:
    table, name = column
    return (table.name, name) if table is not None else None


def _is_no_key(column: _Column) -> bool:
    """Whether it is a key only together with others, or none in a table that declares its keys."""
    table, name = column
    if table is None or table.roots.get(name) != frozenset():
        return False
    return bool(table.foreign_keys) or table.in_part(name)
