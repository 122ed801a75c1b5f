"""Row-level security, from the request to the proof.

    with tenantmetrics.rls(client, tenant="acme", **target) as tx:
        tx.execute("SELECT * FROM bookings")

    rules        what a tenant, a user and a variable may look like
    transaction  the transaction that tells PostgreSQL its tenant, before any statement of yours
    aio          the same for aiobotocore's clients
    batch        several operations in one transaction; a transaction around a function
    single       one statement in one request; `gate` and `clauses` are how its text is made
    counts       what `stats()` says

The module itself can be called, so that one name serves the block and what belongs to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any, TypeAlias

from tenantmetrics.life import unforked
from tenantmetrics.rls.batch import batch, transactional
from tenantmetrics.rls.counts import stats
from tenantmetrics.rls.rules import Context, Rules
from tenantmetrics.rls.transaction import RlsTransaction

__all__ = [
    "Context",
    "RlsTransaction",
    "Rules",
    "batch",
    "execute",
    "execute_async",
    "stats",
    "transactional",
]


def execute(
    client: Any,
    sql: str,
    parameters: Mapping[str, Any] | Iterable[Mapping[str, Any]] = (),
    *,
    tenant: str | None = None,
    user: str | None = None,
    variables: Mapping[str, str] | None = None,
    rules: Rules | None = None,
    resourceArn: str,  # noqa: N803 - boto3's names, so that one dictionary serves both
    secretArn: str,  # noqa: N803
    database: str | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Run one statement as a tenant, in one request where that is proved to be the same.

    It rests on how PostgreSQL plans, see `single`; what is not understood runs in a transaction.

    Args:
        client: A boto3 `rds-data` client.
        sql: One statement, with `:name` parameters.
        parameters: Name → Python value, or SqlParameters as boto3 takes them.
        tenant: The tenant; None for that of `with tenantmetrics.tenant(...)`.
        user: The user; None sets no variable.
        variables: Further variables → values.
        rules: Names of variables and what values may look like; None for the defaults.
        resourceArn: The cluster.
        secretArn: The secret of the application's role.
        database: The database; None for the cluster's default.
        **settings: Further arguments of `execute_statement` (includeResultMetadata=True).

    Returns:
        What `execute_statement` returns.

    Raises:
        RlsError: No tenant, or a value that the rules do not allow; nothing was sent.
        TypeError: The API has no Field for a value.
        botocore.exceptions.ClientError: The API or the database refused.
    """
    with unforked:
        from tenantmetrics.rls import single  # noqa: PLC0415 - it needs the parser of SQL

    context = Context(tenant=tenant, user=user, variables=variables or {})
    target = _target(resourceArn, secretArn, database)
    statement = single.SingleStatement(sql, parameters, context, rules or Rules(), target, settings)
    return single.execute(client, statement)


async def execute_async(
    client: Any,
    sql: str,
    parameters: Mapping[str, Any] | Iterable[Mapping[str, Any]] = (),
    *,
    tenant: str | None = None,
    user: str | None = None,
    variables: Mapping[str, str] | None = None,
    rules: Rules | None = None,
    resourceArn: str,  # noqa: N803 - boto3's names, so that one dictionary serves both
    secretArn: str,  # noqa: N803
    database: str | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """As `execute`, with a client of aiobotocore."""
    with unforked:
        from tenantmetrics.rls import single  # noqa: PLC0415 - it needs the parser of SQL

    context = Context(tenant=tenant, user=user, variables=variables or {})
    target = _target(resourceArn, secretArn, database)
    statement = single.SingleStatement(sql, parameters, context, rules or Rules(), target, settings)
    return await single.execute_async(client, statement)


def _target(arn: str, secret: str, database: str | None) -> dict[str, str]:
    found = {"resourceArn": arn, "secretArn": secret}
    return found if database is None else found | {"database": database}


# The class below has attributes of these names.
_Rules: TypeAlias = Rules
_RlsTransaction: TypeAlias = RlsTransaction


class Rls(ModuleType):
    """The type of this module: what `tenantmetrics.rls` is and can do."""

    Context = Context
    Rules = Rules
    RlsTransaction = RlsTransaction
    batch = staticmethod(batch)
    execute = staticmethod(execute)
    execute_async = staticmethod(execute_async)
    stats = staticmethod(stats)
    transactional = staticmethod(transactional)

    def __call__(
        self,
        client: Any,
        *,
        tenant: str | None = None,
        user: str | None = None,
        variables: Mapping[str, str] | None = None,
        rules: _Rules | None = None,
        resourceArn: str,  # noqa: N803 - boto3's names, so that one dictionary serves both
        secretArn: str,  # noqa: N803
        database: str | None = None,
    ) -> _RlsTransaction:
        """A transaction in which PostgreSQL knows the tenant; use it in a `with` statement.

        Args:
            client: A boto3 `rds-data` client; aiobotocore's with `async with`.
            tenant: The tenant; None for that of `with tenantmetrics.tenant(...)`.
            user: The user; None sets no variable.
            variables: Further variables → values, such as {"app.user_role": "clerk"}.
            rules: Names of variables and what values may look like; None for the defaults.
            resourceArn: The cluster.
            secretArn: The secret of the application's role.
            database: The database; None for the cluster's default.

        Raises:
            RlsError: No tenant, or a value that the rules do not allow; nothing was sent.
        """
        context = Context(tenant=tenant, user=user, variables=variables or {})
        return RlsTransaction(
            client,
            context,
            rules or Rules(),
            resourceArn=resourceArn,
            secretArn=secretArn,
            database=database,
        )


sys.modules[__name__].__class__ = Rls
