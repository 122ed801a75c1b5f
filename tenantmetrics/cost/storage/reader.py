"""Rows of read-only queries over the Data API, page by page."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from tenantmetrics.dataapi.errors import sqlstate
from tenantmetrics.dataapi.fields import sql_parameters
from tenantmetrics.dataapi.responses import rows_of
from tenantmetrics.errors import ReportError

__all__ = ["QueryFailedError", "Reader"]

PAGE_ROWS = 1_000
"""Rows a FETCH: a response may have 1 MiB, and a name of a tenant 1 KiB."""


class QueryFailedError(Exception):
    """The database refused a query, or it took too long.

    Args:
        code: The API's error code.
        reason: In words.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    @property
    def is_timeout(self) -> bool:
        """Whether it ran into the API's 45 seconds, or the database's own limit."""
        return self.code == "StatementTimeoutException" or sqlstate(self.reason) == "57014"


class Reader:
    """Reads one database.

    Args:
        client: A boto3 `rds-data` client.
        resource_arn: The cluster.
        secret_arn: The secret of a role that may read.
        database: The database.
    """

    def __init__(self, client: Any, resource_arn: str, secret_arn: str, database: str) -> None:
        self._client = client
        self._target = {"resourceArn": resource_arn, "secretArn": secret_arn}
        self.database = database

    def rows(self, sql: str, values: Mapping[str, str] | None = None) -> list[list[Any]]:
        """All rows of a query.

        Args:
            sql: A SELECT.
            values: Its `:name` parameters, all strings.

        Raises:
            QueryFailedError: The database refused it, or it took too long.
            ReportError: The API cannot be reached, or refuses these ARNs.
        """
        return list(self._pages(sql, values or {}))

    def _pages(self, sql: str, values: Mapping[str, str]) -> Iterator[list[Any]]:
        transaction = self._call("begin_transaction", database=self.database)["transactionId"]
        try:
            # The cursor keeps a result of any size within the API's 1 MiB a response.
            for statement in ("SET TRANSACTION READ ONLY", "SET LOCAL row_security = off"):
                self._execute(transaction, statement)
            parameters = sql_parameters(values)
            self._execute(transaction, f"DECLARE page NO SCROLL CURSOR FOR {sql}", parameters)
            while True:
                rows = rows_of(self._execute(transaction, f"FETCH {PAGE_ROWS} FROM page"))
                yield from rows
                if len(rows) < PAGE_ROWS:
                    return
        finally:
            # A failed statement may have ended it already.
            with contextlib.suppress(QueryFailedError, ReportError):
                self._call("rollback_transaction", transactionId=transaction)

    def _execute(
        self, transaction: str, sql: str, parameters: list[dict[str, Any]] | None = None
    ) -> Any:
        return self._call(
            "execute_statement",
            database=self.database,
            transactionId=transaction,
            sql=sql,
            parameters=parameters or [],
        )

    def _call(self, operation: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - with boto3

        try:
            return getattr(self._client, operation)(**self._target, **arguments)
        except ClientError as error:
            code = error.response["Error"].get("Code", "")
            reason = " ".join(error.response["Error"].get("Message", "").split())
            # What the whole run depends on: rights to the API, the ARNs, the database's name.
            if operation == "begin_transaction":
                raise ReportError(
                    f"the Data API cannot read database {self.database!r}: {code}: {reason}"
                ) from None
            raise QueryFailedError(code, reason) from None
        except BotoCoreError as error:
            reason = " ".join(str(error).split())
            raise ReportError(f"the Data API cannot be reached: {reason}") from None
