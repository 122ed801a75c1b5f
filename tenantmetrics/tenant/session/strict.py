"""`strict`: a call with no tenant, or with two that disagree, is refused before it is sent.

It only judges; `pipeline` counts what it refuses and tells the caller, or with `strict = "warn"`
lets the call go. It needs the session's tenant on the caller's thread, before the background thread
knows it. So it has a tracker of its own, fed with each call as it comes back (`observe`).

What is not refused for want of a tenant: BeginTransaction (its tenant comes later),
CommitTransaction and RollbackTransaction (refusing them would leave the transaction open), and
statements that only set the session or its savepoints (SET is what names the tenant). What names
two tenants is refused whatever it is: SET to a tenant other than the context's, a second SET to
another tenant, a predicate for another tenant than the session's. A COMMIT or ROLLBACK of the API
is never refused. Nor is what a driver, a pool or a health check asks of the server (`Plan.probes`):
SHOW, SET, and queries that read no table and only show constants, the session or the server's
version, such as `SELECT 1`.
"""

from __future__ import annotations

import threading
from fnmatch import fnmatchcase

from tenantmetrics.capture.request import Request
from tenantmetrics.config import Config
from tenantmetrics.records import OK, Call, Claim, Misuse, SessionKind, Source, Transition
from tenantmetrics.refusals import NO_TENANT, UNDECIDED, Refusal
from tenantmetrics.tenant.identity.source_precedence import Precedence, disagreements
from tenantmetrics.tenant.session.tracker import SessionTracker, TrackedSession, misuses_of_kind
from tenantmetrics.tenant.sql.plan import Plan

__all__ = ["Strict"]

_ENDS = frozenset({Transition.COMMIT, Transition.ROLLBACK})
_CONFLICTS = frozenset(
    {Misuse.SOURCES_DISAGREE, Misuse.OTHER_TENANTS_ROWS, Misuse.TENANT_CHANGED},
)
_SHOWN_CHARS = 60


class Strict:
    """Refuses calls; safe to use from any thread.

    Args:
        config: `strict_exempt_*`, `tenant_sources`, `tenant_variables`, `max_transactions`.
    """

    def __init__(self, config: Config) -> None:
        self._precedence = Precedence(config.tenant_sources)
        self._variables = config.tenant_variables
        self._statements = config.strict_exempt_statements
        self._tables = frozenset(name.lower() for name in config.strict_exempt_tables)
        self._clients = config.strict_exempt_clients
        self._tracker = SessionTracker(
            lambda kind: TrackedSession(kind, self._variables), config.max_transactions
        )
        self._lock = threading.Lock()

    def observe(self, call: Call) -> None:
        """Follow a call that came back: only what succeeded changed its session."""
        key = call.session
        if not key:
            return
        # A transaction that sets nothing holds nothing that is worth remembering.
        empty = call.session_kind is SessionKind.TRANSACTION and not (
            call.claims.session and call.outcome == OK
        )
        with self._lock:
            tracker = self._tracker
            session = tracker.touch(key)
            if session is None:
                if empty:
                    return
                while tracker.is_full:
                    tracker.forget(tracker.idle_longest())
                session = tracker.add(key, call.session_kind)
            session.follow(call)
            if session.is_over:
                tracker.forget(key)

    def forget(self, key: str) -> None:
        """Forget a session that is over."""
        with self._lock:
            self._tracker.forget(key)

    def check(self, request: Request, plan: Plan | None) -> Refusal | None:
        """Judge a call that is about to be sent.

        Args:
            request: The call, with the claims that `Resolver.claims` found.
            plan: The statement's plan, None where the call carries no SQL.

        Returns:
            Why it must not be sent: no tenant, or two that disagree; None for one that may.
        """
        claims = request.claims
        if (plan is None and request.transition in _ENDS) or self._is_exempt(request, plan):
            return None
        session, misuses = self._session(request)
        rank = self._precedence.rank
        found = [claim for claim in claims.named if claim.source in rank]
        if session is not None and Source.SESSION in rank:
            found.append(Claim(Source.SESSION, ((session, 1),)))
        found.sort(key=lambda claim: rank[claim.source])
        kinds = [*misuses, *misuses_of_kind(request.session_kind, claims.misuses)]
        if len(found) > 1:
            kinds += disagreements(found)
        conflicts = list(dict.fromkeys(kind for kind in kinds if kind in _CONFLICTS))
        what = claims.summary or request.operation
        if conflicts:
            return Refusal(
                conflicts[0],
                tuple(conflicts),
                tuple(found),
                f"strict: {what!r} was not sent, because its tenants disagree "
                f"({', '.join(conflicts)}): {_shown(found)}; make them one, or exempt it "
                "(strict_exempt_statements)",
            )
        begins = plan is None and request.transition is Transition.BEGIN
        if found or begins or self._names_nobody(plan):
            return None
        why = (
            "its text does not tell which tenant" if claims.undecided else "nothing names a tenant"
        )
        return Refusal(
            UNDECIDED if claims.undecided else NO_TENANT,
            (),
            (),
            f"strict: {what!r} was not sent, because {why}: no context, session variable, "
            "predicate, comment, schema or database names one; use `with tenant(...)`, set the "
            "session variable first, or exempt it (strict_exempt_statements, strict_exempt_tables)",
        )

    def _session(self, request: Request) -> tuple[str | None, tuple[Misuse, ...]]:
        """The session's tenant once the call has run, and what its steps would be misuse of."""
        claims = request.claims
        with self._lock:
            tracked = self._tracker.find(request.session) if request.session else None
            if not claims.session:
                return (tracked.variables.current() if tracked is not None else None), ()
            trial = tracked.copy() if tracked is not None else None
        if trial is None:
            trial = TrackedSession(request.session_kind, self._variables)
            trial.in_transaction = request.in_transaction
        misuses = trial.apply(claims.session)
        return trial.variables.named_in_call or trial.variables.current(), misuses

    @staticmethod
    def _names_nobody(plan: Plan | None) -> bool:
        """Whether a statement touches nobody's rows, and need not say for whom it runs."""
        return plan is not None and (plan.sets_only or plan.probes)

    def _is_exempt(self, request: Request, plan: Plan | None) -> bool:
        if any(fnmatchcase(request.claims.summary, pattern) for pattern in self._statements):
            return True
        if plan is not None and plan.tables and self._tables.issuperset(plan.tables):
            return True
        if not self._clients:
            return False
        identity = [request.identity.get(key) for key in ("resourceArn", "secretArn", "database")]
        return any(
            isinstance(text, str) and fnmatchcase(text, pattern)
            for text in identity
            for pattern in self._clients
        )


def _shown(claims: list[Claim]) -> str:
    """What was found where. Tenants are named: the error is the caller's own."""
    return "; ".join(
        f"{claim.source} says "
        + ", ".join(repr(tenant[:_SHOWN_CHARS]) for tenant, _ in claim.shares[:4])
        for claim in claims
    )
