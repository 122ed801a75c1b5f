"""Who a tenant is: names, ids and the caller's own tenant block.

A tenant in a JWT, an HTTP header or an authorizer's claims is read by `tenantmetrics.integrations`.
"""
