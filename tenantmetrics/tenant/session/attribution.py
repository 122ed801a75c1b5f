"""A transaction's calls meet their tenant: held until it is known, released in order.

A call that names an explicit context, or that runs outside a transaction, is settled at once.
Inside a transaction the tenant may come later than the first calls (BEGIN never has it), so calls
are held until a session variable names it or the transaction ends. What came before then goes to
the tenant that the transaction turns out to serve: that of its session; without one, those that
its calls named themselves, in shares; without any, nobody.
"""

from __future__ import annotations

from collections import OrderedDict

from tenantmetrics.config import Config
from tenantmetrics.health import Health, Loss
from tenantmetrics.records import (
    OK,
    UNATTRIBUTED,
    Attribution,
    Call,
    Claim,
    Claims,
    Misuse,
    Source,
    Transition,
)
from tenantmetrics.tenant.identity.precedence import Belief
from tenantmetrics.tenant.session.misuse_log import MisuseLog
from tenantmetrics.tenant.session.session_variables import Session

__all__ = ["Attributor"]

_MAX_HELD_PER_TRANSACTION = 512
"""A transaction that runs longer without a session variable is settled by what its calls name."""
_MAX_HELD = 16_384
"""Calls held in all, about 10 MB; beyond it the longest idle transactions are settled."""
_MAX_VOTED = 64
"""Tenants that one transaction's calls are remembered to have named."""
_ENDS = frozenset({Transition.COMMIT, Transition.ROLLBACK})

# A third of the time of the named tuple's own constructor.
_new = tuple.__new__

Settled = list[tuple[Call, Attribution]]


class _Transaction:
    """What is known of one open transaction."""

    __slots__ = ("held", "releasing", "seen_at_ns", "serves", "session", "votes")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.held: list[tuple[Call, tuple[Misuse, ...]]] = []
        self.serves: str | None = None
        """Whom the session named last: who pays for what names nobody itself, such as COMMIT."""
        self.votes: dict[Source, dict[str, int]] = {}
        """Whom its calls named themselves, by source: tenant → calls."""
        self.releasing = False
        """Nothing more is held: its session was named, it ended, or it grew past the bound."""
        self.seen_at_ns = 0


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
        self._belief = Belief(config.tenant_sources)
        self._variables = config.tenant_variables
        self._max_transactions = config.max_transactions
        self._idle_ns = int(config.transaction_idle_s * 1e9)
        # In the order of their last call, so that the longest idle is first.
        self._open: OrderedDict[str, _Transaction] = OrderedDict()
        self._held = 0

    def submit(self, call: Call) -> Settled:
        """Take the next call; gives what it settles, in order, the call itself often among it."""
        claims = call.claims
        if not call.session:
            named = claims.named
            if len(named) == 1 and not claims.session and not claims.misuses:
                source, shares = named[0]
                if source in self._belief.rank:
                    return [(call, _new(Attribution, (shares, source, ())))]
            attribution = self._outside(claims)
            if attribution.misuses:
                self._log.note(attribution.misuses, claims.summary)
            return [(call, attribution)]
        settled = self._inside(call)
        for one, attribution in settled:
            if attribution.misuses:
                self._log.note(attribution.misuses, one.claims.summary)
        return settled

    def expire(self, now_ns: int) -> Settled:
        """Settle transactions that have been idle for too long, and forget them.

        Args:
            now_ns: Wall clock, ns since the epoch, as in `Call.ended_at_ns`.
        """
        settled: Settled = []
        while self._open:
            name, transaction = next(iter(self._open.items()))
            if now_ns - transaction.seen_at_ns <= self._idle_ns:
                break
            settled += self._forget(name)
        return settled

    def drain(self) -> Settled:
        """Settle everything; what a shutdown calls."""
        return [pair for name in list(self._open) for pair in self._forget(name)]

    def _outside(self, claims: Claims) -> Attribution:
        """A call of its own: what it sets in its session holds for itself alone."""
        if not claims.session:
            return self._belief.attribute(claims.named, None, claims.misuses)
        session = Session(self._variables)
        misuses = claims.misuses + session.apply(claims.session, in_transaction=False)
        return self._belief.attribute(claims.named, session.named_in_call, misuses)

    def _inside(self, call: Call) -> Settled:
        name, claims = call.session, call.claims
        settled: Settled = []
        transaction = self._open.get(name)
        if transaction is None:
            while len(self._open) >= self._max_transactions:
                settled += self._evict()
            transaction = self._open[name] = _Transaction(Session(self._variables))
        else:
            self._open.move_to_end(name)
        transaction.seen_at_ns = call.ended_at_ns
        misuses = claims.misuses
        if claims.session and call.outcome == OK:
            misuses += transaction.session.apply(claims.session, in_transaction=True)
            if (named := transaction.session.named_in_call) is not None:
                transaction.serves = named
                settled += self._release(transaction)
        _vote(transaction.votes, claims.named)
        if transaction.releasing or self._belief.settles(claims.named):
            settled.append((call, self._settle(transaction, call, misuses, held=False)))
        else:
            transaction.held.append((call, misuses))
            self._held += 1
        if call.transition in _ENDS:
            # An end that failed may come again: the transaction is kept, with what it serves.
            gone = call.outcome in {OK, "TransactionNotFoundException"}
            settled += self._forget(name) if gone else self._release(transaction)
        elif len(transaction.held) >= _MAX_HELD_PER_TRANSACTION:
            settled += self._release(transaction)
        while self._held > _MAX_HELD:
            settled += self._evict()
        return settled

    def _evict(self) -> Settled:
        """Forget the transaction that was idle longest, because there are too many."""
        self._health.count(Loss.TRANSACTION_EVICTED, where="transactions")
        return self._forget(next(iter(self._open)))

    def _forget(self, name: str) -> Settled:
        settled = self._release(self._open[name])
        del self._open[name]
        return settled

    def _release(self, transaction: _Transaction) -> Settled:
        """Settle what is held, by what the transaction turned out to serve."""
        held, transaction.held = transaction.held, []
        transaction.releasing = True
        self._held -= len(held)
        return [
            (call, self._settle(transaction, call, misuses, held=True)) for call, misuses in held
        ]

    def _settle(
        self,
        transaction: _Transaction,
        call: Call,
        misuses: tuple[Misuse, ...],
        *,
        held: bool,
    ) -> Attribution:
        claims = call.claims
        # What came before the SET, what sets, and what carries no SQL, is whom it all was for;
        # other statements run as what the session holds at that moment.
        without_sql = call.transition is not Transition.NONE or bool(claims.session)
        whole = held or without_sql
        session = transaction.serves if whole else transaction.session.current()
        if session is None and not claims.named and not claims.undecided:
            voted = self._voted(transaction.votes)
            # A statement that names nobody is not split: it was for one of them, unknown which.
            if voted is not None and (without_sql or len(voted.shares) == 1):
                return Attribution(voted.shares, voted.source, misuses)
        return self._belief.attribute(claims.named, session, misuses)

    def _voted(self, votes: dict[Source, dict[str, int]]) -> Claim | None:
        """Whom a transaction without a session tenant served: what its calls named, best first."""
        for source in self._belief.order:
            if counts := votes.get(source):
                only = len(counts) == 1
                return Claim(source, tuple((name, 1 if only else n) for name, n in counts.items()))
        return None


def _vote(votes: dict[Source, dict[str, int]], named: tuple[Claim, ...]) -> None:
    """Remember whom a call named."""
    for source, shares in named:
        counts = votes.setdefault(source, {})
        for tenant, _ in shares:
            if tenant != UNATTRIBUTED and (tenant in counts or len(counts) < _MAX_VOTED):
                counts[tenant] = counts.get(tenant, 0) + 1
