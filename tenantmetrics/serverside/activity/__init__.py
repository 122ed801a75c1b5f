"""`pg_stat_activity`, sampled: for clusters that have none of the other sources.

`sample` looks once, `run` looks again and again and writes what it saw.
"""

from tenantmetrics.serverside.activity.run import Seen, requests_a_month, run
from tenantmetrics.serverside.activity.sample import Reader, Work

__all__ = ["Reader", "Seen", "Work", "requests_a_month", "run"]
