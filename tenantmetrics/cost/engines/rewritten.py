"""An opened ledger whose queries read something else than its tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from sqlglot import exp

from tenantmetrics.cost import queries
from tenantmetrics.cost.engines.base import OpenLedger

__all__ = ["RewrittenLedger"]


class RewrittenLedger(ABC):
    """As `OpenLedger`; a subclass says what stands in the place of which table.

    Args:
        ledger: The opened ledger.
    """

    def __init__(self, ledger: OpenLedger) -> None:
        self._ledger = ledger

    @abstractmethod
    def source(self, table: exp.Table) -> exp.Query | None:
        """The query to read in the place of a table; None for the table itself."""

    @property
    def copies(self) -> int:
        """As `OpenLedger.copies`."""
        return self._ledger.copies

    def left_out(self) -> str:
        """As `OpenLedger.left_out`."""
        return self._ledger.left_out()

    def nothing(self) -> str:
        """As `OpenLedger.nothing`."""
        return self._ledger.nothing()

    def close(self) -> None:
        """As `OpenLedger.close`."""
        self._ledger.close()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """As `OpenLedger.rows`."""
        query = queries.with_sources(sql, self.source)
        return self._ledger.rows(query.sql(queries.Dialect.DUCKDB))
