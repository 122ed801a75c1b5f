"""`tenantmetrics server-load db-load`: CloudWatch's DBLoad by instance and hour."""

from __future__ import annotations

import time

import typer

from tenantmetrics.arns import region_of
from tenantmetrics.cli.aws_options import ClusterRegion
from tenantmetrics.cli.server_load.period import ClusterName, Since, Until, first_and_last
from tenantmetrics.cli.server_load.target import Ledger

__all__ = ["db_load"]


def db_load(
    *,
    ledger: Ledger,
    cluster: ClusterName,
    since: Since = None,
    until: Until = None,
    region: ClusterRegion = None,
) -> None:
    """Write CloudWatch's DBLoad by instance and hour.

    Run it every hour or every day: each run writes its days anew, as far as they are over. It never
    touches the database. It needs Database Insights or Performance Insights to be on.
    """
    from tenantmetrics.serverside import tables
    from tenantmetrics.serverside.cluster import describe
    from tenantmetrics.serverside.columns import DB_LOAD
    from tenantmetrics.serverside.days import days
    from tenantmetrics.serverside.db_load import read

    now_s = time.time()
    wanted = days(*first_and_last(since, until, now_s), now_s)
    described = describe(cluster, region_name=region)
    region_name = region or region_of(described.arn) or None
    load = read(described, wanted, now_s, region_name=region_name)
    for name in load.silent:
        typer.echo(
            f"tenantmetrics: warning: CloudWatch has no DBLoad of instance {name!r}: its load is "
            "missing",
            err=True,
        )
    source = tables.source_id(described.arn)
    for day, rows in load.rows.items():
        address = tables.write(ledger, DB_LOAD, day.start_s, source, rows)
        average = sum(row["load_aas"] for row in rows) * 3600 / (day.end_s - day.start_s)
        typer.echo(
            f"wrote {day.label} of {described.identifier}, {len(rows)} instance hours, "
            f"{average:,.2f} active sessions on average: {address}"
        )
