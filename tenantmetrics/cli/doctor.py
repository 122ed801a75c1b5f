"""`tenantmetrics doctor`: is everything there that delivery needs, and what will it cost."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["doctor"]

_HEADINGS = ("a minute", "metrics", "GB", "$ a month")


def doctor(
    *,
    tenants: Annotated[int, typer.Option(min=1, help="Tenants, for the estimate.")] = 100,
    processes: Annotated[int, typer.Option(min=1, help="Processes that export.")] = 1,
) -> None:
    """Check settings, credentials, permissions and endpoints.

    Estimates the monthly cost of the metrics, too. Nothing is written anywhere: permissions are
    tried with requests that cannot be carried out.
    Exits with 1 if a check failed.
    """
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    from tenantmetrics import config
    from tenantmetrics.doctor import State, examine
    from tenantmetrics.errors import redacted
    from tenantmetrics.estimate import estimate

    settings = config.load()
    console = Console(highlight=False)
    exporters = redacted(", ".join(map(str, settings.exporters))) or "none"
    console.print(f"exporters: {exporters}", markup=False, soft_wrap=True)
    console.print(
        f"namespace {settings.namespace}, level {settings.metric_level}, at most"
        f" {settings.max_metric_tenants} tenants with metrics of their own",
        markup=False,
        soft_wrap=True,
    )
    colours = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "red"}
    failed = False
    for finding in examine(settings):
        failed |= finding.state is State.FAILED
        console.print(f"{finding.state:8}", style=colours[finding.state], end="", markup=False)
        console.print(f"{finding.what}: {finding.says}", markup=False, soft_wrap=True)

    title = f"A month of {tenants:,} tenants active every minute, processes: {processes:,}"
    rows = [
        (
            estimated.name,
            estimated.sends,
            f"{estimated.metrics:,}" if estimated.metrics else "",
            f"{estimated.gb_month:,.1f}" if estimated.gb_month else "",
            "by the GB" if estimated.dollars_month is None else f"{estimated.dollars_month:,.2f}",
        )
        for estimated in estimate(
            tenants, processes, max_metric_tenants=settings.max_metric_tenants
        )
    ]
    caption = "list prices of us-east-1, before discounts: estimates"
    table = Table(title=title, caption=caption)
    table.add_column("exporter", no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    wide = console.options.update(max_width=1_000)
    if Measurement.get(console, wide, table).maximum > console.width:
        console.print(f"{title} ({caption})", markup=False, soft_wrap=True)
        for name, *cells in rows:
            figures = zip(cells, _HEADINGS, strict=True)
            said = ", ".join(f"{cell} {heading}" for cell, heading in figures if cell)
            console.print(f"{name}: {said}", markup=False, soft_wrap=True)
    else:
        console.print(table)
    if failed:
        raise typer.Exit(1)
