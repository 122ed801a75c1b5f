"""From an operation's parameters to the neutral `Request`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantmetrics.capture.request import Decides, Request, Underway, plain_string
from tenantmetrics.records import Claims, SessionKind, Transition

__all__ = ["TRANSITIONS", "OrdinaryCall", "request_of"]

TRANSITIONS = {
    "BeginTransaction": Transition.BEGIN,
    "CommitTransaction": Transition.COMMIT,
    "RollbackTransaction": Transition.ROLLBACK,
}
"""What operations without SQL do to their session."""


class OrdinaryCall(Underway):
    """An ExecuteStatement as most are, for the short way: a `Request` at a third of its cost.

    What its claims rest on is read at once, since the caller may change the parameters afterwards
    (`Recorder.examine`, which fills in `decides`, `value` and `tenant`); the claims themselves are
    worked out on the background thread. Whoever makes one fills `session`, `target`, `database`,
    `schema`, `attempts` (0), `trace`, `failure` and `ended_ns` (None), and at the first attempt the
    rest; what all have in common is the class's.
    """

    __slots__ = ("decides", "tenant", "value")
    # Nothing is filled in advance: half of the time of a constructor in Python.
    __init__ = object.__init__

    operation = "ExecuteStatement"
    sql = ""
    parameters = None
    batch = False
    transition = Transition.NONE
    session_kind = SessionKind.TRANSACTION
    decides: Decides
    value: object
    tenant: str | None

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open: the Data API has them by their ids only."""
        return self.session != ""

    @property
    def claims(self) -> Claims:
        """What it says of its tenant, worked out when it is asked for; raises nothing."""
        return self.decides.claims(self.value, self.tenant, self.database, self.schema)

    def settle_unsent(self) -> None:
        """Fill in what the first attempt would have: it was never sent, so it took no time."""
        assert self.ended_ns is not None  # noqa: S101 - only what has ended is asked
        self.first_sent_ns = self.started_ns = self.ended_ns
        self.request_bytes = 0
        self.opened_connection = False


def request_of(operation: str, params: Mapping[str, Any]) -> Request:
    """A call as the door takes it.

    Args:
        operation: The API operation ("ExecuteStatement").
        params: Its parameters, by the API's names; nothing in them is trusted, nothing is copied.
    """
    get = params.get
    sql, session = get("sql"), plain_string(get("transactionId"))
    request = Request(
        operation,
        # ExecuteSql's text and target have other names, and it is a transaction of its own.
        plain_string(sql if sql is not None else get("sqlStatements")),
        get("parameters"),
        session,
        plain_string(get("resourceArn") or get("dbClusterOrInstanceArn")),
        plain_string(get("database")),
        plain_string(get("schema")),
        bool(session) if sql is not None else True,
        identity=params,
    )
    if sql is None:
        request.transition = TRANSITIONS.get(operation, Transition.NONE)
    if "parameterSets" in params:
        request.parameters, request.batch = params["parameterSets"], True
    return request
