"""`ON CONFLICT (id) DO UPDATE`: whose row may be there already, by the text and by the schema.

A key without the tenant column is the same for all tenants, so the row that is there may be
another's. The condition of DO UPDATE may say that it is not.
"""

from __future__ import annotations

from sqlglot import exp

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.identity.schema_file import TableFacts
from tenantmetrics.tenant.sql.proof.joins import conjuncts
from tenantmetrics.tenant.sql.schema_ties import facts_of
from tenantmetrics.tenant.sql.value_expressions import bare, value_operand
from tenantmetrics.tenant.sql.written_values import alias_of

__all__ = ["may_overwrite_others", "overwrites_by_key"]


def may_overwrite_others(node: exp.Insert, vocabulary: Vocabulary) -> bool:
    """Whether an INSERT may change a row of another tenant, as far as the schema tells.

    Args:
        node: The statement.
        vocabulary: The tenant's names, and the schema.
    """
    conflict = node.args.get("conflict")
    if vocabulary.schema is None or conflict is None or not conflict.expressions:
        return False
    target = _target(node)
    facts = facts_of(target, vocabulary.schema)
    if facts is None or not facts.tenant:
        return False
    tenants = {facts.tenant, *vocabulary.columns}
    if not tenants.isdisjoint(_columns(conflict, facts)):
        return False
    return not _keeps_to_own(conflict, tenants, target)


def overwrites_by_key(node: exp.Insert, vocabulary: Vocabulary) -> bool:
    """Whether an INSERT may change the row that is there, by a key that is not the tenant's.

    Args:
        node: The statement.
        vocabulary: The tenant's names.
    """
    conflict = node.args.get("conflict")
    if conflict is None or not conflict.expressions:
        return False
    keys = [key.find(exp.Identifier) for key in conflict.args.get("conflict_keys") or []]
    tenants = set(vocabulary.columns)
    if any(key is not None and key.name.lower() in tenants for key in keys):
        return False
    return not _keeps_to_own(conflict, tenants, _target(node))


def _target(node: exp.Insert) -> exp.Expr:
    table: exp.Expr = node.this.this if isinstance(node.this, exp.Schema) else node.this
    return table


def _keeps_to_own(conflict: exp.Expr, tenants: set[str], target: exp.Expr) -> bool:
    """Whether the condition of DO UPDATE holds the row that is there to its tenant."""
    where = conflict.args.get("where")
    return where is not None and any(
        not negated and _is_own(part, tenants, alias_of(target))
        for part, negated in conjuncts(where.this)
    )


def _columns(conflict: exp.Expr, facts: TableFacts) -> tuple[str, ...]:
    """The columns of the key that two rows may not share."""
    constraint = conflict.args.get("constraint")
    if constraint is not None:
        return facts.keys.get(constraint.name.lower(), ())
    keys = [
        key.this if isinstance(key, exp.Ordered) else key
        for key in conflict.args.get("conflict_keys") or []
    ]
    return tuple(key.name.lower() for key in keys if isinstance(key, exp.Column | exp.Identifier))


def _is_own(part: exp.Expr, tenants: set[str], target: str) -> bool:
    """Whether a condition holds the row's tenant to a value, or to the one that is written."""
    if not isinstance(part, exp.EQ):
        return False
    for side, other in ((part.this, part.expression), (part.expression, part.this)):
        column, value = bare(side), bare(other)
        if not isinstance(column, exp.Column) or column.name.lower() not in tenants:
            continue
        if column.table.lower() not in {"", target}:
            continue
        if value_operand(other) is not None:
            return True
        if (
            isinstance(value, exp.Column)
            and value.table.lower() == "excluded"
            and value.name.lower() == column.name.lower()
        ):
            return True
    return False
