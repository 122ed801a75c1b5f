"""`tenantmetrics demo`: the whole job on a real PostgreSQL, in half a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantmetrics.errors import MissingExtraError

__all__ = ["demo"]


def demo(
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the ledger and the reports.")
    ] = Path("tenantmetrics-demo"),
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds of load.")] = 15.0,
    overhead: Annotated[
        bool,
        typer.Option(
            "--overhead/--no-overhead", help="Give calls the wall time that they have on AWS."
        ),
    ] = True,
) -> None:
    """Run a demo platform and print its bill by tenant.

    Tenants book hotel rooms on an embedded PostgreSQL.

    Needs no AWS account and no network. Leaves files, no process; Ctrl-C stops it at any point.
    """
    try:
        from rich.console import Console

        from tenantmetrics.demo.run import run
    except ModuleNotFoundError as error:
        if error.name not in {"duckdb", "pyarrow", "jinja2", "babel"}:
            raise
        raise MissingExtraError("the demo", "all") from None
    run(output, seconds, Console(), overhead=overhead)
