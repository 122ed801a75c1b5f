"""`tenantmetrics storage`: bytes a tenant stores, for `report --storage`."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenantmetrics.cli.aws_options import ClusterRegion, EndpointUrl
from tenantmetrics.errors import MissingExtraError
from tenantmetrics.records import SHARED

if TYPE_CHECKING:
    from tenantmetrics.cost.storage import Storage

__all__ = ["storage"]

_MIB = 2**20


def storage(
    *,
    resource_arn: Annotated[
        str, typer.Option(help="The cluster's ARN.", envvar="TENANTMETRICS_RESOURCE_ARN")
    ],
    secret_arn: Annotated[
        str,
        typer.Option(
            help="Secret of a role that may read every table and has BYPASSRLS.",
            envvar="TENANTMETRICS_SECRET_ARN",
        ),
    ],
    database: Annotated[list[str], typer.Option(help="Database to measure; may be repeated.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "--out", "-o", help="CSV of tenant, bytes to write."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="Tenant column; may be repeated. [default: setting tenant_columns]"),
    ] = None,
    schema_pattern: Annotated[
        str | None,
        typer.Option(
            help="Regular expression for whole names of tenants' schemas, its first group the "
            "tenant. [default: setting tenant_schema_pattern]"
        ),
    ] = None,
    count_mib: Annotated[
        int,
        typer.Option(min=1, help="Of a larger table only a sample of so many MiB is read."),
    ] = 512,
    region: ClusterRegion = None,
    endpoint_url: EndpointUrl = None,
    top: Annotated[int, typer.Option(min=1, help="Tables and tenants to show.")] = 20,
) -> None:
    """Estimate what each tenant stores; read-only.

    A tenant gets of each table's size its share of the rows.

    Row-level security hides rows: a table it guards counts as __shared__ unless the role has
    BYPASSRLS. Exit code 1 where nothing could be measured.
    """
    try:
        from rich.console import Console
    except ModuleNotFoundError:
        raise MissingExtraError("the storage command", "cli") from None
    import boto3
    from botocore.exceptions import BotoCoreError

    from tenantmetrics import config
    from tenantmetrics.arns import region_of
    from tenantmetrics.cost.storage import Reader, measure
    from tenantmetrics.errors import ReportError
    from tenantmetrics.export.aws import region as session_region
    from tenantmetrics.export.checks import short
    from tenantmetrics.report.text import write_files
    from tenantmetrics.tenant.identity.configured_names import Vocabulary

    settings = config.load(
        flags={"tenant_columns": "--column", "tenant_schema_pattern": "--schema-pattern"},
        tenant_columns=column or None,
        tenant_schema_pattern=schema_pattern,
    )
    try:
        session = boto3.session.Session()
        client = session.client(
            "rds-data",
            region_name=region or region_of(resource_arn) or session_region(session),
            endpoint_url=endpoint_url,
        )
    except (BotoCoreError, ValueError) as error:
        raise ReportError(f"the Data API cannot be reached: {short(error)}") from None
    console = Console(stderr=True)
    try:
        with console.status("reading the catalogue") as status:
            measured = measure(
                [Reader(client, resource_arn, secret_arn, name) for name in database],
                Vocabulary(settings),
                count_bytes=count_mib * _MIB,
                progress=lambda name: status.update(f"counting {name}"),
            )
    finally:
        client.close()
    for table in measured.tables:
        if table.is_blind and table.total_bytes:
            typer.echo(
                f"tenantmetrics: warning: {table.name} ({table.total_bytes:,} bytes) counts as "
                f"{SHARED}: {table.how}",
                err=True,
            )
    if output is None:
        _show(measured, top)
        return
    write_files({output: _csv(measured)})
    typer.echo(f"wrote {output}", err=True)


def _csv(measured: Storage) -> str:
    """What `report --storage` reads; the largest first, what is nobody's last."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["tenant", "bytes"])
    by_size = sorted(
        measured.bytes_by_tenant.items(),
        key=lambda entry: (entry[0] == SHARED, -entry[1], entry[0]),
    )
    writer.writerows(by_size)
    return out.getvalue()


def _show(measured: Storage, top: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from tenantmetrics.report.text import visible

    console = Console(highlight=False)
    grid = Table(box=None, pad_edge=False)
    for title in ("Table", "How"):
        grid.add_column(title, overflow="fold")
    grid.add_column("Tenants", justify="right")
    grid.add_column("Bytes", justify="right", no_wrap=True)
    for table in measured.tables[:top]:
        count = f"{table.tenants:,}" if table.tenants else ""
        cells = (visible(table.name), visible(table.how), count, f"{table.total_bytes:,}")
        grid.add_row(*map(Text, cells))
    console.print(grid)
    console.print()
    people = Table(box=None, pad_edge=False)
    people.add_column("Tenant", overflow="fold")
    people.add_column("Bytes", justify="right", no_wrap=True)
    by_size = sorted(measured.bytes_by_tenant.items(), key=lambda entry: (-entry[1], entry[0]))
    for tenant, size in by_size[:top]:
        people.add_row(Text(visible(tenant)), Text(f"{size:,}"))
    console.print(people)
    more = len(by_size) - top
    total = sum(measured.bytes_by_tenant.values())
    console.print((f"and {more:,} more; " if more > 0 else "") + f"{total:,} bytes in all")
    if any(table.is_estimate for table in measured.tables):
        console.print("Shares of large tables are of a sample: estimates.")
