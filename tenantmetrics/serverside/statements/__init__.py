"""`pg_stat_statements`: snapshots of its counters, and what ran between two of them.

`view` reads a snapshot, `delta` tells progress from resets, evictions and restarts, `state` keeps
the last snapshot beside the table, `run` does it all once.
"""

from tenantmetrics.serverside.statements.run import Outcome, take

__all__ = ["Outcome", "take"]
