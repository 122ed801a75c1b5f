"""The cluster that the demo's bill is of: as large as its load asks for, awake as long as it lasts.

Divided by an hour of a cluster, a quarter of a minute of load would leave 98.8 % of it idle, which
is true and shows nobody's share. A serverless cluster costs what it was awake: so the bill is of
one that could keep running what the demo's threads ask at once, in the load's own seconds.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from tenantmetrics.cost.inputs import HourlyCapacity, read_capacity

__all__ = ["awake"]

_ACU = Decimal(8)
"""Two sessions (`cost.capacity.SESSIONS_AN_ACU`): as many as evaluate at once, the heavy part."""
_HOUR_S = 3600


def awake(path: Path, started_s: float, ended_s: float) -> HourlyCapacity:
    """Write down the capacity hour by hour, as CloudWatch's averages would have it.

    Args:
        path: The file, as `report --capacity` reads it.
        started_s: When the load began, seconds since the epoch.
        ended_s: When it was over.
    """
    rows = ["hour,acu"]
    for hour in range(int(started_s) // _HOUR_S, int(ended_s) // _HOUR_S + 1):
        first, last = max(started_s, hour * _HOUR_S), min(ended_s, (hour + 1) * _HOUR_S)
        acu = (_ACU * Decimal(last - first) / _HOUR_S).quantize(Decimal("0.000001"))
        rows.append(f"{datetime.fromtimestamp(hour * _HOUR_S, UTC):%Y-%m-%dT%H:%M:%SZ},{acu}")
    path.write_text("\n".join(rows) + "\n")
    note = (
        f"the capacity is that of a serverless cluster of {_ACU} ACU, awake for the "
        f"{ended_s - started_s:.0f} s of the load and paused for the rest of the hour"
    )
    return replace(read_capacity(path), notes=(note,))
