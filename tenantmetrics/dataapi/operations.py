"""The operations: their paths, their methods on a client, what each needs.

Source: botocore's service model of `rds-data`; a test compares each table with it.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["OPERATIONS", "PATHS", "Operation", "operation_of_method"]


class Operation(NamedTuple):
    """One operation.

    Attributes:
        name: As the service model has it ("ExecuteStatement").
        path: Where it is posted ("/Execute").
        method: The name of its method on a boto3 client ("execute_statement").
        cluster_member: The member of the request that names the cluster.
        secret_member: The member that names the secret.
        sql_member: The member that holds the SQL; None for an operation without one.
        needs_transaction: Whether a transactionId is required.
    """

    name: str
    path: str
    method: str
    cluster_member: str = "resourceArn"
    secret_member: str = "secretArn"  # noqa: S105 - the name of a member
    sql_member: str | None = None
    needs_transaction: bool = False


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("ExecuteStatement", "/Execute", "execute_statement", sql_member="sql"),
        Operation(
            "BatchExecuteStatement", "/BatchExecute", "batch_execute_statement", sql_member="sql"
        ),
        Operation("BeginTransaction", "/BeginTransaction", "begin_transaction"),
        Operation(
            "CommitTransaction",
            "/CommitTransaction",
            "commit_transaction",
            needs_transaction=True,
        ),
        Operation(
            "RollbackTransaction",
            "/RollbackTransaction",
            "rollback_transaction",
            needs_transaction=True,
        ),
        Operation(
            "ExecuteSql",
            "/ExecuteSql",
            "execute_sql",
            "dbClusterOrInstanceArn",
            "awsSecretStoreArn",
            "sqlStatements",
        ),
    )
}
"""Name → operation."""

PATHS = {operation.path: operation for operation in OPERATIONS.values()}
"""Path → operation; every one is a POST."""

_METHODS = {operation.method: operation for operation in OPERATIONS.values()}


def operation_of_method(method: str) -> Operation:
    """The operation behind a method of a boto3 client.

    Args:
        method: For example "execute_statement".

    Raises:
        KeyError: No operation has that method.
    """
    return _METHODS[method]
