"""`UPDATE bookings SET tenant_id = :t, … WHERE id = :id`: a row, as Django and Hibernate save it.

The row that is there may be another tenant's, where its id came from somebody else. So this is
believed only by those who trust their ORM.
"""

from __future__ import annotations

from sqlglot import exp

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.proof.joins import conjuncts
from tenantmetrics.tenant.sql.value_expressions import bare, value_operand

__all__ = ["saved_tenant"]

_KEYS = frozenset({"id", "uuid", "guid", "pk"})


def saved_tenant(node: exp.Update, vocabulary: Vocabulary) -> Operand | None:
    """The tenant of the row that an UPDATE saves; None for any other UPDATE.

    Args:
        node: The statement.
        vocabulary: The tenant's names, and whether such a statement is believed.
    """
    if not vocabulary.trusts_updates or not isinstance(node.this, exp.Table):
        return None
    if any(node.args.get(key) for key in ("from_", "joins", "with_")) or node.this.args.get(
        "joins"
    ):
        return None
    where = node.args.get("where")
    table = node.this.name.lower()
    names = _KEYS | {f"{table}_id", f"{table.removesuffix('s')}_id"}
    if where is None or not any(
        isinstance(part, exp.EQ)
        and not negated
        and isinstance(column := bare(part.this), exp.Column)
        and column.name.lower() in names
        and isinstance(value_operand(part.expression), Operand)
        for part, negated in conjuncts(where.this)
    ):
        return None
    for item in node.expressions:
        column = item.this if isinstance(item, exp.EQ) else None
        if isinstance(column, exp.Column) and column.name.lower() in vocabulary.columns:
            value = value_operand(item.expression)
            return value if isinstance(value, Operand) else None
    return None
