"""The options of `report` that say which charges of which bill are divided."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Amortized", "BillAccount", "BillCluster", "BillOption", "BillTag", "ClustersFile"]

BillOption = Annotated[
    list[str] | None,
    typer.Option(
        help="CUR, FOCUS or Cost Explorer file, a folder, s3://..., or cost-explorer, which "
        "asks AWS. [default: list prices]"
    ),
]

BillAccount = Annotated[str | None, typer.Option(help="Only charges of this usage account.")]

BillCluster = Annotated[
    str | None,
    typer.Option(help="Only this cluster: its whole name, resource id or ARN."),
]

ClustersFile = Annotated[
    Path | None,
    typer.Option(
        help="What else clusters are called on bills: CSV of cluster, resource, or the JSON of "
        "`aws rds describe-db-clusters`."
    ),
]

BillTag = Annotated[
    str | None, typer.Option(help="Only charges with this resource tag, KEY=VALUE.")
]

Amortized = Annotated[
    bool, typer.Option("--amortized", help="Commitments count when used, not when paid.")
]
