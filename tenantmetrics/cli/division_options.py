"""The options of `report` that say what costs are divided by."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from tenantmetrics.errors import ReportError

__all__ = ["DriverOption", "IdleOption", "IdleTo", "ServerTimeBy", "ServerTimeOption", "drivers_of"]


class IdleTo(StrEnum):
    """Who bears capacity that nobody used."""

    SEPARATE = "separate"
    WEIGHTED = "weighted"
    EVEN = "even"


class ServerTimeBy(StrEnum):
    """How server time is found."""

    AUTO = "auto"
    STATEMENTS = "statements"
    PERFORMANCE_INSIGHTS = "performance-insights"
    DB_LOAD = "db-load"
    ACTIVITY = "activity"
    RECORD = "record"
    WALL = "wall"


DriverOption = Annotated[
    list[str] | None,
    typer.Option(help="POOL=DRIVER: what a pool is divided by, such as compute=wall_time."),
]

IdleOption = Annotated[
    IdleTo, typer.Option(help="Idle capacity: a line of its own, by usage, or evenly.")
]

ServerTimeOption = Annotated[
    ServerTimeBy, typer.Option(help="How the server time is found that compute is divided by.")
]


def drivers_of(options: list[str]) -> dict[str, str]:
    """Pools and what divides them, from POOL=DRIVER.

    Raises:
        ReportError: There is no such pool or driver.
    """
    from tenantmetrics.cost.drivers import DEFAULT_DRIVERS, Driver

    chosen = {}
    for option in options:
        pool, _, driver = option.partition("=")
        if pool not in DEFAULT_DRIVERS or driver not in set(Driver):
            raise ReportError(
                f"--driver {option!r}: write POOL=DRIVER; pools are {', '.join(DEFAULT_DRIVERS)}; "
                f"drivers are {', '.join(Driver)}"
            )
        chosen[pool] = driver
    return chosen
