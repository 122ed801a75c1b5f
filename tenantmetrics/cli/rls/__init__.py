"""`tenantmetrics rls`: row-level security, written, checked and proved."""

from __future__ import annotations

import typer

from tenantmetrics.cli.rls.check import check

__all__ = ["rls"]

rls = typer.Typer(
    name="rls",
    no_args_is_help=True,
    help="Row-level security: check that its policies hold.",
)
rls.command()(check)


@rls.callback()
def _group() -> None:
    """A group of commands."""
