"""The argument tree: every command by name, each in a file of its own."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from tenantmetrics.cli.alarms import alarms
from tenantmetrics.cli.athena import athena_table
from tenantmetrics.cli.cost import cost
from tenantmetrics.cli.dashboards import dashboards
from tenantmetrics.cli.demo import demo
from tenantmetrics.cli.doctor import doctor
from tenantmetrics.cli.explain import explain
from tenantmetrics.cli.local import local
from tenantmetrics.cli.over_budget import ReportCommand
from tenantmetrics.cli.prices import prices
from tenantmetrics.cli.report import report
from tenantmetrics.cli.report_stack import report_stack
from tenantmetrics.cli.rls import rls
from tenantmetrics.cli.server_load import server_load
from tenantmetrics.cli.sidecar import sidecar
from tenantmetrics.cli.storage import storage
from tenantmetrics.cli.wrong_values import CommandTree

__all__ = ["app"]

app = typer.Typer(
    name="tenantmetrics",
    cls=CommandTree,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Rich would read [default: …] as markup and leave it out, and break lines inside sentences.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tenantmetrics {version('tenantmetrics')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Which tenant costs what on a shared Aurora cluster behind the RDS Data API."""


app.command()(athena_table)
app.command()(demo)
app.command()(doctor)
app.command()(explain)
app.command()(local)
app.command(cls=ReportCommand)(report)
app.command()(report_stack)
app.command()(sidecar)
app.command()(storage)
app.add_typer(alarms)
app.add_typer(cost)
app.add_typer(dashboards)
app.add_typer(prices)
app.add_typer(rls)
app.add_typer(server_load)
