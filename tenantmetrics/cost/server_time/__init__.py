"""Whose server time: what each tenant's calls cost the database, hour by hour.

The client's wall time is mostly HTTP. What compute is divided by is an estimate of the time that
PostgreSQL itself spent, by the best source that an hour and a cluster have: `model.Method` lists
them. The arithmetic is in `tenantmetrics.servertime`; here is where its inputs come from.
"""

from tenantmetrics.cost.server_time.estimate import estimate
from tenantmetrics.cost.server_time.model import (
    Estimate,
    HourServerTime,
    Method,
    MethodCoverage,
    ServerTime,
    ServerTimeSource,
    TenantServerTime,
)

__all__ = [
    "Estimate",
    "HourServerTime",
    "Method",
    "MethodCoverage",
    "ServerTime",
    "ServerTimeSource",
    "TenantServerTime",
    "estimate",
]
