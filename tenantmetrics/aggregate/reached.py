"""Whether a call reached the database, and what it is to the estimate of server time."""

from __future__ import annotations

from tenantmetrics.records import OK, Call
from tenantmetrics.records.call import NOT_REACHED
from tenantmetrics.statement_table import Kind

__all__ = ["kind_of"]

# Plain strings: an enum's members are hashed by a function of Python's, for every call.
_WORK, _COLD_WORK = Kind.WORK.value, Kind.COLD_WORK.value
_WORKLESS, _COLD_WORKLESS = Kind.WORKLESS.value, Kind.COLD_WORKLESS.value
_FAILED, _COLD_FAILED = Kind.FAILED.value, Kind.COLD_FAILED.value
_DATABASE_ERROR = "DatabaseErrorException"
_BATCH = "BatchExecuteStatement"
"""Of one that failed, the sets before the one that was refused were executed."""


def kind_of(call: Call) -> str | None:
    """The call's kind, a `Kind` as a plain string; None if the database never saw it.

    Args:
        call: Any call.
    """
    outcome = call.outcome
    if not call.http_status or outcome in NOT_REACHED:
        return None
    # What the API gave up says nothing of what calls without work take.
    if outcome == OK:
        if call.claims.workless:
            return _COLD_WORKLESS if call.opened_connection else _WORKLESS
    elif _is_refused(call):
        return _COLD_FAILED if call.opened_connection else _FAILED
    return _COLD_WORK if call.opened_connection else _WORK


def _is_refused(call: Call) -> bool:
    """Whether PostgreSQL ended the statement with an error, and so counted no execution of it.

    A result that is too large, or of a type that the API does not return, was executed and is
    counted; so may be a statement that the API stopped waiting for.
    """
    refused = bool(call.sqlstate) or call.outcome == _DATABASE_ERROR
    return refused and call.operation != _BATCH
