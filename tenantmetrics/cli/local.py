"""`tenantmetrics local`: the RDS Data API over PostgreSQL, until Ctrl-C."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from tenantmetrics.cli.interrupts import at_once
from tenantmetrics.cli.request_log import log_to_stderr

__all__ = ["local"]


def local(
    *,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    postgres: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Use this PostgreSQL instead of an embedded one; "
            "`installed` runs the one that is installed on this machine.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the embedded PostgreSQL. [default: a temporary one]"),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(help="Database of calls that name none; made if missing when embedded."),
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(help="Make a role without superuser rights, and a secret for it. Repeatable."),
    ] = None,
    clusters: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML file of clusters and secrets."),
    ] = None,
    any_arn: Annotated[
        bool,
        typer.Option("--any-arn", help="Accept any ARN; unknown ones are the first."),
    ] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[OPERATION:]KIND[:rate=R][:count=N][:after=N][:delay=S]",
            help="Inject a failure: an error code, timeout, slow or cut; or the time that a call "
            "takes on AWS: overhead:median=0.02:p99=0.08. Repeatable.",
        ),
    ] = None,
    fault_seed: Annotated[
        int | None,
        typer.Option(help="Seed of the random numbers behind the faults."),
    ] = None,
    v1: Annotated[bool, typer.Option("--v1", help="Behave as Aurora Serverless v1 did.")] = False,
    pool: Annotated[
        str,
        typer.Option(help="What happens to sessions between calls: reset or leaky."),
    ] = "reset",
    verify: Annotated[
        str | None,
        typer.Option(metavar="KEY:SECRET", help="Check signatures against these credentials."),
    ] = None,
    time_statements: Annotated[
        bool,
        typer.Option(
            "--time-statements",
            help="Count PostgreSQL's own time by call; read it at /_local/server-time.",
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not log requests.")] = False,
) -> None:
    """Run a local RDS Data API over a real PostgreSQL.

    Over an embedded one, the machine's own, or any that --postgres names.
    """
    with at_once():
        from tenantmetrics.errors import LocalApiError
        from tenantmetrics.localapi import load, serve
        from tenantmetrics.loopback import is_loopback

    # Before anything is started, so that no signal finds it unguarded.
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stopper(stop))
    if clusters is not None and (postgres is not None or database is not None):
        raise LocalApiError("--clusters names each PostgreSQL: leave out --postgres and --database")
    known, secrets = load(clusters) if clusters is not None else ([], [])
    key, secret = _key_pair(verify)
    log_to_stderr()
    endings: list[str] = []

    def died(ended: str) -> None:
        endings.append(ended)
        stop.set()

    try:
        with serve(
            postgres=postgres,
            data=data,
            host=host,
            port=port,
            database=database,
            roles=role or (),
            clusters=known,
            secrets=secrets,
            accept_any_arn=any_arn,
            faults=fault or (),
            fault_seed=fault_seed,
            version=1 if v1 else 2,
            pool=pool,
            verify={key: secret} if verify is not None else None,
            log=not quiet,
            time_statements=time_statements,
            on_death=died,
        ) as endpoint:
            environment = endpoint.environment
            if verify is not None:
                environment |= {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "<as given>"}
            if not is_loopback(host):
                print(
                    f"warning: listening on {host}: whoever reaches this machine can run SQL",
                    file=sys.stderr,
                )
            print(
                f"# RDS Data API at {endpoint.url}; PostgreSQL at {_public(endpoint.psycopg_url)}"
            )
            for name, value in environment.items():
                print(f"export {name}={shlex.quote(value)}")
            print(f"# resourceArn {endpoint.resource_arn}")
            print(f"# secretArn   {endpoint.secret_arn}")
            for name, arn in endpoint.secret_arns.items():
                print(f"# secretArn   {arn}  (role {name})")
            print("# Ctrl-C stops it", flush=True)
            stop.wait()
    except _StoppedError:
        pass
    if endings:
        raise LocalApiError(f"the embedded PostgreSQL stopped: {endings[0]}")


def _key_pair(text: str | None) -> tuple[str, str]:
    """The two parts of KEY:SECRET; empty ones if none is given."""
    key, _, secret = (text or "").partition(":")
    if text is not None and not (key and secret):
        from tenantmetrics.errors import LocalApiError

        raise LocalApiError("--verify needs KEY:SECRET")
    return key, secret


class _StoppedError(KeyboardInterrupt):
    """A signal came while the endpoint was starting."""


def _stopper(stop: threading.Event) -> Callable[..., None]:
    """A signal handler that ends the wait, and at first also what has not come to wait yet."""

    def handle(*_: object) -> None:
        if stop.is_set():
            return
        stop.set()
        raise _StoppedError

    return handle


def _public(url: str) -> str:
    """A connection string without its password."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    parts = {name: value for name, value in conninfo_to_dict(url).items() if name != "password"}
    return make_conninfo("", **parts)
