"""`tenantmetrics server-load`: what the database and AWS say of their own load."""

from __future__ import annotations

import typer

from tenantmetrics.cli.server_load.activity import activity
from tenantmetrics.cli.server_load.db_load import db_load
from tenantmetrics.cli.server_load.performance_insights import performance_insights
from tenantmetrics.cli.server_load.statements import statements

__all__ = ["server_load"]

server_load = typer.Typer(
    name="server-load",
    no_args_is_help=True,
    help="Record the server's own load, to divide compute by.",
)
server_load.command()(activity)
server_load.command()(db_load)
server_load.command()(performance_insights)
server_load.command()(statements)


@server_load.callback()
def _group() -> None:
    """A group of commands, one a source."""
