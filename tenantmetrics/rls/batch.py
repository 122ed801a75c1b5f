"""Several operations in one transaction, and a transaction around a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, TypeAlias

from tenantmetrics.rls.rules import Context, Rules
from tenantmetrics.rls.transaction import RlsTransaction

__all__ = ["Operation", "batch", "transactional"]

Operation: TypeAlias = str | tuple[str, Mapping[str, Any]] | Callable[[RlsTransaction], Any]
"""A statement, a statement with its parameters, or a function that gets the transaction."""


def batch(
    client: Any,
    context: Context,
    operations: Iterable[Operation],
    *,
    rules: Rules | None = None,
    **target: Any,
) -> list[Any]:
    """Run operations one after the other in one transaction: BEGIN and COMMIT are paid once.

    Args:
        client: A boto3 `rds-data` client.
        context: Whose they are.
        operations: Statements, pairs of a statement and its parameters, or functions of one
            argument, the transaction.
        rules: As for `tenantmetrics.rls`.
        **target: `resourceArn`, `secretArn`, `database`.

    Returns:
        What each gave, in order: the API's response, or what the function returned.

    Raises:
        RlsError: No tenant, or a value that the rules do not allow; nothing was sent.
        TypeError: Something is no operation; nothing was sent.
        Exception: The first that an operation raised; everything was rolled back.
    """
    listed = list(operations)
    for number, operation in enumerate(listed):
        pair = isinstance(operation, tuple) and len(operation) == 2  # noqa: PLR2004 - a pair
        if not (isinstance(operation, str) or pair or callable(operation)):
            raise TypeError(
                f"operation {number} is a {type(operation).__name__}: it must be a statement, a "
                "statement with its parameters, or a function"
            )
    with RlsTransaction(client, context, rules or Rules(), **target) as tx:
        return [_done(tx, operation) for operation in listed]


def _done(tx: RlsTransaction, operation: Operation) -> Any:
    if isinstance(operation, str):
        return tx.execute(operation)
    if isinstance(operation, tuple):
        return tx.execute(*operation)
    return operation(tx)


def transactional(
    client: Any,
    *,
    tenant: str | None = None,
    user: str | None = None,
    variables: Mapping[str, str] | None = None,
    rules: Rules | None = None,
    **target: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a function: each call of it runs in a transaction, which is its first argument.

    Args:
        client: A boto3 `rds-data` client; aiobotocore's for a coroutine function.
        tenant: The tenant; None for that of `with tenantmetrics.tenant(...)` around the call.
        user: As for `tenantmetrics.rls`.
        variables: As for `tenantmetrics.rls`.
        rules: As for `tenantmetrics.rls`.
        **target: `resourceArn`, `secretArn`, `database`.
    """
    context = Context(tenant=tenant, user=user, variables=variables or {})

    def transaction() -> RlsTransaction:
        return RlsTransaction(client, context, rules or Rules(), **target)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def in_async(*args: Any, **kwargs: Any) -> Any:
                async with transaction() as tx:
                    return await function(tx, *args, **kwargs)

            return in_async

        @wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with transaction() as tx:
                return function(tx, *args, **kwargs)

        return inside

    return decorate
