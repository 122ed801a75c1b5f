"""The options of `report` that say what is known of the cluster's capacity."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenantmetrics.errors import ReportError

if TYPE_CHECKING:
    from tenantmetrics.cost import Capacity

__all__ = ["Acu", "AcuHours", "CapacityFile", "ClusterOption", "IoOptimized", "capacity_of"]

Acu = Annotated[str | None, typer.Option(help="Capacity in every hour, in ACU. [default: 0.5]")]

AcuHours = Annotated[str | None, typer.Option(help="ACU-hours of the whole month, as on the bill.")]

IoOptimized = Annotated[
    bool, typer.Option("--io-optimized", help="The cluster's storage is I/O-Optimized.")
]

CapacityFile = Annotated[
    Path | None,
    typer.Option(help="CSV of hour, acu, utilization_percent, io_requests, volume_bytes."),
]

ClusterOption = Annotated[
    str | None, typer.Option(help="DB cluster whose hours and I/O CloudWatch is asked for.")
]


def capacity_of(
    *,
    acu: str | None,
    acu_hours: str | None,
    file: Path | None,
    cluster: str | None,
    io_optimized: bool,
) -> Capacity:
    """What the options say, in one object.

    Raises:
        ReportError: A number is none, the file is wrong, or they say it twice.
    """
    from tenantmetrics.cost import Capacity, read_capacity

    return Capacity(
        acu=_decimal("acu", acu),
        acu_hours=_decimal("acu-hours", acu_hours),
        hourly=read_capacity(file) if file is not None else None,
        cluster=cluster,
        io_optimized=io_optimized,
    )


def _decimal(option: str, text: str | None) -> Decimal | None:
    from tenantmetrics.cost.known import number_of

    if text is None:
        return None
    if (number := number_of(text.strip())) is None:
        raise ReportError(f"--{option} {text!r} is not a number")
    return number
