"""From an operation's parameters to the neutral `Request`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantmetrics.capture.request import Request
from tenantmetrics.records import Claims, SessionKind, Transition

__all__ = ["TRANSITIONS", "request_of"]

_new = object.__new__
_NO_CLAIMS = Claims()
# An enum's members cost a look-up of its class each time that they are named.
_NO_TRANSITION, _TRANSACTION = Transition.NONE, SessionKind.TRANSACTION

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
    session = get("transactionId", "")
    target = get("resourceArn", "")
    database = get("database", "")
    schema = get("schema", "")
    if (
        not sql.__class__
        is session.__class__
        is target.__class__
        is database.__class__
        is schema.__class__
        is str
    ):
        return _unusual(operation, params)
    # Half of the time of the constructor, which also stores what `start` and `finish` store again.
    request = _new(Request)
    request.operation = operation
    request.sql = sql
    request.session = session
    request.target = target
    request.database = database
    request.schema = schema
    request.in_transaction = session != ""
    request.identity = params
    request.claims = _NO_CLAIMS
    request.attempts = request.request_bytes = 0
    request.closed = request.opened_connection = False
    request.trace = None
    request.transition = _NO_TRANSITION
    request.session_kind = _TRANSACTION
    if "parameterSets" in params:
        request.parameters, request.batch = params["parameterSets"], True
    else:
        request.parameters, request.batch = get("parameters"), False
    return request


def _unusual(operation: str, params: Mapping[str, Any]) -> Request:
    """A call without SQL, ExecuteSql, or one that botocore will refuse."""
    get = params.get
    session = _string(get("transactionId"))
    has_sql = get("sql").__class__ is str
    request = Request(
        operation,
        # ExecuteSql's text and target have other names, and it is a transaction of its own.
        _string(get("sql") if has_sql else get("sqlStatements")),
        get("parameters"),
        session,
        _string(get("resourceArn") or get("dbClusterOrInstanceArn")),
        _string(get("database")),
        _string(get("schema")),
        bool(session) if has_sql else True,
    )
    request.transition = Transition.NONE if has_sql else TRANSITIONS.get(operation, Transition.NONE)
    request.identity = params
    if "parameterSets" in params:
        request.parameters, request.batch = params["parameterSets"], True
    return request


def _string(value: Any) -> str:
    return value if value.__class__ is str else ""
