"""Our own log lines, through the application's structlog where it has one, else on stderr.

Never on stdout: structlog's default is stdout, where Lambda reads EMF and pipes read data.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from tenantmetrics.life import unforked

__all__ = ["LINES_PER_MINUTE", "LineBudget", "logger", "not_ours"]

LINES_PER_MINUTE = 120
"""A database that is down must not fill the disk."""


def logger() -> Any:
    """The logger "tenantmetrics"; imports structlog (90 ms) at its first use, not before."""
    with unforked:
        import structlog  # noqa: PLC0415 - not on the import path of the application

    if structlog.is_configured():
        return structlog.get_logger("tenantmetrics")
    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
    )


class LineBudget:
    """Who may write a line: at most `LINES_PER_MINUTE`. For one thread, or under a lock.

    Args:
        clock: Monotonic seconds; injected by tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._minute = -1
        self._lines = 0
        self._left_out = 0

    def take(self) -> int | None:
        """Ask for a line.

        Returns:
            How many lines were left out before it; None where it is to be left out too.
        """
        minute = int(self._clock() // 60)
        if minute != self._minute:
            self._minute, self._lines = minute, 0
        if self._lines >= LINES_PER_MINUTE:
            self._left_out += 1
            return None
        self._lines += 1
        left_out, self._left_out = self._left_out, 0
        return left_out


class _NotOurs(logging.Filter):
    """Passes what is logged on the application's threads and stops what is on our own."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.threadName or "").startswith("tenantmetrics")


_NOT_OURS = _NotOurs()


def not_ours(name: str) -> None:
    """Keep a library's lines out of the log where it is us they speak of.

    Losses are logged once a minute by `health`; the application's own use of the library, which
    shares the logger, is left alone.

    Args:
        name: Of the library's logger.
    """
    logging.getLogger(name).addFilter(_NOT_OURS)
