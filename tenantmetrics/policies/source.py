"""A transaction on the database that is looked at: through the Data API, or over a connection.

Contract: everything happens in one transaction, which is rolled back at the end, whatever happens.
`read_only` makes PostgreSQL itself refuse writes. No statement passes through tenantmetrics' own
handlers. Neither errors nor results name the values of rows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, Self

from tenantmetrics.dataapi.errors import sqlstate
from tenantmetrics.dataapi.fields import sql_parameters
from tenantmetrics.dataapi.responses import rows_of
from tenantmetrics.errors import MissingExtraError, RlsError, redacted, why_unreachable
from tenantmetrics.sqltext import rewrite

__all__ = ["Connection", "DataApiConnection", "PostgresConnection", "RefusedError", "Values"]

Values = Mapping[str, int | str | None]
_CONNECT_TIMEOUT_S = 10
_STATEMENT_TIMEOUT_S = 45
"""The Data API's own limit of a call (AWS, "Limitations with RDS Data API"); a connection's too."""


class RefusedError(Exception):
    """The database refused a statement.

    Args:
        reason: In its own words, on one line; may hold values: not for reports.
        sqlstate: Its code, such as "42501".
        constraint: The constraint that was violated, where it is known.
    """

    def __init__(self, reason: str, sqlstate: str, constraint: str = "") -> None:
        super().__init__(reason)
        self.sqlstate = sqlstate
        self.constraint = constraint


class Connection(Protocol):
    """One database."""

    copies: bool
    """Whether COPY can be sent."""

    def transaction(self, *, read_only: bool) -> contextlib.AbstractContextManager[None]:
        """A block in one transaction that is rolled back at its end.

        Args:
            read_only: PostgreSQL refuses writes in it.
        """

    def rows(self, sql: str, values: Values | None = None) -> list[list[Any]]:
        """The rows of a statement.

        Args:
            sql: With `:name` parameters.
            values: Name → value.

        Raises:
            RefusedError: The database refused it.
            RlsError: The database cannot be reached.
        """

    def count(self, sql: str, values: Values | None = None) -> int:
        """How many rows a statement without RETURNING changed. Errors as those of `rows`."""

    def copy(self, sql: str, data: bytes | None = None) -> Iterator[bytes]:
        """COPY from the database; to it, if there is data. Errors as those of `rows`."""


class DataApiConnection:
    """A database behind the Data API.

    Args:
        client: A boto3 `rds-data` client.
        resourceArn: The cluster.
        secretArn: The secret of the role to connect as.
        database: The database.
    """

    copies = False

    def __init__(
        self,
        client: Any,
        *,
        resourceArn: str,  # noqa: N803 - boto3's names, so that one dictionary serves both
        secretArn: str,  # noqa: N803
        database: str | None = None,
    ) -> None:
        self._client = client
        self._arns = {"resourceArn": resourceArn, "secretArn": secretArn}
        self._target = self._arns | ({"database": database} if database is not None else {})
        self._id = ""

    @contextlib.contextmanager
    def transaction(self, *, read_only: bool) -> Iterator[None]:
        """As `Connection.transaction`."""
        self._id = self._call("begin_transaction", **self._target)["transactionId"]
        try:
            if read_only:
                self.rows("SET TRANSACTION READ ONLY")
            yield
        finally:
            # What is left open is rolled back by AWS after 3 minutes (BeginTransaction).
            with contextlib.suppress(RlsError, RefusedError):
                self._call("rollback_transaction", **self._arns, transactionId=self._id)

    def rows(self, sql: str, values: Values | None = None) -> list[list[Any]]:
        """As `Connection.rows`."""
        return rows_of(self._execute(sql, values))

    def count(self, sql: str, values: Values | None = None) -> int:
        """As `Connection.count`."""
        return int(self._execute(sql, values).get("numberOfRecordsUpdated", 0))

    def copy(self, sql: str, data: bytes | None = None) -> Iterator[bytes]:  # noqa: ARG002
        """The Data API has no COPY."""
        raise RefusedError("the Data API has no COPY", "0A000")

    def _execute(self, sql: str, values: Values | None) -> Mapping[str, Any]:
        return self._call(
            "execute_statement",
            **self._target,
            sql=sql,
            parameters=sql_parameters(values or {}),
            transactionId=self._id,
        )

    def _call(self, method: str, **arguments: Any) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import

        try:
            answer: Mapping[str, Any] = getattr(self._client, method)(**arguments)
        except ClientError as error:
            told = error.response.get("Error", {})
            code, reason = told.get("Code", ""), _line(told.get("Message", ""))
            if state := sqlstate(reason):
                raise RefusedError(reason, state) from None
            if code in {"DatabaseErrorException", "StatementTimeoutException"}:
                raise RefusedError(reason, "57014" if "imeout" in code else "") from None
            raise RlsError(f"the Data API did not answer: {code}: {redacted(reason)}") from None
        except BotoCoreError as error:
            raise RlsError(f"the Data API cannot be reached: {redacted(_line(error))}") from None
        return answer


class PostgresConnection:
    """A database by its URL. Use it in a `with` statement, or call `close`.

    Args:
        url: `postgresql://user@host:5432/database`, or any connection string of libpq.

    Raises:
        MissingExtraError: psycopg is not installed.
        RlsError: The database cannot be reached.
    """

    copies = True

    def __init__(self, url: str) -> None:
        try:
            import psycopg  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtraError("a PostgreSQL URL", "local") from None
        self._error = psycopg.Error
        try:
            self._connection = psycopg.connect(
                url,
                autocommit=True,
                prepare_threshold=None,
                connect_timeout=_CONNECT_TIMEOUT_S,
                application_name="tenantmetrics rls",
                options=f"-c statement_timeout={_STATEMENT_TIMEOUT_S}s",
            )
        except psycopg.Error as error:
            raise RlsError(f"PostgreSQL cannot be reached: {why_unreachable(error, url)}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self, *, read_only: bool) -> Iterator[None]:
        """As `Connection.transaction`."""
        self.rows("BEGIN READ ONLY" if read_only else "BEGIN")
        try:
            yield
        finally:
            with contextlib.suppress(RlsError, RefusedError):
                self.rows("ROLLBACK")

    def rows(self, sql: str, values: Values | None = None) -> list[list[Any]]:
        """As `Connection.rows`."""
        cursor = self._execute(sql, values)
        return [list(row) for row in cursor.fetchall()] if cursor.description else []

    def count(self, sql: str, values: Values | None = None) -> int:
        """As `Connection.count`."""
        return max(int(self._execute(sql, values).rowcount), 0)

    def copy(self, sql: str, data: bytes | None = None) -> Iterator[bytes]:
        """As `Connection.copy`."""
        try:
            with self._connection.cursor() as cursor, cursor.copy(sql.encode()) as copy:
                if data is not None:
                    copy.write(data)
                else:
                    yield from map(bytes, copy)
        except self._error as error:
            raise self._refused(error) from None

    def _execute(self, sql: str, values: Values | None) -> Any:
        named = rewrite(sql.replace("%", "%%"), lambda found: f"%({found.name})s")
        try:
            return self._connection.execute(named.encode(), dict(values or {}))
        except self._error as error:
            raise self._refused(error) from None

    def _refused(self, error: Any) -> Exception:
        if self._connection.closed:
            return RlsError(f"PostgreSQL cut the connection: {redacted(_line(error))}")
        constraint = getattr(getattr(error, "diag", None), "constraint_name", None) or ""
        return RefusedError(_line(error), getattr(error, "sqlstate", None) or "", constraint)


def _line(error: object) -> str:
    return " ".join(str(error).split())
