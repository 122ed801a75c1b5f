"""One tenant's statement, to show to it: nothing of any other tenant is in it."""

from tenantmetrics.report.tenant_statement.model import Statements, TenantStatement

__all__ = ["Statements", "TenantStatement"]
