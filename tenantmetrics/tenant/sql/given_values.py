"""`COALESCE(:t, …)`: decided by which of the values are NULL."""

from __future__ import annotations

from sqlglot import exp

from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.query_scope import UNKNOWN
from tenantmetrics.tenant.sql.restrictions import Either, Guarded, Named, Restriction
from tenantmetrics.tenant.sql.value_expressions import value_operand

__all__ = ["first_given"]

_MAX_GIVEN = 8
"""Values of one COALESCE that are told apart; each is tested against all before it."""


def first_given(node: exp.Coalesce) -> Restriction:
    """The first value that is not NULL."""
    branches: list[Restriction] = []
    before: tuple[tuple[Operand, bool], ...] = ()
    for part in (node.this, *node.expressions)[:_MAX_GIVEN]:
        value = value_operand(part)
        if not isinstance(value, Operand):
            break
        branches.append(Guarded(Named((value,)), (*before, (value, False))))
        before = (*before, (value, True))
    return Either((*branches, Guarded(UNKNOWN, before)))
