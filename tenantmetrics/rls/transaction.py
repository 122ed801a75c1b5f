"""The transaction that tells PostgreSQL its tenant before any statement of yours.

    with tenantmetrics.rls(client, tenant="acme", user="u1", **target) as tx:
        tx.execute("SELECT * FROM bookings")

Contract: that of `dataapi.Transaction`, and: all variables are set by one SELECT right after BEGIN,
local to the transaction, names and values as parameters. If it fails, the transaction is rolled
back and the block is not entered. What is wrong with a tenant is said before anything is sent.
Calls in the block count for the tenant. A call is repeated only where it cannot have run.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tenantmetrics.dataapi.transaction import Transaction
from tenantmetrics.life import unforked
from tenantmetrics.rls import counts
from tenantmetrics.rls.retry import called
from tenantmetrics.rls.rules import Context, Rules, settings
from tenantmetrics.tenant.identity.tenant_context import tenant as tenant_block

if TYPE_CHECKING:
    from tenantmetrics.rls.aio import AsyncRlsTransaction

__all__ = ["RlsTransaction", "set_config"]


def set_config(variables: dict[str, str]) -> tuple[str, dict[str, str]]:
    """One SELECT that sets variables until the transaction ends, and its parameters.

    Args:
        variables: Name → value; both are parameters, so that neither can be SQL.
    """
    calls = ", ".join(f"set_config(:n{i}, :v{i}, true)" for i in range(len(variables)))
    parameters: dict[str, str] = {}
    for number, (name, value) in enumerate(variables.items()):
        parameters |= {f"n{number}": name, f"v{number}": value}
    return f"SELECT {calls}", parameters


class RlsTransaction(Transaction):
    """One transaction of one tenant; used for one `with` block.

    Args:
        client: A boto3 `rds-data` client, instrumented or not; aiobotocore's with `async with`.
        context: Whose it is.
        rules: What values may look like.
        **target: `resourceArn`, `secretArn`, `database`.

    Attributes:
        tenant: The tenant as PostgreSQL gets it; empty where the rules allow none.
        id: The transactionId; empty before the block is entered.

    Raises:
        RlsError: No tenant, or a value that the rules do not allow; nothing was sent.
    """

    def __init__(self, client: Any, context: Context, rules: Rules, **target: Any) -> None:
        self.tenant, self._variables = settings(context, rules)
        self._options = (client, context, rules, target)
        super().__init__(_Repeating(client, rules.attempts), **target)
        self._block: contextlib.AbstractContextManager[Any] = (
            tenant_block(self.tenant) if self.tenant else contextlib.nullcontext()
        )
        self._entered: AsyncRlsTransaction | None = None
        self._began_ns = 0

    def __enter__(self) -> Self:
        """Begin, and set the variables.

        Raises:
            RuntimeError: The block was entered before.
            botocore.exceptions.ClientError: The API or the database refused; nothing is left open.
        """
        if self.id:
            raise RuntimeError("a transaction serves one `with` block: make a new one")
        with contextlib.ExitStack() as on_error:
            on_error.enter_context(self._block)
            super().__enter__()
            counts.add("transactions")
            on_error.callback(counts.add, "rolled_back")
            on_error.push(super().__exit__)
            self._began_ns = time.perf_counter_ns()
            sql, parameters = set_config(self._variables)
            super().execute(sql, parameters)
            on_error.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit after a normal end, else roll back.

        Raises:
            TransactionRolledBackError: A statement had failed and the block went on.
            TransactionTimedOutError: The transaction was over before it could be committed.
            botocore.exceptions.ClientError: The commit failed.
        """
        committed = False
        try:
            super().__exit__(kind, error, trace)
            committed = error is None
        finally:
            self._block.__exit__(kind, error, trace)
            counts.add("committed" if committed else "rolled_back")
            counts.add("ended")
            counts.add("duration_ns", time.perf_counter_ns() - self._began_ns)

    def execute(self, sql: str, parameters: Any = (), **settings: Any) -> dict[str, Any]:
        """As `Transaction.execute`."""
        counts.add("statements")
        return super().execute(sql, parameters, **settings)

    def batch_execute(self, sql: str, parameter_sets: Any) -> dict[str, Any]:
        """As `Transaction.batch_execute`."""
        counts.add("statements")
        return super().batch_execute(sql, parameter_sets)

    async def __aenter__(self) -> AsyncRlsTransaction:
        """Begin with a client of aiobotocore."""
        with unforked:
            from tenantmetrics.rls.aio import AsyncRlsTransaction  # noqa: PLC0415 - it imports this

        client, context, rules, target = self._options
        # The tenant of the moment at which this object was made, whatever block it is entered in.
        context = replace(context, tenant=self.tenant)
        entered = self._entered = AsyncRlsTransaction(client, context, rules, **target)
        return await entered.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit after a normal end, else roll back."""
        if self._entered is not None:
            await self._entered.__aexit__(kind, error, trace)


class _Repeating:
    """The client, with each call repeated where it cannot have run."""

    def __init__(self, client: Any, attempts: int) -> None:
        self._client = client
        self._attempts = attempts

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        return lambda **arguments: called(method, self._attempts, arguments)
