"""One call: its facts, what it says of its tenant, and whose it turned out to be.

Named tuples: one is made per call, and they cost a third of a frozen dataclass to build.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = [
    "CANCELLED",
    "IDLE",
    "NOT_REACHED",
    "OK",
    "OVERFLOW",
    "SHARED",
    "THROTTLED",
    "UNATTRIBUTED",
    "UNMETERED",
    "Attribution",
    "Call",
    "Claim",
    "Claims",
    "Misuse",
    "SessionKind",
    "SessionStep",
    "SessionVerb",
    "Source",
    "Transition",
]

OK = "ok"
"""`Call.outcome` of a call that succeeded; any other value is the error's code."""

THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
"""Outcomes of calls that were throttled (botocore's
`retries.standard.ThrottledRetryableChecker`)."""

NOT_REACHED = THROTTLED | {"DatabaseResumingException"}
"""Outcomes of calls that the database never saw: throttled, or the answer of a cluster that was
paused."""

CANCELLED = "cancelled"
"""`Call.outcome` of a call that was sent and given up before its end: a cancelled task, a killed
greenlet, KeyboardInterrupt. Nobody can say whether the server ran it."""

# Reserved names. The double underscore keeps them apart from customers' own names.
UNATTRIBUTED = "__unattributed__"
OVERFLOW = "__overflow__"
IDLE = "__idle__"
SHARED = "__shared__"
UNMETERED = "__unmetered__"


class Source(StrEnum):
    """What named the tenant, in the default order of belief."""

    CONTEXT = "context"
    SESSION = "session"
    STATEMENT = "statement"
    COMMENT = "comment"
    SCHEMA = "schema"
    DATABASE = "database"
    CUSTOM = "custom"
    """An object of the application's own in `tenant_sources`."""
    UNATTRIBUTED = "unattributed"

    # Python's own for an enum's member is a function of Python's, called once a call for its key.
    __hash__ = str.__hash__


class Misuse(StrEnum):
    """What a statement or a transaction did that isolates less than it seems to."""

    SOURCES_DISAGREE = "sources_disagree"
    OTHER_TENANTS_ROWS = "other_tenants_rows"
    LOCAL_OUTSIDE_TRANSACTION = "set_local_outside_transaction"
    SET_WITHOUT_LOCAL = "set_without_local"
    TENANT_CHANGED = "tenant_changed_in_transaction"
    COMMIT_AS_SQL = "commit_as_sql"
    UNDECIDED_UNDER_SESSION = "undecided_under_session"
    """The session, the context or the rest of the transaction names the tenant, and the statement's
    text does not restrict its rows to it: row-level security may do so, or not."""


class SessionKind(StrEnum):
    """How long a session lives."""

    TRANSACTION = "transaction"
    """It ends with its transaction: the Data API's."""
    CONNECTION = "connection"
    """It stays: what is set without LOCAL holds on after a COMMIT."""
    POOLED = "pooled"
    """A pooler lends it for a transaction: what is set without LOCAL reaches the next user."""


class SessionVerb(StrEnum):
    """What a statement does to the session's tenant variable or to its savepoints."""

    SET = "set"
    RESET = "reset"
    RESET_ALL = "reset_all"
    SAVEPOINT = "savepoint"
    ROLLBACK_TO = "rollback_to"
    RELEASE = "release"
    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    PREPARE = "prepare"
    """A statement is prepared, or a cursor's query declared; `local`: it may set a variable."""
    EXECUTE = "execute"
    """What was prepared by this name is run, or without a name what a cursor declared."""


class Transition(StrEnum):
    """What a call does to its session apart from SQL: a call of the API, a driver's method."""

    NONE = "none"
    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"


class SessionStep(NamedTuple):
    """One effect of a statement on its session, in the order the statement has them.

    Attributes:
        verb: What happens.
        name: The variable (lower case) or the savepoint; empty where neither applies.
        tenant: The tenant that SET names; None where the value is not known.
        local: True for SET LOCAL and `set_config(..., true)`: ends with the transaction.
    """

    verb: SessionVerb
    name: str = ""
    tenant: str | None = None
    local: bool = False


class Claim(NamedTuple):
    """One source's answer to "whose call is it?".

    Attributes:
        source: What named the tenants.
        shares: (tenant, weight) pairs; weights are positive integers (a batch of five parameter
            sets, three of acme's and two of bee's, is `(("acme", 3), ("bee", 2))`).
    """

    source: Source
    shares: tuple[tuple[str, int], ...]


class Claims(NamedTuple):
    """All that one call says of its tenant, taken on the caller's thread. No values but tenants.

    Attributes:
        summary: The statement's `db.query.summary` ("SELECT bookings"), at most 255 characters.
        named: At most one claim a source.
        session: What the statement does to its session, in order.
        misuses: What the text alone shows to be misuse.
        undecided: The statement speaks of tenants, but of which cannot be known from its text.
        fingerprint: The statement's number, the same whatever values it runs with
            (`sqltext.fingerprint`); 0 where there is none.
        workless: The server does no work for it: it only sets or shows the session, begins or rolls
            back a transaction, or selects constants. COMMIT is never workless.
        exposed: It touches tables, and its text does not restrict all of their rows to known
            tenants, nor to the session's.
    """

    summary: str = ""
    named: tuple[Claim, ...] = ()
    session: tuple[SessionStep, ...] = ()
    misuses: tuple[Misuse, ...] = ()
    undecided: bool = False
    fingerprint: int = 0
    workless: bool = False
    exposed: bool = False


class Call(NamedTuple):
    """The facts of one API call, however many HTTP attempts it took.

    Attributes:
        operation: The API operation ("ExecuteStatement").
        ended_at_ns: Wall clock at the end of the call, ns since the epoch; chooses the window.
        duration_ns: Client-side wall time on the monotonic clock, retries included. The Data API
            reports no server-side time, so this is what "database time" means here.
        outcome: `OK`, or the error code ("BadRequestException", "EndpointConnectionError").
        sqlstate: PostgreSQL's SQLSTATE where the error text carried one, else empty.
        http_status: The last HTTP status, 0 where no response came.
        attempts: HTTP attempts, at least 1.
        request_bytes: Length of the HTTP request's body.
        response_bytes: Length of the last HTTP response's body.
        billed_requests: Request units as AWS meters them, 0 for a call that never reached AWS.
        rows_returned: Rows in `records` or `formattedRecords`.
        rows_written: `numberOfRecordsUpdated`, or the parameter sets of a batch that succeeded.
        session: Key of the session that the call ran in, for a call that begins one the key of
            that; empty for a call that stands alone. In the Data API the transaction's id.
        resource_arn: The cluster.
        database: The database named in the call, else empty.
        claims: What the call says of its tenant.
        trace: Ids of the trace and the span that were current, None without a sampled one.
        waited_ns: Time from the first attempt's send to the last one's, part of `duration_ns`:
            attempts that were throttled or not answered, and the waiting between them. 0 for a
            call of one attempt, all of `duration_ns` for a call that got no answer. Never server
            time.
        transition: What the call did to its session apart from SQL.
        opened_connection: The call had to open a new connection, as far as can be known.
        session_kind: Whether the session ends with its transaction.
    """

    operation: str
    ended_at_ns: int
    duration_ns: int
    outcome: str
    sqlstate: str
    http_status: int
    attempts: int
    request_bytes: int
    response_bytes: int
    billed_requests: int
    rows_returned: int
    rows_written: int
    session: str
    resource_arn: str
    database: str
    claims: Claims
    trace: tuple[int, int] | None = None
    waited_ns: int = 0
    transition: Transition = Transition.NONE
    opened_connection: bool = False
    session_kind: SessionKind = SessionKind.TRANSACTION


class Attribution(NamedTuple):
    """Whose a call was.

    Attributes:
        shares: (tenant, weight) pairs, at least one; `((UNATTRIBUTED, 1),)` where nobody knows.
        source: What named them.
        misuses: Conflicts and misuse seen, each to be counted by kind.
    """

    shares: tuple[tuple[str, int], ...]
    source: Source
    misuses: tuple[Misuse, ...] = ()
