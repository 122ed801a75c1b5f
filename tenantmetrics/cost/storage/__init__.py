"""Bytes a tenant stores, estimated over the Data API: table sizes times shares of rows.

Read-only: every statement runs in a transaction that is READ ONLY and is rolled back. With
`row_security = off` PostgreSQL refuses a query that row-level security would answer in part, so no
share is ever computed from the rows of one tenant only.
"""

from tenantmetrics.cost.storage.measure import MeasuredTable, Storage, measure
from tenantmetrics.cost.storage.reader import Reader

__all__ = ["MeasuredTable", "Reader", "Storage", "measure"]
