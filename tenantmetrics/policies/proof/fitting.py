"""Which values a column of a table takes: constraints name them, and PostgreSQL judges."""

from __future__ import annotations

import itertools
from uuid import uuid4

from tenantmetrics.policies.catalogue import Column, Table
from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.proof.session import Session
from tenantmetrics.policies.proof.values import candidates, fresh, hexadecimal
from tenantmetrics.policies.scope import Scope

__all__ = ["Fitting"]

_LABELS = """
SELECT CAST(e.enumlabel AS text) FROM pg_catalog.pg_enum e
WHERE e.enumtypid = to_regtype(CAST(:type AS text)) ORDER BY e.enumsortorder"""
_PARTITION = "SELECT pg_get_partition_constraintdef(CAST(:oid AS oid))"


class Fitting:
    """Values that fit the columns of the tables.

    Args:
        scope: What the tables are.
        session: In the proof's transaction.
    """

    def __init__(self, scope: Scope, session: Session) -> None:
        self.scope = scope
        self.session = session
        self._constraints: dict[int, list[str]] = {}
        self._labels: dict[str, list[str]] = {}

    def value(self, table: Table, column: Column, whose: int) -> str | None:
        """A value for a row of a tenant's, new where a key is unique; None if none is known.

        Args:
            table: Of the row.
            column: To fill.
            whose: Index of the tenant, the last digit of what is new.
        """
        seed = hexadecimal(str(uuid4()), 31) + str(whose)
        seed = f"{seed[:8]}-{seed[8:12]}-4{seed[13:16]}-8{seed[17:20]}-{seed[20:]}"
        unique = any(index.unique and column.name in index.columns for index in table.indexes)
        plain = fresh(column, seed) if unique else None
        if plain is not None:
            return plain
        found = self.candidates_for(table, column, seed)
        return found[0] if found else None

    def candidates_for(self, table: Table, column: Column, seed: str) -> list[str]:
        """Values that fit the type, its domains, and the CHECKs that are about it alone."""
        about = self.about(table, column)
        found = candidates(column, about, self.labels(column), seed)
        if not (about or column.checks or column.category in "UXV"):
            return found
        fitting = (text for text in found if self.fits(table, column, text))
        return list(itertools.islice(fitting, 6)) or found[:1]

    def fits(self, table: Table, column: Column, value: str) -> bool:
        """Whether the type, its domains and the CHECKs about the column alone take a value."""
        alone = [c.expression for c in table.checks if c.columns == (column.number,)]
        condition = " AND ".join(f"({text}) IS NOT FALSE" for text in alone) or "true"
        cast = f"CAST(CAST(:v AS text) AS {column.type}) AS {quoted(column.name)}"
        # The value itself is asked for, too: PostgreSQL would not compute it otherwise.
        sql = f"SELECT {condition}, CAST({quoted(column.name)} AS text) FROM (SELECT {cast}) q"  # noqa: S608
        done = self.session.undone(lambda: self.session.connection.rows(sql, {"v": value}))
        return bool(done.value and done.value[0][0])

    def about(self, table: Table, column: Column) -> list[str]:
        """Constraints that name a column."""
        return [check.expression for check in table.checks if column.number in check.columns] + [
            text for text in self.partition(table) if column.name in text
        ]

    def fixed(self, table: Table) -> set[str | None]:
        """Columns whose values are not free: the tenant, keys, what points elsewhere."""
        pointing = table.pointing
        keys = {name for index in table.indexes if index.unique for name in index.columns}
        column = self.scope.tenant_column(table)
        return {column, self.scope.settings.user_column, *pointing, *keys}

    def partition(self, table: Table) -> list[str]:
        """What a row must be to have a place in a partitioned table, or to be in a partition."""
        if table.oid not in self._constraints:
            leaves = [
                child
                for child in self.scope.catalogue.descendants(table.oid)
                if child.is_partition and child.kind != "p"
            ]
            oids = [found.oid for found in (*leaves[:8], table) if found.is_partition]
            texts = []
            for oid in oids:
                rows = self.session.connection.rows(_PARTITION, {"oid": oid})
                texts += [row[0] for row in rows if row[0]]
            self._constraints[table.oid] = texts
        return self._constraints[table.oid]

    def labels(self, column: Column) -> list[str]:
        """The labels of an enum; none of another type."""
        if column.kind != "e":
            return []
        if column.base not in self._labels:
            rows = self.session.connection.rows(_LABELS, {"type": column.base})
            self._labels[column.base] = [row[0] for row in rows]
        return self._labels[column.base]
