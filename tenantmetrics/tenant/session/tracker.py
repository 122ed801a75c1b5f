"""Follows sessions: what their variables hold, and where their transactions begin and end.

It is fed with calls that came back, in their order: with what the adapter says of them
(`Call.transition`, `Call.session_kind`) and with what their SQL does (`Claims.session`).
Attribution and `strict` each have a tracker of their own, because they see a call at different
moments on different threads.

What is misuse depends on the kind of session. In a transaction of the Data API, COMMIT as SQL ends
the transaction behind the API's back, and SET without LOCAL may reach the next user of the
connection. On a connection that stays, neither is misuse. SET LOCAL outside a transaction has no
effect anywhere, so it is misuse everywhere.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Self, TypeVar

from tenantmetrics.records import (
    CANCELLED,
    OK,
    Call,
    Misuse,
    SessionKind,
    SessionStep,
    SessionVerb,
    Transition,
)
from tenantmetrics.records.call import NOT_REACHED
from tenantmetrics.tenant.session.half_way import HEALS, ends_half_way
from tenantmetrics.tenant.session.session_variables import Session

__all__ = ["SessionTracker", "TrackedSession", "misuses_of_kind"]

_NO_MISUSE: dict[SessionKind, frozenset[Misuse]] = {
    SessionKind.TRANSACTION: frozenset(),
    SessionKind.CONNECTION: frozenset({Misuse.COMMIT_AS_SQL, Misuse.SET_WITHOUT_LOCAL}),
    SessionKind.POOLED: frozenset({Misuse.COMMIT_AS_SQL}),
}
_ENDS = {Transition.COMMIT: SessionVerb.COMMIT, Transition.ROLLBACK: SessionVerb.ROLLBACK}
_GONE = frozenset({OK, "TransactionNotFoundException"})
"""Outcomes of the Data API's COMMIT or ROLLBACK after which the transaction is gone. Any other
leaves it open, because the call may be repeated."""
_ROLLED_BACK = SessionStep(SessionVerb.ROLLBACK)
_COMMITS = ([SessionVerb.COMMIT], [SessionVerb.COMMIT, SessionVerb.BEGIN])
"""The second is COMMIT AND CHAIN."""
_NOT_KNOWN = SessionStep(SessionVerb.EXECUTE, "\0")
"""Nobody knows what the session holds then."""
_SET = (SessionVerb.SET, SessionVerb.RESET, SessionVerb.RESET_ALL, SessionVerb.EXECUTE)
_OF_TWO_WORDS = frozenset({"ROLLBACK TO", "START TRANSACTION", "PREPARE TRANSACTION"})
_UNANSWERED = 500
"""From this HTTP status on, nobody can say whether the server ran the statement."""
_Tracked = TypeVar("_Tracked", bound="TrackedSession")


def misuses_of_kind(kind: SessionKind, misuses: tuple[Misuse, ...]) -> tuple[Misuse, ...]:
    """Keep what is misuse in a session of this kind.

    Args:
        kind: The kind of session.
        misuses: Kinds of misuse, as a statement shows them whatever session it runs in.
    """
    excused = _NO_MISUSE[kind]
    if not excused or excused.isdisjoint(misuses):
        return misuses
    return tuple(misuse for misuse in misuses if misuse not in excused)


class TrackedSession:
    """One session.

    Args:
        kind: What kind of session it is.
        names: Names of the tenant variables, the most trusted first.

    Attributes:
        in_transaction: Whether a transaction is open now.
        ended_transaction: Whether the last call ended one.
        is_over: Whether the last call ended the session itself.
        seen_at_ns: When its last call ended, ns since the epoch.
    """

    __slots__ = (
        "_ended",
        "_failed",
        "_may_be_open",
        "_may_have_run",
        "ended_transaction",
        "in_transaction",
        "is_over",
        "kind",
        "seen_at_ns",
        "variables",
    )

    def __init__(self, kind: SessionKind, names: Iterable[str]) -> None:
        self.kind = kind
        self.variables = Session(names, stays=kind is not SessionKind.TRANSACTION)
        self.in_transaction = kind is SessionKind.TRANSACTION
        self.ended_transaction = False
        self.is_over = False
        self.seen_at_ns = 0
        self._failed = False
        """A statement of the open transaction failed: its COMMIT will be a ROLLBACK."""
        self._may_have_run = False
        """Or it was done: nobody got the answer."""
        self._ended = False
        """SQL has ended the transaction of the Data API."""
        self._may_be_open = False
        """A text that failed has begun or ended a transaction before it did, or not."""

    def copy(self) -> Self:
        """The same state, to try the steps of a call on that was not sent yet."""
        other = self.__class__(self.kind, ())
        other.variables = self.variables.copy()
        for name in ("in_transaction", "_failed", "_may_have_run", "_ended", "_may_be_open"):
            setattr(other, name, getattr(self, name))
        return other

    def follow(self, call: Call) -> tuple[Misuse, ...]:
        """Take the next call that came back. Its SQL changed the session only if it succeeded.

        Returns:
            The kinds of misuse that the call showed, of which some may be there twice.
        """
        claims = call.claims
        self.variables.named_in_call = None
        if self.kind is not SessionKind.TRANSACTION:
            return self._follow_connection(call)
        misuses = claims.misuses
        if call.outcome != OK:
            self._fail(call)
        elif claims.session:
            misuses += self.apply(claims.session)
        if call.transition in _ENDS:
            self.is_over = self.ended_transaction = call.outcome in _GONE
        return misuses

    def _follow_connection(self, call: Call) -> tuple[Misuse, ...]:
        claims, succeeded = call.claims, call.outcome == OK
        misuses = misuses_of_kind(self.kind, claims.misuses)
        if call.transition is Transition.BEGIN and (succeeded or claims.summary):
            # A driver begins a transaction before a statement: the statement may fail in it.
            self.in_transaction = True
        was_open = self.in_transaction
        end = _ENDS.get(call.transition)
        if succeeded and claims.session:
            misuses += self.apply(claims.session)
        elif not succeeded:
            self._fail(call)
        if end is not None:
            # A COMMIT that failed has rolled back.
            rolled_back = self._failed or not succeeded
            self.variables.undo(SessionVerb.ROLLBACK if rolled_back else end)
            if self._may_have_run or self._may_be_open:
                self.variables.forget()
            self.in_transaction = self._may_be_open = False
        if not self.in_transaction:
            self._failed = self._may_have_run = False
        self.ended_transaction = was_open and not self.in_transaction
        self.is_over = self.kind is SessionKind.POOLED and not self.in_transaction
        return misuses

    def apply(self, steps: tuple[SessionStep, ...]) -> tuple[Misuse, ...]:
        """Do what the SQL of one successful call does.

        Args:
            steps: In the order of the text.

        Returns:
            The kinds of misuse that the steps show in this session.
        """
        variables = self.variables
        opened = self._may_be_open or self._open
        if self._may_be_open:
            steps = tuple(self._perhaps_outside(steps))
        if self._failed:
            steps = tuple(self._after_failure(steps))
        misuses = variables.apply(steps, in_transaction=opened)
        if not variables.in_transaction:
            # Outside a transaction each statement commits by itself.
            variables.undo(SessionVerb.COMMIT)
        if self.kind is SessionKind.TRANSACTION:
            self._ended = not variables.in_transaction
            return misuses
        self.in_transaction = variables.in_transaction
        if self.kind is SessionKind.POOLED and any(
            step.verb is SessionVerb.SET and not step.local and step.tenant is not None
            for step in steps
        ):
            misuses = tuple(dict.fromkeys((*misuses, Misuse.SET_WITHOUT_LOCAL)))
        return misuses_of_kind(self.kind, misuses)

    def _fail(self, call: Call) -> None:
        """Take a call that did not succeed."""
        if call.outcome in NOT_REACHED:
            return
        steps, verbs = call.claims.session, [step.verb for step in call.claims.session]
        if SessionVerb.PREPARE in verbs:
            # What is prepared stays, whatever becomes of its transaction.
            self.variables.forget_prepared()
        single = " " not in call.claims.summary or call.claims.summary in _OF_TWO_WORDS
        unknown = self._is_unknown(call)
        self._may_have_run = self._may_have_run or unknown
        opened = self._may_be_open or self._open
        if single and verbs in _COMMITS and not unknown:
            # A COMMIT that fails has rolled back.
            if opened:
                self.variables.undo(SessionVerb.ROLLBACK)
                if self._may_be_open or self._may_have_run:
                    self.variables.forget()
                self._failed = self._may_have_run = self._may_be_open = self._open = False
            return
        controls = any(verb not in _SET and verb is not SessionVerb.PREPARE for verb in verbs)
        several = controls and not single
        if several and not unknown and self._stopped_half_way(steps):
            return
        self._failed = self._failed or opened
        if (steps and unknown) or several:
            self.variables.forget()
            self._may_be_open = self._may_have_run = controls
            if controls and self.kind is not SessionKind.TRANSACTION:
                self.in_transaction = True
            self._failed = self._failed or controls

    def _stopped_half_way(self, steps: tuple[SessionStep, ...]) -> bool:
        """Keep what holds wherever a text failed; False where a transaction may be open or not."""
        if self._may_be_open or self._may_have_run:
            return False
        ends = list(ends_half_way(self.variables, steps, is_open=self._open, failed=self._failed))
        is_open = ends[0][0]
        if any(end[0] is not is_open for end in ends):
            return False
        self.variables.keep_common(end[1] for end in ends)
        self._open = self._failed = is_open
        return True

    @property
    def _open(self) -> bool:
        """Whether a transaction is open in the server."""
        return self.in_transaction and not self._ended

    @_open.setter
    def _open(self, is_open: bool) -> None:
        if self.kind is SessionKind.TRANSACTION:
            self._ended = not is_open
        else:
            self.in_transaction = is_open

    def _is_unknown(self, call: Call) -> bool:
        """Whether nobody can say that a call that did not succeed changed nothing."""
        if call.sqlstate:
            return False
        if call.outcome in {CANCELLED, "StatementTimeoutException"}:
            return True
        return self.kind is SessionKind.TRANSACTION and call.http_status >= _UNANSWERED

    def _perhaps_outside(self, steps: Iterable[SessionStep]) -> Iterator[SessionStep]:
        """The steps where no transaction may be open: LOCAL may set nothing."""
        for step in steps:
            if not self._may_be_open:
                yield step
                continue
            self._may_be_open = step.verb in _SET or step.verb is SessionVerb.PREPARE
            if step.local and step.verb in _SET:
                yield step._replace(verb=SessionVerb.SET, tenant=None, local=False)
            elif step.verb is SessionVerb.COMMIT:
                yield _ROLLED_BACK
            else:
                yield step
                if step.verb is SessionVerb.PREPARE and step.local and not step.name:
                    # Outside a transaction a cursor WITH HOLD is read at once.
                    yield _NOT_KNOWN

    def _after_failure(self, steps: Iterable[SessionStep]) -> Iterator[SessionStep]:
        """The steps as PostgreSQL runs them in a failed transaction: COMMIT rolls it back."""
        for step in steps:
            if self._failed and step.verb is SessionVerb.COMMIT:
                yield _ROLLED_BACK
            else:
                yield step
            if step.verb in HEALS:
                if self._may_have_run and step.verb is SessionVerb.COMMIT:
                    yield _NOT_KNOWN
                self._failed = self._may_have_run = False


class SessionTracker(Generic[_Tracked]):
    """The sessions that are followed. For one thread, or under a lock of the caller's.

    Args:
        make: Makes a session of a kind.
        max_sessions: How many are followed; the caller makes room when `is_full`.
    """

    def __init__(self, make: Callable[[SessionKind], _Tracked], max_sessions: int) -> None:
        self._make = make
        self._max_sessions = max_sessions
        self._sessions: OrderedDict[str, _Tracked] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def keys(self) -> list[str]:
        """Keys of all sessions, the one idle longest first."""
        return list(self._sessions)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another session."""
        return len(self._sessions) >= self._max_sessions

    def find(self, key: str) -> _Tracked | None:
        """The session with this key; None where it is not followed."""
        return self._sessions.get(key)

    def touch(self, key: str) -> _Tracked | None:
        """The session with this key, which is now the one used last; None as for `find`."""
        session = self._sessions.get(key)
        if session is not None:
            self._sessions.move_to_end(key)
        return session

    def add(self, key: str, kind: SessionKind) -> _Tracked:
        """Follow a new session.

        Args:
            key: Its key, which no followed session has.
            kind: What kind of session it is.
        """
        session = self._sessions[key] = self._make(kind)
        return session

    def idle_longest(self) -> str:
        """Key of the session that was idle longest. There must be one."""
        return next(iter(self._sessions))

    def forget(self, key: str) -> _Tracked | None:
        """Stop following a session; gives it, None where it was not followed."""
        return self._sessions.pop(key, None)
