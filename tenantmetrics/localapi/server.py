"""Starts and stops the endpoint, and PostgreSQL underneath."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict

from tenantmetrics.dataapi.signing import Verifier
from tenantmetrics.errors import LocalApiError
from tenantmetrics.localapi.app import Application
from tenantmetrics.localapi.clusters import (
    EMBEDDED,
    Cluster,
    Directory,
    Secret,
    checked_url,
    cluster_arn,
    secret_arn,
)
from tenantmetrics.localapi.counts import RequestCounts
from tenantmetrics.localapi.databases import probe, provide
from tenantmetrics.localapi.endpoint import Endpoint
from tenantmetrics.localapi.faults import Fault, FaultPlan
from tenantmetrics.localapi.listening import START_S, listen, loop_on_thread, serving
from tenantmetrics.localapi.postgres import embedded
from tenantmetrics.localapi.programs import installed
from tenantmetrics.localapi.servertime import ServerTime
from tenantmetrics.localapi.service import STATEMENT_TIMEOUT_S, Service
from tenantmetrics.localapi.sessions import PoolMode

__all__ = ["serve"]

LOOPBACK = "127.0.0.1"
INSTALLED = "installed"
_NAME = "local"


@contextlib.contextmanager
def serve(
    *,
    postgres: str | None = None,
    data: str | Path | None = None,
    host: str = LOOPBACK,
    port: int = 0,
    database: str | None = None,
    roles: Sequence[str] = (),
    clusters: Sequence[Cluster] = (),
    secrets: Sequence[Secret] = (),
    accept_any_arn: bool = False,
    faults: Iterable[Fault | str] = (),
    fault_seed: int | None = None,
    version: int = 2,
    pool: str = PoolMode.RESET,
    verify: Mapping[str, str] | None = None,
    log: bool = False,
    time_statements: bool = False,
    on_death: Callable[[str], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    reap_every_s: float = 1.0,
    statement_timeout_s: float = STATEMENT_TIMEOUT_S,
) -> Iterator[Endpoint]:
    """Run the endpoint for as long as the block lasts.

    Args:
        postgres: URL of a PostgreSQL; None starts an embedded one; "installed" starts the newest
            PostgreSQL installed on this machine in the same way, for its extensions.
        data: Folder that keeps the embedded one's data; None throws it away.
        host: Address to listen on. Anything but loopback lets others in: no password protects it.
        port: Port; 0 takes a free one.
        database: Database of calls that name none, made if missing on an embedded PostgreSQL;
            None: that of the URL, `postgres` on an embedded one.
        roles: Roles to make on the embedded PostgreSQL, with a secret each: LOGIN, no superuser,
            no BYPASSRLS, so that row-level security holds for them.
        clusters: Clusters instead of the one of `postgres`; see `clusters.load` for a file.
        secrets: Secrets instead of the default one.
        accept_any_arn: Use the first cluster and the first secret for unknown ARNs.
        faults: Failures to inject, as `Fault` or in the text form of `Fault.parse`.
        fault_seed: Seed of the faults' random numbers.
        version: 2, or 1 for what Aurora Serverless v1 did.
        pool: "reset" or "leaky", see `PoolMode`.
        verify: Access key → secret key: signatures are checked; None accepts anything.
        log: Log each request with structlog.
        on_death: Told, on another thread, when the embedded PostgreSQL died and cannot be started
            again: how it ended. A death that a restart mends is logged.
        time_statements: Keep PostgreSQL's own account of each call's time, `endpoint.server_time`.
        clock: Monotonic seconds for the expiry of transactions; injected by tests.
        reap_every_s: Seconds between looks for expired transactions.
        statement_timeout_s: Seconds that a call may run.

    Yields:
        The endpoint, accepting requests.

    Raises:
        LocalApiError: It cannot start; one line says why.
    """
    if version not in (1, 2):
        raise LocalApiError(f"version {version!r}: must be 1 or 2")
    if pool not in set(PoolMode):
        raise LocalApiError(f"pool {pool!r}: must be one of {', '.join(PoolMode)}").about("pool")
    plan = FaultPlan(faults, fault_seed)
    with contextlib.ExitStack() as stack:
        # First, since it is what most often fails, and costs nothing.
        listener = stack.enter_context(listen(host, port))
        known = list(clusters) or [
            Cluster(
                cluster_arn(_NAME),
                EMBEDDED if postgres in {None, INSTALLED} else checked_url(str(postgres)),
                database,
            ),
        ]
        is_embedded = any(cluster.postgres == EMBEDDED for cluster in known)
        if (roles or data is not None) and not is_embedded:
            raise LocalApiError("roles and data are for the embedded PostgreSQL only")
        for url, arn in {cluster.postgres: cluster.arn for cluster in reversed(known)}.items():
            if url != EMBEDDED:
                probe(url, arn if clusters else "")
        if is_embedded:
            url = stack.enter_context(
                embedded(
                    data,
                    timed=time_statements,
                    programs=installed() if postgres == INSTALLED else None,
                    on_death=partial(_died, on_death),
                )
            )
            known = [
                Cluster(cluster.arn, url, cluster.database)
                if cluster.postgres == EMBEDDED
                else cluster
                for cluster in known
            ]
            provide(url, {cluster.database for cluster in known if cluster.postgres == url}, roles)
        made = {role: Secret(secret_arn(role), role) for role in roles}
        directory = Directory(
            known,
            [*(secrets or [Secret(secret_arn(_NAME))]), *made.values()],
            accept_any_arn=accept_any_arn,
            timed=time_statements,
        )
        counts = RequestCounts()
        loop = stack.enter_context(loop_on_thread())

        async def build() -> tuple[Service, Application]:
            service = Service(
                directory,
                version=version,
                mode=PoolMode(pool),
                clock=clock,
                timeout_s=statement_timeout_s,
                server_time=ServerTime() if time_statements else None,
            )
            verifier = Verifier(verify) if verify is not None else None
            return service, Application(service, plan, counts, verifier=verifier, log=log)

        service, application = asyncio.run_coroutine_threadsafe(build(), loop).result(START_S)
        stack.enter_context(serving(application, service, listener, loop, reap_every_s))
        bound = listener.getsockname()
        name = known[0].database or conninfo_to_dict(known[0].postgres).get("dbname")
        yield Endpoint(
            address=(bound[0], bound[1]),
            directory=directory,
            secret_arns={role: secret.arn for role, secret in made.items()},
            psycopg_url=_for_database(known[0].postgres, known[0].database),
            database=str(name or "postgres"),
            requests=counts,
            faults=plan,
            service=service,
            loop=loop,
        )


def _died(told: Callable[[str], None] | None, ended: str, runs_again: bool) -> None:
    """Log that the embedded PostgreSQL died; data that it had committed is still there."""
    log = structlog.get_logger("tenantmetrics.local")
    if runs_again:
        log.warning("postgres_restarted", how=ended)
        return
    log.error("postgres_died", how=ended)
    if told is not None:
        told(ended)


def _for_database(url: str, database: str | None) -> str:
    return psycopg.conninfo.make_conninfo(url, **({"dbname": database} if database else {}))
