"""From an operation's parameters to the neutral `Request`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantmetrics.capture.request import Request
from tenantmetrics.records import Transition

__all__ = ["TRANSITIONS", "request_of"]

TRANSITIONS = {
    "BeginTransaction": Transition.BEGIN,
    "CommitTransaction": Transition.COMMIT,
    "RollbackTransaction": Transition.ROLLBACK,
}
"""What operations without SQL do to their session."""


def request_of(operation: str, params: Mapping[str, Any]) -> Request:
    """A call as the door takes it. Runs in somebody's call, before botocore has looked at it.

    Args:
        operation: The API operation ("ExecuteStatement").
        params: Its parameters, by the API's names; nothing in them is trusted, nothing is copied.
    """
    get = params.get
    sql = get("sql")
    if sql.__class__ is str:
        request = Request(
            operation,
            sql,
            get("parameters"),
            _string(get("transactionId", "")),
            _string(get("resourceArn", "")),
            _string(get("database", "")),
            _string(get("schema", "")),
        )
        if "parameterSets" in params:
            request.parameters, request.batch = params["parameterSets"], True
    else:
        # ExecuteSql's text and target have other names, and it is a transaction of its own.
        request = Request(
            operation,
            _string(get("sqlStatements", "")),
            None,
            _string(get("transactionId", "")),
            _string(get("resourceArn") or get("dbClusterOrInstanceArn", "")),
            _string(get("database", "")),
            _string(get("schema", "")),
            in_transaction=True,
            transition=TRANSITIONS.get(operation, Transition.NONE),
        )
    request.identity = params
    return request


def _string(value: Any) -> str:
    return value if value.__class__ is str else ""
