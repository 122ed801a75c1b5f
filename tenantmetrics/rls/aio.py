"""The transaction for clients of aiobotocore.

    async with tenantmetrics.rls(client, tenant="acme", **target) as tx:
        await tx.execute("SELECT * FROM bookings")

Contract: as that of `transaction`. A task that is cancelled rolls back before the cancellation
goes on, within `ROLLBACK_TIMEOUT_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from tenantmetrics.dataapi.fields import sql_parameters
from tenantmetrics.dataapi.transaction import (
    NOTHING_KEPT,
    TransactionRolledBackError,
    aborts,
    wire,
)
from tenantmetrics.rls import counts
from tenantmetrics.rls.retry import delays, pause_s
from tenantmetrics.rls.rules import Context, Rules, settings
from tenantmetrics.rls.transaction import set_config
from tenantmetrics.tenant.identity.tenant_context import tenant as tenant_block

__all__ = ["ROLLBACK_TIMEOUT_S", "AsyncRlsTransaction"]

ROLLBACK_TIMEOUT_S = 5.0
"""A rollback that takes longer is left to the Data API, which does it after 3 minutes."""


class AsyncRlsTransaction:
    """One transaction of one tenant; used for one `async with` block.

    Args:
        client: A client of aiobotocore for `rds-data`.
        context: Whose it is.
        rules: What values may look like.
        resourceArn: The cluster.
        secretArn: The secret of the application's role.
        database: The database; None for the cluster's default.

    Attributes:
        tenant: The tenant as PostgreSQL gets it.
        id: The transactionId.
    """

    def __init__(
        self,
        client: Any,
        context: Context,
        rules: Rules,
        *,
        resourceArn: str,  # noqa: N803 - boto3's names
        secretArn: str,  # noqa: N803
        database: str | None = None,
    ) -> None:
        self.tenant, self._variables = settings(context, rules)
        self._client = client
        self._attempts = rules.attempts
        self._arns = {"resourceArn": resourceArn, "secretArn": secretArn}
        self._target = self._arns | ({"database": database} if database is not None else {})
        self._block: contextlib.AbstractContextManager[Any] = (
            tenant_block(self.tenant) if self.tenant else contextlib.nullcontext()
        )
        self._aborted = False
        self._began_ns = 0
        self.id = ""

    async def __aenter__(self) -> Self:
        """Begin, and set the variables."""
        if self.id:
            raise RuntimeError("a transaction serves one block: make a new one")
        self._block.__enter__()
        try:
            answer = await self._call("begin_transaction", **self._target)
            self.id = answer["transactionId"]
            counts.add("transactions")
            self._began_ns = time.perf_counter_ns()
            sql, parameters = set_config(self._variables)
            await self._run("execute_statement", sql=sql, parameters=sql_parameters(parameters))
        except BaseException as error:
            if self.id:
                counts.add("rolled_back")
                await self._rollback()
            self._block.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit after a normal end, else roll back."""
        committed = False
        try:
            if error is not None or self._aborted:
                await self._rollback()
                if error is None:
                    raise TransactionRolledBackError(NOTHING_KEPT)
                return
            await self._call("commit_transaction", **self._arns, transactionId=self.id)
            committed = True
        finally:
            self._block.__exit__(kind, error, trace)
            counts.add("committed" if committed else "rolled_back")
            counts.add("ended")
            counts.add("duration_ns", time.perf_counter_ns() - self._began_ns)

    async def execute(
        self,
        sql: str,
        parameters: Mapping[str, Any] | Iterable[Mapping[str, Any]] = (),
        **settings: Any,
    ) -> dict[str, Any]:
        """As `dataapi.Transaction.execute`."""
        counts.add("statements")
        return await self._run(
            "execute_statement", sql=sql, parameters=wire(parameters), **settings
        )

    async def batch_execute(
        self,
        sql: str,
        parameter_sets: Iterable[Mapping[str, Any] | Iterable[Mapping[str, Any]]],
    ) -> dict[str, Any]:
        """As `dataapi.Transaction.batch_execute`."""
        counts.add("statements")
        sets = [wire(parameters) for parameters in parameter_sets]
        return await self._run("batch_execute_statement", sql=sql, parameterSets=sets)

    async def _run(self, method: str, **arguments: Any) -> dict[str, Any]:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - whoever has a client has it

        try:
            response: dict[str, Any] = await self._call(
                method, **self._target, **arguments, transactionId=self.id
            )
        except ClientError as error:
            if aborts(error):
                self._aborted = True
            raise
        self._aborted = False
        return response

    async def _call(self, method: str, **arguments: Any) -> Any:
        waits = delays(self._attempts)
        while True:
            try:
                return await getattr(self._client, method)(**arguments)
            except Exception as error:  # noqa: BLE001 - `pause_s` raises what is not repeated
                wait_s = pause_s(error, waits)
            await asyncio.sleep(wait_s)

    async def _rollback(self) -> None:
        """Roll back, also in a task that is being cancelled; errors are the server's to mend."""
        with contextlib.suppress(Exception):
            rollback = self._client.rollback_transaction(**self._arns, transactionId=self.id)
            await asyncio.wait_for(asyncio.shield(rollback), ROLLBACK_TIMEOUT_S)
