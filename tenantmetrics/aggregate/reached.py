"""Whether a call reached the database, and what it is to the estimate of server time."""

from __future__ import annotations

from tenantmetrics.records import OK, Call
from tenantmetrics.statement_table import Kind

__all__ = ["kind_of"]

_NOT_REACHED = frozenset(
    {
        "BandwidthLimitExceeded",
        "DatabaseResumingException",
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
"""botocore's throttling codes (`retries.standard.ThrottledRetryableChecker`), and the answer of a
cluster that was paused."""


def kind_of(call: Call) -> Kind | None:
    """The call's kind; None if the database never saw it.

    Args:
        call: Any call. One that failed counts as work, whatever its statement.
    """
    if not call.http_status or call.outcome in _NOT_REACHED:
        return None
    if call.claims.workless and call.outcome == OK:
        return Kind.COLD_WORKLESS if call.opened_connection else Kind.WORKLESS
    return Kind.COLD_WORK if call.opened_connection else Kind.WORK
