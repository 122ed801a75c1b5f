"""Our own log lines, through the application's structlog where it has one, else on stderr.

Never on stdout: structlog's default is stdout, where Lambda reads EMF and pipes read data.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

__all__ = ["logger", "not_ours"]


def logger() -> Any:
    """The logger "tenantmetrics"; imports structlog (90 ms) at its first use, not before."""
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
