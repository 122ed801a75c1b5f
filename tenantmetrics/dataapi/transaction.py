"""A transaction over the Data API as a `with` block.

    with Transaction(client, resourceArn=…, secretArn=…, database="app") as transaction:
        transaction.execute("UPDATE rooms SET price = :price", {"price": 90})

Contract: the block's normal end commits; any exception, Ctrl-C included, rolls back and is raised
again. When the rollback itself fails, the block's exception is still the one that is raised: the
Data API rolls back what is left open after 3 minutes without a call (AWS, BeginTransaction). Where
the block swallowed the error of a statement, PostgreSQL would turn the commit into a rollback and
the API would not say so: here that is a `TransactionRolledBackError`. An exception from the commit
itself is passed on; without an answer, whether it took place is not known.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tenantmetrics.dataapi.errors import sqlstate
from tenantmetrics.dataapi.fields import sql_parameters

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

__all__ = [
    "COMMITTED",
    "NOTHING_KEPT",
    "ROLLED_BACK",
    "Transaction",
    "TransactionRolledBackError",
    "aborts",
    "wire",
]

COMMITTED = "Transaction Committed"
"""Status of CommitTransaction (AWS, CommitTransaction)."""
ROLLED_BACK = "Rollback Complete"
"""Status of RollbackTransaction (AWS, RollbackTransaction)."""

NOTHING_KEPT = (
    "a statement of the transaction failed, so that PostgreSQL keeps nothing of it:"
    " let the error leave the block, or roll back to a savepoint"
)
"""What a `TransactionRolledBackError` says."""


class TransactionRolledBackError(Exception):
    """The block ended normally, but nothing was kept."""


class Transaction:
    """One transaction; begun when the block is entered, used for one block.

    Args:
        client: A boto3 `rds-data` client, instrumented or not.
        resourceArn: The cluster.
        secretArn: The secret of the role to connect as.
        database: The database; None for the cluster's default.

    Attributes:
        id: The transactionId; empty before the block is entered.
    """

    def __init__(
        self,
        client: Any,
        *,
        resourceArn: str,  # noqa: N803 - boto3's name, so that one dictionary serves both
        secretArn: str,  # noqa: N803
        database: str | None = None,
    ) -> None:
        self._client = client
        self._arns = {"resourceArn": resourceArn, "secretArn": secretArn}
        self._target = self._arns | ({"database": database} if database is not None else {})
        self._aborted = False
        self.id = ""

    def __enter__(self) -> Self:
        """Begin.

        Raises:
            RuntimeError: The block was entered before.
            botocore.exceptions.ClientError: The API refused.
        """
        if self.id:
            raise RuntimeError("a Transaction serves one `with` block: make a new one")
        self.id = self._client.begin_transaction(**self._target)["transactionId"]
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
            botocore.exceptions.ClientError: The commit failed.
        """
        if error is not None or self._aborted:
            with contextlib.suppress(Exception):
                self._client.rollback_transaction(**self._arns, transactionId=self.id)
            if error is None:
                raise TransactionRolledBackError(NOTHING_KEPT)
            return
        self._client.commit_transaction(**self._arns, transactionId=self.id)

    def execute(
        self,
        sql: str,
        parameters: Mapping[str, Any] | Iterable[Mapping[str, Any]] = (),
        **settings: Any,
    ) -> dict[str, Any]:
        """Run a statement.

        Args:
            sql: One statement, with `:name` parameters.
            parameters: Name → Python value (see `fields`), or SqlParameters as boto3 takes them.
            **settings: Further arguments of `execute_statement` (includeResultMetadata=True).

        Returns:
            What `execute_statement` returns.

        Raises:
            TypeError: The API has no Field for a value.
            botocore.exceptions.ClientError: The API or the database refused.
        """
        return self._run(
            self._client.execute_statement, sql=sql, parameters=wire(parameters), **settings
        )

    def batch_execute(
        self,
        sql: str,
        parameter_sets: Iterable[Mapping[str, Any] | Iterable[Mapping[str, Any]]],
    ) -> dict[str, Any]:
        """Run a statement once for each set of parameters, in one call.

        Args:
            sql: One statement, with `:name` parameters.
            parameter_sets: Each as the parameters of `execute`.

        Returns:
            What `batch_execute_statement` returns. Errors as those of `execute`.
        """
        return self._run(
            self._client.batch_execute_statement,
            sql=sql,
            parameterSets=[wire(parameters) for parameters in parameter_sets],
        )

    def _run(self, method: Any, **arguments: Any) -> dict[str, Any]:
        """Call with ARNs, database and transactionId, and note whether PostgreSQL goes on."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - whoever has a client has it

        try:
            response: dict[str, Any] = method(**self._target, **arguments, transactionId=self.id)
        except ClientError as error:
            if aborts(error):
                self._aborted = True
            raise
        # In an aborted transaction nothing succeeds but ROLLBACK TO, after which it goes on.
        self._aborted = False
        return response


def aborts(error: ClientError) -> bool:
    """Whether an error of a statement leaves its transaction aborted.

    With a SQLSTATE it was PostgreSQL that failed; a cancelled statement failed there too.

    Args:
        error: What the client raised.
    """
    answer = error.response.get("Error", {})
    return bool(sqlstate(answer.get("Message", ""))) or (
        answer.get("Code") == "StatementTimeoutException"
    )


def wire(
    parameters: Mapping[str, Any] | Iterable[Mapping[str, Any]],
) -> list[Mapping[str, Any]]:
    """A statement's parameters as boto3 takes them.

    Args:
        parameters: Name → Python value, or SqlParameters.
    """
    return [*(sql_parameters(parameters) if isinstance(parameters, Mapping) else parameters)]
