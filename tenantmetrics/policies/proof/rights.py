"""What the application's role may do with a table or a view, by column."""

from __future__ import annotations

from dataclasses import dataclass

from tenantmetrics.policies.proof.session import Session

__all__ = ["Rights", "rights_of"]

_RIGHTS = """
SELECT CAST(a.attname AS text), has_column_privilege(:role, a.attrelid, a.attnum, 'SELECT'),
    has_column_privilege(:role, a.attrelid, a.attnum, 'INSERT'),
    has_column_privilege(:role, a.attrelid, a.attnum, 'UPDATE'),
    has_table_privilege(:role, a.attrelid, 'DELETE'),
    has_table_privilege(:role, a.attrelid, 'TRUNCATE')
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = CAST(:oid AS oid) AND a.attnum > 0 AND NOT a.attisdropped"""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a role may do with a table: by column, and as a whole."""

    select: frozenset[str]
    insert: frozenset[str]
    update: frozenset[str]
    delete: bool
    truncate: bool

    @property
    def none(self) -> bool:
        """Nothing at all."""
        return not (self.select or self.insert or self.update or self.delete or self.truncate)


def rights_of(session: Session, relation: int) -> Rights:
    """What the application's role may do with a table or view.

    Args:
        session: In the proof's transaction.
        relation: Its oid.
    """
    sql = _RIGHTS.replace(":role", "CAST(:role AS name)")
    rows = session.connection.rows(sql, {"role": session.role, "oid": relation})
    select, insert, update = (
        frozenset(row[0] for row in rows if row[place]) for place in (1, 2, 3)
    )
    whole = rows[0] if rows else [False] * 6
    return Rights(select, insert, update, bool(whole[4]), bool(whole[5]))
