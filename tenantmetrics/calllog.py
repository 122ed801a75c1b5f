"""Slow calls and failed calls in the log: who, what, how long, in which transaction and trace.

Never literals, parameters or the error's text: the statement's summary and the error's code. Runs
on the background thread. At most `LINES_PER_MINUTE`: a database that is down must not fill the
disk; what was left out is counted on the next line.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime

from tenantmetrics.logs import LINES_PER_MINUTE, LineBudget, logger
from tenantmetrics.records import OK, Attribution, Call

__all__ = ["LINES_PER_MINUTE", "CallLog"]


class CallLog:
    """Writes one structlog line for each call that deserves one.

    Args:
        slow_s: Seconds above which a call is slow; 0 for none.
        errors: Whether calls that failed are logged.
        clock: Monotonic seconds; injected by tests.
    """

    def __init__(
        self, *, slow_s: float, errors: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._slow_ns = slow_s * 1e9 or float("inf")
        self._errors = errors
        self._budget = LineBudget(clock)
        self.wanted = slow_s > 0 or errors
        """Whether any call is ever logged."""

    def add(self, call: Call, attribution: Attribution) -> None:
        """Log a call if it is slow or failed. Raises nothing."""
        failed = call.outcome != OK
        slow = call.duration_ns >= self._slow_ns
        if not (slow or (failed and self._errors)):
            return
        left_out = self._budget.take()
        if left_out is None:
            return
        # The application's own structlog processors run here; theirs may fail.
        with contextlib.suppress(Exception):
            line = logger().warning if failed else logger().info
            line(
                "tenantmetrics.call_failed" if failed else "tenantmetrics.slow_call",
                tenant=",".join(tenant for tenant, _ in attribution.shares[:10]),
                operation=call.operation,
                summary=call.claims.summary,
                started_at=_time(call.ended_at_ns - call.duration_ns),
                ended_at=_time(call.ended_at_ns),
                duration_ms=round(call.duration_ns / 1e6, 3),
                rows_returned=call.rows_returned,
                rows_written=call.rows_written,
                transaction_id=call.session or None,
                error=call.outcome if failed else None,
                sqlstate=call.sqlstate or None,
                trace_id=f"{call.trace[0]:032x}" if call.trace else None,
                span_id=f"{call.trace[1]:016x}" if call.trace else None,
                lines_left_out=left_out or None,
            )


def _time(at_ns: int) -> str:
    """A moment as log lines have it, to the millisecond: the line itself may be written later."""
    moment = datetime.fromtimestamp(at_ns / 1e9, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
