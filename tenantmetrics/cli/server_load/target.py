"""Options and checks that the commands which ask the database itself share."""

from __future__ import annotations

import os
from typing import Annotated
from urllib.parse import urlsplit

import typer

from tenantmetrics.errors import ServerLoadError
from tenantmetrics.serverside.cluster import describe
from tenantmetrics.serverside.sql import DataApi, Postgres

__all__ = [
    "DatabaseName",
    "KeepAwake",
    "Ledger",
    "ResourceArn",
    "SecretArn",
    "connect",
    "is_elsewhere",
    "may_pause",
    "refuse_pausing",
]

Ledger = Annotated[
    str, typer.Option(help="The ledger that gets the table: a folder or s3://bucket/prefix.")
]
ResourceArn = Annotated[
    str,
    typer.Option(
        help="The cluster's ARN, as the ledger has it.", envvar="TENANTMETRICS_RESOURCE_ARN"
    ),
]
SecretArn = Annotated[
    str | None,
    typer.Option(
        help="Secret of the role that reads, for the Data API.", envvar="TENANTMETRICS_SECRET_ARN"
    ),
]
DatabaseName = Annotated[
    str | None, typer.Option(help="Database to connect to through the Data API; any will do.")
]
KeepAwake = Annotated[
    bool,
    typer.Option("--keep-awake", help="Ask a cluster that may pause, and so keep it from pausing."),
]


def connect(
    *,
    resource_arn: str,
    secret_arn: str | None,
    database: str | None,
    url: str | None,
    region: str | None,
    endpoint_url: str | None,
) -> DataApi | Postgres:
    """The database that the options name; use it in a `with` statement.

    Raises:
        typer.BadParameter: They name none, or two.
        ServerLoadError: It cannot be reached.
    """
    if not resource_arn.strip():
        raise typer.BadParameter("--resource-arn is empty: give the cluster as the ledger has it")
    if url is not None:
        if database is not None or endpoint_url is not None:
            raise typer.BadParameter("--url cannot be combined with --database or --endpoint-url")
        return Postgres(url)
    if secret_arn is None or database is None:
        raise typer.BadParameter(
            "give --secret-arn and --database for the Data API, or --url for a connection"
        )
    return DataApi(
        resource_arn, secret_arn, database, region_name=region, endpoint_url=endpoint_url
    )


def may_pause(resource_arn: str, *, region: str | None) -> bool:
    """Whether asking would keep a cluster awake.

    What has no ARN of RDS is not Aurora's, and never pauses.

    Raises:
        ServerLoadError: RDS cannot be asked.
    """
    if not (resource_arn.startswith("arn:") and ":rds:" in resource_arn):
        return False
    return describe(resource_arn, region_name=region).may_pause


def is_elsewhere(endpoint_url: str | None) -> bool:
    """Whether the Data API's endpoint is another than AWS's own: most likely a local one."""
    url = endpoint_url or os.environ.get("AWS_ENDPOINT_URL_RDS_DATA", "")
    host = urlsplit(url).hostname or ""
    return bool(url) and not host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))


def refuse_pausing(resource_arn: str, what: str) -> ServerLoadError:
    """The error for a cluster that may pause."""
    name = resource_arn.rpartition(":")[2]
    return ServerLoadError(
        f"cluster {name!r} pauses when nobody uses it (its minimum is 0 ACU), and {what} would "
        "keep it awake: use `server-load db-load`, which asks CloudWatch, or give --keep-awake"
    )
