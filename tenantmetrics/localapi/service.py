"""The operations: what each does with PostgreSQL, and what it answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from tenantmetrics import sqltext
from tenantmetrics.localapi import guesses, requests
from tenantmetrics.localapi.apierrors import ApiError, invalid
from tenantmetrics.localapi.binding import Statement, Value, malformed, parse_parameters, prepare
from tenantmetrics.localapi.clusters import Directory
from tenantmetrics.localapi.connection import Connection, ConnectionLostError, Outcome
from tenantmetrics.localapi.failures import refused, succeed
from tenantmetrics.localapi.metadata import column_metadata
from tenantmetrics.localapi.pgtypes import PgType
from tenantmetrics.localapi.requests import Request
from tenantmetrics.localapi.results import (
    FORMATTED_MAX_BYTES,
    RESPONSE_MAX_BYTES,
    ResponseTooLargeError,
    ResultSet,
    resolve_types,
    result_too_large,
)
from tenantmetrics.localapi.sessions import Pool, PoolMode, Transaction, Transactions

__all__ = ["Answer", "Service"]

STATEMENT_TIMEOUT_S = 45.0
"""A call that runs longer is ended unless continueAfterTimeout is set (AWS, ExecuteStatement)."""
_UNHEEDED_S = 10.0
"""A backend that does not end a cancelled statement within this time loses its connection."""


class Answer(NamedTuple):
    """A successful call.

    Attributes:
        body: The JSON text.
        rows: Rows returned, for the log.
    """

    body: str
    rows: int = 0


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


class Service:
    """All operations over one directory of clusters.

    Args:
        directory: ARNs to PostgreSQL.
        version: 1 or 2.
        mode: What happens to pooled sessions between calls.
        clock: Monotonic seconds, for the expiry of transactions.
        timeout_s: Seconds that a call may run.
    """

    def __init__(
        self,
        directory: Directory,
        *,
        version: int,
        mode: PoolMode,
        clock: Callable[[], float],
        timeout_s: float = STATEMENT_TIMEOUT_S,
    ) -> None:
        self._directory = directory
        self._version = version
        self._timeout_s = timeout_s
        self._types: dict[str, dict[int, PgType]] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self.pool = Pool(mode, clock)
        self.transactions = Transactions(clock)
        self._operations = {
            "ExecuteStatement": self._execute_statement,
            "BatchExecuteStatement": self._batch_execute_statement,
            "BeginTransaction": self._begin_transaction,
            "CommitTransaction": self._commit_transaction,
            "RollbackTransaction": self._rollback_transaction,
            "ExecuteSql": self._execute_sql,
        }

    async def call(self, operation: str, body: Any) -> Answer:
        """Carry out one call.

        Args:
            operation: Its name.
            body: What its JSON said.

        Raises:
            ApiError: What to answer instead.
        """
        request = requests.parse(operation, body, self._version)
        if request.transaction is None:
            # Before anything in the statement is looked at: an unknown ARN comes first.
            self._locate(request)
        try:
            return await self._operations[operation](request)
        except ConnectionLostError as error:
            status, code = guesses.CONNECTION_LOST
            raise ApiError(code, str(error), status=status) from None

    async def reap(self) -> None:
        """End what has been idle for too long."""
        self.pool.reap()
        await self.transactions.reap()

    async def close(self) -> None:
        """Drop every connection."""
        self.transactions.close()
        self.pool.close()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    # -- operations ---------------------------------------------------------------------------

    async def _execute_statement(self, request: Request) -> Answer:
        texts = self._statements(request.sql)
        values = parse_parameters(request.parameters, "parameters", self._version)
        prepared = [prepare(text, values) for text in texts]

        async def work(session: Session) -> Answer:
            answers = [
                await self._answer(session, statement, values, request) for statement in prepared
            ]
            return answers[guesses.V1_MULTISTATEMENT_ANSWER]

        return await self._in_session(request, work)

    async def _answer(
        self,
        session: Session,
        statement: Statement,
        values: dict[str, Value],
        request: Request,
    ) -> Answer:
        """Run one statement and write ExecuteStatement's response."""
        result, outcome = await self._query(session, statement, values, request)
        if not outcome.has_rows:
            return Answer(
                f'{{"generatedFields":[],"numberOfRecordsUpdated":{outcome.affected}}}',
            )
        if request.formatted:
            text = result.records()
            if len(text.encode()) > FORMATTED_MAX_BYTES:
                raise result_too_large(self._version)
            return Answer(json.dumps({"formattedRecords": text}), result.count)
        metadata = ""
        if request.metadata:
            columns = await column_metadata(session.connection, result)
            metadata = f',"columnMetadata":{json.dumps(columns)}'
        body = f'{{"numberOfRecordsUpdated":0,"records":{result.records()}{metadata}}}'
        if len(body) > RESPONSE_MAX_BYTES // 4 and len(body.encode()) > RESPONSE_MAX_BYTES:
            raise result_too_large(self._version)
        return Answer(body, result.count)

    async def _batch_execute_statement(self, request: Request) -> Answer:
        texts = self._statements(request.sql)
        sets = self._parameter_sets(request.parameter_sets)
        # Without any set the statement runs once and has no update result.
        prepared = [(prepare(text, values), values) for values in sets or [{}] for text in texts]

        async def work(session: Session) -> Answer:
            atomic = guesses.BATCH_IS_ATOMIC and session.transaction is None and len(prepared) > 1
            connection = session.connection
            if atomic:
                succeed(await connection.run(b"BEGIN"))
            for statement, values in prepared:
                bound = [values[name] for name in statement.names]
                outcome = await connection.run(statement.sql, bound)
                if outcome.failure is not None and atomic:
                    await connection.run(b"ROLLBACK")
                succeed(outcome)
            if atomic:
                succeed(await connection.run(b"COMMIT"))
            results = ",".join(['{"generatedFields":[]}'] * len(sets))
            return Answer(f'{{"updateResults":[{results}]}}')

        return await self._in_session(request, work)

    async def _begin_transaction(self, request: Request) -> Answer:
        conninfo, database = self._locate(request)
        connection = await self._connect(self.pool.open(conninfo))
        try:
            succeed(await connection.run(b"BEGIN"))
            if request.schema is not None:
                await _use_schema(connection, request.schema)
        except BaseException:
            connection.close()
            raise
        transaction = self.transactions.add(
            connection,
            conninfo,
            request.resource,
            request.secret,
            database,
        )
        return Answer(json.dumps({"transactionId": transaction.id}))

    async def _commit_transaction(self, request: Request) -> Answer:
        command = await self._end_transaction(request, b"COMMIT")
        status = guesses.COMMIT_OF_FAILED if command == "ROLLBACK" else "Transaction Committed"
        return Answer(json.dumps({"transactionStatus": status}))

    async def _rollback_transaction(self, request: Request) -> Answer:
        await self._end_transaction(request, b"ROLLBACK")
        return Answer(json.dumps({"transactionStatus": "Rollback Complete"}))

    async def _end_transaction(self, request: Request, sql: bytes) -> str:
        """COMMIT or ROLLBACK; returns the command tag. The transaction is over in any case."""
        transaction = self.transactions.enter(
            request.transaction or "",
            request.resource,
            request.secret,
        )
        self.transactions.remove(transaction)
        connection = transaction.connection
        outcome: Outcome | None = None
        try:
            # A deferred constraint may fail here, and PostgreSQL has rolled back by then.
            outcome = await connection.run(sql)
        finally:
            if outcome is None:
                connection.close()
            else:
                self.pool.keep(transaction.conninfo, connection)
        succeed(outcome)
        return outcome.command

    async def _execute_sql(self, request: Request) -> Answer:
        if self._version != 1:
            status, code, text = guesses.EXECUTE_SQL_REFUSED
            raise ApiError(code, text, status=status)
        prepared = [prepare(text, {}) for text in self._statements(request.sql)]

        async def work(session: Session) -> Answer:
            results = []
            for statement in prepared:
                result, outcome = await self._query(session, statement, {}, request)
                entry: dict[str, Any] = {"numberOfRecordsUpdated": outcome.affected}
                if outcome.has_rows:
                    columns = await column_metadata(session.connection, result)
                    entry["numberOfRecordsUpdated"] = -1
                    entry["resultFrame"] = {
                        "resultSetMetadata": {
                            "columnCount": len(columns),
                            "columnMetadata": columns,
                        },
                        "records": [
                            {"values": [_legacy(field) for field in record]}
                            for record in json.loads(result.records())
                        ],
                    }
                results.append(entry)
            return Answer(json.dumps({"sqlStatementResults": results}))

        return await self._in_session(request, work)

    # -- their parts --------------------------------------------------------------------------

    def _statements(self, sql: str) -> list[str]:
        """The statements of a text: exactly one in version 2."""
        if ";" not in sql:
            return [sql]
        spans = sqltext.statements(sql)
        if len(spans) > 1:
            if self._version != 1:
                raise invalid("Multistatements aren't supported")
            return [sql[start:end] for start, end in spans]
        return [sql]

    def _parameter_sets(self, sets: Any) -> list[dict[str, Value]]:
        if sets is None:
            return []
        if not isinstance(sets, list):
            raise malformed("parameterSets", "a list")
        return [
            parse_parameters(one, f"parameterSets[{index}]", self._version)
            for index, one in enumerate(sets)
        ]

    async def _query(
        self,
        session: Session,
        statement: Statement,
        values: dict[str, Value],
        request: Request,
    ) -> tuple[ResultSet, Outcome]:
        """Run a statement and complete its result."""
        types = self._types.setdefault(session.database, {})
        result = ResultSet(types, request.options, formatted=request.formatted)
        outcome = await session.connection.run(
            statement.sql,
            [values[name] for name in statement.names],
            result,
        )
        succeed(outcome)
        if outcome.has_rows:
            if result.unresolved():
                await resolve_types(session.connection, result, types)
            if result.error is not None:
                raise result.error
        return result, outcome

    def _locate(self, request: Request) -> tuple[str, str]:
        """Connection string and database of a request."""
        return self._directory.conninfo(request.resource, request.secret, request.database)

    async def _connect(self, opening: Any) -> Connection:
        """Await a connection; PostgreSQL's refusal becomes the Data API's error."""
        try:
            connection: Connection = await opening
        except ConnectionLostError as error:
            raise refused(str(error)) from None
        return connection

    @asynccontextmanager
    async def _session(self, request: Request) -> AsyncIterator[Session]:
        """The request's transaction, or a pooled connection."""
        if request.transaction:
            # Names the database that types are cached for; unknown ARNs are told apart here.
            transaction = self.transactions.enter(
                request.transaction,
                request.resource,
                request.secret,
                request.database,
            )
            try:
                yield Session(transaction.connection, transaction.conninfo, transaction)
            except ResponseTooLargeError:
                if self._version != 1 and guesses.OVERSIZE_ENDS_TRANSACTION:
                    self.transactions.remove(transaction)
                    await transaction.connection.run(b"ROLLBACK")
                    self.pool.keep(transaction.conninfo, transaction.connection)
                raise
            finally:
                self.transactions.leave(transaction)
            return
        conninfo, _ = self._locate(request)
        connection = await self._connect(self.pool.acquire(conninfo))
        try:
            if request.schema is not None:
                await _use_schema(connection, request.schema)
            yield Session(connection, conninfo, None)
        finally:
            self.pool.release(conninfo, connection)

    async def _in_session(
        self,
        request: Request,
        work: Callable[[Session], Any],
    ) -> Answer:
        """Do the work of a call within its time limit."""

        async def run() -> Answer:
            async with self._session(request) as session:
                if request.continue_after_timeout:
                    answer: Answer = await work(session)
                else:
                    answer = await self._limited(session, work)
                return answer

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

    async def _limited(self, session: Session, work: Callable[[Session], Any]) -> Answer:
        """Do the work; cancel the statement when the time is up."""
        loop = asyncio.get_running_loop()
        connection = session.connection
        cancelling: list[asyncio.Task[None]] = []
        timers = [
            loop.call_later(
                self._timeout_s,
                lambda: cancelling.append(loop.create_task(connection.cancel())),
            ),
            loop.call_later(self._timeout_s + _UNHEEDED_S, connection.close),
        ]
        try:
            answer: Answer = await work(session)
        except (ApiError, ConnectionLostError):
            if not cancelling:
                raise
            raise ApiError("StatementTimeoutException", "Request timed out") from None
        else:
            return answer
        finally:
            for timer in timers:
                timer.cancel()
            # A cancellation still on its way would strike the connection's next statement.
            await asyncio.gather(*cancelling)


async def _use_schema(connection: Connection, schema: str) -> None:
    """Version 1's `schema`: first in the search path."""
    sql = b"SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident($1), false)"
    succeed(await connection.run(sql, [Value(schema.encode(), 25)]))


_LEGACY = {"longValue": "bigIntValue", "booleanValue": "bitValue"}


def _legacy(field: dict[str, Any]) -> dict[str, Any]:
    """A Field as ExecuteSql's Value."""
    ((member, content),) = field.items()
    if member == "arrayValue":
        ((kind, items),) = content.items()
        single = _LEGACY.get(kind[:-1], kind[:-1])
        return {
            "arrayValues": [{"isNull": True} if item is None else {single: item} for item in items],
        }
    return {_LEGACY.get(member, member): content}
