"""`tenantmetrics rls schema`: what the setting `tenant_schema` reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tenantmetrics.cli.aws_options import ClusterRegion, EndpointUrl, Url
from tenantmetrics.cli.rls.target import (
    DatabaseName,
    ResourceArn,
    Schemas,
    SecretArn,
    connect,
    ends_with_2,
)

__all__ = ["schema"]


def schema(
    *,
    url: Url = None,
    resource_arn: ResourceArn = None,
    secret_arn: SecretArn = None,
    database: DatabaseName = None,
    region: ClusterRegion = None,
    endpoint_url: EndpointUrl = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="Tenant column; may be repeated. [default: setting tenant_columns]"),
    ] = None,
    schema: Schemas = None,
    shared: Annotated[
        list[str] | None,
        typer.Option(
            help="Tables whose rows are everybody's, such as countries: names, or patterns with "
            "* and ?. Repeatable."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file.")
    ] = None,
) -> None:
    """Write the file for the setting tenant_schema.

    It holds keys, foreign keys and tenant columns. Read-only; no row of a table is read.
    """
    from tenantmetrics import config
    from tenantmetrics.policies.read import read
    from tenantmetrics.policies.tenant_schema import tenant_schema
    from tenantmetrics.report.text import write_files

    columns = config.load(
        flags={"tenant_columns": "--column"}, tenant_columns=column or None
    ).tenant_columns
    with ends_with_2():
        with (
            connect(
                resource_arn=resource_arn,
                secret_arn=secret_arn,
                database=database,
                url=url,
                region=region,
                endpoint_url=endpoint_url,
            ) as connection,
            connection.transaction(read_only=True),
        ):
            catalogue = read(connection)
        found = tenant_schema(catalogue, columns, schema or (), shared or ())
        text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        if output is None:
            typer.echo(text, nl=False)
            return
        write_files({output: text})
    tables = found["tables"].values()
    owned = sum(bool(table["tenant"]) for table in tables)
    shared_rows = sum(table["shared"] for table in tables)
    typer.echo(
        f"wrote {output}: {len(tables)} tables, {owned} with a tenant column, {shared_rows} shared",
        err=True,
    )
