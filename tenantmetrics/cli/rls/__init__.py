"""`tenantmetrics rls`: row-level security, written, checked and proved."""

from __future__ import annotations

import typer

from tenantmetrics.cli.rls.check import check
from tenantmetrics.cli.rls.prove import prove
from tenantmetrics.cli.rls.schema import schema
from tenantmetrics.cli.rls.sql import sql

__all__ = ["rls"]

rls = typer.Typer(
    name="rls",
    no_args_is_help=True,
    help="Write row-level security, check it, prove that it holds.",
)
rls.command()(check)
rls.command()(prove)
rls.command()(sql)
rls.command()(schema)


@rls.callback()
def _group() -> None:
    """A group of commands."""
