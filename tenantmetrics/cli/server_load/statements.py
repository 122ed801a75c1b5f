"""`tenantmetrics server-load statements`: pg_stat_statements, a snapshot at a time."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tenantmetrics.cli.aws_options import ClusterRegion, EndpointUrl, Url
from tenantmetrics.cli.server_load.target import (
    DatabaseName,
    KeepAwake,
    Ledger,
    ResourceArn,
    SecretArn,
    connect,
    is_elsewhere,
    may_pause,
    refuse_pausing,
)
from tenantmetrics.errors import ServerLoadError

if TYPE_CHECKING:
    from tenantmetrics.serverside.statements import Outcome

__all__ = ["statements"]

_NS_A_S = 1_000_000_000


def statements(
    *,
    ledger: Ledger,
    resource_arn: ResourceArn,
    secret_arn: SecretArn = None,
    database: DatabaseName = None,
    url: Url = None,
    every: Annotated[
        int,
        typer.Option(
            min=10,
            max=43_200,
            help="Seconds between two snapshots by your schedule; a longer pause is noted.",
        ),
    ] = 300,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="Keep running: a snapshot every --every seconds.")
    ] = False,
    start_anew: Annotated[
        bool, typer.Option("--start-anew", help="Forget the last snapshot and begin a new series.")
    ] = False,
    keep_awake: KeepAwake = False,
    region: ClusterRegion = None,
    endpoint_url: EndpointUrl = None,
) -> None:
    """Write what ran since the last snapshot.

    Reads pg_stat_statements. Run it every few minutes: the first run keeps a snapshot, each later
    one writes what ran in between. Read-only. Texts of statements are never stored. The role needs
    pg_read_all_stats.
    """
    from tenantmetrics import config
    from tenantmetrics.serverside.statements import take

    settings = config.load()
    if not keep_awake:
        try:
            pauses = may_pause(resource_arn, region=region)
        except ServerLoadError as error:
            pauses = False
            if not is_elsewhere(endpoint_url):
                _note(f"whether the cluster may pause is not known: {error}")
        if pauses:
            raise refuse_pausing(resource_arn, f"a snapshot every {every} s")

    def once(*, anew: bool) -> None:
        with connect(
            resource_arn=resource_arn,
            secret_arn=secret_arn,
            database=database,
            url=url,
            region=region,
            endpoint_url=endpoint_url,
        ) as source:
            outcome = take(source, ledger, resource_arn, settings, every_s=every, start_anew=anew)
        _tell(outcome, resource_arn)

    once(anew=start_anew)
    while repeat:
        # By the clock, so that stretches end with the ledger's windows.
        threading.Event().wait(every - time.time() % every)
        try:
            once(anew=False)
        except ServerLoadError as error:
            _note(str(error))  # the next snapshot makes up for this one


def _tell(outcome: Outcome, resource_arn: str) -> None:
    name = resource_arn.rpartition(":")[2]
    for note in outcome.notes:
        _note(note)
    stretch = outcome.stretch
    if stretch is None:
        if outcome.began_anew:
            _note(f"nothing was written, a new series begins: {outcome.began_anew}")
        typer.echo(
            f"first snapshot of {name}: {outcome.statements:,} statements; the next run writes "
            "what runs from now on"
        )
        return
    start, end = (datetime.fromtimestamp(at, UTC) for at in (stretch.start_s, stretch.end_s))
    typer.echo(
        f"wrote {outcome.written:,} statements of {name}, "
        f"{outcome.exec_ns / _NS_A_S:,.3f} s of server time, "
        f"{start:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S} UTC: {outcome.address}"
    )


def _note(text: str) -> None:
    typer.echo(f"tenantmetrics: warning: {text}", err=True)
