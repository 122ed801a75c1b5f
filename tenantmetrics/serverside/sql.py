"""SQL on the database whose load is read: through the Data API, or a PostgreSQL URL.

Only SELECTs are sent, each by itself: no transaction is opened, so no BEGIN or COMMIT of ours is
among the statements that the database counts. None passes through tenantmetrics' own handlers.
Every SELECT carries `MARK`, by which the snapshots know it and leave it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from tenantmetrics.arns import region_of
from tenantmetrics.errors import MissingExtraError, ServerLoadError, redacted, why_unreachable
from tenantmetrics.export.aws import region
from tenantmetrics.export.checks import short
from tenantmetrics.sqltext import rewrite

__all__ = ["MARK", "DataApi", "Database", "Postgres", "QueryFailedError"]

MARK = "/* tenantmetrics server-load */"
"""Stands in every statement of ours; PostgreSQL keeps comments with the texts that it stores."""
_APPLICATION = "tenantmetrics server-load"
_CONNECT_TIMEOUT_S = 10
_STATEMENT_TIMEOUT_S = 45
"""The Data API's own limit of a call; a connection gets the same."""


class QueryFailedError(Exception):
    """The database refused a SELECT.

    Args:
        reason: In its own words, on one line.
        sqlstate: Its code, such as "42501"; empty where none was told.
    """

    def __init__(self, reason: str, sqlstate: str = "") -> None:
        super().__init__(reason)
        self.sqlstate = sqlstate


class Database(Protocol):
    """One database."""

    def rows(self, sql: str, values: Mapping[str, int | str] | None = None) -> list[list[Any]]:
        """All rows of a SELECT; at most 1 MiB of them.

        Args:
            sql: With `:name` parameters; `MARK` is put after its first word.
            values: Whole numbers and texts.

        Raises:
            QueryFailedError: The database refused it.
            ServerLoadError: The database cannot be reached.
        """


class DataApi:
    """A database behind the Data API. Use it in a `with` statement.

    Args:
        resource_arn: The cluster.
        secret_arn: Secret of the role that reads.
        database: The database.
        region_name: AWS region; None for the cluster's, else boto3's own.
        endpoint_url: Another endpoint, such as that of `tenantmetrics local`.

    Raises:
        ServerLoadError: No region is set, or the endpoint's address does not parse.
    """

    def __init__(
        self,
        resource_arn: str,
        secret_arn: str,
        database: str,
        *,
        region_name: str | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        import boto3  # noqa: PLC0415 - 100 ms that `--help` need not wait for
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        self._target = {
            "resourceArn": resource_arn,
            "secretArn": secret_arn,
            "database": database,
        }
        # A SELECT may be repeated. Reading waits as long as AWS lets a statement run.
        config = Config(
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=_STATEMENT_TIMEOUT_S + 5,
            retries={"mode": "standard", "total_max_attempts": 4},
        )
        session = boto3.session.Session()
        try:
            self._client: Any = session.client(
                "rds-data",
                region_name=region_name or region_of(resource_arn) or region(session),
                endpoint_url=endpoint_url,
                config=config,
            )
        except (BotoCoreError, ValueError) as error:
            raise ServerLoadError(f"the Data API cannot be reached: {short(error)}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def rows(self, sql: str, values: Mapping[str, int | str] | None = None) -> list[list[Any]]:
        """As `Database.rows`."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - with boto3

        parameters = [
            {"name": name, "value": {_field(value): value}}
            for name, value in (values or {}).items()
        ]
        try:
            answer = self._client.execute_statement(
                **self._target, sql=_marked(sql), parameters=parameters
            )
        except ClientError as error:
            code = error.response["Error"].get("Code", "")
            reason = _line(error.response["Error"].get("Message", ""))
            if code == "DatabaseErrorException":
                raise QueryFailedError(reason, reason.rpartition("SQLState: ")[2]) from None
            raise ServerLoadError(
                f"the Data API did not answer for database {self._target['database']!r}: "
                f"{code}: {reason}"
            ) from None
        except BotoCoreError as error:
            raise ServerLoadError(f"the Data API cannot be reached: {_line(error)}") from None
        return [[_value(field) for field in record] for record in answer.get("records", ())]


class Postgres:
    """A database by its URL. Use it in a `with` statement.

    Args:
        url: `postgresql://user@host:5432/database`, or any connection string of libpq; what it
            leaves out (a password) comes from libpq's environment and files.

    Raises:
        MissingExtraError: psycopg is not installed.
        ServerLoadError: The database cannot be reached.
    """

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
                application_name=_APPLICATION,
                options="-c default_transaction_read_only=on "
                f"-c statement_timeout={_STATEMENT_TIMEOUT_S}s",
            )
        except psycopg.Error as error:
            reason = why_unreachable(error, url)
            raise ServerLoadError(f"PostgreSQL cannot be reached: {reason}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def rows(self, sql: str, values: Mapping[str, int | str] | None = None) -> list[list[Any]]:
        """As `Database.rows`."""
        named = rewrite(_marked(sql).replace("%", "%%"), lambda found: f"%({found.name})s")
        try:
            found = self._connection.execute(named, values or {}).fetchall()
        except self._error as error:
            if self._connection.closed:
                raise ServerLoadError(
                    f"PostgreSQL cut the connection: {redacted(_line(error))}"
                ) from None
            raise QueryFailedError(_line(error), getattr(error, "sqlstate", None) or "") from None
        return [list(row) for row in found]


def _marked(sql: str) -> str:
    first, rest = sql.split(None, 1)
    return f"{first} {MARK} {rest}"


def _field(value: int | str) -> str:
    return "longValue" if isinstance(value, int) else "stringValue"


def _value(field: Mapping[str, Any]) -> Any:
    return None if field.get("isNull") else next(iter(field.values()), None)


def _line(error: object) -> str:
    return " ".join(str(error).split())
