"""A connection for the time of one call: which one, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

from tenantmetrics.dataapi.errors import ApiError
from tenantmetrics.dataapi.requests import RequestBody
from tenantmetrics.localapi.binding import Value
from tenantmetrics.localapi.caller import CALLER, Caller
from tenantmetrics.localapi.clusters import Directory
from tenantmetrics.localapi.connection import Connection, ConnectionLostError
from tenantmetrics.localapi.failures import refused, succeed
from tenantmetrics.localapi.results import ResponseTooLargeError, ends_transaction
from tenantmetrics.localapi.sessions import SessionPool, Transaction, Transactions

__all__ = ["Calls", "Session", "connected", "use_schema"]

_UNHEEDED_S = 10.0
"""A backend that does not end a cancelled statement within this time loses its connection."""

_Result = TypeVar("_Result")


class Session(NamedTuple):
    """A connection for the time of one call.

    Attributes:
        connection: The connection.
        database: Key of what is cached by database.
        transaction: The transaction, None outside of one.
    """

    connection: Connection
    database: str
    transaction: Transaction | None


class Calls:
    """Gives each call its session, within its time limit.

    Args:
        directory: ARNs to PostgreSQL.
        pool: Connections for calls outside transactions.
        transactions: Those that are open.
        version: 1 or 2.
        timeout_s: Seconds that a call may run.
    """

    def __init__(
        self,
        directory: Directory,
        pool: SessionPool,
        transactions: Transactions,
        *,
        version: int,
        timeout_s: float,
    ) -> None:
        self._directory = directory
        self._pool = pool
        self._transactions = transactions
        self._version = version
        self._timeout_s = timeout_s
        self._background: set[asyncio.Task[Any]] = set()

    def locate(self, request: RequestBody) -> tuple[str, str]:
        """Connection string and database of a request.

        Raises:
            ApiError: An ARN is unknown.
        """
        return self._directory.conninfo(request.resource, request.secret, request.database)

    async def run(
        self,
        request: RequestBody,
        work: Callable[[Session], Awaitable[_Result]],
    ) -> _Result:
        """Do the work of a call within its time limit.

        Args:
            request: The call.
            work: Done on its session.

        Raises:
            ApiError: No session can be had, the time is up, or what the work raises.
        """

        async def run() -> _Result:
            async with self._session(request) as session:
                if request.continue_after_timeout:
                    return await work(session)
                return await self._limited(session, work)

        if not request.continue_after_timeout:
            return await run()
        # Goes on without its caller when the time is up, and holds its session until it ends.
        task = asyncio.ensure_future(run())
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        await asyncio.wait({task}, timeout=self._timeout_s)
        if not task.done():
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise ApiError("StatementTimeoutException", "Request timed out")
        return task.result()

    async def close(self) -> None:
        """End what goes on without its caller."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    @asynccontextmanager
    async def _session(self, request: RequestBody) -> AsyncIterator[Session]:
        """The request's transaction, or a pooled connection."""
        if request.transaction:
            # Names the database that types are cached for; unknown ARNs are refused here.
            transaction = self._transactions.enter(
                request.transaction,
                request.resource,
                request.secret,
                request.database,
            )
            try:
                yield Session(transaction.connection, transaction.conninfo, transaction)
            except ResponseTooLargeError:
                if ends_transaction(self._version):
                    self._transactions.remove(transaction)
                    await transaction.connection.run(b"ROLLBACK")
                    self._pool.keep(transaction.conninfo, transaction.connection)
                raise
            finally:
                self._transactions.leave(transaction)
            return
        conninfo, _ = self.locate(request)
        connection = await connected(self._pool.acquire(conninfo), request.resource)
        try:
            if request.schema is not None:
                await use_schema(connection, request.schema)
            yield Session(connection, conninfo, None)
        finally:
            self._pool.release(conninfo, connection)

    async def _limited(
        self,
        session: Session,
        work: Callable[[Session], Awaitable[_Result]],
    ) -> _Result:
        """Do the work; cancel the statement when the time is up or nobody waits for it."""
        loop = asyncio.get_running_loop()
        connection = session.connection
        cancelling: list[asyncio.Task[None]] = []
        timers: list[asyncio.TimerHandle] = []
        caller = CALLER.get() or Caller()

        def cancel() -> None:
            cancelling.append(loop.create_task(connection.cancel()))
            timers.append(loop.call_later(_UNHEEDED_S, connection.close))

        if caller.reason is not None:  # it left while it waited for its turn
            raise caller.reason
        timers.append(loop.call_later(self._timeout_s, cancel))
        caller.tell(cancel)
        try:
            return await work(session)
        except (ApiError, ConnectionLostError):
            if not cancelling:
                raise
            timed_out = ApiError("StatementTimeoutException", "Request timed out")
            raise caller.reason or timed_out from None
        finally:
            caller.tell(None)
            for timer in timers:
                timer.cancel()
            # A cancellation still on its way would strike the connection's next statement.
            await asyncio.gather(*cancelling)


async def connected(opening: Awaitable[Connection], resource: str) -> Connection:
    """Await a connection to a resourceArn; a refusal becomes the Data API's error."""
    try:
        return await opening
    except ConnectionLostError as error:
        raise refused(str(error), resource) from None


async def use_schema(connection: Connection, schema: str) -> None:
    """Version 1's `schema`: first in the search path."""
    sql = b"SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident($1), false)"
    succeed(await connection.run(sql, [Value(schema.encode(), 25)]))
