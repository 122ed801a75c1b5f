"""`tenantmetrics sidecar`: the Data API through a meter, until SIGTERM."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tenantmetrics.cli.request_log import log_to_stderr

__all__ = ["sidecar"]


def sidecar(
    *,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8787,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; beyond loopback with --token-file or --verify."),
    ] = "127.0.0.1",
    uds: Annotated[
        str, typer.Option(metavar="PATH", help="Listen on this unix socket instead.")
    ] = "",
    upstream: Annotated[
        str,
        typer.Option(metavar="URL", help="Send all calls here. [default: AWS, by region]"),
    ] = "",
    region: Annotated[str, typer.Option(help="Region of calls whose resourceArn names none.")] = "",
    tenant_header: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Take the tenant from this request header, such as x-tenant-id."
        ),
    ] = "",
    strict: Annotated[
        bool | None,
        typer.Option("--strict/--no-strict", help="Refuse calls without a tenant, or with two."),
    ] = None,
    allow_cluster: Annotated[
        list[str] | None,
        typer.Option(metavar="ARN", help="Forward calls to this cluster only. Repeatable."),
    ] = None,
    allow_secret: Annotated[
        list[str] | None,
        typer.Option(metavar="ARN", help="Forward calls with this secret only. Repeatable."),
    ] = None,
    host_name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another host name that clients use. Repeatable."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take calls below /TOKEN only; the token is in FILE."),
    ] = None,
    verify: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Check the SDK's signature against the keys in FILE, as in ~/.aws/credentials.",
        ),
    ] = None,
    count_marked: Annotated[
        bool,
        typer.Option(
            "--count-marked", help="Also record calls that an instrumented client records itself."
        ),
    ] = False,
    tenant_labels: Annotated[
        bool, typer.Option("--tenant-labels", help="Label the metrics on /metrics by tenant.")
    ] = False,
    max_connections: Annotated[
        int, typer.Option(help="Connections that clients may have open.")
    ] = 1_024,
    max_calls: Annotated[int, typer.Option(help="Calls under way at a time.")] = 256,
    upstream_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long an answer may take.")
    ] = 120.0,
    grace: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long to go on serving after SIGTERM.")
    ] = 20.0,
    flush_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long to deliver at the end.")
    ] = 5.0,
    log_calls: Annotated[
        bool, typer.Option("--log-calls", help="Log each call, without body and parameters.")
    ] = False,
) -> None:
    """Run a proxy that meters any SDK in any language."""
    from tenantmetrics.errors import MissingExtraError

    try:
        from tenantmetrics.sidecar.main import run
        from tenantmetrics.sidecar.settings import Settings, read_keys, read_token
    except ModuleNotFoundError as error:
        if error.name not in {"uvicorn", "httptools", "aiohttp", "prometheus_client"}:
            raise
        raise MissingExtraError("the sidecar", "sidecar") from None
    from tenantmetrics.config import load

    settings = Settings(
        host=host,
        port=port,
        uds=uds,
        upstream=upstream,
        region=region,
        tenant_header=tenant_header.strip().lower(),
        resource_arns=tuple(allow_cluster or ()),
        secret_arns=tuple(allow_secret or ()),
        hosts=tuple(host_name or ()),
        token=read_token(token_file) if token_file is not None else "",
        keys=read_keys(verify) if verify is not None else None,
        count_marked=count_marked,
        tenant_labels=tenant_labels,
        max_tenants=load().max_metric_tenants,
        max_connections=max_connections,
        max_calls=max_calls,
        upstream_timeout_s=upstream_timeout,
        grace_s=grace,
        flush_timeout_s=flush_timeout,
        log_calls=log_calls,
    )
    log_to_stderr()
    if not run(settings, _say, strict=strict):
        print("tenantmetrics: not everything was delivered in time", file=sys.stderr)


def _say(address: str) -> None:
    print(f"# sidecar at {address}")
    if address.startswith("http"):
        print(f"export AWS_ENDPOINT_URL_RDS_DATA={address}", flush=True)
    else:
        print("# SIGTERM stops it", flush=True)
