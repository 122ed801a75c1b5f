"""What a change writes, and to which table: the pieces that INSERT, UPDATE and MERGE share."""

from __future__ import annotations

from sqlglot import exp

from tenantmetrics.tenant.sql.given_values import GIVEN, first_given
from tenantmetrics.tenant.sql.restrictions import (
    Restriction,
)
from tenantmetrics.tenant.sql.tenant_comparisons import named
from tenantmetrics.tenant.sql.value_expressions import value_operand

__all__ = ["alias_of", "value_node"]


def value_node(item: exp.Expr | None) -> Restriction:
    """The tenant that a written value names."""
    if isinstance(item, (*GIVEN, exp.Nullif)):
        return first_given(item)
    return named([value_operand(item)])


def alias_of(table: exp.Expr) -> str:
    """The name by which the rest of a statement knows a table, lower case; empty for others."""
    return (table.alias or table.name).lower() if isinstance(table, exp.Table) else ""
