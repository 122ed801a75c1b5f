"""`tenantmetrics cost compare`: the month on other architectures."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tenantmetrics.cli.bill_options import BillCluster
from tenantmetrics.cli.capacity_options import AcuHours, IoOptimized
from tenantmetrics.errors import MissingExtraError, ReportError

__all__ = ["cost"]

cost = typer.Typer(
    name="cost", no_args_is_help=True, help="Compare a month's cost with other set-ups."
)


class Shape(StrEnum):
    """Output of the comparison."""

    TABLE = "table"
    JSON = "json"


@cost.callback()
def _group() -> None:
    """A group, though it has one command yet."""


@cost.command()
def compare(
    *,
    ledger: Annotated[
        str,
        typer.Option(
            "--ledger", "--usage", help="Where the ledger exporter writes to: a folder or s3://..."
        ),
    ],
    month: Annotated[
        str | None, typer.Option(help="Such as 2026-11. [default: the ledger's last]")
    ] = None,
    timezone: Annotated[str, typer.Option(help="Zone of the month's borders.")] = "UTC",
    prices: Annotated[
        Path | None, typer.Option(help="A price file. [default: the region's list prices]")
    ] = None,
    region: Annotated[str, typer.Option(help="Region of the built-in prices.")] = "us-east-1",
    acu: Annotated[str | None, typer.Option(help="Capacity in every hour, in ACU.")] = None,
    acu_hours: AcuHours = None,
    capacity: Annotated[
        Path | None, typer.Option(help="CSV of hour, acu, as CloudWatch has them.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="DB cluster to ask CloudWatch about: hours, I/O, size.")
    ] = None,
    io_optimized: IoOptimized = False,
    storage: Annotated[Path | None, typer.Option(help="CSV of tenant, bytes.")] = None,
    storage_gb: Annotated[str | None, typer.Option(help="GB stored.")] = None,
    io_requests: Annotated[
        str | None, typer.Option(help="Storage I/O requests of the month.")
    ] = None,
    bill: Annotated[
        list[str] | None,
        typer.Option(help="The month's bill: capacity, storage and I/O are read from it."),
    ] = None,
    bill_cluster: BillCluster = None,
    instance: Annotated[
        str | None,
        typer.Option(
            help="Class of the provisioned alternative. [default: the cheapest that has "
            "the memory of the busiest hour]"
        ),
    ] = None,
    instances: Annotated[int, typer.Option(min=1, help="How many of them.")] = 1,
    nat_gateways: Annotated[int, typer.Option(min=0, help="NAT gateways.")] = 1,
    nat_gb: Annotated[str, typer.Option(help="GB a month through them.")] = "0",
    secrets: Annotated[int, typer.Option(min=0, help="Secrets that the Data API needs.")] = 1,
    format_: Annotated[Shape, typer.Option("--format", help="Table or JSON.")] = Shape.TABLE,
) -> None:
    """Compare the month with other capacity and access.

    Serverless v2 and instances, each through the Data API and through connections: an estimate at
    dated list prices, with the break-even volumes and every assumption.
    """
    try:
        from tenantmetrics.cost import BillFilter, Capacity, read_capacity
        from tenantmetrics.cost.alternatives import Setup, smallest_instance
        from tenantmetrics.cost.prices import built_in, load
        from tenantmetrics.cost.workload import measure
        from tenantmetrics.report import alternatives
    except ModuleNotFoundError as error:
        if error.name not in {"rich", "duckdb", "pyarrow"}:
            raise
        raise MissingExtraError("the comparison", "report") from None

    listed = built_in(region) if prices is None else load(prices)
    workload = measure(
        ledger,
        listed,
        month=month,
        timezone=timezone,
        capacity=Capacity(
            acu=_number("acu", acu),
            acu_hours=_number("acu-hours", acu_hours),
            hourly=None if capacity is None else read_capacity(capacity),
            cluster=cluster,
            io_optimized=io_optimized,
        ),
        storage=storage,
        storage_gb=_number("storage-gb", storage_gb),
        io_requests=_number("io-requests", io_requests),
        bill=bill or None,
        bill_filter=BillFilter.of(None, bill_cluster, None),
    )
    setup = Setup(
        instance=instance or smallest_instance(listed, workload.peak_acu),
        instances=instances,
        nat_gateways=nat_gateways,
        nat_gb=_number("nat-gb", nat_gb) or Decimal(0),
        secrets=secrets,
    )
    comparison = alternatives.compare(workload, setup, listed)
    if format_ is Shape.JSON:
        typer.echo(alternatives.comparison_as_json(comparison), nl=False)
    else:
        alternatives.show(comparison)
        typer.echo(
            "What is assumed above can be given: --acu, --acu-hours, --capacity or --cluster, "
            "--storage-gb, --io-requests, --nat-gb, --bill."
        )


def _number(option: str, text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ReportError(f"--{option} {text!r} is not a number") from None
    if not value.is_finite() or value < 0:
        raise ReportError(f"--{option} {text} must be a number, 0 or more")
    return value
