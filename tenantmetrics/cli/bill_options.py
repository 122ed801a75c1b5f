"""The options of `report` that say which charges of which bill are divided."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantmetrics.cli.flags import flag_of
from tenantmetrics.errors import ReportError

__all__ = [
    "Amortized",
    "BillAccount",
    "BillCluster",
    "BillOption",
    "BillTag",
    "ClustersFile",
    "refuse_without_bill",
]

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


def refuse_without_bill(bill: list[str] | None, **options: object) -> None:
    """Make sure that what is said of a bill is not said of list prices, which know nothing of it.

    Args:
        bill: The bills.
        **options: What says something of them, by name; None where it is not given.

    Raises:
        ReportError: There is no bill; names the first of the options.
    """
    for name, value in options.items():
        if value is not None and not bill:
            raise ReportError(f"{flag_of(name)} is about a bill, and there is none: add --bill")
