"""Follows sessions: what their variables hold, and where their transactions begin and end.

Fed with calls that came back, in their order, by what adapters say of them (`Call.transition`) and
by what their SQL does. Attribution and `strict` both ask it, each with sessions of its own: the one
follows calls as they are consumed, the other must know as soon as a call has come back.

What is misuse depends on the kind of session. In a transaction of the Data API, COMMIT as SQL
leaves the API's transaction lingering, and SET without LOCAL may reach the next user of the
connection; a connection that stays has neither fault. SET LOCAL outside a transaction does nothing
anywhere.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from tenantmetrics.records import (
    OK,
    Call,
    Misuse,
    SessionKind,
    SessionStep,
    SessionVerb,
    Transition,
)
from tenantmetrics.tenant.session.session_variables import Session

__all__ = ["SessionTracker", "TrackedSession", "misuses_of_kind"]

_NO_MISUSE: dict[SessionKind, frozenset[Misuse]] = {
    SessionKind.TRANSACTION: frozenset(),
    SessionKind.CONNECTION: frozenset({Misuse.COMMIT_AS_SQL, Misuse.SET_WITHOUT_LOCAL}),
    SessionKind.POOLED: frozenset({Misuse.COMMIT_AS_SQL}),
}
_ENDS = {Transition.COMMIT: SessionVerb.COMMIT, Transition.ROLLBACK: SessionVerb.ROLLBACK}
_GONE = frozenset({OK, "TransactionNotFoundException"})
"""Outcomes of a COMMIT or ROLLBACK of the Data API after which there is no transaction. Any other
leaves it open: the call may come again."""
_ROLLED_BACK = SessionStep(SessionVerb.ROLLBACK)

_Tracked = TypeVar("_Tracked", bound="TrackedSession")


def misuses_of_kind(kind: SessionKind, misuses: tuple[Misuse, ...]) -> tuple[Misuse, ...]:
    """Those that are misuse in a session of this kind."""
    excused = _NO_MISUSE[kind]
    if not excused or excused.isdisjoint(misuses):
        return misuses
    return tuple(misuse for misuse in misuses if misuse not in excused)


class TrackedSession:
    """One session.

    Args:
        kind: What kind of session it is.
        variables: What its variables hold at the start.

    Attributes:
        in_transaction: Whether a transaction is open now.
        ended_transaction: Whether the last call ended one.
        is_over: Whether the last call ended the session itself.
        seen_at_ns: When its last call ended, ns since the epoch.
    """

    __slots__ = (
        "_failed",
        "ended_transaction",
        "in_transaction",
        "is_over",
        "kind",
        "seen_at_ns",
        "variables",
    )

    def __init__(self, kind: SessionKind, variables: Session) -> None:
        self.kind = kind
        self.variables = variables
        self.in_transaction = kind is SessionKind.TRANSACTION
        self.ended_transaction = False
        self.is_over = False
        self.seen_at_ns = 0
        self._failed = False
        """A statement of the open transaction failed: its COMMIT will be a ROLLBACK."""

    def follow(self, call: Call) -> tuple[Misuse, ...]:
        """Do what a call did that came back; only what succeeded changed its session.

        Returns:
            The kinds of misuse that the text did not show.
        """
        succeeded = call.outcome == OK
        if call.transition is Transition.BEGIN and (succeeded or call.claims.summary):
            # A driver begins a transaction before a statement: the statement may fail in it.
            self.in_transaction = True
        before = self.in_transaction
        self.variables.named_in_call = None
        misuses: tuple[Misuse, ...] = ()
        if succeeded and call.claims.session:
            misuses = self._apply(call.claims.session)
        elif not succeeded and before:
            self._failed = True
        end = _ENDS.get(call.transition)
        if self.kind is SessionKind.TRANSACTION:
            self.is_over = self.ended_transaction = end is not None and call.outcome in _GONE
            return misuses
        if end is not None:
            # A COMMIT that failed has rolled back.
            undone = self._failed or not succeeded
            self.variables.undo(SessionVerb.ROLLBACK if undone else end)
            self.in_transaction = False
        if not self.in_transaction:
            self._failed = False
        self.ended_transaction = before and not self.in_transaction
        self.is_over = self.kind is SessionKind.POOLED and not self.in_transaction
        return misuses

    def _apply(self, steps: tuple[SessionStep, ...]) -> tuple[Misuse, ...]:
        variables = self.variables
        if self.kind is SessionKind.TRANSACTION:
            return variables.apply(steps, in_transaction=True)
        if self._failed:
            steps = tuple(
                _ROLLED_BACK if step.verb is SessionVerb.COMMIT else step for step in steps
            )
            if any(step.verb is SessionVerb.ROLLBACK_TO for step in steps):
                self._failed = False
        misuses = variables.apply(steps, in_transaction=self.in_transaction)
        self.in_transaction = variables.in_transaction
        if not self.in_transaction:
            # Outside a transaction each statement commits by itself.
            variables.undo(SessionVerb.COMMIT)
        if self.kind is SessionKind.POOLED and any(
            step.verb is SessionVerb.SET and not step.local and step.tenant is not None
            for step in steps
        ):
            misuses = tuple(dict.fromkeys((*misuses, Misuse.SET_WITHOUT_LOCAL)))
        return misuses_of_kind(self.kind, misuses)


class SessionTracker(Generic[_Tracked]):
    """The sessions that are followed, the one idle longest first. Not locked.

    Args:
        make: Makes a session of a kind.
        max_sessions: How many are followed.
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
        """Whether another session is one too many."""
        return len(self._sessions) >= self._max_sessions

    @property
    def is_overfull(self) -> bool:
        """Whether more are followed than should be."""
        return len(self._sessions) > self._max_sessions

    def find(self, key: str) -> _Tracked | None:
        """A session that is followed."""
        return self._sessions.get(key)

    def enter(self, key: str, kind: SessionKind) -> _Tracked:
        """The session of a call, from now on the one used last; a new one where there is none."""
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions[key] = self._make(kind)
        else:
            self._sessions.move_to_end(key)
        return session

    def idle_longest(self) -> str:
        """Key of the session that was idle longest; there must be one."""
        return next(iter(self._sessions))

    def forget(self, key: str) -> _Tracked | None:
        """Follow a session no longer; gives what it was."""
        return self._sessions.pop(key, None)
