"""`tenantmetrics prices refresh`: a price file from the AWS Price List API."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tenantmetrics.errors import PriceError

__all__ = ["prices"]

prices = typer.Typer(
    name="prices", no_args_is_help=True, help="Write price files, for --prices of other commands."
)


@prices.callback()
def _group() -> None:
    """A group, though it has one command yet."""


@prices.command()
def refresh(
    *,
    output: Annotated[Path, typer.Option("--output", "--out", "-o", help="File to write.")],
    region: Annotated[str, typer.Option(help="Whose prices.")] = "us-east-1",
    base: Annotated[
        Path | None,
        typer.Option(help="Price file for prices that AWS does not list."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the file, and print what changes.")
    ] = False,
) -> None:
    """Write a region's list prices of today, from AWS.

    Needs the permission pricing:GetProducts. An existing file is overwritten only with --force.
    """
    import boto3
    from botocore.exceptions import BotoCoreError

    from tenantmetrics.cost.prices import load, loads
    from tenantmetrics.cost.prices.offers import API_REGION, fetch
    from tenantmetrics.cost.prices.write import changes, dumps
    from tenantmetrics.report.text import write_files

    old = load(output) if output.exists() and force else None
    if output.exists() and not force:
        raise PriceError(f"{str(output)!r} exists: --force overwrites it")
    try:
        client = boto3.client("pricing", region_name=API_REGION)
    except (BotoCoreError, ValueError) as error:
        raise PriceError(f"the AWS Price List cannot be reached: {error}") from None
    try:
        listed, kept = fetch(
            client,
            region,
            base=None if base is None else load(base),
            today=datetime.now(UTC).date(),
        )
    finally:
        client.close()
    text = dumps(listed, kept)
    # What is written must be what every other command reads.
    loads(text, f"the prices of {region}")
    for line in changes(old, listed) if old is not None else ():
        typer.echo(f"changed {line}", err=True)
    write_files({output: text})
    typer.echo(f"wrote {output}", err=True)
    for name in kept:
        where = "kept from the base file" if name in {*listed.flat, *listed.tiers} else "left out"
        typer.echo(f"tenantmetrics: warning: AWS lists no {name}: {where}", err=True)
