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

from tenantmetrics.records import OK, Claims, SessionKind, Transition

__all__ = ["NO_IDENTITY", "PythonValues", "Request", "TenantSource"]

_NO_CLAIMS = Claims()
NO_IDENTITY: Mapping[str, Any] = {}


IDLE_NS = 20_000_000_000
"""A connection that was idle for so long is taken to be closed: servers close them after 5 s
(Node.js, uvicorn) to 75 s (nginx); AWS names no time for the Data API. Too short only sets a few
calls apart as cold that were not."""


class Decides(Protocol):
    """What a text says, to be asked for its claims once its one parameter's value is known."""

    def claims(self, value: object, context: str | None, database: str, schema: str) -> Claims:
        """A call's claims; raises nothing.

        Args:
            value: Of the parameter that decides, None where none does.
            context: The tenant of the context that the call was made in.
            database: The database that the call names, else "".
            schema: The schema that the call names, else "".
        """


class Examined(Protocol):
    """A call with all that an ordinary call's claims rest on, besides database and schema.

    Attributes:
        decides: Its text.
        value: Of the one parameter that decides, None where none does.
        tenant: The tenant of the context.
    """

    decides: Decides
    value: object
    tenant: str | None


class Evidence:
    """The same without a call."""

    __slots__ = ("decides", "tenant", "value")

    decides: Decides
    value: object
    tenant: str | None


class Underway:
    """What is known of every call while it is under way; see `Request`."""

    # Slots: CPython reads and writes them in a tenth of the time of an attribute that a class has a
    # default for. And no more than needed: the garbage collector looks at each of every call.
    __slots__ = (
        "attempts", "database", "ended_at_ns", "ended_ns", "failure", "first_sent_ns",
        "http_status", "opened_connection", "request_bytes", "response_bytes", "rows_returned",
        "rows_written", "schema", "session", "started_ns", "target", "trace", "under_way",
    )  # fmt: skip
    on_abandoned: ClassVar[Callable[[Any], object] | None] = None
    """Takes requests that were sent and dropped without an end; set by the process's recorder."""

    attempts: int
    database: str
    ended_at_ns: int
    ended_ns: int | None
    failure: tuple[str, str, bool] | None
    first_sent_ns: int
    http_status: int
    opened_connection: bool | int
    request_bytes: int
    response_bytes: int
    rows_returned: int
    rows_written: int
    schema: str
    session: str
    started_ns: int
    target: str
    trace: tuple[int, int] | None
    under_way: list[int] | None

    def end(  # noqa: PLR0917 - in this order on the path of every call
        self,
        ended_ns: int,
        ended_at_ns: int,
        http_status: int = 0,
        outcome: str = OK,
        response_bytes: int = 0,
        rows_returned: int = 0,
        rows_written: int = 0,
        sqlstate: str = "",
        answered: bool = True,
    ) -> None:
        """Fill in how it ended; the arguments are `Recorder.finish`'s and the wall clock."""
        self.ended_at_ns = ended_at_ns
        self.http_status = http_status
        self.response_bytes = response_bytes
        self.rows_returned = rows_returned
        self.rows_written = rows_written
        if outcome != OK or sqlstate or not answered:
            self.failure = (outcome, sqlstate, answered)
        self.ended_ns = ended_ns

    def settle_unsent(self) -> None:
        """Fill in what a first attempt would have; asked of calls without one that are over."""

    def __del__(self) -> None:
        # A cancelled task, a killed greenlet, KeyboardInterrupt: botocore has no event for them.
        if self.attempts and self.ended_ns is None and self.on_abandoned is not None:
            self.__class__.on_abandoned(self)  # type: ignore[misc]  # a function of a class


class Request(Underway):
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
        started_ns: Monotonic clock at the start, then at the last attempt; not read where the first
            is the last.
        opened_connection: Whether the call had to open a connection, as far as that can be told;
            or since when its connection had been idle, on the monotonic clock: then it did if that
            is `IDLE_NS`.
        under_way: What its adapter counts the calls under way by, if it does: an entry each.
        ended_ns: Monotonic clock at the end; filled by `Recorder.finish` like all that follows,
            None before. A call that was sent (`attempts`) and is dropped without an end was
            cancelled: the request goes away with the frames of the call, and takes care of it then
            (`on_abandoned`).
        ended_at_ns: Wall clock at the end, ns since the epoch.
        http_status: The last HTTP status, 0 where there is none.
        response_bytes: Length of the answer's body.
        rows_returned: Rows in the answer.
        rows_written: Rows that it says were written.
        failure: Of a call that failed its outcome, its SQLSTATE, and whether there was an answer.
    """

    __slots__ = (
        "batch", "claims", "identity", "in_transaction", "operation", "parameters", "session_kind",
        "sql", "transition",
    )  # fmt: skip

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
        self.trace = None
        self.request_bytes = 0
        self.attempts = 0
        self.first_sent_ns = 0
        self.started_ns = 0
        self.opened_connection = False
        self.under_way = None
        self.ended_ns = None
        self.failure = None


def plain_string(value: Any) -> str:
    """A plain string of whatever is one, such as a StrEnum's member; "" for anything else."""
    return str.__str__(value) if issubclass(type(value), str) else ""


def kinds_of_requests() -> frozenset[type]:
    """`Request` and what adapters have beside it, for who looks among all objects."""
    kinds: list[type] = [Underway]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return frozenset(kinds)


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
