"""`tenantmetrics athena-table`: the table over an S3 ledger."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["athena_table"]


def athena_table(
    location: Annotated[str, typer.Argument(help="Where the ledger lies: s3://bucket/prefix.")],
    table: Annotated[
        str, typer.Option(help="The table's name, or database.name.")
    ] = "tenantmetrics_ledger",
) -> None:
    """Print the statement that makes Athena read a ledger on S3."""
    from tenantmetrics.cost.athena import table_ddl

    typer.echo(table_ddl(location, table), nl=False)
