"""What AWS charged: CUR, FOCUS or Cost Explorer files, sorted into pools.

Every charge of the file ends in a pool: by the end of its usage type, else `unclassified`; credits
and taxes in pools of their own. What a filter excludes is counted and reported.
"""

from tenantmetrics.cost.bill.load import load
from tenantmetrics.cost.bill.model import Bill, BillFilter, PoolCharge

__all__ = ["Bill", "BillFilter", "PoolCharge", "load"]
