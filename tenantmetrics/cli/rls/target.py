"""Options that say which database, and what in it is a tenant's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tenantmetrics.cli.flags import in_flags
from tenantmetrics.errors import TenantMetricsError

if TYPE_CHECKING:
    from tenantmetrics.policies.source import DataApiConnection, PostgresConnection

__all__ = [
    "COLUMN",
    "USER_VARIABLE",
    "VARIABLE",
    "ColumnName",
    "DatabaseName",
    "ResourceArn",
    "Roles",
    "Schemas",
    "SecretArn",
    "UserColumn",
    "UserVariable",
    "Variable",
    "connect",
    "ends_with_2",
]

COLUMN = "tenant_id"
VARIABLE = "app.current_tenant_id"
USER_VARIABLE = "app.current_user_id"
"""Defaults of the options below."""

ResourceArn = Annotated[
    str | None,
    typer.Option(help="The cluster's ARN, for the Data API.", envvar="TENANTMETRICS_RESOURCE_ARN"),
]
SecretArn = Annotated[
    str | None,
    typer.Option(
        help="Secret of the role to connect as, for the Data API.",
        envvar="TENANTMETRICS_SECRET_ARN",
    ),
]
DatabaseName = Annotated[str | None, typer.Option(help="The database, for the Data API.")]
ColumnName = Annotated[str, typer.Option(help="The column that holds the tenant.")]
Variable = Annotated[
    str, typer.Option(help="The session variable that policies compare with the column.")
]
UserColumn = Annotated[
    str | None, typer.Option(help="A column that policies also compare with the session's user.")
]
UserVariable = Annotated[str, typer.Option(help="The session variable that holds the user.")]
Schemas = Annotated[
    list[str] | None,
    typer.Option("--schema", help="Only this schema. Repeatable. [default: all]"),
]
Roles = Annotated[
    list[str] | None,
    typer.Option(
        "--role",
        help="A role that the application connects as. Repeatable. [default: who has grants on the "
        "tables]",
    ),
]


@contextlib.contextmanager
def connect(
    *,
    resource_arn: str | None,
    secret_arn: str | None,
    database: str | None,
    url: str | None,
    region: str | None,
    endpoint_url: str | None,
) -> Iterator[DataApiConnection | PostgresConnection]:
    """The database that the options name.

    Raises:
        typer.BadParameter: They name none, or two.
        RlsError: It cannot be reached.
    """
    from tenantmetrics.policies.source import PostgresConnection

    if url is not None:
        if database is not None or endpoint_url is not None:
            raise typer.BadParameter("--url cannot be combined with --database or --endpoint-url")
        with PostgresConnection(url) as connection:
            yield connection
        return
    if resource_arn is None or secret_arn is None:
        raise typer.BadParameter(
            "give --resource-arn and --secret-arn for the Data API, or --url for a connection"
        )
    from tenantmetrics.policies.client import data_api_client
    from tenantmetrics.policies.source import DataApiConnection

    client = data_api_client(resource_arn, region_name=region, endpoint_url=endpoint_url)
    try:
        yield DataApiConnection(
            client, resourceArn=resource_arn, secretArn=secret_arn, database=database
        )
    finally:
        client.close()


@contextlib.contextmanager
def ends_with_2() -> Iterator[None]:
    """An error ends the command with 2: 1 says that something was found."""
    try:
        yield
    except TenantMetricsError as error:
        _failed(error)


def _failed(error: TenantMetricsError) -> NoReturn:
    typer.echo(f"tenantmetrics: {in_flags(error)}", err=True)
    raise typer.Exit(2) from None
