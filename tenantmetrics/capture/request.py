"""What every client hands to the door: one statement on its way, in no library's own terms.

An adapter makes a `Request` for each call, gives it to `Recorder.start` before the call is sent and
to `Recorder.finish` afterwards. It is the call's own state too, so that threads, tasks and retries
cannot mix. Once finished it goes to the background thread, which makes the `Call` of it: neither
the text nor the parameters are with it then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Protocol
from uuid import UUID

from tenantmetrics.records import Claims, SessionKind, Transition

__all__ = ["NO_IDENTITY", "PythonValues", "Request", "TenantSource"]

_NO_CLAIMS = Claims()
NO_IDENTITY: Mapping[str, Any] = {}


class Request:
    """One call before it is sent, and its state until it comes back.

    Attributes:
        operation: A short fixed word for what is called ("ExecuteStatement", "execute").
        sql: The statement with `:name` for parameters; "" for a call without one, such as BEGIN.
        parameters: What fills the statement, read when it is asked for and never copied: a list of
            the Data API's parameters (`{"name": "t", "value": {"stringValue": "acme"}}`), or
            `PythonValues`; a list of either for a batch (`batch`).
        batch: Whether `parameters` is one entry a parameter set.
        session: The key of the session that it runs in: a Data API transaction's id, a connection's
            own key; "" for a call of its own.
        session_kind: Whether that session ends with its transaction.
        in_transaction: Whether a transaction is open when the statement runs.
        transition: What the call does to its session, its SQL apart.
        target: The cluster's ARN, or host and port.
        database: The database that the call names, else "".
        schema: The schema that the call names, else "".
        identity: What `strict_exempt_clients` may name, by `resourceArn`, `secretArn`, `database`.
        claims: What it says of its tenant; filled by `Recorder.start`.
        trace: Ids of the current trace and span; filled by `Recorder.start`.
        request_bytes: Length of what was sent last; filled by the adapter.
        attempts: How often it was sent; filled by the adapter, 0 where it cannot tell.
        first_sent_ns: Monotonic clock at the first attempt.
        started_ns: Monotonic clock at the start, then at the last attempt.
        opened_connection: Whether the call had to open a connection, as far as that can be told.
        closed: Whether `Recorder.finish` has closed it. A call that was sent (`attempts`) and is
            dropped without that was cancelled: the request goes away with the frames of the call,
            and takes care of it then (`on_abandoned`).
        ended_ns: Monotonic clock at the end; this and what follows is filled by `Recorder.finish`.
        ended_at_ns: Wall clock at the end, ns since the epoch.
        http_status: The last HTTP status, 0 where there is none.
        outcome: `OK`, or the error's code.
        sqlstate: PostgreSQL's SQLSTATE of an error, else "".
        response_bytes: Length of the answer's body.
        rows_returned: Rows in the answer.
        rows_written: Rows that it says were written.
        answered: False where no answer came.
    """

    # Slots: CPython reads and writes them in a tenth of the time of an attribute that a class has a
    # default for.
    __slots__ = (
        "answered", "attempts", "batch", "claims", "closed", "database", "ended_at_ns", "ended_ns",
        "first_sent_ns", "http_status", "identity", "in_transaction", "opened_connection",
        "operation", "outcome", "parameters", "request_bytes", "response_bytes", "rows_returned",
        "rows_written", "schema", "session", "session_kind", "sql", "sqlstate", "started_ns",
        "target", "trace", "transition",
    )  # fmt: skip
    on_abandoned: ClassVar[Callable[[Request], object] | None] = None
    """Takes requests that were sent and dropped without an end; set by the process's recorder."""

    def __init__(  # noqa: PLR0917 - in this order on the path of every call
        self,
        operation: str,
        sql: str = "",
        parameters: Any = None,
        session: str = "",
        target: str = "",
        database: str = "",
        schema: str = "",
        in_transaction: bool | None = None,
        *,
        batch: bool = False,
        session_kind: SessionKind = SessionKind.TRANSACTION,
        transition: Transition = Transition.NONE,
        identity: Mapping[str, Any] = NO_IDENTITY,
    ) -> None:
        self.operation = operation
        self.sql = sql
        self.parameters = parameters
        self.session = session
        self.target = target
        self.database = database
        self.schema = schema
        self.in_transaction = bool(session) if in_transaction is None else in_transaction
        self.batch = batch
        self.session_kind = session_kind
        self.transition = transition
        self.identity = identity
        self.claims = _NO_CLAIMS
        self.trace: tuple[int, int] | None = None
        self.request_bytes = 0
        self.attempts = 0
        self.first_sent_ns = 0
        self.started_ns = 0
        self.opened_connection = False
        self.closed = False
        self.ended_ns = 0
        self.ended_at_ns = 0
        self.http_status = 0
        self.outcome = ""
        self.sqlstate = ""
        self.response_bytes = 0
        self.rows_returned = 0
        self.rows_written = 0
        self.answered = False

    def __del__(self) -> None:
        # A cancelled task, a killed greenlet, KeyboardInterrupt: botocore has no event for them.
        if self.attempts and not self.closed and self.on_abandoned is not None:
            self.__class__.on_abandoned(self)  # type: ignore[misc]  # a function of a class


class TenantSource(Protocol):
    """A source of one's own, an object in `tenant_sources` beside the names of the built-in ones.

    Several may be given: the first that names a tenant counts, at the place of the first of them.
    """

    def tenant(self, request: Request) -> str | None:
        """The tenant of a call, None where this source does not know.

        Runs on the caller's thread before the call is sent, so it should take microseconds. What it
        raises is counted as `tenant_error`; the call goes on and the other sources are asked.

        Args:
            request: The call; to be read only, and not to be kept.
        """


class PythonValues(Mapping[str, Mapping[str, Any]]):
    """Python values by parameter name, as drivers take them; read as the Data API's fields.

    A value is looked at when a plan asks for it: 10 MB that no plan asks for cost nothing.

    Args:
        values: By name; or a sequence, whose values are `$1`, `$2`, …, or `:1`, `:2`, …
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any] | Sequence[Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        values = self._values
        if isinstance(values, Mapping):
            return _parameter(values[name])
        name = name.removeprefix("$")
        if not name.isdecimal() or not 0 < int(name) <= len(values):
            raise KeyError(name)
        return _parameter(values[int(name) - 1])

    def __iter__(self) -> Iterator[str]:
        if isinstance(self._values, Mapping):
            return iter(self._values)
        return (str(number + 1) for number in range(len(self._values)))

    def __len__(self) -> int:
        return len(self._values)


def _parameter(value: Any) -> Mapping[str, Any]:  # noqa: PLR0911 - one kind a line
    if value is None:
        return {"value": {"isNull": True}}
    if isinstance(value, str):
        return {"value": {"stringValue": value}}
    if isinstance(value, bool):
        return {"value": {"booleanValue": value}}
    if isinstance(value, int):
        return {"value": {"longValue": value}}
    if isinstance(value, float):
        return {"value": {"doubleValue": value}}
    if isinstance(value, UUID):
        return {"value": {"stringValue": str(value)}, "typeHint": "UUID"}
    if isinstance(value, Decimal):
        return {"value": {"stringValue": str(value)}, "typeHint": "DECIMAL"}
    if isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value):
        return {"value": {"arrayValue": {"stringValues": value}}}
    if isinstance(value, list | tuple) and value and all(type(item) is int for item in value):
        return {"value": {"arrayValue": {"longValues": value}}}
    return {"value": {}}
