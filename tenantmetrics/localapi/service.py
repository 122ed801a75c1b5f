"""The operations: what each does with PostgreSQL, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from tenantmetrics import sqltext
from tenantmetrics.dataapi import guesses
from tenantmetrics.dataapi.errors import ApiError, invalid, malformed
from tenantmetrics.dataapi.requests import RequestBody, read_request
from tenantmetrics.dataapi.transaction import COMMITTED, ROLLED_BACK
from tenantmetrics.localapi import executesql
from tenantmetrics.localapi.binding import BoundStatement, Value, bind_parameters, prepare
from tenantmetrics.localapi.calls import Calls, Session, connected, use_schema
from tenantmetrics.localapi.clusters import Directory
from tenantmetrics.localapi.connection import ConnectionLostError
from tenantmetrics.localapi.failures import succeed
from tenantmetrics.localapi.metadata import column_metadata
from tenantmetrics.localapi.outcome import Outcome
from tenantmetrics.localapi.pgtypes import PgType
from tenantmetrics.localapi.results import (
    FORMATTED_MAX_BYTES,
    RESPONSE_MAX_BYTES,
    ResultSet,
    resolve_types,
    result_too_large,
)
from tenantmetrics.localapi.servertime import METER, Meter, ServerTime
from tenantmetrics.localapi.sessions import PoolMode, SessionPool, Transactions

__all__ = ["Answer", "Service"]

STATEMENT_TIMEOUT_S = 45.0
"""A call that runs longer is ended unless continueAfterTimeout is set (AWS, ExecuteStatement)."""


class Answer(NamedTuple):
    """A successful call.

    Attributes:
        body: The JSON text.
        rows: Rows returned, for the log.
    """

    body: str
    rows: int = 0


class Service:
    """All operations over one directory of clusters.

    Args:
        directory: ARNs to PostgreSQL.
        version: 1 or 2.
        mode: What happens to pooled sessions between calls.
        clock: Monotonic seconds, for the expiry of transactions.
        timeout_s: Seconds that a call may run.
        server_time: Where the calls' server time is counted; None: nowhere.
    """

    def __init__(
        self,
        directory: Directory,
        *,
        version: int,
        mode: PoolMode,
        clock: Callable[[], float],
        timeout_s: float = STATEMENT_TIMEOUT_S,
        server_time: ServerTime | None = None,
    ) -> None:
        self._directory = directory
        self.server_time = server_time
        self._version = version
        self._types: dict[str, dict[int, PgType]] = {}
        self.pool = SessionPool(mode, clock, timed=server_time is not None)
        self.transactions = Transactions(clock)
        self._calls = Calls(
            directory,
            self.pool,
            self.transactions,
            version=version,
            timeout_s=timeout_s,
        )
        self._operations = {
            "ExecuteStatement": self._execute_statement,
            "BatchExecuteStatement": self._batch_execute_statement,
            "BeginTransaction": self._begin_transaction,
            "CommitTransaction": self._commit_transaction,
            "RollbackTransaction": self._rollback_transaction,
            "ExecuteSql": self._execute_sql,
        }

    async def call(self, operation: str, body: Any, label: str = "") -> Answer:
        """Carry out one call.

        Args:
            operation: Its name.
            body: What its JSON said.
            label: On whose behalf, for the account of server time.

        Raises:
            ApiError: What to answer instead.
        """
        request = read_request(operation, body, self._version)
        if request.transaction is None:
            # Before anything in the statement is looked at: an unknown ARN comes first.
            self._calls.locate(request)
        if self.server_time is not None:
            return await self._timed(self.server_time, operation, request, label)
        return await self._run(operation, request)

    async def _run(self, operation: str, request: RequestBody) -> Answer:
        try:
            return await self._operations[operation](request)
        except ConnectionLostError as error:
            status, code = guesses.CONNECTION_LOST
            raise ApiError(code, str(error), status=status) from None

    async def _timed(
        self, server_time: ServerTime, operation: str, request: RequestBody, label: str
    ) -> Answer:
        """`_run`, and what PostgreSQL spent on it, success or not."""
        meter = Meter()
        METER.set(meter)
        try:
            return await self._run(operation, request)
        finally:
            server_time.add(
                meter,
                label=label,
                role=self._directory.role(request.secret),
                database=request.database or "",
                operation=operation,
                sql=request.sql,
            )

    async def reap(self) -> None:
        """End what has been idle for too long."""
        self.pool.reap()
        await self.transactions.reap()

    async def close(self) -> None:
        """Drop every connection."""
        self.transactions.close()
        self.pool.close()
        await self._calls.close()

    # -- operations ---------------------------------------------------------------------------

    async def _execute_statement(self, request: RequestBody) -> Answer:
        texts = self._statements(request.sql)
        values = bind_parameters(request.parameters, "parameters", self._version)
        prepared = [prepare(text, values) for text in texts]

        async def work(session: Session) -> Answer:
            answers = [
                await self._answer(session, statement, values, request) for statement in prepared
            ]
            return answers[guesses.V1_MULTISTATEMENT_ANSWER]

        return await self._calls.run(request, work)

    async def _answer(
        self,
        session: Session,
        statement: BoundStatement,
        values: dict[str, Value],
        request: RequestBody,
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

    async def _batch_execute_statement(self, request: RequestBody) -> Answer:
        texts = self._statements(request.sql)
        sets = self._parameter_sets(request.parameter_sets)
        # Without any set the statement runs once and has no update result.
        prepared = [(prepare(text, values), values) for values in sets or [{}] for text in texts]

        async def work(session: Session) -> Answer:
            atomic = guesses.BATCH_IS_ATOMIC and session.transaction is None and len(prepared) > 1
            connection = session.connection
            if atomic:
                succeed(await connection.run(b"BEGIN"), self._version)
            for statement, values in prepared:
                bound = [values[name] for name in statement.names]
                outcome = await connection.run(statement.sql, bound)
                if outcome.failure is not None and atomic:
                    await connection.run(b"ROLLBACK")
                succeed(outcome, self._version)
            if atomic:
                succeed(await connection.run(b"COMMIT"), self._version)
            results = ",".join(['{"generatedFields":[]}'] * len(sets))
            return Answer(f'{{"updateResults":[{results}]}}')

        return await self._calls.run(request, work)

    async def _begin_transaction(self, request: RequestBody) -> Answer:
        conninfo, database = self._calls.locate(request)
        connection = await connected(self.pool.open(conninfo), request.resource)
        try:
            succeed(await connection.run(b"BEGIN"), self._version)
            if request.schema is not None:
                await use_schema(connection, request.schema)
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

    async def _commit_transaction(self, request: RequestBody) -> Answer:
        command = await self._end_transaction(request, b"COMMIT")
        status = guesses.COMMIT_OF_FAILED if command == "ROLLBACK" else COMMITTED
        return Answer(json.dumps({"transactionStatus": status}))

    async def _rollback_transaction(self, request: RequestBody) -> Answer:
        await self._end_transaction(request, b"ROLLBACK")
        return Answer(json.dumps({"transactionStatus": ROLLED_BACK}))

    async def _end_transaction(self, request: RequestBody, sql: bytes) -> str:
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
        succeed(outcome, self._version)
        return outcome.command

    async def _execute_sql(self, request: RequestBody) -> Answer:
        if self._version != 1:
            status, code, text = guesses.EXECUTE_SQL_REFUSED
            raise ApiError(code, text, status=status)
        prepared = [prepare(text, {}) for text in self._statements(request.sql)]

        async def work(session: Session) -> Answer:
            results = []
            for statement in prepared:
                result, outcome = await self._query(session, statement, {}, request)
                if outcome.has_rows:
                    columns = await column_metadata(session.connection, result)
                    results.append(executesql.with_rows(columns, json.loads(result.records())))
                else:
                    results.append(executesql.without_rows(outcome.affected))
            return Answer(json.dumps({"sqlStatementResults": results}))

        return await self._calls.run(request, work)

    # -- their parts --------------------------------------------------------------------------

    def _statements(self, sql: str) -> list[str]:
        """The statements of a text: exactly one in version 2."""
        if ";" not in sql:
            return [sql]
        spans = sqltext.statement_spans(sql)
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
            bind_parameters(parameters, f"parameterSets[{index}]", self._version)
            for index, parameters in enumerate(sets)
        ]

    async def _query(
        self,
        session: Session,
        statement: BoundStatement,
        values: dict[str, Value],
        request: RequestBody,
    ) -> tuple[ResultSet, Outcome]:
        """Run a statement and complete its result."""
        types = self._types.setdefault(session.database, {})
        result = ResultSet(types, request.options, formatted=request.formatted)
        outcome = await session.connection.run(
            statement.sql,
            [values[name] for name in statement.names],
            result,
        )
        if result.too_large and result.error is not None:
            raise result.error  # the outcome is that of cancelling it
        succeed(outcome, self._version)
        if outcome.has_rows:
            if result.unresolved():
                await resolve_types(session.connection, result, types)
            if result.error is not None:
                raise result.error
        return result, outcome
