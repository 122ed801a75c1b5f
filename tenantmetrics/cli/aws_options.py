"""Options that say which AWS a command talks to."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["EndpointUrl", "Region"]

Region = Annotated[str | None, typer.Option(help="AWS region. [default: boto3's own]")]

EndpointUrl = Annotated[
    str | None,
    typer.Option(help="Another Data API endpoint, such as that of `tenantmetrics local`."),
]
