"""Finds the tenant of each call of a session: calls are held until it is known, then released.

A call that names an explicit context, or that runs outside a transaction, is settled at once.
Inside a transaction the tenant may be named later than the first calls (BEGIN never names it), so
calls are held until a session variable names it or the transaction ends. The held calls then go to
the tenant of the session. If the session names none, they go to the tenants that the transaction's
calls named themselves, in shares. If there are none either, they go to nobody.

A connection keeps its variables between its transactions. A call outside a transaction goes to the
tenant that the variables name at that moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from tenantmetrics.config import Config
from tenantmetrics.health import Health, Loss
from tenantmetrics.records import (
    UNATTRIBUTED,
    Attribution,
    Call,
    Claim,
    Claims,
    Misuse,
    SessionKind,
    SessionVerb,
    Source,
    Transition,
)
from tenantmetrics.tenant.identity.source_precedence import Precedence, marked
from tenantmetrics.tenant.session.misuse_log import MisuseLog
from tenantmetrics.tenant.session.session_variables import Session
from tenantmetrics.tenant.session.tracker import SessionTracker, TrackedSession

__all__ = ["Attributor"]

_MAX_HELD_PER_TRANSACTION = 512
"""A transaction that runs longer without a session variable is settled by what its calls name."""
_MAX_HELD = 16_384
"""Calls held in all, about 10 MB; beyond it the longest idle transactions are settled."""
_MAX_VOTED = 64
"""Tenants that one transaction's calls are remembered to have named."""

# A third of the time of the named tuple's own constructor.
_new = tuple.__new__

_ENDS = frozenset({Transition.COMMIT, Transition.ROLLBACK})

Settled = list[tuple[Call, Attribution]]
SettledCalls = Sequence[tuple[Call, Attribution]]


class _Session(TrackedSession):
    """A session, and what is known of whom its open transaction serves."""

    __slots__ = ("held", "releasing", "serves", "votes")

    def __init__(self, kind: SessionKind, names: Iterable[str]) -> None:
        super().__init__(kind, names)
        self.held: list[tuple[Call, tuple[Misuse, ...]]] = []
        self.start_transaction()

    def start_transaction(self) -> None:
        """Start anew: with the tenant that the session names already, and without votes."""
        self.serves = self.variables.current()
        """The tenant that the session named last: calls such as COMMIT go to it."""
        self.votes: dict[Source, dict[str, int]] = {}
        """Tenants that its calls named themselves, by source: tenant → calls."""
        self.releasing = self.serves is not None
        """Nothing more is held: the tenant is known, the transaction ended, or it is too long."""


class Attributor:
    """Turns calls into (call, attribution) pairs, on one thread and in the order of the calls.

    Args:
        config: `max_transactions`, `transaction_idle_s`, `tenant_sources`, `tenant_variables`.
        health: Counts transactions that were forgotten because too many were open.
        log: Where misuse is logged.
    """

    def __init__(self, config: Config, health: Health, log: MisuseLog | None = None) -> None:
        self._health = health
        self._log = log or MisuseLog()
        self._precedence = Precedence(config.tenant_sources)
        self._rank = self._precedence.rank
        self._variables = config.tenant_variables
        self._asks_session = Source.SESSION in self._precedence.rank
        self._idle_ns = int(config.transaction_idle_s * 1e9)
        self._tracker = SessionTracker(self._new_session, config.max_transactions)
        self._closed: deque[str] = deque()
        self._held = 0

    def _new_session(self, kind: SessionKind) -> _Session:
        return _Session(kind, self._variables)

    def submit(self, call: Call) -> SettledCalls:
        """Take the next call; gives what it settles, in order, the call itself often among it."""
        claims = call.claims
        if not call.session:
            named = claims.named
            if len(named) == 1 and not claims.session and not claims.misuses:
                source, shares = named[0]
                if source in self._rank and not claims.exposed:
                    return ((call, _new(Attribution, (shares, source, ()))),)
            attribution = marked(claims, self._outside(claims))
            if attribution.misuses:
                self._log.note(attribution.misuses, claims.summary)
            return ((call, attribution),)
        return self._noted(self._inside(call))

    def forget(self, session: str) -> None:
        """Forget a session that is over, with the next `expire`. From any thread.

        Args:
            session: Its key.
        """
        self._closed.append(session)

    def expire(self, now_ns: int) -> Settled:
        """Settle transactions that have been idle for too long; forget them, and what has closed.

        Args:
            now_ns: Wall clock, ns since the epoch, as in `Call.ended_at_ns`.
        """
        settled: Settled = []
        while self._closed:
            settled += self._forget(self._closed.popleft())
        for key in self._tracker.keys:
            session = self._tracker.find(key)
            if session is None or now_ns - session.seen_at_ns <= self._idle_ns:
                break
            if session.kind is SessionKind.CONNECTION:
                # It may be idle for hours and still hold what was set in it.
                settled += self._release(session)
            else:
                settled += self._forget(key)
        return self._noted(settled)

    def drain(self) -> Settled:
        """Settle everything; what a shutdown calls."""
        return self._noted([pair for key in self._tracker.keys for pair in self._forget(key)])

    def _noted(self, settled: Settled) -> Settled:
        """The same, its misuse logged."""
        for call, attribution in settled:
            if attribution.misuses:
                self._log.note(attribution.misuses, call.claims.summary)
        return settled

    def _outside(self, claims: Claims) -> Attribution:
        """A call without a session: what it sets holds for this call alone."""
        if not claims.session:
            return self._precedence.attribute(claims.named, None, claims.misuses)
        session = Session(self._variables)
        misuses = claims.misuses + session.apply(claims.session, in_transaction=False)
        named = session.named_in_call if self._asks_session else None
        return self._precedence.attribute(claims.named, named, misuses)

    def _inside(self, call: Call) -> Settled:  # noqa: C901 - the usual call first
        key, claims = call.session, call.claims
        settled: Settled = []
        session = self._tracker.touch(key)
        if session is None:
            while self._tracker.is_full:
                settled += self._evict()
            session = self._tracker.add(key, call.session_kind)
        session.seen_at_ns = call.ended_at_ns
        if (
            session.releasing
            and session.kind is SessionKind.TRANSACTION
            and call.transition is Transition.NONE
            and not (claims.session or claims.misuses)
        ):
            # A statement that leaves its session as it is, in a transaction of a known tenant.
            session.variables.named_in_call = None
            _vote(session.votes, claims.named)
            return [(call, self._settle(session, call, (), held=False))]
        was_open = session.in_transaction
        misuses = session.follow(call)
        if not was_open and session.in_transaction:
            session.start_transaction()
        named = session.variables.named_in_call if self._asks_session else None
        if named is not None:
            session.serves = named
            settled += self._release(session)
        if not (was_open or session.in_transaction or session.is_over):
            settled.append((call, self._alone(session, claims, named, misuses)))
            return settled
        _vote(session.votes, claims.named)
        if session.releasing or self._precedence.settles(claims.named):
            settled.append((call, self._settle(session, call, misuses, held=False)))
        else:
            session.held.append((call, misuses))
            self._held += 1
        if session.is_over:
            settled += self._forget(key)
        elif (
            session.ended_transaction
            or (
                # An end that failed may come again: the transaction is kept, with what it serves.
                session.kind is SessionKind.TRANSACTION and call.transition in _ENDS
            )
            or len(session.held) >= _MAX_HELD_PER_TRANSACTION
        ):
            settled += self._release(session)
        while self._held > _MAX_HELD:
            settled += self._evict()
        return settled

    def _alone(
        self,
        session: _Session,
        claims: Claims,
        named: str | None,
        misuses: tuple[Misuse, ...],
    ) -> Attribution:
        """A call on a connection, outside a transaction: its tenant is what the session holds."""
        tenant = named
        if tenant is None and self._asks_session:
            tenant = session.variables.current()
        return marked(claims, self._precedence.attribute(claims.named, tenant, misuses))

    def _evict(self) -> Settled:
        """Forget the session that was idle longest, because there are too many."""
        self._health.count(Loss.TRANSACTION_EVICTED, where="transactions")
        return self._forget(self._tracker.idle_longest())

    def _forget(self, key: str) -> Settled:
        session = self._tracker.find(key)
        if session is None:
            return []
        settled = self._release(session)
        self._tracker.forget(key)
        return settled

    def _release(self, session: _Session) -> Settled:
        """Settle what is held, by what is known of the transaction now."""
        held, session.held = session.held, []
        session.releasing = True
        self._held -= len(held)
        return [(call, self._settle(session, call, misuses, held=True)) for call, misuses in held]

    def _settle(
        self,
        session: _Session,
        call: Call,
        misuses: tuple[Misuse, ...],
        *,
        held: bool,
    ) -> Attribution:
        claims = call.claims
        # Calls from before the SET, calls that set, and calls without SQL go to the tenant of the
        # transaction. Other statements go to the tenant that the session holds at that moment.
        sets = any(step.verb is not SessionVerb.EXECUTE for step in claims.session)
        without_sql = sets or (call.transition is not Transition.NONE and not claims.summary)
        tenant: str | None = None
        if self._asks_session:
            whole = held or without_sql
            tenant = session.serves if whole else session.variables.current()
        if tenant is None and not claims.named and not claims.undecided:
            voted = self._voted(session.votes)
            # A statement that names nobody is not split: it was for one of them, unknown which.
            if voted is not None and (without_sql or len(voted.shares) == 1):
                return marked(claims, Attribution(voted.shares, voted.source, misuses))
        return marked(claims, self._precedence.attribute(claims.named, tenant, misuses))

    def _voted(self, votes: dict[Source, dict[str, int]]) -> Claim | None:
        """The tenants that the calls of a transaction named, by the most trusted source."""
        for source in self._precedence.order:
            if counts := votes.get(source):
                only = len(counts) == 1
                return Claim(source, tuple((name, 1 if only else n) for name, n in counts.items()))
        return None


def _vote(votes: dict[Source, dict[str, int]], named: tuple[Claim, ...]) -> None:
    """Remember the tenants that a call named."""
    for source, shares in named:
        counts = votes.setdefault(source, {})
        for tenant, _ in shares:
            if tenant != UNATTRIBUTED and (tenant in counts or len(counts) < _MAX_VOTED):
                counts[tenant] = counts.get(tenant, 0) + 1
