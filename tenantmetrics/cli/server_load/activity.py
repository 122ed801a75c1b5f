"""`tenantmetrics server-load activity`: samples of pg_stat_activity."""

from __future__ import annotations

import re
import signal
from typing import Annotated

import typer

from tenantmetrics.cli.aws_options import ClusterRegion, EndpointUrl, Url
from tenantmetrics.cli.server_load.target import (
    DatabaseName,
    KeepAwake,
    Ledger,
    ResourceArn,
    SecretArn,
    connect,
    may_pause,
    refuse_pausing,
)
from tenantmetrics.errors import ServerLoadError

__all__ = ["activity"]

_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


def activity(
    *,
    ledger: Ledger,
    resource_arn: ResourceArn,
    interval: Annotated[float, typer.Option(min=1, max=300, help="Seconds between two samples.")],
    for_: Annotated[str, typer.Option("--for", help="How long, such as 600, 10m, 8h or 30d.")],
    secret_arn: SecretArn = None,
    database: DatabaseName = None,
    url: Url = None,
    application: Annotated[
        str | None,
        typer.Option(
            help="Regular expression for whole application names, its first group the tenant. "
            "[default: any name but a driver's or a tool's]"
        ),
    ] = None,
    keep_awake: KeepAwake = False,
    region: ClusterRegion = None,
    endpoint_url: EndpointUrl = None,
) -> None:
    """Sample pg_stat_activity: whose sessions work.

    For clusters that have neither pg_stat_statements nor Performance Insights. A session's tenant
    is in its text's comment or its application_name. Read-only. What it costs is said first.
    """
    from tenantmetrics import config
    from tenantmetrics.serverside.activity import Reader, run

    for_s = _seconds(for_)
    pattern = _pattern(application)
    reader = Reader(config.load(), pattern)
    if not keep_awake:
        _refuse_waking(resource_arn, interval, region)
    with connect(
        resource_arn=resource_arn,
        secret_arn=secret_arn,
        database=database,
        url=url,
        region=region,
        endpoint_url=endpoint_url,
    ) as source:
        typer.echo(_cost(interval, for_s, through_data_api=url is None), err=True)
        # A container is stopped with SIGTERM: what was seen is written then, as after Ctrl-C.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            seen = run(
                source,
                reader,
                ledger,
                resource_arn,
                interval_s=interval,
                for_s=for_s,
                on_failure=lambda why: typer.echo(f"tenantmetrics: warning: {why}", err=True),
            )
        finally:
            signal.signal(signal.SIGTERM, before)
    average = seen.active / seen.samples if seen.samples else 0.0
    part = seen.named / seen.active if seen.active else 0.0
    typer.echo(
        f"wrote {seen.samples:,} samples, {average:,.2f} active sessions on average, "
        f"{part:.1%} of them with a tenant: {seen.files[-1] if seen.files else 'nothing'}"
    )


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    seconds = float(match[1]) * _UNITS_S[match[2]] if match else 0.0
    if seconds <= 0:
        raise typer.BadParameter(f"--for {text!r}: write a time such as 600, 10m, 8h or 30d")
    return seconds


def _pattern(text: str | None) -> re.Pattern[str] | None:
    if text is None:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise typer.BadParameter(f"--application {text!r} does not parse: {error}") from None
    if not pattern.groups:
        raise typer.BadParameter(f"--application {text!r} has no group, which is the tenant")
    return pattern


def _refuse_waking(resource_arn: str, interval_s: float, region: str | None) -> None:
    try:
        pauses = may_pause(resource_arn, region=region)
    except ServerLoadError as error:
        raise ServerLoadError(
            f"whether the cluster may pause, and would be kept awake, is not known: {error}; or "
            "give --keep-awake"
        ) from None
    if pauses:
        raise refuse_pausing(resource_arn, f"a look every {interval_s:g} s")


def _cost(interval_s: float, for_s: float, *, through_data_api: bool) -> str:
    """What it will cost, before it starts."""
    from tenantmetrics.cost.prices import built_in
    from tenantmetrics.serverside.activity import requests_a_month

    looks = max(1, round(for_s / interval_s))
    if not through_data_api:
        return f"{looks:,} looks over one connection: no Data API requests"
    month = requests_a_month(interval_s)
    price = built_in("us-east-1").tiered_cost("data_api_million", month)
    return (
        f"{looks:,} looks are as many Data API requests or more (32 KB count as one); all month "
        f"long they would be {month:,}, about ${price:,.2f} at the list price of us-east-1"
    )
