"""One tenant's statement, to show to it: nothing of any other tenant is in it."""

from tenantmetrics.report.tenant_statement.made import Statements
from tenantmetrics.report.tenant_statement.model import TenantStatement

__all__ = ["Statements", "TenantStatement"]
