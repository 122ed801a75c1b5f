"""Options that say which AWS, or which database instead, a command talks to."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["ClusterRegion", "EndpointUrl", "Region", "Url"]

Region = Annotated[str | None, typer.Option(help="AWS region. [default: boto3's own]")]

ClusterRegion = Annotated[
    str | None, typer.Option(help="AWS region. [default: the cluster's, else boto3's own]")
]

EndpointUrl = Annotated[
    str | None,
    typer.Option(help="Another Data API endpoint, such as that of `tenantmetrics local`."),
]

Url = Annotated[
    str | None,
    typer.Option(
        help="Connect here instead: postgresql://user@host/database. Keep the password in "
        "PGPASSWORD or ~/.pgpass.",
        envvar="TENANTMETRICS_POSTGRES_URL",
    ),
]
