"""What a session may be after a text of several statements failed: nobody says which one did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tenantmetrics.records import SessionStep, SessionVerb
from tenantmetrics.tenant.session.session_variables import Session

__all__ = ["HEALS", "ends_half_way"]

HEALS = frozenset({SessionVerb.COMMIT, SessionVerb.ROLLBACK, SessionVerb.ROLLBACK_TO})
"""After these a failed transaction is over, or goes on from a savepoint."""


def ends_half_way(
    session: Session, steps: Iterable[SessionStep], *, is_open: bool, failed: bool
) -> Iterator[tuple[bool, Session]]:
    """Every state that the text may have left.

    Args:
        session: As it was before the text; it is left as it is.
        steps: Of the whole text, in its order.
        is_open: Whether a transaction was open.
        failed: Whether that transaction had failed.

    Yields:
        Whether a transaction is open, which then has failed, and the session's variables.
    """
    now = session.copy()
    for step in steps:
        yield is_open, _stopped(now, is_open=is_open)
        if step.verb is SessionVerb.COMMIT:
            # A COMMIT that fails has rolled back.
            yield False, _stopped(now, is_open=False)
        if failed and step.verb not in HEALS:
            # In a failed transaction nothing else succeeds.
            return
        if failed and step.verb is SessionVerb.COMMIT:
            now.apply((SessionStep(SessionVerb.ROLLBACK),), in_transaction=is_open)
        else:
            now.apply((step,), in_transaction=is_open)
        failed, is_open = False, now.in_transaction
    yield is_open, _stopped(now, is_open=is_open)


def _stopped(now: Session, *, is_open: bool) -> Session:
    """The variables after an error: without a transaction what was not committed is undone."""
    stopped = now.copy()
    if not is_open:
        stopped.undo(SessionVerb.ROLLBACK)
    return stopped
