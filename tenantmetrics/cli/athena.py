"""`tenantmetrics athena-table`: the table over an S3 ledger."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["athena_table"]


def athena_table(
    *,
    location: Annotated[str, typer.Argument(help="The ledger: s3://bucket/prefix.")],
    table: Annotated[
        str, typer.Option(help="The table's name, or database.name.")
    ] = "tenantmetrics_ledger",
    create: Annotated[
        bool,
        typer.Option("--create", help="Create them in Glue's catalogue instead."),
    ] = False,
) -> None:
    """Make Athena read a ledger on S3.

    Prints the statements that make the two tables, or makes them.
    """
    from tenantmetrics.cost import athena_table as of_athena

    wanted = of_athena.LedgerTable(location, table)
    for made in (wanted, wanted.statements()):
        if create:
            typer.echo(f"{of_athena.create(made)} table {made.database}.{made.name}")
        else:
            typer.echo(made.ddl(), nl=False)
