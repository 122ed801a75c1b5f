"""Whom a statement names."""

from tenantmetrics.records import UNATTRIBUTED, Claims, Source

__all__ = ["named_by_statement"]


def named_by_statement(claims: Claims) -> set[str]:
    """The tenants that the text itself names, whatever stands around it."""
    return {
        tenant
        for claim in claims.named
        if claim.source is Source.STATEMENT
        for tenant, _ in claim.shares
    } - {UNATTRIBUTED}
