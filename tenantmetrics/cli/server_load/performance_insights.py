"""`tenantmetrics server-load performance-insights`: load by application or user."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenantmetrics.arns import region_of
from tenantmetrics.cli.aws_options import ClusterRegion
from tenantmetrics.cli.server_load.period import ClusterName, Since, Until, first_and_last
from tenantmetrics.cli.server_load.target import Ledger
from tenantmetrics.errors import ServerLoadError, why_unreadable

if TYPE_CHECKING:
    from tenantmetrics.serverside.cluster import Cluster, Instance
    from tenantmetrics.serverside.days import Day

__all__ = ["performance_insights"]

_DAY_S = 86_400


class By(StrEnum):
    """What load is told apart by."""

    APPLICATION = "application"
    USER = "user"


def performance_insights(
    *,
    ledger: Ledger,
    cluster: ClusterName,
    by: Annotated[
        list[By] | None,
        typer.Option(
            help="Split the load by application_name or user; both may be given. "
            "[default: application]"
        ),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(
            help="File of tenants, one a line, to ask for whether they are among the largest of "
            "an hour or not."
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    patience: Annotated[
        float, typer.Option(min=1, help="Seconds that all requests together may take.")
    ] = 300,
    region: ClusterRegion = None,
) -> None:
    """Write Performance Insights' load by name and hour.

    The name is an application's or a user's.

    For applications that set application_name (or a role) to the tenant. Run it every day: each run
    writes its days anew, as far as they are over. It never touches the database.
    """
    from tenantmetrics.serverside import tables
    from tenantmetrics.serverside.cluster import describe, instances
    from tenantmetrics.serverside.columns import PERFORMANCE_INSIGHTS
    from tenantmetrics.serverside.days import days
    from tenantmetrics.serverside.insights import Insights, read

    known = _known(names)
    now_s = time.time()
    wanted = days(*first_and_last(since, until, now_s), now_s)
    described = describe(cluster, region_name=region)
    region_name = region or region_of(described.arn) or None
    lit = _with_insights(described, instances(described, region_name=region_name), wanted, now_s)
    with Insights(region_name=region_name, patience_s=patience) as insights:
        for dimension in dict.fromkeys(by or [By.APPLICATION]):
            found = read(insights, described, lit, wanted, dimension, known=known)
            if not found.rows:
                raise ServerLoadError(
                    f"Performance Insights has no load of cluster {described.identifier!r} from "
                    f"{wanted[0].label} to {wanted[-1].label}"
                )
            source = tables.source_id(described.arn, dimension)
            for day, rows in found.rows.items():
                address = tables.write(ledger, PERFORMANCE_INSIGHTS, day.start_s, source, rows)
                typer.echo(f"wrote {day.label} of {described.identifier}: {address}")
            part = found.named / found.load if found.load else 0.0
            typer.echo(
                f"{found.names:,} names of dimension {dimension} have {min(part, 1.0):.1%} of "
                f"{found.load:,.2f} session hours"
            )


def _known(file: Path | None) -> set[str]:
    """The names that tenants in a file have in the database."""
    from tenantmetrics.serverside.names import application_names

    if file is None:
        return set()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = why_unreadable(error)
        raise ServerLoadError(f"--names {str(file)!r} cannot be read: {reason}") from None
    tenants = (line.strip() for line in lines)
    return {name for tenant in tenants if tenant for name in application_names(tenant)}


def _with_insights(
    cluster: Cluster, every: list[Instance], wanted: list[Day], now_s: float
) -> list[Instance]:
    """The instances that can be asked; a warning for each other one."""
    lit = [instance for instance in every if instance.has_insights]
    if not lit:
        raise ServerLoadError(
            f"Performance Insights is off on every instance of cluster {cluster.identifier!r}: "
            "turn it on (aws rds modify-db-cluster --enable-performance-insights), or use "
            "`server-load statements`"
        )
    kept_days = min(instance.kept_days for instance in lit)
    if wanted[0].start_s < now_s - kept_days * _DAY_S:
        raise ServerLoadError(
            f"Performance Insights of cluster {cluster.identifier!r} keeps {kept_days} days, and "
            f"{wanted[0].label} began before: give a later --since"
        )
    for instance in every:
        if not instance.has_insights:
            typer.echo(
                f"tenantmetrics: warning: Performance Insights is off on instance "
                f"{instance.identifier!r}: its load is missing",
                err=True,
            )
    return lit
