"""What was lost or went wrong, counted by reason and logged once a minute a reason.

The one place where the data path reports its own trouble: a handler that fails calls `count` and
goes on. Logs carry the reason and the exception's type, never its text, which may quote SQL.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from enum import StrEnum

from tenantmetrics.logs import logger

__all__ = ["Health", "Loss"]

_LOG_EVERY_S = 60.0


class Loss(StrEnum):
    """Why a number did not arrive, or what failed on the way."""

    HOOK_ERROR = "hook_error"
    TENANT_ERROR = "tenant_error"
    AGGREGATE_ERROR = "aggregate_error"
    QUEUE_FULL = "queue_full"
    SERIES_CAP = "series_cap"
    EXPORT_FAILED = "export_failed"
    EXPORT_UNCERTAIN = "export_uncertain"
    EXPORT_DROPPED = "export_dropped"
    TRANSACTION_EVICTED = "transaction_evicted"
    CLOSED = "closed"


_EXPORT_FAILURES = frozenset({Loss.EXPORT_FAILED, Loss.EXPORT_UNCERTAIN})


class Health:
    """Counters by reason, safe to use from any thread and after a fork.

    Args:
        clock: Monotonic seconds; injected by tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Start from nothing with a fresh lock; what a forked child calls."""
        # The garbage collector may close a call, and count it as lost, while this is held.
        self._lock = threading.RLock()
        self._counts: dict[str, int] = {}
        self._export_failures: dict[str, int] = {}
        self._logged_at: dict[str, float] = {}

    def count(
        self,
        reason: str,
        amount: int = 1,
        *,
        error: BaseException | None = None,
        where: str = "",
    ) -> None:
        """Count a loss and log it, at most once a minute a reason.

        Args:
            reason: A `Loss`, or another short fixed word. Never text from outside.
            amount: How many calls, windows or events.
            error: What was caught; its type is logged, its text is not.
            where: The function or exporter it happened in.
        """
        now = self._clock()
        with self._lock:
            total = self._counts[reason] = self._counts.get(reason, 0) + amount
            if reason in _EXPORT_FAILURES:
                self._export_failures[where] = self._export_failures.get(where, 0) + amount
            last = self._logged_at.get(reason)
            if last is not None and now - last < _LOG_EVERY_S:
                return
            self._logged_at[reason] = now
        # The application's own structlog processors run here, inside its query; theirs may fail.
        with contextlib.suppress(Exception):
            logger().warning(
                "tenantmetrics.loss",
                reason=str(reason),
                total=total,
                where=where or None,
                error_type=type(error).__name__ if error is not None else None,
            )

    def counts(self) -> dict[str, int]:
        """Totals by reason since the start of the process."""
        with self._lock:
            return dict(self._counts)

    def export_failures(self) -> dict[str, int]:
        """Windows that exporters failed to deliver or may have, by exporter."""
        with self._lock:
            return dict(self._export_failures)
