"""What tenants are charged for what they cost: markup, minimum, rounding."""

from tenantmetrics.cost.invoicing.price import Invoice, InvoiceLine, invoices
from tenantmetrics.cost.invoicing.rules import Rules, read_rules

__all__ = ["Invoice", "InvoiceLine", "Rules", "invoices", "read_rules"]
