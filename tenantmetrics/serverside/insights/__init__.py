"""Performance Insights: load by application or user, hour by hour.

`client` asks GetResourceMetrics until all pages are there; `read` finds the names past the top 25.
"""

from tenantmetrics.serverside.insights.client import Insights
from tenantmetrics.serverside.insights.read import DIMENSIONS, Found, read

__all__ = ["DIMENSIONS", "Found", "Insights", "read"]
