"""Databases with different tenants' rows, each a schema, on which a statement is tried."""

from __future__ import annotations

import re
from collections import Counter

import psycopg

__all__ = ["Databases"]


class Databases:
    """Runs a statement on several databases, and takes back what it changed.

    Args:
        connection: To all of them.
        changes: Finds what a change begins with.
        held: A query for all rows of a database.
    """

    def __init__(self, connection: psycopg.Connection, changes: re.Pattern[str], held: str) -> None:
        self._connection = connection
        self._changes = changes
        self._held = held
        self._before = {}

    def run(self, schema, sql):
        """What comes back and, of a change, which rows are gone and which are new."""
        changes = self._changes.search(sql) is not None
        if changes and schema not in self._before:
            self._connection.execute(f"SET search_path = {schema}")
            self._before[schema] = Counter(self._connection.execute(self._held).fetchall())
        sql = sql.replace("public.", f"{schema}.")
        after = f"; {self._held}" if changes else ""
        try:
            # One text, so that it takes one way to the server.
            cursor = self._connection.execute(
                f"BEGIN; SET LOCAL search_path = {schema}; {sql}\n{after}; ROLLBACK"
            )
        except psycopg.Error:
            self._connection.execute("ROLLBACK")
            raise
        cursor.nextset()
        cursor.nextset()
        # As text: what JSON and arrays come back as has no hash.
        rows = Counter(map(repr, cursor.fetchall())) if cursor.description else Counter()
        if not changes:
            return rows, Counter(), Counter()
        cursor.nextset()
        held, before = Counter(cursor.fetchall()), self._before[schema]
        return rows, before - held, held - before
