"""What runs the cost stage's SQL: DuckDB in the process, Spark, or Athena; one file each."""

from tenantmetrics.cost.engines.base import Engine, OpenLedger

__all__ = ["Engine", "OpenLedger"]
