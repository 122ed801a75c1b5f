"""What must hold of PostgreSQL before the first call: it answers, and what is named is there."""

from __future__ import annotations

import time
from collections.abc import Sequence

import psycopg
from psycopg import sql

from tenantmetrics.errors import LocalApiError, why_unreachable
from tenantmetrics.localapi.slots import LEAVES_WITHIN_S, RETRY_S, is_full

__all__ = ["probe", "provide"]

_CONNECT_TIMEOUT_S = 10


def provide(url: str, databases: set[str | None], roles: Sequence[str]) -> None:
    """Make the roles and databases that are asked for and missing.

    Args:
        url: Of a superuser.
        databases: Names; None is skipped.
        roles: Names; made with LOGIN and nothing else.

    Raises:
        LocalApiError: PostgreSQL refuses one of them, or row-level security would not hold for a
            role.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        for role in roles:
            query = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = %s"
            found = connection.execute(query, [role]).fetchone()
            if found is None:
                _make(connection, sql.SQL("CREATE ROLE {} LOGIN"), "role", role)
            elif found[0]:
                raise LocalApiError(f"role {role!r} bypasses row-level security: name another role")
        for name in sorted(filter(None, databases)):
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if not connection.execute(query, [name]).rowcount:
                _make(connection, sql.SQL("CREATE DATABASE {}"), "database", name)


def _make(connection: psycopg.Connection, statement: sql.SQL, kind: str, name: str) -> None:
    try:
        connection.execute(statement.format(sql.Identifier(name)))
    except psycopg.Error as error:
        reason = error.diag.message_primary or type(error).__name__
        raise LocalApiError(f"{kind} {name!r} cannot be made: {reason}") from None


def probe(url: str, cluster: str = "") -> None:
    """Connect once, so that a wrong URL is known now.

    An endpoint that has just stopped may still hold a slot: for that it waits a few seconds.

    Args:
        url: Of PostgreSQL.
        cluster: The ARN whose PostgreSQL it is, for the message; "" where there is but one.

    Raises:
        LocalApiError: PostgreSQL cannot be reached, or refuses.
    """
    give_up_s = time.monotonic() + LEAVES_WITHIN_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=_CONNECT_TIMEOUT_S).close()
        except psycopg.Error as error:
            if is_full(error) and time.monotonic() < give_up_s:
                time.sleep(RETRY_S)
                continue
            of = f" of {cluster}" if cluster else ""
            raise LocalApiError(
                f"PostgreSQL{of} cannot be reached: {why_unreachable(error, url)}"
            ) from None
        return
