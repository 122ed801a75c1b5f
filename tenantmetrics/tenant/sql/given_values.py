"""`COALESCE(:t, …)` and `CASE WHEN :all THEN … END`: values that parameters alone decide."""

from __future__ import annotations

from sqlglot import exp

from tenantmetrics.tenant.sql.evaluate_parameters import Computed
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.parameter_conditions import branches_of, computed
from tenantmetrics.tenant.sql.query_scope import UNKNOWN
from tenantmetrics.tenant.sql.restrictions import Either, Guarded, Named, Restriction
from tenantmetrics.tenant.sql.value_expressions import value_operand

__all__ = ["GIVEN", "first_given"]

GIVEN = (exp.Coalesce, exp.Case)
_MAX_GIVEN = 8
"""Values of one COALESCE that are told apart; each is tested against all before it."""


def first_given(node: exp.Expr) -> Restriction:
    """Whom COALESCE, NULLIF or CASE names: its first value that is not NULL, or its branch."""
    if isinstance(node, exp.Case):
        return _taken(node)
    branches: list[Restriction] = []
    before: tuple[tuple[Computed, bool], ...] = ()
    parts = [node] if isinstance(node, exp.Nullif) else [node.this, *node.expressions]
    for part in parts[:_MAX_GIVEN]:
        value, test = value_operand(part, through_nullif=True), computed(part)
        if not isinstance(value, Operand) or test is None:
            break
        is_null = Computed("is_null", (test,))
        branches.append(Guarded(Named((value,)), (*before, (is_null, False))))
        before = (*before, (is_null, True))
    return Either((*branches, Guarded(UNKNOWN, before)))


def _taken(node: exp.Case) -> Restriction:
    found = branches_of(node)
    if found is None or len(found) > _MAX_GIVEN:
        return UNKNOWN
    branches: list[Restriction] = []
    for tests, part in found:
        value = value_operand(part, through_nullif=True)
        named = Named((value,)) if isinstance(value, Operand) else UNKNOWN
        branches.append(Guarded(named, tests))
    return Either(tuple(branches))
