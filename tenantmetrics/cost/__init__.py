"""Usage times prices, or the real bill, divided among tenants to the cent."""

from tenantmetrics.cost.allocate import Idle
from tenantmetrics.cost.bill import BillFilter
from tenantmetrics.cost.inputs import read_capacity
from tenantmetrics.cost.list_prices import Capacity
from tenantmetrics.cost.monthly import monthly
from tenantmetrics.cost.request import AllocationRequest
from tenantmetrics.cost.server_time.model import ServerTimeSource

__all__ = [
    "AllocationRequest",
    "BillFilter",
    "Capacity",
    "Idle",
    "ServerTimeSource",
    "monthly",
    "read_capacity",
]
