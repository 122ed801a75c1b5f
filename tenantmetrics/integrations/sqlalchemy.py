"""SQLAlchemy: each transaction of an engine tells PostgreSQL its tenant at BEGIN.

    engine = create_engine("postgresql+auroradataapi://:@/hotel", connect_args={...})
    set_tenant_at_begin(engine)

    with tenantmetrics.tenant("acme"), Session(engine) as session:
        session.scalars(select(Booking))        # row-level security shows acme's

Contract: nothing of a transaction is sent before the tenant is set, with parameters, local to the
transaction. Without a tenant it is not begun. A statement within another tenant's block than the
transaction was begun in is refused: one session, one tenant. AUTOCOMMIT has no transaction, and is
refused; so is a role that row-level security does not bind, which would see every tenant's rows.
For sqlalchemy-aurora-data-api and psycopg, its async form too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, event, text

from tenantmetrics.errors import ConfigError, RlsError
from tenantmetrics.rls.rules import Context, Rules, settings
from tenantmetrics.rls.transaction import set_config
from tenantmetrics.tenant.identity.tenant_context import current_tenant

__all__ = ["set_tenant_at_begin"]


_BYPASSES = (
    "(SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user)"
)


def set_tenant_at_begin(
    engine: Any,
    *,
    context: Callable[[], Context] = Context,
    rules: Rules | None = None,
    bypass_allowed: bool = False,
) -> None:
    """Have every transaction of an engine be its tenant's.

    Args:
        engine: An Engine or an AsyncEngine.
        context: Says, at BEGIN and at each statement, whose it is: tenant, user, variables; by
            default the tenant of `with tenantmetrics.tenant(...)`.
        rules: Names of variables and what values may look like; None for the defaults.
        bypass_allowed: Whether the role may be a superuser, or have BYPASSRLS: policies do not bind
            it. It is asked for together with the variables, at no further request.

    Raises:
        ConfigError: It is no engine, or no PostgreSQL's.
    """
    target = getattr(engine, "sync_engine", engine)
    if not isinstance(target, Engine) or target.dialect.name != "postgresql":
        raise ConfigError("set_tenant_at_begin takes an Engine or an AsyncEngine for PostgreSQL")
    listener = _Listener(context, rules or Rules(), bypass_allowed=bypass_allowed)
    event.listen(target, "begin", listener.begun)
    event.listen(target, "begin_twophase", listener.begun)
    event.listen(target, "before_cursor_execute", listener.about_to_execute)


class _Listener:
    """Knows the tenant of each connection's transaction.

    Args:
        context: Says whose it is.
        rules: What values may look like.
        bypass_allowed: Whether policies need not bind the role.
    """

    def __init__(
        self, context: Callable[[], Context], rules: Rules, *, bypass_allowed: bool
    ) -> None:
        self._context = context
        self._rules = rules
        self._bypass_allowed = bypass_allowed
        self._tenants: WeakKeyDictionary[Connection, str | None] = WeakKeyDictionary()

    def begun(self, connection: Connection, _xid: Any = None) -> None:
        """Set the variables, before anything else is sent.

        Raises:
            RlsError: No tenant, a value that is not allowed, or no transaction.
        """
        self._tenants.pop(connection, None)
        if _is_autocommit(connection):
            raise RlsError(
                "AUTOCOMMIT has no transaction in which a tenant could be set: use an engine "
                "without set_tenant_at_begin for what needs it"
            )
        context = self._context()
        _, variables = settings(context, self._rules)
        self._tenants[connection] = _name(context)
        sql, values = set_config(variables)
        row = connection.execute(text(f"{sql}, {_BYPASSES}"), values).one()
        if row[-1] and not self._bypass_allowed:
            raise RlsError(
                "the role is a superuser or has BYPASSRLS, so that policies do not "
                "apply to it: use "
                "another role, or allow it where nothing is read in a tenant's name"
            )

    def about_to_execute(self, connection: Connection, *_: Any) -> None:
        """Refuse what another tenant would do in the transaction.

        Raises:
            RlsError: It was begun for another tenant.
        """
        name = _name(self._context())
        if name is not None and name != self._tenants.get(connection, name):
            raise RlsError(
                "the transaction was begun for another tenant: end it, and use a session for each"
            )


def _name(context: Context) -> str | None:
    return context.tenant if context.tenant is not None else current_tenant()


def _is_autocommit(connection: Connection) -> bool:
    """Whether the driver commits each statement by itself; not all drivers can tell."""
    held = connection.connection.dbapi_connection
    try:
        return connection.dialect.detect_autocommit_setting(held)  # type: ignore[arg-type]
    except NotImplementedError:
        return False
